package launcher

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/transport/certtest"
)

// script is what this test reads of one script of the NO STARTTLS paper's fake server
// (Poddebniak and others, USENIX Security 2021).
type script struct {
	kind      string // of the greeting
	override  string // of the greeting
	after     string // what is said right behind it
	starttls  string // the answer to STARTTLS
	stay      bool   // no TLS follows the answer
	ignored   bool   // STARTTLS is not answered
	hidden    bool   // STARTTLS is unknown
	implicit  bool
	caps      string
	authority string // words about the certificate
}

var (
	ronComment = regexp.MustCompile(`(?m)^\s*//.*$`)
	ronKind    = regexp.MustCompile(`kind:\s*(\w+)`)
	ronCert    = regexp.MustCompile(`crt_path:\s*"([^"]*)"`)
)

func ronText(src, key string) string {
	m := regexp.MustCompile(key + `:\s*(?:Some\()?"((?:[^"\\]|\\.)*)"`).FindStringSubmatch(src)
	if m == nil {
		return ""
	}
	s, err := strconv.Unquote(`"` + m[1] + `"`)
	if err != nil {
		return m[1]
	}
	return s
}

func readScript(text string) script {
	src := ronComment.ReplaceAllString(text, "")
	list := func(key string) string {
		m := regexp.MustCompile(key + `:\s*\[([^\]]*)\]`).FindStringSubmatch(src)
		if m == nil {
			return ""
		}
		return m[1]
	}
	s := script{
		override: ronText(src, `"greeting"`), after: ronText(src, "response_after_greeting"), starttls: ronText(src, "starttls_response"),
		stay:     regexp.MustCompile(`starttls_transition:\s*false`).MatchString(src),
		ignored:  strings.Contains(list("ignore_commands"), "starttls"),
		hidden:   strings.Contains(list("hide_commands"), "starttls"),
		implicit: regexp.MustCompile(`implicit_tls:\s*true`).MatchString(src),
		caps:     "IMAP4rev1 STARTTLS",
	}
	if m := ronKind.FindStringSubmatch(src); m != nil {
		s.kind = strings.ToUpper(m[1])
	}
	if m := ronCert.FindStringSubmatch(src); m != nil {
		s.authority = m[1]
	}
	if greeting, _, _ := strings.Cut(src, "text:"); strings.Contains(greeting, "Auth(Plain)") {
		s.caps += " AUTH=PLAIN AUTH=LOGIN"
	}
	return s
}

// honest tells whether TLS begins as it should.
func (s script) honest() bool {
	if s.kind != "OK" || s.override != "" || s.hidden || s.ignored {
		return false
	}
	if s.implicit {
		return true
	}
	if s.stay {
		return false
	}
	if s.starttls == "" {
		return true
	}
	before, ok, found := strings.Cut(s.starttls, "<tag> OK")
	_, behind, _ := strings.Cut(ok, "\r\n")
	return found && behind == "" && (before == "" || strings.HasPrefix(before, "* "))
}

// serve plays the script and then, under TLS, an honest server. It returns what came in
// clear.
func (s script) serve(nc net.Conn, cert tls.Certificate, mails map[uint32]string, clear *strings.Builder) {
	end := nc
	if s.implicit {
		end = tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	inner := &fakeServer{caps: "IMAP4rev1", validity: 7, mails: mails, greeting: "* OK hello"}
	if s.implicit {
		inner.serve(&fakeConn{Conn: end, s: inner, r: bufio.NewReader(end)})
		return
	}
	switch {
	case s.override != "":
		fmt.Fprint(nc, s.override)
	default:
		fmt.Fprintf(nc, "* %s [CAPABILITY %s] ready\r\n", s.kind, s.caps)
	}
	fmt.Fprint(nc, s.after)
	r := bufio.NewReader(nc)
	for {
		line, err := r.ReadString('\n')
		clear.WriteString(line)
		if err != nil {
			return
		}
		tag, cmd, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case cmd != "STARTTLS" && !s.hidden:
			fmt.Fprintf(nc, "%s OK whatever you say\r\n", tag)
			continue
		case s.hidden:
			fmt.Fprintf(nc, "%s BAD unknown\r\n", tag)
			continue
		case s.ignored:
			continue
		}
		say := s.starttls
		if say == "" {
			say = "<tag> OK begin\r\n"
		}
		fmt.Fprint(nc, strings.ReplaceAll(say, "<tag>", tag))
		if s.stay || !strings.Contains(say, "<tag> OK") {
			continue
		}
		c := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}})
		inner.greeting = "-"
		inner.serve(&fakeConn{Conn: c, s: inner, r: bufio.NewReader(c)})
		return
	}
}

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
	var names []string
	err = filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".ron") && strings.Contains(filepath.ToSlash(p), "/imap/") {
			names = append(names, p)
		}
		return err
	})
	if err != nil || len(names) < 70 {
		t.Fatalf("%d scripts, %v", len(names), err)
	}
	var works atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d scripts, %d of them honest", len(names), works.Load())
		if works.Load() < 3 {
			t.Errorf("only %d scripts are expected to succeed", works.Load())
		}
	})
	for _, p := range names {
		name, _ := filepath.Rel(dir, p)
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			sc := readScript(string(text))
			signer, left, serverName := ca, 24*time.Hour*90, "example.org"
			switch {
			case strings.Contains(sc.authority, "self-signed"), strings.Contains(sc.authority, "unknown-root"):
				signer = unknown
			case strings.Contains(sc.authority, "expired"):
				left = -time.Hour
			case strings.Contains(name, "T_3"): // the right certificate at another name
				serverName = "example.com"
			}
			cert, err := signer.Leaf(left, "example.org")
			if err != nil {
				t.Fatal(err)
			}
			good := sc.honest() && signer == ca && left > 0 && serverName == "example.org"
			if good {
				works.Add(1)
			}
			var clear strings.Builder
			t.Cleanup(func() { // the server has ended by then
				for _, secret := range []string{"alice", "geheim", "LOGIN", "AUTH", "SELECT",
					base64.StdEncoding.EncodeToString([]byte("\x00alice\x00geheim"))} {
					if strings.Contains(clear.String(), secret) {
						t.Errorf("%q went out in clear", secret)
					}
				}
			})
			srv := &fakeServer{raw: func(nc net.Conn) { sc.serve(nc, cert, mailbox(2), &clear) }}
			l := srv.start(t)
			l.TLS, l.CAFile, l.ServerName, l.AllowInsecureAuth = TLSStartTLS, file, serverName, false
			if sc.implicit {
				l.TLS = TLSImplicit
			}
			start := time.Now()
			k, err := collect(t, l)
			if (err == nil) != good || err == nil && len(k.whole) != 2 {
				t.Errorf("want success %v: %v", good, err)
			}
			if err != nil && vaguemestre.ClassOf(err) == "" {
				t.Errorf("no class: %v", err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
