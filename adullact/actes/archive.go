package actes

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// Roles of the files of an archive. A file that no message names has none.
const (
	RoleEnvelope  = "envelope"
	RoleMessage   = "message"
	RoleDocument  = "document"  // of an act its text; of a letter each of its documents
	RoleAnnexe    = "annexe"    // of an act
	RoleSignature = "signature" // a piece of type 99_SE, or one that the XML holds
)

// Archive is a tar.gz of an envelope, its messages and their documents.
type Archive struct {
	Envelope   *Message            `json:"envelope"` // nil when there is none, which is a deviation
	Messages   []*Message          `json:"messages"`
	Files      []payload.File      `json:"files"` // all of them, in the order in which Options.Out gets them
	Deviations []payload.Deviation `json:"deviations,omitempty"`
}

// DecodeArchive reads a tar.gz of either direction, from where r stands to the end of the
// archive. It reads it twice: messages may come after their documents, so what a file is for
// is known only at the end; and nothing goes to [Options].Out before the whole archive, its
// checksum included, was found sound. Memory does not grow with the documents.
//
// Names are those of the entries, without directories. Signatures in PKCS #7 that the
// messages hold come last, named for the file that they sign and ".p7s". Links, special
// files, names that lead elsewhere and what goes beyond [Limits] give an error of class
// poison; so does damage. [ErrNotActes] is an archive without anything of ACTES, or no
// archive. An error of Out is returned as it is. o may be nil.
func DecodeArchive(ctx context.Context, r io.ReadSeeker, o *Options) (*Archive, error) {
	d := archiver{opt: o.orDefault(), a: &Archive{}}
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, classed(err)
	}
	if err := d.read(ctx, r); err != nil {
		return nil, err
	}
	if err := d.settle(); err != nil {
		return nil, err
	}
	if d.opt.Out == nil {
		return d.a, nil
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return nil, classed(err)
	}
	if err := d.write(ctx, r); err != nil {
		return nil, err
	}
	return d.a, nil
}

// archiver decodes one archive.
type archiver struct {
	opt      Options
	a        *Archive
	found    map[int]*Message // by the index of its file
	entries  int              // files that are entries; signatures follow
	inside   [][]byte         // those signatures
	acteName bool             // a file has a name of ACTES
}

// read is the first pass.
func (d *archiver) read(ctx context.Context, r io.Reader) error {
	t, err := openTarball(ctx, r, d.opt.Limits)
	if err != nil {
		return err
	}
	d.found = map[int]*Message{}
	left := budget{items: d.opt.Limits.Items, deviations: 10 * maxDeviations, xml: 4 * d.opt.Limits.XML}
	head := bufio.NewReader(nil)
	for {
		name, size, err := t.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		f := payload.File{Name: name, Size: size}
		n, named := ParseName(name)
		f.Type = n.TypePJ
		d.acteName = d.acteName || named
		sum := sha256.New()
		head.Reset(io.TeeReader(t.tar, sum))
		first, _ := head.Peek(512) // an error comes again below
		f.MediaType = sniff(first)
		if f.MediaType == "application/xml" {
			opt := d.opt
			opt.Name = name
			m, err := decode(ctx, head, opt, &left)
			switch {
			case err == nil:
				d.found[len(d.a.Files)] = m
			case !errors.Is(err, ErrNotActes) && vaguemestre.ClassOf(err) == vaguemestre.ClassPoison:
				d.deviates(name, err.Error())
			}
		}
		if _, err := io.Copy(io.Discard, head); err != nil {
			return t.broken(err)
		}
		f.SHA256 = hex.EncodeToString(sum.Sum(nil))
		d.a.Files = append(d.a.Files, f)
	}
	for _, n := range t.notes {
		d.deviates("", n)
	}
	d.entries = len(d.a.Files)
	return nil
}

// settle finds out what each file is for.
func (d *archiver) settle() error {
	if len(d.found) == 0 && !d.acteName {
		return poison("%w: the archive holds neither an envelope nor a message", ErrNotActes)
	}
	forms, roles, seen := map[string]bool{}, map[string]string{}, map[string]bool{}
	for i := range d.entries {
		if m := d.found[i]; m != nil {
			named(m, forms, roles)
		}
	}
	for i := range d.entries {
		f, m := &d.a.Files[i], d.found[i]
		key := strings.ToLower(f.Name)
		if seen[key] {
			d.deviates(f.Name, "the archive holds two files of this name")
		}
		seen[key] = true
		switch {
		case m != nil && m.isEnvelope():
			f.Role = RoleEnvelope
			if d.a.Envelope != nil {
				d.deviates(f.Name, "the archive holds more than one envelope")
				d.a.Messages = append(d.a.Messages, m)
				continue
			}
			d.a.Envelope = m
		case m != nil && (forms[key] || roles[key] == ""):
			f.Role = RoleMessage
			d.a.Messages = append(d.a.Messages, m)
		case forms[key]:
			f.Role = RoleMessage
			d.deviates(f.Name, "the envelope says that it is a message, and it cannot be read as one")
		default:
			delete(d.found, i) // a message that is a document of another one
			f.Role = roles[key]
			if f.Role != "" && f.Type == "99_SE" {
				f.Role = RoleSignature
			}
			if f.Role == "" {
				d.deviates(f.Name, "no message names it")
			}
		}
	}
	d.compare(forms, seen)
	d.signatures()
	return nil
}

// named collects what a message names, by lower case.
func named(m *Message, forms map[string]bool, roles map[string]string) {
	if m.Envelope != nil {
		for _, f := range m.Envelope.Formulaires {
			forms[strings.ToLower(f.Nom)] = true
		}
	}
	if m.Acte != nil {
		for _, f := range m.Acte.Annexes {
			roles[strings.ToLower(f.Nom)] = RoleAnnexe
		}
		roles[strings.ToLower(m.Acte.Document.Nom)] = RoleDocument
	}
	for _, f := range m.Documents {
		roles[strings.ToLower(f.Nom)] = RoleDocument
	}
}

// compare looks for what is named and not there, or there and not named.
func (d *archiver) compare(forms, seen map[string]bool) {
	env := d.a.Envelope
	if env == nil {
		d.deviates("", "the archive has no envelope")
	} else if n, ok := ParseName(d.opt.Name); ok && n.Kind == NameArchive {
		if e, ok := ParseName(env.Name); ok {
			e.Kind, e.ITC = n.Kind, n.ITC
			if e != n {
				d.deviates(d.opt.Name, "the archive is not named for its envelope")
			}
		}
	}
	all := d.a.Messages
	if env != nil {
		all = append([]*Message{env}, all...)
	}
	for _, m := range all {
		switch m.Root {
		case "ARActe", "AnomalieActe", "AnomalieEnveloppe":
			continue // what they name was in the archive that they answer
		}
		for _, f := range m.Files() {
			if f.Nom != "" && !seen[strings.ToLower(f.Nom)] {
				d.deviates(m.Name, fmt.Sprintf("it names %q, which is not in the archive", cut(f.Nom)))
			}
		}
	}
	if env != nil && env.Root != "AnomalieEnveloppe" {
		for _, m := range d.a.Messages {
			if !forms[strings.ToLower(m.Name)] {
				d.deviates(m.Name, "the envelope does not name this message")
			}
			if m.Way != env.Way {
				d.deviates(m.Name, "it goes the other way than its envelope")
			}
			mine, theirs := m.Fields()["siren"], env.Fields()["siren"]
			if mine != "" && theirs != "" && mine != theirs {
				d.deviates(m.Name, "it has another SIREN than its envelope")
			}
		}
	}
}

// signatures adds those that the messages hold to the files.
func (d *archiver) signatures() {
	for i := range d.entries {
		m := d.found[i]
		if m == nil {
			continue
		}
		for _, x := range m.Files() {
			if x.Signature == nil || x.Signature.DER == nil {
				continue
			}
			sum := sha256.Sum256(x.Signature.DER)
			f := payload.File{Role: RoleSignature, Name: x.Nom + ".p7s", MediaType: "application/pkcs7-signature", ID: x.Nom,
				Size: int64(len(x.Signature.DER)), SHA256: hex.EncodeToString(sum[:])}
			if plain, err := plainName(x.Nom); err != nil || plain != x.Nom {
				f.Name = fmt.Sprintf("signature-%d.p7s", len(d.inside)+1)
			}
			d.a.Files = append(d.a.Files, f)
			d.inside = append(d.inside, x.Signature.DER)
		}
	}
}

// write is the second pass.
func (d *archiver) write(ctx context.Context, r io.Reader) error {
	t, err := openTarball(ctx, r, d.opt.Limits)
	if err != nil {
		return err
	}
	for i := range d.entries {
		name, size, err := t.next()
		if err == nil && (name != d.a.Files[i].Name || size != d.a.Files[i].Size) || err == io.EOF {
			err = classed(errChanged)
		}
		if err != nil {
			return err
		}
		f := d.a.Files[i]
		if err := d.opt.Out(&f, t.tar); err != nil {
			return err
		}
	}
	for i, der := range d.inside {
		f := d.a.Files[d.entries+i]
		if err := d.opt.Out(&f, bytes.NewReader(der)); err != nil {
			return err
		}
	}
	return nil
}

func (d *archiver) deviates(path, reason string) {
	switch n := len(d.a.Deviations); {
	case n < maxDeviations:
		d.a.Deviations = append(d.a.Deviations, payload.Deviation{Path: cut(path), Reason: reason})
	case n == maxDeviations:
		d.a.Deviations = append(d.a.Deviations, payload.Deviation{Reason: "there are more deviations than these"})
	}
}

// sniff tells the media types that are seen with acts by the first bytes; "" for others.
func sniff(b []byte) string {
	for _, t := range [][2]string{
		{"%PDF-", "application/pdf"}, {"\xff\xd8\xff", "image/jpeg"}, {"\x89PNG\r\n\x1a\n", "image/png"},
		{"\xff\xfe<\x00", "application/xml"}, {"\xfe\xff\x00<", "application/xml"}, {"<\x00", "application/xml"}, {"\x00<", "application/xml"},
	} {
		if bytes.HasPrefix(b, []byte(t[0])) {
			return t[1]
		}
	}
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, begin := range []string{"<html", "<!doctype html"} {
		if len(b) >= len(begin) && strings.EqualFold(string(b[:len(begin)]), begin) {
			return "text/html" // message_body.html of an answer by mail
		}
	}
	if len(b) > 1 && b[0] == '<' && bytes.IndexByte([]byte("!/"), b[1]) < 0 {
		return "application/xml"
	}
	return ""
}
