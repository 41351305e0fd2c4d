package connector

import (
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestQuoted(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"a", "=", " ", "\t", "\r\n", "\n", "\r", "é", "\x00", ".", "..", strings.Repeat(".", 160), strings.Repeat("é\r\n", 5000), "From ", strings.Repeat("x", 74), strings.Repeat("x", 75), strings.Repeat("x", 76), strings.Repeat("é ", 40)})
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 20).Draw(rt, "text"), "")
		enc := string(appendQuoted(nil, text))
		for l := range strings.SplitSeq(enc, "\r\n") {
			if len(l) > qpLine || strings.HasPrefix(l, ".") || strings.HasSuffix(l, " ") || strings.HasSuffix(l, "\t") || strings.ContainsFunc(l, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
				rt.Fatalf("line %q of %q", l, text)
			}
		}
		w := &wire{}
		if err := w.quoted(text); err != nil || string(w.buf) != enc || w.n != int64(len(enc)) {
			rt.Fatalf("the wire has %q, want %q (%v)", w.buf, enc, err)
		}
		if want := len(enc) - 1 - strings.LastIndexByte(enc, '\n'); w.line != want {
			rt.Fatalf("%d bytes of the last line, want %d", w.line, want)
		}
		got, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(enc)))
		want := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n", "\r\n")
		if err != nil || string(got) != want {
			rt.Fatalf("%q becomes %q (%v)", text, got, err)
		}
	})
}

func BenchmarkQuoted(b *testing.B) {
	text := strings.Repeat("Bonjour, voici la facture du mois de novembre, cordialement.\r\n", 1000)
	b.SetBytes(int64(len(text)))
	var buf []byte
	for b.Loop() {
		buf = appendQuoted(buf[:0], text)
	}
}
