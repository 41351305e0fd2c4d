package cold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"path"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/mime"
	"github.com/vaguemestre/vaguemestre/internal/unpack"
)

// maxAround is how many containers may lie around a document.
const maxAround = 5

// stepMail is the step of a mail in provenance.
const stepMail = "message/rfc822"

// open gives what fd holds if it is a container that the job opens, and what that holds;
// else fd itself.
func (x *extractor) open(ctx context.Context, f *found, fd foundDoc, depth int) ([]foundDoc, error) {
	if len(x.take.Containers) == 0 || fd.doc.Group != "" {
		return []foundDoc{fd}, nil
	}
	first, err := head(&fd.doc, mailHead)
	if err != nil {
		return nil, unreadable(err)
	}
	kind := unpack.Sniff(first)
	isMail := kind == "" && !fd.mail && nameOrTypeOfMail(&fd.doc) && hasMailHeader(string(first), "")
	switch {
	case isMail && x.take.Nested == NestedNone:
		fd.entry.Reason = passMail
		return []foundDoc{fd}, nil
	case isMail && x.take.Nested == NestedKeep, !isMail && !slices.Contains(x.take.Containers, Container(kind)):
		return []foundDoc{fd}, nil
	case fd.around >= min(maxAround, x.lim.Depth):
		fd.spoilt(fmt.Errorf("it lies in %d containers, which is the limit of this job", fd.around))
		return []foundDoc{fd}, nil
	}
	if fd.raw == nil {
		r, err := fd.doc.Open()
		if err != nil {
			return nil, unreadable(err)
		}
		fd.raw, fd.doc.Size, _, err = x.shelve(f, r)
		r.Close()
		if err != nil {
			return nil, err
		}
	}
	var docs []foundDoc
	var report unpack.Report
	if isMail {
		docs, err = x.mailInside(f, &fd, stepMail, mailFields)
	} else {
		docs, err = x.unpack(ctx, f, &fd, kind, &report)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case vaguemestre.ClassOf(err) == vaguemestre.ClassSink:
		return nil, err
	case errors.Is(err, unpack.ErrNotMine):
		return []foundDoc{fd}, nil
	}
	if len(report.Skipped) > 0 {
		fd.note("left out: " + strings.Join(report.Skipped, ", "))
	}
	switch {
	case err != nil:
		fd.spoilt(err)
	case len(docs) == 0:
		fd.note("it holds no file")
	case isMail && x.take.Nested == NestedExpand:
		fd.entry.Reason = "take: an attached mail is taken apart"
	case !isMail && Container(kind) != ContainerP7M:
		// A p7m stays a document for the filters to decide about: the signature is in it alone.
		fd.entry.Reason = "take: a container is taken apart"
	}
	out := []foundDoc{fd}
	for _, d := range docs {
		got, err := x.decodeOne(ctx, f, d, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

// spoilt notes that fd stays a document.
func (fd *foundDoc) spoilt(err error) {
	fd.whole = "not wholly taken apart: " + err.Error()
	fd.note(fd.whole)
}

func (fd *foundDoc) note(s string) { fd.doc.Repairs = append(slices.Clone(fd.doc.Repairs), s) }

// unpack opens one container. What it gives beside an error is to be kept.
func (x *extractor) unpack(ctx context.Context, f *found, fd *foundDoc, kind unpack.Kind, report *unpack.Report) (docs []foundDoc, err error) {
	before, end := f.decoded, int64(0)
	if f.shelf != nil {
		end = f.shelf.end
	}
	defer func() {
		if err != nil && !errors.Is(err, unpack.ErrDamaged) && !errors.Is(err, unpack.ErrEncrypted) && !errors.Is(err, unpack.ErrUnknown) {
			docs, f.decoded = nil, before // nothing of a bomb
			if f.shelf != nil {
				f.shelf.end = end
			}
		}
	}()
	defer guard("reader of containers", vaguemestre.ClassPoison, &err)
	o := unpack.Options{Bytes: expansion*x.lim.ItemSize - f.expanded, Entry: x.lim.ItemSize, Entries: x.lim.Parts - f.decoded - len(f.docs),
		TarGz: slices.Contains(x.take.Containers, ContainerTar)}
	r, err := unpack.Walk(ctx, kind, fd.raw, fd.doc.Size, fd.doc.Name, o, func(e *unpack.Entry) error {
		at, n, sum, err := x.shelve(f, e.Content)
		f.expanded += n
		if err != nil {
			return err
		}
		f.decoded++
		in := foundDoc{raw: at, around: fd.around + 1, doc: Document{Name: orName(e.Name), MediaType: e.MediaType, Size: n, SHA256: sum,
			Fields: fd.doc.Fields, Repairs: append(slices.Clone(fd.doc.Repairs), e.Repairs...), Open: opener(at, n)}}
		if e.Dir != "" {
			in.doc.Path = []string{e.Dir} // what is around it follows
		}
		if in.doc.MediaType == "" {
			in.doc.MediaType = mediaTypes[strings.ToLower(path.Ext(e.Name))]
		}
		switch {
		case e.Role == unpack.RoleBody:
			in.entry.Reason = x.passBody(e.MediaType)
		case e.Role == unpack.RoleInline && !x.take.Inline:
			in.entry.Reason = passInline
		}
		in.entity = e.Role == unpack.RoleEntity
		docs = append(docs, in)
		return nil
	})
	var file *fs.PathError
	if vaguemestre.ClassOf(err) == "" && errors.As(err, &file) {
		err = scratchError(err) // the container itself lies in a scratch file
	}
	*report = *r
	where := append(slices.Clone(fd.doc.Path), report.Step+":"+fd.doc.Name)
	kinds := append(slices.Clone(fd.kinds), report.Step)
	for i := range docs {
		d := &docs[i]
		d.doc.Path, d.kinds = append(slices.Clone(where), d.doc.Path...), kinds
	}
	if len(docs) == 1 && docs[0].entity && err == nil {
		return x.entity(f, fd, docs[0])
	}
	return docs, err
}

// entity goes through what was signed: it is a part of the mail it came in, or a file.
func (x *extractor) entity(f *found, fd *foundDoc, d foundDoc) ([]foundDoc, error) {
	first, err := head(&d.doc, mailHead)
	if err != nil {
		return nil, unreadable(err)
	}
	if !hasMailHeader(string(first), "content-type:") {
		return []foundDoc{d}, nil
	}
	// its steps are those of the p7m
	in := foundDoc{doc: fd.doc, kinds: fd.kinds, raw: d.raw, around: fd.around}
	in.doc.Size = d.doc.Size
	return x.mailInside(f, &in, string(unpack.P7M), func(h mime.Header) map[string]string {
		return merge(fd.doc.Fields, mailFields(h))
	})
}

// mailInside takes the mail in fd.raw apart.
func (x *extractor) mailInside(f *found, fd *foundDoc, step string, fields func(mime.Header) map[string]string) ([]foundDoc, error) {
	left := x.lim.Parts - f.decoded - len(f.docs)
	if left <= 0 {
		return nil, &mime.LimitError{What: "parts", Limit: x.lim.Parts}
	}
	m, err := parseMail(fd.raw, fd.doc.Size, &mime.Options{Depth: x.lim.Depth, Parts: left, Header: x.lim.Header})
	if err != nil {
		return nil, err
	}
	docs := x.parts(nil, m.Root, append(slices.Clone(fd.doc.Path), step+":"+fd.doc.Name), append(slices.Clone(fd.kinds), step),
		fields(m.Root.Header), append(slices.Clone(fd.doc.Repairs), m.Repairs...))
	for i := range docs {
		docs[i].around = fd.around + 1
	}
	f.decoded += len(docs)
	return docs, nil
}

// mailHead is how much of a file is looked at to tell a mail.
const mailHead = 4 << 10

func nameOrTypeOfMail(d *Document) bool {
	return d.MediaType == "message/rfc822" || strings.EqualFold(path.Ext(d.Name), ".eml")
}

// hasMailHeader reports whether s begins with header fields (RFC 5322 section 2.2), among
// them one that begins with want.
func hasMailHeader(s, want string) bool {
	found := want == ""
	for n := 0; ; n++ {
		line, rest, more := strings.Cut(s, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" || !more {
			return n > 0 && found
		}
		name, _, ok := strings.Cut(line, ":")
		switch {
		case n > 0 && (line[0] == ' ' || line[0] == '\t'):
		case n == 0 && strings.HasPrefix(line, "From "): // of an mbox
		case !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
			return false
		default:
			found = found || strings.HasPrefix(strings.ToLower(line), want)
		}
		s = rest
	}
}

// mediaTypes label what comes out of archives, which have no labels.
var mediaTypes = map[string]string{
	".pdf": "application/pdf", ".xml": "application/xml", ".json": "application/json", ".zip": "application/zip", ".gz": "application/gzip",
	".tar": "application/x-tar", ".tgz": "application/gzip", ".p7m": "application/pkcs7-mime", ".rtf": "text/rtf", ".txt": "text/plain", ".csv": "text/csv",
	".htm": "text/html", ".html": "text/html", ".eml": "message/rfc822", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png",
	".gif": "image/gif", ".tif": "image/tiff", ".tiff": "image/tiff", ".bmp": "image/bmp", ".doc": "application/msword",
	".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt":  "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".odp": "application/vnd.oasis.opendocument.presentation",
}
