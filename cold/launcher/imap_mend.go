package launcher

import (
	"errors"
	"fmt"
	"io"

	"github.com/vaguemestre/vaguemestre"
)

// errMended ends the reading of a connection that was replaced meanwhile.
var errMended = errors.New("the connection was replaced while a large mail was read")

// mend brings a piece of a large mail, from an octet on, over a new connection: a mail
// that was read in part cannot be given again, and a long one may never come in one go.
// A mail over which two connections in a row die without a byte is poison, if another
// mail can be read.
func (o *opening) mend(w *want, body *largeBody, from int64) ([]byte, error) {
	if !o.mended { // the connection that body was read from
		o.mended = true
		o.s.drop()
	}
	for {
		if err := o.s.ready(o.ctx); err != nil {
			return nil, unexpected(err)
		}
		p, err := o.piece(w, from, body.size)
		if err == nil {
			w.died = 0
			return p, nil
		}
		if vaguemestre.ClassOf(err) == vaguemestre.ClassPoison || o.s.over != nil || o.s.c != nil { // refused, not broken
			return nil, unexpected(err)
		}
		o.s.drop()
		if w.died++; w.died < 2 {
			continue
		}
		if !o.ever && !o.anotherComes(w) {
			return nil, unexpected(errIMAP("fetch", vaguemestre.ClassSource, "the connection breaks over every mail that is asked for; it is tried again later"))
		}
		return nil, unexpected(errIMAP("fetch", vaguemestre.ClassPoison,
			"the connection broke %d times at byte %d of this mail alone: look at it with a mail program", w.died, from))
	}
}

// unexpected keeps the class of err and makes it match io.ErrUnexpectedEOF.
func unexpected(err error) error {
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return &vaguemestre.Error{Op: e.Op, Class: e.Class, Code: e.Code, RetryAfter: e.RetryAfter, Err: fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, e.Err)}
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
}

// anotherComes tries one byte of another mail.
func (o *opening) anotherComes(not *want) bool {
	alone := true
	for _, w := range o.byUID {
		if w == not || w.done() || w.item.Size == 0 {
			continue
		}
		alone = false
		if o.s.ready(o.ctx) != nil {
			return false
		}
		if _, err := o.piece(w, 0, 1); err == nil {
			return true
		}
		o.s.drop()
		break
	}
	return alone // nothing else to try: the folder can be opened, and this mail cannot
}

// piece fetches up to 256 KiB of a mail (RFC 9051 section 6.4.5, partial). With nothing
// left to fetch it asks whether the mail is still there.
func (o *opening) piece(w *want, from, size int64) ([]byte, error) {
	s := o.s
	release := s.c.conn.Bind(o.ctx)
	defer release()
	n := min(size-from, smallBody)
	if n <= 0 {
		now, err := s.flagsOf(o.ctx, []uint32{w.uid})
		if err == nil && len(now) == 0 {
			err = errIMAP("fetch", vaguemestre.ClassPoison, "the mail went away while it was read")
		}
		return nil, err
	}
	s.c.fetch.alone = w.uid
	var p []byte
	var r row
	a, err := s.fetchRows(fmt.Sprintf("UID FETCH %d (UID BODY.PEEK[]<%d.%d>)", w.uid, from, n), func(line []byte) error {
		if err := s.c.fetch.parse(line, &r); err != nil {
			return err
		}
		if (r.uid == w.uid || r.uid == 0) && r.body == bodySmall && r.from == from {
			p = r.small
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, s.lost(o.ctx, "fetch", err)
	case !a.ok():
		e := serverError("fetch", a)
		if !isTemporary(a) {
			e.Class = vaguemestre.ClassPoison
		}
		return nil, e
	case int64(len(p)) != n:
		return nil, errIMAP("fetch", vaguemestre.ClassPoison, "the server gives %d bytes where %d of the mail are left", len(p), n)
	}
	s.c.fetch.alone = 0
	return p, nil
}
