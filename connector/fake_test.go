package connector

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/transport/certtest"
	"github.com/vaguemestre/vaguemestre/router"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// action is what the fake does in place of its usual answer.
type action struct {
	say   string // without the line end; several lines with \r\n between
	cut   bool   // closes, after say if there is one
	stall bool   // says nothing until the client goes away
	split bool   // the answer comes byte by byte
	raw   bool   // say is written as it is, and the usual answer follows
}

// fake is an SMTP server that checks every byte it gets.
type fake struct {
	t        *testing.T
	port     int
	ext      []string
	tls      *tls.Config
	implicit bool
	on       func(f *fake, verb, line string) *action // nil is the usual answer
	password string
	lenient  bool // does not complain
	cutAfter int  // closes after so many bytes of content; 0 never

	mu         sync.Mutex
	mails      []taken
	lines      []string // commands, all connections
	conns      int
	violations []string
	clear      bytes.Buffer // all that came in clear
}

// taken is a mail that the fake answered 250.
type taken struct {
	from  string
	rcpts []string
	data  []byte // without the doubled dots and the final one

	notify []router.Notify // of the last RCPT
}

func newFake(t *testing.T, set func(*fake)) *fake {
	t.Helper()
	f := &fake{t: t, ext: []string{"PIPELINING", "SIZE 10000000", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"}}
	if set != nil {
		set(f)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.port = l.Addr().(*net.TCPAddr).Port
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	done := false
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			if done {
				c.Close()
			}
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { defer c.Close(); f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		done = true
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, v := range f.violations {
			t.Errorf("on the wire: %s", v)
		}
	})
	return f
}

// smtp is a connector to the fake.
func (f *fake) smtp(set func(*SMTP)) *SMTP {
	s := &SMTP{Host: "127.0.0.1", Port: f.port, TLS: TLSNone, Sender: "admin@mondaine.fr", Timeout: 2 * time.Second}
	if set != nil {
		set(s)
	}
	f.t.Cleanup(func() { s.Close() })
	return s
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lenient {
		return
	}
	f.violations = append(f.violations, fmt.Sprintf(format, args...))
}

func (f *fake) inClear() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clear.String()
}

func (f *fake) sent() []taken {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]taken{}, f.mails...)
}

func (f *fake) commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.lines...)
}

func (f *fake) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns
}

// tap keeps what comes in clear.
type tap struct {
	net.Conn
	f *fake
}

func (t tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.f.mu.Lock()
	t.f.clear.Write(p[:n])
	t.f.mu.Unlock()
	return n, err
}

func (f *fake) serve(raw net.Conn) {
	f.mu.Lock()
	f.conns++
	f.mu.Unlock()
	var c net.Conn = tap{raw, f}
	if f.implicit {
		c = tls.Server(c, f.tls)
	}
	r := bufio.NewReaderSize(c, 64<<10)
	line := func() (string, bool) {
		b, err := r.ReadBytes('\n')
		if err != nil {
			return "", false
		}
		if !bytes.HasSuffix(b, []byte("\r\n")) || bytes.IndexByte(b, '\r') != len(b)-2 || bytes.IndexByte(b, 0) >= 0 {
			f.note("bad line %q", b)
		}
		return string(bytes.TrimRight(b, "\r\n")), true
	}
	// answer reports whether the session goes on.
	answer := func(verb, cmd, usual string) bool {
		say := usual + "\r\n"
		if f.on != nil {
			if a := f.on(f, verb, cmd); a != nil {
				if a.stall {
					io.Copy(io.Discard, r)
					return false
				}
				if a.raw {
					say = a.say + say
				} else if a.say != "" || a.cut {
					say = ""
					if a.say != "" {
						say = a.say + "\r\n"
					}
				}
				if a.split {
					for i := range len(say) {
						if _, err := c.Write([]byte{say[i]}); err != nil {
							return false
						}
					}
					return !a.cut
				}
				if _, err := io.WriteString(c, say); err != nil || a.cut {
					return false
				}
				return true
			}
		}
		_, err := io.WriteString(c, say)
		return err == nil
	}
	if !answer("CONNECT", "", "220 fake ready") {
		return
	}
	var m taken
	in := false
	for {
		cmd, ok := line()
		if !ok {
			return
		}
		f.mu.Lock()
		f.lines = append(f.lines, cmd)
		f.mu.Unlock()
		verb, arg, _ := strings.Cut(cmd, " ")
		verb = strings.ToUpper(verb)
		switch verb {
		case "EHLO":
			if !answer(verb, cmd, "250-fake\r\n250-"+strings.Join(f.ext, "\r\n250-")+"\r\n250 HELP") {
				return
			}
		case "STARTTLS":
			if !answer(verb, cmd, "220 2.0.0 go ahead") {
				return
			}
			c = tls.Server(c, f.tls)
			r = bufio.NewReaderSize(c, 64<<10)
		case "AUTH":
			mech, ir, _ := strings.Cut(arg, " ")
			if ir == "" && mech == "LOGIN" {
				io.WriteString(c, "334 VXNlcm5hbWU6\r\n")
				u, _ := line()
				io.WriteString(c, "334 UGFzc3dvcmQ6\r\n")
				p, _ := line()
				ub, _ := base64.StdEncoding.DecodeString(u)
				pb, _ := base64.StdEncoding.DecodeString(p)
				ir = base64.StdEncoding.EncodeToString([]byte("\x00" + string(ub) + "\x00" + string(pb)))
			}
			b, _ := base64.StdEncoding.DecodeString(ir)
			say := "235 2.7.0 welcome"
			if !strings.HasSuffix(string(b), "\x00"+f.password) {
				say = "535 5.7.8 wrong"
			}
			if !answer(verb, cmd, say) {
				return
			}
		case "MAIL":
			in = false
			m = taken{from: between(arg)}
			ok := answer(verb, cmd, "250 2.1.0 ok")
			if !ok {
				return
			}
		case "RCPT":
			addr := between(arg)
			say := "250 2.1.5 ok"
			if !answer(verb, addr, say) {
				return
			}
			m.notify = nil
			if _, list, ok := strings.Cut(arg, " NOTIFY="); ok {
				if !f.offers("DSN") {
					f.note("NOTIFY without DSN: %q", cmd)
				}
				list, _, _ = strings.Cut(list, " ")
				for n := range strings.SplitSeq(strings.ToLower(list), ",") {
					m.notify = append(m.notify, router.Notify(n))
				}
			}
			if f.on == nil || f.on(f, "TAKES", addr) == nil {
				m.rcpts = append(m.rcpts, addr)
				in = true
			}
		case "DATA":
			say := "354 go"
			if !in {
				say = "554 5.5.1 no valid recipients"
			}
			if f.on != nil {
				if a := f.on(f, verb, cmd); a != nil && !a.split {
					if !answer(verb, cmd, say) {
						return
					}
					continue
				}
			}
			if !answer(verb, cmd, say) {
				return
			}
			if !in {
				continue
			}
			if f.cutAfter > 0 {
				io.CopyN(io.Discard, r, int64(f.cutAfter))
				return
			}
			m.data = nil
			for {
				b, err := r.ReadBytes('\n')
				if err != nil {
					return
				}
				if !bytes.HasSuffix(b, []byte("\r\n")) || bytes.IndexByte(b, '\r') != len(b)-2 || bytes.IndexByte(b, 0) >= 0 || len(b) > 1000 {
					f.note("bad content line %q", b)
				}
				if string(b) == ".\r\n" {
					break
				}
				m.data = append(m.data, bytes.TrimPrefix(b, []byte("."))...)
			}
			if f.on == nil || f.on(f, "KEEPS", "") == nil {
				f.mu.Lock()
				f.mails = append(f.mails, m)
				f.mu.Unlock()
			}
			if !answer("DOT", "", "250 2.0.0 queued as 4ABC") {
				return
			}
		case "RSET":
			in = false
			if !answer(verb, cmd, "250 2.0.0 ok") {
				return
			}
		case "QUIT":
			answer(verb, cmd, "221 2.0.0 bye")
			return
		default:
			if !answer(verb, cmd, "500 5.5.1 unknown") {
				return
			}
		}
	}
}

func (f *fake) offers(ext string) bool { return slices.Contains(f.ext, ext) }

func between(s string) string {
	i, j := strings.IndexByte(s, '<'), strings.IndexByte(s, '>')
	if i < 0 || j < i {
		return ""
	}
	return s[i+1 : j]
}

// message is a small mail.
func message(to ...string) *router.Message {
	return &router.Message{From: "Marie Curé <marie@mondaine.fr>", To: to, Subject: "Facture n° 12",
		Text: "Bonjour,\n.\nvoici la facture.\n", MessageID: "m1@mondaine.fr", Date: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
}

func send(s *SMTP, m *router.Message) (*router.Receipt, error) {
	return s.SendMail(context.Background(), m)
}

func class(err error) vaguemestre.Class { return vaguemestre.ClassOf(err) }

// certs makes a server's TLS settings and the file of its authority.
func certs(t *testing.T, names ...string) (*tls.Config, string) {
	t.Helper()
	ca, err := certtest.New()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Leaf(90*24*time.Hour, names...)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{leaf}}, file
}
