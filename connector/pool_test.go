package connector

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	s := f.smtp(nil)
	for range 5 {
		if _, err := send(s, message("a@b.fr")); err != nil {
			t.Fatal(err)
		}
	}
	if f.connections() != 1 || len(f.sent()) != 5 {
		t.Errorf("%d connections, %d mails", f.connections(), len(f.sent()))
	}
}

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	f := newFake(t, func(f *fake) {
		f.on = func(_ *fake, v, _ string) *action {
			switch v {
			case "MAIL":
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(20 * time.Millisecond)
			case "DOT":
				now.Add(-1)
			}
			return nil
		}
	})
	s := f.smtp(func(s *SMTP) { s.MaxConnections = 3 })
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, err := send(s, message("a@b.fr")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || f.connections() > 3 || len(f.sent()) != 12 {
		t.Errorf("%d at once, %d connections, %d mails", most.Load(), f.connections(), len(f.sent()))
	}
}

func TestWaitingForAConnectionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(f *fake) {
		f.on = func(_ *fake, v, _ string) *action {
			if v == "MAIL" {
				return &action{stall: true}
			}
			return nil
		}
	})
	s := f.smtp(func(s *SMTP) { s.MaxConnections = 1 })
	ctx1, cancel1 := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.SendMail(ctx1, message("a@b.fr")) })
	for f.connections() == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.SendMail(ctx, message("a@b.fr")); class(err) != vaguemestre.ClassCanceled {
		t.Error(err)
	}
	cancel1()
	wg.Wait()
}

// TestADeadConnectionIsReplaced: the server closed it, or says 421, between two mails.
func TestADeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	for _, probe := range []time.Duration{time.Nanosecond, time.Hour} {
		for _, how := range []action{{cut: true}, {say: "421 4.4.2 timeout", cut: true}, {say: "421 4.4.2 timeout"}} {
			var mails atomic.Int64
			f := newFake(t, func(f *fake) {
				f.on = func(_ *fake, v, _ string) *action {
					switch {
					case v == "DOT":
						mails.Add(1)
					case (v == "MAIL" || v == "RSET") && mails.CompareAndSwap(1, 2):
						return &how
					}
					return nil
				}
			})
			s := f.smtp(func(s *SMTP) { s.waits.probe = probe })
			for i := range 2 {
				if r, err := send(s, message("a@b.fr")); err != nil {
					t.Fatalf("mail %d, %+v: %+v, %v", i, how, r, err)
				}
			}
			if f.connections() != 2 || len(f.sent()) != 2 {
				t.Errorf("%+v: %d connections, %d mails", how, f.connections(), len(f.sent()))
			}
		}
	}
}

// TestNothingIsSentTwice: on a kept connection that dies after the final dot too.
func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	var mails atomic.Int64
	f := newFake(t, func(f *fake) {
		f.on = func(_ *fake, v, _ string) *action {
			if v == "DOT" && mails.Add(1) == 2 {
				return &action{cut: true}
			}
			return nil
		}
	})
	s := f.smtp(nil)
	if _, err := send(s, message("a@b.fr")); err != nil {
		t.Fatal(err)
	}
	if _, err := send(s, message("a@b.fr")); class(err) != vaguemestre.ClassInDoubt {
		t.Fatal(err)
	}
	if f.connections() != 1 || len(f.sent()) != 2 {
		t.Errorf("%d connections, %d mails", f.connections(), len(f.sent()))
	}
}

func TestAFreshConnectionThatDiesIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(f *fake) {
		f.on = func(_ *fake, v, _ string) *action {
			if v == "MAIL" {
				return &action{cut: true}
			}
			return nil
		}
	})
	if _, err := send(f.smtp(nil), message("a@b.fr")); class(err) != vaguemestre.ClassDeferred || f.connections() != 1 {
		t.Errorf("%v, %d connections", err, f.connections())
	}
}

func TestConnectionsEndByCountAgeAndIdleness(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	s := f.smtp(nil)
	for range keepSent + 1 {
		if _, err := send(s, message("a@b.fr")); err != nil {
			t.Fatal(err)
		}
	}
	if f.connections() != 2 {
		t.Errorf("by count: %d connections", f.connections())
	}
	f = newFake(t, nil)
	s = f.smtp(func(s *SMTP) { s.waits.age = time.Nanosecond })
	for range 3 {
		if _, err := send(s, message("a@b.fr")); err != nil {
			t.Fatal(err)
		}
	}
	if f.connections() != 3 {
		t.Errorf("by age: %d connections", f.connections())
	}
	f = newFake(t, nil)
	s = f.smtp(func(s *SMTP) { s.waits.idle = 30 * time.Millisecond })
	if _, err := send(s, message("a@b.fr")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if cmd := f.commands(); cmd[len(cmd)-1] == "QUIT" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("an idle connection is kept")
		}
	}
}

func TestCloseEndsIdleConnectionsAndIsFinal(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	s := f.smtp(nil)
	if _, err := send(s, message("a@b.fr")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := send(s, message("a@b.fr")); class(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}
