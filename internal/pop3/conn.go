package pop3

import (
	"errors"
	"io"
	"strings"
)

// Conn is one connection. One goroutine owns it. An error of its methods means that the
// connection is lost; what the server refuses is a [Reply] that is not OK.
type Conn struct {
	// Greeting is what the server said first, once [Conn.Greet] was called.
	Greeting Reply

	w    io.Writer
	s    *stream
	caps map[string]string // by upper case name, with parameters; nil when the server told none
}

// New returns a Conn that talks over rw. rw stays the caller's, who sees to deadlines and to
// closing it: a write and a read never wait for ever only if rw sees to it.
func New(rw io.ReadWriter) *Conn { return &Conn{w: rw, s: newStream(rw)} }

// Buffered tells how many bytes were received and not yet read. After the answer to STLS it
// must be 0: whatever came behind it was not said under TLS (RFC 2595 section 4).
func (c *Conn) Buffered() int { return c.s.end - c.s.pos }

// Greet reads the greeting.
func (c *Conn) Greet() (Reply, error) {
	var err error
	c.Greeting, err = c.Reply()
	return c.Greeting, err
}

// Send writes commands in one piece, without waiting for the answers: one [Conn.Reply] is
// due for each. Commands must not hold a line end.
func (c *Conn) Send(commands ...string) error {
	var b strings.Builder
	for _, cmd := range commands {
		if strings.ContainsAny(cmd, "\r\n") {
			return errors.New("a command holds a line end")
		}
		b.WriteString(cmd)
		b.WriteString("\r\n")
	}
	_, err := io.WriteString(c.w, b.String())
	return err
}

// Reply reads the next status line.
func (c *Conn) Reply() (Reply, error) {
	line, err := c.s.line()
	if err != nil {
		return Reply{}, err
	}
	r, ok := parseReply(line)
	if !ok {
		return r, c.s.fail(&NoReply{cut(line)})
	}
	return r, nil
}

// Do sends one command and reads the status line of its answer.
func (c *Conn) Do(command string) (Reply, error) {
	if err := c.Send(command); err != nil {
		return Reply{}, err
	}
	return c.Reply()
}

// Body returns the lines that follow the status line of RETR or TOP.
func (c *Conn) Body() *Body { return c.s.body() }

// lines reads the lines of a listing up to its final dot. each gets every line, valid
// during the call.
func (c *Conn) lines(each func(line string) error) error {
	for total := 0; ; {
		line, err := c.s.line()
		if err != nil {
			return err
		}
		if string(line) == "." {
			return nil
		}
		if total += len(line) + 2; total > maxText {
			return c.s.fail(errMuchText)
		}
		text := strings.TrimPrefix(string(line), ".")
		if err := each(text); err != nil {
			return c.s.fail(err)
		}
	}
}

// Capa asks for the capabilities (RFC 2449 section 5). A server that does not know CAPA is
// one without capabilities.
func (c *Conn) Capa() error {
	c.caps = nil
	r, err := c.Do("CAPA")
	if err != nil || !r.OK {
		return err
	}
	c.caps = map[string]string{}
	return c.lines(func(line string) error {
		name, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		if len(c.caps) < 200 {
			c.caps[strings.ToUpper(name)] = strings.TrimSpace(params)
		}
		return nil
	})
}

// Forget drops the capabilities: those told before TLS count for nothing.
func (c *Conn) Forget() { c.caps = nil }

// Told reports whether the server told capabilities at all.
func (c *Conn) Told() bool { return c.caps != nil }

// Has reports whether the server told the capability name.
func (c *Conn) Has(name string) bool { _, ok := c.caps[name]; return ok }

// Param returns the parameters of a capability, "" if it has none: of "SASL" the mechanisms,
// of "LOGIN-DELAY" the seconds between logins.
func (c *Conn) Param(name string) string { return c.caps[name] }
