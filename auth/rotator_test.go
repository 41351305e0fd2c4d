package auth

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// rotator is a token endpoint. A refresh token of it is worth one request, and coming with an
// old one costs the whole grant, unless lenient.
type rotator struct {
	*httptest.Server
	mu       sync.Mutex
	lenient  bool              // old refresh tokens stay good, as at Entra
	current  map[string]string // grant → its refresh token
	revoked  map[string]bool
	issued   int
	life     int
	forms    []url.Values
	headers  []http.Header
	scripted []http.HandlerFunc                                      // used up first, one per request
	refuse   func(form url.Values) (status int, body map[string]any) // nil body: go on
}

func newRotator(t *testing.T) *rotator {
	t.Helper()
	p := &rotator{current: map[string]string{}, revoked: map[string]bool{}, life: 3600}
	p.Server = httptest.NewTLSServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *rotator) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	req.ParseForm()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forms, p.headers = append(p.forms, req.PostForm), append(p.headers, req.Header)
	if len(p.scripted) > 0 {
		h := p.scripted[0]
		p.scripted = p.scripted[1:]
		if h != nil {
			h(w, req)
			return
		}
	}
	if p.refuse != nil {
		if status, body := p.refuse(req.PostForm); body != nil {
			answerJSON(w, status, body)
			return
		}
	}
	out := map[string]any{"token_type": "Bearer", "scope": strings.ReplaceAll(req.PostForm.Get("scope"), " "+offline, ""), "expires_in": p.life}
	if req.PostForm.Get("grant_type") == "refresh_token" {
		old := req.PostForm.Get("refresh_token")
		grant, _, _ := strings.Cut(old, "#")
		if old != p.current[grant] && !p.lenient {
			p.revoked[grant] = true
		}
		if p.revoked[grant] || p.current[grant] == "" {
			answerJSON(w, 400, map[string]any{"error": "invalid_grant", "error_codes": []int{50173}, "trace_id": "t-1",
				"error_description": "AADSTS50173: revoked. The token was " + old})
			return
		}
		out["refresh_token"] = p.next(grant)
	}
	p.issued++
	out["access_token"] = fmt.Sprintf("access-c4n4ry-%d", p.issued)
	answerJSON(w, 200, out)
}

// next rotates. The caller holds mu, or nobody asks yet.
func (p *rotator) next(grant string) string {
	p.issued++
	p.current[grant] = fmt.Sprintf("%s#refresh-c4n4ry-%d", grant, p.issued)
	return p.current[grant]
}

func answerJSON(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// asked is how many requests came.
func (p *rotator) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.forms)
}

func (p *rotator) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// caFile is what clients of another process trust.
func (p *rotator) caFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// testDialect is Entra's with addresses and scopes of its own.
type testDialect struct {
	url string
	app bool
}

func (d testDialect) endpoints(context.Context) (oauth2.Endpoint, error) {
	return oauth2.Endpoint{TokenURL: d.url + "/token"}, nil
}

func (d testDialect) scopes(aud Audience) ([]string, bool) {
	switch {
	case d.app:
		return []string{string(aud) + "/.default"}, true
	case aud == Graph:
		return []string{"graph/send", "graph/read", offline}, true
	case aud == IMAP || aud == SMTP:
		return []string{"outlook/imap", "outlook/smtp"}, true
	}
	return nil, false
}

func (testDialect) primary() Audience  { return Graph }
func (testDialect) others() []Audience { return []Audience{IMAP} }
func (d testDialect) authenticate(form url.Values, _ string) error {
	if d.app {
		form.Set("client_secret", "secret-c4n4ry")
	}
	return nil
}

func (testDialect) missing(asked []string, answer string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(s string) bool {
		return s == offline || slices.Contains(strings.Fields(answer), s)
	})
}

func (testDialect) explain(a *answerError) verdict { return explainEntra(a) }

// testClock is a clock that stands still until it is moved.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// tester is a client with all that a test looks at.
type tester struct {
	*testing.T
	*client
	idp   *rotator
	clock *testClock

	mu     sync.Mutex
	events []Event
}

const acct = "compta"

// newTester makes a client of p on store. Several testers are several processes.
func newTester(t *testing.T, p *rotator, store Store) *tester {
	t.Helper()
	x := &tester{T: t, idp: p, clock: &testClock{at: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}}
	x.client = &client{provider: "test", id: "app-1", place: p.URL, grant: Delegated, store: store, http: p.Client(), timeout: 10 * time.Second,
		dialect: testDialect{url: p.URL}, now: x.clock.now, sleep: sleep, onEvent: x.event}
	x.client.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return x
}

func (x *tester) event(e Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events = append(x.events, e)
}

// told returns what was told since it was last asked.
func (x *tester) told() []Happening {
	x.mu.Lock()
	defer x.mu.Unlock()
	var list []Happening
	for _, e := range x.events {
		list = append(list, e.What)
	}
	x.events = nil
	return list
}

// signIn associates the account with a new grant. The token is good for an hour.
func (x *tester) signIn() {
	x.Helper()
	var a *answer
	x.idp.set(func() {
		a = &answer{RefreshToken: x.idp.next(fmt.Sprint("grant", x.idp.issued)), AccessToken: "first-c4n4ry",
			Scope: "graph/send graph/read", Expires: x.now().Add(time.Hour)}
	})
	if _, err := x.adopt(x.Context(), acct, a.RefreshToken, a, []string{"graph/send", "graph/read", offline}); err != nil {
		x.Fatal(err)
	}
}

// get must give a token.
func (x *tester) get(aud Audience) string {
	x.Helper()
	tok, err := x.token(x.Context(), acct, aud, "")
	if err != nil {
		x.Fatalf("token for %s: %v", aud, err)
	}
	if tok.RefreshToken != "" {
		x.Fatal("the refresh token is given out")
	}
	return tok.AccessToken
}

// stored reads the record.
func (x *tester) stored() *record {
	x.Helper()
	r, _, err := x.load(x.Context(), x.store, acct)
	if err != nil {
		x.Fatal(err)
	}
	return r
}

// change writes the record as another process would that knows no lock.
func (x *tester) change(f func(r *record)) {
	x.Helper()
	r, rev, err := x.load(x.Context(), x.store, acct)
	if err != nil {
		x.Fatal(err)
	}
	f(r)
	if _, err := x.save(x.Context(), x.store, acct, r, rev); err != nil {
		x.Fatal(err)
	}
}

// hangOnce answers nothing before goOn; the requests of others are not kept waiting.
func hangOnce(arrived, goOn chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
	}
}

// lasting is a context that ends after d.
func lasting(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
