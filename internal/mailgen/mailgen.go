package mailgen

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Entry tells what is in a mail.
type Entry struct {
	File      string // name in the folder of [Write]
	MessageID string // without angle brackets
	Size      int64  // bytes with CRLF line ends
	Files     []File
}

// File is a part of a mail that has a name.
type File struct {
	Name   string
	SHA256 string // hex, of the content after transfer decoding
	Size   int64
	Inline bool // shown inside the HTML text
	Nested bool // in an attached mail
}

// Options are the options of [Write].
type Options struct {
	LF bool // store lone LF, as mail servers do; the default is CRLF
}

// ManifestName is the file beside the mails that lists the entries, a JSON object a line.
const ManifestName = "manifest.jsonl"

// Write writes n mails into dir/mails and the manifest into dir.
func Write(dir string, n int, seed uint64, o *Options) ([]Entry, error) {
	mails := filepath.Join(dir, "mails")
	if err := os.MkdirAll(mails, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, ManifestName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	enc := json.NewEncoder(f)
	var out []Entry
	for i := range n {
		raw, e := Mail(seed, i)
		e.File = fmt.Sprintf("%06d.eml", i)
		if o != nil && o.LF {
			raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		}
		if err := os.WriteFile(filepath.Join(mails, e.File), raw, 0o644); err != nil {
			return nil, err
		}
		if err := enc.Encode(e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, f.Close()
}

// Mail makes mail i of a seed, with CRLF line ends.
func Mail(seed uint64, i int) ([]byte, Entry) {
	g := newGen(seed, i)
	e := Entry{MessageID: fmt.Sprintf("%d.%d@mairie-exemple.invalid", seed, i)}
	var b bytes.Buffer
	g.mail(&b, &e, e.MessageID, false)
	e.Size = int64(b.Len())
	return b.Bytes(), e
}

// Large makes one mail with one PDF of about size bytes.
func Large(size int) ([]byte, Entry) {
	g := newGen(99, size)
	e := Entry{MessageID: fmt.Sprintf("large.%d@mairie-exemple.invalid", size)}
	var b bytes.Buffer
	b.Grow(size/3*4 + size/50 + 4096)
	g.header(&b, e.MessageID, "Plan cadastral complet")
	bd := g.boundary()
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n", bd, bd)
	g.text(&b)
	fmt.Fprintf(&b, "\r\n--%s\r\n", bd)
	g.part(&b, &e, File{Name: "Plan cadastral.pdf"}, "application/pdf", g.pdf(size))
	fmt.Fprintf(&b, "\r\n--%s--\r\n", bd)
	e.Size = int64(b.Len())
	return b.Bytes(), e
}

type gen struct {
	*rand.Rand
	src  *rand.ChaCha8
	n    int // boundaries so far
	id   string
	date time.Time
}

func newGen(seed uint64, i int) *gen {
	key := sha256.Sum256(fmt.Appendf(nil, "mailgen %d %d", seed, i))
	src := rand.NewChaCha8(key)
	return &gen{Rand: rand.New(src), src: src, id: hex.EncodeToString(key[:6]),
		date: time.Date(2026, 1, 5, 8, 0, 0, 0, time.FixedZone("", 3600)).Add(time.Duration(i) * 7 * time.Minute)}
}

func pick[T any](g *gen, from []T) T { return from[g.IntN(len(from))] }

func (g *gen) boundary() string {
	g.n++
	return fmt.Sprintf("----=_Part_%s_%d", g.id, g.n)
}

func (g *gen) bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = g.src.Read(b)
	return b
}

// mail writes a whole message and notes its files in e.
func (g *gen) mail(b *bytes.Buffer, e *Entry, id string, nested bool) {
	g.header(b, id, pick(g, subjects))
	roll := g.IntN(100)
	if nested {
		roll = 30 + g.IntN(58) // one attached mail inside another is enough
	}
	if roll < 30 {
		g.text(b)
		return
	}
	bd := g.boundary()
	fmt.Fprintf(b, "Content-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n\r\nCeci est un message au format MIME.\r\n--%s\r\n", bd, bd)
	if roll%3 == 0 {
		g.html(b, e, nested)
	} else {
		g.text(b)
	}
	for range 1 + g.IntN(3) {
		fmt.Fprintf(b, "\r\n--%s\r\n", bd)
		g.attachment(b, e, nested)
	}
	if roll%10 == 7 {
		fmt.Fprintf(b, "\r\n--%s\r\n", bd)
		g.part(b, e, File{Name: "Thumbs.db", Nested: nested}, "application/octet-stream", g.bytes(3000+g.IntN(9000)))
	}
	if roll >= 92 && !nested {
		fmt.Fprintf(b, "\r\n--%s\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n", bd)
		g.mail(b, e, "transfert."+id, true)
	}
	fmt.Fprintf(b, "\r\n--%s--\r\n", bd)
}

func (g *gen) header(b *bytes.Buffer, id, subject string) {
	p := pick(g, people)
	fmt.Fprintf(b, "Return-Path: <%s>\r\n", p[1])
	fmt.Fprintf(b, "Received: from mx.mairie-exemple.invalid (mx.mairie-exemple.invalid [192.0.2.%d])\r\n\tby mx.example.test (Postfix) with ESMTPS id %s\r\n\tfor <accueil@example.test>; %s\r\n",
		1+g.IntN(250), strings.ToUpper(g.id), g.date.Format(time.RFC1123Z))
	fmt.Fprintf(b, "From: %s <%s>\r\nTo: =?utf-8?Q?Accueil_de_la_mairie?= <accueil@example.test>\r\n", word(p[0], g.IntN(3)), p[1])
	fmt.Fprintf(b, "Subject: %s\r\nDate: %s\r\nMessage-ID: <%s>\r\nMIME-Version: 1.0\r\n", word(subject, g.IntN(3)), g.date.Format(time.RFC1123Z), id)
}

func (g *gen) paragraphs() string {
	var s strings.Builder
	s.WriteString("Madame, Monsieur,\r\n\r\n")
	for range 2 + g.IntN(30) {
		for range 1 + g.IntN(5) {
			s.WriteString(pick(g, sentences) + " ")
		}
		s.WriteString("\r\n\r\n")
	}
	return s.String() + "Veuillez agréer nos salutations distinguées.\r\n"
}

func (g *gen) text(b *bytes.Buffer) {
	charset := pick(g, []string{"utf-8", "iso-8859-1", "utf-8"})
	fmt.Fprintf(b, "Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", charset)
	s := g.paragraphs()
	if charset != "utf-8" {
		s = latin1(s)
	}
	b.WriteString(quotedPrintable(s))
}

func (g *gen) html(b *bytes.Buffer, e *Entry, nested bool) {
	bd, cid := g.boundary(), "logo."+g.id+"@mairie-exemple.invalid"
	fmt.Fprintf(b, "Content-Type: multipart/related; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", bd, bd)
	b.WriteString(quotedPrintable("<html><body><p>" + strings.ReplaceAll(g.paragraphs(), "\r\n\r\n", "</p>\r\n<p>") + "</p><img src=\"cid:" + cid + "\"></body></html>\r\n"))
	fmt.Fprintf(b, "\r\n--%s\r\n", bd)
	c := append([]byte("\x89PNG\r\n\x1a\n"), g.bytes(1500+g.IntN(12000))...)
	fmt.Fprintf(b, "Content-ID: <%s>\r\n", cid)
	g.part(b, e, File{Name: "logo.png", Inline: true, Nested: nested}, "image/png", c)
	fmt.Fprintf(b, "\r\n--%s--\r\n", bd)
}

func (g *gen) pdf(n int) []byte {
	c := append([]byte("%PDF-1.4\n"), g.bytes(n)...)
	return append(c, "\n%%EOF\n"...)
}

// attachment adds one file; sizes have a long tail as in real mailboxes.
func (g *gen) attachment(b *bytes.Buffer, e *Entry, nested bool) {
	size := 4000 + g.IntN(60_000)
	if g.IntN(12) == 0 {
		size = 150_000 + g.IntN(350_000)
	}
	name, f := pick(g, names), File{Nested: nested}
	switch g.IntN(6) {
	case 0, 1, 2:
		f.Name = name + ".pdf"
		g.part(b, e, f, "application/pdf", g.pdf(size))
	case 3:
		f.Name = name + ".jpg"
		g.part(b, e, f, "image/jpeg", append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"), g.bytes(size)...))
	case 4:
		f.Name = name + ".xml"
		var x strings.Builder
		x.WriteString("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<PES_Aller>\n")
		for x.Len() < size/2 {
			fmt.Fprintf(&x, "  <Ligne V=\"%d\"><Libellé>%s</Libellé></Ligne>\n", g.IntN(1e6), pick(g, sentences))
		}
		x.WriteString("</PES_Aller>\n")
		g.part(b, e, f, "application/xml", []byte(latin1(x.String())))
	case 5:
		f.Name = name + ".csv"
		var x strings.Builder
		for x.Len() < size/4 {
			fmt.Fprintf(&x, "%d;%s;%d,%02d\r\n", g.IntN(1e6), pick(g, names), g.IntN(9000), g.IntN(100))
		}
		g.part(b, e, f, "text/csv; charset=iso-8859-1", []byte(latin1(x.String())))
	}
}

// part writes header and body of a file and notes it.
func (g *gen) part(b *bytes.Buffer, e *Entry, f File, mediaType string, content []byte) {
	disposition := "attachment"
	if f.Inline {
		disposition = "inline"
	}
	ctype, disp := nameParams(f.Name, g.IntN(7))
	fmt.Fprintf(b, "Content-Type: %s%s\r\nContent-Disposition: %s%s\r\n", mediaType, ctype, disposition, disp)
	if strings.HasPrefix(mediaType, "text/") {
		b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
		b.WriteString(quotedPrintable(string(content)))
	} else {
		b.WriteString("Content-Transfer-Encoding: base64\r\n\r\n")
		writeBase64(b, content)
	}
	sum := sha256.Sum256(content)
	f.SHA256, f.Size = hex.EncodeToString(sum[:]), int64(len(content))
	e.Files = append(e.Files, f)
}

func writeBase64(b *bytes.Buffer, c []byte) {
	var line [76]byte
	for len(c) > 0 {
		n := min(57, len(c))
		b.Write(base64.StdEncoding.AppendEncode(line[:0], c[:n]))
		if c = c[n:]; len(c) > 0 {
			b.WriteString("\r\n")
		}
	}
}
