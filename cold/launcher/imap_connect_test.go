package launcher

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func TestConnectAgainstLies(t *testing.T) {
	t.Parallel()
	endless := func(prefix string) func(net.Conn) {
		return func(c net.Conn) {
			fmt.Fprint(c, prefix)
			junk := strings.Repeat("x", 64<<10)
			for {
				if _, err := io.WriteString(c, junk); err != nil {
					return
				}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		server *fakeServer
		tls    TLSMode
		class  vaguemestre.Class
		says   string
	}{
		{"endless greeting", &fakeServer{raw: endless("* OK ")}, TLSNone, vaguemestre.ClassSource, "line"},
		{"PREAUTH", &fakeServer{greeting: "* PREAUTH hello"}, TLSNone, vaguemestre.ClassConfig, "PREAUTH"},
		{"PREAUTH before STARTTLS", &fakeServer{greeting: "* PREAUTH hello"}, TLSStartTLS, vaguemestre.ClassConfig, "PREAUTH"},
		{"BYE", &fakeServer{greeting: "* BYE too many connections"}, TLSNone, vaguemestre.ClassSource, "too many"},
		{"another protocol", &fakeServer{greeting: "220 mail ESMTP"}, TLSNone, vaguemestre.ClassConfig, "no IMAP server"},
		{"STARTTLS refused", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			c.say("%s NO not here", tag)
			return true
		}}, TLSStartTLS, vaguemestre.ClassConfig, "STARTTLS"},
		{"STARTTLS injection", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			fmt.Fprintf(c, "%s OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", tag)
			return true
		}}, TLSStartTLS, vaguemestre.ClassConfig, "behind"},
		{"STARTTLS without TLS", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			c.say("%s OK go", tag)
			return true
		}}, TLSStartTLS, "", ""},
		{"LOGINDISABLED", &fakeServer{caps: "IMAP4rev1 LOGINDISABLED"}, TLSNone, vaguemestre.ClassConfig, "LOGINDISABLED"},
		{"wrong password", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			if strings.HasPrefix(cmd, "LOGIN") {
				c.say("%s NO [AUTHENTICATIONFAILED] no", tag)
				return true
			}
			return false
		}}, TLSNone, vaguemestre.ClassAuth, "app password"},
		{"not connected", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			if strings.HasPrefix(cmd, "SELECT") {
				c.say("%s BAD User is authenticated but not connected.", tag)
				return true
			}
			return false
		}}, TLSNone, vaguemestre.ClassSource, "later"},
		{"no such folder", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			switch {
			case strings.HasPrefix(cmd, "SELECT"):
				c.say("%s NO [NONEXISTENT] no such folder", tag)
			case strings.HasPrefix(cmd, "LIST"):
				c.say(`* LIST () "." Factures`)
				c.say(`* LIST () "." Trait&AOk-s`)
				c.say("%s OK", tag)
			default:
				return false
			}
			return true
		}}, TLSNone, vaguemestre.ClassSource, ""}, // INBOX always exists: something is wrong there
		{"silent", &fakeServer{on: func(*fakeConn, string, string) bool { return true }}, TLSNone, vaguemestre.ClassSource, "in time"},
		{"endless string", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			if strings.HasPrefix(cmd, "SELECT") {
				c.say(`* LIST () "/" {300000000}`)
				for range 5000 {
					if _, err := io.WriteString(c, strings.Repeat("x", 64<<10)); err != nil {
						return true
					}
				}
			}
			return false
		}}, TLSNone, vaguemestre.ClassSource, "string"},
		{"endless answers", &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
			if strings.HasPrefix(cmd, "SELECT") {
				line := strings.Repeat("* OK still here\r\n", 4000)
				for {
					if _, err := io.WriteString(c, line); err != nil {
						return true
					}
				}
			}
			return false
		}}, TLSNone, vaguemestre.ClassSource, "16 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := tt.server.start(t)
			l.TLS = tt.tls
			start := time.Now()
			s, err := l.Connect(t.Context(), nil)
			if err == nil {
				s.Close()
				t.Fatal("Connect is content")
			}
			if tt.class != "" && vaguemestre.ClassOf(err) != tt.class || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("class %q: %v", vaguemestre.ClassOf(err), err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Error("the error holds the password")
			}
			for _, c := range tt.server.commands() {
				if tt.tls == TLSStartTLS && (strings.Contains(c, "alice") || strings.Contains(c, "geheim") || strings.HasPrefix(c, "AUTH")) {
					t.Errorf("%q went out in clear", c)
				}
			}
		})
	}
}

func TestEndlessLinesStaySmall(t *testing.T) {
	// Not parallel: it looks at the heap of the whole process.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := &fakeServer{raw: func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, strings.Repeat("* OK x", 10_000)); err != nil {
				return
			}
		}
	}}
	if _, err := s.start(t).Connect(t.Context(), nil); !errors.Is(err, errLongLine) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

func TestFolderThatDoesNotExist(t *testing.T) {
	t.Parallel()
	s := &fakeServer{on: func(c *fakeConn, tag, cmd string) bool {
		switch {
		case strings.HasPrefix(cmd, "SELECT"):
			c.say("%s NO [NONEXISTENT] no such folder", tag)
		case strings.HasPrefix(cmd, "LIST"):
			c.say(`* LIST () "." Archive`)
			c.say(`* LIST () "." Factures.2026`)
			c.say(`* LIST () "." Trait&AOk-s`)
			c.say("%s OK done", tag)
		default:
			return false
		}
		return true
	}}
	l := s.start(t)
	l.Source = "Traité"
	_, err := l.Connect(t.Context(), nil)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), `folders: "Traités"`) {
		t.Errorf("%v", err)
	}
}
