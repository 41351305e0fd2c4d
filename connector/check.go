package connector

import (
	"context"
	"errors"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/transport"
	"github.com/vaguemestre/vaguemestre/router"
)

// Check proves the settings in the steps dns, tcp, tls (with implicit), greeting, ehlo,
// starttls (with starttls), auth (with an account) and sender, which asks by MAIL whether
// the sender is taken and takes it back by RSET. It sends nothing. What is not tried after
// a failure is told as skipped. It does not use or fill the pool.
func (s *SMTP) Check(ctx context.Context, step func(vaguemestre.Step)) error {
	if step == nil {
		step = func(vaguemestre.Step) {}
	}
	plan := s.plan()
	told := 0
	tell := func(st vaguemestre.Step) {
		told++
		step(st)
	}
	err := s.walk(ctx, plan, &told, tell)
	if err != nil {
		for _, name := range plan[min(told, len(plan)):] {
			step(vaguemestre.Step{Name: name, Status: vaguemestre.StatusSkipped, Detail: "not tried, since an earlier step failed"})
		}
	}
	return err
}

func (s *SMTP) plan() []string {
	plan := []string{"dns", "tcp"}
	if s.mode() == TLSImplicit {
		plan = append(plan, "tls")
	}
	plan = append(plan, "greeting", "ehlo")
	if s.mode() == TLSStartTLS {
		plan = append(plan, "starttls")
	}
	if s.Account != "" {
		plan = append(plan, "auth")
	}
	return append(plan, "sender")
}

func (s *SMTP) walk(ctx context.Context, plan []string, told *int, tell func(vaguemestre.Step)) error {
	c, err := transport.Check(ctx, s.target(), func(st vaguemestre.Step) {
		// A CA file that cannot be read fails the step tls before tcp is tried.
		for *told < len(plan) && plan[*told] != st.Name && st.Status == vaguemestre.StatusFailed {
			tell(vaguemestre.Step{Name: plan[*told], Status: vaguemestre.StatusSkipped, Detail: "not tried, since an earlier step failed"})
		}
		tell(st)
	})
	if err != nil {
		return s.connectError(err)
	}
	x := newSession(c, s)
	defer x.quit()
	defer c.Bind(ctx)()
	start := time.Now()
	mark := func(name, detail string, status vaguemestre.Status, help string, err error) {
		tell(vaguemestre.Step{Name: name, Status: status, Detail: detail, Help: help, Took: time.Since(start), Err: err})
		start = time.Now()
	}
	err = x.prepare(ctx, s, func(at stage, detail string) {
		status, help := vaguemestre.StatusOK, ""
		if at == atStartTLS {
			if left := time.Until(certificateEnd(c)); left < 21*24*time.Hour {
				status, help = vaguemestre.StatusWarning, "the certificate ends within 21 days: whoever runs the server has to renew it before"
			}
		}
		mark(plan[*told], detail, status, help, nil)
	})
	if err == nil {
		var detail string
		if detail, err = x.trySender(ctx, s); err == nil {
			status, help := vaguemestre.StatusOK, ""
			if s.DefaultSender() == "" {
				status, help = vaguemestre.StatusSkipped, "set sender, or From in every message"
			}
			mark("sender", detail, status, help, nil)
			return nil
		}
	}
	x.dead = true
	mark(plan[min(*told, len(plan)-1)], "", vaguemestre.StatusFailed, transport.Help(err), err)
	return err
}

func certificateEnd(c *transport.Conn) time.Time {
	if certs := c.State().PeerCertificates; len(certs) > 0 {
		return certs[0].NotAfter
	}
	return time.Now().Add(365 * 24 * time.Hour)
}

// trySender asks for the default sender and takes it back.
func (x *session) trySender(ctx context.Context, s *SMTP) (string, error) {
	if s.DefaultSender() == "" {
		return "no sender to try", nil
	}
	a, err := router.ParseAddress(s.DefaultSender())
	if err != nil {
		return "", &vaguemestre.Error{Op: atMail.op(), Class: config, Err: errors.New("sender is no mail address: " + err.Error())}
	}
	c := &composed{from: a.Address}
	c.need8(a.Address)
	if e := x.check(c); e != nil {
		return "", e
	}
	p, err := x.ask(x.mailLine(c))
	if err != nil {
		return "", broken(ctx, atMail, err)
	}
	if p.code/100 >= 4 {
		return "", explain(atMail, p)
	}
	if p.code/100 != 2 {
		return "", broken(ctx, atMail, errGarbage)
	}
	x.reset()
	return a.Address + " is taken: " + p.words(), nil
}
