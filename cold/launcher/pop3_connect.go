package launcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/pop3"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
	"github.com/vaguemestre/vaguemestre/internal/transport"
)

// popSession is a mailbox that was opened. Deleting ends a connection, and so do mails that
// are not read to their end: it opens the next when it needs one, but never after its context
// ended.
type popSession struct {
	l        *POP3
	log      *slog.Logger
	readOnly bool
	over     error // the session is over for good

	ctx     context.Context // of the method that runs
	release func()          // what binds the connection to ctx

	conn *transport.Conn // nil when the connection was dropped
	c    *pop3.Conn
	used time.Time // when the server answered last

	mails   []popMail        // of this connection; nil until it listed them
	numbers map[string][]int // of mails by key; of copies that are one item, all
	noTop   bool             // the server refuses TOP

	shown  []cold.Item // the running listing, whatever is deleted meanwhile
	cursor string      // what its cursors begin with
}

// enter binds the session to the context of a method until the returned function is called.
func (s *popSession) enter(ctx context.Context) (leave func()) {
	s.ctx = ctx
	s.bind()
	return func() {
		if s.release != nil {
			s.release()
		}
		s.release = nil
	}
}

func (s *popSession) bind() {
	if s.release != nil {
		s.release()
	}
	s.release = nil
	if s.conn != nil {
		s.release = s.conn.Bind(s.ctx)
	}
}

// connect opens a connection and logs in.
func (s *popSession) connect(r *reporter) error {
	if err := s.l.valid(); err != nil {
		return r.done("settings", "", err)
	}
	b := s.l.bearer()
	err := s.connectWith(b, r)
	if errors.Is(err, errAnew) {
		s.drop()
		err = r.done("auth", "logged in with a fresh token", s.connectWith(b, nil))
	}
	if err != nil {
		s.drop()
		return s.canceled(err)
	}
	s.used = s.l.now()
	if !s.readOnly {
		s.l.mu.Lock()
		s.l.login = s.used
		s.l.mu.Unlock()
	}
	return nil
}

// connectWith does that over one connection; b may be nil.
func (s *popSession) connectWith(b *sasl.Bearer, r *reporter) error {
	t := s.l.transport()
	var err error
	if r == nil {
		s.conn, err = transport.Dial(s.ctx, t)
	} else {
		s.conn, err = transport.Check(s.ctx, t, r.step)
	}
	if err != nil {
		s.conn = nil
		return err
	}
	s.bind()
	s.c, s.mails, s.numbers = pop3.New(s.conn), nil, nil
	r.begin()
	if err := s.greet(); err != nil {
		return r.done("greeting", "", err)
	}
	if t.Mode == transport.StartTLS {
		if err := s.startTLS(t, r); err != nil {
			return err
		}
		r.begin()
	}
	// RFC 2595 section 4: what was told before TLS counts for nothing, so it is not asked for.
	if err := s.c.Capa(); err != nil {
		return r.done("capabilities", "", s.lost("capabilities", err))
	}
	s.noteDelay()
	_ = r.done("capabilities", s.capsDetail(), nil)
	name, err := s.authenticate(b)
	if errors.Is(err, errAnew) {
		return err
	}
	return r.done("auth", "logged in with "+name, err)
}

// greet reads the server's first line.
func (s *popSession) greet() error {
	g, err := s.c.Greet()
	switch {
	case isNoPOP3(err):
		s.drop()
		return errPOP3("greeting", vaguemestre.ClassConfig, "this is no POP3 server, check host, port and tls: %w", err)
	case err != nil:
		return s.lost("greeting", err)
	case !g.OK:
		return s.l.refused("greeting", g)
	}
	return nil
}

// isNoPOP3 tells whether a peer speaks, and something else.
func isNoPOP3(err error) bool {
	var no *pop3.NoReply
	return errors.As(err, &no)
}

// startTLS turns the plain connection into one under TLS, or fails.
func (s *popSession) startTLS(t transport.Target, r *reporter) error {
	a, err := s.c.Do("STLS")
	if err != nil {
		return r.done("tls", "", s.lost("stls", err))
	}
	if !a.OK {
		// The capabilities are not asked for: who strips them would decide.
		e := s.l.refused("stls", a)
		if !a.Temporary() {
			e.Class = vaguemestre.ClassConfig
		}
		e.Err = fmt.Errorf("the server refuses STLS, so nothing was sent to it: use tls implicit with port 995 (server: %s)", quote(a.Text))
		return r.done("tls", "", e)
	}
	if n := s.c.Buffered(); n > 0 {
		// RFC 2595 section 4: the answer ends the plain text.
		return r.done("tls", "", errPOP3("stls", vaguemestre.ClassConfig,
			"%d bytes came behind the answer to STLS: somebody may be interfering with the connection; nothing was sent", n))
	}
	if r == nil {
		return s.conn.Upgrade(s.ctx, t)
	}
	return transport.UpgradeStep(s.ctx, s.conn, t, r.step)
}

// noteDelay notes how long the server wants to be left alone between logins.
func (s *popSession) noteDelay() {
	word, _, _ := strings.Cut(s.c.Param("LOGIN-DELAY"), " ") // RFC 2449 section 6.5
	seconds, err := strconv.Atoi(word)
	if err != nil || seconds < 0 {
		seconds = 0
	}
	s.l.mu.Lock()
	s.l.delay = time.Duration(min(seconds, 24*3600)) * time.Second
	s.l.mu.Unlock()
}

func (s *popSession) capsDetail() string {
	if !s.c.Told() {
		return "the server tells none (no CAPA)"
	}
	var out []string
	for _, name := range []string{"UIDL", "TOP", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "STLS", "USER", "SASL", "LOGIN-DELAY"} {
		if s.c.Has(name) {
			out = append(out, strings.TrimSpace(name+" "+s.c.Param(name)))
		}
	}
	return quote(strings.Join(out, ", "))
}

// lost drops the connection and explains why it broke.
func (s *popSession) lost(op string, err error) error {
	s.drop()
	return s.canceled(popLineError(s.ctx, op, err))
}

// canceled makes the end of the context the reason, whatever broke because of it.
func (s *popSession) canceled(err error) error {
	if err == nil || s.ctx.Err() == nil {
		return err
	}
	s.drop()
	if s.over == nil {
		s.over = &vaguemestre.Error{Op: "pop3", Class: vaguemestre.ClassCanceled, Err: context.Cause(s.ctx)}
	}
	return s.over
}

// drop closes the connection at once. Without QUIT nothing is deleted (RFC 1939 section 6).
func (s *popSession) drop() {
	if s.conn != nil {
		_ = s.conn.Drop()
	}
	s.conn, s.c, s.mails, s.numbers = nil, nil, nil, nil
}

const (
	idle       = time.Minute // after it the server is asked whether it is still there
	lockedTrys = 4           // a server may take a while to notice that a connection is gone
)

// ready gives a live connection that listed its mails, a new one if the last was dropped.
func (s *popSession) ready() error {
	if s.over != nil {
		return s.over
	}
	if s.ctx.Err() != nil {
		return s.canceled(s.ctx.Err())
	}
	if s.conn != nil && s.l.now().Sub(s.used) > idle {
		if _, err := s.c.Do("NOOP"); err != nil {
			s.drop()
			if s.ctx.Err() != nil {
				return s.canceled(err)
			}
		}
	}
	for try := 0; s.conn == nil; try++ {
		err := s.connect(nil)
		var e *vaguemestre.Error
		if err != nil && try < lockedTrys && errors.As(err, &e) && e.Code == "IN-USE" {
			if err = s.wait(time.Second << try); err == nil {
				continue
			}
			return s.canceled(err)
		}
		if err != nil {
			return err
		}
	}
	if s.mails == nil {
		if err := s.index(); err != nil {
			return err
		}
	}
	s.used = s.l.now()
	return nil
}

// wait waits for d or the end of the context.
func (s *popSession) wait(d time.Duration) error {
	if s.l.sleep != nil {
		return s.l.sleep(s.ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// Close implements [cold.Session]: it says QUIT, which deletes nothing, since whatever was
// marked by DELE was either committed or its connection dropped.
func (s *popSession) Close() error {
	if s.over == nil {
		s.over = errPOP3("session", vaguemestre.ClassSource, "the session was closed; connect again")
	}
	if s.conn == nil {
		return nil
	}
	s.conn.SetSilence(2 * time.Second)
	_, _ = s.c.Do("QUIT") // the answer is awaited: a server may keep the mailbox locked until then
	s.drop()
	return nil
}
