package graphtest

import (
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// mail is one message without its place: what was delivered or made, never changed once it
// is in a mailbox, so that several mailboxes and readers may hold it.
type mail struct {
	raw  *blob // nil: a draft, which has no MIME yet
	bcc  []address
	once sync.Once
	c    *content
}

// mailOf is a mail whose content is read from raw when somebody asks for it.
func mailOf(raw *blob) *mail { return &mail{raw: raw} }

// draftOf is a mail that has no MIME.
func draftOf(c *content) *mail { return &mail{c: c} }

// content returns what the mail says. It must not be changed: see [content.clone].
func (m *mail) content() *content {
	m.once.Do(func() {
		if m.c == nil {
			m.c = parseContent(m.raw)
			m.c.bcc = append(m.c.bcc, m.bcc...)
		}
	})
	return m.c
}

func (m *mail) size() int64 {
	if m.raw != nil {
		return m.raw.size
	}
	return m.c.size()
}

// content is what a mail says, read from MIME or from JSON.
type content struct {
	kind            string // of @odata.type, if it is no plain message
	subject         string
	messageID       string // with its brackets
	from, sender    *address
	to, cc, bcc     []address
	replyTo         []address
	date            time.Time
	importance      string // low, normal, high
	readReceipt     *bool
	deliveryReceipt *bool
	html            bool
	text            func() string
	preview         string
	headers         []header          // all of a mail that was read; of JSON internetMessageHeaders
	extended        map[string]string // MAPI properties by id, "String 0x1045"
	thread          string            // conversation
	attachments     []*attachment
}

type address struct{ name, addr string }

type header struct{ name, value string }

// clone returns a copy that may be changed.
func (c *content) clone() *content {
	d := *c
	d.attachments, d.headers = slices.Clone(c.attachments), slices.Clone(c.headers)
	return &d
}

// editable returns the content of a draft to be changed. One that came as MIME loses its
// form: from now on it is built of what was understood.
func (m *mail) editable() *content {
	d := m.content().clone()
	if m.raw == nil {
		return d
	}
	d.extended = map[string]string{}
	all := d.headers
	d.headers = nil
	for _, h := range all {
		for _, p := range mapiHeaders {
			if strings.EqualFold(h.name, p.name) {
				d.extended[p.id] = h.value
			}
		}
		if strings.HasPrefix(strings.ToLower(h.name), "x-") {
			d.headers = append(d.headers, h)
		}
	}
	return d
}

// recipients are those of all fields, in order.
func (c *content) recipients() []address { return slices.Concat(c.to, c.cc, c.bcc) }

// size is about what the mail takes in the mailbox.
func (c *content) size() int64 {
	n := int64(len(c.subject)+len(c.text())) + 1024
	for _, a := range c.attachments {
		n += a.size
	}
	return n
}

// attachmentKind is the last word of an attachment's @odata.type.
type attachmentKind string

const (
	fileKind      attachmentKind = "fileAttachment"
	itemKind      attachmentKind = "itemAttachment"
	referenceKind attachmentKind = "referenceAttachment"
)

// attachment is one attachment. It is not changed once it is there.
type attachment struct {
	id          string
	kind        attachmentKind
	name        string
	contentType string
	inline      bool
	contentID   string
	location    string
	modified    time.Time
	size        int64 // about; Exchange counts its own properties in
	open        func() io.ReadCloser
	item        *mail // of itemKind
}

// overhead is what Exchange adds to the size of an attachment.
const overhead = 224

// fileOf is a file attachment that holds b.
func fileOf(b *blob) *attachment {
	return &attachment{id: newID(attachmentID), kind: fileKind, size: b.size + overhead,
		open: func() io.ReadCloser { return io.NopCloser(b.reader()) }}
}

// visible reports whether an attachment counts for hasAttachments, which leaves the inline
// ones out (message resource type).
func visible(list []*attachment) bool {
	return slices.ContainsFunc(list, func(a *attachment) bool { return !a.inline })
}
