package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/vaguemestre/vaguemestre"
)

// Kind is a kind of container.
type Kind string

const (
	Zip  Kind = "zip"
	Tar  Kind = "tar"
	Gzip Kind = "gzip"
	TNEF Kind = "tnef" // winmail.dat
	P7M  Kind = "p7m"  // opaque S/MIME
)

// Why a container could not be opened, or not wholly. Errors of [Walk] wrap one of them, an
// error of the context or what its out gave.
var (
	// ErrNotMine is for what only looks like a container: an office document, which is a
	// zip, a detached signature. It comes before the first entry.
	ErrNotMine = errors.New("not a container")

	ErrDamaged   = errors.New("damaged")                  // what could be read came out
	ErrEncrypted = errors.New("encrypted")                // what is not encrypted came out
	ErrUnknown   = errors.New("packed in an unknown way") // the others came out
	ErrBomb      = errors.New("a bomb")                   // made to grow beyond all measure
	ErrTooMuch   = errors.New("beyond a limit")           // an honest one may be
)

// Options bound one Walk. All must be set.
type Options struct {
	Bytes   int64 // of all entries together
	Entry   int64 // of one entry
	Entries int
	TarGz   bool // takes a tar out of its gzip in one go
}

// What unpacks to more than maxRatio times its size is a bomb, once it is past freeBytes.
const (
	maxRatio  = 200
	freeBytes = 10 << 20
)

// MaxEntries is more than any honest container has.
const MaxEntries = 10_000

// Role says what an entry is.
type Role string

const (
	RoleFile   Role = "file"
	RoleInline Role = "inline" // an image that the text of a TNEF message shows
	RoleBody   Role = "body"   // the text of a TNEF message, HTML or RTF
	RoleEntity Role = "entity" // of S/MIME: what was signed, often a MIME entity, else a file
)

// Entry is one file of a container.
type Entry struct {
	Name      string // the last element of the sender's path, in UTF-8: never a path, possibly hostile or ""
	Dir       string // what stood before it, as written: "../../etc", `C:\temp`
	MediaType string // as labelled; "" when unknown
	Role      Role
	Repairs   []string

	// Content is valid until out returns. It ends with io.EOF only if it is whole, and
	// with an error that Walk returns too when out returns it.
	Content io.Reader
}

// Report is what there is to tell of a Walk.
type Report struct {
	Step    string   // what was opened: the Kind, or "tar.gz"
	Entries int      // that were given
	Skipped []string // entries without content of their own: links, devices; quoted, the first ten
}

func (r *Report) skip(name, why string) {
	if len(r.Skipped) < 10 {
		r.Skipped = append(r.Skipped, fmt.Sprintf("%.100q is %s", name, why))
	}
}

// Walk opens a container of size bytes in r, which is called name, and calls out for each
// entry in its order. An error of out ends the work and is returned as it is, one that
// wraps [ErrDamaged] or [ErrUnknown] excepted: that entry is passed over, the others come,
// and the error is returned in the end.
//
// Its own errors are of class poison and name no content. ctx is asked at every read.
func Walk(ctx context.Context, kind Kind, r io.ReaderAt, size int64, name string, o Options, out func(*Entry) error) (*Report, error) {
	w := &walk{ctx: ctx, kind: kind, r: r, size: size, name: name, o: o, emit: out, report: Report{Step: string(kind)}}
	w.o.Entries = min(w.o.Entries, MaxEntries)
	var err error
	switch kind {
	case Zip:
		err = w.zip()
	case Tar:
		err = w.tar(io.NewSectionReader(r, 0, size))
	case Gzip:
		err = w.gzip()
	case TNEF:
		err = w.tnef()
	case P7M:
		err = w.p7m()
	default:
		err = ErrNotMine
	}
	if err == nil {
		err = w.flaw
	}
	return &w.report, err
}

// walk is one Walk.
type walk struct {
	ctx    context.Context
	kind   Kind
	r      io.ReaderAt
	size   int64
	name   string
	o      Options
	emit   func(*Entry) error
	made   meter // what entries gave
	report Report
	flaw   error // the first that did not end the walk

	inflate io.ReadCloser // of a zip: used again for every entry
}

// out gives one entry. declared is the size its header tells, -1 when it tells none.
func (w *walk) out(e *Entry, content io.Reader, declared int64) error {
	if w.report.Entries >= w.o.Entries {
		return w.fault(ErrTooMuch, "it holds more than the %d entries that are left for it", w.o.Entries)
	}
	if declared > w.o.Entry {
		return w.fault(ErrTooMuch, "an entry has %d bytes, more than %d", declared, w.o.Entry)
	}
	if e.Role == "" {
		e.Role = RoleFile
	}
	e.Content = &metered{w: w, m: &w.made, r: content, declared: declared}
	w.report.Entries++
	err := w.emit(e)
	if err != nil {
		w.report.Entries--
		if errors.Is(err, ErrDamaged) || errors.Is(err, ErrUnknown) {
			w.fail(err)
			return nil
		}
	}
	return err
}

// fail notes an error that does not end the walk.
func (w *walk) fail(err error) {
	if w.flaw == nil {
		w.flaw = err
	}
}

// fault makes an error.
func (w *walk) fault(why error, format string, a ...any) error {
	return &vaguemestre.Error{Op: "unpack: " + w.report.Step, Class: vaguemestre.ClassPoison,
		Err: fmt.Errorf("%w: %s", why, fmt.Sprintf(format, a...))}
}

// read makes an error of what a reader answered.
func (w *walk) read(err error) error {
	var path *fs.PathError
	switch {
	case err == nil, vaguemestre.ClassOf(err) != "", w.ctx.Err() != nil, errors.As(err, &path):
		return err // the file that holds the container cannot be read
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return w.fault(ErrDamaged, "it is cut short")
	}
	return w.fault(ErrDamaged, "%.200v", err)
}

// meter counts what a container gave.
type meter struct{ bytes int64 }

// metered reads within the bounds.
type metered struct {
	w        *walk
	m        *meter
	r        io.Reader
	n        int64
	declared int64
	whole    bool // not one entry: its size is not bounded by that of one
}

func (r *metered) Read(p []byte) (int, error) {
	w := r.w
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	r.n += int64(n)
	r.m.bytes += int64(n)
	switch {
	case r.m.bytes > max(freeBytes, maxRatio*w.size):
		err = w.fault(ErrBomb, "%d bytes became more than %d", w.size, r.m.bytes-1)
	case r.m.bytes > w.o.Bytes:
		err = w.fault(ErrTooMuch, "it gives more than the %d bytes that are left for it", w.o.Bytes)
	case !r.whole && r.n > w.o.Entry:
		err = w.fault(ErrTooMuch, "an entry gives more than %d bytes", w.o.Entry)
	case r.declared >= 0 && r.n > r.declared:
		err = w.fault(ErrDamaged, "an entry gives more than the %d bytes it announces", r.declared)
	case err == io.EOF && r.declared > r.n:
		err = w.fault(ErrDamaged, "an entry gives %d bytes of the %d it announces", r.n, r.declared)
	case err == io.EOF:
		return n, err
	default:
		return n, w.read(err)
	}
	return 0, err
}
