package connector

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
	"github.com/vaguemestre/vaguemestre/internal/transport"
)

// session is one connection that has been greeted, encrypted and logged in as asked.
// One goroutine owns it.
type session struct {
	conn *transport.Conn
	in   replies
	w    *wire             // for the content; its buffer is reused
	ext  map[string]string // what EHLO offered: keyword in upper case, parameters as they were

	timeout time.Duration // for one answer
	dotWait time.Duration // for the answer to the final dot

	// mask takes our secrets out of what a server repeats. A function, since fmt prints
	// what it can reach, and shows of a function no more than where it is.
	mask func(string) string

	born, used time.Time
	sent       int  // transactions begun
	dead       bool // not to be used again
}

func newSession(c *transport.Conn, s *SMTP) *session {
	now := time.Now()
	x := &session{conn: c, timeout: s.timeout(), dotWait: s.dotWait(), born: now, used: now, w: &wire{dst: c}}
	x.in.src = c
	x.mask = sasl.Mask(s.credentials())
	return x
}

// open connects and prepares a session. The errors are *vaguemestre.Error.
func (s *SMTP) open(ctx context.Context) (*session, error) {
	b := s.bearer()
	x, err := s.openWith(ctx, b)
	if errors.Is(err, errAnew) {
		x, err = s.openWith(ctx, b)
	}
	return x, err
}

func (s *SMTP) openWith(ctx context.Context, b *sasl.Bearer) (*session, error) {
	c, err := transport.Dial(ctx, s.target())
	if err != nil {
		return nil, s.connectError(err)
	}
	x := newSession(c, s)
	defer c.Bind(ctx)()
	if err := x.prepare(ctx, s, b, nil); err != nil {
		x.drop()
		return nil, err
	}
	return x, nil
}

func (s *SMTP) connectError(err error) error {
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return &vaguemestre.Error{Op: "smtp: connect", Class: e.Class, Code: e.Code, Err: e.Err}
	}
	return &vaguemestre.Error{Op: "smtp: connect", Class: source, Err: err}
}

// prepare leads from the TCP (or TLS) connection to one that takes MAIL; b may be nil. step is
// told what ended well, for Check; it may be nil.
func (x *session) prepare(ctx context.Context, s *SMTP, b *sasl.Bearer, step func(vaguemestre.Step)) error {
	tell := func(at stage, detail string) {
		if step != nil {
			step(vaguemestre.Step{Name: string(at), Status: vaguemestre.StatusOK, Detail: detail})
		}
	}
	p, err := x.reply()
	if err != nil {
		if transport.TimedOut(err) && ctx.Err() == nil && !x.conn.Secure() {
			err = errors.New("the server says nothing: if this port wants TLS from the first byte, set tls to implicit; else try later, or raise timeout")
		}
		return broken(ctx, atGreeting, err)
	}
	if p.code != 220 {
		return unexpected(ctx, atGreeting, p)
	}
	tell(atGreeting, p.String())
	if err := x.hello(ctx); err != nil {
		return err
	}
	tell(atHello, x.offers())
	if s.mode() == TLSStartTLS {
		p, err := x.startTLS(ctx)
		if err != nil {
			return err
		}
		tell(atStartTLS, p.String())
		x.conn.SetEnd(time.Time{})
		if err := transport.UpgradeStep(ctx, x.conn, s.target(), step); err != nil {
			return broken(ctx, atStartTLS, err)
		}
		if err := x.hello(ctx); err != nil {
			return err
		}
	}
	if s.Account == "" && b == nil {
		return nil
	}
	name, err := x.login(ctx, s, b)
	if err != nil {
		return err
	}
	tell(atAuth, name)
	return nil
}

// unexpected is the error of an answer that is a refusal or has no meaning there.
func unexpected(ctx context.Context, at stage, p reply) error {
	if p.code/100 < 4 {
		return broken(ctx, at, errGarbage)
	}
	return explain(at, p)
}

// hello: RFC 5321 section 4.1.1.1. What an earlier EHLO offered is forgotten.
func (x *session) hello(ctx context.Context) error {
	x.ext = map[string]string{}
	p, err := x.ask("EHLO " + x.name())
	if err == nil && (p.code == 500 || p.code == 502 || p.code == 504) {
		p, err = x.ask("HELO " + x.name()) // RFC 5321 section 3.2
		if err == nil && p.code == 250 {
			return nil
		}
	}
	if err != nil {
		return broken(ctx, atHello, err)
	}
	if p.code != 250 {
		return unexpected(ctx, atHello, p)
	}
	for _, l := range p.lines[1:] {
		k, v, _ := strings.Cut(strings.TrimSpace(l), " ")
		k = strings.ToUpper(k)
		// QUIRK: old servers write "AUTH=LOGIN PLAIN" besides or instead.
		if m, ok := strings.CutPrefix(k, "AUTH="); ok {
			x.ext["AUTH"] = strings.TrimSpace(x.ext["AUTH"] + " " + m + " " + v)
			continue
		}
		if k == "AUTH" {
			v = strings.TrimSpace(x.ext["AUTH"] + " " + v)
		}
		if k != "" {
			x.ext[k] = v
		}
	}
	return nil
}

// name is what EHLO says: the address literal of our end (RFC 5321 section 4.1.3), which
// tells nobody the name of the machine.
func (x *session) name() string {
	a, ok := x.conn.LocalAddr().(*net.TCPAddr)
	if !ok || a.IP == nil {
		return "[127.0.0.1]"
	}
	if v4 := a.IP.To4(); v4 != nil {
		return "[" + v4.String() + "]"
	}
	return "[IPv6:" + a.IP.String() + "]"
}

// offers lists what the server can, for people.
func (x *session) offers() string {
	var out []string
	for _, k := range [...]string{"SIZE", "PIPELINING", "8BITMIME", "SMTPUTF8", "STARTTLS", "AUTH", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING"} {
		if v, ok := x.ext[k]; ok {
			out = append(out, strings.TrimSpace(k+" "+clean(v, 100)))
		}
	}
	if len(out) == 0 {
		return "no extensions"
	}
	return strings.Join(out, ", ")
}

// startTLS asks for the server's consent: RFC 3207. There is no way on without it.
func (x *session) startTLS(ctx context.Context) (reply, error) {
	if !x.has("STARTTLS") {
		return reply{}, &vaguemestre.Error{Op: atStartTLS.op(), Class: config,
			Err: errors.New("the server does not offer STARTTLS, or somebody in between hides it: set tls to implicit, or check port")}
	}
	p, err := x.ask("STARTTLS")
	if err != nil {
		return p, broken(ctx, atStartTLS, err)
	}
	if p.code != 220 {
		return p, unexpected(ctx, atStartTLS, p)
	}
	// RFC 3207 section 4.2 and the command injections found since (CVE-2011-0411 and its
	// kin): nothing that was sent in clear counts after this.
	if x.in.pending() {
		return p, &vaguemestre.Error{Op: atStartTLS.op(), Class: config, Err: errInjected}
	}
	return p, nil
}

// ask sends one command and waits for its answer.
func (x *session) ask(line string) (reply, error) {
	if err := x.write([]byte(line + "\r\n")); err != nil {
		return reply{}, err
	}
	return x.reply()
}

func (x *session) write(p []byte) error {
	x.conn.SetSilence(x.timeout)
	x.conn.SetEnd(time.Time{})
	_, err := x.conn.Write(p)
	if err != nil {
		x.dead = true
	}
	return err
}

// reply waits for one answer, no longer than the timeout, however slowly it drips.
func (x *session) reply() (reply, error) { return x.replyWithin(x.timeout) }

func (x *session) replyWithin(d time.Duration) (reply, error) {
	x.conn.SetSilence(d)
	x.conn.SetEnd(time.Now().Add(d))
	p, err := x.in.read()
	if err != nil || p.code == 421 { // RFC 5321 section 3.8: the server is about to close
		x.dead = true
	}
	for i, l := range p.lines {
		p.lines[i] = x.mask(l)
	}
	return p, err
}

// maxSize is what the server takes, 0 if it names no limit (RFC 1870 section 4).
func (x *session) maxSize() int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(x.ext["SIZE"]), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (x *session) has(ext string) bool { _, ok := x.ext[ext]; return ok }

// drop closes the connection at once.
func (x *session) drop() {
	x.dead = true
	_ = x.conn.Drop()
}

// quit says QUIT and closes without waiting for the answer, which could change nothing.
func (x *session) quit() {
	if !x.dead {
		x.conn.SetSilence(time.Second)
		x.conn.SetEnd(time.Now().Add(time.Second))
		_, _ = x.conn.Write([]byte("QUIT\r\n"))
	}
	x.dead = true
	_ = x.conn.Close()
}
