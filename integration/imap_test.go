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
)

// logged waits until the servers' log has all the words in one line.
func logged(words ...string) bool {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	lines:
		for _, l := range strings.Split(servers.Log(), "\n") {
			for _, w := range words {
				if !strings.Contains(l, w) {
					continue lines
				}
			}
			return true
		}
	}
	return false
}

func TestIMAPSecurityAndMechanisms(t *testing.T) {
	st := stack(t)
	for _, mode := range []launcher.TLSMode{launcher.TLSImplicit, launcher.TLSStartTLS, launcher.TLSNone} {
		for _, auth := range []string{"plain", "login", "cram-md5", "scram-sha-256"} {
			t.Run(fmt.Sprintf("%s %s", mode, auth), func(t *testing.T) {
				t.Parallel()
				u := user(t)
				es, _ := fill(t, u, "INBOX", 5)
				l := imapOf(u)
				l.TLS, l.Auth = mode, auth
				l.AllowInsecureAuth = mode == launcher.TLSNone
				if mode == launcher.TLSImplicit {
					l.Port = st.IMAPS
				}
				sink := &basket{}
				run(t, &cold.Job{Name: "j", Launcher: l, Sink: sink, Ledger: cold.NewMemoryLedger()})
				same(t, "documents", sink.list(), wanted(es))
				if !logged("user=<"+st.Address(u)+">", "method="+strings.ToUpper(auth)) {
					t.Errorf("the server saw no login by %s", auth)
				}
				if mode != launcher.TLSNone && !logged("user=<"+st.Address(u)+">", "TLS") {
					t.Error("the server saw no TLS")
				}
			})
		}
	}
}

func TestIMAPRefusals(t *testing.T) {
	st := stack(t)
	for _, c := range []struct {
		name  string
		set   func(l *launcher.IMAP)
		class vaguemestre.Class
		text  string // what the error must speak of
	}{
		{"wrong password", func(l *launcher.IMAP) { l.Password = "wrong" }, vaguemestre.ClassAuth, ""},
		{"wrong password by scram", func(l *launcher.IMAP) { l.Password, l.Auth = "wrong", "scram-sha-256" }, vaguemestre.ClassAuth, ""},
		{"untrusted certificate", func(l *launcher.IMAP) { l.Host = st.Host(mailstack.Foreign) }, vaguemestre.ClassConfig, "ca_file"},
		{"system roots only", func(l *launcher.IMAP) { l.CAFile = "" }, vaguemestre.ClassConfig, "ca_file"},
		{"misnamed certificate", func(l *launcher.IMAP) { l.Host = st.Host(mailstack.Misnamed) }, vaguemestre.ClassConfig, "server_name"},
		{"expired certificate", func(l *launcher.IMAP) { l.Host = st.Host(mailstack.Expired) }, vaguemestre.ClassConfig, "valid"},
		{"misnamed after starttls", func(l *launcher.IMAP) {
			l.Host, l.Port, l.TLS = st.Host(mailstack.Misnamed), st.IMAP, launcher.TLSStartTLS
		}, vaguemestre.ClassConfig, "server_name"},
		{"logindisabled", func(l *launcher.IMAP) {
			l.Host, l.Port, l.TLS, l.AllowInsecureAuth, l.Auth = st.Host(mailstack.Strict), st.IMAP, launcher.TLSNone, true, "plain"
		}, vaguemestre.ClassConfig, ""},
		{"clear text not allowed", func(l *launcher.IMAP) { l.Port, l.TLS, l.Auth = st.IMAP, launcher.TLSNone, "plain" }, vaguemestre.ClassConfig, "allow_insecure_auth"},
		{"no such folder", func(l *launcher.IMAP) { l.Source = "N'existe pas" }, vaguemestre.ClassConfig, "N'existe pas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := user(t)
			_, raws := fill(t, u, "INBOX", 1)
			l := imapOf(u)
			l.Port, l.TLS, l.AllowInsecureAuth = st.IMAPS, launcher.TLSImplicit, false
			c.set(l)
			sink := &basket{}
			_, err := (&cold.Job{Name: "j", Launcher: l, Sink: sink, Ledger: cold.NewMemoryLedger(), After: cold.Delete()}).Run(testContext(t))
			var e *vaguemestre.Error
			if !errors.As(err, &e) || e.Class != c.class || !strings.Contains(err.Error(), c.text) {
				t.Errorf("class %q, error %v; want class %q and the word %q", vaguemestre.ClassOf(err), err, c.class, c.text)
			}
			if strings.Contains(fmt.Sprint(err), mailstack.Password) {
				t.Error("the error has the password in it")
			}
			if strings.HasPrefix(c.name, "logindisabled") && strings.Contains(servers.Log(), "user=<"+st.Address(u)+">, method=") {
				t.Error("the account was sent in clear")
			}
			_, got := folder(t, u, "INBOX")
			same(t, "INBOX", got, rawOf(raws))
			var failed bool
			if err := l.Check(testContext(t), func(s vaguemestre.Step) {
				if s.Status == vaguemestre.StatusFailed {
					failed = true
					if s.Help == "" {
						t.Errorf("step %s failed and says not what to do: %s", s.Name, s.Detail)
					}
				}
			}); err == nil || !failed {
				t.Errorf("Check finds nothing: %v", err)
			}
		})
	}
	t.Run("starttls lifts logindisabled", func(t *testing.T) {
		u := user(t)
		fill(t, u, "INBOX", 1)
		l := imapOf(u)
		l.Host, l.TLS = st.Host(mailstack.Strict), launcher.TLSStartTLS
		if s := run(t, &cold.Job{Name: "j", Launcher: l, Sink: &basket{}, Ledger: cold.NewMemoryLedger()}); s.Items != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestIMAPBytes compares every mail byte for byte with what was put into the mailbox.
func TestIMAPBytes(t *testing.T) {
	u := user(t)
	_, raws := fill(t, u, "INBOX", 250) // more than one range of UIDs
	sink := &basket{}
	job := &cold.Job{Name: "j", Launcher: imapOf(u), Sink: sink, Ledger: cold.NewMemoryLedger(), Take: cold.Take{EML: true}}
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
}

func TestIMAPFrenchFolders(t *testing.T) {
	u := user(t)
	const from, to = "Factures reçues/À traiter", "Traités/Été 2026 & œuvres"
	es, raws := fill(t, u, from, 6)
	l := imapOf(u)
	l.Source = from
	sink := &basket{}
	run(t, &cold.Job{Name: "j", Launcher: l, Sink: sink, Ledger: cold.NewMemoryLedger(), After: cold.MoveTo(to), AfterRefused: cold.MoveTo(to)})
	same(t, "documents", sink.list(), wanted(es))
	_, moved := folder(t, u, to)
	_, left := folder(t, u, from)
	same(t, "all mails", append(moved, left...), rawOf(raws))
	if len(moved) == 0 {
		t.Error("nothing was moved")
	}
}

// TestIMAPValidity gives the folder another UIDVALIDITY: nothing is imported again.
func TestIMAPValidity(t *testing.T) {
	u := user(t)
	es, _ := fill(t, u, "INBOX", 30)
	sink := &basket{}
	job := &cold.Job{Name: "j", Launcher: imapOf(u), Sink: sink, Ledger: cold.NewMemoryLedger()}
	run(t, job)
	same(t, "first run", sink.list(), wanted(es))
	if err := servers.Forget(u, "INBOX"); err != nil {
		t.Fatal(err)
	}
	raw := []byte("From: <neuf@societe-exemple.invalid>\nMessage-ID: <neuf@x.invalid>\nMIME-Version: 1.0\nContent-Type: application/pdf; name=neuf.pdf\nContent-Disposition: attachment; filename=neuf.pdf\n\nneuf\n")
	if err := servers.Append(u, "INBOX", raw); err != nil {
		t.Fatal(err)
	}
	s := run(t, job)
	if s.Delivered != 1 || sink.twin != 0 {
		t.Errorf("%+v, %d keys twice; want the one new document", s, sink.twin)
	}
	if got := len(sink.list()); got != len(wanted(es))+1 {
		t.Errorf("%d documents, want %d", got, len(wanted(es))+1)
	}
	if s := run(t, job); s.Items != 0 {
		t.Errorf("third run: %+v", s)
	}
}
