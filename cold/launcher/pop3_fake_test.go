package launcher

import (
	"bufio"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// popServer is a small POP3 server, and lies where a test tells it to.
type popServer struct {
	greeting string   // default "+OK ready <1.2@fake>"
	caps     []string // nil: no CAPA
	noUIDL   bool
	noTop    bool
	cert     *tls.Certificate

	// on answers a command in place of the server if it returns true.
	on func(c *popConn, command string) bool
	// hold has the connection before the server; false ends it.
	hold func(c *popConn) bool

	mu    sync.Mutex
	mails []*popFake
	conns int
	log   []string // all commands
	wg    sync.WaitGroup
}

type popFake struct{ id, raw string }

type popConn struct {
	net.Conn
	s     *popServer
	n     int // counts the connections from 1
	mails []*popFake
	gone  map[int]bool
}

func (c *popConn) say(format string, args ...any) { fmt.Fprintf(c.Conn, format+"\r\n", args...) }

// stuff writes raw as the content of an answer (RFC 1939 section 3).
func stuff(raw string) string {
	out := strings.ReplaceAll(raw, "\r\n.", "\r\n..")
	if strings.HasPrefix(out, ".") {
		out = "." + out
	}
	if out != "" && !strings.HasSuffix(out, "\r\n") {
		out += "\r\n"
	}
	return out + ".\r\n"
}

var popCaps = []string{"TOP", "UIDL", "RESP-CODES", "PIPELINING", "USER", "SASL PLAIN XOAUTH2"}

func popMails(n int) []*popFake {
	var out []*popFake
	for i := range n {
		out = append(out, &popFake{fmt.Sprintf("id-%08d", i), fmt.Sprintf("Subject: mail %d\r\nMessage-ID: <m%d@example.org>\r\n\r\nBonjour %d\r\n.\r\n..\r\nfin\r\n", i, i, i)})
	}
	return out
}

// start serves on loopback and returns settings for it.
func (s *popServer) start(t testing.TB) *POP3 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
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
			open.Store(nc, true)
			s.mu.Lock()
			s.conns++
			c := &popConn{Conn: nc, s: s, n: s.conns, gone: map[int]bool{}}
			s.mu.Unlock()
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				defer nc.Close()
				c.serve()
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		open.Range(func(k, _ any) bool { k.(net.Conn).Close(); return true })
		s.wg.Wait()
	})
	return &POP3{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, TLS: TLSNone, AllowInsecureAuth: true,
		Account: "alice", Password: settings.Secret("geheim"), Timeout: 3 * time.Second, MinInterval: 1}
}

// put gives the mailbox other mails.
func (s *popServer) put(mails ...*popFake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = mails
}

func (s *popServer) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *popServer) subjects() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.mails {
		_, rest, _ := strings.Cut(m.raw, "Subject: ")
		one, _, _ := strings.Cut(rest, "\r\n")
		out = append(out, one)
	}
	return out
}

func (c *popConn) serve() {
	s := c.s
	if s.hold != nil && !s.hold(c) {
		return
	}
	r := bufio.NewReader(c)
	if s.greeting == "" {
		c.say("+OK ready <1.2@fake>")
	} else if s.greeting != "-" {
		c.say("%s", s.greeting)
	}
	s.mu.Lock()
	c.mails = slices.Clone(s.mails)
	s.mu.Unlock()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		command := strings.TrimSuffix(line, "\r\n")
		s.mu.Lock()
		s.log = append(s.log, command)
		s.mu.Unlock()
		if s.on != nil && s.on(c, command) {
			continue
		}
		f := append(strings.Fields(command), "", "", "")
		n, _ := strconv.Atoi(f[1])
		there := n >= 1 && n <= len(c.mails) && !c.gone[n]
		switch verb := strings.ToUpper(f[0]); verb {
		case "CAPA":
			if s.caps == nil {
				c.say("-ERR what?")
				continue
			}
			c.say("+OK\r\n%s", strings.Join(append(slices.Clone(s.caps), "."), "\r\n"))
		case "STLS":
			if s.cert == nil {
				c.say("-ERR no")
				continue
			}
			c.say("+OK begin")
			c.Conn = tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{*s.cert}})
			r = bufio.NewReader(c)
		case "USER", "NOOP", "RSET":
			c.say("+OK")
		case "PASS":
			if f[1] != "geheim" {
				c.say("-ERR [AUTH] no, not %q", command)
				continue
			}
			c.say("+OK")
		case "APOP":
			sum := md5.Sum([]byte("<1.2@fake>geheim"))
			if f[2] != hex.EncodeToString(sum[:]) {
				c.say("-ERR no")
				continue
			}
			c.say("+OK")
		case "AUTH":
			c.say("+ ")
			answer, err := r.ReadString('\n')
			if err != nil {
				return
			}
			b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(answer))
			if string(b) == "\x00alice\x00geheim" || strings.Contains(string(b), "auth=Bearer geheim\x01") {
				c.say("+OK")
				continue
			}
			if f[1] == "XOAUTH2" {
				c.say("+ %s", base64.StdEncoding.EncodeToString([]byte(`{"status":"400"}`)))
				r.ReadString('\n')
			}
			c.say("-ERR [AUTH] not %q", b)
		case "LIST", "UIDL":
			if verb == "UIDL" && s.noUIDL {
				c.say("-ERR what?")
				continue
			}
			var b strings.Builder
			for i, m := range c.mails {
				if verb == "LIST" {
					fmt.Fprintf(&b, "%d %d\r\n", i+1, len(m.raw))
				} else {
					fmt.Fprintf(&b, "%d %s\r\n", i+1, m.id)
				}
			}
			c.say("+OK\r\n%s.", b.String())
		case "TOP":
			if s.noTop || !there {
				c.say("-ERR no")
				continue
			}
			head, _, _ := strings.Cut(c.mails[n-1].raw, "\r\n\r\n")
			fmt.Fprint(c, "+OK\r\n"+stuff(head+"\r\n\r\n"))
		case "RETR":
			if !there {
				c.say("-ERR no such message")
				continue
			}
			fmt.Fprint(c, "+OK\r\n"+stuff(c.mails[n-1].raw))
		case "DELE":
			if !there {
				c.say("-ERR no such message")
				continue
			}
			c.gone[n] = true
			c.say("+OK")
		case "QUIT":
			c.commit()
			c.say("+OK")
			return
		default:
			c.say("-ERR what?")
		}
	}
}

// commit removes what was marked (RFC 1939 section 6).
func (c *popConn) commit() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mails = slices.DeleteFunc(slices.Clone(c.s.mails), func(m *popFake) bool {
		i := slices.Index(c.mails, m)
		return i >= 0 && c.gone[i+1]
	})
}
