package mailstack

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Scope is what the tokens of [OAuth] are for.
const Scope = "mail"

// OAuth is a small provider of access tokens, which Dovecot asks about each (RFC 7662). It
// knows the device flow (RFC 8628) and refreshing with rotation (RFC 6749 section 6), takes
// any client id, and never asks anybody to sign in: [OAuth.Approve] does. Its methods are
// safe for concurrent use.
type OAuth struct {
	URL string // http, on loopback

	listener net.Listener
	server   *http.Server
	done     chan struct{}

	mu      sync.Mutex
	devices map[string]*device // by device code
	access  map[string]string  // access token: account
	refresh map[string]string  // refresh token: account
	count   map[string]int     // refreshes by account
}

type device struct{ userCode, account string }

// DeviceURL and TokenURL are the endpoints.
func (o *OAuth) DeviceURL() string { return o.URL + "/device" }
func (o *OAuth) TokenURL() string  { return o.URL + "/token" }

// Approve lets account have what was asked for with userCode, as if somebody had signed in.
func (o *OAuth) Approve(userCode, account string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.devices {
		if d.userCode == userCode {
			d.account = account
			return true
		}
	}
	return false
}

// Expire ends the access tokens of account, early for whoever believes in expires_in.
func (o *OAuth) Expire(account string) { o.forget(o.access, account) }

// Revoke ends its refresh tokens too.
func (o *OAuth) Revoke(account string) {
	o.forget(o.access, account)
	o.forget(o.refresh, account)
}

func (o *OAuth) forget(tokens map[string]string, account string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for t, a := range tokens {
		if a == account {
			delete(tokens, t)
		}
	}
}

// Refreshes tells how often the tokens of account were refreshed.
func (o *OAuth) Refreshes(account string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count[account]
}

func startOAuth() (*OAuth, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &OAuth{URL: "http://" + l.Addr().String(), listener: l, done: make(chan struct{}), devices: map[string]*device{},
		access: map[string]string{}, refresh: map[string]string{}, count: map[string]int{}}
	mux := http.NewServeMux()
	for path, f := range map[string]func(form) (int, map[string]any){
		"/device": o.device, "/token": o.token, "/introspect": o.introspect,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
			if err := r.ParseForm(); err != nil {
				http.Error(w, "bad form", http.StatusBadRequest)
				return
			}
			status, answer := f(r.PostForm.Get)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	o.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(o.done)
		_ = o.server.Serve(l)
	}()
	return o, nil
}

func (o *OAuth) close() {
	_ = o.server.Close()
	<-o.done
}

// form gives a value of a request.
type form func(key string) string

func refuse(word string) (int, map[string]any) {
	return http.StatusBadRequest, map[string]any{"error": word}
}

func (o *OAuth) device(form) (int, map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	code, d := rand.Text(), &device{userCode: rand.Text()[:8]}
	o.devices[code] = d
	return http.StatusOK, map[string]any{"device_code": code, "user_code": d.userCode, "verification_uri": o.URL + "/sign-in",
		"expires_in": 900, "interval": 1}
}

func (o *OAuth) token(get form) (int, map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch get("grant_type") {
	case "urn:ietf:params:oauth:grant-type:device_code":
		d, ok := o.devices[get("device_code")]
		switch {
		case !ok:
			return refuse("invalid_grant")
		case d.account == "":
			return refuse("authorization_pending")
		}
		delete(o.devices, get("device_code"))
		return o.issue(d.account)
	case "refresh_token":
		account, ok := o.refresh[get("refresh_token")]
		if !ok {
			return refuse("invalid_grant")
		}
		delete(o.refresh, get("refresh_token")) // rotation: an old one is worth nothing
		o.count[account]++
		return o.issue(account)
	}
	return refuse("unsupported_grant_type")
}

// issue makes a pair of tokens. o.mu is held.
func (o *OAuth) issue(account string) (int, map[string]any) {
	access, refresh := "access-"+rand.Text()+strings.Repeat(rand.Text(), 30), "refresh-"+rand.Text() // as long as Microsoft's
	o.access[access], o.refresh[refresh] = account, account
	return http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": access, "refresh_token": refresh, "expires_in": 3600, "scope": Scope}
}

func (o *OAuth) introspect(get form) (int, map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	account, ok := o.access[get("token")]
	if !ok {
		return http.StatusOK, map[string]any{"active": false} // RFC 7662 section 2.2
	}
	return http.StatusOK, map[string]any{"active": true, "username": account, "scope": Scope, "token_type": "Bearer"}
}

// writeOAuth writes how Dovecot asks.
func (s *Stack) writeOAuth() error {
	return os.WriteFile(s.path("dovecot", "oauth2.conf"), []byte(`introspection_mode = post
introspection_url = `+s.OAuth.URL+`/introspect
active_attribute = active
active_value = true
username_attribute = username
scope = `+Scope+`
`), 0o644)
}
