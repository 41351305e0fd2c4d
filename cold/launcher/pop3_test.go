package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// popTaken is what a session brought.
type popTaken struct {
	items  []cold.Item
	whole  map[string]string // by key; confirmed
	failed map[string]error
	unsure map[string]bool // given and not confirmed
}

// popCollect lists and opens everything in one session.
func popCollect(t *testing.T, l *POP3) (popTaken, error) {
	t.Helper()
	k := popTaken{whole: map[string]string{}, failed: map[string]error{}, unsure: map[string]bool{}}
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		return k, err
	}
	defer s.Close()
	page, err := s.List(t.Context(), "")
	if err != nil {
		return k, err
	}
	k.items = page.Items
	given := map[string]string{}
	err = s.Open(t.Context(), page.Items, func(it cold.Item, c *cold.Content) error {
		switch {
		case c == nil:
			k.whole[it.Key] = given[it.Key]
			delete(k.unsure, it.Key)
		case c.Err != nil:
			k.failed[it.Key] = c.Err
		default:
			k.unsure[it.Key] = true
			b, err := io.ReadAll(c.Body)
			if vaguemestre.ClassOf(err) == vaguemestre.ClassPoison {
				k.failed[it.Key] = err
				return nil
			}
			given[it.Key] = string(b)
			return err
		}
		return nil
	})
	return k, err
}

// popDelete deletes what a listing shows.
func popDelete(t *testing.T, l *POP3) ([]cold.Receipt, error) {
	t.Helper()
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return s.Settle(t.Context(), page.Items, cold.Delete())
}

func outcomes(rs []cold.Receipt) string {
	n := map[cold.Outcome]int{}
	for _, r := range rs {
		n[r.Outcome]++
	}
	return fmt.Sprint(n)
}

func (c *popConn) drop() { c.Conn.Close() }

func TestPOP3Settings(t *testing.T) {
	t.Parallel()
	good := func() *POP3 { return &POP3{Host: "pop.example.org", Account: "a", Password: "b"} }
	for name, set := range map[string]func(*POP3){
		"host": func(l *POP3) { l.Host = "" }, "account": func(l *POP3) { l.Account = "" }, "password": func(l *POP3) { l.Password = "" },
		"tls": func(l *POP3) { l.TLS = "ssl" }, "line end": func(l *POP3) { l.Password = "a\r\nDELE 1" },
	} {
		l := good()
		set(l)
		if _, err := l.Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, do := range []cold.After{cold.MarkSeen(), cold.Tag("x"), cold.MoveTo("x"), {Do: "burn"}} {
		if err := good().Supports(do); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), "use leave or delete") {
			t.Errorf("%v: %v", do, err)
		}
	}
	for mode, port := range map[TLSMode]int{"": 995, TLSImplicit: 995, TLSStartTLS: 110, TLSNone: 110} {
		l := good()
		l.TLS = mode
		if e := l.Endpoints(); len(e) != 1 || e[0].Port != port || e[0].Host != l.Host {
			t.Errorf("%q: %+v", mode, e)
		}
	}
}

// What refuses a login has a class that a scheduler can act upon, and no secret.
func TestPOP3Refusals(t *testing.T) {
	t.Parallel()
	for say, want := range map[string]struct {
		class vaguemestre.Class
		wait  bool
	}{
		"-ERR [IN-USE] locked":              {vaguemestre.ClassBusy, true},
		"-ERR [LOGIN-DELAY] wait":           {vaguemestre.ClassBusy, true},
		"-ERR [SYS/TEMP] disk":              {vaguemestre.ClassSource, false},
		"-ERR [SYS/PERM] account is gone":   {vaguemestre.ClassConfig, false},
		"-ERR [AUTH] geheim is wrong":       {vaguemestre.ClassAuth, false},
		"-ERR no: PASS geheim":              {vaguemestre.ClassAuth, false},
		"-ERR maildrop is already locked":   {vaguemestre.ClassSource, false},
		"geheim":                            {vaguemestre.ClassSource, false},
		"+OKAY geheim":                      {vaguemestre.ClassSource, false},
		strings.Repeat("geheim", 1<<16):     {vaguemestre.ClassSource, false},
		"-ERR " + strings.Repeat("x", 4000): {vaguemestre.ClassAuth, false},
	} {
		srv := &popServer{on: func(c *popConn, command string) bool {
			if strings.HasPrefix(command, "PASS") {
				c.say("%s", say)
				return true
			}
			return false
		}}
		_, err := srv.start(t).Connect(t.Context(), nil)
		var e *vaguemestre.Error
		if !errors.As(err, &e) || e.Class != want.class || (e.RetryAfter > 0) != want.wait {
			t.Errorf("%.40q: class %q, %v", say, vaguemestre.ClassOf(err), err)
		}
		if strings.Contains(fmt.Sprint(err), "geheim") || len(fmt.Sprint(err)) > 600 {
			t.Errorf("%.40q: the error says too much: %v", say, err)
		}
	}
}

// A greeting that is none sends nothing; one that refuses keeps its class.
func TestPOP3Greetings(t *testing.T) {
	t.Parallel()
	for say, class := range map[string]vaguemestre.Class{
		"* OK IMAP4rev1": vaguemestre.ClassConfig, "220 ESMTP": vaguemestre.ClassConfig, "": vaguemestre.ClassConfig,
		"-ERR [SYS/TEMP] too busy": vaguemestre.ClassSource, "-ERR [IN-USE] x": vaguemestre.ClassBusy, "-ERR go away": vaguemestre.ClassSource,
	} {
		srv := &popServer{greeting: say + " "}
		l := srv.start(t)
		if _, err := l.Connect(t.Context(), nil); vaguemestre.ClassOf(err) != class {
			t.Errorf("%q: %q, %v", say, vaguemestre.ClassOf(err), err)
		}
		if got := srv.commands(); len(got) > 0 {
			t.Errorf("%q: it was told %q", say, got)
		}
	}
}

// The password goes out in clear only if that is allowed, and auto never falls back to it.
func TestPOP3NoPasswordInClear(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"auto", "user", "plain", "login", "xoauth2"} {
		for _, caps := range [][]string{nil, popCaps, {"USER"}, {"SASL PLAIN LOGIN"}} {
			srv := &popServer{caps: caps}
			l := srv.start(t)
			l.AllowInsecureAuth, l.Auth = false, auth
			if _, err := l.Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
				t.Errorf("%s: %v", auth, err)
			}
			for _, cmd := range srv.commands() {
				if cmd != "CAPA" {
					t.Errorf("%s: %q went out", auth, cmd)
				}
			}
		}
	}
	srv := &popServer{mails: popMails(1)}
	l := srv.start(t)
	l.AllowInsecureAuth, l.Auth = false, "apop"
	if k, err := popCollect(t, l); err != nil || len(k.whole) != 1 {
		t.Errorf("APOP: %v", err)
	}
}

// Every way to log in that the fake knows works; the wrong password is told from an outage.
func TestPOP3Logins(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"auto", "user", "apop", "plain", "xoauth2"} {
		srv := &popServer{caps: popCaps, mails: popMails(2)}
		l := srv.start(t)
		l.Auth = auth
		if k, err := popCollect(t, l); err != nil || len(k.whole) != 2 {
			t.Errorf("%s: %v", auth, err)
		}
		l.Password = "falsch"
		_, err := l.Connect(t.Context(), nil)
		if vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || strings.Contains(err.Error(), "falsch") {
			t.Errorf("%s with a wrong password: %v", auth, err)
		}
	}
}

// A token that is refused is renewed once, over a new connection if the server hangs up.
func TestPOP3TokenIsRenewed(t *testing.T) {
	t.Parallel()
	for _, hangsUp := range []bool{false, true} {
		srv := &popServer{caps: popCaps, mails: popMails(1)}
		if hangsUp {
			srv.on = func(c *popConn, command string) bool {
				if c.n == 1 && command == "AUTH XOAUTH2" {
					c.say("-ERR [AUTH] expired")
					c.drop()
					return true
				}
				return false
			}
		}
		l := srv.start(t)
		var asked []string
		l.ask = func(_ context.Context, stale string) (string, error) {
			asked = append(asked, stale)
			if stale == "" {
				return "stale-token", nil
			}
			return "geheim", nil
		}
		l.Password = ""
		if err := l.OAuthAccount.UnmarshalText([]byte("compta")); err != nil {
			t.Fatal(err)
		}
		if k, err := popCollect(t, l); err != nil || len(k.whole) != 1 || !slices.Equal(asked, []string{"", "stale-token"}) {
			t.Errorf("hangs up %v: asked %q: %v", hangsUp, asked, err)
		}
		_, err := func() (cold.Session, error) {
			l := (&popServer{caps: popCaps}).start(t)
			l.ask = func(context.Context, string) (string, error) { return "stale-token", nil }
			l.Password = ""
			_ = l.OAuthAccount.UnmarshalText([]byte("compta"))
			return l.Connect(t.Context(), nil)
		}()
		if vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || strings.Contains(err.Error(), "stale-token") || !strings.Contains(err.Error(), "fresh token") {
			t.Errorf("refused for good: %v", err)
		}
	}
}

// A mailbox that is cut at every byte of the dialogue never gives half a mail, and the next
// session gets all of them.
func TestPOP3CutAnywhere(t *testing.T) {
	t.Parallel()
	mails := popMails(3)
	mails[1].raw = "Subject: x\r\n\r\n" + strings.Repeat(".line\r\n", 30)
	want := map[string]bool{}
	for _, m := range mails {
		want[m.raw] = true
	}
	for cut := 1; ; cut += 7 {
		var mu sync.Mutex
		left, hit := cut, false
		srv := &popServer{caps: popCaps, mails: mails}
		l := srv.start(t)
		proxy, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		target := fmt.Sprintf("127.0.0.1:%d", l.Port)
		go func() {
			for {
				in, err := proxy.Accept()
				if err != nil {
					return
				}
				out, err := net.Dial("tcp", target)
				if err != nil {
					in.Close()
					return
				}
				go func() { io.Copy(out, in); out.Close() }()
				go func() {
					defer in.Close()
					buf := make([]byte, 512)
					for {
						n, err := out.Read(buf)
						mu.Lock()
						if !hit && n >= left {
							hit, n, err = true, left, io.EOF
						}
						left -= n
						mu.Unlock()
						in.Write(buf[:n])
						if err != nil {
							out.Close()
							return
						}
					}
				}()
			}
		}()
		l.Port = proxy.Addr().(*net.TCPAddr).Port
		k, err := popCollect(t, l)
		for key, raw := range k.whole {
			if !want[raw] {
				t.Fatalf("cut at %d: %s is no mail: %q", cut, key, raw)
			}
		}
		if len(k.failed) > 0 {
			t.Fatalf("cut at %d: one cut blames %v", cut, k.failed)
		}
		if err != nil {
			if vaguemestre.ClassOf(err) == "" {
				t.Fatalf("cut at %d: no class: %v", cut, err)
			}
			if k, err = popCollect(t, l); err != nil {
				t.Fatalf("cut at %d, again: %v", cut, err)
			}
		}
		if len(k.whole) != 3 {
			t.Fatalf("cut at %d: %d mails, %v", cut, len(k.whole), err)
		}
		proxy.Close()
		if !hit {
			if cut < 300 {
				t.Fatalf("the dialogue had %d bytes only", cut)
			}
			return
		}
	}
}

// The last session's login makes the next one wait, unless it only looks.
func TestPOP3MinInterval(t *testing.T) {
	t.Parallel()
	srv := &popServer{caps: append(slices.Clone(popCaps), "LOGIN-DELAY 300")}
	l := srv.start(t)
	now := time.Unix(1000, 0)
	l.clock = func() time.Time { return now }
	connect := func(o *cold.ConnectOptions) error {
		s, err := l.Connect(t.Context(), o)
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := connect(nil); err != nil {
		t.Fatal(err)
	}
	now = now.Add(100 * time.Second)
	err := connect(nil)
	var e *vaguemestre.Error
	if !errors.As(err, &e) || !errors.Is(err, vaguemestre.ErrBusy) || e.RetryAfter != 200*time.Second {
		t.Errorf("%v", err)
	}
	if err := connect(&cold.ConnectOptions{ReadOnly: true}); err != nil {
		t.Errorf("read-only: %v", err)
	}
	if err := l.Check(t.Context(), nil); err != nil {
		t.Errorf("check: %v", err)
	}
	now = now.Add(200 * time.Second)
	if err := connect(nil); err != nil {
		t.Error(err)
	}
}

// A context that ends drops the connection within a second, whatever the server does not do.
func TestPOP3Context(t *testing.T) {
	t.Parallel()
	for _, silent := range []string{"CAPA", "PASS", "LIST", "RETR", "DELE", "QUIT"} {
		srv := &popServer{mails: popMails(2), on: func(_ *popConn, command string) bool { return strings.HasPrefix(command, silent) }}
		l := srv.start(t)
		l.Timeout = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := func() error {
			s, err := l.Connect(ctx, nil)
			if err != nil {
				return err
			}
			page, err := s.List(ctx, "")
			if err == nil {
				err = s.Open(ctx, page.Items, func(cold.Item, *cold.Content) error { return nil })
			}
			if err == nil {
				_, err = s.Settle(ctx, page.Items, cold.Delete())
			}
			if _, late := s.List(t.Context(), ""); late == nil {
				t.Errorf("%s: the session goes on", silent)
			}
			return err
		}()
		if vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || time.Since(start) > time.Second {
			t.Errorf("%s: %v after %v", silent, err, time.Since(start))
		}
		if got := srv.subjects(); len(got) != 2 {
			t.Errorf("%s: %q are left", silent, got)
		}
	}
}
