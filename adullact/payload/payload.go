// Package payload has the words that the decoders of envelopes share: what ACTES, PES and
// Chorus messages have in common however different they are.
package payload

import (
	"io"
	"strings"
)

// Deviation is something that was read although it is against the norm. Real files are full
// of them: they are told, never a reason to drop a file.
type Deviation struct {
	Path   string `json:"path"`   // of the element or file: "EnTetePES/CodCol"
	Reason string `json:"reason"` // in English; no value of a personal field
}

// File is a document that an envelope or a payload holds.
type File struct {
	Role      string `json:"role"`                 // what it is there: a Pastell field, "pj", "facture"; "" when nobody says
	Name      string `json:"name"`                 // as written by the sender; never a path
	MediaType string `json:"media_type,omitempty"` // by its first bytes, since labels lie; "" when unknown
	Label     string `json:"label,omitempty"`      // the media type that the sender wrote
	Type      string `json:"type,omitempty"`       // the sender's own code: "003", "01", "99_DE"
	ID        string `json:"id,omitempty"`         // by which pieces refer to it
	Size      int64  `json:"size"`                 // bytes, decoded
	SHA256    string `json:"sha256,omitempty"`     // hex, decoded
}

// Out takes the documents of a payload, each while the payload is being read: content is valid
// until Out returns, and what Out does not read is passed over. f is complete. An error ends
// the work and is returned.
type Out func(f *File, content io.Reader) error

// Amount is a decimal number as it was written, "." before the decimals: never a float. It
// may be anything if the file is wrong; Valid tells.
type Amount string

// Valid reports whether a is a decimal number with at most 18 digits.
func (a Amount) Valid() bool {
	s := strings.TrimPrefix(strings.TrimPrefix(string(a), "-"), "+")
	whole, part, _ := strings.Cut(s, ".")
	if whole == "" && part == "" || len(whole)+len(part) > 18 {
		return false
	}
	return strings.Trim(whole+part, "0123456789") == ""
}
