package xmlscan

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/charmap"

	"github.com/vaguemestre/vaguemestre"
)

// dump lists what a scanner comes to.
func dump(s *Scanner) (string, error) {
	var b strings.Builder
	for s.Next() {
		switch s.Kind() {
		case Start:
			fmt.Fprintf(&b, "<%s", s.Local())
			if s.Space() != "" {
				fmt.Fprintf(&b, " {%s}", s.Space())
			}
			for _, a := range s.Attrs() {
				fmt.Fprintf(&b, " %s=%q", a.Local, a.Value)
			}
			b.WriteString(">")
		case End:
			fmt.Fprintf(&b, "</%s>", s.Local())
		case Text:
			t, err := io.ReadAll(s.TextReader())
			fmt.Fprintf(&b, "%q", t)
			if err != nil {
				return b.String(), err
			}
		}
	}
	return b.String(), s.Err()
}

func TestScan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{`<a/>`, `<a></a>`},
		{"\xef\xbb\xbf\r\n\n<?xml version=\"1.0\"?>\n<!-- x --><a b='1' c = \"2&lt;&#233;&#xE9;\"><b>t</b> \n </a>\n", `<a b="1" c="2<éé"><b>"t"</b></a>`},
		{`<p:a xmlns:p="u" xmlns="d" p:x="1"><b xmlns="e"/><b/><p:c xmlns:p="v"/></p:a>`, `<a {u} x="1"><b {e}></b><b {d}></b><c {v}></c></a>`},
		{`<a>x<!-- c -->y<![CDATA[<z>&amp;]]]]><![CDATA[>]]>&amp;<?p i?>w</a>`, `<a>"xy<z>&amp;]]>&w"</a>`},
		{`<a><![CDATA[ ]]></a>`, `<a>" "</a>`},
		{"<?xml version='1.0' encoding='ISO-8859-1'?><a v='\xe9\x80'>\xe9t\xe9 &#8594;</a>", `<a v="é€">"été →"</a>`},
		{"<?xml version='1.0' encoding='ISO-8859-15'?><a>\xa4</a>", `<a>"€"</a>`},
		{"\xff\xfe<\x00a\x00>\x00\xe9\x00<\x00/\x00a\x00>\x00", `<a>"é"</a>`},
		{"\x00<\x00a\x00/\x00>", `<a></a>`},
		{`<a x="a>b" y='"'></a>`, `<a x="a>b" y="\""></a>`},
		{"<a></a>\x00\x00", `<a></a>`},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
			if got, err := dump(New(r, nil)); err != nil || got != c.want {
				t.Errorf("%q: %s, %v\nwant %s", c.in, got, err, c.want)
			}
		}
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	s := New(strings.NewReader("<a><b>x<i>not</i>y &amp; z</b><c V='1'/><d> 2 </d></a>"), nil)
	var got []string
	for s.Next() {
		if s.Kind() == Start && s.Local() != "a" {
			got = append(got, s.Local()+"="+s.Gather())
		}
	}
	if want := "b=xy & z|c=|d= 2 "; strings.Join(got, "|") != want || s.Err() != nil {
		t.Errorf("%q, %v", got, s.Err())
	}
	s = New(strings.NewReader("<a><b><c>1</c><c>2</c></b><d>3</d></a>"), nil)
	for s.Next() {
		if s.Kind() == Start && s.Local() == "b" && (!s.Skip() || s.Path() != "a") {
			t.Errorf("after Skip: %s, %v", s.Path(), s.Err())
		}
		if s.Kind() == Start && s.Local() == "c" {
			t.Error("Skip did not skip")
		}
	}
}

// A wrong declaration is overruled and told.
func TestFalseCharset(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<?xml version='1.0' encoding='UTF-8'?><a v='\xe9'/>":               "it is not UTF-8: read as windows-1252",
		"<?xml version='1.0' encoding='ISO-8859-1'?><a v='é'/>":             "it is UTF-8, whatever it declares",
		"<?xml version='1.0' encoding='x-klingon'?><a v='é'/>":              "the charset that it declares is unknown",
		"<?xml version='1.0' encoding='ISO-8859-1'?><a v='\xe9\x92 vrai'/>": "",
	} {
		s := New(strings.NewReader(in), nil)
		s.Next()
		if !strings.HasPrefix(s.Attr("v"), "é") || strings.Join(s.Notes(), "|") != want {
			t.Errorf("%q: %q, %q", in, s.Attr("v"), s.Notes())
		}
	}
}

// Bombs and tricks: each ends at once, with an error of class poison that quotes nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty": "", "blank": " \n", "text": "hello", "json": "{}", "truncated": "<a><b>", "truncated tag": "<a b='", "truncated text": "<a>x",
		"doctype":         `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`,
		"billion laughs":  `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;">]><lolz>&lol1;</lolz>`,
		"external entity": `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`,
		"unknown entity":  `<a>&x;</a>`, "entity in a value": `<a b="&x;"/>`, "open entity": `<a>&ampamp</a>`,
		"second root": `<a/><b/>`, "text after": `<a/>x`, "mismatch": `<a></b>`, "overlap": `<a><b></a></b>`, "end first": `</a>`,
		"depth": strings.Repeat("<a>", 101), "attributes": "<a " + strings.Repeat(`b="1" `, 300) + "/>",
		"namespaces":  "<a " + strings.Repeat(`xmlns:b="1" `, 3000) + "/>",
		"endless tag": "<a b='" + strings.Repeat("x", 2<<20), "endless name": "<" + strings.Repeat("x", 2<<20),
		"endless text": "<t>" + strings.Repeat("x", 2<<20) + "</t>", "tag in a tag": "<a <b>", "no value": "<a b/>", "no quotes": "<a b=1/>",
		"endless comment": "<a><!--" + strings.Repeat("x", 1<<20), "endless declaration": "<?xml " + strings.Repeat("x", 5000) + "?><a/>",
		"cdata outside": "<![CDATA[x]]><a/>", "nameless": "<>", "long names": strings.Repeat("<"+strings.Repeat("n", 1000)+">", 101), "nul": "\x00\x00\x00<a/>",
	} {
		s := New(strings.NewReader(in), nil)
		for s.Next() {
			if s.Kind() == Start && s.Local() == "t" {
				s.Gather()
			}
		}
		var e *Error
		if err := s.Err(); vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !errors.As(err, &e) || len(err.Error()) > 300 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
	s := New(iotest.ErrReader(io.ErrClosedPipe), nil)
	if s.Next() || !errors.Is(s.Err(), io.ErrClosedPipe) {
		t.Errorf("an error of the reader: %v", s.Err())
	}
}

// big gives an element with n bytes of base64.
func big(n int) io.Reader {
	return io.MultiReader(strings.NewReader("<?xml version='1.0' encoding='ISO-8859-1'?><a><b>"),
		io.LimitReader(endless{}, int64(n)), strings.NewReader("</b></a>"))
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[i%32]
	}
	return len(p) &^ 31, nil
}

func TestConstantMemory(t *testing.T) {
	const n = 90 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := New(big(n), nil)
	var got int64
	for s.Next() {
		if s.Kind() == Text {
			got, _ = io.Copy(io.Discard, base64.NewDecoder(base64.StdEncoding, s.TextReader()))
		}
	}
	runtime.ReadMemStats(&after)
	if s.Err() != nil || got != n/4*3 {
		t.Errorf("%d bytes, %v", got, s.Err())
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d kB were allocated", used>>10)
	}
}

// same compares with encoding/xml.
func same(t *testing.T, name string, data []byte) {
	t.Helper()
	s := New(strings.NewReader(string(data)), nil)
	d := xml.NewDecoder(strings.NewReader(string(data)))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return charmap.Windows1252.NewDecoder().Reader(r), nil }
	depth := 0
	for n := 0; ; n++ {
		var tok xml.Token
		var err error
		for {
			tok, err = d.Token()
			if err != nil {
				break
			}
			if _, ok := tok.(xml.StartElement); ok {
				break
			}
			if _, ok := tok.(xml.EndElement); ok {
				break
			}
		}
		more := s.Next()
		for more && s.Kind() == Text {
			more = s.Next()
		}
		if err == io.EOF && !more && s.Err() == nil {
			return
		}
		if err != nil || !more {
			t.Errorf("%s: element %d: theirs %v, ours %v %v", name, n, err, more, s.Err())
			return
		}
		switch e := tok.(type) {
		case xml.StartElement:
			depth++
			plain := 0
			for _, a := range e.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					plain++
				}
			}
			if s.Kind() != Start || s.Local() != e.Name.Local || s.Space() != e.Name.Space || len(s.Attrs()) != plain || s.Depth() != depth {
				t.Errorf("%s: element %d: theirs %v, ours %v %s {%s}", name, n, e.Name, s.Kind(), s.Local(), s.Space())
				return
			}
		case xml.EndElement:
			depth--
			if s.Kind() != End || s.Local() != e.Name.Local {
				t.Errorf("%s: element %d: theirs /%v, ours %v %s", name, n, e.Name, s.Kind(), s.Local())
				return
			}
		}
	}
}

// Every sample has the structure that encoding/xml sees.
func TestSamples(t *testing.T) {
	root := os.Getenv("VAGUEMESTRE_SAMPLES")
	if root == "" && os.Getenv("CI") == "true" {
		t.Fatal("VAGUEMESTRE_SAMPLES is not set: the samples must be there in CI")
	}
	if root == "" {
		t.Skip("VAGUEMESTRE_SAMPLES is not set")
	}
	n := 0
	filepath.WalkDir(filepath.Join(root, "adullact"), func(p string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".xml") {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil || len(b) > 20<<20 || xml.Unmarshal(b, new(struct{})) != nil && !strings.Contains(string(b[:min(len(b), 200)]), "encoding") {
			return nil
		}
		n++
		same(t, filepath.Base(p), b)
		return nil
	})
	if n < 50 {
		t.Errorf("only %d samples were found", n)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("<?xml version='1.0' encoding='ISO-8859-1'?><a b='&amp;'>x<![CDATA[y]]><!-- --></a>"))
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, err := dump(New(strings.NewReader(string(data)), &Limits{Tag: 4096}))
		parts, err2 := dump(New(iotest.OneByteReader(strings.NewReader(string(data))), &Limits{Tag: 4096}))
		if (err == nil) != (err2 == nil) || err == nil && whole != parts {
			t.Errorf("whole %s, %v; byte by byte %s, %v", whole, err, parts, err2)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	var doc strings.Builder
	doc.WriteString("<?xml version='1.0' encoding='UTF-8'?>\n<PES_Aller>\n")
	for i := range 20000 {
		fmt.Fprintf(&doc, "  <Piece>\n    <BlocPiece>\n      <IdPce V=\"%d\"/>\n      <Obj V=\"Achat de fournitures %d\"/>\n      <MtHT V=\"%d.00\"/>\n    </BlocPiece>\n  </Piece>\n", i, i, i)
	}
	doc.WriteString("</PES_Aller>")
	text := doc.String()
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			s := New(strings.NewReader(text), nil)
			for s.Next() {
			}
			if s.Err() != nil {
				b.Fatal(s.Err())
			}
		}
	})
	b.Run("RawToken", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			d := xml.NewDecoder(strings.NewReader(text))
			for {
				if _, err := d.RawToken(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
