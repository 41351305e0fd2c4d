package launcher

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/pop3"
)

// popWant is one item of a call of Open.
type popWant struct {
	item    cold.Item
	number  int // on this connection
	done    bool
	died    int // times that the connection died over it
	refused *pop3.Reply
}

// popOpening is one call of Open.
type popOpening struct {
	s       *popSession
	got     func(cold.Item, *cold.Content) error
	user    error // of got
	ever    bool  // a mail came
	row     int   // mails in a row over which the connection died twice
	scratch []byte
}

// errDropped ends a flight whose connection was replaced or given up on purpose.
var errDropped = errors.New("the rest of a large mail was not wanted")

// Open implements [cold.Session]. Where the server has PIPELINING, up to 32 RETR are on their
// way at once.
//
// A mail of up to 256 KiB is given only after its final dot was read; a larger one is
// streamed, and its io.EOF stands for the final dot. Either is then confirmed. When the
// connection is lost, what did not come is asked for again over a new one; a large mail that
// somebody reads goes on where it broke off, if it is still the same. A mail over which
// connections die while others come gets class poison.
func (s *popSession) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	defer s.enter(ctx)()
	o := &popOpening{s: s, got: got}
	var all []*popWant
	seen := map[string]bool{}
	for _, it := range items {
		if !seen[it.Key] {
			seen[it.Key] = true
			all = append(all, &popWant{item: it})
		}
	}
	err := o.run(all)
	if o.user != nil {
		s.drop() // the rest of the answers is on its way
		return o.user
	}
	return s.canceled(err)
}

func (o *popOpening) run(all []*popWant) error {
	width := ahead
	for {
		if err := o.s.ready(); err != nil {
			return err
		}
		var now []*popWant
		for _, w := range all {
			if n := o.s.numbers[w.item.Key]; len(n) > 0 && !w.done && w.died < 2 && w.refused == nil {
				w.number = n[0]
				now = append(now, w)
			}
		}
		if len(now) == 0 {
			return o.verdicts(all)
		}
		slices.SortFunc(now, func(a, b *popWant) int { return a.number - b.number })
		w, err := o.flight(now, width)
		switch {
		case o.user != nil, err == nil:
		case o.s.ctx.Err() != nil:
			return o.s.lost("retr", err)
		case errors.Is(err, errDropped):
		default:
			why := o.s.lost("retr", err)
			width = 1 // the next to die is the one that was asked for
			if w.died++; w.died == 2 {
				o.row++
			}
			if o.row == mostAlone {
				return why
			}
		}
		if o.user != nil {
			return o.user
		}
	}
}

// flight brings mails over one connection. With an error it returns the mail that was due.
func (o *popOpening) flight(now []*popWant, width int) (*popWant, error) {
	c := o.s.c
	if !c.Has("PIPELINING") { // RFC 2449 section 6.6
		width = 1
	}
	sent, bytes := 0, int64(0)
	for i, w := range now {
		if sent-i <= width/2 {
			var commands []string
			for ; sent < len(now) && sent-i < width && (sent == i || bytes+max(now[sent].item.Size, 0) <= aheadBytes); sent++ {
				commands = append(commands, "RETR "+strconv.Itoa(now[sent].number))
				bytes += max(now[sent].item.Size, 0)
			}
			if len(commands) > 0 {
				if err := c.Send(commands...); err != nil {
					return w, err
				}
			}
		}
		r, err := c.Reply()
		if err != nil {
			return w, err
		}
		bytes -= max(w.item.Size, 0)
		if !r.OK {
			w.refused = &r
			continue
		}
		if err := o.take(w, c.Body()); err != nil || o.user != nil {
			return w, err
		}
		o.s.used = o.s.l.now()
	}
	return nil, nil
}

// take gives one mail.
func (o *popOpening) take(w *popWant, body *pop3.Body) error {
	if o.scratch == nil {
		o.scratch = make([]byte, smallBody)
	}
	n, err := io.ReadFull(body, o.scratch)
	switch {
	case body.Ended():
	case err == nil: // there may be more
		return o.large(w, body)
	default:
		return err
	}
	o.ever, o.row, w.done = true, 0, true
	o.user = o.got(w.item, &cold.Content{MediaType: "message/rfc822", Size: int64(n), Body: bytes.NewReader(o.scratch[:n])})
	if o.user == nil {
		o.user = o.got(w.item, nil)
	}
	return nil
}

// large gives a mail while it comes.
func (o *popOpening) large(w *popWant, body *pop3.Body) error {
	c := o.s.c
	b := newPopStream(o.s, w.item.Key, o.scratch, body)
	o.ever, o.row, w.done = true, 0, true
	o.user = o.got(w.item, &cold.Content{MediaType: "message/rfc822", Size: -1, Body: b})
	if o.user != nil || b.err != nil && b.err != io.EOF {
		o.s.drop()
		return errDropped
	}
	if ended, err := b.body.Skip(maxWaste); err != nil || !ended {
		o.s.drop() // it was not wanted whole, so nobody waits for its confirmation
		return errDropped
	}
	if o.user = o.got(w.item, nil); o.user == nil && o.s.c != c {
		return errDropped // what was on its way came over the old connection
	}
	return nil
}

// verdicts tells of the mails that did not come. If nothing came the server is to blame.
func (o *popOpening) verdicts(all []*popWant) error {
	for _, w := range all {
		var e *vaguemestre.Error
		switch {
		case w.done:
			continue
		case w.refused != nil:
			if e = o.s.l.refused("retr", *w.refused); !w.refused.Temporary() {
				e.Class = vaguemestre.ClassPoison
			}
		case w.died > 1:
			e = errPOP3("retr", vaguemestre.ClassPoison, "the connection breaks over this mail: look at it with a mail program")
		default:
			continue // gone, or not shown now
		}
		if !o.ever && len(all) > 1 {
			return errPOP3("retr", vaguemestre.ClassSource, "the server brings none of the mails; it is tried again later: %w", e)
		}
		if o.user = o.got(w.item, &cold.Content{Err: e}); o.user != nil {
			return o.user
		}
	}
	return nil
}
