package auth

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// No token, secret or what a server repeats of them is in a print, log, JSON, event or
// error, nor in the clear on the disk, whatever became of the account.
func TestTokensAreSecret(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tokens")
	files := &Files{Dir: dir, Key: testRing(t)}
	broken := &brokenStore{Store: files}
	x := newTester(t, newRotator(t), broken)
	var seen []string
	look := func(what string, v any) {
		t.Helper()
		if s := printed(t, v); strings.Contains(s, "c4n4ry") || strings.Contains(s, "63346e347279") { // %x of it
			t.Errorf("%s shows a secret: %.300s", what, s)
		}
		seen = append(seen, what)
	}
	ask := func(what string, aud Audience, stale string) {
		t.Helper()
		_, err := x.token(t.Context(), acct, aud, stale)
		if err != nil {
			look(what, err)
		}
		st, err := x.status(t.Context(), acct)
		look("status "+what, st)
		if err != nil {
			look("status of "+what, err)
		}
		x.mu.Lock()
		for _, e := range x.events {
			look("event "+what, e)
		}
		x.mu.Unlock()
	}
	echo := func(status int, word string) func(url.Values) (int, map[string]any) {
		return func(f url.Values) (int, map[string]any) {
			s := f.Get("refresh_token") + f.Get("client_secret")
			return status, map[string]any{"error": word, "error_description": "you sent " + s, "suberror": s, "trace_id": s, "error_codes": []string{s}}
		}
	}
	x.signIn()
	ask("good", Graph, "")
	ask("just issued", Graph, "first-c4n4ry")
	x.clock.pass(2 * time.Hour)
	for _, r := range []struct {
		status int
		word   string
	}{{503, "temporarily_unavailable"}, {400, "invalid_scope"}, {400, "odd"}, {401, "invalid_client"}} {
		x.idp.set(func() { x.idp.refuse = echo(r.status, r.word) })
		ask(r.word, Graph, "")
		x.clock.pass(2 * time.Hour)
	}
	x.idp.set(func() {
		x.idp.refuse = nil
		x.idp.scripted = []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.org/?t="+r.PostForm.Get("refresh_token"), http.StatusTemporaryRedirect)
		}, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.PostForm.Get("refresh_token"))) }}
	})
	ask("redirect", Graph, "")
	ask("no JSON", Graph, "")
	broken.broken(nil, fs.ErrPermission)
	ask("degraded", IMAP, "")
	look("client", x.live.of(acct).pass(IMAP).oauth2().Expiry)
	broken.broken(nil, nil)
	x.clock.pass(2 * time.Hour)
	x.idp.set(func() { x.idp.refuse = echo(400, "invalid_grant") })
	ask("dead", Graph, "")

	var m Memory
	if _, err := m.Save(t.Context(), "a", []byte("value-c4n4ry"), 0); err != nil {
		t.Fatal(err)
	}
	ms := &Microsoft{ClientID: "id", ClientSecret: "secret-c4n4ry", Tokens: &m}
	o := &OAuth2{ClientID: "id", ClientSecret: "secret-c4n4ry", Tokens: &m}
	look("memory", &m)
	look("files", files)
	look("microsoft", ms)
	look("oauth2", o)
	look("account", ms.Account("a"))
	look("account", struct{ A Account }{o.Account("a")})
	look("providers", []Provider{ms, o})
	if b, err := json.Marshal(ms.Account("a")); err != nil || string(b) != `"a"` {
		t.Errorf("an account is %s, %v", b, err)
	}
	if len(seen) < 30 {
		t.Errorf("looked at %d things only", len(seen))
	}

	x.idp.set(func() { x.idp.refuse = nil })
	x.signIn() // so that something is stored
	found := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("c4n4ry")) || strings.Contains(path, acct) {
			t.Errorf("%s holds a secret or names an account", path)
		}
		found += len(b)
		return err
	})
	if err != nil || found < 300 {
		t.Errorf("%d bytes on the disk, %v", found, err)
	}
}
