package cold

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/vaguemestre/vaguemestre"
)

// decodeGroup lets the first decoder that knows a directory see all its files together.
func (x *extractor) decodeGroup(ctx context.Context, f *found) error {
	for _, dec := range x.job.Decoders {
		g, ok := dec.(GroupDecoder)
		if !ok {
			continue
		}
		docs := make([]*Document, len(f.docs))
		for i := range f.docs {
			if err := ctx.Err(); err != nil {
				return err
			}
			d := &f.docs[i].doc
			if d.SHA256 == "" {
				if err := x.measure(d); err != nil {
					return err
				}
			}
			c := *d
			c.Fields = maps.Clone(d.Fields)
			docs[i] = &c
		}
		o := &decoding{x: x, f: f, fd: f.dir, kind: kindOf(dec)}
		err := o.during(func(out func(*Document) error) error { return g.DecodeGroup(ctx, slices.Clone(docs), out) })
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case vaguemestre.ClassOf(o.stop) == vaguemestre.ClassSink:
			return o.stop
		case vaguemestre.ClassOf(err) == vaguemestre.ClassSink:
			return err
		case errors.Is(err, ErrNotMine) && len(o.out) == 0:
			continue
		}
		for i := range f.docs {
			fd := &f.docs[i]
			if err == nil {
				fd.doc.Fields = merge(fd.doc.Fields, docs[i].Fields)
				continue
			}
			fd.whole = "not wholly decoded: " + err.Error()
			fd.doc.Repairs = append(slices.Clone(fd.doc.Repairs), fd.whole)
		}
		for i := range o.out {
			if err := x.measure(&o.out[i].doc); err != nil {
				return err
			}
		}
		f.docs = append(o.out, f.docs...) // its names come before the sender's
		return nil
	}
	return nil
}
