package connector

import (
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/transport/certtest"
)

// ron reads the part of Rusty Object Notation that the scripts use: (k: v), [v], {"k": v},
// "text", true, Word and Word(v, …). A struct and a map become map[string]any, a list and
// the arguments of a word []any, a word its name or {name: arguments}.
type ron struct {
	s string
	i int
}

func (r *ron) space() {
	for r.i < len(r.s) {
		switch {
		case strings.ContainsRune(" \t\r\n,", rune(r.s[r.i])):
			r.i++
		case strings.HasPrefix(r.s[r.i:], "//"):
			for r.i < len(r.s) && r.s[r.i] != '\n' {
				r.i++
			}
		default:
			return
		}
	}
}

func (r *ron) word() string {
	start := r.i
	for r.i < len(r.s) && (r.s[r.i] == '_' || r.s[r.i] >= 'a' && r.s[r.i] <= 'z' || r.s[r.i] >= 'A' && r.s[r.i] <= 'Z' || digit(r.s[r.i])) {
		r.i++
	}
	return r.s[start:r.i]
}

func (r *ron) value() (any, error) {
	r.space()
	if r.i == len(r.s) {
		return nil, io.ErrUnexpectedEOF
	}
	switch c := r.s[r.i]; {
	case c == '"':
		var b strings.Builder
		for r.i++; r.i < len(r.s) && r.s[r.i] != '"'; r.i++ {
			if r.s[r.i] == '\\' {
				r.i++
				b.WriteString(map[byte]string{'r': "\r", 'n': "\n", 't': "\t"}[r.s[r.i]])
				if !strings.ContainsRune("rnt", rune(r.s[r.i])) {
					b.WriteByte(r.s[r.i])
				}
				continue
			}
			b.WriteByte(r.s[r.i])
		}
		r.i++
		return b.String(), nil
	case c == '(' || c == '[' || c == '{':
		return r.group()
	default:
		w := r.word()
		if w == "" {
			return nil, fmt.Errorf("%q at %d", c, r.i)
		}
		r.space()
		if r.i < len(r.s) && r.s[r.i] == '(' {
			v, err := r.group()
			return map[string]any{w: v}, err
		}
		return w, nil
	}
}

func (r *ron) group() (any, error) {
	end := map[byte]byte{'(': ')', '[': ']', '{': '}'}[r.s[r.i]]
	r.i++
	m, l := map[string]any{}, []any{}
	for {
		r.space()
		if r.i == len(r.s) {
			return nil, io.ErrUnexpectedEOF
		}
		if r.s[r.i] == end {
			r.i++
			if len(m) > 0 || end == '}' {
				return m, nil
			}
			return l, nil
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		r.space()
		if k, ok := v.(string); ok && r.i < len(r.s) && r.s[r.i] == ':' {
			r.i++
			if m[k], err = r.value(); err != nil {
				return nil, err
			}
			continue
		}
		l = append(l, v)
	}
}

// ronOffers turns capabilities into lines of EHLO.
func ronOffers(v any) (lines []string, starttls, login bool) {
	list, _ := v.([]any)
	for _, c := range list {
		switch c := c.(type) {
		case string:
			lines = append(lines, strings.ToUpper(c))
			starttls = starttls || c == "StartTLS"
		case map[string]any:
			for _, m := range c["Auth"].([]any) {
				for _, one := range m.([]any) {
					name, _ := one.(string)
					if other, ok := one.(map[string]any); ok {
						name = other["Other"].([]any)[0].(string)
					}
					lines = append(lines, "AUTH="+strings.ToUpper(name))
					login = login || strings.EqualFold(name, "plain") || strings.EqualFold(name, "login")
				}
			}
		}
	}
	return lines, starttls, login
}

// TestNoSTARTTLS runs the scripts of the NO STARTTLS paper's fake server (Poddebniak and
// others, USENIX Security 2021): servers, or somebody in between, that try to get what is
// meant for the encrypted line in clear.
func TestNoSTARTTLS(t *testing.T) {
	t.Parallel()
	root := os.Getenv("VAGUEMESTRE_SAMPLES")
	if root == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set: the scripts are not run")
	}
	dir := filepath.Join(root, "mail", "nostarttls-fake-mail-server")
	ca, err := certtest.New()
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := certtest.New()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	var scripts []string
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".ron") && strings.Contains(filepath.ToSlash(p), "/smtp/") {
			scripts = append(scripts, p)
		}
		return err
	})
	if err != nil || len(scripts) < 59 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	var works atomic.Int64 // scripts of servers that do no wrong: without any the test would prove little
	t.Cleanup(func() {
		t.Logf("%d scripts, %d of them honest", len(scripts), works.Load())
		if works.Load() < 3 {
			t.Errorf("only %d scripts are expected to succeed", works.Load())
		}
	})
	for _, p := range scripts {
		name, _ := filepath.Rel(dir, p)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			v, err := (&ron{s: string(text)}).value()
			if err != nil {
				t.Fatal(err)
			}
			script := v.(map[string]any)
			left, signer, serverName := 90*24*time.Hour, ca, "example.org"
			crt := ""
			if cert, ok := script["cert"].(map[string]any); ok {
				crt = fmt.Sprint(cert["Cert"])
			}
			switch {
			case strings.Contains(crt, "self-signed"), strings.Contains(crt, "unknown-root"):
				signer = unknown
			case strings.Contains(crt, "expired"):
				left = -time.Hour
			case strings.Contains(name, "T_3"): // the right certificate at another name
				serverName = "example.com"
			}
			leaf, err := signer.Leaf(left, "example.org")
			if err != nil {
				t.Fatal(err)
			}
			overrides := map[string]string{}
			for k, v := range asMap(script["override_response"]) {
				overrides[strings.ToUpper(k)] = v.(string)
			}
			hidden := strings.ToUpper(fmt.Sprint(script["hide_commands"]))
			greeting, _ := script["greeting"].(string)
			stls, _ := script["stls_response"].(string)
			clearExt, offered, _ := ronOffers(script["capabilities"])
			tlsExt, _, login := ronOffers(script["capabilities_tls"])
			implicit := script["implicit_tls"] == "true"

			var encrypted atomic.Bool
			f := newFake(t, func(f *fake) {
				f.lenient = true // where the script lets TLS begin without a server for it
				f.password, f.implicit = canary, implicit
				f.tls = &tls.Config{Certificates: []tls.Certificate{leaf}, VerifyConnection: func(tls.ConnectionState) error { encrypted.Store(true); return nil }}
				f.ext = append([]string{"SIZE 100000"}, clearExt...)
				f.on = func(f *fake, verb, _ string) *action {
					if verb == "CONNECT" && greeting != "" {
						return &action{say: strings.TrimSuffix(greeting, "\r\n")}
					}
					if say, ok := overrides[verb]; ok {
						return &action{say: strings.TrimSuffix(say, "\r\n"), cut: verb == "STARTTLS"}
					}
					if verb != "CONNECT" && strings.Contains(hidden, verb) {
						return &action{say: "500 5.5.1 unknown"}
					}
					if verb == "STARTTLS" && stls != "" {
						return &action{say: strings.TrimSuffix(stls, "\r\n"), cut: true}
					}
					if verb == "EHLO" && encrypted.Load() && !implicit {
						return &action{say: "250-fake\r\n250-" + strings.Join(append([]string{"SIZE 100000"}, tlsExt...), "\r\n250-") + "\r\n250 HELP"}
					}
					return nil
				}
			})
			s := f.smtp(func(s *SMTP) {
				s.TLS, s.CAFile, s.ServerName, s.Account, s.Password, s.Timeout = TLSStartTLS, file, serverName, "admin", canary, time.Second
				if implicit {
					s.TLS = TLSImplicit
				}
			})
			good := (greeting == "" || strings.HasPrefix(greeting, "220")) && overrides["EHLO"] == "" && overrides["STARTTLS"] == "" && stls == "" &&
				!strings.Contains(hidden, "EHLO") && signer == ca && left > 0 && serverName == "example.org" && offered && login
			if good {
				works.Add(1)
			}
			start := time.Now()
			r, err := send(s, message("a@b.fr"))
			if (err == nil) != good || (len(f.sent()) == 1) != good {
				t.Errorf("sent %d, want success %v: %+v, %v", len(f.sent()), good, r, err)
			}
			if err != nil && class(err) == "" {
				t.Errorf("no class: %v", err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
			clear := f.inClear()
			for _, secret := range []string{"AUTH", "MAIL FROM", "marie@", canary, "Bonjour"} {
				if strings.Contains(clear, secret) {
					t.Errorf("%q went out in clear", secret)
				}
			}
		})
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
