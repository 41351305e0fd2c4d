package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// client is the runtime side of a provider: what its settings come to, and what its
// accounts share in this process. It is made once and does no I/O before it is asked.
//
// Two halves live on it: tokens (token.go, grant.go: what is stored, refreshing) and flows
// (device.go, code.go: how somebody signs in).
type client struct {
	provider string // "microsoft", "oauth2"
	id       string // client id
	place    string // authority and tenant, or issuer: with id it names the application
	grant    Grant
	store    Store
	onEvent  func(Event)
	http     *http.Client // trusts the CA file, follows no redirect; no timeout of its own
	timeout  time.Duration
	graph    *url.URL // Microsoft only

	dialect dialect
	shared  atomic.Pointer[sharing] // nil: of no other client yet

	live   live               // what this process knows of its accounts; the zero value is ready
	memory Memory             // in place of a store that is nil
	source oauth2.TokenSource // of FromTokenSource, else nil

	// Hooks of tests.
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error
}

// dialect is what differs between providers. Its methods are safe for concurrent use.
type dialect interface {
	// endpoints finds the URLs; the first call may ask the issuer.
	endpoints(ctx context.Context) (oauth2.Endpoint, error)

	// scopes are what a token for aud asks for. ok is false if the provider's settings give
	// it no such role.
	scopes(aud Audience) (list []string, ok bool)

	// primary is the audience whose scopes a flow asks for; others come by refreshing.
	primary() Audience
	others() []Audience

	// authenticate adds what proves the client: secret or assertion. A public client adds
	// nothing.
	authenticate(form url.Values, tokenURL string) error

	// granted tells which of asked a scope answer leaves missing: names may be short or full
	// and differ in case; what is never echoed (offline_access) does not count.
	missing(asked []string, answer string) []string

	// explain says what an error answer means. It never returns nil.
	explain(a *answerError) verdict
}

// answerError is what a token or device endpoint says when it refuses: RFC 6749 section
// 5.2 with Entra's members. It is a stranger's text: bounded, and no part of it is a secret.
type answerError struct {
	Status      int
	Word        string // "error"
	Codes       []int  // "error_codes"
	Description string // cut; shown quoted, where there is no trace
	Trace       string // "trace_id"
	RetryAfter  time.Duration
}

func (e *answerError) Error() string {
	s := e.Word
	if s == "" {
		s = fmt.Sprintf("HTTP %d", e.Status)
	}
	if len(e.Codes) > 0 {
		s += fmt.Sprintf(" AADSTS%d", e.Codes[0])
	}
	if e.Trace != "" {
		s += " (trace " + e.Trace + ")"
	}
	return s
}

// verdict is what an error answer comes to.
type verdict struct {
	state State             // of a flow: waiting means ask again
	slow  bool              // slow_down
	fault bool              // transient: of the line or the provider, not of the grant
	dead  bool              // of a refresh: the grant is worth nothing any more
	class vaguemestre.Class // of the error that is made of it
	code  string            // for people and logs: "AADSTS53003", else the word
	help  settings.Text     // what to do and who; never empty unless state is waiting
}

// answer is a token endpoint's success.
type answer struct {
	AccessToken  string
	RefreshToken string
	IDToken      string
	Scope        string
	Expires      time.Time // by the clock of the client; zero when not told
}

// application names the application within Accounts.
func (c *client) application() string { return c.provider + "\n" + c.place + "\n" + c.id }

// sharing returns what the accounts of c share. Accounts may give c that of another value of
// the same application, also while c is used.
func (c *client) sharing() *sharing {
	if s := c.shared.Load(); s != nil {
		return s
	}
	c.shared.CompareAndSwap(nil, &sharing{})
	return c.shared.Load()
}

// sharing is what Account.Shared keeps.
type sharing struct {
	mu sync.Mutex
	m  map[any]any
}

func (s *sharing) get(key any, make_ func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[key]
	if !ok {
		if s.m == nil {
			s.m = map[any]any{}
		}
		v = make_()
		s.m[key] = v
	}
	return v
}

// checkName keeps names printable and short, since they stand in stores and logs.
func checkName(name string) error {
	bad := name == "" || len(name) > 200
	for _, r := range name {
		bad = bad || r < ' ' || r == 0x7f
	}
	if bad {
		return &vaguemestre.Error{Op: "auth: account", Class: vaguemestre.ClassConfig,
			Err: errors.New("a name of an account has 1 to 200 characters and no control character")}
	}
	return nil
}

// cut bounds a stranger's text.
func cut(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
