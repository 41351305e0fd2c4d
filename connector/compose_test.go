package connector

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// rendered is the mail as it stands on the wire, with and without doubled dots.
func rendered(t testing.TB, m *router.Message) (wired, plain []byte, c *composed, err error) {
	t.Helper()
	c, err = compose(context.Background(), m, "")
	if err != nil {
		return nil, nil, nil, err
	}
	var out bytes.Buffer
	w := &wire{dst: &out}
	end, err := c.writeTo(context.Background(), w)
	if err != nil {
		return nil, nil, nil, err
	}
	out.Write(end)
	wired = out.Bytes()
	for l := range bytes.SplitAfterSeq(wired, []byte("\n")) {
		plain = append(plain, bytes.TrimPrefix(l, []byte("."))...)
	}
	return wired, plain, c, nil
}

// strict fails on whatever a receiver could take for the end of the mail.
func strict(t testing.TB, wired []byte) {
	t.Helper()
	if !bytes.HasSuffix(wired, []byte("\r\n")) {
		t.Fatalf("the last line has no end: %q", wired[max(0, len(wired)-60):])
	}
	for l := range bytes.SplitAfterSeq(wired, []byte("\n")) {
		if len(l) == 0 {
			continue
		}
		if !bytes.HasSuffix(l, []byte("\r\n")) || bytes.IndexByte(l, '\r') != len(l)-2 || bytes.IndexByte(l, 0) >= 0 || len(l) > 1000 {
			t.Fatalf("bad line %q", l)
		}
		if l[0] == '.' && (len(l) < 2 || l[1] != '.') {
			t.Fatalf("a line begins with one dot: %q", l)
		}
	}
}

func TestNoEndOfDataCanBeSmuggled(t *testing.T) {
	t.Parallel()
	ends := []string{"\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\r.\n", "\n.\r", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\n\r.\r\n"}
	for _, end := range ends {
		evil := "a" + end + "MAIL FROM:<x@y.z>\r\nRCPT TO:<v@y.z>\r\nDATA\r\nb"
		for _, m := range []*router.Message{
			{Text: evil}, {HTML: evil}, {Text: end + evil}, {Text: evil + end}, {Text: strings.Repeat("x", 75) + evil},
			{Text: evil, HTML: evil, Attachments: []router.Attachment{router.Bytes("a.txt", "text/plain", []byte(evil))}},
			{Attachments: []router.Attachment{router.Bytes("a.eml", "message/rfc822", []byte(evil))}},
			{Text: strings.Repeat(evil, 20000)},
		} {
			m.From, m.To, m.MessageID, m.Date = "a@b.fr", []string{"c@d.fr"}, "i@b.fr", time.Unix(0, 0)
			wired, _, _, err := rendered(t, m)
			if err != nil {
				t.Fatalf("%q: %v", end, err)
			}
			strict(t, wired)
			if bytes.Contains(wired, []byte("\nMAIL FROM")) && bytes.Contains(wired, []byte("\n.\r\n")) {
				t.Errorf("%q: smuggled", end)
			}
		}
	}
}

// TestTheWireIsTheLastGuard: whatever composes, these never pass.
func TestTheWireIsTheLastGuard(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"a\nb\r\n", "a\rb\r\n", "a\r\r\n", "\x00\r\n", "\r\n.\n", "\n", "\r", "a\r", strings.Repeat("x", 999) + "\r\n", strings.Repeat("x", 2000)} {
		for _, size := range []int{1, 2, 3, 1 << 20} {
			w := &wire{dst: io.Discard}
			var err error
			for rest := []byte(bad); len(rest) > 0 && err == nil; {
				n := min(size, len(rest))
				_, err = w.Write(rest[:n])
				rest = rest[n:]
			}
			if err == nil {
				err = w.finish()
			}
			if !errors.Is(err, errWire) {
				t.Errorf("%.20q in pieces of %d: %v", bad, size, err)
			}
		}
	}
	for _, good := range []string{"", "a", ".", "..\r\n.\r\n", strings.Repeat("x", 998) + "\r\n.x"} {
		for _, size := range []int{1, 2, 1 << 20} {
			var out bytes.Buffer
			w := &wire{dst: &out}
			for rest := []byte(good); len(rest) > 0; {
				n := min(size, len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.finish(); err != nil {
				t.Fatal(err)
			}
			out.Write(w.buf)
			want := strings.ReplaceAll("\r\n"+good, "\r\n.", "\r\n..")[2:]
			if good != "" && !strings.HasSuffix(want, "\r\n") {
				want += "\r\n"
			}
			if out.String() != want {
				t.Errorf("%q becomes %q", good, out.String())
			}
		}
	}
}

// TestHeadersCannotBeInjected: whatever stands in a message, it is refused or the header
// names are those that belong there.
func TestHeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"Date": true, "Mime-Version": true, "Message-Id": true, "Subject": true, "From": true, "To": true,
		"Content-Type": true, "Content-Transfer-Encoding": true, "X-Case": true, "Disposition-Notification-To": true}
	part := rapid.SampledFrom([]string{"\r\n", "\n", "\r", "\r\nEvil: 1", "\x00", "\"", ";", "=?utf-8?q?=0d=0aEvil:_1?=", "é", "  ", "\t", "<", ">", "a", " b", "\u2028", "\u202e", "漢字", "\\", "%0d%0a"})
	rapid.Check(t, func(rt *rapid.T) {
		evil := func(name string) string { return strings.Join(rapid.SliceOfN(part, 0, 12).Draw(rt, name), "") }
		m := &router.Message{From: "\"" + strings.NewReplacer("\"", "", "\\", "").Replace(evil("from")) + "\" <a@b.fr>", To: []string{"c@d.fr"}, Subject: evil("subject"), Text: evil("text"),
			MessageID: "i@b.fr", Date: time.Unix(0, 0), Headers: map[string]string{"X-Case": evil("header")}, ReadReceipt: true,
			Attachments: []router.Attachment{router.Bytes("n"+evil("name"), "", []byte(evil("data")))}}
		wired, plain, _, err := rendered(t, m)
		if err != nil {
			if class(err) != vaguemestre.ClassPoison {
				rt.Fatalf("%v", err)
			}
			return
		}
		strict(t, wired)
		msg, err := mail.ReadMessage(bytes.NewReader(plain))
		if err != nil {
			rt.Fatal(err)
		}
		for k := range msg.Header {
			if !known[k] {
				rt.Fatalf("a header %q in\n%s", k, plain)
			}
		}
		got, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
		if err != nil || got != m.Subject {
			rt.Fatalf("subject %q, was %q", got, m.Subject)
		}
	})
}

func TestNamesArriveAsWritten(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"facture.pdf", "Délibération n° 12.pdf", "a b'c;d=e.pdf", "=?x?=.pdf", "漢字.txt", strings.Repeat("é", 120) + ".pdf", "quote\"d.pdf", "100%.pdf"} {
		m := message("a@b.fr")
		m.Attachments = []router.Attachment{router.Bytes(name, "", []byte("x"))}
		_, plain, _, err := rendered(t, m)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := mail.ReadMessage(bytes.NewReader(plain))
		if err != nil {
			t.Fatal(err)
		}
		_, p, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		mr := multipart.NewReader(msg.Body, p["boundary"])
		for {
			part, err := mr.NextRawPart()
			if err != nil {
				t.Errorf("%q does not arrive", name)
				break
			}
			_, d, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
			if d["filename"] != "" || err == nil && part.Header.Get("Content-Disposition") != "" {
				if d["filename"] != name {
					t.Errorf("%q arrives as %q", name, d["filename"])
				}
				break
			}
		}
	}
}

// TestALargeMailNeedsLittleMemory, and arrives whole.
func TestALargeMailNeedsLittleMemory(t *testing.T) {
	// not parallel: it measures
	const size = 64 << 20
	gen := func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(&pattern{}, size)), nil }
	for _, announced := range []int64{size, -1} {
		m := message("a@b.fr")
		m.Attachments = []router.Attachment{{Name: "big.bin", Size: announced, Open: gen}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := compose(context.Background(), m, "")
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		n := &countWriter{w: h}
		w := &wire{dst: n}
		end, err := c.writeTo(context.Background(), w)
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n.n+int64(len(end)) < c.size {
			t.Errorf("%d bytes written, %d counted", n.n, c.size)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
			t.Errorf("allocates %d bytes for a mail of %d", used, c.size)
		}
	}
}

type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) { c.n += int64(len(p)); return c.w.Write(p) }

// pattern is bytes without end.
type pattern struct{ n byte }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = p.n
		p.n += 7
	}
	return len(b), nil
}

func TestALargeMailArrivesWhole(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	data := make([]byte, 3<<20+17)
	(&pattern{}).Read(data)
	m := message("a@b.fr")
	m.HTML = "<img src=cid:logo>"
	m.Inline = []router.Attachment{{Name: "logo.png", ContentID: "logo", Size: 3, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("png")), nil }}}
	m.Attachments = []router.Attachment{router.Bytes("big.bin", "", data), router.Bytes("empty.txt", "", nil), router.Bytes("z.txt", "", []byte("last"))}
	if _, err := send(f.smtp(nil), m); err != nil {
		t.Fatal(err)
	}
	got := f.sent()[0].data
	if want := fmt.Sprintf("SIZE=%d", len(got)); !strings.Contains(f.commands()[1], want) {
		t.Errorf("%q, want %s", f.commands()[1], want)
	}
	var enc []byte
	enc = appendBase64(enc, data)
	if !bytes.Contains(got, enc) || !bytes.Contains(got, []byte("\r\n\r\ncG5n\r\n")) || !bytes.Contains(got, []byte("\r\n\r\nbGFzdA==\r\n")) {
		t.Error("an attachment is not there as it was")
	}
}

func TestAnAttachmentThatFailsCostsTheMail(t *testing.T) {
	t.Parallel()
	boom := errors.New("disk gone")
	opens := 0
	for name, a := range map[string]router.Attachment{
		"open": {Name: "a", Size: -1, Open: func() (io.ReadCloser, error) { return nil, boom }},
		"read": {Name: "a", Size: -1, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("abc"), errReader{boom})), nil
		}},
		"read, small": {Name: "a", Size: 10, Open: func() (io.ReadCloser, error) { return io.NopCloser(errReader{boom}), nil }},
		"short":       {Name: "a", Size: 10, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }},
		"long":        {Name: "a", Size: 1, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }},
	} {
		f := newFake(t, nil)
		m := message("a@b.fr")
		m.Attachments = []router.Attachment{a}
		if _, err := send(f.smtp(nil), m); class(err) != vaguemestre.ClassPoison || f.connections() != 0 {
			t.Errorf("%s: %v, %d connections", name, err, f.connections())
		}
	}
	// It fails the second time, in the middle of the content.
	f := newFake(t, nil)
	m := message("a@b.fr")
	m.Attachments = []router.Attachment{{Name: "a", Size: -1, Open: func() (io.ReadCloser, error) {
		if opens++; opens > 1 {
			return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), errReader{boom})), nil
		}
		return io.NopCloser(bytes.NewReader(make([]byte, 2<<20))), nil
	}}}
	r, err := send(f.smtp(nil), m)
	if class(err) != vaguemestre.ClassDeferred || !errors.Is(err, boom) || r.State != router.Deferred || len(f.sent()) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func BenchmarkWire(b *testing.B) {
	line := []byte(strings.Repeat("Bonjour, voici la facture. ", 2) + "\r\n")
	p := bytes.Repeat(line, 1000)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		w := &wire{dst: io.Discard}
		if _, err := w.Write(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompose1MB(b *testing.B) {
	m := message("a@b.fr")
	m.Attachments = []router.Attachment{router.Bytes("a.bin", "", make([]byte, 1<<20))}
	b.SetBytes(1 << 20)
	w := &wire{dst: io.Discard}
	for b.Loop() {
		c, err := compose(context.Background(), m, "")
		if err != nil {
			b.Fatal(err)
		}
		*w = wire{dst: io.Discard, buf: w.buf[:0]}
		if _, err := c.writeTo(context.Background(), w); err != nil {
			b.Fatal(err)
		}
	}
}
