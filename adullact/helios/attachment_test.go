package helios

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vaguemestre/vaguemestre"
)

const (
	head = `<?xml version="1.0" encoding="ISO-8859-1"?><n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">` +
		`<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR2"/><NomFic V="N"/></Parametres><Emetteur><Sigle V="S"/></Emetteur></Enveloppe>` +
		`<EnTetePES><DteStr V="2026-03-02"/><IdPost V="034000"/><IdColl V="21340000000017"/><CodCol V="123"/><CodBud V="00"/></EnTetePES>`
	tail = `</n:PES_Aller>`
)

// holding is a PES with one document.
func holding(id, text string) string {
	return head + `<PES_PJ><EnTetePES_PJ><IdVer V="1"/></EnTetePES_PJ>` + pjText(id, text) + `</PES_PJ>` + tail
}

func pjText(id, text string) string {
	return `<PJ><Contenu><Fichier MIMEType="application/octet-stream">` + text + `</Fichier></Contenu><IdUnique V="` + id +
		`"/><NomPJ V="` + id + `.bin"/><TypePJ V="003"/><Description V="d"/><RefCompta/></PJ>`
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// Whatever the text of a Fichier is, its bytes come out once, with a deviation for what is odd.
func TestContent(t *testing.T) {
	t.Parallel()
	pdf := []byte("%PDF-1.4\nan invoice of example.org\n%%EOF")
	gz := zipped(pdf)
	crc := bytes.Clone(gz)
	crc[len(crc)-6] ^= 1
	big := noise(5<<18 + 1)
	wrapped := func(s, by string, n int) string {
		var b strings.Builder
		for ; len(s) > n; s = s[n:] {
			b.WriteString(s[:n] + by)
		}
		return b.String() + s
	}
	xml := []byte("\ufeff\n<?xml version='1.0'?><DocumentBudgetaire/>")
	for name, c := range map[string]struct {
		text      string
		want      []byte
		kind      string
		deviation string // "" is none
	}{
		"gzip":                    {b64(gz), pdf, "application/pdf", ""},
		"gzip, lines":             {wrapped(b64(gz), "\r\n", 76), pdf, "application/pdf", ""},
		"gzip, references":        {wrapped(b64(gz), "&#13;\n", 76), pdf, "application/pdf", ""},
		"gzip, spaces":            {" \t" + wrapped(b64(gz), " ", 1) + "\n", pdf, "application/pdf", ""},
		"gzip, CDATA":             {"<![CDATA[" + b64(gz) + "]]>", pdf, "application/pdf", ""},
		"gzip, comment":           {b64(gz)[:10] + "<!-- x -->" + b64(gz)[10:], pdf, "application/pdf", ""},
		"no padding":              {"YQ", []byte("a"), "", "padding"},
		"two members":             {b64(append(bytes.Clone(gz), gz...)), append(bytes.Clone(pdf), pdf...), "application/pdf", ""},
		"padded blocks":           {b64(gz[:10]) + b64(gz[10:]), pdf, "application/pdf", "after its padding"},
		"trailing bytes":          {b64(append(bytes.Clone(gz), "junk"...)), pdf, "application/pdf", "after the end of its gzip"},
		"trailing zeros":          {b64(append(bytes.Clone(gz), 0, 0, 0)), pdf, "application/pdf", "after the end of its gzip"},
		"gzip of nothing":         {b64(zipped(nil)), nil, "", ""},
		"gzip of XML":             {b64(zipped(xml)), xml, "application/xml", ""},
		"gzip of a gzip":          {b64(zipped(gz)), gz, "application/gzip", ""},
		"damaged sum":             {b64(crc), crc, "application/gzip", "damaged"},
		"cut gzip":                {b64(gz[:len(gz)-9]), gz[:len(gz)-9], "application/gzip", "damaged"},
		"a gzip's first bytes":    {b64(gz[:2]), gz[:2], "application/gzip", "damaged"},
		"PDF":                     {b64(pdf), pdf, "application/pdf", "not a gzip"},
		"ZIP":                     {b64([]byte("PK\x03\x04xxxx")), []byte("PK\x03\x04xxxx"), "application/zip", "not a gzip"},
		"XML":                     {b64(xml), xml, "application/xml", "not a gzip"},
		"who knows":               {b64([]byte("xyz")), []byte("xyz"), "", "not a gzip"},
		"one byte":                {"YQ==", []byte("a"), "", "not a gzip"},
		"empty":                   {"", nil, "", "is empty"},
		"blank":                   {" \r\n\t ", nil, "", "is empty"},
		"padding alone":           {"====", nil, "", "is empty"},
		"no base64":               {"****", nil, "", "4 bytes that are not base64 were passed over, the first at byte 0"},
		"junk within":             {b64(gz)[:6] + "*\x00é" + b64(gz)[6:], pdf, "application/pdf", "the first at byte 6 of the text"},
		"a character too many":    {b64([]byte("xyz")) + "A", []byte("xyz"), "", "single character"},
		"an element within":       {b64(gz)[:8] + "<b>AAAA</b>" + b64(gz)[8:], pdf, "application/pdf", "elements within"},
		"more than memory, gzip":  {b64(zipped(big)), big, "", ""},
		"more than memory, plain": {wrapped(b64(big), "\n", 64), big, "", "not a gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scratch := t.TempDir()
			var given []byte
			calls := 0
			f, err := decodeText(holding("ID1", c.text), &Options{Scratch: scratch, Out: func(f *File, r io.Reader) error {
				calls++
				if f.Name != "ID1.bin" || f.ID != "ID1" || f.Type != "003" {
					t.Errorf("the names are not known: %+v", f)
				}
				given, _ = io.ReadAll(r)
				return nil
			}})
			if err != nil || len(f.Files) != 1 {
				t.Fatalf("%+v, %v", f, err)
			}
			file := f.Files[0]
			if !bytes.Equal(given, c.want) || calls != min(1, len(c.want)) || file.Size != int64(len(c.want)) || file.MediaType != c.kind {
				t.Errorf("%d calls, %d bytes %.40q, %+v", calls, len(given), given, file)
			}
			got := ""
			for _, d := range f.Deviations {
				got += d.Reason + "\n"
			}
			if (c.deviation == "") != (got == "") || !strings.Contains(got, c.deviation) {
				t.Errorf("deviations: %s", got)
			}
			if left, _ := filepath.Glob(filepath.Join(scratch, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// However the stream is cut into reads, the bytes are the same.
func TestOneByteReads(t *testing.T) {
	t.Parallel()
	content := noise(5000)
	text := holding("A", strings.ReplaceAll(b64(zipped(content)), "A", "A\n "))
	f, err := Decode(context.Background(), iotest.OneByteReader(strings.NewReader(text)), nil)
	whole, err2 := decodeText(text, nil)
	if err != nil || err2 != nil || f.Files[0].SHA256 != whole.Files[0].SHA256 || f.Files[0].Size != 5000 {
		t.Errorf("%+v, %v; %+v, %v", f, err, whole, err2)
	}
}

// unbase64 agrees with the standard decoder on every length, padded or not, in one piece or many.
func TestUnbase64(t *testing.T) {
	t.Parallel()
	for n := range 200 {
		want := noise(n)
		for _, text := range []string{b64(want), base64.RawStdEncoding.EncodeToString(want)} {
			for step := 1; step < 9; step++ {
				var u unbase64
				var got []byte
				for i := 0; i < len(text); i += step {
					got = u.decode(got, []byte(text[i:min(i+step, len(text))]))
				}
				if got = u.end(got); !bytes.Equal(got, want) || u.junk > 0 || u.lost || u.padded || u.nopad != (len(text)%4 != 0) || u.read != int64(len(text)) {
					t.Fatalf("%d bytes by %d: %x, not %x, %+v", n, step, got, want, u)
				}
			}
		}
	}
}

// A gzip that grows beyond a limit is given as it was stored: nothing is lost, nothing bursts.
func TestGzipLimits(t *testing.T) {
	t.Parallel()
	bomb := zipped(make([]byte, 12<<20)) // 1000 times
	modest := zipped(make([]byte, 3<<20))
	for name, c := range map[string]struct {
		gz   []byte
		o    Options
		want int64
	}{
		"ratio":       {bomb, Options{}, int64(len(bomb))},
		"below 10 MB": {modest, Options{}, 3 << 20},
		"MaxFile":     {modest, Options{MaxFile: 1 << 20}, int64(len(modest))},
		"MaxTotal":    {modest, Options{MaxTotal: 1 << 20}, int64(len(modest))},
		"members":     {bytes.Repeat(zipped(nil), 2000), Options{}, int64(len(zipped(nil)) * 2000)},
	} {
		o, got := c.o, int64(0)
		o.Out = func(_ *File, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			got += n
			return err
		}
		f, err := decodeText(holding("A", b64(c.gz)), &o)
		if err != nil || got != c.want || f.Totals.FileBytes != c.want {
			t.Errorf("%s: %d bytes, not %d, %v", name, got, c.want, err)
		}
	}
}

// Content that Out leaves unread does not disturb what follows, and two Fichier in one PJ are two documents.
func TestOutMayLeave(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(head + "<PES_PJ>")
	for i := range 20 {
		text.WriteString(pjText(fmt.Sprint("ID", i), b64(zipped(noise(1000*i+1)))))
	}
	text.WriteString("<PJ><Contenu><Fichier>YQ==</Fichier><Fichier>Yg==</Fichier></Contenu><IdUnique V='TWO'/></PJ></PES_PJ>" + tail)
	var sizes []int64
	f, err := decodeText(text.String(), &Options{Out: func(f *File, r io.Reader) error {
		io.CopyN(io.Discard, r, 10)
		sizes = append(sizes, f.Size)
		f.Name, f.ID = "changed", "changed"
		return nil
	}})
	if err != nil || len(sizes) != 22 || f.Totals.Files != 22 {
		t.Fatalf("%v, %+v, %v", sizes, f.Totals, err)
	}
	for i := range 20 {
		if sizes[i] != int64(1000*i+1) || f.Files[i].ID != fmt.Sprint("ID", i) {
			t.Errorf("document %d: %d bytes, %+v", i, sizes[i], f.Files[i])
		}
	}
	if f.File("ID7") != &f.Files[7] || f.File("NONE") != nil || f.File("") != nil {
		t.Error("File does not find by IdUnique")
	}
}

// A scratch directory that is not there is the host's trouble, not the document's.
func TestScratchFails(t *testing.T) {
	t.Parallel()
	f, err := decodeText(holding("A", b64(noise(2<<20))), &Options{Scratch: filepath.Join(t.TempDir(), "none")})
	if f == nil || vaguemestre.ClassOf(err) != vaguemestre.ClassSink || !errors.Is(err, os.ErrNotExist) || len(f.Files) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// A PES within a PES is read on request, its documents too, and no deeper.
func TestInner(t *testing.T) {
	t.Parallel()
	deep := holding("C", b64(zipped([]byte("bottom"))))
	middle := holding("B", b64(zipped([]byte(deep))))
	outer := holding("A", b64(zipped([]byte(middle))))
	var ids []string
	o := &Options{Inner: true, Out: func(f *File, r io.Reader) error {
		ids = append(ids, f.ID+f.Role)
		_, err := io.Copy(io.Discard, r)
		return err
	}}
	f, err := decodeText(outer, o)
	if err != nil || fmt.Sprint(ids) != "[Afacture Bfacture]" || len(f.Inner) != 1 || f.Inner[0].IdUnique != "A" || len(f.Inner[0].Inner) != 0 {
		t.Errorf("%v, %+v, %v", ids, f, err)
	}
	if f, err := decodeText(outer, nil); err != nil || len(f.Inner) != 0 {
		t.Errorf("unasked: %+v, %v", f.Inner, err)
	}
	f, err = decodeText(holding("A", b64(zipped([]byte(middle[:len(middle)-30])))), o)
	if err != nil || len(f.Inner) != 1 || !strings.Contains(fmt.Sprint(f.Deviations), "holds a PES that is broken") {
		t.Errorf("broken: %+v, %v", f, err)
	}
}
