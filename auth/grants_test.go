package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// brokenStore fails as it is told to.
type brokenStore struct {
	Store
	mu         sync.Mutex
	load, save error
	before     func() // each save
}

func (s *brokenStore) Load(ctx context.Context, name string) ([]byte, int64, error) {
	s.mu.Lock()
	err := s.load
	s.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	return s.Store.Load(ctx, name)
}

func (s *brokenStore) Save(ctx context.Context, name string, value []byte, rev int64) (int64, error) {
	s.mu.Lock()
	err, before := s.save, s.before
	s.before = nil
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if before != nil {
		before()
	}
	return s.Store.Save(ctx, name, value, rev)
}

func (s *brokenStore) broken(load, save error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load, s.save = load, save
}

// The provider has rotated and nothing can be stored: the account goes on from memory, over
// several rotations, and everything is stored as soon as that works again.
func TestStoreThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	for name, load := range map[string]error{"read only": nil, "gone": errors.New("input/output error")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &brokenStore{Store: new(Memory)}
			x := newTester(t, newRotator(t), s)
			x.signIn()
			x.get(Graph)
			x.told()
			s.broken(nil, full)
			x.clock.pass(2 * time.Hour)
			x.get(Graph)
			s.broken(load, full)
			for i := range 5 {
				for range 20 {
					x.get(Graph)
				}
				x.get(IMAP)
				if n := x.idp.asked(); n != 2*i+2 {
					t.Fatalf("round %d: %d requests", i, n)
				}
				x.clock.pass(2 * time.Hour)
			}
			if len(x.idp.revoked) != 0 {
				t.Fatal("an old refresh token was used")
			}
			st, err := x.status(t.Context(), acct)
			if err != nil || st.Standing != StandingDegraded || st.Help.FR == "" {
				t.Errorf("status %+v, %v", st, err)
			}
			if got := x.told(); !slices.Equal(got, []Happening{Degraded}) {
				t.Errorf("told %v", got)
			}
			s.broken(nil, nil)
			last := x.get(Graph)
			if x.stored().Refresh != x.idp.current["grant0"] {
				t.Error("the newest refresh token is not stored")
			}
			if got := x.told(); !slices.Equal(got, []Happening{Recovered, Refreshed}) {
				t.Errorf("told %v", got)
			}
			y := newTester(t, x.idp, s)
			y.now = x.clock.now
			if got := y.get(Graph); got != last {
				t.Error("another process does not find the token")
			}
		})
	}
}

// A good token is no reason to put off storing for long.
func TestStoringIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := &brokenStore{Store: new(Memory)}
	x := newTester(t, newRotator(t), s)
	x.signIn()
	x.clock.pass(2 * time.Hour)
	s.broken(nil, errors.New("full"))
	tok := x.get(Graph)
	s.broken(nil, nil)
	x.clock.pass(storeAgain)
	if got := x.get(Graph); got != tok || x.idp.asked() != 1 {
		t.Errorf("got %q after %d requests", got, x.idp.asked())
	}
	if x.stored().Refresh != x.idp.current["grant0"] || x.degraded() {
		t.Error("not stored")
	}
}

func (x *tester) degraded() bool { return x.live.of(acct).degraded.Load() }

// Without a token in hand a store that cannot be read is a fault; with one it is none.
func TestStoreThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := &brokenStore{Store: new(Memory)}
	x := newTester(t, newRotator(t), s)
	x.signIn()
	s.broken(errors.New("input/output error"), nil)
	if _, err := x.token(t.Context(), acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassDeferred {
		t.Errorf("got %v", err)
	}
	s.broken(nil, nil)
	x.get(Graph)
	s.broken(errors.New("input/output error"), nil)
	x.clock.pass(56 * time.Minute)
	x.get(Graph)
	s.broken(misconfigured("auth: load file", "sealed under another key"), nil)
	x.clock.pass(time.Hour)
	if _, err := x.token(t.Context(), acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("got %v", err)
	}
	if x.idp.asked() != 0 {
		t.Error("the provider was asked for what cannot be stored")
	}
}

// Somebody stores between our load and our save, past the lock.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		theirs  func(x *tester, r *record)
		forget  bool
		want    string // token; "" is not associated
		refresh string // what is stored in the end; "" is ours
	}{
		{name: "a refresh before ours", theirs: func(x *tester, r *record) { r.User = "florian@mondaine.fr" }, want: "access-c4n4ry-3"},
		{name: "a later refresh", theirs: func(x *tester, r *record) {
			r.Refreshed, r.Refresh = x.now().Add(time.Second), "theirs"
			r.keep("graph/send graph/read offline_access", pass{Token: "theirs", Issued: x.now(), Expires: x.now().Add(time.Hour)})
		}, want: "theirs", refresh: "theirs"},
		{name: "another sign-in", theirs: func(x *tester, r *record) {
			r.ID, r.Since, r.Refresh = "new", x.now(), "theirs"
			r.Tokens = map[string]pass{"graph/send graph/read offline_access": {Token: "new", Issued: x.now(), Expires: x.now().Add(time.Hour)}}
		}, want: "new", refresh: "theirs"},
		{name: "forgetting", forget: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &brokenStore{Store: new(Memory)}
			x := newTester(t, newRotator(t), s)
			x.signIn()
			x.clock.pass(2 * time.Hour)
			s.before = func() {
				if c.forget {
					if err := remove(t.Context(), s, grantName(acct)); err != nil {
						t.Error(err)
					}
					return
				}
				x.change(func(r *record) { c.theirs(x, r) })
			}
			tok, err := x.token(t.Context(), acct, Graph, "")
			if c.forget {
				if !errors.Is(err, ErrNotAssociated) || x.stored() != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || tok.AccessToken != c.want || x.degraded() {
				t.Fatalf("got %v, %v", tok, err)
			}
			want := c.refresh
			if want == "" {
				want = x.idp.current["grant0"]
			}
			if got := x.stored().Refresh; got != want {
				t.Errorf("stored is %q, want %q", got, want)
			}
		})
	}
}

// What the store holds may be of another program.
func TestRecordsOfOthers(t *testing.T) {
	t.Parallel()
	newer := `{"version":2,"application":"test","refresh":{"now":"an object"}}`
	for _, c := range []struct {
		name, value string
		class       vaguemestre.Class
		reauth      bool
		standing    Standing
	}{
		{"a newer version", newer, vaguemestre.ClassConfig, false, ""},
		{"no JSON", "refresh-c4n4ry", vaguemestre.ClassConfig, false, ""},
		{"no version", `{}`, vaguemestre.ClassConfig, false, ""},
		{"another application", `{"version":1,"application":"test\nhttps://other\napp-9","id":"x","refresh":"refresh-c4n4ry"}`, vaguemestre.ClassAuth, true, StandingReauth},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := new(Memory)
			x := newTester(t, newRotator(t), store)
			rev, _ := store.Save(t.Context(), grantName(acct), []byte(c.value), 0)
			_, err := x.token(t.Context(), acct, Graph, "")
			if vaguemestre.ClassOf(err) != c.class || errors.Is(err, ErrReauth) != c.reauth || strings.Contains(fmt.Sprint(err), "c4n4ry") {
				t.Errorf("token: %v", err)
			}
			if st, err := x.status(t.Context(), acct); st.Standing != c.standing || (c.standing == "") != (err != nil) {
				t.Errorf("status: %v, %v", st, err)
			}
			if x.idp.asked() != 0 {
				t.Error("the provider was asked")
			}
			if got, at, _ := store.Load(t.Context(), grantName(acct)); string(got) != c.value || at != rev {
				t.Error("the record was changed")
			}
			_, err = x.adopt(t.Context(), acct, "f1", &answer{RefreshToken: x.idp.next("g"), AccessToken: "a", Expires: x.now().Add(time.Hour)}, []string{"graph/send"})
			if (err != nil) != (c.value == newer) {
				t.Errorf("associating anew: %v", err)
			}
			if got, _, _ := store.Load(t.Context(), grantName(acct)); (string(got) == c.value) != (c.value == newer) {
				t.Error("a record of a newer version must stay, another must go")
			}
			if err := x.forget(t.Context(), acct); err != nil {
				t.Errorf("forget: %v", err)
			}
			if _, err := x.token(t.Context(), acct, Graph, ""); !errors.Is(err, ErrNotAssociated) {
				t.Errorf("after forgetting: %v", err)
			}
		})
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody signs in twice because a caller left
	a := &answer{RefreshToken: x.idp.next("g"), AccessToken: "a", Expires: x.now().Add(time.Hour), IDToken: idToken("florian@mondaine.fr")}
	if _, err := x.adopt(ctx, acct, "f1", a, []string{"graph/send", "graph/read"}); err != nil {
		t.Fatal(err)
	}
	st, err := x.status(t.Context(), acct)
	if err != nil || st.Standing != StandingReady || st.User != "florian@mondaine.fr" || !slices.Equal(st.Granted, []string{"graph/send", "graph/read"}) ||
		len(st.Missing) != 0 || !st.Since.Equal(x.now()) || !st.Refreshed.Equal(x.now()) {
		t.Errorf("status %+v, %v", st, err)
	}
	if got := x.get(Graph); got != "a" || x.idp.asked() != 0 {
		t.Errorf("the token of the sign-in is not used: %q", got)
	}
	// A sign-in that brought no refresh token lasts as long as its token.
	x.clock.pass(time.Minute)
	x.told()
	if _, err := x.adopt(t.Context(), acct, "f2", &answer{AccessToken: "b", Expires: x.now().Add(time.Hour)}, nil); err != nil {
		t.Fatal(err)
	}
	if got := x.get(Graph); got != "b" {
		t.Errorf("got %q", got)
	}
	x.clock.pass(2 * time.Hour)
	if _, err := x.token(t.Context(), acct, Graph, ""); !errors.Is(err, ErrReauth) || x.idp.asked() != 0 {
		t.Errorf("got %v after %d requests", err, x.idp.asked())
	}
	if got := x.told(); !slices.Equal(got, []Happening{Associated, ReauthRequired}) {
		t.Errorf("told %v", got)
	}
}

// A store that fails when somebody has just signed in does not cost the sign-in.
func TestAdoptWithoutStore(t *testing.T) {
	t.Parallel()
	s := &brokenStore{Store: new(Memory)}
	x := newTester(t, newRotator(t), s)
	x.signIn()
	x.clock.pass(time.Minute)
	s.broken(errors.New("gone"), errors.New("gone"))
	x.signIn()
	s.broken(nil, nil)
	x.clock.pass(2 * time.Hour)
	x.get(Graph)
	if !strings.HasPrefix(x.stored().Refresh, "grant1#") || x.degraded() {
		t.Errorf("stored is %q", x.stored().Refresh)
	}
	if got := x.told(); !slices.Equal(got, []Happening{Associated, Degraded, Associated, Recovered, Refreshed}) {
		t.Errorf("told %v", got)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	if err := x.forget(t.Context(), acct); err != nil {
		t.Errorf("forgetting nothing: %v", err)
	}
	x.signIn()
	x.get(Graph)
	if _, err := x.store.Save(t.Context(), flowName(acct), []byte("{}"), 0); err != nil {
		t.Fatal(err)
	}
	if err := x.forget(t.Context(), acct); err != nil {
		t.Fatal(err)
	}
	if _, err := x.token(t.Context(), acct, Graph, ""); !errors.Is(err, ErrNotAssociated) {
		t.Errorf("got %v", err)
	}
	if st, err := x.status(t.Context(), acct); err != nil || st.Standing != StandingNone {
		t.Errorf("status %+v, %v", st, err)
	}
	for _, n := range []string{grantName(acct), flowName(acct)} {
		if v, _, _ := x.store.Load(t.Context(), n); v != nil {
			t.Errorf("%s is still there", n)
		}
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	keep := func(want int) {
		t.Helper()
		if err := x.keepAlive(t.Context(), acct); err != nil {
			t.Error(err)
		}
		if n := x.idp.asked(); n != want {
			t.Errorf("%d requests, want %d", n, want)
		}
	}
	keep(0) // not associated
	x.signIn()
	x.change(func(r *record) { // a token that outlives all is no reason to forget the grant
		for k, p := range r.Tokens {
			p.Expires = time.Time{}
			r.Tokens[k] = p
		}
	})
	x.get(Graph)
	keep(0)
	x.clock.pass(29 * 24 * time.Hour)
	keep(0)
	x.clock.pass(24 * time.Hour)
	keep(1)
	keep(1)
	x.clock.pass(31 * 24 * time.Hour)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := x.keepAlive(t.Context(), acct); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	keep(2)
	x.clock.pass(31 * 24 * time.Hour)
	x.idp.revoked["grant0"] = true
	if err := x.keepAlive(t.Context(), acct); !errors.Is(err, ErrReauth) {
		t.Errorf("got %v", err)
	}
	keep(3)
}
