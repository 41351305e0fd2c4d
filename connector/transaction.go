package connector

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// rcptBatch is how many RCPT go out before their answers are read: few enough that
// neither side's buffers fill (RFC 2920 section 3.1).
const rcptBatch = 100

// fate is what became of one recipient in a transaction.
type fate struct {
	taken bool // RCPT was answered 250, 251 or 252
	reply reply
	err   *vaguemestre.Error // nil: accepted
	more  bool               // refused only because there were too many before it
}

// outcome is what one transaction came to.
type outcome struct {
	fates []fate
	final reply // the answer to the final dot, if accepted
	began bool  // the content, or part of it, went out
}

// spoil gives every recipient that has no error of its own this one.
func (o *outcome) spoil(e *vaguemestre.Error) {
	for i := range o.fates {
		if o.fates[i].err == nil {
			o.fates[i].err = e
		}
	}
}

// accepted counts recipients without an error.
func (o *outcome) accepted() int {
	n := 0
	for _, f := range o.fates {
		if f.err == nil {
			n++
		}
	}
	return n
}

// check says, before anything is sent, what this server cannot take.
func (x *session) check(c *composed) *vaguemestre.Error {
	if most := x.maxSize(); most > 0 && c.size > most {
		return &vaguemestre.Error{Op: atMail.op(), Class: rejected, Err: fmt.Errorf(
			"the mail has %d bytes and the server takes %d: send fewer or smaller attachments", c.size, most)}
	}
	if c.utf8 && !x.has("SMTPUTF8") {
		return &vaguemestre.Error{Op: atMail.op(), Class: rejected, Err: errors.New(
			"an address has characters outside ASCII and the server does not take those (no SMTPUTF8): use an address in ASCII")}
	}
	return nil
}

// mailLine is MAIL with the parameters that the server knows and the mail needs.
func (x *session) mailLine(c *composed) string {
	l := "MAIL FROM:<" + c.from + ">"
	if x.has("SIZE") && c.size > 0 {
		l += " SIZE=" + strconv.FormatInt(c.size, 10)
	}
	// Only when needed: with it the mail could go no further than the next server without it.
	if c.utf8 {
		l += " SMTPUTF8"
		if x.has("8BITMIME") {
			l += " BODY=8BITMIME" // RFC 6531 section 3.6: UTF-8 in a header is 8 bits
		}
	}
	if c.dsn != nil && x.has("DSN") {
		l += dsnOfMail(c.dsn)
	}
	return l
}

// rcptLine is RCPT, likewise.
func (x *session) rcptLine(c *composed, addr string) string {
	l := "RCPT TO:<" + addr + ">"
	if c.dsn != nil && x.has("DSN") {
		l += dsnOfRcpt(c.dsn, addr)
	}
	return l
}

// transact hands c over to rcpts. The caller has bound ctx to the connection.
func (x *session) transact(ctx context.Context, c *composed, rcpts []string, partial Partial) *outcome {
	o := &outcome{fates: make([]fate, len(rcpts))}
	if e := x.check(c); e != nil {
		o.spoil(e)
		return o
	}
	x.sent++
	// With "refuse" DATA waits for all answers: once it is accepted, nothing but a mail
	// could follow.
	early := x.has("PIPELINING") && (partial != PartialRefuse || len(rcpts) == 1)
	data, ok := x.envelope(ctx, c, rcpts, o, early)
	if !ok {
		return o
	}
	taken, refused := 0, 0
	for _, f := range o.fates {
		if f.taken {
			taken++
		} else {
			refused++
		}
	}
	stop := taken == 0
	if refused > 0 && partial == PartialRefuse {
		stop = true
		o.spoil(&vaguemestre.Error{Op: atRcpt.op(), Class: deferred,
			Err: fmt.Errorf("not sent, since %d of %d recipients were refused and partial is refuse: correct them, or set partial to allow", refused, len(rcpts))})
	}
	if early {
		if stop && data.code == 354 {
			// RFC 2920 section 3.1: "the client SHOULD send a single dot".
			_, _ = x.ask(".")
		}
	} else if !stop {
		var err error
		if data, err = x.ask("DATA"); err != nil {
			o.spoil(broken(ctx, atData, err))
			return o
		}
	}
	if stop {
		x.reset()
		return o
	}
	if data.code != 354 {
		if data.code/100 < 4 {
			x.dead = true
			o.spoil(broken(ctx, atData, errGarbage))
			return o
		}
		o.spoil(explain(atData, data))
		x.reset()
		return o
	}
	if x.in.pending() {
		// An answer too many: the next one would be taken for that of the final dot.
		x.dead = true
		o.spoil(broken(ctx, atData, errors.New("the server gives more answers than it was asked for: it or something in between is broken")))
		return o
	}
	x.content(ctx, c, o)
	return o
}

// envelope sends MAIL and RCPT, pipelined where the server allows, and with early DATA
// too. It reports whether the dialogue can go on.
func (x *session) envelope(ctx context.Context, c *composed, rcpts []string, o *outcome, early bool) (data reply, ok bool) {
	step := 1
	if x.has("PIPELINING") {
		step = rcptBatch
	}
	line := x.mailLine(c) + "\r\n"
	if step == 1 {
		if err := x.write([]byte(line)); err != nil {
			o.spoil(broken(ctx, atMail, err))
			return data, false
		}
		if !x.mailReply(ctx, o) {
			return data, false
		}
		line = ""
	}
	var refusedMail bool
	for i := 0; i < len(rcpts); i += step {
		batch := rcpts[i:min(i+step, len(rcpts))]
		buf := []byte(line)
		for _, r := range batch {
			buf = append(append(buf, x.rcptLine(c, r)...), "\r\n"...)
		}
		last := i+len(batch) == len(rcpts)
		if early && last {
			buf = append(buf, "DATA\r\n"...)
		}
		if err := x.write(buf); err != nil {
			// The server may have said why before it closed.
			if p, rerr := x.replyWithin(min(x.timeout, time.Second)); rerr == nil && p.code/100 > 3 {
				o.spoil(explain(atMail, p))
			} else {
				o.spoil(broken(ctx, atRcpt, err))
			}
			return data, false
		}
		if line != "" {
			refusedMail = !x.mailReply(ctx, o)
			line = ""
			if x.dead {
				return data, false
			}
		}
		if !x.rcptReplies(ctx, o, i, len(batch), refusedMail) {
			return data, false
		}
		if refusedMail && !(early && last) {
			x.reset()
			return data, false
		}
		if early && last {
			var err error
			if data, err = x.reply(); err != nil {
				o.spoil(broken(ctx, atData, err))
				return data, false
			}
		}
	}
	if refusedMail {
		if data.code == 354 {
			for _, f := range o.fates {
				if f.taken {
					// The server goes on without a sender: a dot would send an empty mail.
					x.drop()
					return data, false
				}
			}
			_, _ = x.ask(".")
		}
		x.reset()
		return data, false
	}
	return data, true
}

// mailReply reads the answer to MAIL; false if it is a refusal or none.
func (x *session) mailReply(ctx context.Context, o *outcome) bool {
	p, err := x.reply()
	if err != nil {
		o.spoil(broken(ctx, atMail, err))
		return false
	}
	switch {
	case p.code/100 == 2:
		return true
	case p.code/100 == 3:
		x.dead = true
		o.spoil(broken(ctx, atMail, errGarbage))
	default:
		e := explain(atMail, p)
		for i := range o.fates {
			o.fates[i].reply = p
		}
		o.spoil(e)
	}
	return false
}

// rcptReplies reads the answers to n RCPT, the first being that of rcpts[from].
func (x *session) rcptReplies(ctx context.Context, o *outcome, from, n int, refusedMail bool) bool {
	for i := from; i < from+n; i++ {
		p, err := x.reply()
		if err != nil {
			o.spoil(broken(ctx, atRcpt, err))
			return false
		}
		f := &o.fates[i]
		if refusedMail {
			f.taken = p.code/100 == 2 // it should be 503
			continue                  // MAIL's answer says why
		}
		f.reply = p
		switch {
		case p.code/100 == 2:
			f.taken = true
		case p.code/100 == 3:
			x.dead = true
			o.spoil(broken(ctx, atRcpt, errGarbage))
			return false
		default:
			f.err = explain(atRcpt, p)
			f.more = tooMany(p)
			if f.more {
				f.err.Class = deferred
			}
			if x.dead { // 421: nobody gets anything
				o.spoil(explain(atRcpt, p))
				return false
			}
		}
	}
	return true
}

// tooMany: RFC 5321 section 4.5.3.1.10: 452, or of old 552, with or without 4.5.3.
func tooMany(p reply) bool {
	switch p.code {
	case 452, 552:
		return p.enh == "" || p.enh[1:] == ".5.3"
	}
	return p.code/100 == 4 && p.enh == "4.5.3"
}

// content sends the mail and the final dot, and reads what became of it.
func (x *session) content(ctx context.Context, c *composed, o *outcome) {
	o.began = true
	x.conn.SetSilence(x.timeout)
	x.conn.SetEnd(time.Time{})
	*x.w = wire{dst: x.conn, buf: x.w.buf[:0]}
	end, err := c.writeTo(ctx, x.w)
	if err != nil {
		x.dead = true
		var read *readError
		if errors.As(err, &read) && ctx.Err() == nil {
			// The final dot was not sent, so the server throws away what it has.
			o.spoil(&vaguemestre.Error{Op: atContent.op(), Class: deferred, Err: read.err})
		} else if p, rerr := x.lastWords(ctx); rerr == nil {
			o.spoil(explain(atContent, p))
		} else {
			o.spoil(broken(ctx, atContent, err))
		}
		x.drop()
		return
	}
	// From here on nobody but the server knows. Every way out is accepted, refused by a
	// reply, or in doubt.
	_, werr := x.conn.Write(append(end, ".\r\n"...))
	wait := x.dotWait
	if werr != nil {
		x.dead = true
		wait = time.Second // the server may have said why before it closed
	}
	p, err := x.replyWithin(wait)
	switch {
	case err == nil && p.code/100 == 2 && werr == nil:
		o.final = p
		for i := range o.fates {
			if o.fates[i].taken {
				o.fates[i].reply = p
			}
		}
	case err == nil && p.code/100 >= 4:
		e := explain(atContent, p)
		for i := range o.fates {
			if o.fates[i].taken {
				o.fates[i].reply = p
			}
		}
		o.spoil(e)
	default:
		x.dead = true
		why := "the connection was lost"
		switch {
		case ctx.Err() != nil:
			why = "the call was canceled"
		case err == nil || errors.Is(err, errGarbage) || errors.Is(err, errMixed) || errors.Is(err, errTooLong):
			why = "the server gave an answer that means nothing"
		case !lost(err):
			why = "no answer came in time"
		}
		o.spoil(doubt(why))
	}
}

// lastWords is what a server said before it closed in the middle of the content.
func (x *session) lastWords(ctx context.Context) (reply, error) {
	if ctx.Err() != nil {
		return reply{}, ctx.Err()
	}
	p, err := x.replyWithin(min(x.timeout, time.Second))
	if err == nil && p.code/100 < 4 {
		err = errGarbage
	}
	return p, err
}

// reset ends a transaction that came to nothing. A session that does not take it is
// not used again.
func (x *session) reset() {
	if x.dead {
		return
	}
	if p, err := x.ask("RSET"); err != nil || p.code/100 != 2 {
		x.dead = true
	}
}

// recipientOf turns a fate into a receipt's line.
func recipientOf(addr string, f fate) router.Recipient {
	r := router.Recipient{Address: addr, State: router.Accepted, Code: f.reply.codes(), Text: f.reply.words()}
	if f.err != nil {
		r.State = stateOf(f.err.Class)
		if f.err.Code != r.Code || r.Code == "" {
			r.Code, r.Text = f.err.Code, clean(f.err.Error(), maxWords)
		}
	}
	return r
}
