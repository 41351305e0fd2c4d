package coldtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

var twinCases = []ledgerCase{
	// "Twin finds, for an item of epoch with the content key twin, an entry of another epoch
	// with the same twin …, and returns it with its Docs; nil if there is none."
	{name: "twin finds another epoch's entry", run: func(t *ledgerTest) {
		l := t.lock("a")
		old := mail(oldBox, "1", cold.StateDone)
		t.record(l, old, mail(oldBox, "2", cold.StateDone))
		got := t.twin(l, newBox, "twin-1")
		if got == nil {
			t.Fatal("there is no twin")
		}
		sameEntry(t, *got, old)
		if e := t.twin(l, newBox, "twin-3"); e != nil {
			t.Errorf("a twin of other content: %v", e)
		}
		unread := mail(oldBox, "4", cold.StatePending)
		unread.Twin = ""
		t.record(l, unread)
		if e := t.twin(l, newBox, ""); e != nil {
			t.Errorf("an item that was never read is a twin: %v", e)
		}
		// a content key that was replaced does not count any longer
		old.Twin = "twin-other"
		t.record(l, old)
		if t.twin(l, newBox, "twin-1") != nil || t.twin(l, newBox, "twin-other") == nil {
			t.Error("it goes by a content key that was replaced")
		}
	}},
	// "It never matches two items of one epoch."
	{name: "twin never matches within one epoch", run: func(t *ledgerTest) {
		l := t.lock("a")
		t.record(l, mail(oldBox, "1", cold.StateDone))
		if e := t.twin(l, oldBox, "twin-1"); e != nil {
			t.Errorf("two items of one epoch are twins: %v", e.Item.Key)
		}
		folder := mail("", "1", cold.StateDone) // a source without epochs has one
		folder.Twin = "twin-f"
		t.record(l, folder)
		if e := t.twin(l, "", "twin-f"); e != nil {
			t.Errorf("two items of the epoch \"\" are twins: %v", e.Item.Key)
		}
		if t.twin(l, oldBox, "twin-f") == nil {
			t.Error("a move from a source without epochs finds no twin")
		}
	}},
	// "an entry … that no item of epoch was matched with", "Recording an entry whose Origin
	// is that item's key makes the match."
	{name: "origin makes the match", run: func(t *ledgerTest) {
		l := t.lock("a")
		one, two := mail(oldBox, "1", cold.StateDone), mail(oldBox, "2", cold.StateDone) // two copies in the old epoch
		two.Twin = one.Twin
		t.record(l, one, two)
		if e := t.twin(l, newBox, one.Twin); e == nil {
			t.Fatal("there is no twin")
		}
		if e := t.twin(l, newBox, one.Twin); e == nil {
			t.Error("asking alone made a match")
		}
		origins := map[string]bool{}
		for i := range 2 {
			e := t.twin(l, newBox, one.Twin)
			if e == nil {
				t.Fatalf("there is no twin for copy %d", i)
			}
			origins[e.Item.Key] = true
			n := mail(newBox, fmt.Sprint(i), cold.StateDone)
			n.Twin, n.Origin = one.Twin, e.Item.Key
			t.record(l, n)
		}
		if len(origins) != 2 {
			t.Errorf("two copies got the same twin %v", origins)
		}
		if e := t.twin(l, newBox, one.Twin); e != nil {
			t.Errorf("a third copy got a twin: %v", e.Item.Key)
		}
		// a match holds in its epoch only
		if t.twin(l, thirdB, one.Twin) == nil {
			t.Error("a later epoch finds no twin")
		}
	}},
	// "that no item of epoch was matched with": over a third epoch, where the first mail is
	// known under two keys and still is one mail.
	{name: "one mail stays one over three epochs", run: func(t *ledgerTest) {
		l := t.lock("a")
		a := mail(oldBox, "1", cold.StateVanished)
		b := mail(newBox, "1", cold.StateDone)
		b.Twin, b.Origin = a.Twin, a.Item.Key
		t.record(l, a, b)
		got := t.twin(l, thirdB, a.Twin)
		if got == nil {
			t.Fatal("there is no twin")
		}
		if got.State != cold.StateDone {
			t.Errorf("the entry that vanished answers, not the one that was handed over: %v", got.Item.Key)
		}
		c := mail(thirdB, "1", cold.StateDone)
		c.Twin, c.Origin = a.Twin, a.Item.Key // made of b's Origin
		t.record(l, c)
		if e := t.twin(l, thirdB, a.Twin); e != nil {
			t.Errorf("a new copy is taken for %v, which another item stands for: it would be lost", e.Item.Key)
		}
	}},
	// "that no item of epoch was matched with": a match that is recorded no more is none
	{name: "a match can be replaced", run: func(t *ledgerTest) {
		l := t.lock("a")
		old, n := mail(oldBox, "1", cold.StateDone), mail(newBox, "1", cold.StatePlanned)
		n.Origin = old.Item.Key
		t.record(l, old, n)
		if t.twin(l, newBox, old.Twin) != nil {
			t.Error("the twin is given twice")
		}
		n.Origin = ""
		t.record(l, n)
		if t.twin(l, newBox, old.Twin) == nil {
			t.Error("there is no twin after the match was taken back")
		}
	}},
}

var wholeCases = []ledgerCase{
	// "A method that returns nil has made its write durable", "It is the same for the life of the ledger."
	{name: "all survives a restart", reopen: true, run: func(t *ledgerTest) {
		l := t.lock("a")
		e, open := mail(oldBox, "1", cold.StateDone), mail(oldBox, "2", cold.StateActing)
		scope := l.Scope()
		t.record(l, e, open)
		if err := l.SaveCursor(t.Context(), "uid:2"); err != nil {
			t.Fatal(err)
		}
		t.h.Reopen()
		l = t.lock("a") // free, though nobody closed the lease
		t.same("a", e)
		t.same("a", open)
		if got := t.unsettled(l, "", 9); !slices.Equal(got, []string{open.Item.Key}) {
			t.Errorf("unsettled are %q", got)
		}
		if got := t.twin(l, newBox, e.Twin); got == nil {
			t.Error("the twin is forgotten")
		}
		if c, err := l.Cursor(t.Context()); c != "uid:2" || err != nil {
			t.Errorf("cursor is %q, %v", c, err)
		}
		if l.Scope() != scope {
			t.Errorf("the scope was %q and is %q: every document would come again", scope, l.Scope())
		}
	}},
	// "ctx is honoured": a call whose context has ended does nothing
	{name: "canceled", run: func(t *ledgerTest) {
		l := t.lock("a")
		e := mail(oldBox, "1", cold.StatePlanned)
		t.record(l, e)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g := t.h.Ledger()
		changed := mail(oldBox, "1", cold.StateDone)
		for name, f := range map[string]func() error{
			"lock":        func() error { _, err := g.Lock(ctx, "b"); return err },
			"standing":    func() error { _, err := g.Standing(ctx, "a", []cold.Item{e.Item}); return err },
			"explain":     func() error { _, err := g.Explain(ctx, "a", e.Item.Key); return err },
			"record":      func() error { return l.Record(ctx, []cold.Entry{changed}) },
			"unsettled":   func() error { _, err := l.Unsettled(ctx, "", 1); return err },
			"twin":        func() error { _, err := l.Twin(ctx, newBox, e.Twin); return err },
			"cursor":      func() error { _, err := l.Cursor(ctx); return err },
			"save cursor": func() error { return l.SaveCursor(ctx, "x") },
		} {
			err := f()
			if !errors.Is(err, context.Canceled) || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
				t.Errorf("%s: %v, want an error of class canceled that is context.Canceled", name, err)
			}
		}
		t.same("a", e)
		if c, _ := l.Cursor(t.Context()); c != "" {
			t.Errorf("the cursor was saved: %q", c)
		}
		t.lock("b") // a lock that failed holds nothing
	}},
	// "Its methods are safe for concurrent use."
	{name: "concurrent use", run: func(t *ledgerTest) {
		const runs, items = 8, 40
		g := t.h.Ledger()
		var wg sync.WaitGroup
		for n := range runs {
			wg.Go(func() {
				job := fmt.Sprint("job ", n)
				l, err := g.Lock(t.Context(), job)
				if err != nil {
					t.Error(err)
					return
				}
				defer l.Close()
				for i := range items {
					e := mail(oldBox, fmt.Sprint(i), cold.StateDone)
					e.Attempts = n
					if err := l.Record(t.Context(), []cold.Entry{e}); err != nil {
						t.Errorf("record: %v", err)
						return
					}
					got, err := g.Standing(t.Context(), job, []cold.Item{e.Item})
					if err != nil || got[0].State != cold.StateDone || got[0].Attempts != n {
						t.Errorf("right after its record an item stands at %v, %v", got, err)
						return
					}
					if _, err := g.Explain(t.Context(), fmt.Sprint("job ", (n+1)%runs), e.Item.Key); err != nil {
						t.Errorf("explain: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		for n := range runs {
			e := mail(oldBox, fmt.Sprint(items-1), cold.StateDone)
			e.Attempts = n
			t.same(fmt.Sprint("job ", n), e)
		}
		// of many that want one job, one gets it
		var mu sync.Mutex
		var got []cold.Lease
		for range runs {
			wg.Go(func() {
				l, err := g.Lock(t.Context(), "wanted")
				if err != nil {
					if !errors.Is(err, vaguemestre.ErrBusy) {
						t.Errorf("lock: %v", err)
					}
					return
				}
				mu.Lock()
				got = append(got, l)
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Errorf("%d runs hold one job", len(got))
		}
		for _, l := range got {
			l.Close()
		}
	}},
	// Standing: "one answer per item in order", in pages as large as a source gives
	{name: "thousands of items", run: func(t *ledgerTest) {
		const n = 5000
		l := t.lock("a")
		key := func(i int) string { return fmt.Sprintf("%s/;UID=%d", oldBox, i) }
		var batch []cold.Entry
		for i := range n {
			e := cold.Entry{Item: cold.Item{Key: key(i), Epoch: oldBox}, State: cold.StateDone, Attempts: i}
			if i%5 == 0 {
				e.State = cold.StatePlanned
			}
			if batch = append(batch, e); len(batch) == 250 {
				t.record(l, batch...)
				batch = batch[:0]
			}
		}
		check := func(name string, from, to, step int) {
			var items []cold.Item
			for i := to; i > from; i -= step { // not in the order of keys; beyond n unknown
				items = append(items, cold.Item{Key: key(i)})
			}
			got, err := t.h.Ledger().Standing(t.Context(), "a", items)
			if err != nil || len(got) != len(items) {
				t.Fatalf("%s: %d answers, %v", name, len(got), err)
			}
			for k, i := 0, to; i > from; k, i = k+1, i-step {
				want := cold.Standing{State: cold.StateDone, Attempts: i}
				if i%5 == 0 {
					want.State = cold.StatePlanned
				}
				if i >= n {
					want = cold.Standing{}
				}
				if got[k] != want {
					t.Fatalf("%s: %s stands at %v, want %v", name, items[k].Key, got[k], want)
				}
			}
		}
		check("all and as many unknown", 0, 2*n, 1)
		check("a page", 1000, 1500, 1)
		check("scattered", 0, n, 37)
		check("few", 0, n, 1201)
		seen := 0
		for after := ""; ; {
			page := t.unsettled(l, after, 300)
			if len(page) == 0 {
				break
			}
			if page[0] <= after {
				t.Fatalf("the page after %q begins with %q", after, page[0])
			}
			seen, after = seen+len(page), page[len(page)-1]
		}
		if seen != n/5 {
			t.Errorf("%d items are unsettled, want %d", seen, n/5)
		}
	}},
}
