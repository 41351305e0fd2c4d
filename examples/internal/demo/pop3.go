package demo

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// POP3 is a POP3 server of one mailbox under TLS (RFC 1939), with a certificate authority of
// its own. Its methods are safe for concurrent use.
type POP3 struct {
	Port   int    // at 127.0.0.1
	CAFile string // of the authority, PEM

	l    net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex
	next int // number in the id of the mail that comes next
	box  []popMail
	open map[net.Conn]bool // nil once closed
}

type popMail struct {
	id  string
	raw []byte
}

// StartPOP3 starts the server with mails, and writes the certificate authority into dir. The
// caller closes it.
func StartPOP3(dir string, mails [][]byte) (*POP3, error) {
	s := &POP3{CAFile: filepath.Join(dir, "pop3-ca.pem"), open: map[net.Conn]bool{}}
	for _, m := range mails {
		s.Deliver(m)
	}
	cert, err := makeCertificate(s.CAFile)
	if err != nil {
		return nil, err
	}
	s.l, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		os.Remove(s.CAFile)
		return nil, err
	}
	s.Port = s.l.Addr().(*net.TCPAddr).Port
	s.wg.Go(s.accept)
	return s, nil
}

// Launcher gives a POP3 launcher for the mailbox. Its file paths are relative to the
// directory of the server.
func (s *POP3) Launcher() Object {
	return Object{"kind": "pop3", "settings": Object{"host": "127.0.0.1", "port": s.Port, "account": Account, "password": Password,
		"ca_file": filepath.Base(s.CAFile)}}
}

// Deliver puts one more mail into the mailbox.
func (s *POP3) Deliver(mail []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.box = append(s.box, popMail{fmt.Sprintf("demo-%08d", s.next), mail})
}

// Len tells how many mails lie in the mailbox.
func (s *POP3) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.box)
}

// Close stops the server and breaks what connections are open.
func (s *POP3) Close() {
	s.mu.Lock()
	for c := range s.open {
		c.Close()
	}
	s.open = nil
	s.mu.Unlock()
	s.l.Close()
	s.wg.Wait()
}

func (s *POP3) accept() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.open == nil {
			s.mu.Unlock()
			c.Close()
			return
		}
		s.open[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(c)
			c.Close()
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
		})
	}
}

// serve talks with one client. What it marks by DELE is removed at QUIT (RFC 1939 section 6).
func (s *POP3) serve(nc net.Conn) {
	c := textproto.NewConn(nc)
	s.mu.Lock()
	mails := append([]popMail(nil), s.box...)
	s.mu.Unlock()
	gone := map[string]bool{} // ids
	user, in := "", false
	_ = c.PrintfLine("+OK ready")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		number, _, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(number)
		there := in && n >= 1 && n <= len(mails) && !gone[mails[n-1].id]
		ok, text := true, "" // text is what follows the status line
		lines := false       // it does, even if it is empty
		switch verb {
		case "CAPA":
			text, lines = "USER\nUIDL\nTOP\nPIPELINING\n", true
		case "USER":
			user = rest
		case "PASS":
			in = user == Account && rest == Password
			ok = in
		case "NOOP":
		case "LIST", "UIDL":
			ok, lines = in, in
			for i, m := range mails {
				if gone[m.id] {
					continue
				}
				if verb == "LIST" {
					text += fmt.Sprintf("%d %d\n", i+1, len(m.raw))
				} else {
					text += fmt.Sprintf("%d %s\n", i+1, m.id)
				}
			}
		case "RETR", "TOP":
			if ok, lines = there, there; there {
				text = string(mails[n-1].raw)
			}
			if verb == "TOP" {
				header, _, _ := strings.Cut(text, "\r\n\r\n")
				text = header + "\r\n\r\n"
			}
		case "DELE":
			if ok = there; there {
				gone[mails[n-1].id] = true
			}
		case "QUIT":
			s.remove(gone)
			_ = c.PrintfLine("+OK")
			return
		default:
			ok = false
		}
		if !ok {
			_ = c.PrintfLine("-ERR no")
			continue
		}
		_ = c.PrintfLine("+OK")
		if lines {
			w := c.DotWriter()
			_, _ = w.Write([]byte(text)) // an error comes again with the next command
			w.Close()
		}
	}
}

func (s *POP3) remove(gone map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []popMail
	for _, m := range s.box {
		if !gone[m.id] {
			left = append(left, m)
		}
	}
	s.box = left
}
