package helios

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// attachment is a PJ while it is being read: its content comes first, its names after it.
type attachment struct {
	file     File
	path     string
	content  bool // a Fichier was read into the spool
	text     unbase64
	compta   int // RefCompta: what ties it to the accounts without a PJRef
	describe bool
}

func (d *decoder) pj() {
	a := &attachment{path: d.path()}
	d.children(func(name string) {
		switch name {
		case "Contenu":
			d.children(func(name string) {
				if name == "Fichier" {
					d.fichier(a)
				}
			})
		case "Fichier":
			d.deviateHere("it stands outside of Contenu")
			d.fichier(a)
		case "IdUnique":
			a.file.ID = d.value()
		case "NomPJ":
			a.file.Name = d.fileName(a, d.value())
		case "TypePJ":
			a.file.Type = d.value()
		case "Description":
			a.describe = d.value() != ""
		case "RefCompta":
			a.compta++
		}
	})
	if d.err != nil || d.s.Err() != nil {
		return // the document may not be whole
	}
	d.deliver(a)
	d.checkPJ(a)
}

// fileName keeps the last element of what looks like a path.
func (d *decoder) fileName(a *attachment, v string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, path.Base(strings.ReplaceAll(v, `\`, "/")))
	if v == "" || name == "." || name == ".." || name == "/" {
		name = ""
	}
	if name != v {
		d.deviate(a.path+"/NomPJ", "it is a path or holds control characters")
	}
	return name
}

// fichier spools what the base64 of a Fichier holds.
func (d *decoder) fichier(a *attachment) {
	if a.content {
		d.deviateHere("a document has a second Fichier")
		d.deliver(a)
	}
	labelled := false
	a.file.Label = ""
	for _, at := range d.s.Attrs() {
		if at.Local == "MIMEType" {
			a.file.Label, labelled = d.short(at.Value), true
		}
	}
	if !labelled {
		d.deviate(a.path+"/Contenu/Fichier", "it has no MIMEType")
	}
	a.content, a.text = true, unbase64{}
	d.spool.reset()
	depth := d.s.Depth()
	for d.s.Next() && (d.s.Kind() != xmlscan.End || d.s.Depth() >= depth) {
		if d.s.Kind() == xmlscan.Start {
			d.deviateHere("there are elements within the base64")
		}
		if d.s.Kind() != xmlscan.Text || d.s.Depth() != depth {
			continue
		}
		for text := d.s.TextReader(); ; {
			n, err := text.Read(d.buf)
			d.spool.mem = a.text.decode(d.spool.mem, d.buf[:n])
			if d.scratch(d.spool.grow()) != nil || err != nil {
				break
			}
		}
		if d.err != nil {
			return
		}
	}
	d.spool.mem = a.text.end(d.spool.mem)
	d.scratch(d.spool.done())
}

// scratch makes an error of the scratch file end the work.
func (d *decoder) scratch(err error) error {
	if err != nil && d.err == nil {
		d.err = &vaguemestre.Error{Op: "helios: scratch file", Class: vaguemestre.ClassSink,
			Err: fmt.Errorf("%w; make room or set Options.Scratch", err)}
	}
	return err
}

// deliver finds out what was spooled and gives it to Out.
func (d *decoder) deliver(a *attachment) {
	if d.err != nil {
		return
	}
	if !a.content || a.text.chars == 0 {
		d.spool.reset()
		d.faulty(a, "is empty")
	}
	for _, fault := range a.text.faults() {
		d.faulty(a, "deviates: "+fault)
	}
	open, m := d.unpack(a)
	if d.err != nil {
		return
	}
	file, root, space := a.file, "", ""
	file.Role, file.MediaType, file.Size, file.SHA256 = "pj", mediaType(m.head), m.size, hex.EncodeToString(m.hash)
	if file.MediaType == "application/xml" {
		if root, space = rootOf(m.head); root == "PES_Aller" || root == "PES_Facture" {
			file.Role = "facture"
		}
	}
	if !labelFits(file.Label, file.MediaType) {
		d.faulty(a, "is "+file.MediaType+", not what MIMEType says")
	}
	d.f.Totals.Files++
	d.f.Totals.FileBytes += file.Size
	if d.take(2 * priceItem) {
		d.f.Files = append(d.f.Files, file)
	}
	if d.o.Out != nil && file.Size > 0 {
		given := file
		if d.err = d.o.Out(&given, &contextReader{d.ctx, open()}); d.err != nil {
			return
		}
	}
	if d.o.Inner && isRoot(root, space) {
		d.inner(a, open())
	}
}

// unpack measures the document and tells how to read it: out of its gzip, or as it stands.
func (d *decoder) unpack(a *attachment) (open func() io.Reader, m measure) {
	head := make([]byte, 2)
	n, _ := io.ReadFull(d.spool.reader(), head)
	if n > 0 && string(head) != "\x1f\x8b" {
		d.faulty(a, "is not a gzip: it is given as it stands")
	} else if n > 0 {
		limit := min(d.o.MaxFile, d.o.MaxTotal-d.f.Totals.FileBytes, max(freeBytes, maxRatio*d.spool.size()))
		err := d.zip.open(d.spool.reader(), limit)
		if err == nil {
			m, err = d.measure(&d.zip)
		}
		switch {
		case d.err != nil:
			return nil, m
		case err == nil:
			if d.zip.trailing {
				d.faulty(a, "has bytes after the end of its gzip, which are left out")
			}
			return func() io.Reader {
				if m.size <= inMemory {
					return bytes.NewReader(d.plain) // not out of its gzip twice
				}
				d.zip.open(d.spool.reader(), limit) // it was read before: there is no error
				return &d.zip
			}, m
		case err == errTooMuch:
			d.faulty(a, "is given as it stands: its gzip holds more than is allowed")
		default:
			d.faulty(a, "is given as it stands: its gzip is damaged")
		}
	}
	m, err := d.measure(d.spool.reader())
	d.scratch(err)
	return d.spool.reader, m
}

// faulty tells of a document by its IdUnique, since its name may be that of a person.
func (d *decoder) faulty(a *attachment, what string) {
	name := fmt.Sprintf("document %d ", d.f.Totals.Files+1)
	if a.file.ID != "" {
		name = fmt.Sprintf("document %q ", cut(a.file.ID, 60))
	}
	d.deviate(a.path+"/Contenu/Fichier", name+what)
}

// inner reads a PES that is attached: a PES facture lies in a PJ of type 006 to 011.
func (d *decoder) inner(a *attachment, content io.Reader) {
	in := &decoder{ctx: d.ctx, o: d.o, room: max(d.room/2, 1)}
	in.o.Inner = false
	in.o.MaxTotal -= d.f.Totals.FileBytes
	f, err := in.decode(content)
	if in.err != nil {
		d.err = in.err
		return
	}
	if err != nil {
		d.faulty(a, "holds a PES that is broken")
	}
	if f != nil && d.take(d.room/2) {
		d.f.Inner = append(d.f.Inner, &InnerFlow{IdUnique: a.file.ID, Flow: f})
	}
}

// measure is what a document tells once it was read to its end.
type measure struct {
	head []byte
	hash []byte
	size int64
}

func (d *decoder) measure(r io.Reader) (m measure, err error) {
	hash := sha256.New()
	d.plain = d.plain[:0]
	for {
		if err := d.ctx.Err(); err != nil {
			d.err = &vaguemestre.Error{Op: "helios: decode", Class: vaguemestre.ClassCanceled, Err: err}
			return m, err
		}
		n, err := r.Read(d.buf)
		hash.Write(d.buf[:n])
		if m.size += int64(n); m.size <= inMemory {
			d.plain = append(d.plain, d.buf[:n]...)
		}
		m.head = append(m.head, d.buf[:min(n, sniffed-len(m.head))]...)
		if err == io.EOF {
			m.hash = hash.Sum(nil)
			return m, nil
		}
		if err != nil {
			return m, err
		}
	}
}

// checkPJ tells what the schema asks of a PJ and is not there.
func (d *decoder) checkPJ(a *attachment) {
	f := a.file
	for _, c := range []struct {
		missing bool
		what    string
	}{{f.ID == "", "IdUnique"}, {f.Name == "", "NomPJ"}, {!a.describe, "Description"}} {
		if c.missing {
			d.deviate(a.path, "it has no "+c.what)
		}
	}
	if f.ID == "" || !d.take(priceRef) {
		return
	}
	if d.held[f.ID] {
		d.deviate(a.path+"/IdUnique", fmt.Sprintf("there is more than one document %q", cut(f.ID, 60)))
	}
	d.held[f.ID] = true
	if a.compta == 0 {
		d.loose = append(d.loose, f.ID)
	}
}
