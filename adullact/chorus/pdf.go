package chorus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// ErrNoInvoice is a PDF without an embedded invoice: a document like any other.
var ErrNoInvoice = errors.New("the pdf holds no embedded invoice")

// embedded are the names of the XML within a PDF, the best first: Factur-X and ZUGFeRD 2.1,
// ZUGFeRD 2.0, ZUGFeRD 1.0 (which are compared without case), XRechnung.
var embedded = []string{"factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml"}

// DecodePDF takes the XML out of a Factur-X invoice, hands it to Out with role "facturx",
// and decodes it. An error that matches [ErrNoInvoice] says that there is none; one of
// class poison that the PDF cannot be read, or has more than Limits.PDF bytes. The whole
// PDF is in memory meanwhile.
func DecodePDF(ctx context.Context, ra io.ReaderAt, size int64, o *Options) (*Flow, error) {
	opts := o.orDefault()
	name, xml, err := embeddedXML(ctx, ra, size, opts.Limits.PDF)
	if err != nil {
		return nil, failure(ctx, "chorus: pdf", err)
	}
	if opts.Out != nil {
		f := &payload.File{Role: "facturx", Name: fileName(name), MediaType: "application/xml"}
		f.Size, f.SHA256 = measure(xml)
		if err := opts.Out(f, bytes.NewReader(xml)); err != nil {
			return nil, err
		}
	}
	flow, err := Decode(ctx, bytes.NewReader(xml), &opts)
	flow.Source = fileName(name)
	return flow, err
}

// pdfPoison is an error about the PDF. It holds no text of the PDF.
func pdfPoison(err error) error {
	return &vaguemestre.Error{Op: "chorus: pdf", Class: vaguemestre.ClassPoison, Err: err}
}

// maxXML bounds the XML of one PDF, and each stream of the PDF that is unpacked for it.
const maxXML = 16 << 20

func embeddedXML(ctx context.Context, ra io.ReaderAt, size, limit int64) (name string, xml []byte, err error) {
	if size > limit {
		return "", nil, pdfPoison(fmt.Errorf("it has %d bytes, more than %d: raise Limits.PDF if that is right", size, limit))
	}
	if err := sane(ra, size); err != nil {
		return "", nil, err
	}
	defer func() {
		// pdfcpu is read with care but not proof against every file.
		if p := recover(); p != nil {
			name, xml, err = "", nil, pdfPoison(errors.New("its structure is damaged"))
		}
	}()
	rs := ctxSeeker{ctxReader{ctx, nil}, io.NewSectionReader(ra, 0, size)}
	pdf, err := pdfcpu.ReadWithContext(ctx, rs, settings())
	if err != nil {
		if ctx.Err() != nil {
			return "", nil, ctx.Err()
		}
		return "", nil, pdfPoison(errors.New("its structure is damaged, or it asks for a password"))
	}
	w := &walk{x: pdf.XRefTable, files: map[string]types.Object{}}
	w.catalog()
	for _, want := range embedded {
		if o, ok := w.files[want]; ok {
			xml, err := w.content(o)
			if err != nil {
				return "", nil, pdfPoison(fmt.Errorf("its %s cannot be unpacked", want))
			}
			return w.names[want], xml, nil
		}
	}
	return "", nil, pdfPoison(ErrNoInvoice)
}

// settings are those of a reader that trusts nothing. They are spelled out since pdfcpu's
// own default makes a directory in the home of the user.
func settings() *model.Configuration {
	return &model.Configuration{
		Reader15:       true,
		ValidationMode: model.ValidationRelaxed,
		Eol:            types.EolLF,
		Cmd:            model.EXTRACTATTACHMENTS,
		Offline:        true,
		Limits: model.ResourceLimits{
			MaxStreamBytes:       maxPDFStream,
			MaxDecodeBytes:       maxXML,
			MaxImagePixels:       1,
			MaxImageBytes:        1,
			MaxObjectCount:       500_000,
			MaxObjectStreamCount: 50_000,
			MaxObjectStreamFirst: 1 << 20,
			MaxXRefEntries:       500_000,
			MaxRecursionDepth:    50,
		},
	}
}

const maxPDFStream = 1 << 30 // the whole file is bounded

// ctxSeeker ends the reading with its context.
type ctxSeeker struct {
	ctxReader
	s *io.SectionReader
}

func (c ctxSeeker) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.s.Read(p)
}

func (c ctxSeeker) Seek(off int64, whence int) (int64, error) { return c.s.Seek(off, whence) }

// walk gathers the embedded files that bear one of the names.
type walk struct {
	x     *model.XRefTable
	files map[string]types.Object // file specifications by name in lower case
	names map[string]string       // as written
	steps int
}

// catalog looks where they may hang: the tree /Names /EmbeddedFiles, and /AF (ISO 32000-2,
// 7.11.4 and 14.13). A branch that is damaged is passed over.
func (w *walk) catalog() {
	root, err := w.x.Catalog()
	if err != nil || root == nil {
		return
	}
	if names, err := w.x.DereferenceDict(root["Names"]); err == nil && names != nil {
		w.tree(names["EmbeddedFiles"], 0)
	}
	if af, err := w.x.DereferenceArray(root["AF"]); err == nil {
		for _, o := range af {
			w.file(o)
		}
	}
}

func (w *walk) tree(o types.Object, depth int) {
	if w.steps++; w.steps > 10_000 || depth > 20 || o == nil {
		return
	}
	node, err := w.x.DereferenceDict(o)
	if err != nil || node == nil {
		return
	}
	if pairs, err := w.x.DereferenceArray(node["Names"]); err == nil {
		for i := 1; i < len(pairs); i += 2 {
			w.file(pairs[i])
		}
	}
	if kids, err := w.x.DereferenceArray(node["Kids"]); err == nil {
		for _, k := range kids {
			w.tree(k, depth+1)
		}
	}
}

func (w *walk) file(o types.Object) {
	if w.steps++; w.steps > 10_000 || o == nil {
		return
	}
	spec, err := w.x.DereferenceDict(o)
	if err != nil || spec == nil {
		return
	}
	for _, key := range []string{"UF", "F"} {
		if spec[key] == nil {
			continue
		}
		name, err := w.x.DereferenceStringOrHexLiteral(spec[key], model.V10, nil)
		if err != nil {
			continue
		}
		lower := strings.ToLower(fileName(name))
		for _, want := range embedded {
			if _, have := w.files[want]; lower == want && !have {
				w.files[want] = spec["EF"]
				if w.names == nil {
					w.names = map[string]string{}
				}
				w.names[want] = name
			}
		}
	}
}

// content unpacks the stream of an embedded file.
func (w *walk) content(ef types.Object) ([]byte, error) {
	d, err := w.x.DereferenceDict(ef)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"F", "UF"} {
		if d[key] == nil {
			continue
		}
		sd, _, err := w.x.DereferenceStreamDict(d[key])
		if err != nil || sd == nil {
			continue
		}
		if err := sd.DecodeWithLimit(maxXML); err != nil {
			return nil, err
		}
		return sd.Content, nil
	}
	return nil, errors.New("no stream")
}
