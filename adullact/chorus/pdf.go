package chorus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// ErrNoInvoice is a PDF without an embedded invoice: a document like any other.
var ErrNoInvoice = errors.New("the pdf holds no embedded invoice")

// embedded are the names of the XML within a PDF, the best first: Factur-X and ZUGFeRD 2.1,
// ZUGFeRD (1.0 wrote capitals), XRechnung. Case does not matter.
var embedded = []string{"factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml"}

// DecodePDF takes the XML out of a Factur-X invoice, hands it to Out with role "facturx",
// and decodes it. An error that matches [ErrNoInvoice] says that there is none; one of
// class poison that the PDF cannot be read. However large the PDF is, only the few objects
// that lead to the XML are read; where its cross-references are damaged it is searched
// once from end to end. A PDF with a password is refused: PDF/A, which Factur-X is, has
// none (ISO 19005-3, 6.1.3).
func DecodePDF(ctx context.Context, ra io.ReaderAt, size int64, o *Options) (*Flow, error) {
	opts := o.orDefault()
	name, xml, err := embeddedXML(ctx, ra, size)
	if err != nil {
		return nil, failure(ctx, "chorus: pdf", err)
	}
	if opts.Out != nil {
		sum := sha256.Sum256(xml)
		f := &payload.File{Role: "facturx", Name: name, MediaType: "application/xml", Size: int64(len(xml)), SHA256: hex.EncodeToString(sum[:])}
		if err := opts.Out(f, bytes.NewReader(xml)); err != nil {
			return nil, err
		}
	}
	flow, err := Decode(ctx, bytes.NewReader(xml), &opts)
	flow.Source = name
	return flow, err
}

// embeddedXML finds the XML. Its errors hold no text of the PDF.
func embeddedXML(ctx context.Context, ra io.ReaderAt, size int64) (name string, xml []byte, err error) {
	f := &pdfFile{ctx: ctx, ra: ra, size: size, work: 64<<20 + 2*size}
	head, err := f.window(0, 1024)
	i := bytes.Index(head, []byte("%PDF-"))
	if size == 0 || err == nil && i < 0 {
		return "", nil, pdfPoison(errors.New("it is no pdf"))
	}
	if err != nil {
		return "", nil, err
	}
	f.base = int64(i)
	name, spec, err := f.attached()
	if err == nil && name != "" {
		xml, err = f.file(spec)
	}
	if damaged(err) {
		name, spec, err = f.repair()
		if err == nil && name != "" {
			xml, err = f.file(spec)
		}
	}
	switch {
	case damaged(err), errors.Is(err, errPDFWork), errors.Is(err, errPDFLarge), errors.Is(err, errPDFFilter), errors.Is(err, errEncrypted):
		return "", nil, pdfPoison(err)
	case err == nil && name == "":
		return "", nil, pdfPoison(ErrNoInvoice)
	}
	return fileName(name), xml, err
}

// damaged tells whether another way of reading may help.
func damaged(err error) bool {
	return errors.Is(err, errPDF) || errors.Is(err, errPDFShort)
}

// pdfPoison is an error about the PDF.
func pdfPoison(err error) error {
	return &vaguemestre.Error{Op: "chorus: pdf", Class: vaguemestre.ClassPoison, Err: err}
}

// attached looks where files may hang: the tree /Names /EmbeddedFiles, and /AF (ISO
// 32000-1, 7.11.4; ISO 19005-3, 6.8).
func (f *pdfFile) attached() (name string, spec pdfDict, err error) {
	if err := f.open(); err != nil {
		return "", nil, err
	}
	if f.trailer["Encrypt"] != nil {
		return "", nil, errEncrypted
	}
	root, err := f.dict(f.trailer["Root"])
	if err != nil || root == nil {
		return "", nil, errors.Join(errPDF, err)
	}
	specs, err := f.list(root["AF"])
	if err != nil {
		return "", nil, err
	}
	names, err := f.dict(root["Names"])
	if err != nil {
		return "", nil, err
	}
	for todo, n := []any{names["EmbeddedFiles"]}, 0; len(todo) > 0 && n < 1000; n++ {
		node, err := f.dict(todo[0])
		if err != nil {
			return "", nil, err
		}
		pairs, err := f.list(node["Names"])
		if err != nil {
			return "", nil, err
		}
		for i := 1; i < len(pairs); i += 2 {
			specs = append(specs, pairs[i])
		}
		kids, err := f.list(node["Kids"])
		if err != nil {
			return "", nil, err
		}
		todo = append(todo[1:], kids[:min(len(kids), 1000)]...)
	}
	best := len(embedded)
	for _, o := range specs[:min(len(specs), 10_000)] {
		d, err := f.dict(o)
		if err != nil {
			return "", nil, err
		}
		if n, k := f.named(d); k < best {
			name, spec, best = n, d, k
		}
	}
	return name, spec, nil
}

// named returns the name of a file specification and its place in embedded, len(embedded)
// for a file of another name.
func (f *pdfFile) named(spec pdfDict) (string, int) {
	for _, key := range []pdfName{"UF", "F"} {
		o, _ := f.resolve(spec[key])
		s, _ := o.(pdfString)
		name := fileName(s.text())
		for k, want := range embedded {
			if strings.EqualFold(name, want) && spec["EF"] != nil {
				return name, k
			}
		}
	}
	return "", len(embedded)
}

// file unpacks the embedded file of a specification.
func (f *pdfFile) file(spec pdfDict) ([]byte, error) {
	ef, err := f.dict(spec["EF"])
	if err != nil {
		return nil, err
	}
	for _, key := range []pdfName{"F", "UF"} {
		o, err := f.resolve(ef[key])
		if err != nil {
			return nil, err
		}
		if s, ok := o.(pdfStream); ok {
			return f.content(s)
		}
	}
	return nil, errPDF
}
