package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bombs make hostile mails; n is the size of what they are made of. limit is where a
// LimitError begins, 0 if the thing is harmless at any size.
var bombs = []struct {
	name  string
	limit int
	what  string
	most  int // the largest n tried, where 1,000 times the limit would be too long a mail
	make  func(n int) string
}{
	{"nested multiparts", 50, "depth", 10000, func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		return b.String() + "\nx\n"
	}},
	{"nested multiparts of one boundary", 50, "depth", 10000, func(n int) string {
		return strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", n) + "\nx\n"
	}},
	{"nested mails", 50, "depth", 50000, func(n int) string {
		return strings.Repeat("Content-Type: message/rfc822\n\n", n) + "\nx\n"
	}},
	{"digests", 50, "depth", 50000, func(n int) string {
		var b strings.Builder
		for i := range (n + 1) / 2 {
			fmt.Fprintf(&b, "Content-Type: multipart/digest; boundary=b%d\n\n--b%d\n\n", i, i)
		}
		return b.String()
	}},
	{"parts", 999, "parts", 100000, func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", n) + "--b--\n"
	}},
	{"empty parts", 999, "parts", 1000000, func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n", n) + "--b--\n"
	}},
	{"header fields", 1999, "header fields", 100000, func(n int) string {
		return strings.Repeat("X: y\n", n) + "Subject: z\n\nx\n"
	}},
	{"header line", maxLine - 9, "header line", 64 << 20, func(n int) string {
		return "Subject: " + strings.Repeat("x", n) + "\n\nx\n"
	}},
	{"folded header", (1 << 20) / 64, "header", 1 << 20, func(n int) string {
		return "Subject: a\n" + strings.Repeat(" "+strings.Repeat("x", 62)+"\n", n-1) + "\n\nx\n"
	}},
	{"parameters", 100, "parameters", 2000, func(n int) string {
		var b strings.Builder
		b.WriteString("Content-Type: text/plain")
		for i := range n {
			fmt.Fprintf(&b, ";\n p%d=v", i)
		}
		return b.String() + "\n\nx\n"
	}},
	{"sections of a name", 100, "parameters", 2000, func(n int) string {
		var b strings.Builder
		b.WriteString("Content-Disposition: attachment")
		for i := range n {
			fmt.Fprintf(&b, ";\n filename*%d*=%%41", i)
		}
		return b.String() + "\n\nx\n"
	}},
	{"boundary", 2048, "boundary", 60000, func(n int) string {
		b := strings.Repeat("b", n)
		return "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n\nx\n--" + b + "--\n"
	}},
	{"encoded words", 0, "", 60000 / 12, func(n int) string {
		return "Subject: " + strings.Repeat("=?a?q?=41?= ", n) + "\n\nx\n"
	}},
	{"unended words", 0, "", 10000, func(n int) string {
		return "Subject:" + strings.Repeat(" =?a?q?\n", n) + "\n\nx\n"
	}},
	{"quotes in a name", 0, "", 20000, func(n int) string {
		return "Content-Disposition: attachment; filename=\"" + strings.Repeat("a\" ", n) + "\n\nx\n"
	}},
	{"backslashes in a name", 0, "", 60000, func(n int) string {
		return "Content-Disposition: attachment; filename=\"" + strings.Repeat("\\\"", n/2) + "\n\nx\n"
	}},
	{"semicolons", 0, "", 60000, func(n int) string {
		return "Content-Type: text/plain" + strings.Repeat(";", n) + "\n\nx\n"
	}},
	{"comments", 0, "", 60000, func(n int) string {
		return "Content-Type: text/plain;" + strings.Repeat("(", n) + "\n\nx\n"
	}},
	{"addresses", 0, "", 1 << 17, func(n int) string {
		return "To: a@b.example" + strings.Repeat(",\n c@d", n/8) + "\n\nx\n"
	}},
	{"dashes", 0, "", 4 << 20, func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("-", n) + "\n--b--\n"
	}},
	{"lines of dashes", 0, "", 1 << 20, func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("--\n", n) + "\n--b--\n"
	}},
	{"pieces of dashes", 0, "", 1 << 20, func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("-- ", n) + "\n--b--\n"
	}},
	{"long lines of dashes", 0, "", 1 << 10, func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("--"+strings.Repeat("b", 4000)+"\n", n) + "\n--b--\n"
	}},
	{"wrong boundaries", 0, "", 8000, func(n int) string {
		return "Content-Type: multipart/mixed; boundary=none\n\n" + strings.Repeat("--a\nContent-X: y\n\nz\n", min(n, 900)) + strings.Repeat("--c\nContent-X: y\n\n", n)
	}},
	{"empty lines", 0, "", 4 << 20, func(n int) string { return strings.Repeat("\n", n) + "Subject: x\n\nx\n" }},
	{"padded base64", 0, "", 1 << 18, func(n int) string {
		return "Content-Transfer-Encoding: base64\n\n" + strings.Repeat("QQ==", n)
	}},
	{"padding", 0, "", 1 << 20, func(n int) string {
		return "Content-Transfer-Encoding: base64\n\n" + strings.Repeat("=", n)
	}},
	{"short base64 lines", 0, "", 1 << 20, func(n int) string {
		return "Content-Transfer-Encoding: base64\n\n" + strings.Repeat("Q\n", n)
	}},
	{"equals signs", 0, "", 1 << 20, func(n int) string {
		return "Content-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("=", n)
	}},
	{"trailing blanks", 0, "", 4 << 20, func(n int) string {
		return "Content-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat(" ", n) + "\n"
	}},
	{"mails encoded in mails", 0, "", 6, func(n int) string {
		s := "Subject: x\n\n" + strings.Repeat("x", 1<<16)
		for range n {
			s = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.ReplaceAll(s, "=", "=3D")
		}
		return s
	}},
}

// use does with a mail all that a caller may do.
func use(raw []byte, inPlace bool) error {
	var r io.ReaderAt = bytes.NewReader(raw)
	if inPlace {
		r = spool{bytes.NewReader(raw), raw}
	}
	m, err := Parse(r, int64(len(raw)), nil)
	for p := range m.Parts() {
		for _, n := range []string{"Subject", "From", "To", "X"} {
			_ = p.Header.Text(n)
			_ = p.Header.Addresses(n)
		}
		_, _ = p.Header.Date()
		_ = p.FileName(p.Header.Text("Subject"))
		rd := p.Open()
		if len(p.Children) == 0 {
			if _, err := io.Copy(io.Discard, rd); err != nil {
				return err
			}
		}
		rd.Close()
	}
	return err
}

func TestBombs(t *testing.T) {
	for _, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			sizes := []int{b.most / 10, b.most}
			if b.limit > 0 {
				sizes = []int{b.limit, b.limit + 1, min(10*b.limit, b.most), min(1000*b.limit, b.most)}
			}
			for _, n := range sizes {
				raw := []byte(b.make(n))
				for _, inPlace := range []bool{true, false} {
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					start := time.Now()
					err := use(raw, inPlace)
					took := time.Since(start)
					runtime.ReadMemStats(&after)
					if took > 5*time.Second {
						t.Errorf("n=%d (%d bytes): %v", n, len(raw), took)
					}
					if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20+8*uint64(len(raw)) {
						t.Errorf("n=%d (%d bytes): %d MB allocated", n, len(raw), got>>20)
					}
					var limit *LimitError
					switch {
					case b.limit > 0 && n > b.limit:
						if !errors.As(err, &limit) || limit.What != b.what {
							t.Errorf("n=%d: error %v, want the limit for %s", n, err, b.what)
						}
					case err != nil:
						t.Errorf("n=%d: %v", n, err)
					}
					if testing.Verbose() && took > 50*time.Millisecond {
						t.Logf("n=%d, %d bytes: %v", n, len(raw), took)
					}
				}
			}
		})
	}
}

// TestLinear checks that twice the mail takes about twice the time.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	for _, b := range bombs {
		if b.limit > 0 {
			continue
		}
		measure := func(n int) time.Duration {
			raw := []byte(b.make(n))
			best := time.Hour
			for range 3 {
				start := time.Now()
				if err := use(raw, true); err != nil {
					t.Fatal(b.name, err)
				}
				best = min(best, time.Since(start))
			}
			return best
		}
		for try := 1; ; try++ {
			one, two := measure(b.most/2), measure(b.most)
			if two < 5*time.Millisecond || two < 3*one {
				break
			}
			if try == 4 { // a busy machine is not so four times
				t.Errorf("%s: %v, and %v for twice the size", b.name, one, two)
				break
			}
		}
	}
}

// TestLargeMail reads a mail of 200 MiB that lies nowhere in memory.
func TestLargeMail(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200 MiB")
	}
	head := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n"
	line := strings.Repeat("QUJD", 19) + "\r\n"
	lines := 200 << 20 / len(line)
	m := &repeated{head: head, line: line, lines: lines, tail: "--b--\r\n"}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	msg, err := Parse(m, m.size(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := msg.Root.Children[0].Open()
	defer r.Close()
	n, err := io.Copy(io.Discard, struct{ io.Reader }{r})
	if err != nil || n != int64(lines*57) {
		t.Fatalf("%d bytes, want %d; %v", n, lines*57, err)
	}
	if len(r.Repairs()) > 0 {
		t.Errorf("repairs %q", r.Repairs())
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("%d bytes allocated", got)
	}
}

// repeated is a mail with one line many times.
type repeated struct {
	head, line, tail string
	lines            int
}

func (m *repeated) size() int64 { return int64(len(m.head) + m.lines*len(m.line) + len(m.tail)) }

func (m *repeated) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		at := int(off) + n
		body := at - len(m.head)
		switch {
		case body < 0:
			n += copy(b[n:], m.head[at:])
		case body < m.lines*len(m.line):
			n += copy(b[n:], m.line[body%len(m.line):])
		case body < m.lines*len(m.line)+len(m.tail):
			n += copy(b[n:], m.tail[body-m.lines*len(m.line):])
		default:
			return n, io.EOF
		}
	}
	return n, nil
}
