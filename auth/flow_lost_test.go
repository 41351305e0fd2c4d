package auth

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// Whoever waits leaves just when the provider gives the tokens: they are stored all the same.
func TestAnswerOnItsWayIsNotLost(t *testing.T) {
	t.Parallel()
	for _, method := range []Method{MethodDevice, MethodCode} {
		ctx, cancel := context.WithCancel(t.Context())
		late := granted1
		late.before = func() { cancel(); time.Sleep(50 * time.Millisecond) }
		s := newIDP(t, late, refuse("invalid_grant", 54005))
		a := s.microsoft(t, new(Memory), newClock()).Account("a")
		f := begin(t, a, &BeginOptions{Method: method, Redirect: hostRedirect})
		var p Progress
		var err error
		if method == MethodDevice {
			p, err = f.Wait(ctx, nil)
		} else {
			p, err = f.Finish(ctx, back(t, f, "code", "c"))
		}
		if err != nil || p.State != StateApproved {
			t.Errorf("%s: %+v, %v", method, p, err)
		}
		if st, err := a.Status(t.Context()); err != nil || st.Standing != StandingReady || st.Pending {
			t.Errorf("%s: %+v, %v", method, st, err)
		}
	}
}

// A browser that leaves, and a provider that does not answer in time: the flow ends, and says
// in both languages what to do.
func TestCodeThatIsCutOff(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	slow := granted1
	slow.before = func() { cancel(); <-hang }
	s := newIDP(t, slow)
	defer close(hang)
	f := begin(t, s.microsoft(t, new(Memory), newClock()).Account("a"), &BeginOptions{Method: MethodCode, Redirect: hostRedirect})
	start := time.Now()
	p, err := f.Finish(ctx, back(t, f, "code", "c"))
	if p.State != StateFailed || p.Help != helpCutOff || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || time.Since(start) > 2*time.Second {
		t.Errorf("%+v, %v after %s", p, err, time.Since(start))
	}
}

// A process dies after it has stored the tokens and before it has said so: who takes up the
// flow is told that it is approved, and the provider is not asked with a code that is used.
func TestDeathBetweenTokensAndOutcome(t *testing.T) {
	t.Parallel()
	for _, method := range []Method{MethodDevice, MethodCode} {
		k := newClock()
		dead := errors.New("this process is dead")
		var died atomic.Bool
		disk := &brittle{fail: func(op, name string) bool { return false }}
		s := newIDP(t, granted1, refuse("invalid_grant", 54005))
		a := s.microsoft(t, disk, k).Account("a")
		f := begin(t, a, &BeginOptions{Method: method, Redirect: hostRedirect})
		query := url.Values{}
		if method == MethodCode {
			query = back(t, f, "code", "c")
		}
		disk.fail = func(op, name string) bool {
			if op == "save" && strings.HasPrefix(name, "grant/") {
				died.Store(true)
				return false
			}
			return died.Load() && strings.HasPrefix(name, "flow/")
		}
		if method == MethodDevice {
			_, _ = f.Wait(t.Context(), nil)
		} else {
			_, _ = f.Finish(t.Context(), query)
		}
		if !died.Load() {
			t.Fatal(dead)
		}
		disk.fail = func(op, name string) bool { return false }
		asked := len(s.tokenForms())
		again, err := s.microsoft(t, disk, k).Account("a").Resume(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		p, err := again.Wait(t.Context(), nil)
		if err != nil || p.State != StateApproved || p.User != "florian@mondaine.fr" || len(p.Granted) == 0 || len(p.Missing) > 0 {
			t.Errorf("%s: %+v, %v", method, p, err)
		}
		if n := len(s.tokenForms()) - asked; n != 0 {
			t.Errorf("%s: %d requests", method, n)
		}
	}
}

// Who holds the lock of a flow hangs: another process still sees how the flow ends.
func TestHungProcessKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	s, store, k := newIDP(t, pending), new(Memory), newClock()
	a := s.microsoft(t, store, k).Account("a")
	f := begin(t, a, nil)
	unlock, err := store.Lock(t.Context(), flowName("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	done := make(chan Progress)
	go func() {
		p, _ := f.Wait(t.Context(), nil)
		done <- p
	}()
	time.Sleep(50 * time.Millisecond) // it waits for the lock
	g, err := s.microsoft(t, store, k).Account("a").Resume(t.Context())
	if err == nil {
		err = g.Cancel(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-done:
		if p.State != StateCanceled {
			t.Errorf("%+v", p)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits on")
	}
}
