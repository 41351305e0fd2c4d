package cold

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre"
)

// found is an item taken apart: every part of it with its decision.
type found struct {
	item   Item
	size   int64    // of the item as the source gave it
	mem    int64    // bytes it keeps in memory
	spools []*spool // what its documents read from, and
	shelf  *shelf   // what came out of containers; nil while there is none
	docs   []foundDoc
	dir    *foundDoc // the directory that docs are the files of; nil for anything else
	reason string    // why it is deselected; "" otherwise
	state  State     // StateDeselected or ""

	alike    string // tells apart items without a Message-ID in the content key
	decoded  int    // documents that decoders and containers gave
	expanded int64  // their bytes
	calls    int    // documents that decoders were asked about
}

type foundDoc struct {
	doc   Document
	kinds []string // provenance
	entry Entered
	whole string // why it is handed over whatever the filters say: it could not be taken apart
	apart bool   // no filter decided: it is taken apart, or no document of this job
	safe  bool   // an earlier run handed it over
	mail  bool   // a mail that the walker saw: Take.Nested decided about it

	raw    io.ReaderAt // the content, where it lies without an encoding; else nil
	around int         // containers around it
	entity bool        // what S/MIME wrapped

	envelope int // which of the item's containers Group is of
}

func (f *found) close() {
	for _, s := range f.spools {
		s.close()
	}
	f.spools = nil
	f.shelf.close()
	f.shelf = nil
}

// extractor takes items apart as a job's Take, Decoders and Filters say. One
// goroutine owns it.
type extractor struct {
	job  *Job
	sel  *selector
	take Take
	lim  Limits
	room *room

	buf []byte
	sum hash.Hash
}

func newExtractor(j *Job, sel *selector, r *room) *extractor {
	return &extractor{job: j, sel: sel, take: j.take(), lim: j.Limits.withDefaults(), room: r,
		buf: make([]byte, 32<<10), sum: sha256.New()}
}

// takeApart takes a message's item apart. A panic blames the item: it is the fault of
// what the item holds, and must not keep the others waiting.
func (x *extractor) takeApart(ctx context.Context, m message) (f *found, err error) {
	defer guard("part of the program that reads items", vaguemestre.ClassPoison, &err)
	if m.spool == nil {
		return x.directory(ctx, m.item, m.content.Name, m.files)
	}
	return x.item(ctx, m.item, m.content.Name, m.content.MediaType, m.spool)
}

// item takes one spooled item apart. The error is ctx's, the scratch directory's, or of
// class poison.
func (x *extractor) item(ctx context.Context, it Item, name, mediaType string, s *spool) (*found, error) {
	f := &found{item: it, size: s.size, spools: []*spool{s}, mem: s.taken}
	var err error
	if mediaType == "message/rfc822" {
		err = x.mail(f, s)
	} else {
		f.alike = name
		where, base := place(it.Key, name)
		f.docs = append(f.docs, foundDoc{doc: Document{Name: orName(base), MediaType: mediaType,
			Size: s.size, Path: where, Open: s.open}})
	}
	if err == nil && f.state == "" {
		err = x.finish(ctx, f)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// directory takes a deposit directory: all its files are one group.
func (x *extractor) directory(ctx context.Context, it Item, name string, files []spooledFile) (*found, error) {
	f := &found{item: it, alike: name}
	at, group := place(it.Key, name)
	if group == "" {
		group = it.Key
	}
	for _, file := range files {
		where := slices.Clone(at)
		if dir := path.Dir(file.path); dir != "." {
			where = append(where, dir)
		}
		f.size, f.mem, f.spools = f.size+file.size, f.mem+file.taken, append(f.spools, file.spool)
		f.docs = append(f.docs, foundDoc{doc: Document{Name: path.Base(file.path), Size: file.size, Path: where,
			Group: group, Open: file.open}, kinds: []string{"directory"}})
	}
	f.dir = &foundDoc{doc: Document{Name: path.Base(group), Path: at, Group: group}, kinds: []string{"directory"}}
	if err := x.finish(ctx, f); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// place parts the path that an item of a directory has as its name: its last element is the
// document's name, what is before it belongs to the document's Path.
func place(key, name string) (where []string, base string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return []string{key, name[:i]}, name[i+1:]
	}
	return []string{key}, name
}

// finish takes what is left apart, hashes and decides.
func (x *extractor) finish(ctx context.Context, f *found) error {
	if len(x.job.Decoders)+len(x.take.Containers) > 0 {
		if err := x.decode(ctx, f); err != nil {
			return err
		}
	}
	if f.shelf != nil {
		f.mem += f.shelf.end // so that a batch is bounded on disk too
	}
	for i := range f.docs {
		if err := ctx.Err(); err != nil {
			return err
		}
		fd := &f.docs[i]
		d := &fd.doc
		pass := fd.entry.Reason
		e := Entered{Name: d.Name, MediaType: d.MediaType, Path: append(append([]string(nil), d.Path...), d.Name)}
		d.Path = e.Path
		if pass == "" && d.SHA256 == "" {
			if err := x.measure(d); err != nil {
				return err
			}
		}
		e.Size, e.SHA256, e.Repairs = d.Size, d.SHA256, d.Repairs
		switch {
		case pass != "":
			e.Decision, e.Reason, fd.apart = Passed, pass, true
		case fd.whole != "":
			e.Decision, e.Reason = Accepted, fd.whole
		default:
			e.Decision, e.Reason = x.job.Filters.Decide(d.Name, d.MediaType, d.Size)
		}
		d.Reason = e.Reason
		fd.entry = e
	}
	f.together()
	return nil
}

// together takes what the filters refuse of a group along when they accept another file of it:
// a group reaches the sink whole or not at all, and its after-action is one.
func (f *found) together() {
	type group struct {
		name     string
		envelope int
	}
	first := map[group]string{}
	for i := range f.docs {
		fd := &f.docs[i]
		g := group{fd.doc.Group, fd.envelope}
		if fd.entry.Decision == Accepted && g.name != "" && first[g] == "" {
			first[g] = fd.doc.Name
		}
	}
	for i := range f.docs {
		fd := &f.docs[i]
		with := first[group{fd.doc.Group, fd.envelope}]
		if with == "" || fd.entry.Decision == Accepted || fd.apart {
			continue
		}
		fd.doc.Reason = fmt.Sprintf("it belongs to %.60q, which is taken", with)
		fd.entry.Decision, fd.entry.Reason = Accepted, fd.doc.Reason
	}
}

// measure reads a document once for its size, hash and repairs.
func (x *extractor) measure(d *Document) error {
	r, err := d.Open()
	if err != nil {
		return unreadable(err)
	}
	defer r.Close()
	x.sum.Reset()
	var n int64
	if w, ok := r.(io.WriterTo); ok {
		n, err = w.WriteTo(x.sum)
	} else {
		n, err = io.CopyBuffer(x.sum, r, x.buf)
	}
	if err != nil {
		return unreadable(err)
	}
	d.Size = n
	d.SHA256 = hex.EncodeToString(x.sum.Sum(nil))
	if m, ok := r.(interface{ Repairs() []string }); ok {
		if more := m.Repairs(); len(more) > 0 {
			d.Repairs = append(append([]string(nil), d.Repairs...), more...)
		}
	}
	return nil
}

// unreadable is the error of a part that came whole and still cannot be read: the
// scratch file's, else the item's own.
func unreadable(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return scratchError(err)
	}
	return &vaguemestre.Error{Op: "cold: read part", Class: vaguemestre.ClassPoison, Err: err}
}

// twin is the content key of an item: what stays the same when the source names it
// anew. "" for one that nothing tells from others.
func (f *found) twin() string {
	if f.state != "" {
		return ""
	}
	id := f.item.MessageID
	if id == "" {
		id = f.alike
	}
	known := f.item.MessageID != ""
	h := sha256.New()
	io.WriteString(h, id)
	for _, d := range f.docs {
		if d.doc.SHA256 != "" {
			io.WriteString(h, "\x00"+d.doc.SHA256)
			known = true
		}
	}
	if !known {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// name gives every document its key. origin is the item key that keys are made of.
func (f *found) name(scope, origin string) {
	hash := func(format string, a ...any) string {
		h := sha256.New()
		fmt.Fprintf(h, "%s\x00%s\x00"+format, append([]any{scope, origin}, a...)...)
		return hex.EncodeToString(h.Sum(nil))
	}
	seen := map[string]int{}
	for i := range f.docs {
		d := &f.docs[i]
		same := strings.Join(d.kinds, ">") + "\x00" + d.doc.SHA256
		if d.doc.SHA256 == "" {
			same = "#" + strconv.Itoa(i) // passed over: only needs to be unique
		}
		seen[same]++
		d.doc.Key = hash("%s\x00%d", same, seen[same])
		d.entry.Key = d.doc.Key
		if g := d.doc.Group; g != "" { // two items may hold envelopes of one name
			d.doc.Group = g + "-" + hash("group\x00%s\x00%d", g, d.envelope)[:8]
		}
	}
}

// settled takes over what an earlier run did with the same documents: one that is
// safe in the sink is not put again, whatever the filters say now.
func (f *found) settled(before []Entered) {
	for _, b := range before {
		if b.Decision != Delivered {
			continue
		}
		for i := range f.docs {
			if d := &f.docs[i]; d.doc.Key == b.Key {
				d.safe = true
				d.entry.Decision, d.entry.Reason, d.entry.Ref = Delivered, b.Reason, b.Ref
			}
		}
	}
}

// news are the documents of docs, f's own in order, that no earlier run told of.
func (f *found) news(docs []Entered) []Entered {
	var out []Entered
	for i := range f.docs {
		if f.docs[i].safe {
			if out == nil {
				out = append([]Entered{}, docs[:i]...)
			}
		} else if out != nil {
			out = append(out, docs[i])
		}
	}
	if out == nil {
		return docs
	}
	return out
}

func orName(name string) string {
	if name == "" {
		return "document"
	}
	return name
}
