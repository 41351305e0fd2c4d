package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/settings"
)

// popOf is a launcher for the user's mailbox over plain POP3.
func popOf(user string) *launcher.POP3 {
	return &launcher.POP3{Host: servers.Host(mailstack.Good), Port: servers.POP3, TLS: launcher.TLSNone, AllowInsecureAuth: true,
		Account: servers.Address(user), Password: settings.Secret(mailstack.Password), CAFile: servers.CAFile,
		Timeout: 20 * time.Second, MinInterval: time.Millisecond}
}

func TestPOP3SecurityAndMechanisms(t *testing.T) {
	st := stack(t)
	for _, mode := range []launcher.TLSMode{launcher.TLSImplicit, launcher.TLSStartTLS, launcher.TLSNone} {
		for auth, method := range map[string]string{"auto": "SCRAM-SHA-256", "user": "PLAIN", "apop": "APOP", "plain": "PLAIN", "login": "LOGIN",
			"cram-md5": "CRAM-MD5", "scram-sha-256": "SCRAM-SHA-256"} {
			t.Run(fmt.Sprintf("%s %s", mode, auth), func(t *testing.T) {
				t.Parallel()
				u := user(t)
				es, _ := fill(t, u, "INBOX", 5)
				l := popOf(u)
				l.TLS, l.Auth = mode, auth
				l.AllowInsecureAuth = mode == launcher.TLSNone
				if mode == launcher.TLSImplicit {
					l.Port = st.POP3S
				}
				sink := &basket{}
				run(t, &cold.Job{Name: "j", Launcher: l, Sink: sink, Ledger: cold.NewMemoryLedger()})
				same(t, "documents", sink.list(), wanted(es))
				if !logged("pop3-login", "user=<"+st.Address(u)+">", "method="+method) {
					t.Errorf("the server saw no login by %s", method)
				}
				if mode != launcher.TLSNone && !logged("pop3-login", "user=<"+st.Address(u)+">", "TLS") {
					t.Error("the server saw no TLS")
				}
				if err := l.Check(testContext(t), func(s vaguemestre.Step) {
					if s.Status == vaguemestre.StatusFailed || s.Status == vaguemestre.StatusWarning && s.Name != "tls" {
						t.Errorf("%+v", s)
					}
				}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestPOP3Refusals(t *testing.T) {
	st := stack(t)
	for _, c := range []struct {
		name  string
		set   func(l *launcher.POP3)
		class vaguemestre.Class
		text  string // what the error must speak of
	}{
		{"wrong password", func(l *launcher.POP3) { l.Password = "wrong" }, vaguemestre.ClassAuth, ""},
		{"wrong password by user", func(l *launcher.POP3) { l.Password, l.Auth = "wrong", "user" }, vaguemestre.ClassAuth, ""},
		{"wrong password by apop", func(l *launcher.POP3) { l.Password, l.Auth = "wrong", "apop" }, vaguemestre.ClassAuth, ""},
		{"untrusted certificate", func(l *launcher.POP3) { l.Host = st.Host(mailstack.Foreign) }, vaguemestre.ClassConfig, "ca_file"},
		{"misnamed certificate", func(l *launcher.POP3) { l.Host = st.Host(mailstack.Misnamed) }, vaguemestre.ClassConfig, "server_name"},
		{"expired certificate", func(l *launcher.POP3) { l.Host = st.Host(mailstack.Expired) }, vaguemestre.ClassConfig, "valid"},
		{"misnamed after stls", func(l *launcher.POP3) {
			l.Host, l.Port, l.TLS = st.Host(mailstack.Misnamed), st.POP3, launcher.TLSStartTLS
		}, vaguemestre.ClassConfig, "server_name"},
		{"clear text not allowed", func(l *launcher.POP3) { l.Port, l.TLS, l.Auth = st.POP3, launcher.TLSNone, "user" }, vaguemestre.ClassConfig, "allow_insecure_auth"},
		{"implicit on the plain port", func(l *launcher.POP3) { l.Port = st.POP3 }, vaguemestre.ClassConfig, "port"},
		{"an IMAP server", func(l *launcher.POP3) { l.Port, l.TLS = st.IMAP, launcher.TLSStartTLS }, vaguemestre.ClassConfig, "no POP3 server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := user(t)
			_, raws := fill(t, u, "INBOX", 1)
			l := popOf(u)
			l.Port, l.TLS, l.AllowInsecureAuth = st.POP3S, launcher.TLSImplicit, false
			c.set(l)
			_, err := (&cold.Job{Name: "j", Launcher: l, Sink: &basket{}, Ledger: cold.NewMemoryLedger(), After: cold.Delete()}).Run(testContext(t))
			var e *vaguemestre.Error
			if !errors.As(err, &e) || e.Class != c.class || !strings.Contains(err.Error(), c.text) {
				t.Errorf("class %q, error %v; want class %q and the word %q", vaguemestre.ClassOf(err), err, c.class, c.text)
			}
			if strings.Contains(fmt.Sprint(err), mailstack.Password) {
				t.Error("the error has the password in it")
			}
			_, got := folder(t, u, "INBOX")
			same(t, "INBOX", got, rawOf(raws))
			if err := l.Check(testContext(t), nil); err == nil {
				t.Error("Check finds nothing")
			}
		})
	}
}

// TestPOP3Bytes compares 2,000 mails byte for byte with what was put into the mailbox, then
// deletes them.
func TestPOP3Bytes(t *testing.T) {
	const n = 2000
	u := user(t)
	_, raws := fill(t, u, "INBOX", n)
	sink := &basket{}
	job := &cold.Job{Name: "j", Launcher: popOf(u), Sink: sink, Ledger: cold.NewMemoryLedger(), Take: cold.Take{EML: true}}
	run(t, job)
	var want, got []string
	for _, r := range raws {
		want = append(want, hash(r))
	}
	for _, s := range sink.list() {
		got = append(got, s[strings.LastIndexByte(s, ' ')+1:])
	}
	same(t, "mails", got, want)
	if s := run(t, job); s.Items != 0 || s.Delivered != 0 || sink.twin != 0 {
		t.Errorf("the second pass took %+v, %d keys twice", s, sink.twin)
	}
	_, left := folder(t, u, "INBOX")
	same(t, "INBOX after leave", left, rawOf(raws))

	sink = &basket{}
	job = &cold.Job{Name: "j", Launcher: popOf(u), Sink: sink, Ledger: cold.NewMemoryLedger(), Take: cold.Take{EML: true}, After: cold.Delete()}
	if s := run(t, job); s.Items != n {
		t.Errorf("%+v", s)
	}
	got = nil
	for _, s := range sink.list() {
		got = append(got, s[strings.LastIndexByte(s, ' ')+1:])
	}
	same(t, "mails", got, want)
	if mails, _ := folder(t, u, "INBOX"); len(mails) != 0 {
		t.Errorf("%d mails are left", len(mails))
	}
}

// TestPOP3Tunnel collects through stunnel in client mode, then directly: nothing comes twice.
func TestPOP3Tunnel(t *testing.T) {
	u := user(t)
	es, _ := fill(t, u, "INBOX", 40)
	through := popOf(u)
	through.Host, through.Port = "127.0.0.1", servers.Tunnel
	sink := &basket{}
	job := &cold.Job{Name: "j", Launcher: through, Sink: sink, Ledger: cold.NewMemoryLedger()}
	run(t, job)
	same(t, "documents through the tunnel", sink.list(), wanted(es))
	if !logged("pop3-login", "user=<"+servers.Address(u)+">", "TLS") {
		t.Error("the server saw no TLS")
	}
	direct := popOf(u)
	direct.Port, direct.TLS, direct.AllowInsecureAuth = servers.POP3S, launcher.TLSImplicit, false
	job.Launcher, job.After = direct, cold.Delete()
	run(t, job)
	same(t, "documents without the tunnel", sink.list(), wanted(es))
	if sink.twin != 0 {
		t.Errorf("%d keys came twice", sink.twin)
	}
	through.Account = servers.Address(u + "-autre")
	fill(t, u+"-autre", "INBOX", 250)
	deleted := &cold.Job{Name: "k", Launcher: through, Sink: &basket{}, Ledger: cold.NewMemoryLedger(), After: cold.Delete(), AfterRefused: cold.Delete()}
	run(t, deleted)
	if mails, _ := folder(t, u+"-autre", "INBOX"); len(mails) != 0 {
		t.Errorf("%d mails are left behind the tunnel", len(mails))
	}
}

// The dots and lone carriage returns of a mail survive. A last line without its end gets one:
// POP3 cannot say otherwise (RFC 1939 section 3), so the server adds it.
func TestPOP3OddBytes(t *testing.T) {
	u := user(t)
	var raws [][]byte
	var want []string
	for i, body := range []string{".", "..\n.\n", ".a\n", "a\rb\n.\rc\n", "\n\n.\n\n", "x\n.\n.", strings.Repeat(".\n", 200_000), strings.Repeat("z", 700_000) + "\n", ""} {
		raw := fmt.Sprintf("Subject: x\nMessage-ID: <%d@x.example.org>\n\n%s", i, body)
		raws = append(raws, []byte(raw))
		want = append(want, "x.eml "+hash([]byte(strings.ReplaceAll(strings.TrimSuffix(raw, "\n")+"\n", "\n", "\r\n"))))
	}
	if err := stack(t).Append(u, "INBOX", raws...); err != nil {
		t.Fatal(err)
	}
	sink := &basket{}
	run(t, &cold.Job{Name: "p", Launcher: popOf(u), Sink: sink, Ledger: cold.NewMemoryLedger(), Take: cold.Take{EML: true}})
	same(t, "mails", sink.list(), want)
}

// Access tokens log in by XOAUTH2; one that the server refuses is renewed once.
func TestPOP3AccessToken(t *testing.T) {
	u := user(t)
	fill(t, u, "INBOX", 3)
	for _, mech := range []string{"auto", "xoauth2", "oauthbearer"} {
		a, age := signIn(t, u)
		l := popOf(u)
		l.Port, l.TLS, l.Password, l.OAuthAccount, l.Auth = servers.POP3S, launcher.TLSImplicit, "", a, mech
		login := func() error {
			s, err := l.Connect(testContext(t), &cold.ConnectOptions{ReadOnly: true})
			if err != nil {
				return err
			}
			defer s.Close()
			page, err := s.List(testContext(t), "")
			if len(page.Items) != 3 {
				t.Errorf("%s: %d items", mech, len(page.Items))
			}
			return err
		}
		before := servers.OAuth.Refreshes(servers.Address(u))
		if err := login(); err != nil {
			t.Fatalf("%s: %v", mech, err)
		}
		servers.OAuth.Expire(servers.Address(u))
		age()
		if err := login(); err != nil {
			t.Errorf("%s: an expired token: %v", mech, err)
		}
		if got := servers.OAuth.Refreshes(servers.Address(u)) - before; got != 1 {
			t.Errorf("%s: %d refreshes", mech, got)
		}
		age()
		l.Account = "autre@" + mailstack.Domain
		if err := login(); vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || !strings.Contains(err.Error(), `\"status\":`) {
			t.Errorf("%s: another's mailbox: %v", mech, err)
		}
	}
}
