package mailgen

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"testing"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
)

func TestMailIsTheSame(t *testing.T) {
	t.Parallel()
	a, ea := Mail(1, 7)
	b, eb := Mail(1, 7)
	c, _ := Mail(2, 7)
	if !bytes.Equal(a, b) || len(ea.Files) != len(eb.Files) || bytes.Equal(a, c) {
		t.Error("a seed does not give its mails")
	}
}

// TestManifest takes the mails apart with an independent parser: every listed content
// is there, and nothing else that has a disposition.
func TestManifest(t *testing.T) {
	t.Parallel()
	var total, files, nested, inline, plain int
	const n = 300
	for i := range n {
		raw, e := Mail(1, i)
		total += len(raw)
		if bytes.Count(raw, []byte("\n")) != bytes.Count(raw, []byte("\r\n")) {
			t.Fatalf("mail %d has lone line feeds", i)
		}
		for _, l := range bytes.Split(raw, []byte("\r\n")) {
			if len(l) > 300 {
				t.Fatalf("mail %d has a line of %d bytes", i, len(l))
			}
		}
		want := map[string]int{}
		for _, f := range e.Files {
			want[f.SHA256]++
			files++
			if f.Nested {
				nested++
			}
			if f.Inline {
				inline++
			}
		}
		if len(e.Files) == 0 {
			plain++
		}
		collect(t, raw, want)
		for sum, left := range want {
			if left != 0 {
				t.Errorf("mail %d: %d of %s", i, left, sum)
			}
		}
	}
	if mean := total / n; mean < 80_000 || mean > 125_000 {
		t.Errorf("a mail has %d bytes in the mean, want about 100,000", mean)
	}
	if nested == 0 || inline == 0 || plain < n/5 || files < n {
		t.Errorf("files %d, nested %d, inline %d, plain mails %d", files, nested, inline, plain)
	}
}

func collect(t *testing.T, raw []byte, want map[string]int) {
	t.Helper()
	m, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	err = m.Walk(func(path []int, p *message.Entity, err error) error {
		if err != nil && !message.IsUnknownCharset(err) {
			return err
		}
		ct, _, _ := p.Header.ContentType()
		switch {
		case ct == "message/rfc822":
			b, err := io.ReadAll(p.Body)
			if err != nil {
				return err
			}
			collect(t, b, want)
		case p.Header.Get("Content-Disposition") != "":
			var b []byte
			// go-message converts the charset of text; the bytes themselves are wanted.
			if ct == "text/csv" {
				b = csvBody(t, raw, p.Header.Get("Content-Disposition"), want)
			} else if b, err = io.ReadAll(p.Body); err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			want[hex.EncodeToString(sum[:])]--
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// csvBody finds the CSV part with that disposition by its text and decodes it.
func csvBody(t *testing.T, raw []byte, disposition string, want map[string]int) []byte {
	t.Helper()
	var b []byte
	for _, part := range bytes.Split(raw, []byte("\r\n------=_Part_")) {
		head, body, ok := bytes.Cut(part, []byte("\r\n\r\n"))
		if !ok || !bytes.Contains(head, []byte("text/csv")) {
			continue
		}
		d, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(d)
		if b = d; want[hex.EncodeToString(sum[:])] > 0 {
			return d
		}
	}
	return b
}

func TestWords(t *testing.T) {
	t.Parallel()
	dec := mime.WordDecoder{}
	for _, s := range append(append([]string{}, subjects...), names...) {
		for form := range 3 {
			if got, err := dec.DecodeHeader(word(s, form)); err != nil || got != s {
				t.Errorf("form %d of %q reads %q, %v", form, s, got, err)
			}
		}
		for _, form := range []int{1, 2} {
			_, disp := nameParams(s, form)
			if _, p, err := mime.ParseMediaType("attachment" + disp); err != nil || p["filename"] != s {
				t.Errorf("form %d of %q reads %q, %v", form, s, p["filename"], err)
			}
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	es, err := Write(dir, 3, 1, &Options{LF: true})
	if err != nil || len(es) != 3 {
		t.Fatal(es, err)
	}
	raw, _ := Mail(1, 2)
	b, err := os.ReadFile(filepath.Join(dir, "mails", es[2].File))
	if err != nil || !bytes.Equal(b, bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))) {
		t.Error("file differs from mail", err)
	}
}
