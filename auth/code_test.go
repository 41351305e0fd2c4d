package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// query returns the parameters of the address that a flow shows.
func query(t testing.TB, f *Flow) url.Values {
	t.Helper()
	u, err := url.Parse(f.Progress().URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// back is what the browser brings back.
func back(t testing.TB, f *Flow, more ...string) url.Values {
	t.Helper()
	q := url.Values{"state": {query(t, f).Get("state")}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

const hostRedirect = "https://ged.mondaine.fr/oauth/back"

func TestAuthorizationAddress(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	ms := func() Account { return s.microsoft(t, new(Memory), nil).Account("a") }
	generic := func(f func(*OAuth2)) Account { return s.oauth2(t, new(Memory), nil, f).Account("a") }
	tests := []struct {
		name string
		a    Account
		o    BeginOptions
		path string
		want map[string]string // "" is absent
	}{
		{"microsoft", ms(), BeginOptions{Redirect: hostRedirect, Language: "fr-FR"}, "/common/oauth2/v2.0/authorize", map[string]string{
			"response_type": "code", "response_mode": "query", "redirect_uri": hostRedirect, "code_challenge_method": "S256", "mkt": "fr-FR",
			"client_id": "11111111-2222", "prompt": "select_account", "login_hint": ""}},
		{"a user that is expected is suggested", ms(), BeginOptions{Redirect: hostRedirect, User: "florian@mondaine.fr"}, "/common/oauth2/v2.0/authorize", map[string]string{
			"login_hint": "florian@mondaine.fr", "prompt": "", "mkt": ""}},
		{"generic", generic(func(*OAuth2) {}), BeginOptions{Redirect: hostRedirect, Language: "fr"}, "/authorize", map[string]string{
			"scope": "mail offline_access", "prompt": "consent", "ui_locales": "fr", "access_type": "", "response_mode": ""}},
		{"generic without offline_access", generic(func(o *OAuth2) { o.Scopes = []string{"mail"} }), BeginOptions{Redirect: hostRedirect}, "/authorize", map[string]string{
			"scope": "mail", "prompt": ""}},
		{"an address with a query", generic(func(o *OAuth2) { o.AuthURL = s.URL + "/authorize?p=policy" }), BeginOptions{Redirect: hostRedirect}, "/authorize", map[string]string{
			"p": "policy", "response_type": "code"}},
		{"google", generic(func(o *OAuth2) {
			o.Preset, o.Scopes, o.AuthURL, o.DeviceURL, o.TokenURL = PresetGoogle, nil, "", "", ""
		}), BeginOptions{Redirect: hostRedirect}, "/o/oauth2/v2/auth", map[string]string{
			"scope": "openid email " + gmail, "access_type": "offline", "prompt": "consent"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Method = MethodCode
			if tt.name == "google" {
				tt.o.Method = "" // Gmail has no device code, so that the browser is the way by itself
			}
			f := begin(t, tt.a, &tt.o)
			u, _ := url.Parse(f.Progress().URL)
			if u.Path != tt.path || f.Progress().Method != MethodCode {
				t.Errorf("%s by %s", u.Path, f.Progress().Method)
			}
			q := u.Query()
			for k, v := range tt.want {
				if got := q.Get(k); got != v || v == "" && q.Has(k) {
					t.Errorf("%s is %q, want %q", k, got, v)
				}
			}
			if len(q.Get("state")) < 22 || len(q.Get("code_challenge")) != 43 {
				t.Errorf("state %q, challenge %q", q.Get("state"), q.Get("code_challenge"))
			}
		})
	}
}

// The host's own address works, also when another process begins, and the verifier is the
// one whose hash was shown.
func TestFinishInAnotherProcess(t *testing.T) {
	t.Parallel()
	s, store := newIDP(t, granted1), new(Memory)
	f := begin(t, s.microsoft(t, store, nil).Account("a"), &BeginOptions{Method: MethodCode, Redirect: hostRedirect})
	done := make(chan error, 1)
	go func() {
		p, err := f.Wait(t.Context(), nil) // a page that waits in the first process
		if p.State != StateApproved || p.User != "florian@mondaine.fr" {
			err = fmt.Errorf("%+v, %w", p, err)
		}
		done <- err
	}()
	g, err := s.microsoft(t, store, nil).Account("a").Resume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Finish(t.Context(), back(t, g, "code", "c0de", "session_state", "x"))
	if err != nil || p.State != StateApproved || p.User != "florian@mondaine.fr" {
		t.Fatalf("%+v, %v", p, err)
	}
	form := s.tokenForms()[0]
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(sum[:]) != query(t, f).Get("code_challenge") || len(form.Get("code_verifier")) < 43 {
		t.Errorf("the verifier does not fit the challenge")
	}
	if form.Get("grant_type") != "authorization_code" || form.Get("redirect_uri") != hostRedirect || form.Get("code") != "c0de" || form.Get("client_id") == "" {
		t.Errorf("form %v", form)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Wait in the first process does not end")
	}
}

func TestFinishTakesOneAnswerOnly(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	f := begin(t, s.microsoft(t, new(Memory), nil).Account("a"), &BeginOptions{Method: MethodCode, Redirect: hostRedirect})
	twice := back(t, f, "code", "c")
	twice.Add("code", "d")
	both := back(t, f, "code", "c", "error", "access_denied")
	for name, q := range map[string]url.Values{
		"wrong state": {"state": {"x"}, "code": {"c"}}, "no state": {"code": {"c"}}, "empty": {}, "nil": nil,
		"neither code nor error": back(t, f), "the code twice": twice, "code and error": both,
		"an error with the wrong state": {"state": {"x"}, "error": {"access_denied"}},
		"an endless code":               back(t, f, "code", strings.Repeat("x", 1<<20)),
	} {
		p, err := f.Finish(t.Context(), q)
		if p.State != StateWaiting || vaguemestre.ClassOf(err) != vaguemestre.ClassAuth {
			t.Errorf("%s: %q, %v", name, p.State, err)
		}
		if help, ok := Explain(err); !ok || help != helpState {
			t.Errorf("%s: help %q", name, help.EN)
		}
	}
	if n := len(s.tokenForms()); n != 0 {
		t.Fatalf("%d requests", n)
	}
	// Of many that bring the right one at once, one is taken.
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 8 {
		wg.Go(func() {
			if _, err := f.Finish(t.Context(), back(t, f, "code", "c")); err == nil {
				mu.Lock()
				good++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n := len(s.tokenForms()); good != 1 || n != 1 {
		t.Errorf("%d succeeded, %d requests", good, n)
	}
	if p, err := f.Finish(t.Context(), back(t, f, "code", "c")); err == nil || p.State != StateApproved {
		t.Errorf("a replay: %+v, %v", p, err)
	}
}

func TestFinishMapsErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		word, description string
		state             State
		class             vaguemestre.Class
		code              string
	}{
		{"access_denied", "", StateDeclined, vaguemestre.ClassAuth, "access_denied"},
		{"access_denied", "AADSTS65004: User declined to consent", StateDeclined, vaguemestre.ClassAuth, "AADSTS65004"},
		{"access_denied", "AADSTS53003: Access has been blocked", StateBlocked, vaguemestre.ClassAuth, "AADSTS53003"},
		{"server_error", "", StateFailed, vaguemestre.ClassDeferred, "server_error"},
		{"temporarily_unavailable", "", StateFailed, vaguemestre.ClassDeferred, "temporarily_unavailable"},
		{"invalid_scope", "", StateFailed, config, "invalid_scope"},
		{"authorization_pending", "", StateFailed, vaguemestre.ClassDeferred, "authorization_pending"},
		{"<script>", "", StateFailed, vaguemestre.ClassAuth, `"<script>"`},
	}
	for _, tt := range tests {
		s := newIDP(t, granted1)
		f := begin(t, s.microsoft(t, new(Memory), nil).Account("a"), &BeginOptions{Method: MethodCode, Redirect: hostRedirect})
		p, err := f.Finish(t.Context(), back(t, f, "error", tt.word, "error_description", tt.description))
		if p.State != tt.state || vaguemestre.ClassOf(err) != tt.class || p.Code != tt.code || len(s.tokenForms()) != 0 {
			t.Errorf("%s %s: %q %q %q", tt.word, tt.description, p.State, vaguemestre.ClassOf(err), p.Code)
		}
		if p.Help.FR == "" {
			t.Errorf("%s: no help", tt.word)
		}
	}
}

func TestRedeemingACodeBearsFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script []reply
		state  State
		polls  int
	}{
		"once":     {[]reply{{}, granted1}, StateApproved, 2},
		"for ever": {[]reply{{status: 503, body: "<html>"}}, StateFailed, 3},
		"refused":  {[]reply{refuse("invalid_grant", 70008)}, StateFailed, 1},
	} {
		s, k := newIDP(t, tt.script...), newClock()
		f := begin(t, s.microsoft(t, new(Memory), k).Account("a"), &BeginOptions{Method: MethodCode, Redirect: hostRedirect})
		if p, err := f.Finish(t.Context(), back(t, f, "code", "c")); p.State != tt.state || len(s.tokenForms()) != tt.polls {
			t.Errorf("%s: %+v, %v, %d requests", name, p, err, len(s.tokenForms()))
		}
	}
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	s, k := newIDP(t, granted1), newClock()
	f := begin(t, s.microsoft(t, new(Memory), k).Account("a"), &BeginOptions{Method: MethodCode, Redirect: hostRedirect})
	if p, err := f.Wait(t.Context(), nil); p.State != StateExpired || err == nil {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := f.Finish(t.Context(), back(t, f, "code", "c")); p.State != StateExpired || err == nil || len(s.tokenForms()) != 0 {
		t.Errorf("Finish too late: %+v, %v", p, err)
	}
}

// get asks as a browser does, until somebody listens.
func get(t testing.TB, method, address string) (int, string, http.Header) {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	for range 500 {
		req, err := http.NewRequest(method, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := tr.RoundTrip(req)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b), res.Header
	}
	t.Fatal("nobody listens")
	return 0, "", nil
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			s := newIDP(t, granted1)
			a := s.microsoft(t, new(Memory), nil).Account("a")
			if host != "localhost" {
				a = s.oauth2(t, new(Memory), nil).Account("a")
			}
			f := begin(t, a, &BeginOptions{Method: MethodCode})
			redirect := query(t, f).Get("redirect_uri")
			u, _ := url.Parse(redirect)
			if u.Scheme != "http" || u.Hostname() != host || u.Port() == "" || u.Path != "" {
				t.Fatalf("redirect %q", redirect)
			}
			type result struct {
				p   Progress
				err error
			}
			done := make(chan result, 1)
			go func() {
				p, err := f.Wait(t.Context(), nil)
				done <- result{p, err}
			}()
			// What others send changes nothing.
			state := query(t, f).Get("state")
			for _, c := range []struct {
				method, path string
				status       int
			}{
				{"GET", "/favicon.ico", 404}, {"GET", "/other?code=c&state=" + state, 404}, {"POST", "/?code=c&state=" + state, 405},
				{"GET", "/", 400}, {"GET", "/?code=c&state=wrong", 400}, {"GET", "/?state=" + state, 400},
				{"GET", "/?code=%3Cscript%3E&state=%3Cscript%3E", 400},
			} {
				status, body, h := get(t, c.method, redirect+c.path)
				if status != c.status || strings.Contains(body, "script") || strings.Contains(body, state) || h.Get("Content-Security-Policy") == "" {
					t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
				}
			}
			status, body, _ := get(t, "GET", redirect+"/?code=c0de&state="+state)
			if status != 200 || !strings.Contains(body, "You are signed in") || !strings.Contains(body, "Vous êtes connecté") || strings.Contains(body, "c0de") {
				t.Errorf("%d %s", status, body)
			}
			r := <-done
			if r.err != nil || r.p.State != StateApproved || s.tokenForms()[0].Get("redirect_uri") != redirect {
				t.Errorf("%+v, %v", r.p, r.err)
			}
			if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", u.Port())); err == nil {
				c.Close()
				t.Error("it still listens")
			}
		})
	}
}

func TestLoopbackTellsFailure(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	f := begin(t, s.oauth2(t, new(Memory), nil).Account("a"), &BeginOptions{Method: MethodCode})
	done := make(chan Progress, 1)
	go func() { p, _ := f.Wait(t.Context(), nil); done <- p }()
	_, body, _ := get(t, "GET", query(t, f).Get("redirect_uri")+"/?"+back(t, f, "error", "access_denied", "error_description", "<b>").Encode())
	if p := <-done; p.State != StateDeclined || !strings.Contains(body, "did not succeed") || strings.Contains(body, "<b>") {
		t.Errorf("%+v, %s", p, body)
	}
}

// After a restart the same port is listened on; if it is taken the flow says so.
func TestLoopbackAfterRestart(t *testing.T) {
	t.Parallel()
	s, store := newIDP(t, granted1), new(Memory)
	f := begin(t, s.oauth2(t, store, nil).Account("a"), &BeginOptions{Method: MethodCode})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // the browser comes when nobody has read the answer yet: it is told to begin again
		time.Sleep(50 * time.Millisecond)
		cancel()
	}()
	if _, err := f.Wait(ctx, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Fatal(err)
	}
	g, err := s.oauth2(t, store, nil).Account("a").Resume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	redirect := query(t, f).Get("redirect_uri")
	u, _ := url.Parse(redirect)
	l, err := net.Listen("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Wait(t.Context(), nil)
	l.Close()
	if p.State != StateFailed || !errors.Is(err, vaguemestre.ErrBusy) || p.Help != helpPort {
		t.Errorf("port taken: %+v, %v", p, err)
	}
}

func TestBeginRefusesOptions(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	ms := s.microsoft(t, new(Memory), nil).Account("a")
	noDevice := s.oauth2(t, new(Memory), nil, func(o *OAuth2) { o.DeviceURL = "" }).Account("a")
	noCode := s.oauth2(t, new(Memory), nil, func(o *OAuth2) { o.AuthURL = "" }).Account("a")
	gmail := s.oauth2(t, new(Memory), nil, func(o *OAuth2) { o.Preset, o.Scopes = PresetGoogle, nil }).Account("a")
	for name, tt := range map[string]struct {
		a    Account
		o    BeginOptions
		says string
	}{
		"redirect over http":       {ms, BeginOptions{Method: MethodCode, Redirect: "http://ged.mondaine.fr/"}, "https"},
		"redirect with a fragment": {ms, BeginOptions{Method: MethodCode, Redirect: "https://ged.mondaine.fr/#x"}, "fragment"},
		"unknown method":           {ms, BeginOptions{Method: "magic"}, "device or code"},
		"no device codes":          {noDevice, BeginOptions{Method: MethodDevice}, "method code"},
		"no authorization":         {noCode, BeginOptions{Method: MethodCode}, "method device"},
		"gmail by device":          {gmail, BeginOptions{Method: MethodDevice}, "method code"},
		"an endless language":      {ms, BeginOptions{Language: strings.Repeat("x", 101)}, "longer"},
	} {
		if _, err := tt.a.Begin(t.Context(), &tt.o); vaguemestre.ClassOf(err) != config || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f := begin(t, noDevice, &BeginOptions{Redirect: hostRedirect}); f.Progress().Method != MethodCode {
		t.Errorf("without device codes the method is %q", f.Progress().Method)
	}
}
