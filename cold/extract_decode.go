package cold

import (
	"context"
	"errors"
	"slices"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/mime"
)

// expansion bounds what decoders and containers may give out of one item, in times
// Limits.ItemSize.
const expansion = 4

// decode takes documents apart, depth first, within the bounds: by the job's decoders, and
// what none of them knows, if it is a container of the job's Take.
func (x *extractor) decode(ctx context.Context, f *found) error {
	if f.dir != nil {
		if err := x.decodeGroup(ctx, f); err != nil {
			return err
		}
	}
	var out []foundDoc
	for _, fd := range f.docs {
		if fd.entry.Reason != "" || fd.whole != "" {
			out = append(out, fd)
			continue
		}
		got, err := x.decodeOne(ctx, f, fd, 1)
		if err != nil {
			return err
		}
		out = append(out, got...)
	}
	f.docs = out
	return nil
}

// decodeOne gives what fd holds, and what that holds; fd itself when nobody knows it.
func (x *extractor) decodeOne(ctx context.Context, f *found, fd foundDoc, depth int) ([]foundDoc, error) {
	if len(x.job.Decoders) > 0 && fd.doc.SHA256 == "" {
		if err := x.measure(&fd.doc); err != nil {
			return nil, err
		}
	}
	if depth > x.lim.Depth || fd.entry.Reason != "" || fd.whole != "" {
		return []foundDoc{fd}, nil
	}
	f.calls++
	for _, dec := range x.job.Decoders {
		o := &decoding{x: x, f: f, fd: &fd, kind: kindOf(dec), call: f.calls}
		err := o.run(ctx, dec)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case vaguemestre.ClassOf(o.stop) == vaguemestre.ClassSink:
			return nil, o.stop
		case vaguemestre.ClassOf(err) == vaguemestre.ClassSink:
			return nil, err
		case errors.Is(err, ErrNotMine) && len(o.out) == 0:
			continue
		case err == nil && len(o.out) == 0:
			fd.note("it holds no file")
			return []foundDoc{fd}, nil
		}
		var all []foundDoc
		for _, inner := range o.out {
			if err := x.measure(&inner.doc); err != nil {
				return nil, err
			}
			got := []foundDoc{inner}
			if inner.doc.SHA256 != fd.doc.SHA256 { // else the container itself, passed on
				var err error
				if got, err = x.decodeOne(ctx, f, inner, depth+1); err != nil {
					return nil, err
				}
			}
			all = append(all, got...)
		}
		if err != nil {
			fd.whole = "not wholly decoded: " + err.Error()
			fd.doc.Repairs = append(slices.Clone(fd.doc.Repairs), fd.whole)
			all = append(all, fd)
		}
		return all, nil
	}
	return x.open(ctx, f, fd, depth)
}

// decoding is one call of a decoder.
type decoding struct {
	x    *extractor
	f    *found
	fd   *foundDoc // the container
	kind string
	call int
	out  []foundDoc
	stop error // the first error that the decoder got from us
}

func (o *decoding) run(ctx context.Context, dec Decoder) error {
	return o.during(func(out func(*Document) error) error { return dec.Decode(ctx, &o.fd.doc, out) })
}

// during runs one call of a decoder's method.
func (o *decoding) during(decode func(out func(*Document) error) error) (err error) {
	defer guard("decoder", vaguemestre.ClassPoison, &err)
	err = decode(func(d *Document) error {
		if o.stop == nil {
			o.stop = o.take(d)
		}
		return o.stop
	})
	if err == nil {
		err = o.stop // a decoder that goes on after an error has not given all
	}
	return err
}

// take copies a document that a decoder gives.
func (o *decoding) take(d *Document) error {
	x, f := o.x, o.f
	if f.decoded+len(f.docs) >= x.lim.Parts {
		return &mime.LimitError{What: "parts", Limit: x.lim.Parts}
	}
	room := expansion*x.lim.ItemSize - f.expanded
	r, err := d.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	s, err := x.room.read(r, -1, min(x.lim.ItemSize, room), nil)
	if err != nil {
		return err
	}
	f.decoded, f.expanded = f.decoded+1, f.expanded+s.size
	f.spools, f.mem = append(f.spools, s), f.mem+s.taken
	c := *d
	c.Name, c.Size, c.SHA256, c.Open = orName(d.Name), s.size, "", s.open
	c.Fields = merge(o.fd.doc.Fields, d.Fields)
	c.Path = append(slices.Clone(o.fd.doc.Path), o.kind+":"+o.fd.doc.Name)
	envelope := o.call
	if o.fd.doc.Group != "" { // what an envelope holds belongs to it, however deep
		c.Group, envelope = o.fd.doc.Group, o.fd.envelope
	}
	o.out = append(o.out, foundDoc{doc: c, envelope: envelope, raw: s.reader(), around: o.fd.around, kinds: append(slices.Clone(o.fd.kinds), o.kind)})
	return nil
}

// kindOf names a decoder in provenance: its Kind method's answer, else "decoder".
func kindOf(d Decoder) string {
	if k, ok := d.(interface{ Kind() string }); ok {
		return k.Kind()
	}
	return "decoder"
}

func merge(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	m := make(map[string]string, len(a)+len(b))
	for k, v := range a {
		m[k] = v
	}
	for k, v := range b {
		m[k] = v
	}
	return m
}
