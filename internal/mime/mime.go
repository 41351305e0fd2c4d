package mime

import (
	"fmt"
	"io"
	"iter"
)

// Options bound the parse. 0 means the default.
type Options struct {
	Depth  int // nesting of multiparts and attached mails; default 50
	Parts  int // parts in all; default 1,000
	Header int // bytes of one header block; default 1 MiB
}

// Bounds that no option moves.
const (
	maxLine     = 64 << 10 // bytes of one header line
	maxFields   = 2000     // fields of one header block
	maxBoundary = 2048     // bytes; RFC 2046 section 5.1.1 allows 70
	maxParams   = 100      // parameters of one field
)

func (o *Options) orDefault() Options {
	var v Options
	if o != nil {
		v = *o
	}
	if v.Depth <= 0 {
		v.Depth = 50
	}
	if v.Parts <= 0 {
		v.Parts = 1000
	}
	if v.Header <= 0 {
		v.Header = 1 << 20
	}
	return v
}

// LimitError says which bound a message broke. The message is to be handed over whole.
type LimitError struct {
	What  string // "depth", "parts", "header", "header line", "header fields", "boundary", "parameters"
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("mime: the mail exceeds the limit of %d for %s; take it whole", e.Limit, e.What)
}

// Role says what a part is for a reader of the mail.
type Role string

const (
	RoleContainer  Role = "container"  // multipart/*
	RoleBody       Role = "body"       // text of the mail
	RoleInline     Role = "inline"     // shown inside the text: an image with a Content-ID, say
	RoleAttachment Role = "attachment" // everything else that has content
	RoleMessage    Role = "message"    // message/rfc822 and its kin: Children holds the message's root
)

// Message is a parsed mail.
type Message struct {
	Root    *Part
	Repairs []string // of the structure: "last boundary missing", …
}

// Parts goes through all parts in the order of the mail, those of attached mails included.
func (m *Message) Parts() iter.Seq[*Part] {
	return func(yield func(*Part) bool) { m.Root.each(yield) }
}

func (p *Part) each(yield func(*Part) bool) bool {
	if !yield(p) {
		return false
	}
	for _, c := range p.Children {
		if !c.each(yield) {
			return false
		}
	}
	return true
}

// Part is one node of a mail, in the order of the mail.
type Part struct {
	Header      Header
	MediaType   string            // lower case; "text/plain" when absent or unreadable
	Params      map[string]string // of Content-Type, decoded; keys in lower case; nil if none
	Disposition string            // lower case: "attachment", "inline", …; "" when absent
	Encoding    string            // of transfer: "base64", "quoted-printable", "uuencode"; "" for none
	Name        string            // file name, decoded (RFC 2231, RFC 2047, raw 8-bit); "" when it has none
	ContentID   string            // without its angle brackets
	Role        Role
	Depth       int // 0 for the root
	Number      int // place in the mail, 1 for the root
	Children    []*Part
	Repairs     []string // of its header and structure; those of its body are told by the reader

	// Start and End are the body's bytes before transfer decoding. They count in the
	// message, or, below an attached mail that was itself transfer encoded, in that mail.
	Start, End int64

	src    *source
	closed bool // a multipart whose last boundary was found
}

func (p *Part) repair(s string) {
	for _, have := range p.Repairs {
		if have == s {
			return
		}
	}
	p.Repairs = append(p.Repairs, s)
}

// Parse reads the structure of the message of size bytes in r. r must stay readable as
// long as parts are opened. If r also has a method Bytes() []byte that returns the whole
// message, it is read there without copying. Parse fails only with *LimitError and
// errors of r. With a *LimitError the Message is what was read so far; its Root is never
// nil and often has its header.
func Parse(r io.ReaderAt, size int64, o *Options) (*Message, error) {
	n := 0
	return parse(newSource(r, size), o.orDefault(), 0, &n)
}

// parse reads the mail in src; depth and count go on from those of the mail around it.
func parse(src *source, o Options, depth int, count *int) (*Message, error) {
	m := &Message{}
	w := walker{scanner: scanner{source: src}, limits: o, count: count, msg: m}
	defer w.release()
	m.Root = &Part{MediaType: "text/plain", Role: RoleBody, Depth: depth, src: src}
	_, err := w.entity(m.Root, nil, 0, depth)
	if err == nil {
		w.roles(m.Root, nil, 0)
	}
	return m, err
}
