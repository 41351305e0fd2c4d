package cold

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/mime"
)

// receiver takes what a session brings, in three goroutines, so that the network, the
// processor and the disk work at the same time:
//
//	the session's own   spools what Open gives (got)
//	extract             takes items apart
//	hand over           plans, puts and records confirmed items in batches (handover.go)
//
// Order is kept from one to the next.
type receiver struct {
	r      *run
	ctx    context.Context
	failed chan struct{} // closed when a goroutine gave up; err says why
	once   sync.Once
	err    error

	asked map[string]bool // of the session's goroutine: the keys of this Open; true once given

	in    chan message // to extract
	taken chan message // to hand over
	done  chan struct{}

	handover
}

// message is an item on its way, or word about one.
type message struct {
	item    Item
	content *Content // Name and MediaType
	spool   *spool   // the content's bytes, or
	files   []spooledFile
	found   *found // after extract
	fail    error  // the item cannot be read
	confirm bool   // the source stands by the item; without a key, by all
	flush   chan struct{}
}

func (m message) close() {
	if m.spool != nil {
		m.spool.close()
	}
	for _, f := range m.files {
		f.close()
	}
	if m.found != nil {
		m.found.close()
	}
}

func newReceiver(ctx context.Context, r *run, items []Item) *receiver {
	rc := &receiver{r: r, ctx: ctx, failed: make(chan struct{}), asked: make(map[string]bool, len(items)),
		in: make(chan message, 16), taken: make(chan message, 16), done: make(chan struct{}),
		handover: newHandover()}
	for i := range items {
		rc.asked[items[i].Key] = false
	}
	go rc.extract()
	go rc.handOver()
	return rc
}

// got is what Open calls. It reads the content and passes it on.
func (rc *receiver) got(it Item, c *Content) error {
	if c == nil {
		return rc.send(message{item: it, confirm: true})
	}
	if err := rc.ctx.Err(); err != nil {
		return err
	}
	given, asked := rc.asked[it.Key]
	if given || !asked {
		return &vaguemestre.Error{Op: "cold: open", Class: vaguemestre.ClassSource,
			Err: fmt.Errorf("the launcher brought the item %.200q twice, or unasked", it.Key)}
	}
	rc.asked[it.Key] = true
	m := message{item: it, content: &Content{Name: c.Name, MediaType: c.MediaType}}
	var err error
	switch {
	case c.Err != nil:
		return rc.send(message{item: it, fail: c.Err})
	case c.Files != nil:
		m.files, err = rc.r.room.readFiles(c.Files, rc.r.limits)
	case c.Body != nil:
		m.spool, err = rc.r.room.read(c.Body, c.Size, rc.r.limits.ItemSize, rc.waiter())
		if err == nil && m.spool.size == 0 && it.Size > 0 {
			m.close()
			err = broken(&wrongSize{0, it.Size}, 0, it.Size)
		}
	default:
		err = &vaguemestre.Error{Op: "cold: read item", Class: vaguemestre.ClassPoison, Err: errors.New("the launcher gave no content")}
	}
	var wrong *wrongSize
	if blames(err) || errors.As(err, &wrong) || err != nil && c.Files != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassSink {
		return rc.send(message{item: it, fail: err}) // the others may come
	}
	if err != nil {
		return err
	}
	return rc.send(m)
}

// waiter returns what to do while memory is short: the first time, let what is
// confirmed be handed over; after that, what is left in memory waits for the source
// itself, so the item goes to a scratch file.
func (rc *receiver) waiter() func() bool {
	first := true
	return func() bool {
		if !first {
			return false
		}
		first = false
		ack := make(chan struct{})
		if rc.send(message{flush: ack}) != nil {
			return false
		}
		for {
			select {
			case <-ack:
				return true
			case <-rc.r.room.freed:
				if rc.r.room.roomy() {
					return true
				}
			case <-rc.failed:
				return false
			case <-rc.ctx.Done():
				return false
			}
		}
	}
}

func (rc *receiver) send(m message) error {
	select {
	case <-rc.failed:
		m.close()
		return rc.err
	default:
	}
	select {
	case rc.in <- m:
		return nil
	case <-rc.failed:
		m.close()
		return rc.err
	}
}

func (rc *receiver) fail(err error) {
	rc.once.Do(func() {
		rc.err = err
		close(rc.failed)
	})
}

// end waits for the goroutines. openErr is what Open returned: nil confirms all.
func (rc *receiver) end(openErr error) error {
	if openErr == nil {
		rc.send(message{confirm: true})
	}
	close(rc.in)
	<-rc.done
	if rc.err != nil {
		return rc.err
	}
	return openErr
}

// extract takes items apart until in is closed.
func (rc *receiver) extract() {
	defer close(rc.taken)
	for m := range rc.in {
		m, err := rc.takeApart(m)
		if err != nil {
			rc.fail(err)
			continue
		}
		select {
		case rc.taken <- m:
		case <-rc.failed:
			m.close()
		}
	}
}

func (rc *receiver) takeApart(m message) (message, error) {
	if m.content == nil {
		return m, nil
	}
	select {
	case <-rc.failed:
		m.close()
		return m, rc.err
	default:
	}
	var err error
	m.found, err = rc.r.x.takeApart(rc.ctx, m)
	m.spool, m.files, m.content = nil, nil, nil // they are found's now
	if blames(err) {
		m.fail, err = err, nil
	}
	return m, err
}

// blames reports whether err is the fault of one item and not of source or sink.
func blames(err error) bool {
	return vaguemestre.ClassOf(err) == vaguemestre.ClassPoison || tooMuch(err)
}

// tooMuch reports whether an item goes over a limit of the job.
func tooMuch(err error) bool {
	return errors.Is(err, errTooLarge) || errors.As(err, new(*mime.LimitError))
}

// guard turns a panic of what a host gave the job into an error.
func guard(what string, class vaguemestre.Class, err *error) {
	if p := recover(); p != nil {
		*err = &vaguemestre.Error{Op: "cold: " + what, Class: class, Err: fmt.Errorf("the %s panicked: %v", what, p)}
	}
}
