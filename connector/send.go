package connector

import (
	"context"
	"errors"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// SendMail hands m over: see [router.MailSender] for the contract. ctx bounds all of it;
// each answer of the server has Timeout besides, the one after the final dot 10 minutes.
//
// Errors before any recipient was answered have the class of what is wrong: poison (the
// message), config, auth, source (the server cannot be reached), canceled. Of several
// recipients that were refused differently the error tells the state of the receipt.
func (s *SMTP) SendMail(ctx context.Context, m *router.Message) (*router.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, canceled("smtp: send", err)
	}
	c, err := compose(ctx, m, s.DefaultSender())
	if err != nil {
		return nil, err
	}
	rec := &router.Receipt{MessageID: c.id}
	x, err := s.pool.acquire(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { s.pool.release(x, s) }()

	fates := make(map[string]fate, len(c.rcpts))
	pending := c.rcpts
	for {
		var o *outcome
		var next *session
		next, o, err = s.attempt(ctx, x, c, pending)
		x = next
		if err != nil {
			if len(fates) > 0 {
				break // a later part of a split mail found no connection: its answers stand
			}
			var e *vaguemestre.Error
			if !errors.As(err, &e) {
				e = &vaguemestre.Error{Op: "smtp: send", Class: source, Err: err}
			}
			for _, addr := range c.rcpts {
				fates[addr] = fate{err: e}
			}
			break
		}
		if o.began && c.dsn != nil && !x.has("DSN") && len(rec.Notes) == 0 {
			rec.Notes = append(rec.Notes, noDSN)
		}
		taken := o.accepted()
		if taken > 0 && rec.Ref == "" {
			rec.Ref = queueID(o.final)
		}
		var rest []string
		for i, addr := range pending {
			fates[addr] = o.fates[i]
			if o.fates[i].more {
				rest = append(rest, addr)
			}
		}
		// RFC 5321 section 4.5.3.1.10: the rest goes into a transaction of its own, as
		// long as each takes somebody.
		if taken == 0 || len(rest) == 0 || ctx.Err() != nil {
			break
		}
		pending = rest
	}
	for _, addr := range c.rcpts {
		rec.Recipients = append(rec.Recipients, recipientOf(addr, fates[addr]))
	}
	rec.State = router.StateOf(rec.Recipients)
	if rec.State == router.Accepted {
		return rec, nil
	}
	for i, addr := range c.rcpts {
		if rec.Recipients[i].State == rec.State {
			return rec, fates[addr].err
		}
	}
	return rec, &vaguemestre.Error{Op: "smtp: send", Class: deferred, Err: errors.New("no recipient was accepted")}
}

// attempt runs one transaction, on x or on a fresh connection. A connection that was kept
// and turns out dead is replaced once: until the content began nothing is at stake. The
// session to go on with is returned; nil if there is none.
func (s *SMTP) attempt(ctx context.Context, x *session, c *composed, rcpts []string) (*session, *outcome, error) {
	for {
		fresh := x == nil || x.dead
		if fresh {
			if x != nil {
				x.quit()
			}
			var err error
			if x, err = s.open(ctx); err != nil {
				return nil, nil, err
			}
		}
		release := x.conn.Bind(ctx)
		var o *outcome
		if fresh || !x.in.pending() && x.alive(s) {
			o = x.transact(ctx, c, rcpts, s.Partial)
		} else {
			x.dead = true
		}
		release()
		if ctx.Err() != nil {
			x.dead = true // closed, or about to be
		}
		if o != nil && (fresh || !x.dead || o.began || o.refused()) || ctx.Err() != nil {
			if o == nil {
				return x, nil, canceled("smtp: send", ctx.Err())
			}
			return x, o, nil
		}
		x.dead = true
	}
}

// refused reports whether a recipient was refused by name, which a new connection would
// not change; a 421 is no such refusal.
func (o *outcome) refused() bool {
	for _, f := range o.fates {
		if f.reply.code >= 400 && f.reply.code != 421 {
			return true
		}
	}
	return false
}

// queueID is the server's reference: what Postfix ("queued as 4Xyz") and Exim ("id=1abc-…")
// write after the final dot, else all its words. It is shown, never acted upon.
func queueID(p reply) string {
	words := clean(p.words(), 120)
	for _, mark := range [...]string{"queued as ", "id="} {
		if _, id, ok := strings.Cut(words, mark); ok && (mark != "id=" || strings.HasPrefix(words, "OK id=")) {
			if id, _, _ = strings.Cut(id, " "); id != "" {
				return id
			}
		}
	}
	return words
}
