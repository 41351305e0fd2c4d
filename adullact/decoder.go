package adullact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"strings"

	"github.com/vaguemestre/vaguemestre/adullact/payload"
	"github.com/vaguemestre/vaguemestre/cold"
)

// Decoder makes one group of every envelope that a job of package cold meets: the files as
// they are, the documents found in messages, and envelope.json, which describes them (see
// [Envelope.MarshalJSON]). A zip gives way to what it holds; messages, and archives of
// ACTES, are among the group themselves. What is none of ours goes on as it is.
//
// Every document has the fields of [Envelope.Index], and of its own file_role,
// file_id, file_from (the file that it was found in), file_pieces (IDs, one a
// line) and file_name_original, where there is a value.
type Decoder struct {
	Scratch  string `key:"scratch" format:"path" advanced:"true"` // directory for what is unpacked; "" is that of the system
	Personal bool   `key:"personal" advanced:"true"`              // see Options
}

var _ cold.GroupDecoder = (*Decoder)(nil)

// Kind is the name of this decoder in settings and in provenance: "adullact".
func (d *Decoder) Kind() string { return "adullact" }

// marked is the field that tells what an envelope gave, so that its own messages are not
// taken for further envelopes.
const marked = "envelope_kind"

// Decode implements [cold.Decoder].
func (d *Decoder) Decode(ctx context.Context, doc *cold.Document, out func(*cold.Document) error) error {
	if doc.Fields[marked] != "" {
		return cold.ErrNotMine
	}
	e, err := Decode(ctx, []Source{source(doc)}, d.options())
	if err != nil {
		return err
	}
	defer e.Close()
	if e.Source == "" {
		return cold.ErrNotMine
	}
	if err := e.describe(doc.Name, out); err != nil { // first, so that no file of the sender has its name
		return err
	}
	for _, f := range e.Files {
		o := &cold.Document{Name: f.Name, MediaType: f.MediaType, Size: f.Size, Group: doc.Name, Fields: e.fieldsOf(f), Open: f.Open}
		if f.SHA256 == doc.SHA256 {
			o.MediaType = doc.MediaType
		}
		if err := out(o); err != nil {
			return err
		}
	}
	return nil
}

// DecodeGroup implements [cold.GroupDecoder]: docs are the files of a deposit.
func (d *Decoder) DecodeGroup(ctx context.Context, docs []*cold.Document, out func(*cold.Document) error) error {
	if len(docs) < 2 {
		return cold.ErrNotMine // Decode knows
	}
	set := make([]Source, len(docs))
	for i, doc := range docs {
		set[i] = source(doc)
	}
	e, err := Decode(ctx, set, d.options())
	if err != nil {
		return err
	}
	defer e.Close()
	if e.Source == "" {
		return cold.ErrNotMine
	}
	if err := e.describe(docs[0].Group, out); err != nil {
		return err
	}
	for i, f := range e.Files {
		if i < len(docs) {
			docs[i].Fields = merged(docs[i].Fields, e.fieldsOf(f))
			continue
		}
		if err := out(&cold.Document{Name: f.Name, MediaType: f.MediaType, Size: f.Size, Group: docs[0].Group, Fields: e.fieldsOf(f), Open: f.Open}); err != nil {
			return err
		}
	}
	return nil
}

func (d *Decoder) options() *Options { return &Options{Scratch: d.Scratch, Personal: d.Personal} }

func source(doc *cold.Document) Source {
	return Source{Name: doc.Name, Size: doc.Size, SHA256: doc.SHA256, Open: doc.Open}
}

func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	if m == nil {
		return b
	}
	maps.Copy(m, b)
	return m
}

// fieldsOf are the envelope's fields and the file's own.
func (e *Envelope) fieldsOf(f *File) map[string]string {
	m := e.Index()
	for name, v := range map[string]string{"file_role": f.Role, "file_id": f.ID, "file_from": f.From,
		"file_pieces": strings.Join(f.Pieces, "\n"), "file_name_original": f.NameOriginal} {
		if v != "" {
			m[name] = v
		}
	}
	return m
}

// describe gives envelope.json.
func (e *Envelope) describe(group string, out func(*cold.Document) error) error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	f := &File{File: payload.File{Role: "envelope"}}
	return out(&cold.Document{Name: "envelope.json", MediaType: "application/json", Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
		Group: group, Fields: e.fieldsOf(f), Open: func() (io.ReadSeekCloser, error) {
			return section{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}, nil
		}})
}
