package cold

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/vaguemestre/vaguemestre"
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

	given map[string]bool // of the session's goroutine

	in    chan message // to extract
	taken chan message // to hand over
	done  chan struct{}

	handover
}

// message is an item on its way, or word about one.
type message struct {
	item    Item
	content *Content // without Body
	spool   *spool   // the content's bytes
	found   *found   // after extract
	fail    error    // the item cannot be read
	confirm bool     // the source stands by the item; without a key, by all
	flush   chan struct{}
}

func (m message) close() {
	if m.spool != nil {
		m.spool.close()
	}
	if m.found != nil {
		m.found.close()
	}
}

func newReceiver(ctx context.Context, r *run) *receiver {
	rc := &receiver{r: r, ctx: ctx, failed: make(chan struct{}), given: map[string]bool{},
		in: make(chan message, 16), taken: make(chan message, 16), done: make(chan struct{}),
		handover: newHandover()}
	go rc.extract()
	go rc.handOver()
	return rc
}

// got is what Open calls. It reads the content and passes it on.
func (rc *receiver) got(it Item, c *Content) error {
	if c == nil {
		return rc.send(message{item: it, confirm: true})
	}
	if rc.given[it.Key] {
		return &vaguemestre.Error{Op: "cold: open", Class: vaguemestre.ClassSource, Err: fmt.Errorf("the launcher brought the item %.200q twice", it.Key)}
	}
	rc.given[it.Key] = true
	if c.Err != nil {
		return rc.send(message{item: it, fail: c.Err})
	}
	if c.Files != nil {
		return rc.send(message{item: it, content: c})
	}
	s, err := rc.r.spoolItem(c, rc.waiter())
	if blames(err) {
		return rc.send(message{item: it, fail: err})
	}
	if err != nil {
		return err
	}
	return rc.send(message{item: it, spool: s, content: &Content{Name: c.Name, MediaType: c.MediaType}})
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
	if m.spool != nil {
		m.found, err = rc.r.x.item(rc.ctx, m.item, m.content.Name, m.content.MediaType, m.spool)
	} else {
		m.found, err = rc.r.x.files(rc.ctx, m.item, m.content.Files)
	}
	m.spool, m.content = nil, nil // they are found's now
	if blames(err) {
		m.fail, err = err, nil
	}
	return m, err
}

// blames reports whether err is the fault of one item and not of source or sink.
func blames(err error) bool {
	return vaguemestre.ClassOf(err) == vaguemestre.ClassPoison || errors.Is(err, errTooLarge)
}
