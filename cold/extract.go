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
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/mime"
)

// found is an item taken apart: every part of it with its decision.
type found struct {
	item   Item
	size   int64    // of the item as the source gave it
	mem    int64    // bytes it keeps in memory
	spools []*spool // what its documents read from
	docs   []foundDoc
	reason string // why it is deselected or held as a whole; "" is none
	state  State  // StateDeselected, StateHeld or ""
}

type foundDoc struct {
	doc   Document
	kinds []string // provenance
	entry Entered
	raw   bool // handed over whatever the filters say: the mail could not be taken apart
}

func (f *found) close() {
	for _, s := range f.spools {
		s.close()
	}
	f.spools = nil
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

// item takes one spooled item apart. The error is ctx's, or the scratch directory's.
func (x *extractor) item(ctx context.Context, it Item, name, mediaType string, s *spool) (*found, error) {
	f := &found{item: it, size: s.size, spools: []*spool{s}, mem: s.taken}
	var err error
	if mediaType == "message/rfc822" {
		err = x.mail(f, s)
	} else {
		f.docs = append(f.docs, foundDoc{doc: Document{Name: orName(name), MediaType: mediaType,
			Size: s.size, Path: []string{it.Key}, Open: s.open}})
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

// files takes a deposit directory: all its files are one group.
func (x *extractor) files(ctx context.Context, it Item, fsys fs.FS) (*found, error) {
	f := &found{item: it}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if len(f.docs) >= x.lim.Parts {
			return &mime.LimitError{What: "parts", Limit: x.lim.Parts}
		}
		file, err := fsys.Open(p)
		if err != nil {
			return err
		}
		defer file.Close()
		s, err := x.room.read(file, -1, x.lim.ItemSize, func() bool { return false })
		if err != nil {
			return err
		}
		f.spools, f.mem = append(f.spools, s), f.mem+s.taken
		where := []string{it.Key}
		if dir := path.Dir(p); dir != "." {
			where = append(where, dir)
		}
		f.docs = append(f.docs, foundDoc{doc: Document{Name: path.Base(p), Size: s.size, Path: where,
			Group: it.Key, Open: s.open}, kinds: []string{"directory"}})
		return nil
	})
	if err == nil {
		err = x.finish(ctx, f)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// mail takes a mail apart. A mail that cannot be is handed over whole, with the reason.
func (x *extractor) mail(f *found, s *spool) error {
	m, err := parseMail(s.reader(), s.size, &mime.Options{Depth: x.lim.Depth, Parts: x.lim.Parts, Header: x.lim.Header})
	var h mime.Header
	if m != nil && m.Root != nil {
		h = m.Root.Header
	}
	fields := mailFields(h)
	if id := fields["message_id"]; id != "" {
		f.item.MessageID = "<" + id + ">"
	}
	if err == nil && x.sel.needsHeaders() {
		if ok, why := x.sel.matchHeaders(addresses(h, "From"), append(addresses(h, "To"), addresses(h, "Cc")...), h.Text("Subject")); !ok {
			f.state, f.reason = StateDeselected, why
			return nil
		}
	}
	whole := Document{Name: emlName(fields["subject"]), MediaType: "message/rfc822", Size: s.size,
		Path: []string{f.item.Key}, Fields: fields, Open: s.open}
	if err != nil {
		whole.Repairs = []string{"handed over whole: " + err.Error()}
		f.docs = append(f.docs, foundDoc{doc: whole, kinds: []string{"eml"}, raw: true})
		return nil
	}
	if x.take.EML {
		f.docs = append(f.docs, foundDoc{doc: whole, kinds: []string{"eml"}})
	}
	x.parts(f, m.Root, []string{f.item.Key}, []string{"mail"}, fields, m.Repairs)
	return nil
}

// parseMail keeps a fault of the parser from stopping the job: the mail is then one
// that cannot be taken apart.
func parseMail(r io.ReaderAt, size int64, o *mime.Options) (m *mime.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("mime: the parser failed on it: %v", p)
		}
	}()
	return mime.Parse(r, size, o)
}

// parts walks the tree of a mail in its order and notes every leaf.
func (x *extractor) parts(f *found, p *mime.Part, where, kinds []string, fields map[string]string, repairs []string) {
	if p.Role == mime.RoleContainer {
		for _, c := range p.Children {
			x.parts(f, c, where, kinds, fields, repairs)
		}
		return
	}
	d := Document{Name: p.FileName(fields["subject"]), MediaType: p.MediaType, Size: -1, Path: where, Fields: fields}
	if len(repairs)+len(p.Repairs) > 0 {
		d.Repairs = append(append([]string(nil), repairs...), p.Repairs...)
	}
	d.Open = func() (io.ReadSeekCloser, error) { return p.Open(), nil }
	pass := ""
	switch p.Role {
	case mime.RoleBody:
		html := p.MediaType == "text/html"
		if b := x.take.Bodies; b != BodiesAll && (html && b != BodiesHTML || !html && b != BodiesText) {
			pass = "take: this text of the mail is not taken"
		}
	case mime.RoleInline:
		if !x.take.Inline {
			pass = "take: inline parts are not taken"
		}
	case mime.RoleAttachment:
		if !x.take.Attachments {
			pass = "take: attachments are not taken"
		}
	case mime.RoleMessage:
		switch x.take.Nested {
		case NestedNone:
			pass = "take: attached mails are not taken"
		case NestedExpand:
			if len(p.Children) > 0 {
				pass = "take: an attached mail is taken apart"
			}
		}
	}
	f.docs = append(f.docs, foundDoc{doc: d, kinds: kinds, entry: Entered{Reason: pass}})
	if p.Role == mime.RoleMessage && (x.take.Nested == NestedExpand || x.take.Nested == NestedBoth) {
		inner := append(append([]string(nil), where...), "message/rfc822:"+d.Name)
		for _, c := range p.Children {
			x.parts(f, c, inner, append(append([]string(nil), kinds...), "message/rfc822"), mailFields(c.Header), p.Repairs)
		}
	}
}

// finish runs decoders, hashes and decides.
func (x *extractor) finish(ctx context.Context, f *found) error {
	if len(x.job.Decoders) > 0 {
		if err := x.decode(ctx, f); err != nil {
			return err
		}
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
		if pass == "" {
			if err := x.measure(d); err != nil {
				return err
			}
		}
		e.Size, e.SHA256, e.Repairs = d.Size, d.SHA256, d.Repairs
		switch {
		case pass != "":
			e.Decision, e.Reason = Passed, pass
		case fd.raw:
			e.Decision, e.Reason = Accepted, d.Repairs[0]
		default:
			e.Decision, e.Reason = x.job.Filters.Decide(d.Name, d.MediaType, d.Size)
		}
		d.Reason = e.Reason
		fd.entry = e
	}
	return nil
}

// measure reads a document once for its size, hash and repairs.
func (x *extractor) measure(d *Document) error {
	r, err := d.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	x.sum.Reset()
	var n int64
	if w, ok := r.(io.WriterTo); ok {
		n, err = w.WriteTo(x.sum)
	} else {
		n, err = io.CopyBuffer(onlyWriter{x.sum}, onlyReader{r}, x.buf)
	}
	if err != nil {
		return err
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

type onlyReader struct{ io.Reader }

// decode lets the job's decoders take documents apart, depth first, within the bounds.
func (x *extractor) decode(ctx context.Context, f *found) error {
	var out []foundDoc
	for _, fd := range f.docs {
		if fd.entry.Reason != "" || fd.raw {
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

func (x *extractor) decodeOne(ctx context.Context, f *found, fd foundDoc, depth int) ([]foundDoc, error) {
	if fd.doc.SHA256 == "" {
		if err := x.measure(&fd.doc); err != nil {
			return nil, err
		}
	}
	for _, dec := range x.job.Decoders {
		var out []foundDoc
		var local error // ours, not the decoder's
		err := callDecoder(ctx, dec, &fd.doc, func(d *Document) error {
			if len(out)+len(f.docs) >= x.lim.Parts {
				return &mime.LimitError{What: "parts", Limit: x.lim.Parts}
			}
			r, err := d.Open()
			if err != nil {
				return err
			}
			defer r.Close()
			s, err := x.room.read(onlyReader{r}, -1, x.lim.ItemSize, func() bool { return false })
			if err != nil {
				local = err
				return err
			}
			f.spools, f.mem = append(f.spools, s), f.mem+s.taken
			c := *d
			c.Name, c.Size, c.Open = orName(d.Name), s.size, s.open
			c.Fields = merge(fd.doc.Fields, d.Fields)
			c.Path = append(append([]string(nil), fd.doc.Path...), fmt.Sprintf("%s:%s", kindOf(dec), fd.doc.Name))
			c.SHA256 = ""
			out = append(out, foundDoc{doc: c, kinds: append(append([]string(nil), fd.kinds...), kindOf(dec))})
			return nil
		})
		switch {
		case errors.Is(err, ErrNotMine) && len(out) == 0:
			continue
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case local != nil && !errors.Is(local, errTooLarge):
			return nil, local
		case err != nil:
			fd.doc.Repairs = append(append([]string(nil), fd.doc.Repairs...), "not wholly decoded: "+err.Error())
			out = append(out, fd)
			return out, nil
		}
		if depth >= x.lim.Depth {
			return out, nil
		}
		var all []foundDoc
		for _, inner := range out {
			if inner.doc.SHA256 == "" {
				if err := x.measure(&inner.doc); err != nil {
					return nil, err
				}
			}
			if inner.doc.SHA256 == fd.doc.SHA256 { // the container itself, passed on
				all = append(all, inner)
				continue
			}
			got, err := x.decodeOne(ctx, f, inner, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, got...)
		}
		return all, nil
	}
	return []foundDoc{fd}, nil
}

func callDecoder(ctx context.Context, dec Decoder, d *Document, out func(*Document) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder failed on it: %v", p)
		}
	}()
	return dec.Decode(ctx, d, out)
}

// kindOf names a decoder in provenance: its Kind method's answer, else "decoder".
func kindOf(d Decoder) string {
	if k, ok := d.(interface{ Kind() string }); ok {
		return k.Kind()
	}
	return "decoder"
}

// twin is the content key of an item: what stays the same when the source names it anew.
func (f *found) twin() string {
	n := 0
	h := sha256.New()
	io.WriteString(h, f.item.MessageID)
	for _, d := range f.docs {
		if d.doc.SHA256 != "" {
			io.WriteString(h, "\x00"+d.doc.SHA256)
			n++
		}
	}
	if n == 0 && f.item.MessageID == "" {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// name gives every document its key. origin is the item key that keys are made of.
func (f *found) name(scope, origin string) {
	seen := map[string]int{}
	for i := range f.docs {
		d := &f.docs[i]
		same := strings.Join(d.kinds, ">") + "\x00" + d.doc.SHA256
		if d.doc.SHA256 == "" {
			same = "#" + strconv.Itoa(i) // passed over: only needs to be unique
		}
		seen[same]++
		h := sha256.New()
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d", scope, origin, same, seen[same])
		d.doc.Key = hex.EncodeToString(h.Sum(nil))
		d.entry.Key = d.doc.Key
	}
}

func mailFields(h mime.Header) map[string]string {
	m := map[string]string{}
	put := func(k, v string) {
		if v != "" {
			m[k] = v
		}
	}
	put("message_id", h.MessageID())
	put("subject", h.Text("Subject"))
	for _, k := range []string{"From", "To", "Cc"} {
		put(strings.ToLower(k), strings.Join(addresses(h, k), ", "))
	}
	if t, ok := h.Date(); ok {
		put("date", t.Format(time.RFC3339))
	}
	return m
}

// addresses gives each address of a field as "Name <address>".
func addresses(h mime.Header, field string) []string {
	var out []string
	for _, a := range h.Addresses(field) {
		if a.Name == "" {
			out = append(out, a.Address)
		} else {
			out = append(out, a.Name+" <"+a.Address+">")
		}
	}
	return out
}

func emlName(subject string) string {
	if subject == "" {
		subject = "mail"
	}
	return subject + ".eml"
}

func orName(name string) string {
	if name == "" {
		return "document"
	}
	return name
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
