package launcher

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/graph"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// Settle implements [cold.Session]. Up to four messages are settled at once. A message is
// looked at before it is marked, moved or deleted: one that a person has moved to another
// folder since is gone, and its receipt says where it lies.
//
// A move is safe to repeat, since the id stays the same: what lies in the target is done.
// A message that was deleted lies in Deleted Items, and is gone when it is settled again.
func (s *graphSession) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	if s.readOnly {
		return nil, errOffice("settle", vaguemestre.ClassConfig, "the session is read-only")
	}
	if err := s.l.Supports(do); err != nil {
		return nil, err
	}
	receipts := make([]cold.Receipt, len(items))
	if do.Do == "" || do.Do == cold.DoLeave {
		for i := range receipts {
			receipts[i].Outcome = cold.SettleDone
		}
		return receipts, nil
	}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	b := &settling{s: s, do: do}
	if err := b.run(ctx, items, receipts); err != nil {
		return receipts, s.ended(ctx, err)
	}
	return receipts, s.ended(ctx, nil)
}

// settling is one call of Settle.
type settling struct {
	s      *graphSession
	do     cold.After
	target graph.Folder // of a move

	lost  atomic.Bool // the target was removed meanwhile
	mu    sync.Mutex
	whole error // why the rest is not tried
	row   int   // messages in a row that Graph failed over
}

// deedOf is one message of a call of Settle.
type deedOf struct {
	id      string
	receipt *cold.Receipt
}

func (b *settling) run(ctx context.Context, items []cold.Item, receipts []cold.Receipt) error {
	var todo []deedOf
	for i, it := range items {
		receipts[i] = cold.Receipt{Outcome: cold.SettleUnknown,
			Err: errOffice("settle", vaguemestre.ClassSource, "it was not tried, since the source failed before; it is tried again later")}
		if id := b.s.idOf(it.Key); id != "" {
			todo = append(todo, deedOf{id: id, receipt: &receipts[i]})
		} else {
			receipts[i].Err = errOffice("settle", vaguemestre.ClassConfig, "this item is of another mailbox than %s", quote(b.s.epoch))
		}
	}
	if len(todo) == 0 {
		return nil
	}
	for try := 0; ; try++ {
		if b.do.Do == cold.DoMove {
			target, err := b.s.target(ctx, b.do.Target)
			if err != nil {
				return b.noTarget(todo, err)
			}
			b.target = target
		}
		b.lost.Store(false)
		b.each(ctx, todo)
		if !b.lost.Load() || try > 0 || b.whole != nil {
			return b.whole
		}
		// The folder is looked for, or made, anew; a new client has forgotten it.
		client, err := graph.New(b.s.account, b.s.address, b.s.options())
		if err != nil {
			return graphError("settle", err)
		}
		b.s.client = client
	}
}

// noTarget ends all receipts if the folder cannot be had, or the call if the source fails.
func (b *settling) noTarget(todo []deedOf, err error) error {
	switch kindOf(err) {
	case graph.Denied, graph.Invalid, graph.Missing, graph.Full, graph.Conflict:
		if unauthorized(err) {
			break
		}
		e := b.s.denied("move", err)
		for _, d := range todo {
			*d.receipt = cold.Receipt{Outcome: cold.SettleFailed, Err: e}
		}
		return nil
	}
	return b.s.denied("move", err)
}

// target finds or makes the folder of a move.
func (s *graphSession) target(ctx context.Context, path string) (graph.Folder, error) {
	f, err := s.client.Folder(ctx, path)
	if kindOf(err) != graph.Missing {
		return f, err
	}
	step.Before(step.GraphFolder)
	f, err = s.client.MakeFolder(ctx, path)
	if err == nil {
		step.After(step.GraphFolder)
	}
	return f, err
}

// each settles what has no receipt yet, with as many workers as Graph allows.
func (b *settling) each(ctx context.Context, todo []deedOf) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(graph.Budget, len(todo)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(todo) || ctx.Err() != nil || b.stopped() {
					return
				}
				if todo[i].receipt.Outcome == cold.SettleUnknown {
					b.note(todo[i].receipt, b.one(ctx, todo[i].id))
				}
			}
		})
	}
	wg.Wait()
}

func (b *settling) stopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole != nil
}

// outcome is what became of one message.
type outcome struct {
	how cold.Outcome // "" with err
	ref string
	err error
}

// note writes a receipt, and stops the others when the source fails as a whole.
func (b *settling) note(rc *cold.Receipt, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.err == nil {
		*rc, b.row = cold.Receipt{Outcome: o.how, Ref: o.ref}, 0
		return
	}
	e := b.s.denied("settle", o.err)
	rc.Err = e
	switch kindOf(o.err) {
	case graph.Denied:
		if unauthorized(o.err) {
			b.whole = e
			return
		}
		rc.Outcome = cold.SettleFailed
	case graph.Invalid, graph.Conflict, graph.Gone, graph.Full, graph.TooLarge:
		rc.Outcome = cold.SettleFailed
	case graph.Missing: // the target was removed: it is made anew, once
	case graph.Transient, graph.Garbage: // it may have been done
		if b.row++; b.row >= mostInRow {
			b.whole = e
		}
	default: // throttled, or the account
		b.whole = e
	}
}

// one settles one message.
func (b *settling) one(ctx context.Context, id string) outcome {
	path := "/messages/" + graph.Seg(id)
	for try := 0; ; try++ {
		m, err := b.s.look(ctx, path)
		if kindOf(err) == graph.Missing && !noMailbox(err) {
			return outcome{how: cold.SettleGone}
		}
		if err != nil {
			return outcome{err: err}
		}
		if b.do.Do == cold.DoMove && m.Parent == b.target.ID {
			return outcome{how: cold.SettleDone, ref: b.do.Target}
		}
		if m.Parent != b.s.folder.ID {
			return outcome{how: cold.SettleGone, ref: b.s.name(ctx, m.Parent)}
		}
		done, err := b.act(ctx, path, m)
		switch {
		case err == nil:
			return done
		case kindOf(err) == graph.Missing && !noMailbox(err) && try == 0: // moved or removed meanwhile
		case kindOf(err) == graph.Missing && !noMailbox(err) && b.do.Do == cold.DoMove:
			b.lost.Store(true) // the message is there, so the folder is not
			return outcome{err: err}
		case kindOf(err) == graph.Transient && try == 0: // it may have been done all the same
		case kindOf(err) == graph.Conflict && try < 2:
		default:
			return outcome{err: err}
		}
	}
}

// looked is what a message is before its after-action.
type looked struct {
	Etag       string    `json:"@odata.etag"`
	Parent     string    `json:"parentFolderId"`
	Read       looseBool `json:"isRead"`
	Categories []string  `json:"categories"`
}

func (s *graphSession) look(ctx context.Context, path string) (*looked, error) {
	var m looked
	err := s.client.JSON(ctx, &graph.Request{Op: "look", Path: path, Query: url.Values{"$select": {"id,parentFolderId,isRead,categories"}}}, &m)
	if err == nil && m.Parent == "" {
		err = &graph.Fault{Op: "look", Kind: graph.Garbage, Err: errors.New("graph does not tell where the message lies")}
	}
	return &m, err
}

// act does the after-action on a message that lies in the folder.
func (b *settling) act(ctx context.Context, path string, m *looked) (outcome, error) {
	done := outcome{how: cold.SettleDone}
	r := &graph.Request{Op: "mark", Method: http.MethodPatch, Path: path}
	name := step.GraphPatch
	switch b.do.Do {
	case cold.DoSeen:
		if m.Read {
			return done, nil
		}
		r.JSON = map[string]bool{"isRead": true}
	case cold.DoTag:
		for _, c := range m.Categories {
			if strings.EqualFold(c, b.do.Target) {
				return done, nil
			}
		}
		r.JSON = map[string][]string{"categories": append(m.Categories, b.do.Target)}
		if m.Etag != "" { // somebody else's category, put there meanwhile, is not lost
			r.Header = http.Header{"If-Match": {m.Etag}}
		}
	case cold.DoMove:
		name = step.GraphMove
		r = &graph.Request{Op: "move", Method: http.MethodPost, Path: path + "/move", JSON: map[string]string{"destinationId": b.target.ID}}
		done.ref = b.do.Target
	case cold.DoDelete:
		name = step.GraphDelete
		r = &graph.Request{Op: "delete", Method: http.MethodDelete, Path: path}
	}
	step.Before(name)
	if err := b.s.client.JSON(ctx, r, nil); err != nil {
		return outcome{}, err
	}
	step.After(name)
	return done, nil
}

// name tells what a folder is called, for a receipt.
func (s *graphSession) name(ctx context.Context, id string) string {
	var f graph.Folder
	if err := s.client.JSON(ctx, &graph.Request{Op: "folder", Path: "/mailFolders/" + graph.Seg(id), Query: url.Values{"$select": {"id,displayName"}}}, &f); err != nil || f.Name == "" {
		return "in another folder"
	}
	return "in " + quote(f.Name)
}
