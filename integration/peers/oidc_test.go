package peers

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/transport/certtest"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

const (
	account = "compta"
	person  = "florian@mondaine.fr"
	key     = "ZMOpbW9uc3RyYXRpb24sIHBhcyB1biBzZWNyZXQhISE=" // of the store
)

// provider is a running OpenID provider and what happened at it.
type provider struct {
	issuer, caFile, dir string
	roots               *x509.CertPool

	mu     sync.Mutex
	events map[string]int // "success refresh_token", "revoked", …
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{dir: t.TempDir(), events: map[string]int{}, roots: x509.NewCertPool()}
	p.caFile = filepath.Join(p.dir, "ca.pem")
	ca, err := certtest.New()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Leaf(time.Hour, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	p.roots.AppendCertsFromPEM(ca.PEM)
	private, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	keyFile, certFile := filepath.Join(p.dir, "key.pem"), filepath.Join(p.dir, "cert.pem")
	for name, content := range map[string][]byte{p.caFile: ca.PEM,
		keyFile:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		certFile: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := start(t, nil, "oidc.mjs", keyFile, certFile, fmt.Sprint(tokenLife.Seconds()))
	p.issuer = n.next("issuer")["issuer"].(string)
	go func() {
		for line := range n.lines {
			p.mu.Lock()
			if line["event"] == "success" || line["event"] == "error" {
				p.events[fmt.Sprint(line["event"], " ", line["grant"])]++
			} else {
				p.events[fmt.Sprint(line["event"])]++
			}
			p.mu.Unlock()
		}
	}()
	return p
}

// count tells how often something happened, once what is under way has been told.
func (p *provider) count(event string) int {
	time.Sleep(200 * time.Millisecond) // the provider tells after it has answered
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events[event]
}

// accountAt opens the account that the store keeps; this is what a host writes.
func accountAt(ctx context.Context, store, issuer, caFile string) (auth.Account, *sqlite.Store, error) {
	k, err := settings.ParseKey(key)
	if err != nil {
		return auth.Account{}, nil, err
	}
	keys, err := settings.NewKeyring(k)
	if err != nil {
		return auth.Account{}, nil, err
	}
	st, err := sqlite.Open(ctx, store, &sqlite.Options{Key: keys})
	if err != nil {
		return auth.Account{}, nil, err
	}
	p := &auth.OAuth2{ClientID: "vaguemestre", Issuer: issuer, CAFile: caFile, Scopes: []string{"openid", "email", "offline_access"}, Tokens: st.Tokens()}
	return p.Account(account), st, nil
}

// tokenLife is that of the provider's access tokens, so that they end within the test.
const tokenLife = 4 * time.Second

// TestStrictProvider: an account is associated in a terminal; eight processes with a hundred
// goroutines each need a token at once after each one has ended, and each time one asks, never
// with an old refresh token. A store that comes back from a backup uses an old one: that ends
// the grant, which everybody learns once, and nobody asks again.
func TestStrictProvider(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	store := associate(t, p)
	backup := filepath.Join(t.TempDir(), "state.db")
	copyStore(t, store, backup)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, st, err := accountAt(ctx, store, p.issuer, p.caFile)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if s, err := a.Status(ctx); err != nil || s.Standing != auth.StandingReady || s.User != person {
		t.Fatalf("after signing in: %+v, %v", s, err)
	}
	const processes, rounds = 8, 3
	var all []*child
	for range processes {
		all = append(all, newChild(t, store, p))
	}
	before := ""
	for round := range rounds {
		time.Sleep(tokenLife)
		for _, c := range all {
			c.say("token")
		}
		token := ""
		for i, c := range all {
			got := c.hear()
			if i > 0 && got != token || got == before {
				t.Errorf("round %d: process %d has the token %s, others %s, before it was %s", round, i, got, token, before)
			}
			token = got
		}
		before = token
		if n := p.count("success refresh_token"); n != round+1 {
			t.Errorf("after round %d the provider was asked %d times, want %d", round, n, round+1)
		}
	}
	if e, r := p.count("error refresh_token"), p.count("revoked"); e != 0 || r != 0 {
		t.Fatalf("%d refreshes were refused, %d grants revoked", e, r)
	}

	old, st2, err := accountAt(ctx, backup, p.issuer, p.caFile)
	if err != nil {
		t.Fatal(err)
	}
	defer st2.Close()
	for range 3 {
		if _, err := old.Token(ctx, auth.IMAP); !errors.Is(err, auth.ErrReauth) {
			t.Fatalf("an old refresh token gives %v", err)
		}
	}
	if e, r := p.count("error refresh_token"), p.count("revoked"); e != 1 || r == 0 {
		t.Errorf("%d refreshes were refused, %d grants revoked; want one refusal, which revokes", e, r)
	}
	if s, err := old.Status(ctx); err != nil || s.Standing != auth.StandingReauth || s.Help.FR == "" {
		t.Errorf("status %+v, %v", s, err)
	}
	// the provider has ended the whole grant
	time.Sleep(tokenLife)
	if _, err := a.Token(ctx, auth.IMAP); !errors.Is(err, auth.ErrReauth) {
		t.Errorf("the store that was never behind: %v", err)
	}
}

// copyStore copies a store that nobody has open.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(from + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(to+strings.TrimPrefix(f, from), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// associate runs examples/account, signs in as a person, and returns the store's path.
func associate(t *testing.T, p *provider) string {
	t.Helper()
	program := filepath.Join(p.dir, "account")
	if out, err := exec.Command("go", "build", "-o", program, "../../examples/account").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config, err := json.Marshal(map[string]any{"store": "state.db", "key": key, "accounts": []any{map[string]any{"name": account, "kind": "oauth2",
		"settings": map[string]any{"client_id": "vaguemestre", "issuer": p.issuer, "ca_file": "ca.pem", "scopes": []string{"openid", "email", "offline_access"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, "config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-config", file, "-name", account, "-json")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last struct {
		State, URL, User string
		UserCode         string `json:"user_code"`
	}
	signed := false
	for d := json.NewDecoder(out); d.More(); {
		if err := d.Decode(&last); err != nil {
			t.Fatal(err)
		}
		if last.State == "waiting" && !signed {
			signIn(t, p.roots, last.URL, last.UserCode)
			signed = true
		}
	}
	if err := cmd.Wait(); err != nil || last.State != "approved" || last.User != person {
		t.Fatalf("the program ends with %v and %+v: %s", err, last, errs.String())
	}
	return filepath.Join(p.dir, "state.db")
}
