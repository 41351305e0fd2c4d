package authtest

import (
	"context"
	"sync"
	"time"
)

var lockCases = []storeCase{
	{name: "a lock excludes", quote: "Lock waits until nobody else holds name, in this process or another, or until ctx ends.",
		run: func(t *storeTest) {
			unlock := t.lock(t.s, "a")
			t.locked(t.s, "a")
			t.locked(t.open(), "a")
			unlock()
			t.lock(t.open(), "a")
			t.locked(t.s, "a")
		}},
	{name: "a waiter gets the lock", quote: "Lock waits until nobody else holds name",
		run: func(t *storeTest) {
			unlock := t.lock(t.s, "a")
			got := make(chan error, 1)
			go func() {
				u, err := t.s.Lock(t.soon(), "a")
				if err == nil {
					u()
				}
				got <- err
			}()
			select {
			case err := <-got:
				t.Fatalf("the lock was not waited for: %v", err)
			case <-time.After(30 * time.Millisecond):
			}
			unlock()
			if err := <-got; err != nil {
				t.Fatalf("who waited gets %v", err)
			}
		}},
	{name: "a waiter can be canceled", quote: "or until ctx ends",
		run: func(t *storeTest) {
			unlock := t.lock(t.s, "a")
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan error, 1)
			go func() {
				u, err := t.s.Lock(ctx, "a")
				if err == nil {
					u()
				}
				got <- err
			}()
			time.Sleep(10 * time.Millisecond)
			cancel()
			select {
			case err := <-got:
				if err == nil {
					t.Fatal("the lock was given twice")
				}
			case <-time.After(late):
				t.Errorf("waiting goes on %s after its context has ended", late)
			}
			unlock()
			t.lock(t.s, "a") // who left does not hold it
		}},
	{name: "locks of two names are two", quote: "Lock waits until nobody else holds name",
		run: func(t *storeTest) {
			t.lock(t.s, names[0])
			for _, n := range names[1:] {
				t.lock(t.s, n)()
			}
			t.locked(t.s, names[0])
		}},
	{name: "unlocking twice", quote: "unlock may be called twice.",
		run: func(t *storeTest) {
			first := t.lock(t.s, "a")
			first()
			first()
			t.lock(t.s, "a")
			first() // it is another's now
			t.locked(t.s, "a")
		}},
	{name: "one holder at a time", quote: "Lock waits until nobody else holds name, in this process or another, or until ctx ends.",
		run: func(t *storeTest) {
			var wg sync.WaitGroup
			inside := make(chan struct{}, 1)
			for i := range 8 {
				s := t.s
				if i%2 == 1 {
					s = t.open()
				}
				wg.Go(func() {
					for range 5 {
						unlock, err := s.Lock(t.soon(), "a")
						if err != nil {
							t.Errorf("lock: %v", err)
							return
						}
						select {
						case inside <- struct{}{}:
							time.Sleep(100 * time.Microsecond)
							<-inside
						default:
							t.Error("two hold the lock at once")
						}
						unlock()
					}
				})
			}
			wg.Wait()
		}},
}
