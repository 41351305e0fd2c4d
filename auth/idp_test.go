package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// idp is a provider by script: each request of the token endpoint takes the next answer, the
// last one for ever.
type idp struct {
	*httptest.Server
	ca string // file

	mu     sync.Mutex
	device reply
	script []reply
	polls  []url.Values // forms of the token endpoint
	asked  []*http.Request
	forms  []url.Values // of the device endpoint
}

// reply is one answer. A nil body drops the line.
type reply struct {
	status int
	body   string
	header http.Header
	before func() // runs before it is answered
}

func refuse(word string, codes ...int) reply {
	b, _ := json.Marshal(map[string]any{"error": word, "error_codes": codes, "error_description": "AADSTS: words of a stranger", "trace_id": "21a7ca08"})
	return reply{status: 400, body: string(b)}
}

var pending = refuse("authorization_pending", 70016)

// The secrets that must never be seen.
const (
	canaryUserCode = "CANARY-USER-CODE"
	canaryDevice   = "canary-device-code"
	canaryRefresh  = "canary-refresh-token"
	canaryAccess   = "canary-access-token"
	canarySecret   = "canary-client-secret"
)

// idToken names who signed in. Its signature is of no importance.
func idToken(user string) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(map[string]string{"alg": "none"}) + "." +
		part(map[string]string{"preferred_username": user, "tid": "t1", "sub": "s1", "name": "Florian"}) + ".x"
}

// grantOf is a success of the token endpoint.
func grantOf(user, scope string) reply {
	b, _ := json.Marshal(map[string]any{
		"token_type": "Bearer", "scope": scope, "expires_in": 3599,
		"access_token": canaryAccess, "refresh_token": canaryRefresh, "id_token": idToken(user),
	})
	return reply{status: 200, body: string(b)}
}

const allScopes = "User.Read Mail.Send Mail.ReadWrite profile openid email"

var granted1 = grantOf("florian@mondaine.fr", allScopes)

func deviceReply(change map[string]any) reply {
	m := map[string]any{"user_code": canaryUserCode, "device_code": canaryDevice,
		"verification_uri": "https://login.example.org/device", "expires_in": 900, "interval": 5}
	for k, v := range change {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	b, _ := json.Marshal(m)
	return reply{status: 200, body: string(b)}
}

func newIDP(t testing.TB, script ...reply) *idp {
	t.Helper()
	s := &idp{script: script, device: deviceReply(nil)}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	s.ca = filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(s.ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	s.asked = append(s.asked, r)
	var a reply
	if strings.HasSuffix(r.URL.Path, "/token") {
		s.polls = append(s.polls, r.PostForm)
		a = s.script[0]
		if len(s.script) > 1 {
			s.script = s.script[1:]
		}
	} else {
		s.forms = append(s.forms, r.PostForm)
		a = s.device
	}
	s.mu.Unlock()
	if a.before != nil {
		a.before()
	}
	if a.body == "" {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	fmt.Fprint(w, a.body)
}

// tokenForms returns the forms that the token endpoint got so far.
func (s *idp) tokenForms() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.polls...)
}

// clock is a time that passes only by sleeping.
type clock struct {
	mu     sync.Mutex
	t      time.Time
	sleeps []time.Duration
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

func (k *clock) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.t
}

func (k *clock) sleep(ctx context.Context, d time.Duration) error {
	k.mu.Lock()
	k.t = k.t.Add(d)
	k.sleeps = append(k.sleeps, d)
	k.mu.Unlock()
	return ctx.Err()
}

func (k *clock) slept() []time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]time.Duration(nil), k.sleeps...)
}

// microsoft returns a provider that asks s, by the clock k (nil is the real one).
func (s *idp) microsoft(t testing.TB, store Store, k *clock, change ...func(*Microsoft)) *Microsoft {
	t.Helper()
	m := &Microsoft{ClientID: "11111111-2222", Authority: s.URL, GraphURL: "https://graph.microsoft.com",
		CAFile: s.ca, Tokens: store, Timeout: 5 * time.Second}
	for _, f := range change {
		f(m)
	}
	c, err := m.client()
	if err != nil {
		t.Fatal(err)
	}
	if k != nil {
		c.now, c.sleep = k.now, k.sleep
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return m
}

// oauth2 returns a generic provider that asks s.
func (s *idp) oauth2(t testing.TB, store Store, k *clock, change ...func(*OAuth2)) *OAuth2 {
	t.Helper()
	o := &OAuth2{ClientID: "id", TokenURL: s.URL + "/token", DeviceURL: s.URL + "/device", AuthURL: s.URL + "/authorize",
		Scopes: []string{"mail", "offline_access"}, CAFile: s.ca, Tokens: store, Timeout: 5 * time.Second}
	for _, f := range change {
		f(o)
	}
	c, err := o.client()
	if err != nil {
		t.Fatal(err)
	}
	if k != nil {
		c.now, c.sleep = k.now, k.sleep
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return o
}

func begin(t testing.TB, a Account, o *BeginOptions) *Flow {
	t.Helper()
	f, err := a.Begin(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
