package chorus

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// Lot is a file as it goes over the wire, taken apart.
type Lot struct {
	Name       FlowName            `json:"name,omitzero"`     // zero when the name is none of an EDI flow
	Packing    string              `json:"packing"`           // "xml", "pdf", "zip", "tar.gz", "xml.gz"
	Members    []payload.File      `json:"members,omitempty"` // of the archive; a flow among them has role fichier_facture
	Flows      []*Flow             `json:"flows,omitempty"`   // Source names the member
	Deviations []payload.Deviation `json:"deviations,omitempty"`
}

// DecodeFlow takes a file as Chorus Pro and its partners exchange it: one XML or PDF, or
// several in a zip or a tar.gz; the content decides, since the extension is often removed.
// name is that of the file and is read for what it tells; "" is fine.
//
// Every member of an archive goes to Out, after the attachments that are taken out of it,
// whether it can be decoded or not: what cannot is a member with a deviation, no error. A
// bare file goes to nobody, the caller has it.
func DecodeFlow(ctx context.Context, name string, r io.Reader, o *Options) (*Lot, error) {
	l := &lot{ctx: ctx, o: o.orDefault(), Lot: &Lot{}}
	l.Name, _ = ParseFlowName(name)
	if out := l.o.Out; out != nil {
		l.o.Out = func(f *payload.File, content io.Reader) error {
			if err := out(f, content); err != nil {
				return &outError{err}
			}
			return nil
		}
	}
	l.spool.dir = l.o.Scratch
	defer l.spool.reset()
	l.source.Reader = ctxReader{ctx, r}
	err := l.read(bufio.NewReaderSize(&l.source, 4096))
	if err == nil && len(l.Members)+len(l.Flows)+len(l.Deviations) == 0 {
		l.deviate(l.Packing, "holds no file")
	}
	return l.Lot, failure(ctx, "chorus: flow", err)
}

// source remembers that reading failed, which decompressors do not tell from damage.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// lot is the state of one DecodeFlow.
type lot struct {
	*Lot
	ctx    context.Context
	o      Options
	source source
	spool  spool // of the member, or of a bare PDF
}

func (l *lot) read(r *bufio.Reader) error {
	head, err := r.Peek(1024)
	if err != nil && err != io.EOF {
		return err
	}
	switch sniff(head) {
	case "application/gzip":
		return l.gzip(r)
	case "application/zip":
		return l.zip(r)
	case "application/pdf":
		l.Packing = "pdf"
		size, err := l.keep(&l.spool, r)
		if err != nil {
			return err
		}
		return l.flow(DecodePDF(l.ctx, &l.spool, size, &l.o))
	}
	l.Packing = "xml"
	return l.flow(Decode(l.ctx, r, &l.o))
}

// flow takes a flow that came bare.
func (l *lot) flow(f *Flow, err error) error {
	if f != nil && f.Format != "" {
		l.Flows = append(l.Flows, f)
	}
	return err
}

// keep spools r, within what is left for all.
func (l *lot) keep(s *spool, r io.Reader) (int64, error) {
	s.reset()
	lim := l.o.Limits
	n, err := io.Copy(s, io.LimitReader(r, min(lim.File, lim.Total-l.o.used.total)+1))
	if l.o.used.total += n; err == nil && (n > lim.File || l.o.used.total > lim.Total) {
		err = poison("it unpacks to more than Limits.File or Limits.Total allow: raise them if that is right")
	}
	return n, err
}

func (l *lot) gzip(r io.Reader) error {
	packed := &counted64{r: r}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return l.damaged("gzip", err)
	}
	plain := bufio.NewReaderSize(&ratioReader{r: z, packed: packed}, 4096)
	head, err := plain.Peek(512)
	if err != nil && err != io.EOF {
		return l.damaged("gzip", err)
	}
	if len(head) < 512 || sniff(head) == "application/xml" {
		l.Packing = "xml.gz"
		return l.flow(Decode(l.ctx, plain, &l.o))
	}
	l.Packing = "tar.gz"
	t := tar.NewReader(plain)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return l.damaged("tar.gz", err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			l.deviate(h.Name, "neither a file nor a directory: left out")
			continue
		}
		if err := l.member(h.Name, t); err != nil {
			return l.damaged("tar.gz", err)
		}
	}
}

func (l *lot) zip(r io.Reader) error {
	l.Packing = "zip"
	var whole spool
	whole.dir = l.o.Scratch
	defer whole.reset()
	size, err := l.keep(&whole, r)
	if err != nil {
		return err
	}
	list, err := entries(&whole, size, 2<<20)
	if err != nil {
		return poison("the zip cannot be read: %w", err)
	}
	for _, e := range list {
		content, err := e.open()
		if err == nil {
			packed := &counted64{n: int64(min(e.CompressedSize64, uint64(size)))}
			err = l.member(e.Name, &ratioReader{r: content, packed: packed})
		}
		var own *vaguemestre.Error
		var out *outError
		switch {
		case err == nil:
		case errors.As(err, &own), errors.As(err, &out), l.ctx.Err() != nil:
			return err
		default:
			l.deviate(e.Name, "cannot be unpacked; it is left in the zip")
		}
	}
	return nil
}

// damaged is what an archive that ends early or is a bomb means; other errors stay.
func (l *lot) damaged(what string, err error) error {
	var own *vaguemestre.Error
	var out *outError
	switch {
	case l.source.err != nil:
		return l.source.err
	case errors.As(err, &own), errors.As(err, &out), l.ctx.Err() != nil:
		return err
	}
	if errors.Is(err, errRatio) {
		return poison("the %s is a bomb: %w", what, err)
	}
	return poison("the %s is damaged", what)
}

// member spools one member, decodes it, and hands it over.
func (l *lot) member(name string, r io.Reader) error {
	if l.o.used.files++; l.o.used.files > l.o.Limits.Files {
		return poison("it holds more than %d files: raise Limits.Files if that is right", l.o.Limits.Files)
	}
	size, err := l.keep(&l.spool, r)
	if err != nil {
		return err
	}
	f := payload.File{Name: fileName(cut(name)), Size: size}
	if f.Name == "" {
		f.Name = fmt.Sprintf("piece-%d", len(l.Members)+1)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, l.spool.reader()); err != nil {
		return scratch(err)
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	head := make([]byte, 1024)
	n, _ := io.ReadFull(l.spool.reader(), head)
	f.MediaType = sniff(head[:n])
	var flow *Flow
	switch f.MediaType {
	case "application/xml":
		flow, err = Decode(l.ctx, l.spool.reader(), &l.o)
	case "application/pdf":
		flow, err = DecodePDF(l.ctx, &l.spool, size, &l.o)
	}
	var out *outError
	switch {
	case errors.As(err, &out), l.ctx.Err() != nil, err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassPoison:
		return err
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrNoInvoice):
	case err != nil:
		l.deviate(f.Name, err.Error())
	}
	if flow != nil && flow.Format != "" {
		flow.Source, f.Role = f.Name, "fichier_facture"
		l.Flows = append(l.Flows, flow)
	}
	l.Members = append(l.Members, f)
	if l.o.Out == nil {
		return nil
	}
	return l.o.Out(last(l.Members), ctxReader{l.ctx, l.spool.reader()})
}

func (l *lot) deviate(path, reason string) {
	if len(l.Deviations) < maxList {
		l.Deviations = append(l.Deviations, payload.Deviation{Path: cut(path), Reason: reason})
	}
}

// counted64 counts the packed bytes; ratioReader ends what expands like a bomb.
type counted64 struct {
	r io.Reader
	n int64
}

func (c *counted64) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

type ratioReader struct {
	r      io.Reader
	packed *counted64
	n      int64
}

func (r *ratioReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.n += int64(n); r.n > freeBytes && r.n/maxRatio > r.packed.n {
		return n, errRatio
	}
	return n, err
}
