package launcher

import (
	"context"
	"errors"
	"slices"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

const (
	rangeSize  = 200     // mails in one FETCH
	rangeBytes = 2 << 20 // of mails in one FETCH, so that what waits for its OK stays small
	ahead      = 32      // commands in flight
	aheadBytes = 64 << 20
	mostAlone  = 5 // mails in a row that die alone mean that the server fails as a whole
)

// want is one item of a call of Open.
type want struct {
	item cold.Item
	uid  uint32

	given     bool  // got was called with a content
	confirmed bool  // the source stands by it, or a verdict was given
	bytes     int64 // of the content that was given
	alone     int   // times that it was asked for alone
	died      int   // times that the connection died over it alone
	gone      bool  // it is marked as deleted: nothing that waits
	empty     bool  // it came with no bytes although the listing told some
	refused   answer
}

// done tells that nothing is left to do for w.
func (w *want) done() bool { return w.confirmed || w.gone && !w.given }

// opening is one call of Open.
type opening struct {
	s     *session
	ctx   context.Context
	got   func(cold.Item, *cold.Content) error
	byUID map[uint32]*want

	user    error // of got
	mended  bool  // the connection was replaced while a large mail was read
	success bool  // a mail came since the last suspect
	ever    bool  // a mail came at all
	suspect []*want
}

// Open implements [cold.Session]. It asks for up to 200 mails in one command and sends
// the next commands before the earlier are answered, so a distant server is kept busy.
//
// A body of up to 256 KiB is given only after its whole answer was read; a larger one is
// streamed, and its io.EOF stands for the end of the answer, not of the bytes alone.
// Either is confirmed when its command ended OK. After a connection was lost, mails that
// came whole are confirmed if the server still tells the size that they came with, and
// what did not come is asked for again in smaller ranges, at last alone. A mail over
// which the connection dies twice while others come gets class poison: as Content.Err,
// or, of a mail that was being streamed, as the error of its Body. The rest of a streamed
// mail is fetched over the new connection, so its reader notices nothing.
//
// The answers are read by this goroutine alone, in whatever order they come, and a
// command is a few kilobytes, so neither side can wait for the other for ever.
func (s *session) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	if s.over != nil {
		return s.over
	}
	if ctx.Err() != nil {
		return s.canceled(ctx, ctx.Err())
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	o := &opening{s: s, ctx: ctx, got: got, byUID: map[uint32]*want{}}
	var all []*want
	for _, it := range items {
		uid := s.uidOf(it.Key)
		if uid == 0 || o.byUID[uid] != nil {
			continue // of another folder or epoch: not shown now
		}
		w := &want{item: it, uid: uid}
		o.byUID[uid] = w
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *want) int { return int(int64(a.uid) - int64(b.uid)) })
	err := o.run(all)
	if o.user != nil {
		return o.user
	}
	return s.canceled(ctx, err)
}

// run brings all, and ends with an error only when the source fails as a whole.
func (o *opening) run(all []*want) error {
	var queue [][]*want
	bytes := int64(0)
	for _, w := range all {
		last := len(queue) - 1
		if bytes += max(w.item.Size, 0); last < 0 || len(queue[last]) == rangeSize || bytes > rangeBytes {
			queue, bytes = append(queue, nil), max(w.item.Size, 0)
			last++
		}
		queue[last] = append(queue[last], w)
	}
	pipeline := ahead
	for len(queue) > 0 {
		if err := o.s.ready(o.ctx); err != nil {
			return err
		}
		n, err := o.batch(queue, pipeline)
		if o.user != nil {
			o.s.drop() // the rest of the answers is on its way
			return o.user
		}
		if err != nil && o.ctx.Err() != nil {
			return o.s.lost(o.ctx, "fetch", err)
		}
		left := slices.Concat(queue[:n]...)
		queue = queue[n:]
		if err == nil {
			// What did not come in a command that ended is asked for once more, alone.
			if err := o.afterEnd(left, &queue); err != nil {
				return err
			}
			if len(o.suspect) > 0 && o.success {
				if err := o.blame(); err != nil {
					return err
				}
			}
			continue
		}
		if o.mended || errors.Is(err, errLargeLeft) {
			if !o.mended {
				o.s.drop()
			}
			o.mended = false
			if err := o.again(left, &queue); err != nil {
				return err
			}
			continue
		}
		why := o.s.lost(o.ctx, "fetch", err)
		pipeline = 1
		if err := o.afterDeath(left, &queue, why); err != nil {
			return err
		}
	}
	if len(o.suspect) > 0 && !o.ever && len(all) > 1 {
		return errIMAP("fetch", vaguemestre.ClassSource, "the connection breaks over every mail that is asked for; it is tried again later")
	}
	return o.blame()
}

// afterEnd sorts out what a command that ended left open.
func (o *opening) afterEnd(left []*want, queue *[][]*want) error {
	var unsure, missing []*want
	for _, w := range left {
		switch {
		case w.done():
		case w.given:
			unsure = append(unsure, w) // its command ended NO
		case w.refused.status != "" && isTemporary(w.refused):
			return serverError("fetch", w.refused)
		case w.alone == 0:
			missing = append(missing, w)
		case w.refused.status != "":
			e := serverError("fetch", w.refused)
			e.Class = vaguemestre.ClassPoison
			if err := o.verdict(w, e); err != nil {
				return err
			}
		case w.empty:
			if err := o.verdict(w, errIMAP("fetch", vaguemestre.ClassPoison,
				"the server gives an empty mail where it listed %d bytes: look at it with a mail program", w.item.Size)); err != nil {
				return err
			}
		}
	}
	if err := o.verify(unsure); err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	there, err := o.present(missing)
	if err != nil {
		return err
	}
	for _, w := range missing {
		if w.alone = 1; there[w.uid] {
			*queue = append(*queue, []*want{w})
		}
	}
	return nil
}

// present tells which mails a search still finds.
func (o *opening) present(ws []*want) (map[uint32]bool, error) {
	release := o.s.c.conn.Bind(o.ctx)
	defer release()
	uids := make([]uint32, len(ws))
	for i, w := range ws {
		uids[i] = w.uid
	}
	slices.Sort(uids)
	found, err := o.s.search(o.ctx, "UID "+uidSet(uids))
	if err != nil {
		return nil, err
	}
	there := map[uint32]bool{}
	for _, uid := range found {
		there[uid] = true
	}
	return there, nil
}

// split parts what a lost connection left into mails that came whole, which are
// verified, and those that are still to come.
func (o *opening) split(left []*want) (open []*want, err error) {
	if err := o.s.ready(o.ctx); err != nil {
		return nil, err // the server as a whole
	}
	var whole []*want
	for _, w := range left {
		switch {
		case w.done():
		case w.given:
			whole = append(whole, w)
		default:
			open = append(open, w)
		}
	}
	return open, o.verify(whole)
}

// again asks once more for what a connection left that nobody is to blame for.
func (o *opening) again(left []*want, queue *[][]*want) error {
	open, err := o.split(left)
	if err != nil {
		return err
	}
	var parts [][]*want
	for part := range slices.Chunk(open, rangeSize) {
		parts = append(parts, part)
	}
	*queue = append(parts, *queue...)
	return nil
}

// afterDeath halves what a lost connection left, down to one mail. why is the error for
// the caller if the source fails as a whole.
func (o *opening) afterDeath(left []*want, queue *[][]*want, why error) error {
	open, err := o.split(left)
	if err != nil || len(open) == 0 {
		return err
	}
	if len(open) > 1 {
		var parts [][]*want
		for part := range slices.Chunk(open, min((len(open)+1)/2, rangeSize)) {
			parts = append(parts, part)
		}
		*queue = append(parts, *queue...)
		return nil
	}
	w := open[0]
	w.alone = max(w.alone, 1)
	if w.died++; w.died < 2 {
		*queue = append([][]*want{{w}}, *queue...)
		return nil
	}
	// Alone twice. Others must come before it is blamed.
	o.suspect = append(o.suspect, w)
	if len(o.suspect) >= mostAlone && !o.success {
		return why
	}
	o.success = false
	return nil
}

// blame gives the verdict on the suspects, once something else came or nothing else is
// left to try and the server opens the folder again all the same.
func (o *opening) blame() error {
	for len(o.suspect) > 0 {
		w := o.suspect[0]
		o.suspect = o.suspect[1:]
		if err := o.verdict(w, errIMAP("fetch", vaguemestre.ClassPoison,
			"the connection broke %d times over this mail alone: look at it with a mail program", w.died)); err != nil {
			return err
		}
	}
	return nil
}

// verdict tells that an item cannot be brought.
func (o *opening) verdict(w *want, err error) error {
	w.confirmed = true
	if o.user = o.got(w.item, &cold.Content{Err: err}); o.user != nil {
		return o.user
	}
	return nil
}

// verify asks the source once more for mails that came whole in a command that did not
// end OK: the literal and the end of the answer were read, and the same size, or the
// same wrong size as in the listing, confirms a mail. What is gone by now came in time.
func (o *opening) verify(given []*want) error {
	if len(given) == 0 {
		return nil
	}
	uids := make([]uint32, len(given))
	for i, w := range given {
		uids[i] = w.uid
	}
	slices.Sort(uids)
	release := o.s.c.conn.Bind(o.ctx)
	defer release()
	now, err := o.s.flagsOf(o.ctx, uids)
	if err != nil {
		return err
	}
	for _, w := range given {
		if r, ok := now[w.uid]; ok && r.size >= 0 && r.size != w.bytes && r.size != w.item.Size {
			return errIMAP("fetch", vaguemestre.ClassSource,
				"the connection broke, and the server now tells %d bytes for a mail that came with %d; it is fetched again later", r.size, w.bytes)
		}
		if err := o.confirm(w); err != nil {
			return err
		}
	}
	return nil
}

func (o *opening) confirm(w *want) error {
	w.confirmed = true
	o.user = o.got(w.item, nil)
	return o.user
}
