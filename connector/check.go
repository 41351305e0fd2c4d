package connector

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
	"github.com/vaguemestre/vaguemestre/internal/transport"
	"github.com/vaguemestre/vaguemestre/router"
)

// Check proves the settings in steps: dns, tcp, tls, greeting, ehlo, auth (with an account)
// and sender, which asks by MAIL and RCPT whether the sender is taken and takes that back by
// RSET. With starttls the steps starttls and tls come after ehlo. It sends nothing. What is
// not tried after a failure is told as skipped. It does not use or fill the pool.
func (s *SMTP) Check(ctx context.Context, step func(vaguemestre.Step)) error {
	if step == nil {
		step = func(vaguemestre.Step) {}
	}
	t := &tour{left: s.plan(), step: step, since: time.Now()}
	err := s.walk(ctx, t)
	t.end(err)
	return err
}

func (s *SMTP) plan() []string {
	plan := []string{"dns", "tcp", "tls", "greeting", "ehlo"}
	if s.mode() == TLSStartTLS {
		plan = []string{"dns", "tcp", "greeting", "ehlo", "starttls", "tls"}
	}
	if s.Account != "" || s.oauth() {
		plan = append(plan, "auth")
	}
	return append(plan, "sender")
}

// tour tells the steps of a check.
type tour struct {
	left   []string // the steps that are still to be told
	step   func(vaguemestre.Step)
	since  time.Time // the end of the last step
	failed bool
}

// tell passes st on. It gives it the time since the last step if it has none of its own.
func (t *tour) tell(st vaguemestre.Step) {
	if st.Status == vaguemestre.StatusFailed {
		t.failed = true
		// A CA file that cannot be read fails the step tls before tcp is tried.
		for len(t.left) > 0 && t.left[0] != st.Name {
			t.skip()
		}
	}
	if len(t.left) > 0 {
		t.left = t.left[1:]
	}
	if st.Took == 0 {
		st.Took = time.Since(t.since)
	}
	t.step(st)
	t.since = time.Now()
}

func (t *tour) skip() {
	t.step(vaguemestre.Step{Name: t.left[0], Status: vaguemestre.StatusSkipped, Detail: "not tried, since an earlier step failed"})
	t.left = t.left[1:]
}

// end tells the failure, unless it was told, and what was not tried because of it.
func (t *tour) end(err error) {
	if err == nil {
		return
	}
	if !t.failed && len(t.left) > 0 {
		t.tell(vaguemestre.Step{Name: t.left[0], Status: vaguemestre.StatusFailed, Help: transport.Help(err), Err: err})
	}
	for len(t.left) > 0 {
		t.skip()
	}
}

func (s *SMTP) walk(ctx context.Context, t *tour) error {
	c, err := transport.Check(ctx, s.target(), t.tell)
	if err != nil {
		return s.connectError(err)
	}
	x := newSession(c, s)
	defer x.quit()
	defer c.Bind(ctx)()
	if s.mode() == TLSNone {
		t.tell(unprotected(c.RemoteAddr()))
	}
	b := s.bearer()
	if err = x.prepare(ctx, s, b, t.tell); errors.Is(err, errAnew) {
		return s.walkAnew(ctx, t, b)
	}
	if err == nil {
		err = x.trySender(ctx, s, t.tell)
	}
	x.dead = x.dead || err != nil
	return err
}

// walkAnew goes on from the login, on a connection that makes up for one that the server
// closed over a token.
func (s *SMTP) walkAnew(ctx context.Context, t *tour, b *sasl.Bearer) error {
	x, err := s.openWith(ctx, b)
	if err != nil {
		return err
	}
	defer x.quit()
	defer x.conn.Bind(ctx)()
	t.tell(vaguemestre.Step{Name: string(atAuth), Status: vaguemestre.StatusOK, Detail: "with a fresh token"})
	err = x.trySender(ctx, s, t.tell)
	x.dead = x.dead || err != nil
	return err
}

// unprotected is the step tls of a line that has none.
func unprotected(peer net.Addr) vaguemestre.Step {
	if a, ok := peer.(*net.TCPAddr); ok && a.IP.IsLoopback() {
		return vaguemestre.Step{Name: "tls", Status: vaguemestre.StatusOK, Detail: "not encrypted, and not leaving this machine"}
	}
	return vaguemestre.Step{Name: "tls", Status: vaguemestre.StatusWarning, Detail: "not encrypted",
		Help: "everybody on the way can read the mails: set tls to implicit or starttls"}
}

// trySender asks for the default sender and takes it back.
func (x *session) trySender(ctx context.Context, s *SMTP, tell func(vaguemestre.Step)) error {
	if s.DefaultSender() == "" {
		tell(vaguemestre.Step{Name: "sender", Status: vaguemestre.StatusSkipped, Detail: "there is none to try",
			Help: "set sender, or From in every message"})
		return nil
	}
	a, err := router.ParseAddress(s.DefaultSender())
	if err != nil {
		return &vaguemestre.Error{Op: atMail.op(), Class: config, Err: errors.New("sender is no mail address: " + err.Error())}
	}
	c := &composed{from: a.Address}
	c.need8(a.Address)
	if e := x.check(c); e != nil {
		return e
	}
	p, err := x.ask(x.mailLine(c))
	if err != nil {
		return broken(ctx, atMail, err)
	}
	if p.code/100 != 2 {
		return unexpected(ctx, atMail, p)
	}
	// QUIRK: Postfix tells at RCPT what it has against the client, the login or the sender
	// (smtpd_delay_reject = yes, its default: postconf(5)).
	st := vaguemestre.Step{Name: "sender", Status: vaguemestre.StatusOK, Detail: a.Address + " is taken: " + p.String()}
	if p, err = x.ask(x.rcptLine(c, a.Address)); err != nil {
		return broken(ctx, atRcpt, err)
	}
	if p.code/100 != 2 {
		if err := unexpected(ctx, atRcpt, p); p.code/100 == 3 || concernsUs(err, p) {
			return err
		}
		st.Detail += "; as a recipient it is refused: " + p.String()
		st.Status, st.Help = vaguemestre.StatusWarning, "reports of mails that cannot be delivered go to this address: see that it takes mail"
		if p.code/100 == 4 {
			st.Help = "whether the account may send with it shows with the first mail: the server does not say for now"
		}
	}
	x.reset()
	tell(st)
	return nil
}

// concernsUs tells a refusal at RCPT that is about the client, the login or the sender from
// one about the recipient: those have the subject "security or policy" (RFC 3463 section 3.8).
func concernsUs(err error, p reply) bool {
	c := vaguemestre.ClassOf(err)
	return c == denied || c == config || strings.HasPrefix(p.enh, "5.7.") || p.enh == "" && (p.code == 553 || p.code == 554)
}
