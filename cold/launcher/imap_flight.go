package launcher

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre/cold"
)

// flight are the commands that wait for their end.
type flight struct {
	parts map[string][]*want // by tag
	bytes int64
}

// isolated tells whether a part is a suspect that must be fetched alone.
func isolated(part []*want) bool { return len(part) == 1 && part[0].alone > 0 }

func weight(part []*want) (n int64) {
	for _, w := range part {
		n += max(w.item.Size, 0)
	}
	return n
}

// launch sends commands for the first parts of queue, as many as may be in flight, and
// returns how many it sent.
func (o *opening) launch(f *flight, queue [][]*want, most int) (int, error) {
	c, n := o.s.c, 0
	for ; n < len(queue) && len(f.parts) < most; n++ {
		part := queue[n]
		if len(f.parts) > 0 {
			if isolated(part) || f.bytes+weight(part) > aheadBytes {
				break
			}
			if slices.ContainsFunc(slices.Collect(maps.Values(f.parts)), isolated) {
				break
			}
		}
		uids := make([]uint32, len(part))
		for i, w := range part {
			uids[i] = w.uid
		}
		tag, err := c.send("UID FETCH " + uidSet(uids) + " (UID FLAGS BODY.PEEK[])")
		if err != nil {
			return n, err
		}
		f.parts[tag] = part
		f.bytes += weight(part)
	}
	c.fetch.alone = 0
	for _, part := range f.parts {
		if len(f.parts) == 1 && len(part) == 1 {
			c.fetch.alone = part[0].uid
		}
	}
	return n, nil
}

// batch brings what queue begins with: it keeps up to most commands in flight and sends
// the next as soon as one ends. It returns how many parts it asked for. An error means
// that the connection is lost, or that got ended it.
func (o *opening) batch(queue [][]*want, most int) (sent int, err error) {
	c := o.s.c
	release := c.conn.Bind(o.ctx)
	defer release()
	if err := c.g.take(); err != nil {
		return 0, err
	}
	defer c.g.giveBack()
	c.fetch.large = o.large
	defer func() { c.fetch.large, c.fetch.alone = nil, 0 }()
	f := &flight{parts: map[string][]*want{}}
	if most == 1 {
		queue = queue[:1] // after a death: one step, then look
	}
	for {
		n, err := o.launch(f, queue[sent:], most)
		if sent += n; err != nil {
			return sent + 1, err
		}
		if len(f.parts) == 0 {
			return sent, nil
		}
		if err := o.answers(f); err != nil {
			return sent, err
		}
	}
}

// answers reads until one command ends.
func (o *opening) answers(f *flight) error {
	c := o.s.c
	var r row
	for {
		a, done, err := c.step("", func(line []byte) error {
			if err := c.fetch.parse(line, &r); err != nil {
				return err
			}
			return o.take(&r)
		})
		if err != nil {
			return err
		}
		c.g.in.begin()
		if !done {
			continue
		}
		// QUIRK: Dovecot ends a command only after the data of the next, so tags are
		// matched in whatever order they come.
		tag, code, _ := strings.Cut(a.code, " ")
		part, ours := f.parts[tag]
		if !ours {
			return c.broken(fmt.Errorf("the server ends a command that was not sent: %s", quote(tag)))
		}
		delete(f.parts, tag)
		f.bytes -= weight(part)
		a.code = code
		for _, w := range part {
			switch {
			case w.done():
			case !a.ok():
				w.refused = a
			case w.given:
				if err := o.confirm(w); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// take gives a mail that was read whole.
func (o *opening) take(r *row) error {
	if r.uid == 0 {
		r.uid = o.s.c.fetch.alone
	}
	w := o.byUID[r.uid]
	if w != nil && r.deleted {
		w.gone = true
	}
	if w == nil || w.given || r.deleted || r.body != bodySmall {
		return nil // a row about flags, of a mail that was not asked for, or a body that is none
	}
	if r.bytes == 0 && w.item.Size != 0 {
		w.empty = true // QUIRK: an empty string where there is a mail
		return nil
	}
	o.success, o.ever = true, true
	w.given, w.bytes = true, r.bytes
	o.user = o.got(w.item, &cold.Content{MediaType: "message/rfc822", Size: r.bytes, Body: bytes.NewReader(r.small)})
	return o.user
}

// large gives a mail while it comes.
func (o *opening) large(r *row, body *largeBody) error {
	uid := r.uid
	if uid == 0 {
		uid = o.s.c.fetch.alone
	}
	w := o.byUID[uid]
	if w != nil && r.deleted {
		w.gone = true
	}
	if w == nil || w.given || r.deleted {
		return nil
	}
	body.mend = func(from int64) ([]byte, error) { return o.mend(w, body, from) }
	w.given, w.bytes = true, body.size
	o.user = o.got(w.item, &cold.Content{MediaType: "message/rfc822", Size: body.size, Body: body})
	body.mend = nil
	if o.user != nil {
		return o.user
	}
	if body.mended {
		// The old connection is gone, and every piece had a command of its own that ended
		// OK. A failure was told by the body's error.
		o.mended, w.confirmed = true, true
		if body.err == nil {
			o.ever, o.success = true, true
			if err := o.confirm(w); err != nil {
				return err
			}
		}
		return errMended
	}
	if err := body.drain(); err != nil {
		return err
	}
	o.success, o.ever = true, true
	return nil
}
