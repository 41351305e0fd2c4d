package actes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// ErrNotActes says that a file is something else: not XML or not an archive, or one without
// anything of ACTES. Reach it with errors.Is.
var ErrNotActes = errors.New("it is not of ACTES")

// Options are the options of [Decode] and [DecodeArchive].
type Options struct {
	// Name is the file's own name, which is compared with what the file holds. "" compares
	// nothing.
	Name string

	// Personal also reads who is to be called and written to: Referent and AdressesRetour.
	Personal bool

	Limits Limits

	// Out gets the files of an archive, in their order there, once all of it was found
	// sound; nil wants none. Decode does not use it.
	Out payload.Out
}

// Limits bound what is read; 0 is the default. What goes beyond ends the work with an error
// of class poison.
type Limits struct {
	XML     int64 // bytes of one message, and a quarter of all that an archive holds; 8 MiB
	Items   int   // files, matters and types that the messages of a file name together; 20,000
	Entries int   // of an archive; 10,000
	Entry   int64 // bytes of one entry; 1 GiB
	Bytes   int64 // of all entries; 4 GiB
	Ratio   int64 // bytes out per byte in, after the first 10 MB; 200
}

func (o *Options) orDefault() Options {
	var d Options
	if o != nil {
		d = *o
	}
	l := &d.Limits
	set(&l.XML, 8<<20)
	set(&l.Items, 20_000)
	set(&l.Entries, 10_000)
	set(&l.Entry, 1<<30)
	set(&l.Bytes, 4<<30)
	set(&l.Ratio, 200)
	return d
}

func set[N int | int64](v *N, d N) {
	if *v <= 0 {
		*v = d
	}
}

func poison(format string, args ...any) error {
	return &vaguemestre.Error{Op: "actes", Class: vaguemestre.ClassPoison, Err: fmt.Errorf(format, args...)}
}

// classed gives err its class: what is ours keeps it, an end of ctx is canceled, the rest is
// of the reader.
func classed(err error) error {
	var e *xmlscan.Error
	if errors.As(err, &e) {
		short := *e
		short.Path = cut(e.Path)
		return poison("the message is damaged, ask its sender for another: %w", &short)
	}
	if vaguemestre.ClassOf(err) != "" {
		return err
	}
	class := vaguemestre.ClassSource
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		class = vaguemestre.ClassCanceled
	}
	return &vaguemestre.Error{Op: "actes", Class: class, Err: err}
}

// input reads until ctx ends, and no more than left bytes when it is not negative.
type input struct {
	ctx  context.Context
	r    io.Reader
	left int64
	tell string // why, when there is more than left
	read int64

	failed error // of r
}

func (i *input) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	if i.left >= 0 && int64(len(p)) > i.left+1 {
		p = p[:i.left+1] // one more shows that there is more
	}
	n, err := i.r.Read(p)
	i.read += int64(n)
	if err != nil && err != io.EOF {
		i.failed = err
	}
	if i.left >= 0 {
		if i.left -= int64(n); i.left < 0 {
			i.left = 0
			return n - 1, poison("%s", i.tell)
		}
	}
	return n, err
}

// cut bounds what a stranger wrote.
func cut(s string) string {
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
