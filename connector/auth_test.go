package connector

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

const canary = "canary-Pa55w0rd"

func secure(t *testing.T, mode TLSMode, set func(*fake)) (*fake, *SMTP) {
	t.Helper()
	cfg, file := certs(t, "127.0.0.1")
	f := newFake(t, func(f *fake) {
		f.tls, f.implicit, f.password = cfg, mode == TLSImplicit, canary
		f.ext = append(f.ext, "STARTTLS", "AUTH PLAIN LOGIN")
		if set != nil {
			set(f)
		}
	})
	return f, f.smtp(func(s *SMTP) {
		s.TLS, s.CAFile, s.Account, s.Password = mode, file, "admin", canary
	})
}

func TestLoginUnderTLS(t *testing.T) {
	t.Parallel()
	for _, mode := range []TLSMode{TLSImplicit, TLSStartTLS} {
		for _, auth := range []string{"", "auto", "plain", "login"} {
			f, s := secure(t, mode, nil)
			s.Auth = auth
			if r, err := send(s, message("a@b.fr")); err != nil {
				t.Fatalf("%s %s: %+v, %v", mode, auth, r, err)
			}
			if len(f.sent()) != 1 || strings.Contains(f.inClear(), "AUTH") || strings.Contains(f.inClear(), "Bonjour") {
				t.Errorf("%s %s: in clear: %q", mode, auth, f.inClear())
			}
		}
	}
}

func TestNoCredentialsInClear(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"auto", "plain", "login", "xoauth2", "oauthbearer"} {
		for _, offer := range []string{"AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER", "AUTH=PLAIN LOGIN", "X-NO-AUTH"} {
			f := newFake(t, func(f *fake) { f.ext = append(f.ext, offer); f.password = canary })
			s := f.smtp(func(s *SMTP) { s.Account, s.Password, s.Auth = "admin", canary, auth })
			r, err := send(s, message("a@b.fr"))
			if class(err) != vaguemestre.ClassConfig || len(f.sent()) != 0 || r.State == "accepted" {
				t.Fatalf("%s: %v", auth, err)
			}
			clear := f.inClear()
			if strings.Contains(clear, "AUTH") || strings.Contains(clear, canary) || strings.Contains(clear, base64.StdEncoding.EncodeToString([]byte(canary))) {
				t.Errorf("%s: in clear: %q", auth, clear)
			}
		}
	}
	f := newFake(t, func(f *fake) { f.ext = append(f.ext, "AUTH=LOGIN PLAIN"); f.password = canary })
	s := f.smtp(func(s *SMTP) { s.Account, s.Password, s.AllowInsecureAuth = "admin", canary, true })
	if _, err := send(s, message("a@b.fr")); err != nil {
		t.Errorf("allowed, yet %v", err)
	}
}

func TestStartTLSCannotBeStripped(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]string{
		"not offered":    "250-fake\r\n250-AUTH PLAIN\r\n250 OK",
		"offered, not 1": "250-fake\r\n250-XSTARTTLS\r\n250 AUTH PLAIN",
	} {
		f, s := secure(t, TLSStartTLS, func(f *fake) {
			f.on = func(_ *fake, v, _ string) *action {
				if v == "EHLO" {
					return &action{say: say}
				}
				return nil
			}
		})
		_, err := send(s, message("a@b.fr"))
		if class(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), "STARTTLS") || strings.Contains(f.inClear(), "AUTH") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, code := range []string{"454 4.7.0 not now", "502 no", "250 sure"} {
		f, s := secure(t, TLSStartTLS, func(f *fake) {
			f.on = func(_ *fake, v, _ string) *action {
				if v == "STARTTLS" {
					return &action{say: code, cut: true}
				}
				return nil
			}
		})
		if _, err := send(s, message("a@b.fr")); err == nil || strings.Contains(f.inClear(), "AUTH") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestTextInjectedBehindStartTLS(t *testing.T) {
	t.Parallel()
	for _, extra := range []string{"250 injected\r\n", "2", "250-a\r\n250 AUTH PLAIN\r\n", "235 ok\r\n250 ok\r\n250 ok\r\n354 ok\r\n250 ok\r\n"} {
		f, s := secure(t, TLSStartTLS, func(f *fake) {
			f.on = func(_ *fake, v, _ string) *action {
				if v == "STARTTLS" {
					return &action{say: "220 go\r\n" + strings.TrimSuffix(extra, "\r\n")}
				}
				return nil
			}
		})
		_, err := send(s, message("a@b.fr"))
		if class(err) != vaguemestre.ClassConfig || len(f.sent()) != 0 || strings.Contains(f.inClear(), "AUTH") {
			t.Errorf("%q: %v", extra, err)
		}
	}
}

func TestWhatWasOfferedInClearIsForgotten(t *testing.T) {
	t.Parallel()
	n := 0
	_, s := secure(t, TLSStartTLS, func(f *fake) {
		f.on = func(f *fake, v, _ string) *action {
			f.mu.Lock()
			defer f.mu.Unlock()
			if v == "EHLO" {
				if n++; n == 2 {
					return &action{say: "250 nothing"}
				}
			}
			return nil
		}
	})
	if _, err := send(s, message("a@b.fr")); class(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), "no authentication") {
		t.Error(err)
	}
}

func TestSecretsAreInNoError(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString([]byte("\x00admin\x00" + canary))
	for _, say := range []string{"535 5.7.8 wrong password " + canary, "535 5.7.8 you said AUTH PLAIN " + b64, "334 " + canary, "454 " + canary} {
		_, s := secure(t, TLSImplicit, func(f *fake) {
			f.on = func(_ *fake, v, _ string) *action {
				if v == "AUTH" {
					return &action{say: say}
				}
				return nil
			}
		})
		s.Timeout = 300 * time.Millisecond
		r, err := send(s, message("a@b.fr"))
		if err == nil {
			t.Fatal("accepted")
		}
		all := fmt.Sprintf("%v %+v %v %+v %#v %v", err, err, r, r, s.Password, s.Password)
		_ = s.Check(context.Background(), func(st vaguemestre.Step) { all += fmt.Sprintf("%+v %v", st, st.Err) })
		if strings.Contains(all, canary) || strings.Contains(all, b64) {
			t.Errorf("%q shows the password: %s", say, all)
		}
	}
}

func TestRefusedLoginsAreExplained(t *testing.T) {
	t.Parallel()
	for say, want := range map[string]struct {
		class vaguemestre.Class
		help  string
	}{
		"535 5.7.139 Authentication unsuccessful":                       {vaguemestre.ClassAuth, "Authenticated SMTP"},
		"535 5.7.3 Authentication unsuccessful":                         {vaguemestre.ClassAuth, "account or password"},
		"535-5.7.8 a\r\n535 5.7.8 b":                                    {vaguemestre.ClassAuth, "account or password"},
		"534-5.7.9 Application-specific\r\n534 5.7.9 password required": {vaguemestre.ClassAuth, "app password"},
		"550 5.7.30 Basic authentication is not supported":              {vaguemestre.ClassAuth, "retired"},
		"530 5.7.0 Must issue a STARTTLS":                               {vaguemestre.ClassConfig, "tls"},
		"454 4.7.0 temporary":                                           {vaguemestre.ClassSource, "later"},
		"432 4.3.2 concurrent":                                          {vaguemestre.ClassDeferred, "max_connections"},
		"504 5.7.4 unrecognized":                                        {vaguemestre.ClassConfig, "auth"},
	} {
		_, s := secure(t, TLSImplicit, func(f *fake) {
			f.on = func(_ *fake, v, _ string) *action {
				if v == "AUTH" {
					return &action{say: say}
				}
				return nil
			}
		})
		_, err := send(s, message("a@b.fr"))
		if class(err) != want.class || !strings.Contains(err.Error(), want.help) || !strings.Contains(err.Error(), say[:3]) {
			t.Errorf("%q: class %s: %v", say, class(err), err)
		}
		var failed vaguemestre.Step
		_ = s.Check(context.Background(), func(st vaguemestre.Step) {
			if st.Status == vaguemestre.StatusFailed {
				failed = st
			}
		})
		if failed.Name != "auth" || !strings.Contains(failed.Help, want.help) {
			t.Errorf("%q: step %+v", say, failed)
		}
	}
}

func TestAppPasswords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ host, in, want string }{
		{"smtp.gmail.com", "abcd efgh ijkl mnop", "abcdefghijklmnop"},
		{"SMTP.GMAIL.COM.", " abcd\u00a0efgh ijkl mnop ", "abcdefghijklmnop"},
		{"smtp-relay.google.com", "abcd efgh ijkl mnop", "abcdefghijklmnop"},
		{"smtp.gmail.com", "abcdefghijklmnop", "abcdefghijklmnop"},
		{"smtp.gmail.com", "abcd efgh ijkl mno1", "abcd efgh ijkl mno1"},
		{"smtp.gmail.com", "my own pass word", "my own pass word"},
		{"smtp.gmail.com", "correct horse battery staple", "correct horse battery staple"},
		{"smtp.mondaine.fr", "abcd efgh ijkl mnop", "abcd efgh ijkl mnop"},
		{"evilgmail.com", "abcd efgh ijkl mnop", "abcd efgh ijkl mnop"},
	} {
		s := &SMTP{Host: c.host, Password: settings.Secret(c.in)}
		if got := s.secret(); got != c.want {
			t.Errorf("%s, %q: %q", c.host, c.in, got)
		}
	}
}

func TestALongTokenWaitsForItsChallenge(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("t", 2000)
	f, s := secure(t, TLSImplicit, func(f *fake) {
		f.ext = append(f.ext[:5], "AUTH XOAUTH2")
		f.on = func(_ *fake, v, cmd string) *action {
			if v == "AUTH" {
				if cmd != "AUTH XOAUTH2" {
					return &action{say: "501 too long"}
				}
				return &action{say: "334 "}
			}
			if len(v) > 1000 {
				return &action{say: "235 2.7.0 welcome"}
			}
			return nil
		}
	})
	s.Auth, s.Password = "xoauth2", settings.Secret(token)
	if _, err := send(s, message("a@b.fr")); err != nil || len(f.sent()) != 1 {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	walk := func(s *SMTP) (string, error) {
		var got []string
		err := s.Check(context.Background(), func(st vaguemestre.Step) {
			got = append(got, st.Name+":"+string(st.Status))
			if st.Status == vaguemestre.StatusFailed && (st.Help == "" || st.Err == nil) {
				t.Errorf("%+v has no help", st)
			}
		})
		return strings.Join(got, " "), err
	}
	f, s := secure(t, TLSImplicit, nil)
	got, err := walk(s)
	if err != nil || got != "dns:ok tcp:ok tls:ok greeting:ok ehlo:ok auth:ok sender:ok" {
		t.Errorf("%s, %v", got, err)
	}
	f2, s2 := secure(t, TLSStartTLS, nil)
	got, err = walk(s2)
	if err != nil || got != "dns:ok tcp:ok greeting:ok ehlo:ok starttls:ok tls:ok auth:ok sender:ok" {
		t.Errorf("%s, %v", got, err)
	}
	for _, f := range []*fake{f, f2} {
		for _, c := range f.commands() {
			if strings.HasPrefix(c, "DATA") {
				t.Errorf("the check says %q", c)
			}
		}
		if cmd := f.commands(); !slices.Contains(cmd, "RSET") {
			t.Errorf("the check does not take its sender back: %q", cmd)
		}
	}
	s3 := &SMTP{Host: s.Host, Port: s.Port, CAFile: "missing.pem", Account: "a", Password: "b", Sender: "a@b.fr"}
	got, err = walk(s3)
	if err == nil || got != "dns:ok tcp:skipped tls:failed greeting:skipped ehlo:skipped auth:skipped sender:skipped" {
		t.Errorf("%s, %v", got, err)
	}
	s3.TLS = TLSStartTLS
	got, err = walk(s3)
	if err == nil || got != "dns:ok tcp:skipped greeting:skipped ehlo:skipped starttls:skipped tls:failed auth:skipped sender:skipped" {
		t.Errorf("%s, %v", got, err)
	}
	_, s6 := secure(t, TLSStartTLS, nil)
	s6.ServerName = "other.mondaine.fr"
	got, err = walk(s6)
	if class(err) != vaguemestre.ClassConfig || got != "dns:ok tcp:ok greeting:ok ehlo:ok starttls:ok tls:failed auth:skipped sender:skipped" {
		t.Errorf("%s, %v", got, err)
	}
	f4 := newFake(t, func(f *fake) {
		f.on = func(_ *fake, v, _ string) *action {
			if v == "MAIL" {
				return &action{say: "553 5.7.1 not yours"}
			}
			return nil
		}
	})
	got, err = walk(f4.smtp(nil))
	if class(err) != vaguemestre.ClassAuth || got != "dns:ok tcp:ok tls:ok greeting:ok ehlo:ok sender:failed" {
		t.Errorf("%s, %v", got, err)
	}
	// A plain port behind implicit TLS.
	f5 := newFake(t, func(f *fake) { f.lenient = true }) // a TLS hello is no SMTP
	got, err = walk(f5.smtp(func(s *SMTP) { s.TLS = TLSImplicit }))
	if class(err) != vaguemestre.ClassConfig || !strings.HasPrefix(got, "dns:ok tcp:ok tls:failed greeting:skipped") {
		t.Errorf("%s, %v", got, err)
	}
}
