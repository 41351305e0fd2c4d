package pop3

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

// wire says what a test lets the server say, and keeps what it is told.
type wire struct {
	io.Reader
	sent bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) { return w.sent.Write(p) }

func dial(says string) (*Conn, *wire) {
	w := &wire{Reader: strings.NewReader(says)}
	return New(w), w
}

func TestReply(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]Reply{
		"+OK":                              {OK: true},
		"+ok  hello ":                      {OK: true, Text: "hello"},
		"-ERR":                             {},
		"-ERR [IN-USE] busy":               {Code: "IN-USE", Text: "busy"},
		"-ERR [sys/temp] later":            {Code: "SYS/TEMP", Text: "later"},
		"-ERR [LOGIN-DELAY 30] later":      {Code: "LOGIN-DELAY", Text: "later"},
		"-ERR [no end":                     {Text: "[no end"},
		"+OK [<1.2@x>] " + "POP3 <1.2@x> ": {OK: true, Code: "<1.2@X>", Text: "POP3 <1.2@x>"},
	} {
		if got, ok := parseReply([]byte(line)); !ok || got != want {
			t.Errorf("%q: %+v, %v; want %+v", line, got, ok, want)
		}
	}
	for _, line := range []string{"", "OK", "+OKAY", "* OK IMAP", "220 ready", "-ERROR x", " +OK"} {
		c, _ := dial(line + "\r\n")
		_, err := c.Reply()
		var no *NoReply
		if !errors.As(err, &no) {
			t.Errorf("%q: %v", line, err)
		}
		if _, err2 := c.Reply(); !errors.Is(err2, err) {
			t.Errorf("%q: the connection goes on: %v", line, err2)
		}
	}
}

func TestTemporary(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"-ERR [IN-USE] x": true, "-ERR [LOGIN-DELAY] x": true, "-ERR [SYS/TEMP] x": true, "-ERR maildrop already locked": true,
		"-ERR [AUTH] try again": false, "-ERR [SYS/PERM] busy": false, "-ERR invalid password": false,
	} {
		if r, _ := parseReply([]byte(line)); r.Temporary() != want {
			t.Errorf("%q: %v", line, !want)
		}
	}
}

func TestCapa(t *testing.T) {
	t.Parallel()
	c, _ := dial("+OK\r\nTOP\r\nsasl PLAIN  SCRAM-SHA-256\r\nLOGIN-DELAY 900 USER\r\n.\r\n")
	if err := c.Capa(); err != nil || !c.Has("TOP") || c.Has("UIDL") || c.Param("SASL") != "PLAIN  SCRAM-SHA-256" || c.Param("LOGIN-DELAY") != "900 USER" {
		t.Errorf("%v %v", err, c.caps)
	}
	c, _ = dial("-ERR what?\r\n")
	if err := c.Capa(); err != nil || c.Told() {
		t.Errorf("%v %v", err, c.caps)
	}
}

func TestSendRefusesLineEnds(t *testing.T) {
	t.Parallel()
	c, w := dial("+OK\r\n")
	if _, err := c.User("a\r\nDELE 1", "b"); err == nil || w.sent.Len() > 0 {
		t.Errorf("%v: %q went out", err, w.sent.String())
	}
}

func TestAPOP(t *testing.T) {
	t.Parallel()
	c, w := dial("+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n+OK\r\n")
	_, _ = c.Greet()
	if r, err := c.APOP("mrose", "tanstaaf"); err != nil || !r.OK {
		t.Fatal(r, err)
	}
	// the example of RFC 1939 section 7
	if got := w.sent.String(); got != "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n" {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"+OK none", "+OK <no-at>", "+OK <a@b", "+OK <a@b\xff>", "+OK <a @b>"} {
		c, _ := dial(bad + "\r\n")
		_, _ = c.Greet()
		if s := c.Timestamp(); s != "" {
			t.Errorf("%q: %q", bad, s)
		}
	}
}

// The first answer waits for the prompt, however long it is.
func TestAuthInTwoSteps(t *testing.T) {
	t.Parallel()
	c, w := dial("+ \r\n+OK in\r\n")
	r, failed, err := c.Auth("PLAIN", sasl.NewPlainClient("", "a", "b"))
	if !r.OK || failed != nil || err != nil {
		t.Fatal(r, failed, err)
	}
	if got, want := w.sent.String(), "AUTH PLAIN\r\n"+base64.StdEncoding.EncodeToString([]byte("\x00a\x00b"))+"\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	c, w = dial("+ \r\n+ !!!\r\n-ERR canceled\r\n")
	if _, failed, err := c.Auth("PLAIN", sasl.NewPlainClient("", "a", "b")); failed == nil || err != nil || !strings.HasSuffix(w.sent.String(), "\r\n*\r\n") {
		t.Errorf("a challenge that is none: %v, %v, %q", failed, err, w.sent.String())
	}
	c, _ = dial(strings.Repeat("+ \r\n", 100))
	if _, _, err := c.Auth("LOGIN", sasl.NewLoginClient("a", "b")); err == nil {
		t.Error("an exchange without end ends well")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	caps := "+OK\r\nPIPELINING\r\nUIDL\r\n.\r\n"
	for name, c := range map[string]struct {
		says string
		want string // "" for an error
	}{
		"plain":               {"+OK\r\n1 10\r\n2 20 more\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n", "[{1 10 a} {2 20 b}]"},
		"any order":           {"+OK\r\n2 20\r\n1 10\r\n.\r\n+OK\r\n2 b\r\n1 a\r\n.\r\n", "[{1 10 a} {2 20 b}]"},
		"odd sizes":           {"+OK\r\n1\r\n2 -5\r\n3 x\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n", "[{1 -1 a} {2 -1 b} {3 -1 c}]"},
		"UIDL leaves one out": {"+OK\r\n1 10\r\n2 20\r\n.\r\n+OK\r\n1 a\r\n.\r\n", "[{1 10 a} {2 20 }]"},
		"LIST leaves one out": {"+OK\r\n2 20\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n", "[{1 -1 a} {2 20 b}]"},
		"empty":               {"+OK\r\n.\r\n+OK\r\n.\r\n", "[]"},
		"a number twice":      {"+OK\r\n1 10\r\n1 20\r\n.\r\n+OK\r\n1 a\r\n.\r\n", ""},
		"an id twice":         {"+OK\r\n1 10\r\n.\r\n+OK\r\n1 a\r\n1 b\r\n.\r\n", ""},
		"no number":           {"+OK\r\nfoo\r\n.\r\n+OK\r\n.\r\n", ""},
		"number 0":            {"+OK\r\n0 1\r\n.\r\n+OK\r\n.\r\n", ""},
		"huge number":         {"+OK\r\n99999999999999999999 1\r\n.\r\n+OK\r\n.\r\n", ""},
		"cut":                 {"+OK\r\n1 10\r\n", ""},
		"no UIDL now":         {"+OK\r\n1 10\r\n.\r\n-ERR what?\r\n", "refused"},
	} {
		conn, _ := dial(caps + c.says)
		if err := conn.Capa(); err != nil {
			t.Fatal(err)
		}
		all, r, err := conn.List()
		got := fmt.Sprint(all)
		if !r.OK && err == nil {
			got = "refused"
		}
		if (err != nil) != (c.want == "") || err == nil && got != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
	conn, _ := dial("+OK\r\n1 10\r\n.\r\n-ERR what?\r\n") // never told UIDL
	if all, r, err := conn.List(); err != nil || !r.OK || len(all) != 1 || all[0].ID != "" {
		t.Errorf("%v %v %v", all, r, err)
	}
}

// Whatever a server says, the answers end, in order, without a panic.
func FuzzConn(f *testing.F) {
	f.Add("+OK <1@x>\r\n+OK\r\nUIDL\r\n.\r\n+OK\r\n1 2\r\n.\r\n+OK\r\n1 x\r\n.\r\n+ abc\r\n+OK\r\n")
	f.Add("-ERR [IN-USE]\r\n")
	f.Fuzz(func(t *testing.T, says string) {
		c, w := dial(says)
		_, _ = c.Greet()
		_ = c.Timestamp()
		if c.Capa() == nil {
			_, _, _ = c.List()
		}
		_, _, _ = c.Auth("PLAIN", sasl.NewPlainClient("", "a", "b"))
		if strings.Contains(strings.ReplaceAll(w.sent.String(), "\r\n", ""), "\n") {
			t.Errorf("a lone line end was sent: %q", w.sent.String())
		}
	})
}
