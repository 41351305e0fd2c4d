package connector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/graph"
	"github.com/vaguemestre/vaguemestre/router"
)

// SendMail hands m over: see [router.MailSender] for the contract. ctx bounds all of it; each
// silence of the server has Timeout besides.
//
// Graph takes a mail for all of its recipients or for none, so that all have one state;
// accepted means that Exchange has put it on its way, and what cannot be delivered comes back
// as a mail. An Envelope that names others than To, Cc and Bcc is refused. The Date is that of
// Exchange, unless the mail goes out as MIME.
//
// Up to 3.5 MB it is one request; larger mails are drafted, get their attachments, of up to
// 150 MB in all, and are then sent. After an ambiguous answer the mail is looked for, a draft
// by its immutable id, another by its Message-ID in the mailbox; it is in doubt only if that
// does not tell. Nothing is sent twice. A draft that is not sent is deleted.
func (o *Office365) SendMail(ctx context.Context, m *router.Message) (*router.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, canceled(opSend, err)
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	who, err := o.who(ctx)
	if err != nil {
		return nil, err
	}
	l, err := o.letter(ctx, m, who)
	if err != nil {
		return nil, err
	}
	d := &delivery{o: o, l: l, who: who}
	mailbox := who.mailbox
	switch {
	case !who.shared():
	case l.way == byDraft && l.session:
		// QUIRK: an upload session in another's mailbox gives 403 with a delegated token
		// (learn.microsoft.com/graph/known-issues, outlook-large-attachments).
		l.note("the copy is kept in the Sent Items of the account, not of %s: Microsoft 365 takes large attachments nowhere else", who.mailbox)
		mailbox = ""
	case o.excluded(who.account, false):
		l.note(noAccess, who.mailbox)
		mailbox = ""
	}
	err = d.deliver(ctx, mailbox)
	// The right to send as somebody does not open that mailbox
	// (learn.microsoft.com/graph/outlook-send-mail-from-other-user): the account's own can
	// send in its name. Nothing was done so far.
	var f *graph.Fault
	if mailbox != "" && who.shared() && errors.As(err, &f) && f.Kind == graph.Denied && f.Code == "ErrorAccessDenied" {
		first := err
		l.note(noAccess, who.mailbox)
		if err = d.deliver(ctx, ""); err == nil {
			o.excluded(who.account, true)
		} else if errors.As(err, &f) && f.Kind == graph.Denied {
			err = first
		}
	}
	return d.receipt(err)
}

const (
	opSend   = "office365: send"
	noAccess = "the copy is kept in the Sent Items of the account, not of %s: Microsoft 365 does not let the account into that mailbox (right \"Full Access\", permission Mail.Send.Shared)"
)

// delivery is one letter under way.
type delivery struct {
	o   *Office365
	l   *letter
	who identity
	c   *graph.Client // of the mailbox that it goes out from

	asked bool   // something went out
	ref   string // of the request that sent it
	code  string // of the answer
}

// deliver sends the letter from a mailbox; "" is the account's own. nil: it was accepted.
func (d *delivery) deliver(ctx context.Context, mailbox string) error {
	var err error
	if d.c, err = d.o.client(d.who.account, mailbox); err != nil {
		return err
	}
	if mailbox == "" && d.who.mailbox != "" && d.l.from.Address == "" {
		d.l.from.Address = d.who.mailbox
	}
	if d.l.way == byDraft {
		return d.drafts(ctx)
	}
	r := &graph.Request{Op: "send mail", Method: http.MethodPost, Path: "/sendMail", Once: true}
	if d.l.way == byMIME {
		r.ContentType, r.Size = "text/plain", int64(len(d.l.mime))
		r.Body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(d.l.mime)), nil }
	} else {
		doc, err := d.wrapped()
		if err != nil {
			return unfit("%w", err)
		}
		r.ContentType, r.Size, r.Body = "application/json", doc.size, doc.open
	}
	err = d.post(ctx, r)
	if f := faultOf(err); f != nil && f.Kind == graph.Unknown && d.o.saves() {
		if sent, _ := d.seek(ctx); sent {
			d.ref, d.code = f.RequestID, "found in the mailbox"
			return nil
		}
	}
	return err
}

// wrapped is the body of sendMail as JSON.
func (d *delivery) wrapped() (*document, error) {
	msg, mark := d.l.message(), ""
	for _, f := range d.l.files {
		if mark == "" {
			mark = newMark()
		}
		msg.Attachments = append(msg.Attachments, attachmentOf(f, mark))
	}
	return newDocument(struct {
		Message graphMessage `json:"message"`
		Save    bool         `json:"saveToSentItems"`
	}{msg, d.o.saves()}, mark, d.l.files)
}

// post makes the request that sends, and keeps its id.
func (d *delivery) post(ctx context.Context, r *graph.Request) error {
	d.asked = true
	resp, err := d.c.Do(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	d.ref, d.code = clean(resp.Header.Get("request-id"), 100), resp.Status[:3]
	return nil
}

func faultOf(err error) *graph.Fault {
	var f *graph.Fault
	errors.As(err, &f)
	return f
}

// pauses between the looks for a mail that may be under way: about 10 seconds.
var pauses = [...]time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}

func (o *Office365) pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	if o.sleep != nil {
		return o.sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seek looks for the mail by its Message-ID until it is there, for a while.
func (d *delivery) seek(ctx context.Context) (sent bool, err error) {
	for _, p := range pauses {
		if err := d.o.pause(ctx, p); err != nil {
			return false, err
		}
		found, err := byMessageID(ctx, d.c, d.l.id)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(found, func(f copyOf) bool { return !f.Draft }) {
			return true, nil
		}
	}
	return false, nil
}

// receipt tells what became of the letter.
func (d *delivery) receipt(err error) (*router.Receipt, error) {
	var e *vaguemestre.Error
	if err != nil {
		e = d.explain(err)
	}
	if !d.asked {
		return nil, e
	}
	rec := &router.Receipt{MessageID: d.l.id, Ref: d.ref, Notes: d.l.notes, State: router.Accepted}
	code, text := d.code, "Microsoft 365 has put it on its way"
	if e != nil {
		rec.State, code, text = stateOf(e.Class), e.Code, clean(strings.TrimPrefix(e.Error(), e.Op+": "), 500)
		if f := faultOf(err); f != nil {
			rec.Ref = f.RequestID
		}
	}
	for _, a := range d.l.rcpts {
		rec.Recipients = append(rec.Recipients, router.Recipient{Address: a, State: rec.State, Code: code, Text: text})
	}
	if e != nil {
		return rec, e
	}
	return rec, nil
}
