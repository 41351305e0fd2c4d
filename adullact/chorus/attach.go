package chorus

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// attachment is the PJ, or whatever the format calls it, that is being read. Its name may
// come after its content.
type attachment struct {
	File
	path string
	held bool // spool holds its content
	done bool // its element ended
	junk error
	sum  hash.Hash
}

func addFile(r *reader) {
	r.o.used.files++
	r.att = &attachment{path: string(r.key(true))}
}

// content takes the text that stands here as the content of the attachment.
func (r *reader) content() error {
	a := r.att
	if a.held {
		r.deviate(r.deviations(), a.path, "a second content is left out")
		return nil
	}
	if a.Label == "" {
		a.Label = r.attr("mimeCode")
	}
	if v := r.attr("filename"); v != "" {
		a.Origin, a.Name = a.Name, v
	}
	a.held, a.sum = true, sha256.New()
	r.spool.reset()
	if r.chunk == nil {
		r.chunk = make([]byte, 64<<10)
	}
	err := decodeBase64(r.limited(io.MultiWriter(&r.spool, a.sum)), r.s.TextReader(), r.chunk)
	var bad *junk
	if errors.As(err, &bad) {
		a.junk = err
		return nil
	}
	return err
}

// limited bounds what one document and all of them write.
func (r *reader) limited(w io.Writer) io.Writer { return &limited{w: w, r: r} }

type limited struct {
	w io.Writer
	r *reader
	n int64
}

func (l *limited) Write(p []byte) (int, error) {
	l.n += int64(len(p))
	l.r.o.used.total += int64(len(p))
	lim := &l.r.o.Limits
	if l.n > lim.File {
		return 0, poison("an attachment has more than %d bytes: raise Limits.File if that is right", lim.File)
	}
	if l.r.o.used.total > lim.Total {
		return 0, poison("the attachments have more than %d bytes: raise Limits.Total if that is right", lim.Total)
	}
	return l.w.Write(p)
}

// deliver hands the attachment over, unpacked. The element is at its end.
func (r *reader) deliver() error {
	a := r.att
	r.att = nil
	defer r.spool.reset()
	pivot := r.flow.Format == FormatPivot || r.flow.Format == FormatMixte
	switch {
	case a.junk != nil:
		r.deviate(r.deviations(), a.path, "its content cannot be decoded and is left in the XML: "+a.junk.Error())
		return nil
	case !a.held && pivot:
		r.deviate(r.deviations(), a.path, "has no content")
		return nil
	case !a.held:
		return nil // a reference to something that is not attached
	}
	r.nth++
	packed := r.spool.reader
	open := func() (io.Reader, error) { return packed(), nil }
	a.Size, a.SHA256 = r.spool.size, hex.EncodeToString(a.sum.Sum(nil))
	head := make([]byte, 512)
	n, _ := io.ReadFull(packed(), head)
	a.MediaType = sniff(head[:n])
	if a.MediaType == "application/zip" {
		entry, err := onlyEntry(&r.spool, r.spool.size)
		if err == nil {
			err = r.unpack(a, entry)
		}
		var own *vaguemestre.Error
		switch {
		case err == nil:
			open = entry.open
		case errors.As(err, &own):
			return err
		case officeDocument(a.Label):
		default:
			r.deviate(r.deviations(), a.path, "handed over as the zip that it is: "+err.Error())
		}
	}
	if a.Size == 0 {
		r.deviate(r.deviations(), a.path, "is empty")
	}
	r.name(a, pivot)
	if r.inv == nil {
		return nil
	}
	if label := strings.ToLower(a.Label); a.Inner != "" && strings.Contains(label, "zip") {
		// it says what it was before it was unpacked
	} else if label != "" && !alike(label, a.MediaType) {
		r.deviate(r.deviations(), a.path, strings.TrimSuffix(fmt.Sprintf("labelled %.60q, which it is not: %s", a.Label, a.MediaType), ": "))
	}
	r.inv.Files = append(r.inv.Files, a.File)
	return r.out(&last(r.inv.Files).File, open)
}

func (r *reader) out(f *payload.File, open func() (io.Reader, error)) error {
	if r.o.Out == nil {
		return nil
	}
	content, err := open()
	if err == nil {
		if err = r.o.Out(f, ctxReader{r.ctx, content}); err != nil {
			err = &outError{err}
		}
	}
	return err
}

// name gives the attachment its name and role.
func (r *reader) name(a *attachment, pivot bool) {
	if a.Name == "" {
		a.Name = a.Origin
	}
	if pivot && a.Name == "" {
		r.deviate(r.deviations(), a.path, "has no name")
	}
	if pivot && len([]rune(a.Name)) > 50 {
		r.deviate(r.deviations(), a.path, "its name is longer than 50 characters")
	}
	if a.Inner != "" && strings.HasSuffix(strings.ToLower(a.Name), ".zip") {
		a.Origin, a.Name = a.Name, a.Inner
	}
	if a.Origin == a.Name {
		a.Origin = ""
	}
	if a.Name = fileName(a.Name); a.Name == "" {
		a.Name = fmt.Sprintf("piece-%d%s", r.nth, extensions[a.MediaType])
	}
	a.Role = "facture_pj_02"
	if a.Type == "01" || a.Type == "1" {
		a.Role = "facture_pj_01"
	}
	if a.Type != "" && a.Type != "01" && a.Type != "02" {
		r.deviate(r.deviations(), a.path, fmt.Sprintf("TypePJ %.40q is neither 01 nor 02", a.Type))
	}
}

// fileName is the last element of what may be a path of any system, without what no name
// may hold.
func fileName(v string) string {
	v = v[strings.LastIndexAny(v, `/\`)+1:]
	v = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, v)
	v = strings.TrimSpace(v)
	if strings.Trim(v, ".") == "" {
		return ""
	}
	return v
}
