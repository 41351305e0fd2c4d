package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// A dead grant is told once, remembered, and costs the provider no more requests; a new
// sign-in revives the account.
func TestInvalidGrant(t *testing.T) {
	t.Parallel()
	store := new(Memory)
	x := newTester(t, newRotator(t), store)
	x.signIn()
	x.get(Graph)
	x.clock.pass(2 * time.Hour)
	x.idp.set(func() { x.idp.revoked["grant0"] = true })
	x.told()
	y := newTester(t, x.idp, store) // another process
	y.now = x.clock.now
	for i := range 25 {
		for _, z := range []*tester{x, y} {
			_, err := z.token(t.Context(), acct, []Audience{Graph, IMAP}[i%2], "")
			var e *vaguemestre.Error
			if !errors.Is(err, ErrReauth) || !errors.As(err, &e) || e.Class != vaguemestre.ClassAuth || e.Code != "AADSTS50173" {
				t.Fatalf("got %v", err)
			}
			if h, ok := Explain(err); !ok || h.FR == "" {
				t.Fatalf("no advice for %v", err)
			}
		}
	}
	if n := x.idp.asked(); n != 1 {
		t.Errorf("%d requests", n)
	}
	if got := append(x.told(), y.told()...); !slices.Equal(got, []Happening{ReauthRequired}) {
		t.Errorf("told %v", got)
	}
	st, err := y.status(t.Context(), acct)
	if err != nil || st.Standing != StandingReauth || st.Code != "AADSTS50173" || st.Help.EN == "" || st.Help.FR == "" {
		t.Errorf("status %+v, %v", st, err)
	}
	if r := x.stored(); r.Refresh != "" || len(r.Tokens) != 0 {
		t.Error("what is worth nothing is still stored")
	}
	if err := x.keepAlive(t.Context(), acct); err != nil || x.idp.asked() != 1 {
		t.Errorf("keep alive: %v", err)
	}
	x.signIn()
	for _, z := range []*tester{x, y} {
		if z.get(Graph); z.idp.asked() != 1 {
			t.Error("the new sign-in is not used")
		}
	}
}

// A machine that the lock does not reach has rotated: its token is tried, once.
func TestInvalidGrantOfAnOldToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		change   func(x *tester, r *record)
		requests int
		reauth   bool
	}{
		{"another token that works", func(x *tester, r *record) { r.Refresh = x.idp.next("grant9") }, 2, false},
		{"another token that does not", func(x *tester, r *record) { r.Refresh = "grant8#nothing" }, 2, true},
		{"an access token besides", func(x *tester, r *record) {
			r.Refresh = x.idp.next("grant9")
			r.keep("graph/send graph/read offline_access", pass{Token: "theirs", Issued: x.now(), Expires: x.now().Add(time.Hour)})
		}, 1, false},
		{"nothing else", func(*tester, *record) {}, 1, true},
		{"reauth", func(_ *tester, r *record) { r.Reauth = true }, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newTester(t, newRotator(t), new(Memory))
			x.signIn()
			x.clock.pass(2 * time.Hour)
			x.idp.revoked["grant0"] = true
			x.idp.scripted = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
				x.change(func(r *record) { c.change(x, r) })
				answerJSON(w, 400, map[string]any{"error": "invalid_grant"})
			}}
			_, err := x.token(t.Context(), acct, Graph, "")
			if errors.Is(err, ErrReauth) != c.reauth || x.idp.asked() != c.requests {
				t.Errorf("%d requests, %v", x.idp.asked(), err)
			}
		})
	}
}

// A refusal of one audience is no end of the account, unless the primary one ends too.
func TestRefusalOfOneAudience(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.idp.refuse = func(f url.Values) (int, map[string]any) {
		if strings.HasPrefix(f.Get("scope"), "outlook/") {
			return 400, map[string]any{"error": "invalid_grant", "suberror": "consent_required", "error_codes": []int{65001}}
		}
		return 0, nil
	}
	for range 20 {
		_, err := x.token(t.Context(), acct, IMAP, "")
		var e *vaguemestre.Error
		if errors.Is(err, ErrReauth) || !errors.As(err, &e) || e.Class != vaguemestre.ClassAuth || e.Code != "AADSTS65001" {
			t.Fatalf("got %v", err)
		}
	}
	if n := x.idp.asked(); n != 2 {
		t.Errorf("%d requests: want one for the audience and one that shows that the grant lives", n)
	}
	x.clock.pass(2 * time.Hour)
	x.get(Graph)
	if slices.Contains(x.told(), ReauthRequired) {
		t.Error("the account was given up")
	}
	// The administrator consents.
	x.idp.set(func() { x.idp.refuse = nil })
	x.get(IMAP)

	// And now the grant is dead, which a process finds out that uses imap alone.
	x.clock.pass(2 * time.Hour)
	x.idp.set(func() { x.idp.revoked["grant0"] = true })
	n := x.idp.asked()
	for range 20 {
		if _, err := x.token(t.Context(), acct, IMAP, ""); !errors.Is(err, ErrReauth) {
			t.Fatal(err)
		}
	}
	if got := x.told(); x.idp.asked() != n+2 || !slices.Contains(got, ReauthRequired) {
		t.Errorf("%d requests, told %v", x.idp.asked()-n, got)
	}
}

// What the line and the provider can do to an answer never costs the account its grant.
func TestFaults(t *testing.T) {
	t.Parallel()
	html := "<html><body>invalid_grant</body></html>"
	for name, c := range map[string]struct {
		h     http.HandlerFunc
		after time.Duration
	}{
		"503 with seconds": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "17")
			answerJSON(w, 503, map[string]any{"error": "temporarily_unavailable"})
		}, 17 * time.Second},
		"429 with a date": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "Sun, 22 Nov 2026 10:01:00 GMT")
			answerJSON(w, 429, map[string]any{"error": "invalid_grant"})
		}, time.Minute},
		"a wish that makes no sense": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "-3; soon")
			w.WriteHeader(503)
		}, 0},
		"a page":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); fmt.Fprint(w, html) }, 0},
		"a page with 200": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, html) }, 0},
		"a page with 400": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); fmt.Fprint(w, html) }, 0},
		"500 that says dead": {func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 500, map[string]any{"error": "invalid_grant"})
		}, 0},
		"nothing":      {func(http.ResponseWriter, *http.Request) {}, 0},
		"cut JSON":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":"x`) }, 0},
		"null":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `null`) }, 0},
		"a list":       {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[{"error":"invalid_grant"}]`) }, 0},
		"no token":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"expires_in":5}`) }, 0},
		"an odd token": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":"a\r\nX: y"}`) }, 0},
		"a number":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":7}`) }, 0},
		"another type": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":"x","token_type":"mac"}`) }, 0},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 0},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"access_token":%q}`, strings.Repeat("x", maxAnswer))
		}, 0},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for b := make([]byte, 64<<10); ; {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		}, 0},
		"deeply nested": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(`{"a":`, 20000)) }, 0},
		"a broken line": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
		"an error object": {func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 400, map[string]any{"error": map[string]int{"code": 1}})
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTester(t, newRotator(t), new(Memory))
			x.signIn()
			x.clock.pass(2 * time.Hour)
			x.idp.scripted = []http.HandlerFunc{c.h}
			begun := time.Now()
			_, err := x.token(t.Context(), acct, Graph, "")
			if took := time.Since(begun); took > x.timeout/2 {
				t.Errorf("took %s", took)
			}
			var e *vaguemestre.Error
			if !errors.As(err, &e) || e.Class != vaguemestre.ClassDeferred || e.RetryAfter != c.after || errors.Is(err, ErrReauth) {
				t.Fatalf("got %v, after %v", err, e.RetryAfter)
			}
			if strings.Contains(err.Error(), "c4n4ry") || len(err.Error()) > 1000 {
				t.Errorf("error %v", err)
			}
			if x.idp.asked() != 1 {
				t.Errorf("%d requests", x.idp.asked())
			}
			if c.after > 0 { // its wish is heeded, also by who does not know it
				if _, again := x.token(t.Context(), acct, Graph, ""); again != err || x.idp.asked() != 1 {
					t.Errorf("asked again at once: %v", again)
				}
				x.clock.pass(c.after)
			}
			x.get(Graph)
		})
	}
}

func TestProviderThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.timeout = 50 * time.Millisecond
	x.clock.pass(2 * time.Hour)
	x.idp.scripted = []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
	_, err := x.token(t.Context(), acct, Graph, "")
	if vaguemestre.ClassOf(err) != vaguemestre.ClassDeferred {
		t.Errorf("got %v", err)
	}
	x.timeout = 10 * time.Second
	x.get(Graph)

	x.clock.pass(2 * time.Hour)
	x.idp.Close()
	if _, err := x.token(t.Context(), acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassDeferred {
		t.Errorf("got %v", err)
	}
}

// A token is renewed early, and that this fails is nobody's business until it has ended.
func TestEarlyRefreshFailsSilently(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.get(Graph)
	x.clock.pass(56 * time.Minute)
	x.idp.refuse = func(url.Values) (int, map[string]any) { return 503, map[string]any{"error": "temporarily_unavailable"} }
	for range 50 {
		if got := x.get(Graph); got != "first-c4n4ry" {
			t.Fatalf("got %q", got)
		}
	}
	if n := x.idp.asked(); n != 1 {
		t.Errorf("%d requests at once", n)
	}
	x.clock.pass(time.Minute)
	x.get(Graph)
	if n := x.idp.asked(); n != 2 {
		t.Errorf("%d requests a minute later", n)
	}
	// The server that refuses the token gets no other.
	if _, err := x.token(t.Context(), acct, Graph, "first-c4n4ry"); err == nil {
		t.Error("a refused token is given again")
	}
	x.clock.pass(3*time.Minute + time.Second)
	if _, err := x.token(t.Context(), acct, Graph, ""); vaguemestre.ClassOf(err) != vaguemestre.ClassDeferred {
		t.Errorf("it has ended: %v", err)
	}
	x.idp.set(func() { x.idp.refuse = nil })
	x.get(Graph)
}

// While one renews early the others go on with what they have.
func TestEarlyRefreshKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.get(Graph)
	x.clock.pass(56 * time.Minute)
	arrived, goOn := make(chan struct{}), make(chan struct{})
	x.idp.scripted = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-goOn
		fmt.Fprint(w, `{"access_token":"late","expires_in":3600}`)
	}}
	first := make(chan string, 1)
	go func() { first <- x.get(Graph) }()
	<-arrived
	for range 10 {
		if got := x.get(Graph); got != "first-c4n4ry" {
			t.Errorf("got %q", got)
		}
	}
	close(goOn)
	if got := <-first; got != "late" {
		t.Errorf("got %q", got)
	}
}

// What a server repeats of the request is masked, and what else it says is kept short.
func TestStrangersWords(t *testing.T) {
	t.Parallel()
	x := newTester(t, newRotator(t), new(Memory))
	x.signIn()
	x.clock.pass(2 * time.Hour)
	x.idp.scripted = []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		secret := r.PostForm.Get("refresh_token")
		answerJSON(w, 400, map[string]any{"error": "odd " + secret + "\n\x1b[31m" + strings.Repeat("x", 1000), "suberror": secret,
			"trace_id": secret + strings.Repeat("y", 1000), "error_description": secret + strings.Repeat("z", 1000),
			"error_codes": []any{"50076", 1, nil, map[string]int{}, strings.Repeat("9", 100)}})
	}}
	_, err := x.token(t.Context(), acct, Graph, "")
	var a *answerError
	if err == nil || !errors.As(err, &a) && vaguemestre.ClassOf(err) == "" {
		t.Fatalf("got %v", err)
	}
	for _, s := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err), fmt.Sprintf("%+v", a)} {
		if strings.Contains(s, "c4n4ry") || strings.ContainsAny(s, "\n\x1b") || len(s) > 4000 {
			t.Errorf("got %q", s)
		}
	}
}
