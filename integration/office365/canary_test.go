package office365

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// secrets are what must not be found: gathered from what went over the wire, and planted.
type secrets struct {
	mu sync.Mutex
	m  map[string]string // value: what it is
}

func (s *secrets) add(what, value string) {
	if len(value) < 6 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]string{}
	}
	s.m[value] = what
}

// transcript is written by many.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

// call gathers from a request that the server saw.
func (s *secrets) call(c *graphtest.Call) {
	if tok, ok := strings.CutPrefix(c.Header.Get("Authorization"), "Bearer "); ok {
		s.add("access token", tok)
	}
	form, _ := url.ParseQuery(string(c.Body))
	for _, k := range []string{"refresh_token", "device_code", "client_secret", "client_assertion", "code", "code_verifier"} {
		s.add(k, form.Get(k))
	}
	if q, _ := url.ParseQuery(c.Query); c.Upload {
		for _, vs := range q {
			s.add("upload token", vs[0])
		}
	}
}

// find tells which secrets stand in data, in which form.
func (s *secrets) find(t *testing.T, where string, data []byte) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for v, what := range s.m {
		for form, text := range map[string]string{"clear": v, "hex": hex.EncodeToString([]byte(v)), "URL": url.QueryEscape(v), "JSON": strings.Trim(jsonText(v), `"`),
			"base64": base64.StdEncoding.EncodeToString([]byte(v)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(v))} {
			if i := bytes.Index(data, []byte(text)); i >= 0 {
				t.Errorf("%s: a %s in %s: …%q", where, what, form, data[max(0, i-60):i])
			}
		}
	}
}

func jsonText(v any) string { b, _ := json.Marshal(v); return string(b) }

// TestCanaries sends and collects with everything that is secret known to the test, with
// a server that repeats what it is given in its errors, and finds none of it anywhere.
func TestCanaries(t *testing.T) {
	ctx := testContext(t)
	srv := start(t, &graphtest.Options{Rotation: graphtest.RotateStrict})
	box := srv.AddUser(graphtest.User{Address: "compta@mondaine.fr", Language: "fr"})
	var known secrets
	var told transcript // all that is shown to anybody
	show := func(vs ...any) {
		for _, v := range vs {
			fmt.Fprintf(&told, "%v\n%+v\n%#v\n%q\n%s\n%d\n%x\n", v, v, v, v, v, v, v)
			fmt.Fprintln(&told, jsonText(v))
		}
	}
	log := slog.New(slog.NewMultiHandler(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug}),
		slog.NewJSONHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug})))

	var hostile func(c *graphtest.Call) *graphtest.Reply
	var mu sync.Mutex
	srv.Script(func(c *graphtest.Call) *graphtest.Reply {
		known.call(c)
		mu.Lock()
		defer mu.Unlock()
		if hostile != nil {
			return hostile(c)
		}
		return nil
	})
	echo := func(status int, op string) {
		mu.Lock()
		defer mu.Unlock()
		hostile = func(c *graphtest.Call) *graphtest.Reply {
			if c.Op != op {
				return nil
			}
			said := string(c.Body)
			if len(said) > 3000 {
				said = said[:3000]
			}
			return &graphtest.Reply{Status: status, Code: "ErrorEcho", Message: c.Header.Get("Authorization") + " " + said}
		}
	}
	calm := func() { mu.Lock(); defer mu.Unlock(); hostile = nil }

	dir := t.TempDir()
	st, err := openStore(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	known.add("store key", keyText)

	p := srv.Provider(st.Tokens())
	p.OnEvent = func(e auth.Event) { show(e, e.Err) }
	account := p.Account("compta")
	flow, err := account.Begin(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	code := flow.Progress().UserCode.Reveal()
	known.add("user code", code)
	show(flow, flow.Progress())
	if err := srv.Approve(code, graphtest.Consent{User: "compta@mondaine.fr"}); err != nil {
		t.Fatal(err)
	}
	end, err := flow.Wait(ctx, func(p auth.Progress) { show(p); log.Info("flow", "progress", p) })
	if err != nil {
		t.Fatal(err)
	}
	tok, err := account.Token(ctx, auth.Graph)
	if err != nil {
		t.Fatal(err)
	}
	known.add("access token", tok.AccessToken)
	status, err := account.Status(ctx)
	show(flow, end, account, p, status, err)
	record, _, err := st.Tokens().Load(ctx, "grant/compta")
	if err != nil {
		t.Fatal(err)
	}
	var grant struct{ Refresh string }
	json.Unmarshal(record, &grant)
	known.add("refresh token", grant.Refresh)
	if n := len(known.m); n < 5 {
		t.Fatalf("only %d secrets are known", n)
	}

	// An application with a secret, and one whose secret is wrong.
	const planted = "canary-client-secret-8861"
	known.add("planted client secret", planted)
	srv.AddApp(graphtest.App{ID: "11112222-3333-4444-5555-666677778888", Secret: planted, Permissions: []string{"Mail.ReadWrite", "Mail.Send"}})
	for _, secret := range []string{planted, "canary-wrong-secret-5512"} {
		known.add("client secret", secret)
		app := &auth.Microsoft{ClientID: "11112222-3333-4444-5555-666677778888", Tenant: srv.Tenant, Authority: srv.URL, GraphURL: srv.URL,
			CAFile: srv.CAFile, Grant: auth.Application, ClientSecret: settings.Secret(secret)}
		tok, err := app.Account("robot").Token(ctx, auth.Graph)
		if err == nil {
			known.add("access token", tok.AccessToken)
		}
		show(app, err)
		log.Info("application", "provider", app, "err", err)
	}

	// Sending, small, large and refused in every way.
	office := &connector.Office365{Account: account, Sender: "compta@mondaine.fr"}
	var rt router.Router
	defer rt.Close()
	if err := rt.AddConnector("main", office); err != nil {
		t.Fatal(err)
	}
	ml := router.Mail{Router: &rt}
	if err := rt.SetDefault(ml, "main"); err != nil {
		t.Fatal(err)
	}
	send := func(size int) {
		r, err := ml.Send(ctx, &router.Message{To: []string{"compta@mondaine.fr"}, Subject: "Facture", Text: "Bonjour",
			Attachments: []router.Attachment{router.Bytes("f.pdf", "", pseudo(size, 3))}}, nil)
		show(r, err)
		log.Info("sent", "receipt", r, "err", err)
	}
	send(1000)
	send(4_000_000)
	for _, op := range []string{"sendMail", "messages.create", "upload.create", "upload.put", "messages.send", "me"} {
		for _, status := range []int{400, 401, 403, 413} {
			echo(status, op)
			send(1000)
			if op != "sendMail" {
				send(4_000_000)
			}
			show(office.Check(ctx, func(s vaguemestre.Step) { show(s) }))
		}
	}
	calm()

	// Collecting, with a sidecar for each document, and refused in every way.
	delivered := 0
	job := cold.Job{Name: "factures", Launcher: &launcher.Office365{Account: account}, Sink: &cold.DirSink{Path: filepath.Join(dir, "in"), Sidecar: true},
		Ledger: st.Ledger(), After: cold.MoveTo("Traités"), Logger: log,
		OnEvent: func(e cold.Event) { show(e, e.Err) }, OnDecision: func(d cold.Decided) {
			show(d)
			if d.Decision == cold.Delivered {
				delivered++
			}
		}}
	os.Mkdir(filepath.Join(dir, "in"), 0o755)
	box.Deliver("inbox", []byte("From: a@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n"))
	for _, op := range []string{"messages.delta", "messages.value", "messages.move", "folders.get", "folders.list"} {
		for _, status := range []int{400, 401, 403, 500} {
			echo(status, op)
			short, cancel := context.WithTimeout(ctx, 1500*1e6)
			s, err := job.Run(short)
			cancel()
			show(s, err, job.Launcher)
		}
	}
	calm()
	if s, err := job.Run(ctx); err != nil || delivered == 0 {
		t.Errorf("%d delivered, the last run: %+v, %v", delivered, s, err)
	}

	// The grant dies.
	srv.Revoke("compta@mondaine.fr", 50173)
	srv.ExpireTokens()
	echo(400, "token")
	_, err = account.Refresh(ctx, auth.Graph, tok.AccessToken)
	show(err)
	calm()
	status, err = account.Status(ctx)
	show(status, err)

	for _, c := range srv.Calls() {
		known.call(&c)
	}
	t.Logf("%d secrets, %d kB of what was shown", len(known.m), told.b.Len()>>10)
	if len(known.m) < 20 {
		t.Errorf("only %d secrets were there to be found", len(known.m))
	}
	known.find(t, "shown", told.b.Bytes())
	if !strings.Contains(told.b.String(), "ErrorEcho") {
		t.Error("no error of the server was shown: the test saw nothing")
	}
	// Files: sidecars, ledger, router, tokens; while open, so with the log of the database.
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, _ := os.ReadFile(path)
			known.find(t, filepath.Base(path), b)
		}
		return nil
	})
}
