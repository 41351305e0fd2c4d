package mime

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, s := range structures {
		f.Add([]byte(s.mail))
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "*.eml"))
	for _, n := range files {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, b := range bombs {
		if s := b.make(3); len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMem(t, raw, nil)
		w, werr := Parse(bytes.NewReader(raw), int64(len(raw)), nil)
		var limit *LimitError
		if errors.As(err, &limit) {
			if !errors.As(werr, new(*LimitError)) {
				t.Fatalf("in memory %v, through a window %v", err, werr)
			}
			return
		}
		if err != nil || werr != nil {
			t.Fatal(err, werr)
		}
		parts := 0
		for p := range m.Parts() {
			parts++
			if p.src == m.Root.src && (p.Start < 0 || p.End < p.Start || p.End > int64(len(raw))) {
				t.Fatalf("part %d: %d-%d of %d", p.Number, p.Start, p.End, len(raw))
			}
			if !utf8.ValidString(p.Name) {
				t.Fatalf("part %d: name %q", p.Number, p.Name)
			}
			if p.FileName("x") == "" {
				t.Fatalf("part %d: no file name", p.Number)
			}
			a, b := p.Open(), p.Open()
			one, err := io.ReadAll(a)
			if err != nil {
				t.Fatal(err)
			}
			var two bytes.Buffer
			if _, err := b.WriteTo(&two); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one, two.Bytes()) {
				t.Fatalf("part %d: Read and WriteTo differ", p.Number)
			}
			if len(one) > int(p.End-p.Start) && p.Encoding != "uuencode" {
				t.Fatalf("part %d: %d bytes out of %d", p.Number, len(one), p.End-p.Start)
			}
			if end, err := a.Seek(0, io.SeekEnd); err != nil || end != int64(len(one)) {
				t.Fatalf("part %d: end %d of %d, %v", p.Number, end, len(one), err)
			}
			a.Close()
			b.Close()
		}
		if a, b := shapeOf(m), shapeOf(w); a != b {
			t.Fatalf("in memory and through a window differ:\n%s\n%s", a, b)
		}
		// The twin with CRLF has as many parts, unless bare CRs make lines of their own.
		if bytes.IndexByte(raw, '\r') < 0 {
			twin, err := parseMem(t, toCRLF(raw), nil)
			if err != nil {
				if errors.As(err, &limit) {
					return
				}
				t.Fatal(err)
			}
			n := 0
			for range twin.Parts() {
				n++
			}
			if n != parts {
				t.Fatalf("%d parts with LF, %d with CRLF", parts, n)
			}
		}
	})
}

// shapeOf writes the tree with all that must not depend on how the mail is read.
func shapeOf(m *Message) string {
	var s strings.Builder
	for p := range m.Parts() {
		r := p.Open()
		b, _ := io.ReadAll(r)
		r.Close()
		s.WriteString(strings.Join([]string{strings.Repeat(" ", p.Depth), string(p.Role), p.MediaType, p.Name, sum16(b), strings.Join(p.Repairs, ","), strings.Join(r.Repairs(), ","), "\n"}, "|"))
	}
	return s.String()
}

// decodeAll decodes raw as the body of a part, in memory and through a window.
func decodeAll(t testing.TB, encoding, raw string) (string, []string) {
	t.Helper()
	head := "Content-Transfer-Encoding: " + encoding + "\r\n\r\n"
	m := mustParse(t, head+raw)
	r := m.Root.Open()
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Parse(strings.NewReader(head+raw), int64(len(head)+len(raw)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if other := content(t, w.Root); other != string(b) {
		t.Fatalf("in memory %q, through a window %q", b, other)
	}
	return string(b), r.Repairs()
}

func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "a", "ab", "abc", strings.Repeat("Bonjour", 4000)} {
		f.Add([]byte(s), uint8(76), true)
		f.Add([]byte(s), uint8(3), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, width uint8, cr bool) {
		enc := base64.StdEncoding.EncodeToString(data)
		end := "\n"
		if cr {
			end = "\r\n"
		}
		var b strings.Builder
		for w := int(width)%100 + 1; len(enc) > 0; {
			n := min(w, len(enc))
			b.WriteString(enc[:n] + end)
			enc = enc[n:]
		}
		got, repairs := decodeAll(t, "base64", b.String())
		if got != string(data) || len(repairs) > 0 {
			t.Fatalf("%q, repairs %q, want %q", got, repairs, data)
		}
		// Anything at all must decode to something, and valid text as the standard does.
		got, _ = decodeAll(t, "base64", string(data))
		if want, err := base64.StdEncoding.Strict().DecodeString(string(data)); err == nil && string(want) != got {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func FuzzQuotedPrintable(f *testing.F) {
	for _, s := range []string{"", "=", "=\n", "=3D", "a =\r\n b", "=E9t=E9 \n", "==", "=4", "a\t \n", strings.Repeat("=C3=A9", 5000), strings.Repeat("x \t", 5000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 && bytes.HasPrefix(data, []byte("\n")) {
			return
		}
		decodeAll(t, "quoted-printable", string(data))
		var b strings.Builder
		n := 0
		for _, c := range data { // a strict encoder of our own
			if c > 32 && c < 127 && c != '=' {
				b.WriteByte(c)
				n++
			} else {
				b.WriteString("=" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
				n += 3
			}
			if n > 70 {
				b.WriteString("=\r\n")
				n = 0
			}
		}
		if got, repairs := decodeAll(t, "quoted-printable", b.String()); got != string(data) || len(repairs) > 0 {
			t.Fatalf("%q, repairs %q, want %q", got, repairs, data)
		}
	})
}

func FuzzHeader(f *testing.F) {
	for _, n := range names {
		f.Add(n.header)
	}
	f.Add("Subject: =?utf-8?b?w6k=?= =?utf-8?q?=C3?= =?utf-8?q?=A9?=\nTo: \"a\" <b@c.example>, d@e.example (f);")
	f.Fuzz(func(t *testing.T, head string) {
		m, err := parseMem(t, []byte(head+"\n\nx\n"), nil)
		if err != nil {
			if errors.As(err, new(*LimitError)) {
				return
			}
			t.Fatal(err)
		}
		for p := range m.Parts() {
			for _, fd := range p.Header.fields {
				if s := p.Header.Text(fd.name); !utf8.ValidString(s) || strings.ContainsAny(p.Header.Get(fd.name), "\r\n") {
					t.Fatalf("%s: %q", fd.name, s)
				}
				_ = p.Header.Addresses(fd.name)
			}
			_, _ = p.Header.Date()
			_ = p.Header.MessageID()
			for k, v := range p.Params {
				if !utf8.ValidString(v) {
					t.Fatalf("%s: %q", k, v)
				}
			}
		}
	})
}
