package adullact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/actes"
	"github.com/vaguemestre/vaguemestre/adullact/chorus"
	"github.com/vaguemestre/vaguemestre/adullact/helios"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// payloads reads the messages among the files: by what they hold, whatever their names say.
func (d *decoder) payloads() error {
	for _, f := range slices.Clone(d.e.Files) {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		if f.Role == RoleMetadata || f.Role == RoleMarker || f.Size == 0 {
			continue
		}
		head, err := d.src[f].head()
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(head, []byte("\x1f\x8b")):
			_, err = d.archive(d.src[f], true)
		case bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")):
			err = d.pdf(f)
		case bytes.IndexByte(head, '<') >= 0:
			local, space := d.src[f].rootOf()
			err = d.message(f, kindOfRoot(local, space), local)
		}
		if err != nil && (d.alone || !blames(err) || d.ctx.Err() != nil) {
			return err
		}
		if err != nil {
			d.e.deviate(fmt.Sprintf("files[%d]", slices.Index(d.e.Files, f)), "its message cannot be read, ask its sender for another: "+err.Error())
		}
	}
	return nil
}

func blames(err error) bool { return vaguemestre.ClassOf(err) == vaguemestre.ClassPoison }

// recognized notes what a message is of, unless the metadata said so.
func (d *decoder) recognized(k Kind, root string) {
	if d.e.Source == "" {
		d.e.Source = SourcePayload
	}
	if d.e.Kind == KindUnknown {
		d.e.Kind = k
	}
	if d.e.Type == "" && d.e.Source == SourcePayload {
		d.e.Type = root
	}
}

// message reads one XML file.
func (d *decoder) message(f *File, k Kind, root string) error {
	if k == KindUnknown {
		return nil
	}
	d.recognized(k, root)
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	switch k {
	case KindActes:
		m, err := actes.Decode(d.ctx, r, &actes.Options{Name: plainName(f), Personal: d.o.Personal})
		if err != nil {
			return err
		}
		d.actes(f.Name, m)
	case KindHelios:
		var inner []*File
		flow, err := helios.Decode(d.ctx, r, &helios.Options{Out: d.out(f.Name, &inner), Scratch: d.o.Scratch, Personal: d.o.Personal})
		if err != nil {
			return err
		}
		d.helios(f.Name, flow, inner)
	case KindChorus:
		var inner []*File
		flow, err := chorus.Decode(d.ctx, r, &chorus.Options{Out: d.out(f.Name, &inner), Scratch: d.o.Scratch, Personal: d.o.Personal})
		if err != nil {
			return err
		}
		d.chorus(f.Name, flow, inner)
	}
	return nil
}

// plainName is what the sender called f; "" when only Pastell's name for it is known.
func plainName(f *File) string {
	if _, _, ok := fieldOfName(f.Name); ok {
		return f.NameOriginal
	}
	return f.Name
}

// pdf reads the invoice that a PDF may hold.
func (d *decoder) pdf(f *File) error {
	if !d.alone && (d.e.Kind != KindChorus && d.e.Kind != KindUnknown || len(d.e.Chorus) > 0) {
		return nil // the invoice is there as XML
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	var inner []*File
	flow, err := chorus.DecodePDF(d.ctx, seekAt{r}, f.Size, &chorus.Options{Out: d.out(f.Name, &inner), Scratch: d.o.Scratch, Personal: d.o.Personal})
	switch {
	case err == nil:
		d.recognized(KindChorus, flow.Root)
		d.chorus(f.Name, flow, inner)
	case blames(err) && d.ctx.Err() == nil: // a PDF like any other, or one that only viewers mend
		return nil
	}
	return err
}

// archive reads an archive of ACTES; done is false when it is none.
func (d *decoder) archive(s Source, gzip bool) (done bool, err error) {
	if !gzip {
		return false, nil
	}
	r, err := s.Open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	var inner []*File
	alone := len(d.e.Files) == 0
	if alone {
		if err := d.files([]Source{s}); err != nil {
			return false, err
		}
		d.e.Files[0].Role = RoleArchive
	}
	from := s.base()
	a, err := actes.DecodeArchive(d.ctx, r, &actes.Options{Name: s.base(), Personal: d.o.Personal, Out: d.out(from, &inner)})
	if err != nil {
		// A damaged archive is read again as any other: what is whole in it comes out.
		if d.ctx.Err() == nil && blames(err) && (alone || errors.Is(err, actes.ErrNotActes)) {
			if alone {
				d.e.Files = nil
			}
			return false, nil
		}
		return false, err
	}
	root := "archive"
	if a.Envelope != nil {
		root = a.Envelope.Root
	}
	d.recognized(KindActes, root)
	if a.Envelope != nil {
		d.actes(a.Envelope.Name, a.Envelope)
	}
	for _, m := range a.Messages {
		d.actes(m.Name, m)
	}
	d.deviations(from, a.Deviations)
	if alone {
		d.finish()
	}
	return true, nil
}

// out takes the documents of a message. One that is among the files already is not taken
// twice.
func (d *decoder) out(from string, list *[]*File) payload.Out {
	return func(pf *payload.File, content io.Reader) error {
		if len(d.e.Files) >= maxFiles {
			return poison("the envelope holds more than %d files", maxFiles)
		}
		s, err := d.e.scratch.keep(d.ctx, orName(pf.Name), content)
		if err != nil {
			return err
		}
		f := d.sums[s.SHA256]
		if f == nil || f.From == from {
			f = d.take(s)
			f.File, f.From = *pf, from
			f.Name, f.Size, f.SHA256 = orName(pf.Name), s.Size, s.SHA256
			if f.Role == "" {
				f.Role = RolePJ
			}
		} else if f.ID == "" {
			f.ID, f.Type = pf.ID, pf.Type
		}
		*list = append(*list, f)
		return nil
	}
}

func (d *decoder) deviations(path string, list []payload.Deviation) {
	for _, v := range list {
		p := v.Path
		if path != "" && p != "" {
			p = path + ": " + p
		} else if path != "" {
			p = path
		}
		d.e.deviate(p, v.Reason)
	}
}
