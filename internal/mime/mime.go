// Package mime takes a mail apart: lenient, bounded, without changing a byte.
//
// It reads the message where it lies (a spool in memory or on disk), records where
// every part begins and ends, and decodes a part when it is opened, as often as it is
// opened. What had to be mended is reported, never hidden.
package mime

import "io"

// Options bound the parse. 0 means the default.
type Options struct {
	Depth  int // nesting of multiparts and attached mails; default 50
	Parts  int // parts in all; default 1,000
	Header int // bytes of one header block; default 1 MiB
}

// LimitError says which bound a message broke. The message is to be handed over whole.
type LimitError struct {
	What  string // "depth", "parts", "header"
	Limit int
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

// Part is one node of a mail, in the order of the mail.
type Part struct {
	Header    Header
	MediaType string            // lower case; "text/plain" when absent or unreadable
	Params    map[string]string // of Content-Type, decoded
	Name      string            // file name, decoded (RFC 2231, RFC 2047, raw 8-bit); "" when it has none
	Role      Role
	Depth     int
	Children  []*Part
	Repairs   []string // of its header and structure; those of its body are told by the reader

	Start, End int64 // the body's bytes in the message, before transfer decoding
}

// Header is a header block. Methods look names up without regard to case.
type Header struct{ fields []field }

type field struct{ name, value string }

// Parse reads the structure of the message of size bytes in r. r must stay readable as
// long as parts are opened. If r also has a method Bytes() []byte, the message is read
// there without copying. Parse fails only with *LimitError and errors of r.
func Parse(r io.ReaderAt, size int64, o *Options) (*Message, error) { panic("to come") }

// Get returns the first field's value, unfolded but not decoded; "" if absent.
func (h Header) Get(name string) string { panic("to come") }

// Text returns the first field's value with its RFC 2047 words decoded.
func (h Header) Text(name string) string { panic("to come") }

// Open gives the part's content after transfer decoding, from its beginning; of a
// message/rfc822 part the attached mail as it is. It may be called any number of times,
// also at once from several goroutines if r allows it.
func (p *Part) Open() *Reader { panic("to come") }

// Reader reads a part's content. Seek begins anew and skips where it must.
type Reader struct{}

// Repairs tells what had to be mended in what was read so far.
func (r *Reader) Repairs() []string { panic("to come") }
