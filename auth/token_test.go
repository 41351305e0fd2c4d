package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vaguemestre/vaguemestre"
)

func TestManyGoroutinesMakeOneRequest(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	if got := x.get(Graph); got != "first-c4n4ry" || x.idp.asked() != 0 {
		t.Fatalf("a good token is %q after %d requests", got, x.idp.asked())
	}
	x.clock.pass(2 * time.Hour)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if tok, err := x.token(t.Context(), acct, Graph, ""); err != nil || tok.AccessToken == "first-c4n4ry" {
				t.Errorf("got %v, %v", tok, err)
			}
		})
	}
	wg.Wait()
	if n := x.idp.asked(); n != 1 {
		t.Errorf("%d requests", n)
	}
	// Each of two audiences asks once, one after the other.
	x.clock.pass(2 * time.Hour)
	for i := range 100 {
		wg.Go(func() {
			if _, err := x.token(t.Context(), acct, []Audience{Graph, IMAP, SMTP}[i%3], ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := x.idp.asked(); n != 3 {
		t.Errorf("%d requests after both audiences, want 3: imap and smtp share scopes", n)
	}
}

// What goes out: RFC 6749 section 6, the client in the form and never in a header.
func TestRefreshRequest(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	was := x.stored().Refresh
	x.clock.pass(2 * time.Hour)
	x.get(Graph)
	x.get(IMAP)
	for i, scope := range []string{"graph/send graph/read offline_access", "outlook/imap outlook/smtp offline_access"} {
		f := x.idp.forms[i]
		if f.Get("scope") != scope || f.Get("client_id") != "app-1" || f.Get("grant_type") != "refresh_token" {
			t.Errorf("request %d is %v", i, f)
		}
		if h := x.idp.headers[i]; h.Get("Authorization") != "" || h.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("request %d has headers %v", i, h)
		}
	}
	if x.idp.forms[0].Get("refresh_token") != was || x.stored().Refresh != x.idp.current["grant0"] {
		t.Error("the refresh token is not the stored one, or the new one is not stored")
	}
	if got := x.told(); !slices.Equal(got, []Happening{Associated, Refreshed, Refreshed}) {
		t.Errorf("told %v", got)
	}
}

// A scope that was not granted is not asked for again: the provider would refuse it all.
func TestRefreshAsksForWhatWasGranted(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.change(func(r *record) { r.Granted = []string{"graph/send"} })
	x.clock.pass(2 * time.Hour)
	x.get(Graph)
	if got := x.idp.forms[0].Get("scope"); got != "graph/send offline_access" {
		t.Errorf("asked for %q", got)
	}
	if st, err := x.status(t.Context(), acct); err != nil || !slices.Equal(st.Missing, []string{"graph/read"}) {
		t.Errorf("missing is %v, %v", st.Missing, err)
	}
}

func TestRefreshTokenIsKeptIfNoneComes(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	was := x.stored().Refresh
	x.clock.pass(2 * time.Hour)
	x.idp.scripted = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"access_token":"bare","expires_in":"3599"}`)
	}}
	if got := x.get(Graph); got != "bare" || x.stored().Refresh != was {
		t.Errorf("token %q, refresh token kept: %v", got, x.stored().Refresh == was)
	}
	if tok, _ := x.token(t.Context(), acct, Graph, ""); tok.Expiry.Sub(x.now()) != 3599*time.Second {
		t.Errorf("expires %v", tok.Expiry)
	}
}

// When a token is renewed, by its life and what is left of it.
func TestMargin(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		life, left time.Duration
		jitter     float64
		want       bool
	}{
		{time.Hour, 301 * time.Second, 0, true},
		{time.Hour, 299 * time.Second, 0, false},
		{time.Hour, 301 * time.Second, 0.2, false},
		{time.Hour, 361 * time.Second, 0.2, true},
		{5 * time.Minute, 61 * time.Second, 0, true},
		{5 * time.Minute, 59 * time.Second, 0, false},
		{10 * time.Second, 3 * time.Second, 0.2, true},
		{10 * time.Second, time.Second, 0, false},
		{time.Hour, -time.Second, 0, false},
	} {
		k := &known{jitter: c.jitter}
		p := pass{Token: "t", Issued: now.Add(c.left - c.life), Expires: now.Add(c.left)}
		if got := k.fresh(p, "", now); got != c.want {
			t.Errorf("%s left of %s, jitter %v: %v", c.left, c.life, c.jitter, got)
		}
		if k.fresh(p, "t", now) || valid(p, "t", now) {
			t.Error("a refused token is used")
		}
	}
	if k := (&known{}); !k.fresh(pass{Token: "t", Issued: now.AddDate(-1, 0, 0)}, "", now) {
		t.Error("a token of unknown life serves until it is refused")
	}
}

func TestTokenOfShortLifeIsUsable(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.idp.life = 60
	x.clock.pass(2 * time.Hour)
	first := x.get(Graph)
	x.clock.pass(40 * time.Second)
	if x.get(Graph) != first || x.idp.asked() != 1 {
		t.Errorf("a token of a minute is renewed after 40 s: %d requests", x.idp.asked())
	}
	x.clock.pass(10 * time.Second)
	if x.get(Graph) == first {
		t.Error("a token of a minute is not renewed after 50 s")
	}
}

func TestRefusedToken(t *testing.T) {
	t.Parallel()
	store := new(Memory)
	x := newTester(t, newRotator(t), store)
	x.signIn()
	first := x.get(Graph) // just issued: its age does not matter
	again := func(stale string) (string, error) {
		tok, err := x.token(t.Context(), acct, Graph, stale)
		if err != nil {
			return "", err
		}
		return tok.AccessToken, nil
	}
	second, err := again(first)
	if err != nil || second == first || x.idp.asked() != 1 {
		t.Fatalf("renewed: %q, %v, %d requests", second, err, x.idp.asked())
	}
	// Others that held the same get the new one, in this process and in another.
	y := newTester(t, x.idp, store)
	y.clock = x.clock
	y.now = x.clock.now
	for _, z := range []*tester{x, y} {
		if tok, err := z.token(t.Context(), acct, Graph, first); err != nil || tok.AccessToken != second {
			t.Errorf("got %v, %v", tok, err)
		}
	}
	// A server that refuses whatever comes is no reason to ask on and on.
	for range 20 {
		if got, err := again(second); vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || errors.Is(err, ErrReauth) {
			t.Fatalf("a token just issued was refused: %q, %v", got, err)
		}
	}
	if n := x.idp.asked(); n != 1 {
		t.Errorf("%d requests", n)
	}
	if got := x.get(Graph); got != second {
		t.Error("the token is lost to those whom it serves")
	}
	x.clock.pass(tooYoung)
	if third, err := again(second); err != nil || third == second || x.idp.asked() != 2 {
		t.Errorf("after %s: %q, %v, %d requests", tooYoung, third, err, x.idp.asked())
	}
}

// The context of who happened to be first is not that of the others.
func TestFirstCallerLeaves(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.clock.pass(2 * time.Hour)
	arrived, goOn := make(chan struct{}), make(chan struct{})
	x.idp.scripted = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-goOn
		fmt.Fprint(w, `{"access_token":"late","refresh_token":"grant0#new","expires_in":3600}`)
	}}
	ctx, cancel := context.WithCancel(t.Context())
	errs, toks := make(chan error, 1), make(chan string, 1)
	go func() {
		_, err := x.token(ctx, acct, Graph, "")
		errs <- err
	}()
	<-arrived
	go func() {
		tok, err := x.token(t.Context(), acct, Graph, "")
		if err != nil {
			t.Error(err)
			toks <- ""
			return
		}
		toks <- tok.AccessToken
	}()
	begun := time.Now()
	cancel()
	if err := <-errs; vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("who left gets %v", err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("leaving took %s", took)
	}
	close(goOn)
	if got := <-toks; got != "late" {
		t.Errorf("who stayed gets %q", got)
	}
}

// Once the provider was asked its answer is stored, though nobody waits for it.
func TestAllCallersLeave(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.clock.pass(2 * time.Hour)
	arrived, goOn := make(chan struct{}), make(chan struct{})
	x.idp.scripted = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-goOn
		fmt.Fprint(w, `{"access_token":"late","refresh_token":"grant0#new","expires_in":3600}`)
	}}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := x.token(ctx, acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Error(err)
	}
	close(goOn)
	if got := x.get(Graph); got != "late" || x.stored().Refresh != "grant0#new" {
		t.Errorf("the answer was lost: %q", got)
	}
}

// Who leaves before the provider was asked leaves nothing behind. It looks at goroutines,
// so it is not parallel.
func TestNoGoroutineIsLeft(t *testing.T) {
	store := new(Memory)
	x := newTester(t, newRotator(t), store)
	x.signIn()
	x.clock.pass(2 * time.Hour)
	x.http.CloseIdleConnections()
	before := goleak.IgnoreCurrent()
	unlock, err := store.Lock(t.Context(), grantName(acct))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := x.token(ctx, acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	unlock()
	x.get(Graph) // and nothing is broken
	if x.idp.asked() != 1 {
		t.Errorf("%d requests", x.idp.asked())
	}
}

func TestAnotherProcessHoldsTheLockForEver(t *testing.T) {
	t.Parallel()
	store := new(Memory)
	x := newTester(t, newRotator(t), store)
	x.timeout = 50 * time.Millisecond
	x.signIn()
	store.Lock(t.Context(), grantName(acct))
	x.clock.pass(2 * time.Hour)
	_, err := x.token(t.Context(), acct, Graph, "")
	if vaguemestre.ClassOf(err) != vaguemestre.ClassDeferred || !strings.Contains(err.Error(), "another process") {
		t.Error(err)
	}
}

func TestApplicationGrant(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), nil)
	x.grant, x.dialect = Application, testDialect{url: x.idp.URL, app: true}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := x.token(t.Context(), acct, Graph, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f := x.idp.forms[0]
	if x.idp.asked() != 1 || f.Get("grant_type") != "client_credentials" || f.Get("scope") != "graph/.default" ||
		f.Get("client_secret") != "secret-c4n4ry" || f.Has("refresh_token") || f.Get("client_id") != "app-1" {
		t.Errorf("%d requests, the first %v", x.idp.asked(), f)
	}
	if st, err := x.status(t.Context(), acct); err != nil || st.Standing != StandingReady {
		t.Errorf("status %v, %v", st, err)
	}
	// A wrong secret is nobody's grant that could end, and is not asked about on and on.
	x.clock.pass(2 * time.Hour)
	x.idp.set(func() {
		x.idp.refuse = func(url.Values) (int, map[string]any) {
			return 401, map[string]any{"error": "invalid_client", "error_codes": []int{7000222}}
		}
	})
	for range 20 {
		if _, err := x.token(t.Context(), acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Fatal(err)
		}
	}
	if n := x.idp.asked(); n != 2 {
		t.Errorf("%d requests", n)
	}
	if got := x.told(); slices.Contains(got, ReauthRequired) {
		t.Errorf("told %v", got)
	}
}

func TestNoStoreAndNoRole(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), nil)
	if _, err := x.token(t.Context(), acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("a delegated grant without a store: %v", err)
	}
	x = newTester(t, x.idp, new(Memory))
	if _, err := x.token(t.Context(), acct, Graph, ""); !errors.Is(err, ErrNotAssociated) || vaguemestre.ClassOf(err) != vaguemestre.ClassAuth {
		t.Errorf("not associated: %v", err)
	}
	x.signIn()
	if _, err := x.token(t.Context(), acct, POP, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("no such role: %v", err)
	}
	if x.idp.asked() != 0 {
		t.Error("the provider was asked")
	}
}
