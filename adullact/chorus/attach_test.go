package chorus

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// gathered keeps what goes to Out.
type gathered struct {
	files []payload.File
	texts []string
}

func (g *gathered) out(f *payload.File, r io.Reader) error {
	b, err := io.ReadAll(r)
	g.files, g.texts = append(g.files, *f), append(g.texts, string(b))
	return err
}

// The content of an attachment comes out as the document that it is, whatever its label:
// the one file of a zip, or what it is if it is something else, or a zip that cannot be
// unpacked as it came. Nothing is lost, and what was odd is told.
func TestAttachment(t *testing.T) {
	t.Parallel()
	const pdf = "%PDF-1.4\nBonjour"
	damaged := zipped("inside.pdf", strings.Repeat(pdf, 50))
	damaged[60] ^= 0xff
	encrypted := zipped("inside.pdf", pdf)
	encrypted[6] |= 1
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	for name, tt := range map[string]struct {
		content          []byte
		kind, file       string
		text, media      string
		role, want, told string
		inner            string
	}{
		"raw":         {content: []byte(pdf), file: "f.pdf", text: pdf, media: "application/pdf", want: "f.pdf"},
		"zip":         {content: zipped("inside.pdf", pdf), kind: "01", file: "f.pdf", text: pdf, media: "application/pdf", role: "facture_pj_01", want: "f.pdf", inner: "inside.pdf"},
		"zip by name": {content: zipped("d/inside.pdf", pdf), file: "f.ZIP", text: pdf, media: "application/pdf", want: "inside.pdf", inner: "d/inside.pdf"},
		"directory":   {content: zipped("d/", "", "d/inside.pdf", pdf), file: "f.pdf", text: pdf, media: "application/pdf", want: "f.pdf", inner: "d/inside.pdf"},
		"traversal":   {content: zipped("../../etc/passwd", pdf), file: `C:\temp\..\f.pdf`, text: pdf, media: "application/pdf", want: "f.pdf", inner: "../../etc/passwd"},
		"two files":   {content: zipped("a", pdf, "b", pdf), file: "f.pdf", media: "application/zip", want: "f.pdf", told: "it holds 2 files"},
		"no file":     {content: zipped(), file: "f.zip", media: "application/zip", want: "f.zip", told: "it holds 0 files"},
		"damaged":     {content: damaged, file: "f.pdf", media: "application/zip", want: "f.pdf", told: "it is damaged"},
		"encrypted":   {content: encrypted, file: "f.pdf", media: "application/zip", want: "f.pdf", told: "it is encrypted"},
		"cut":         {content: damaged[:80], file: "f.pdf", media: "application/zip", want: "f.pdf", told: "it is damaged"},
		"xml":         {content: []byte("\xef\xbb\xbf<a/>"), file: "a.xml", media: "application/xml", want: "a.xml", told: "which it is not"},
		"empty":       {content: nil, file: "f.pdf", want: "f.pdf", told: "no content"},
		"no name":     {content: []byte(pdf), file: " .. ", text: pdf, media: "application/pdf", want: "piece-1.pdf"},
		"odd name":    {content: []byte(pdf), file: "a\u0085b&#10;.pdf", text: pdf, media: "application/pdf", want: "ab.pdf"},
	} {
		if tt.kind == "" {
			tt.kind, tt.role = "02", "facture_pj_02"
		}
		if tt.text == "" {
			tt.text = string(tt.content)
		}
		var g gathered
		inv := one(t, pivotFixture(pivotInvoice("F-1", "", piece(tt.kind, tt.file, tt.content))), &Options{Out: g.out})
		told := fmt.Sprint(inv.Deviations)
		if !strings.Contains(told, tt.told) || tt.told == "" && len(inv.Deviations) > 0 {
			t.Errorf("%s: told %s", name, told)
		}
		if name == "empty" {
			continue
		}
		if len(g.files) != 1 || len(inv.Files) != 1 {
			t.Errorf("%s: %d files", name, len(g.files))
			continue
		}
		f := g.files[0]
		sum := sha256.Sum256([]byte(tt.text))
		if f != inv.Files[0].File || f.Name != tt.want || f.Role != tt.role || f.MediaType != tt.media || f.Size != int64(len(tt.text)) || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %+v", name, f)
		}
		if g.texts[0] != tt.text || inv.Files[0].Inner != tt.inner {
			t.Errorf("%s: inner %q, content %.60q", name, inv.Files[0].Inner, g.texts[0])
		}
	}
}

// What Out leaves unread does no harm to what follows.
func TestOutReadsNothing(t *testing.T) {
	t.Parallel()
	var names []string
	text := pivotFixture(pivotInvoice("F-1", "", piece("01", "a.pdf", []byte("%PDF-1")), piece("02", "b.pdf", zipped("x", "%PDF-2"))), pivotInvoice("F-2", "", piece("01", "c.pdf", []byte("%PDF-3"))))
	flow, err := Decode(t.Context(), strings.NewReader(text), &Options{Out: func(f *payload.File, _ io.Reader) error {
		names = append(names, f.Name)
		return nil
	}})
	if err != nil || strings.Join(names, " ") != "a.pdf b.pdf c.pdf" || len(flow.Invoices) != 2 || flow.Invoices[1].Number != "F-2" {
		t.Errorf("%v, %v", names, err)
	}
}

// Base64 is read whatever white space and padding it has and however it comes in parts, and
// refused with the place where it is none.
func TestBase64(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(want)
		if n%2 == 0 {
			text = strings.TrimRight(text, "=")
		}
		var odd strings.Builder
		for _, c := range text {
			if rng.IntN(5) == 0 {
				odd.WriteString([]string{" ", "\r\n", "\t", "\n\n"}[rng.IntN(4)])
			}
			odd.WriteRune(c)
		}
		for _, r := range []io.Reader{strings.NewReader(odd.String()), iotest.OneByteReader(strings.NewReader(odd.String())), iotest.DataErrReader(strings.NewReader(odd.String()))} {
			var b bytes.Buffer
			if err := decodeBase64(&b, r, make([]byte, 16)); err != nil || !bytes.Equal(b.Bytes(), want) {
				t.Fatalf("%q: %v", odd.String(), err)
			}
		}
	}
	for text, at := range map[string]int64{"QUJ?": 3, "QQ==QQ": 4, "A": 1, "QUJD-": 4, "é": 0} {
		err := decodeBase64(io.Discard, strings.NewReader(text), make([]byte, 64))
		var bad *junk
		if !errors.As(err, &bad) || bad.offset != at {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// stuff is a stream of n bytes of base64 between two texts, none of which is in memory.
func stuff(before string, n int64, after string) io.Reader {
	return io.MultiReader(strings.NewReader(before), io.LimitReader(repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn"), n&^3), strings.NewReader(after))
}

func repeat(text string) io.Reader { return &repeated{text, 0} }

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n, r.at = n+k, (r.at+k)%len(r.text)
	}
	return n, nil
}

// An attachment of 90 MB within one element takes no more memory than a small one, and
// leaves nothing in the scratch directory.
func TestConstantMemory(t *testing.T) {
	text := pivotFixture(pivotInvoice("F-1", "", "<PJ><Contenu>@</Contenu><NomPJ>f.bin</NomPJ><TypePJ>01</TypePJ></PJ>"))
	before, after, _ := strings.Cut(text, "@")
	dir := t.TempDir()
	peak := watch(t)
	var size int64
	flow, err := Decode(t.Context(), stuff(before, 90<<20, after), &Options{Scratch: dir, Out: func(f *payload.File, r io.Reader) (err error) {
		size, err = io.Copy(io.Discard, r)
		return err
	}})
	mem := peak()
	if err != nil || size < 67<<20 || flow.Invoices[0].Files[0].Size != size {
		t.Fatalf("%d bytes, %v", size, err)
	}
	if t.Logf("%d KiB", mem>>10); mem > 4<<20 {
		t.Errorf("took %d KiB", mem>>10)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%d files are left in the scratch directory", len(left))
	}
}

// lyingZip is a zip of one entry that tells another size than it has.
func lyingZip(inflated uint64) []byte {
	b := zipped("a.pdf", strings.Repeat("\x00", 1000))
	i := bytes.Index(b, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(b[i+24:], uint32(inflated))
	return b
}

// manyEntries is a zip whose directory lists n files, and says that it lists one.
func manyEntries(n int) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for range n {
		z.CreateHeader(&zip.FileHeader{Name: "a"})
	}
	z.Close()
	return b.Bytes()
}

// deflated is a zip of one file of n zero bytes.
func deflated(n int64) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("a.pdf")
	io.Copy(w, io.LimitReader(repeat(strings.Repeat("\x00", 1024)), n))
	z.Close()
	return b.Bytes()
}

// A bomb ends within seconds, within bounded memory, and with an error or a deviation.
func TestBombs(t *testing.T) {
	tag := func(s string, n int) string { return strings.Repeat(s, n) }
	bomb := deflated(30 << 20)
	pj := func(content []byte) string {
		return pivotFixture(pivotInvoice("F-1", "", piece("01", "f.pdf", content)))
	}
	inPivot := func(s string) string {
		return strings.Replace(pivotFixture(pivotInvoice("F-1", "")), "<Id>F-1", s+"<Id>F-1", 1)
	}
	small := &Limits{File: 20 << 20, Total: 64 << 20, Invoices: 1000, Files: 1000}
	for name, text := range map[string]string{
		"zip of 30 MiB":         pj(bomb),
		"a zip many times":      pivotFixture(pivotInvoice("F-1", "", tag(piece("01", "f.pdf", deflated(9<<20)), 20))),
		"lying size":            pj(lyingZip(1 << 31)),
		"lying small":           pj(lyingZip(1)),
		"entries":               pj(manyEntries(20_000)),
		"depth":                 inPivot(tag("<a>", 20_000)),
		"depth before the root": tag("<CPPFacturePivot>", 30_000),
		"attributes":            "<CPPFacturePivot " + tag(`a="b" `, 50_000) + ">",
		"long attribute":        `<CPPFacturePivot a="` + tag("b", 4<<20),
		"long name":             "<" + tag("b", 4<<20),
		"long value":            strings.Replace(pivotFixture(pivotInvoice("F-1", "")), "Granulats du Val", tag("é", 2<<20), 1),
		"comment":               inPivot("<!--" + tag("a", 4<<20)),
		"entities":              "<!DOCTYPE a [<!ENTITY b '" + tag("c", 1000) + "'>]><CPPFacturePivot>&b;</CPPFacturePivot>",
		"invoices":              pivotFixture(tag("<CPPFacturePivotUnitaire/>", 20_000)),
		"open invoices":         pivotFixture(tag("<CPPFacturePivotUnitaire>", 50)),
		"statuses":              "<CPPFluxStatuts>" + tag("<DonneesStatut/>", 30_000) + "</CPPFluxStatuts>",
		"steps":                 "<CPPFluxStatuts><CPPFactureStatutUnitaire>" + tag("<DonneesStatut><IdStatut>01</IdStatut></DonneesStatut>", 20_000),
		"vat":                   strings.Replace(pivotFixture(pivotInvoice("F-1", "")), "<TVAs>", "<TVAs>"+tag("<TVA><Taux>x</Taux></TVA>", 20_000), 1),
		"attachments":           pivotFixture(pivotInvoice("F-1", "", tag("<PJ><Contenu>QQ==</Contenu></PJ>", 20_000))),
		"empty attachments":     pivotFixture(pivotInvoice("F-1", "", tag("<PJ/>", 50_000))),
		"parameters":            strings.Replace(pivotFixture(), "<Parametres>", "<Parametres>"+tag("<ParametreIndiv/>", 30_000), 1),
		"identifiers":           strings.Replace(ublFixture, "<a:PartyIdentification>", tag("<a:PartyIdentification><b:ID>x</b:ID></a:PartyIdentification>", 20_000)+"<a:PartyIdentification>", 1),
		"reasons": "<CrossDomainAcknowledgementAndResponse><AcknowledgementDocument><ReferenceReferencedDocument>" +
			tag("<SpecifiedDocumentStatus><Reason>"+tag("r", 900)+"</Reason></SpecifiedDocumentStatus>", 5_000),
		"names":         "<CPPFacturePivot>" + tag("<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/>", 30_000),
		"namespaces":    "<CPPFacturePivot " + tag(`xmlns:a="b" `, 250) + ">" + tag(`<b xmlns="c"/>`, 20_000),
		"huge exponent": strings.Replace(pivotFixture(pivotInvoice("F-1", "")), "<MontantTTC>120.00", "<MontantTTC>1e999999999", 1),
	} {
		t.Run(name, func(t *testing.T) {
			peak := watch(t)
			start := time.Now()
			flow, err := Decode(t.Context(), strings.NewReader(text), &Options{Limits: *small, Scratch: t.TempDir()})
			took, mem := time.Since(start), peak()
			told := 0
			for _, inv := range flow.Invoices {
				told += len(inv.Deviations)
			}
			for _, s := range flow.Statuses {
				told += len(s.Deviations)
			}
			t.Logf("%d bytes: %v, %d MiB, %d deviations, %v", len(text), took.Round(time.Millisecond), mem>>20, told+len(flow.Deviations), err)
			if err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
				t.Errorf("%v", err)
			}
			if took > slow*5*time.Second || mem > 64<<20 {
				t.Errorf("took %v and %d MiB", took, mem>>20)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}
