package chorus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// ErrUnknown is a file that is none of Chorus Pro's: its root element is another, or it is
// no XML at all. Nothing went to Out.
var ErrUnknown = errors.New("not a file of Chorus Pro")

// Bounds of what is kept of one file.
const (
	maxValue = 1000     // bytes of one value
	maxText  = 32 << 20 // bytes of all values
	maxList  = 1000     // VAT lines, parameters, reasons, deviations of one owner
)

// Decode reads one XML file. An error that matches [ErrUnknown] says that it is none of
// Chorus Pro's. With any other error the flow holds what was read before; an error of Out
// is returned as it is. ctx ends the work at the next read of r.
func Decode(ctx context.Context, r io.Reader, o *Options) (*Flow, error) {
	d := &reader{ctx: ctx, o: o.orDefault(), flow: &Flow{}}
	d.spool.dir = d.o.Scratch
	defer d.spool.reset()
	d.s = xmlscan.New(ctxReader{ctx, r}, nil)
	err := d.run()
	if err != nil { // what is half read is told without what nobody asked for, too
		d.finish()
		d.finishStatus()
	}
	for _, n := range d.s.Notes() {
		d.deviate(&d.flow.Deviations, "", n)
	}
	return d.flow, failure(ctx, "chorus: decode", err)
}

// failure gives err the words of this package; nil stays nil.
func failure(ctx context.Context, op string, err error) error {
	var own *vaguemestre.Error
	var out *outError
	var bad *xmlscan.Error
	if errors.As(err, &bad) && len(bad.Path) > 200 { // names of elements are a stranger's
		bad.Path = bad.Path[:200] + "…"
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &out):
		return out.err
	case ctx.Err() != nil:
		return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassCanceled, Err: ctx.Err()}
	case errors.As(err, &own) && strings.HasPrefix(own.Op, "chorus: "):
		return err
	case errors.As(err, &own):
		return &vaguemestre.Error{Op: op, Class: own.Class, Err: own.Err}
	}
	return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassSource, Err: fmt.Errorf("the file could not be read to its end: %w", err)}
}

// poison is an error about the file itself.
func poison(what string, a ...any) error {
	return &vaguemestre.Error{Op: "chorus: decode", Class: vaguemestre.ClassPoison, Err: fmt.Errorf(what, a...)}
}

// outError marks an error of the caller's Out.
type outError struct{ err error }

func (e *outError) Error() string { return e.err.Error() }

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// reader is the state of one Decode.
type reader struct {
	ctx  context.Context
	o    Options
	s    *xmlscan.Scanner
	flow *Flow

	at    *format
	path  []byte // of the open elements, below the root or the unit
	marks []int  // where in path each open element begins
	base  []int  // depth at which the units that are open began
	attrs []xmlscan.Attr
	kept  int // bytes of values

	inv     *Invoice
	status  *Status
	byData  bool   // the status began with DonneesStatut
	stamp   string // time of the statuses that tell none
	counter string // Compteur: how many invoices there ought to be
	process string // CII and UBL: the cadre, perhaps
	ids     [2][]identifier
	att     *attachment
	nth     int // attachments of the invoice
	spool   spool
	chunk   []byte // for base64
}

// identifier is one of several that a party has.
type identifier struct{ scheme, value string }

// format says what stands where: keys are paths below the root or, within a unit, below
// the unit. In a loose format they are the last two names, or the last one.
type format struct {
	name  Format
	loose bool
	alias map[string]string                // names that mean another
	start map[string]func(*reader)         //
	end   map[string]func(*reader)         //
	text  map[string]func(*reader, string) //
	file  map[string]bool                  // text that is an attachment
	unit  map[string]*format               // elements whose inside is read by another format
	close func(*reader)                    // the unit ends
}

// roots are the root elements that there are.
var roots = map[string]*format{
	"CPPFacturePivot":                       pivot,
	"CPPFactureMixte":                       mixte,
	"Invoice":                               ubl,
	"CreditNote":                            ubl,
	"CrossIndustryInvoice":                  cii,
	"CrossIndustryDocument":                 cii, // ZUGFeRD 1
	"CPPStatutPivot":                        statut,
	"CPPFluxStatuts":                        statut,
	"CrossDomainAcknowledgementAndResponse": cdar,
}

// Root tells whether an XML file with this root element is Chorus Pro's.
func Root(local string) bool { return roots[local] != nil }

func (r *reader) run() error {
	if !r.s.Next() {
		err := r.s.Err()
		var bad *xmlscan.Error
		if errors.As(err, &bad) {
			return &vaguemestre.Error{Op: "chorus: decode", Class: vaguemestre.ClassPoison, Err: fmt.Errorf("%w: %w", ErrUnknown, bad)}
		}
		return err
	}
	r.flow.Root = cut(r.s.Local())
	r.at = roots[r.s.Local()]
	if r.at == nil {
		return poison("%w: its root is %.60q", ErrUnknown, r.flow.Root)
	}
	r.flow.Format = r.at.name
	r.flow.Version = cut(r.s.Attr("Version"))
	r.call(r.at.start, nil)
	stack := []*format{r.at}
	for r.s.Next() {
		switch r.s.Kind() {
		case xmlscan.Start:
			r.attrs = r.s.Attrs()
			r.push(r.s.Local())
			if u := r.at.unit[string(r.key(true))]; u != nil {
				r.base = append(r.base, len(r.marks))
				stack = append(stack, u)
				r.at = u
				r.call(u.start, nil)
				break
			}
			r.call(r.at.start, r.key(true))
		case xmlscan.Text:
			if err := r.read(); err != nil {
				return err
			}
		case xmlscan.End:
			if len(r.marks) == 0 { // the root
				break
			}
			if n := len(r.base); n > 0 && r.base[n-1] == len(r.marks) {
				r.base, stack = r.base[:n-1], stack[:len(stack)-1]
				if r.at.close != nil {
					r.at.close(r)
				}
				r.at = stack[len(stack)-1]
			} else {
				r.call(r.at.end, r.key(true))
			}
			r.pop()
		}
		if r.att != nil && r.att.done {
			if err := r.deliver(); err != nil {
				return err
			}
		}
		if r.o.used.files > r.o.Limits.Files {
			return poison("it holds more than %d attachments: raise Limits.Files if that is right", r.o.Limits.Files)
		}
		if r.o.used.invoices > r.o.Limits.Invoices {
			return poison("it holds more than %d invoices: raise Limits.Invoices if that is right", r.o.Limits.Invoices)
		}
	}
	if err := r.s.Err(); err != nil {
		return err
	}
	if r.at.close != nil {
		r.at.close(r)
	}
	return nil
}

func (r *reader) call(m map[string]func(*reader), key []byte) {
	if f := m[string(key)]; f != nil {
		f(r)
	}
}

func (r *reader) push(name string) {
	if a, ok := r.at.alias[name]; ok {
		name = a
	}
	r.marks = append(r.marks, len(r.path))
	r.path = append(append(r.path, '/'), name...)
}

func (r *reader) pop() {
	n := len(r.marks) - 1
	r.path = r.path[:r.marks[n]]
	r.marks = r.marks[:n]
}

// key is the key of the open element in the tables of r.at; that of a tag or of a text. It
// is good until the next push.
func (r *reader) key(tag bool) []byte {
	n, from := len(r.marks), 0
	if n == 0 {
		return nil
	}
	if r.at.loose {
		from = n - 1
		if !tag && n > 1 {
			from = n - 2
		}
	} else if len(r.base) > 0 {
		from = r.base[len(r.base)-1]
	}
	if from >= n {
		return nil
	}
	return r.path[r.marks[from]+1:]
}

// read takes the text that stands here, if anybody wants it.
func (r *reader) read() error {
	key := r.key(false)
	if r.at.file[string(key)] && r.att != nil {
		return r.content()
	}
	f := r.at.text[string(key)]
	if f == nil && r.at.loose {
		f = r.at.text[string(key[bytes.LastIndexByte(key, '/')+1:])]
	}
	if f == nil {
		return nil
	}
	v := strings.TrimSpace(r.s.Gather())
	if len(v) > maxValue {
		v = cut(v)
		r.deviate(r.deviations(), string(key), fmt.Sprintf("longer than %d bytes: cut", maxValue))
	}
	if r.kept += len(v); r.kept > maxText {
		return poison("its values take more than %d bytes", maxText)
	}
	if v != "" {
		f(r, v)
	}
	return nil
}

// deviations is the list of what is being read.
func (r *reader) deviations() *[]payload.Deviation {
	switch {
	case r.inv != nil:
		return &r.inv.Deviations
	case r.status != nil:
		return &r.status.Deviations
	}
	return &r.flow.Deviations
}

func (r *reader) deviate(to *[]payload.Deviation, path, reason string) {
	if len(*to) >= maxList {
		return
	}
	if path == "" {
		path = r.flow.Root
	}
	if r.kept += len(path) + len(reason); r.kept > maxText {
		return
	}
	*to = append(*to, payload.Deviation{Path: path, Reason: reason})
}

func (r *reader) attr(local string) string {
	for _, a := range r.attrs {
		if a.Local == local {
			return cut(strings.TrimSpace(a.Value))
		}
	}
	return ""
}

// cut shortens v to what is kept of a value.
func cut(v string) string {
	if len(v) <= maxValue {
		return v
	}
	n := maxValue
	for n > 0 && !utf8.RuneStart(v[n]) {
		n--
	}
	return v[:n]
}

// first returns what fills *p(r) unless it is filled already; p may return nil.
func first[T ~string](p func(*reader) *T) func(*reader, string) {
	return func(r *reader, v string) {
		if at := p(r); at != nil && *at == "" {
			*at = T(v)
		}
	}
}
