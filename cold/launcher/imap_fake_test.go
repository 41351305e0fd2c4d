package launcher

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// fakeServer speaks just enough IMAP, and lies where a test tells it to.
type fakeServer struct {
	greeting string // default "* OK [CAPABILITY …] ready"
	caps     string
	validity uint32
	mails    map[uint32]string

	// on answers a command in place of the server if it returns true. n counts the
	// connections from 1.
	on func(c *fakeConn, tag, command string) bool
	// raw, if set, has the whole connection for itself.
	raw func(net.Conn)

	mu    sync.Mutex
	conns int
	log   []string // all commands
	wg    sync.WaitGroup
}

type fakeConn struct {
	net.Conn
	s *fakeServer
	n int
	r *bufio.Reader
}

func (c *fakeConn) say(format string, args ...any) { fmt.Fprintf(c.Conn, format+"\r\n", args...) }

func (s *fakeServer) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// start serves on loopback and returns settings for it.
func (s *fakeServer) start(t testing.TB) *IMAP {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.caps == "" {
		s.caps = "IMAP4rev1 MOVE UIDPLUS"
	}
	if s.validity == 0 {
		s.validity = 7
	}
	var open sync.Map
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			n := s.conns
			s.mu.Unlock()
			open.Store(nc, true)
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				defer nc.Close()
				if s.raw != nil {
					s.raw(nc)
					return
				}
				s.serve(&fakeConn{Conn: nc, s: s, n: n, r: bufio.NewReader(nc)})
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		open.Range(func(k, _ any) bool { k.(net.Conn).Close(); return true })
		s.wg.Wait()
	})
	return &IMAP{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, TLS: TLSNone, AllowInsecureAuth: true,
		Account: "alice", Password: settings.Secret("geheim"), Timeout: time.Second}
}

func (s *fakeServer) uids(set string) []uint32 {
	var out []uint32
	for uid := range s.mails {
		for part := range strings.SplitSeq(set, ",") {
			var a, b uint32
			switch {
			case part == "*":
				a, b = 1, 1<<32-1
			case strings.Contains(part, ":"):
				if n, _ := fmt.Sscanf(part, "%d:%d", &a, &b); n == 1 {
					b = 1<<32 - 1
				}
			default:
				fmt.Sscanf(part, "%d", &a)
				b = a
			}
			if uid >= a && uid <= b {
				out = append(out, uid)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// row is an honest FETCH answer with the body.
func (s *fakeServer) row(uid uint32) string {
	raw := s.mails[uid]
	return fmt.Sprintf("* %d FETCH (UID %d FLAGS () BODY[] {%d}\r\n%s)", uid, uid, len(raw), raw)
}

func (s *fakeServer) serve(c *fakeConn) {
	switch s.greeting {
	case "-": // somebody else has greeted
	case "":
		c.say("* OK [CAPABILITY %s] ready", s.caps)
	default:
		c.say("%s", s.greeting)
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		s.mu.Lock()
		s.log = append(s.log, command)
		s.mu.Unlock()
		if s.on != nil && s.on(c, tag, command) {
			continue
		}
		f := strings.Fields(command)
		verb := strings.ToUpper(f[0])
		if verb == "UID" {
			verb += " " + strings.ToUpper(f[1])
		}
		switch verb {
		case "CAPABILITY":
			c.say("* CAPABILITY %s", s.caps)
		case "NAMESPACE":
			c.say(`* NAMESPACE (("" "/")) NIL NIL`)
		case "LIST":
			c.say(`* LIST () "/" INBOX`)
		case "SELECT", "EXAMINE":
			c.say("* %d EXISTS", len(s.mails))
			c.say("* OK [UIDVALIDITY %d] ok", s.validity)
			c.say(`* OK [PERMANENTFLAGS (\Seen \Deleted \*)] ok`)
		case "UID SEARCH":
			c.say("* SEARCH%s", strings.TrimRight(" "+strings.Trim(fmt.Sprint(s.uids("1:*")), "[]"), " "))
		case "UID FETCH":
			for _, uid := range s.uids(f[2]) {
				if strings.Contains(command, "BODY.PEEK") {
					c.say("%s", s.row(uid))
				} else {
					c.say(`* %d FETCH (UID %d FLAGS () INTERNALDATE " 5-Jan-2026 08:00:00 +0100" RFC822.SIZE %d)`, uid, uid, len(s.mails[uid]))
				}
			}
		case "LOGOUT":
			c.say("* BYE bye")
			c.say("%s OK bye", tag)
			return
		}
		c.say("%s OK done", tag)
	}
}

// mailbox makes n mails with the UIDs 1 to n.
func mailbox(n int) map[uint32]string {
	m := map[uint32]string{}
	for i := range uint32(n) {
		m[i+1] = fmt.Sprintf("Subject: mail %d\r\nMessage-ID: <%d@example.test>\r\n\r\nBonjour %d\r\n", i+1, i+1, i+1)
	}
	return m
}

func newReader(c net.Conn) *bufio.Reader { return bufio.NewReader(c) }

// cutConn closes once it has written *left bytes.
type cutConn struct {
	net.Conn
	left *int
	cut  bool
}

func (c *cutConn) Write(p []byte) (int, error) {
	if !c.cut {
		return c.Conn.Write(p)
	}
	n := min(len(p), *c.left)
	*c.left -= n
	if n > 0 {
		_, _ = c.Conn.Write(p[:n])
	}
	if *c.left == 0 {
		c.Conn.Close()
		return n, io.ErrClosedPipe
	}
	return n, nil
}
