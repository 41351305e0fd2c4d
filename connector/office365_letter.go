package connector

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// Sizes that Graph takes, in bytes: learn.microsoft.com/graph/outlook-large-attachments and
// message-post-attachments.
const (
	mostJSON     = 3_500_000            // of one request, below its 4 MB with room to spare
	mostMIME     = 3_900_000            // of the same as base64 of MIME
	leastSession = 3 << 20              // of an attachment that has an upload session; smaller ones are posted
	mostPosted   = leastSession - 2<<10 // of one that surely fits into a post: as base64 it comes to 4 MB
	mostFile     = 150 << 20            // of an attachment, and of all of them
)

// way is how a letter goes out.
type way string

const (
	byJSON  way = "json"  // one sendMail
	byMIME  way = "mime"  // the same, as the mail itself
	byDraft way = "draft" // a draft, its attachments one by one, send
)

// letter is a message made ready for Graph: all that is decided before anything is asked.
type letter struct {
	m     *router.Message // each recipient once
	id    string          // Message-ID
	from  mail.Address    // zero: Graph puts in the mailbox
	rcpts []string
	files []file

	own   []graphHeader
	props []graphProperty

	way     way
	mime    []byte // base64
	notes   []string
	session bool // an attachment needs an upload session
}

const opLetter = "office365: prepare mail"

func unfit(format string, args ...any) error {
	return &vaguemestre.Error{Op: opLetter, Class: vaguemestre.ClassPoison, Err: fmt.Errorf(format, args...)}
}

// letter checks m and decides how it goes out. It opens and reads attachments as far as
// their size must be found out, or MIME is made of them; it asks nobody.
func (o *Office365) letter(ctx context.Context, m *router.Message, who identity) (*letter, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	l := &letter{}
	var err error
	if l.rcpts, err = m.Recipients(); err != nil {
		return nil, unfit("recipients: %w", err)
	}
	if l.m, err = onlyOnce(m); err != nil {
		return nil, unfit("recipients: %w", err)
	}
	// Graph takes recipients from the headers (learn.microsoft.com/graph/api/user-sendmail).
	if m.Envelope != nil && !sameRecipients(m) {
		return nil, unfit("the envelope names others than To, Cc and Bcc, and Microsoft 365 sends to those: name them there, or send through an SMTP connector")
	}
	if l.from, err = m.Sender(o.DefaultSender()); err != nil {
		return nil, unfit("sender: %w", err)
	}
	l.id = m.MessageID
	if l.id == "" {
		domain := "localhost"
		for _, a := range []string{l.from.Address, who.user} {
			if i := strings.LastIndexByte(a, '@'); i >= 0 {
				domain = a[i+1:]
				break
			}
		}
		l.id = rand.Text() + "@" + domain
	}
	var total int64
	for i, list := range [2][]router.Attachment{m.Inline, m.Attachments} {
		for _, a := range list {
			if err := ctx.Err(); err != nil {
				return nil, canceled(opLetter, err)
			}
			n, err := a.Length()
			if err != nil {
				return nil, unfit("attachment %q cannot be read: %w", clean(a.Name, 80), err)
			}
			if total += n; n > mostFile || total > mostFile {
				return nil, unfit("the attachments up to %q have %d bytes, and Microsoft 365 takes no more than %d MB in a mail: send fewer or smaller ones", clean(a.Name, 80), total, mostFile>>20)
			}
			l.files = append(l.files, file{a, i == 0, n})
			l.session = l.session || n > mostPosted
		}
	}
	return l, o.choose(ctx, l, who, total)
}

// onlyOnce copies m with each recipient in one list only.
func onlyOnce(m *router.Message) (*router.Message, error) {
	out := *m
	seen := map[string]bool{}
	for _, list := range []*[]string{&out.To, &out.Cc, &out.Bcc} {
		var kept []string
		for _, s := range *list {
			a, err := router.ParseAddress(s)
			if err != nil {
				return nil, err
			}
			if k := strings.ToLower(a.Address); !seen[k] {
				seen[k] = true
				kept = append(kept, s)
			}
		}
		*list = kept
	}
	return &out, nil
}

// sameRecipients tells whether the envelope of m says the same as its headers.
func sameRecipients(m *router.Message) bool {
	all := *m
	all.Envelope = nil
	want, err1 := all.Recipients()
	got, err2 := m.Recipients()
	if err1 != nil || err2 != nil || len(want) != len(got) {
		return false
	}
	in := map[string]bool{}
	for _, a := range want {
		in[strings.ToLower(a)] = true
	}
	for _, a := range got {
		if !in[strings.ToLower(a)] {
			return false
		}
	}
	return true
}

// choose decides the way by size and by what JSON cannot carry.
func (o *Office365) choose(ctx context.Context, l *letter, who identity, total int64) error {
	own, props, mimeOnly, lost, err := headersOf(l.m)
	if err != nil {
		return unfit("headers: %w", err)
	}
	l.own, l.props = own, props
	for _, name := range lost {
		l.note("the header %s does not go out: Microsoft 365 takes it away", name)
	}
	wants := l.m.Text != "" && l.m.HTML != ""
	if len(mimeOnly) > 0 || wants && o.saves() {
		fits, err := l.compose(ctx, o, who, total)
		if err != nil {
			return err
		}
		switch {
		case fits:
			l.way = byMIME
			if !o.saves() {
				l.note("a copy is kept in Sent Items: the header %s needs a way of sending that always keeps one", mimeOnly[0])
			}
			l.reports(false)
			return nil
		case len(mimeOnly) > 0:
			return unfit("the header %s can only be sent to Microsoft 365 in a mail below %.1f MB, and this one is larger: leave the header out, or the attachments smaller; or send through an SMTP connector", mimeOnly[0], float64(mostMIME)/4*3/1e6)
		}
	}
	if wants {
		l.note("the plain text beside the HTML does not go out: Microsoft 365 takes both only in a small mail of which it keeps a copy; it makes a text of its own")
	}
	text, err := json.Marshal(l.message())
	if err != nil {
		return unfit("%w", err)
	}
	size := int64(len(text))
	if size > mostJSON {
		return unfit("the text of the mail alone has %d bytes, and Microsoft 365 takes %d: attach it as a file", size, mostJSON)
	}
	for _, f := range l.files {
		size += int64(base64.StdEncoding.EncodedLen(int(f.size))) + 300 + 6*int64(len(f.Name)+len(f.MediaType)+len(f.ContentID))
	}
	l.way = byJSON
	if size > mostJSON {
		l.way = byDraft
		if !o.saves() {
			l.note("a copy is kept in Sent Items: Microsoft 365 always keeps one of a mail this large")
		}
	}
	l.reports(true)
	return nil
}

func (l *letter) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// reports notes which of the reports that were wanted Graph cannot be asked for.
func (l *letter) reports(json bool) {
	d := l.m.DSN
	if d == nil {
		return
	}
	var not []string
	for _, n := range d.Notify {
		if n != router.NotifySuccess || !json {
			not = append(not, string(n))
		}
	}
	if d.Return != "" {
		not = append(not, "what of the message they give back")
	}
	if d.EnvelopeID != "" {
		not = append(not, "the envelope id")
	}
	if len(not) > 0 {
		l.note("of the delivery reports Microsoft 365 cannot be asked for: %s; it reports failures as it sees fit", strings.Join(not, ", "))
	}
}

// compose makes MIME of the letter, unless that is too large.
func (l *letter) compose(ctx context.Context, o *Office365, who identity, total int64) (fits bool, err error) {
	if b64Size(b64Size(total)) > mostMIME {
		return false, nil
	}
	m := *l.m
	m.MessageID, m.Envelope = l.id, nil
	sender := o.DefaultSender()
	if sender == "" {
		sender = who.user
	}
	if m.From == "" && sender == "" {
		return false, &vaguemestre.Error{Op: opLetter, Class: config, Err: errors.New("no sender: this mail needs one in its headers; set From in the message or sender in the connector")}
	}
	c, err := compose(ctx, &m, sender)
	if err != nil {
		var e *vaguemestre.Error
		if errors.As(err, &e) && strings.HasPrefix(e.Op, "smtp: ") {
			err = &vaguemestre.Error{Op: opLetter, Class: e.Class, Err: e.Err}
		}
		return false, err
	}
	// As base64 of base64: learn.microsoft.com/graph/outlook-send-mime-message.
	if base64.StdEncoding.EncodedLen(int(c.size)+200*len(m.Bcc)) > mostMIME {
		return false, nil
	}
	w := &wire{}
	raw, err := c.writeTo(ctx, w)
	if err != nil {
		return false, unfit("%w", err)
	}
	whole := append(bccHeader(m.Bcc), undot(raw)...)
	l.mime = base64.StdEncoding.AppendEncode(nil, whole)
	return len(l.mime) <= mostMIME, nil
}

// bccHeader is the line that tells Graph who else gets the mail; it takes it out again.
func bccHeader(list []string) []byte {
	var parts []string
	for _, s := range list {
		if a, err := router.ParseAddress(s); err == nil { // checked before
			parts = append(parts, a.String())
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []byte("Bcc: " + strings.Join(parts, ",\r\n ") + "\r\n")
}

// undot takes away the dots that only the SMTP dialogue needs (RFC 5321 section 4.5.2).
func undot(mail []byte) []byte {
	out := make([]byte, 0, len(mail))
	for line := range strings.Lines(string(mail)) {
		out = append(out, strings.TrimPrefix(line, ".")...)
	}
	return out
}
