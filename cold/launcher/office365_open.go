package launcher

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

const (
	aheadBody = 1 << 20         // bytes of a message that are read ahead
	waits     = 2 * time.Second // for which a larger one keeps its place in the mailbox's budget while another is read
	mostInRow = 5               // messages in a row that fail call for a look at another one
	fewest    = 3               // messages that fail while none comes do the same
)

// carried is what became of one request for a message.
type carried struct {
	item cold.Item
	id   string
	body *bytes.Buffer  // whole, or the beginning of live
	live *http.Response // the rest of the body
	late bool           // it is larger and nobody took it in time: ask again
	gone bool
	err  error

	whole error // what err means if it is not the message's fault
}

func (c *carried) drop() {
	if c.live != nil {
		c.live.Body.Close()
	}
}

// fetching is one call of Open.
type fetching struct {
	s   *graphSession
	ctx context.Context
	got func(cold.Item, *cold.Content) error

	user   error     // of got
	broken error     // a body that broke, and got did not mind
	came   int       // messages that came
	row    int       // that failed since the last one came
	again  []carried // larger ones that nobody took in time
	build  []carried // those that $value does not give
	failed []carried // verdicts, given at the end
}

// Open implements [cold.Session]. Up to four messages are asked for at once, as Graph allows
// for a mailbox. One of up to 1 MiB is read whole before it is given; a larger one is
// streamed, and if its line breaks it is asked for again and goes on where it stood, provided
// that it begins with the same bytes. A message that $value does not give, since it is
// larger than 25 MB or Exchange cannot write it as MIME, is put together from its properties
// and attachments: the documents are the same, the headers nearly.
//
// Items that this session did not just list are looked at first, for a message that a person
// has moved away is still there for Graph.
//
// A message that Graph refuses to give while others come gets a Content.Err: of class poison
// if the request can never work, of class source if Graph fails over it.
func (s *graphSession) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	o := &fetching{s: s, ctx: ctx, got: got}
	var wanted []carried
	asked := make(map[string]bool, len(items))
	for _, it := range items {
		if id := s.idOf(it.Key); id != "" && !asked[id] {
			asked[id] = true
			wanted = append(wanted, carried{item: it, id: id})
		}
	}
	err := o.run(wanted)
	ended := s.ended(ctx, err)
	if o.user != nil {
		return o.user
	}
	return ended
}

func (o *fetching) run(wanted []carried) error {
	if err := o.ahead(wanted); err != nil {
		return err
	}
	for _, c := range o.again {
		c.late = false
		resp, err := o.s.value(o.ctx, c.id)
		if err != nil {
			c.err = err
		} else {
			c.body, c.live = new(bytes.Buffer), resp
		}
		if err := o.take(c); err != nil {
			return err
		}
	}
	for _, c := range o.build {
		if err := o.rebuild(c); err != nil {
			return err
		}
	}
	if o.came == 0 && len(o.failed) >= fewest && !o.works() {
		return o.failed[0].whole
	}
	for _, c := range o.failed {
		if err := o.give(c.item, &cold.Content{Err: c.err}); err != nil {
			return err
		}
	}
	return o.broken
}

// ahead reads all messages with as many workers as Graph allows, and takes what they bring.
// No worker keeps its place in the budget for long while it waits to be heard, or two
// sessions on one mailbox could wait for each other.
func (o *fetching) ahead(wanted []carried) error {
	ctx, cancel := context.WithCancel(o.ctx)
	out := make(chan carried)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(graph.Budget, len(wanted)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(wanted) || ctx.Err() != nil {
					return
				}
				o.s.carry(ctx, wanted[i], out)
			}
		})
	}
	go func() { wg.Wait(); close(out) }()
	defer func() {
		cancel()
		for c := range out { // until the last worker has left
			c.drop()
		}
	}()
	for c := range out {
		if err := o.take(c); err != nil {
			return err
		}
	}
	return nil
}

// carry brings one message to out.
func (s *graphSession) carry(ctx context.Context, c carried, out chan<- carried) {
	if !s.fresh[c.item.Key] {
		where, err := s.parent(ctx, c.id)
		if err != nil || where != s.folder.ID {
			c.err, c.gone = err, err == nil
			send(ctx, out, c)
			return
		}
	}
	for try := 0; ; try++ {
		resp, err := s.value(ctx, c.id)
		if err != nil {
			c.err = err
			send(ctx, out, c)
			return
		}
		c.body = new(bytes.Buffer)
		_, err = io.CopyN(c.body, resp.Body, aheadBody+1)
		if err == io.EOF {
			err = nil
		}
		switch {
		case err == nil && c.body.Len() == 0:
			resp.Body.Close()
			c.body, c.err = nil, errEmpty
			send(ctx, out, c)
		case err == nil && c.body.Len() <= aheadBody:
			resp.Body.Close()
			send(ctx, out, c)
		case err == nil:
			c.live = resp
			timer := time.NewTimer(s.waits)
			defer timer.Stop()
			select {
			case out <- c:
			case <-timer.C:
				resp.Body.Close()
				c.live, c.body, c.late = nil, nil, true
				send(ctx, out, c)
			case <-ctx.Done():
				resp.Body.Close()
			}
		case try == 0 && ctx.Err() == nil:
			resp.Body.Close()
			continue // the line broke within the body
		default:
			resp.Body.Close()
			c.err = fmt.Errorf("the answer breaks off after %d bytes: %w", c.body.Len(), err)
			send(ctx, out, c)
		}
		return
	}
}

func send(ctx context.Context, out chan<- carried, c carried) {
	select {
	case out <- c:
	case <-ctx.Done():
		c.drop()
	}
}

// parent tells in which folder a message lies.
func (s *graphSession) parent(ctx context.Context, id string) (string, error) {
	var m struct {
		Parent string `json:"parentFolderId"`
	}
	err := s.client.JSON(ctx, &graph.Request{Op: "look", Path: "/messages/" + graph.Seg(id), Query: url.Values{"$select": {"id,parentFolderId"}}}, &m)
	return m.Parent, err
}

// take hears one worker. An error ends Open.
func (o *fetching) take(c carried) error {
	switch {
	case c.gone:
		return nil
	case c.late:
		o.again = append(o.again, c)
		return nil
	case c.err != nil:
		return o.trouble(c)
	case c.live != nil:
		b := &streamed{s: o.s, ctx: o.ctx, id: c.id, head: c.body, resp: c.live}
		defer b.close()
		return o.stream(c.item, &cold.Content{MediaType: "message/rfc822", Size: c.live.ContentLength, Body: b}, b)
	}
	o.came, o.row = o.came+1, 0
	n := int64(c.body.Len())
	if err := o.give(c.item, &cold.Content{MediaType: "message/rfc822", Size: n, Body: c.body}); err != nil {
		return err
	}
	return o.give(c.item, nil)
}

// knowing is a Body that knows how it ended.
type knowing interface{ ending() error } // io.EOF when it ended well; nil while it lasts

// stream gives a content whose end nobody knows yet, and confirms it if it ended well.
func (o *fetching) stream(it cold.Item, c *cold.Content, b knowing) error {
	if err := o.give(it, c); err != nil {
		return err
	}
	switch err := b.ending(); err {
	case io.EOF:
		o.came, o.row = o.came+1, 0
		return o.give(it, nil)
	case nil: // got did not want the rest
		return nil
	default: // the reader was told
		if o.broken == nil && vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
			o.broken = errOffice("read", vaguemestre.ClassSource, "a message broke off: %w", err)
		}
		return nil
	}
}

// rebuild gives what $value does not.
func (o *fetching) rebuild(c carried) error {
	m, err := o.s.assemble(o.ctx, c.id)
	if err != nil {
		if o.ctx.Err() != nil {
			return o.ctx.Err()
		}
		c.err = err
		return o.verdict(c)
	}
	defer m.close()
	o.s.log.Info("office365: a message that Graph does not give as a whole is put together from its parts", "item", c.item.Key, "why", c.err)
	return o.stream(c.item, &cold.Content{MediaType: "message/rfc822", Size: -1, Body: m}, m)
}

func (o *fetching) give(it cold.Item, c *cold.Content) error {
	if o.ctx.Err() != nil {
		return o.ctx.Err()
	}
	o.user = o.got(it, c)
	return o.user
}

// trouble decides what becomes of a message that did not come.
func (o *fetching) trouble(c carried) error {
	if o.ctx.Err() != nil {
		return o.ctx.Err()
	}
	switch kind := kindOf(c.err); {
	case c.body != nil, kind == graph.Transient: // it broke off, or Graph fails over it: or the line as a whole
		if !o.s.shows(o.ctx, c.id) {
			return graphError("read", c.err)
		}
		if c.body != nil {
			return o.fail(c, vaguemestre.ClassPoison)
		}
		if o.row++; o.row >= mostInRow && !o.works() {
			return graphError("read", c.err)
		}
		o.build = append(o.build, c)
	case kind == graph.TooLarge, kind == graph.Invalid:
		o.build = append(o.build, c)
	default:
		return o.verdict(c)
	}
	return nil
}

// verdict blames a message, or the source as a whole.
func (o *fetching) verdict(c carried) error {
	switch kind := kindOf(c.err); {
	case kind == graph.Missing && !noMailbox(c.err):
		return nil
	case kind == "", kind == graph.Missing, kind == graph.Throttled, unauthorized(c.err):
		return o.s.denied("read", c.err)
	case kind == graph.Denied:
		return o.fail(c, vaguemestre.ClassAuth)
	case kind == graph.Invalid, kind == graph.TooLarge:
		return o.fail(c, vaguemestre.ClassPoison)
	}
	return o.fail(c, vaguemestre.ClassSource)
}

// fail keeps a verdict until it is known that others came.
func (o *fetching) fail(c carried, class vaguemestre.Class) error {
	c.whole = o.s.denied("read", c.err)
	o.failed = append(o.failed, c)
	if o.row++; o.row >= mostInRow && !o.works() {
		return c.whole
	}
	e := graphError("read", c.err)
	e.Class = class
	if class == vaguemestre.ClassPoison {
		e.Err = fmt.Errorf("graph does not give this message: look at it with a mail program: %w", c.err)
	}
	o.failed[len(o.failed)-1].err = e
	return nil
}

// works asks for a message that did not fail. If it comes, those that fail are to blame; if
// they made the source fail as a whole, nothing would come after them, in this run and the
// next ones.
func (o *fetching) works() bool {
	bad := map[string]bool{}
	for _, list := range [][]carried{o.failed, o.build} {
		for _, c := range list {
			bad[c.id] = true
		}
	}
	page, err := o.s.page(o.ctx, &graph.Request{Op: "list", Path: "/mailFolders/" + graph.Seg(o.s.folder.ID) + "/messages",
		Query: url.Values{"$select": {"id"}, "$top": {"100"}}})
	if err != nil {
		return false
	}
	tries := 0
	for _, m := range page.Value {
		if bad[m.ID] || m.ID == "" || tries == 3 {
			continue
		}
		tries++
		if resp, err := o.s.value(o.ctx, m.ID); err == nil {
			resp.Body.Close()
			o.row = 0
			return true
		}
	}
	return false
}
