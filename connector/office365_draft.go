package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// Bounds of the draft path.
const (
	maxDrafts = 3 // begun anew after an ambiguous answer
	maxSends  = 3 // of one draft, each only once it is known that it still is one
	maxStrays = 100

	deleteTime = 30 * time.Second
	farewell   = 700 * time.Millisecond // for deleting after ctx has ended
)

// errAgain says that a draft may not be what it should: it is deleted, and another begun.
var errAgain = errors.New("it is not known what the draft holds")

// copyOf is a message as it is found in the mailbox.
type copyOf struct {
	ID        string `json:"id"`
	Draft     bool   `json:"isDraft"`
	Parent    string `json:"parentFolderId"`
	MessageID string `json:"internetMessageId"`
}

const copyFields = "id,isDraft,parentFolderId,internetMessageId"

// drafts sends the letter as a draft.
func (d *delivery) drafts(ctx context.Context) error {
	d.o.sweep(ctx)
	for n := 1; ; n++ {
		err := d.draft(ctx)
		if !errors.Is(err, errAgain) {
			return err
		}
		if n == maxDrafts {
			return &graph.Fault{Op: "add attachments", Kind: graph.Transient, Err: errAgain}
		}
	}
}

// draft makes one, fills it and sends it. Unless it went out, or may have, it is deleted.
func (d *delivery) draft(ctx context.Context) error {
	c, err := d.begin(ctx)
	if err != nil {
		return err
	}
	for i, f := range d.l.files {
		if f.size >= leastSession {
			err = d.upload(ctx, c.ID, f, i)
		} else {
			err = d.attach(ctx, c.ID, f, i)
		}
		if err != nil {
			break
		}
	}
	sending := false
	if err == nil {
		sending = true
		err = d.sendDraft(ctx, c)
	}
	if err == nil {
		return nil
	}
	if f := faultOf(err); sending && f != nil && f.Kind == graph.Unknown {
		return err // it may be under way: hands off
	}
	d.remove(ctx, c.ID)
	return err
}

// begin makes the draft, without its attachments.
func (d *delivery) begin(ctx context.Context) (copyOf, error) {
	d.asked = true
	var c copyOf
	doc, err := newDocument(d.l.message(), "", nil)
	if err != nil {
		return c, unfit("%w", err)
	}
	err = d.c.JSON(ctx, &graph.Request{Op: "draft mail", Method: http.MethodPost, Path: "/messages", Once: true,
		ContentType: "application/json", Size: doc.size, Body: doc.open}, &c)
	f := faultOf(err)
	if f != nil && (f.Kind == graph.Unknown || f.Kind == graph.Garbage) || err == nil && c.ID == "" {
		// It may be there, without anybody knowing its id.
		d.removeStrays(ctx)
		if ctx.Err() != nil {
			return c, canceled(opSend, ctx.Err())
		}
		return c, errAgain
	}
	if err != nil {
		return c, err
	}
	if id := bareID(c.MessageID); id != "" && id != d.l.id {
		d.noteID(id)
	}
	return c, nil
}

// noteID tells that Exchange gave the mail another Message-ID.
func (d *delivery) noteID(id string) {
	note := fmt.Sprintf("Microsoft 365 gave the mail a Message-ID of its own: %s", clean(id, 300))
	if !slices.Contains(d.l.notes, note) {
		d.l.notes = append(d.l.notes, note)
	}
}

func bareID(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "<"), ">")
}

// attach adds a small file; i is how many there were before.
func (d *delivery) attach(ctx context.Context, draft string, f file, i int) error {
	mark := newMark()
	doc, err := newDocument(attachmentOf(f, mark), mark, []file{f})
	if err != nil {
		return unfit("%w", err)
	}
	err = d.c.JSON(ctx, &graph.Request{Op: "add attachment", Method: http.MethodPost, Path: "/messages/" + graph.Seg(draft) + "/attachments",
		Once: true, ContentType: "application/json", Size: doc.size, Body: doc.open}, nil)
	switch fault := faultOf(err); {
	case fault != nil && fault.Kind == graph.Unknown:
		return d.ambiguous(ctx, draft, i, err)
	case fault != nil && f.size > mostPosted && (fault.Kind == graph.TooLarge || fault.Status == http.StatusBadRequest):
		return d.upload(ctx, draft, f, i) // Graph does not tell to which byte its 3 and 4 MB go
	}
	return err
}

// ambiguous decides about an attachment that may have been added: it is there, or the draft
// is begun anew, since it may still come.
func (d *delivery) ambiguous(ctx context.Context, draft string, i int, err error) error {
	if ctx.Err() != nil {
		return canceled(opSend, ctx.Err())
	}
	if n, cerr := d.attached(ctx, draft); cerr == nil && n == i+1 {
		return nil
	}
	if ctx.Err() != nil {
		return canceled(opSend, ctx.Err())
	}
	return fmt.Errorf("%w (%v)", errAgain, err)
}

// attached counts the attachments of a draft.
func (d *delivery) attached(ctx context.Context, draft string) (int, error) {
	r := &graph.Request{Op: "count attachments", Path: "/messages/" + graph.Seg(draft) + "/attachments",
		Query: query("$select", "id,name,size", "$top", "100")}
	n := 0
	for range 100 {
		var page struct {
			Value []struct {
				ID string `json:"id"`
			} `json:"value"`
			Next string `json:"@odata.nextLink"`
		}
		if err := d.c.JSON(ctx, r, &page); err != nil {
			return 0, err
		}
		n += len(page.Value)
		if page.Next == "" {
			return n, nil
		}
		r = &graph.Request{Op: r.Op, Link: page.Next}
	}
	return 0, errors.New("the listing of attachments has no end")
}

// sendDraft sends the draft. After an ambiguous answer it asks what became of it: its
// immutable id stays the same when it is sent (learn.microsoft.com/graph/outlook-immutable-id).
func (d *delivery) sendDraft(ctx context.Context, c copyOf) error {
	var doubt error // the first ambiguous answer
	for range maxSends {
		err := d.post(ctx, &graph.Request{Op: "send draft", Method: http.MethodPost, Path: "/messages/" + graph.Seg(c.ID) + "/send", Once: true})
		if err == nil {
			return nil
		}
		if f := faultOf(err); f != nil && f.Kind == graph.Unknown {
			if doubt == nil {
				doubt = err
			}
		} else if doubt == nil {
			return err // surely not sent
		}
		switch d.fate(ctx, c) {
		case fateSent:
			d.ref, d.code = faultOf(doubt).RequestID, "found in the mailbox"
			return nil
		case fateDraft:
		default:
			return doubt
		}
	}
	// It still is a draft after the last try. If it can be deleted it did not go out, and will
	// not: 404 would mean that it has left after all.
	if err := (stray{d.c, c.ID}).delete(ctx); err != nil {
		return doubt
	}
	f := *faultOf(doubt)
	f.Kind = graph.Transient
	return &f
}

// What became of a draft.
const (
	fateSent  = "sent"
	fateDraft = "draft" // still one
	fateDoubt = "doubt"
)

// fate looks for what became of a draft that may have been sent, for a while: what was
// accepted may stand in Drafts, then nowhere, before it stands in Sent Items.
func (d *delivery) fate(ctx context.Context, c copyOf) string {
	last := fateDoubt
	for _, p := range pauses {
		if d.o.pause(ctx, p) != nil {
			return fateDoubt
		}
		var now copyOf
		err := d.c.JSON(ctx, &graph.Request{Op: "look at draft", Path: "/messages/" + graph.Seg(c.ID), Query: query("$select", copyFields)}, &now)
		f := faultOf(err)
		switch {
		case err == nil && now.ID != "" && !now.Draft:
			return fateSent
		case err == nil && now.ID != "" && now.Parent == c.Parent:
			last = fateDraft
		case f != nil && f.Kind == graph.Missing:
			last = fateDoubt
			found, err := byMessageID(ctx, d.c, d.l.id)
			if err == nil && slices.ContainsFunc(found, func(f copyOf) bool { return !f.Draft }) {
				return fateSent
			}
		default: // in the outbox, or not told
			last = fateDoubt
		}
	}
	return last
}

// byMessageID finds the copies of a mail in the whole mailbox.
func byMessageID(ctx context.Context, c *graph.Client, id string) ([]copyOf, error) {
	var page struct {
		Value []copyOf `json:"value"`
	}
	err := c.JSON(ctx, &graph.Request{Op: "look for mail", Path: "/messages",
		Query: query("$filter", "internetMessageId eq '<"+strings.ReplaceAll(id, "'", "''")+">'", "$select", copyFields, "$top", "50")}, &page)
	if err != nil {
		return nil, err
	}
	// QUIRK: a server that does not know the filter may ignore it.
	return slices.DeleteFunc(page.Value, func(f copyOf) bool { return bareID(f.MessageID) != id }), nil
}

// remove deletes a draft, also when ctx has ended.
func (d *delivery) remove(ctx context.Context, id string) {
	short, cancel := lastWords(ctx)
	defer cancel()
	s := stray{d.c, id}
	if s.delete(short, http.StatusNotFound) != nil {
		d.o.leave(s)
		d.l.note("a draft of the mail may be left in Drafts for now: it could not be deleted, and is with the next large mail")
	}
}

// stray is a draft that was left behind.
type stray struct {
	c  *graph.Client
	id string
}

func (s stray) delete(ctx context.Context, accept ...int) error {
	return s.c.JSON(ctx, &graph.Request{Op: "delete draft", Method: http.MethodDelete, Path: "/messages/" + graph.Seg(s.id), Accept: accept}, nil)
}

// leave remembers a draft that could not be deleted, since the mailbox was throttled, say.
func (o *Office365) leave(s stray) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.strays) < maxStrays {
		o.strays = append(o.strays, s)
	}
}

// sweep deletes the drafts that were left behind, as far as it can.
func (o *Office365) sweep(ctx context.Context) {
	o.mu.Lock()
	list := o.strays
	o.strays = nil
	o.mu.Unlock()
	for i, s := range list {
		if s.delete(ctx, http.StatusNotFound) != nil {
			for _, s := range list[i:] {
				o.leave(s)
			}
			return
		}
	}
}

// removeStrays deletes drafts of this mail whose id nobody knows.
func (d *delivery) removeStrays(ctx context.Context) {
	short, cancel := lastWords(ctx)
	defer cancel()
	found, err := byMessageID(short, d.c, d.l.id)
	if err != nil {
		d.l.note("a draft of the mail may be left in Drafts, since it could not be looked for: delete it there")
		return
	}
	for _, f := range found {
		if f.Draft {
			d.remove(ctx, f.ID)
		}
	}
}

// lastWords is a context for cleaning up: short when ctx has ended, since its owner waits.
func lastWords(ctx context.Context) (context.Context, context.CancelFunc) {
	most := deleteTime
	if ctx.Err() != nil {
		most = farewell
	}
	return context.WithTimeout(context.WithoutCancel(ctx), most)
}
