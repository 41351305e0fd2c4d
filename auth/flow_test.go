package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// A host that restarts between Begin and Wait goes on with the same code.
func TestResumeAfterRestart(t *testing.T) {
	t.Parallel()
	s, k, store := newIDP(t, refuse("slow_down"), pending, granted1), newClock(), new(Memory)
	first := begin(t, s.microsoft(t, store, k).Account("a"), nil)
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	if _, err := first.Wait(ctx, func(p Progress) {
		if p.Interval > 5*time.Second { // after slow_down
			once.Do(cancel)
		}
	}); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Fatalf("Wait whose ctx ended: %v", err)
	}
	if p := first.Progress(); p.State != StateWaiting {
		t.Fatalf("state %q after ctx ended", p.State)
	}

	a := s.microsoft(t, store, k).Account("a")
	if st, err := a.Status(t.Context()); err != nil || !st.Pending {
		t.Errorf("status %+v, %v: want pending", st, err)
	}
	f, err := a.Resume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := f.Progress(); p.UserCode.Reveal() != canaryUserCode || p.State != StateWaiting || p.Interval != 10*time.Second || !p.Expires.Equal(first.Progress().Expires) {
		t.Errorf("resumed as %+v", p)
	}
	p, err := f.Wait(t.Context(), nil)
	if err != nil || p.User != "florian@mondaine.fr" {
		t.Fatalf("%+v, %v", p, err)
	}
	if n := len(s.forms); n != 1 {
		t.Errorf("%d codes were asked for", n)
	}
	// The first process learns of it.
	if p, err := first.Wait(t.Context(), nil); err != nil || p.State != StateApproved || p.User != "florian@mondaine.fr" {
		t.Errorf("the other process sees %+v, %v", p, err)
	}
	if st, err := a.Status(t.Context()); err != nil || st.Pending || st.Standing != StandingReady {
		t.Errorf("status %+v, %v", st, err)
	}
}

// Other settings of the provider cannot go on with a code of the former ones.
func TestResumeNeedsTheSameApplication(t *testing.T) {
	t.Parallel()
	s, store := newIDP(t, granted1), new(Memory)
	begin(t, s.microsoft(t, store, nil).Account("a"), nil)
	other := s.microsoft(t, store, nil, func(m *Microsoft) { m.ClientID = "another" }).Account("a")
	if _, err := other.Resume(t.Context()); !errors.Is(err, ErrNoFlow) {
		t.Errorf("Resume: %v", err)
	}
}

// However many wait, the provider is asked by one at a time, at its pace.
func TestManyWaitsAreOneStream(t *testing.T) {
	t.Parallel()
	key, err := settings.ParseKey(base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789ABCDEF")))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := settings.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	memory, dir := new(Memory), filepath.Join(t.TempDir(), "tokens")
	for name, open := range map[string]func() Store{
		"memory": func() Store { return memory },
		"files":  func() Store { return &Files{Dir: dir, Key: keys} }, // each time as another process would
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manyWaits(t, open)
		})
	}
}

func manyWaits(t *testing.T, open func() Store) {
	const waits = 8
	var polling, most int
	var mu sync.Mutex
	slow := pending
	slow.before = func() {
		mu.Lock()
		polling++
		most = max(most, polling)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		polling--
		mu.Unlock()
	}
	s, k := newIDP(t, slow, slow, slow, slow, granted1), newClock()
	f := begin(t, s.microsoft(t, open(), k).Account("a"), nil)
	var wg sync.WaitGroup
	for i := range waits {
		g := f
		if i%2 == 1 { // another process
			var err error
			if g, err = s.microsoft(t, open(), k).Account("a").Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wg.Go(func() {
			if p, err := g.Wait(t.Context(), nil); err != nil || p.State != StateApproved || p.User == "" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	wg.Wait()
	if n := len(s.tokenForms()); n != 5 || most != 1 {
		t.Errorf("%d polls, at most %d at once; want 5 and 1", n, most)
	}
	for _, d := range k.slept() {
		if d < 5*time.Second {
			t.Errorf("a gap of %s", d)
		}
	}
}

func TestCancelEndsWait(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprint("elsewhere ", elsewhere), func(t *testing.T) {
			t.Parallel()
			s, store, k := newIDP(t, pending), new(Memory), newClock()
			a := s.microsoft(t, store, k).Account("a")
			f := begin(t, a, nil)
			g := f
			if elsewhere {
				var err error
				if g, err = s.microsoft(t, store, k).Account("a").Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			canceled := make(chan error, 1)
			s.script[0].before = sync.OnceFunc(func() { canceled <- g.Cancel(t.Context()) })
			p, werr := f.Wait(t.Context(), nil)
			err := <-canceled
			if err != nil || p.State != StateCanceled || vaguemestre.ClassOf(werr) != vaguemestre.ClassCanceled || p.UserCode != "" {
				t.Errorf("%+v, %v, %v", p, werr, err)
			}
			if _, err := a.Resume(t.Context()); !errors.Is(err, ErrNoFlow) {
				t.Errorf("Resume after Cancel: %v", err)
			}
			if n := len(s.tokenForms()); n != 1 {
				t.Errorf("%d polls", n)
			}
		})
	}
}

// What somebody has signed in for while Cancel was on its way is not taken.
func TestCancelWhileTheAnswerComes(t *testing.T) {
	t.Parallel()
	s, store, k := newIDP(t, granted1), new(Memory), newClock()
	a := s.microsoft(t, store, k).Account("a")
	f := begin(t, a, nil)
	g, err := s.microsoft(t, store, k).Account("a").Resume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	canceled := make(chan error, 1)
	s.script[0].before = func() { canceled <- g.Cancel(t.Context()) }
	p, _ := f.Wait(t.Context(), nil)
	if err := <-canceled; p.State != StateCanceled || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if st, err := a.Status(t.Context()); err != nil || st.Standing != StandingNone {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestBeginReplaces(t *testing.T) {
	t.Parallel()
	s, store, k := newIDP(t, pending, granted1), new(Memory), newClock()
	a := s.microsoft(t, store, k).Account("a")
	f := begin(t, a, nil)
	second := make(chan *Flow, 1)
	s.script[0].before = func() {
		g, err := a.Begin(t.Context(), nil)
		if err != nil {
			t.Error(err)
		}
		second <- g
	}
	p, err := f.Wait(t.Context(), nil)
	g := <-second
	if p.State != StateCanceled || p.Help != helpReplaced || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("the first: %+v, %v", p, err)
	}
	if p, err := g.Wait(t.Context(), nil); err != nil || p.State != StateApproved {
		t.Errorf("the second: %+v, %v", p, err)
	}
	if err := f.Cancel(t.Context()); err != nil || g.Progress().State != StateApproved {
		t.Errorf("Cancel of the first: %v", err)
	}
	if st, err := a.Status(t.Context()); err != nil || st.Standing != StandingReady {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestExpectedUser(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]State{"Florian@Mondaine.fr": StateApproved, "maire@mondaine.fr": StateFailed, "": StateApproved} {
		s, k := newIDP(t, granted1), newClock()
		a := s.microsoft(t, new(Memory), k).Account("a")
		f := begin(t, a, &BeginOptions{User: user})
		p, err := f.Wait(t.Context(), nil)
		if p.State != want {
			t.Errorf("%q: %+v, %v", user, p, err)
		}
		if st, _ := a.Status(t.Context()); (st.Standing == StandingReady) != (want == StateApproved) {
			t.Errorf("%q: standing %q", user, st.Standing)
		}
	}
}

func TestMissingScopes(t *testing.T) {
	t.Parallel()
	s, k := newIDP(t, grantOf("florian@mondaine.fr", "https://graph.microsoft.com/mail.send user.read"), refuse("invalid_grant", 65001)), newClock()
	a := s.microsoft(t, new(Memory), k, func(m *Microsoft) { m.Roles = []Role{RoleSend, RoleCollect, RoleIMAP} }).Account("a")
	p, err := begin(t, a, nil).Wait(t.Context(), nil)
	want := []string{"Mail.ReadWrite", "IMAP.AccessAsUser.All"}
	if err != nil || p.State != StateApproved || !slices.Equal(p.Missing, want) || p.Help != helpMissing {
		t.Errorf("%+v, %v", p, err)
	}
	if !slices.Equal(p.Granted, []string{"mail.send", "user.read"}) {
		t.Errorf("granted %q", p.Granted)
	}
}

// brittle is a store that fails while fail says so.
type brittle struct {
	Memory
	fail func(op, name string) bool
}

func (b *brittle) Load(ctx context.Context, name string) ([]byte, int64, error) {
	if b.fail("load", name) {
		return nil, 0, errors.New("disk full")
	}
	return b.Memory.Load(ctx, name)
}

func (b *brittle) Save(ctx context.Context, name string, value []byte, rev int64) (int64, error) {
	if b.fail("save", name) {
		return 0, errors.New("disk full")
	}
	return b.Memory.Save(ctx, name, value, rev)
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	t.Run("at Begin", func(t *testing.T) {
		t.Parallel()
		for _, at := range []string{"load", "save"} {
			s := newIDP(t, granted1)
			store := &brittle{fail: func(op, _ string) bool { return op == at }}
			_, err := s.microsoft(t, store, nil).Account("a").Begin(t.Context(), nil)
			if vaguemestre.ClassOf(err) != vaguemestre.ClassDeferred {
				t.Errorf("%s: %v", at, err)
			}
		}
	})
	t.Run("while waiting", func(t *testing.T) {
		t.Parallel()
		s, k := newIDP(t, granted1), newClock()
		loads := 0
		store := &brittle{fail: func(op, name string) bool {
			if op == "load" && strings.HasPrefix(name, "flow/") {
				loads++
			}
			return loads == 4 // before the first poll
		}}
		f := begin(t, s.microsoft(t, store, k).Account("a"), nil)
		faults := 0
		p, err := f.Wait(t.Context(), func(p Progress) {
			if p.Fault != nil {
				faults++
			}
		})
		if err != nil || p.State != StateApproved || faults != 1 {
			t.Errorf("%+v, %v, %d faults told", p, err, faults)
		}
	})
	t.Run("when it is approved", func(t *testing.T) {
		t.Parallel()
		s, k := newIDP(t, granted1), newClock()
		store := &brittle{fail: func(op, name string) bool { return op == "save" && strings.HasPrefix(name, "grant/") }}
		a := s.microsoft(t, store, k).Account("a")
		p, err := begin(t, a, nil).Wait(t.Context(), nil)
		if p.State != StateFailed || err == nil || p.Help != helpNotStored {
			t.Errorf("%+v, %v", p, err)
		}
		if tok, err := a.Token(t.Context(), Graph); err != nil || tok.AccessToken != canaryAccess {
			t.Errorf("the grant is lost: %v", err)
		}
	})
}

func TestWaitReturnsWithCtx(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	slow := pending
	slow.before = func() { <-hang }
	s := newIDP(t, slow)
	defer close(hang)
	s.device = deviceReply(map[string]any{"interval": 1})
	f := begin(t, s.microsoft(t, new(Memory), newClock()).Account("a"), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	p, err := f.Wait(ctx, nil)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.DeadlineExceeded) || p.State != StateWaiting || time.Since(start) > 1500*time.Millisecond {
		t.Errorf("%+v, %v after %s", p, err, time.Since(start))
	}
}

func TestNoFlow(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	app := &Microsoft{ClientID: "id", Tenant: "mondaine.fr", Grant: Application, ClientSecret: "s"}
	if _, err := app.Account("a").Begin(t.Context(), nil); vaguemestre.ClassOf(err) != config {
		t.Errorf("Begin of an application: %v", err)
	}
	if _, err := s.microsoft(t, new(Memory), nil).Account("a").Resume(t.Context()); !errors.Is(err, ErrNoFlow) || vaguemestre.ClassOf(err) != config {
		t.Errorf("Resume of nothing: %v", err)
	}
	var f Flow
	if p := f.Progress(); p.State != StateCreated || p.State.Final() {
		t.Errorf("zero Flow: %+v", p)
	}
	if _, err := f.Wait(t.Context(), nil); vaguemestre.ClassOf(err) != config {
		t.Errorf("Wait of a zero Flow: %v", err)
	}
	if err := f.Cancel(t.Context()); vaguemestre.ClassOf(err) != config {
		t.Errorf("Cancel of a zero Flow: %v", err)
	}
	if _, err := f.Finish(t.Context(), nil); vaguemestre.ClassOf(err) != config {
		t.Errorf("Finish of a zero Flow: %v", err)
	}
}
