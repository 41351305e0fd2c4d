package mime

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// spool is a reader with Bytes, as the Job's spool in memory is.
type spool struct {
	*bytes.Reader
	b []byte
}

func (s spool) Bytes() []byte { return s.b }

func parseMem(t testing.TB, b []byte, o *Options) (*Message, error) {
	t.Helper()
	return Parse(spool{bytes.NewReader(b), b}, int64(len(b)), o)
}

func mustParse(t testing.TB, s string) *Message {
	t.Helper()
	m, err := parseMem(t, []byte(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func content(t testing.TB, p *Part) string {
	t.Helper()
	r := p.Open()
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("part %d: %v", p.Number, err)
	}
	return string(b)
}

// outline writes the tree as "multipart/mixed[text/plain application/pdf]".
func outline(p *Part) string {
	if len(p.Children) == 0 {
		return p.MediaType
	}
	var s []string
	for _, c := range p.Children {
		s = append(s, outline(c))
	}
	return p.MediaType + "[" + strings.Join(s, " ") + "]"
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

func TestFirst(t *testing.T) {
	m := mustParse(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nBonjour\n--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nYWJj\n--b--\n"))
	if got := outline(m.Root); got != "multipart/mixed[text/plain application/pdf]" {
		t.Fatal(got)
	}
	if got := content(t, m.Root.Children[0]); got != "Bonjour" {
		t.Fatalf("%q", got)
	}
	if got := content(t, m.Root.Children[1]); got != "abc" {
		t.Fatalf("%q", got)
	}
}
