package launcher

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/transport/certtest"
)

// popScript is what this test reads of one POP3 script of the NO STARTTLS paper's fake server.
type popScript struct {
	greeting, stls string
	stay           bool // no TLS follows the answer to STLS
	implicit       bool
}

func readPopScript(text string) popScript {
	src := ronComment.ReplaceAllString(text, "")
	s := popScript{greeting: ronText(src, "greeting"), stls: ronText(src, "stls_response"),
		stay: strings.Contains(src, "stls_make_transition: false"), implicit: strings.Contains(src, "implicit_tls: true")}
	if over := ronText(src, `"stls"`); over != "" {
		s.stls, s.stay = over, true
	}
	if s.stls == "" {
		s.stls = "+OK begin\r\n"
	}
	return s
}

// honest tells whether TLS begins as it should.
func (s popScript) honest() bool {
	if s.implicit {
		return true
	}
	line, behind, _ := strings.Cut(s.stls, "\r\n")
	_, more, _ := strings.Cut(s.greeting, "\r\n")
	word, _, _ := strings.Cut(line, " ")
	return strings.HasPrefix(s.greeting, "+OK ") && more == "" && word == "+OK" && behind == "" && !s.stay
}

// Nothing but STLS goes out before TLS, whatever a server says there, and without TLS nothing
// succeeds.
func TestPOP3NoSTARTTLS(t *testing.T) {
	t.Parallel()
	root := os.Getenv("VAGUEMESTRE_SAMPLES")
	if root == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set: the scripts are not run")
	}
	dir := filepath.Join(root, "mail", "nostarttls-fake-mail-server")
	scripts := map[string]popScript{"injection": {greeting: "+OK ready\r\n", stls: "+OK begin\r\n+OK\r\n+OK\r\n"},
		"honest": {greeting: "+OK ready\r\n", stls: "+OK begin\r\n"}}
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".ron") && strings.Contains(filepath.ToSlash(p), "/testcases/pop3/") {
			var text []byte
			if text, err = os.ReadFile(p); err == nil {
				scripts[strings.TrimPrefix(p, dir)] = readPopScript(string(text))
			}
		}
		return err
	})
	if err != nil || len(scripts) < 40 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	ca, err := certtest.New()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Leaf(24*time.Hour*90, "example.org")
	if err != nil {
		t.Fatal(err)
	}
	works := 0
	for name, sc := range scripts {
		var mu sync.Mutex
		var clear []string
		srv := &popServer{greeting: "-", caps: popCaps, mails: popMails(2)}
		srv.hold = func(c *popConn) bool {
			if sc.implicit {
				c.Conn = tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{cert}})
				fmt.Fprint(c, "+OK ready\r\n")
				return true
			}
			fmt.Fprint(c, sc.greeting)
			for r := bufio.NewReader(c); ; {
				line, err := r.ReadString('\n')
				if err != nil {
					return false
				}
				mu.Lock()
				clear = append(clear, strings.TrimSpace(line))
				mu.Unlock()
				if line != "STLS\r\n" {
					fmt.Fprint(c, "+OK whatever you say\r\n")
					continue
				}
				fmt.Fprint(c, sc.stls)
				if !sc.stay && strings.HasPrefix(sc.stls, "+OK") {
					c.Conn = tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{cert}})
					return true
				}
			}
		}
		l := srv.start(t)
		l.TLS, l.CAFile, l.ServerName, l.AllowInsecureAuth, l.Timeout = TLSStartTLS, file, "example.org", false, time.Second
		if sc.implicit {
			l.TLS = TLSImplicit
		}
		k, err := popCollect(t, l)
		if (err == nil) != sc.honest() || err == nil && len(k.whole) != 2 || err != nil && vaguemestre.ClassOf(err) == "" {
			t.Errorf("%s: %d came, %v; want success %v", name, len(k.whole), err, sc.honest())
		}
		if err == nil {
			works++
		}
		mu.Lock()
		for i, cmd := range clear {
			if i == 0 && cmd != "STLS" || i > 0 && !strings.HasPrefix(sc.stls, "+OK") { // behind +OK a handshake may come
				t.Errorf("%s: %q went out in clear", name, cmd)
			}
			for _, word := range []string{"alice", "geheim", "USER", "PASS", "AUTH", "CAPA"} {
				if strings.Contains(cmd, word) {
					t.Errorf("%s: %q went out in clear", name, word)
				}
			}
		}
		mu.Unlock()
	}
	if t.Logf("%d scripts, %d of them honest", len(scripts), works); works < 3 {
		t.Error("hardly one works")
	}
}
