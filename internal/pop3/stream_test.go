package pop3

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// reference reads a multi-line answer the slow way: what is content, and where it ends.
func reference(in string) (content, rest string, ended bool) {
	var b strings.Builder
	begin := true
	for i := 0; i < len(in); {
		if begin && in[i] == '.' {
			if strings.HasPrefix(in[i:], ".\r\n") {
				return b.String(), in[i+3:], true
			}
			if i++; i == len(in) {
				break
			}
		}
		begin = false
		if strings.HasPrefix(in[i:], "\r\n") {
			b.WriteString("\r\n")
			i += 2
			begin = true
			continue
		}
		b.WriteByte(in[i])
		i++
	}
	return b.String(), "", false
}

var bodies = []string{
	".\r\n", "\r\n.\r\n", "a\r\n.\r\n", "a\r\n..\r\n.\r\n", "..a\r\n.b\r\n...\r\n.\r\n", "a\n.\n.\r\n\r\n.\r\n",
	"a\n.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n.\r\n", "a\r\n.\nb\r\n.\r\n", "a\r\n.\rb\r\n.\r\n", "\r\r\n.\r\n", "a\r\r\n.\r\n+OK next\r\n",
	"\x00\xff\r\n.\r\n", "a", "a\r", "a\r\n", "a\r\n.", "a\r\n.\r", "a\r\n.\r\r\n.\r\n", "\n.\r\n.\r\n", ".\n\r\n.\r\n", "..\r\n.\r\n", ".\r.\r\n.\r\n",
	strings.Repeat("0123456789abcde\n", 9000) + "\r\n.\r\n", strings.Repeat("..\r\n", 50_000) + ".\r\n+OK\r\n",
}

// A message ends at CRLF "." CRLF and nowhere else, whatever the pieces that it comes and is
// read in; every other byte but the added dots is kept.
func TestBodyKeepsBytes(t *testing.T) {
	t.Parallel()
	for _, in := range bodies {
		if len(in) > 1000 {
			checkBody(t, in, 1<<20, 1<<15)
			checkBody(t, in, 65_535, 777)
			continue
		}
		for chunk := 1; chunk <= min(len(in), 9); chunk++ {
			for read := 1; read <= 5; read++ {
				checkBody(t, in, chunk, read)
			}
		}
	}
}

// chunks gives at most n bytes a Read.
type chunks struct {
	s string
	n int
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.s == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.n)], c.s)
	c.s = c.s[n:]
	return n, nil
}

func checkBody(t *testing.T, in string, chunk, read int) {
	t.Helper()
	want, rest, ends := reference(in)
	c := &chunks{in, chunk}
	s := newStream(c)
	b := s.body()
	var got bytes.Buffer
	buf := make([]byte, read)
	var err error
	for err == nil {
		var n int
		n, err = b.Read(buf)
		got.Write(buf[:n])
	}
	if ends != (err == io.EOF) || ends != b.Ended() || !ends && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%.60q by %d: %v, ended %v, want the end %v", in, chunk, err, b.Ended(), ends)
	}
	if ends && got.String() != want || !ends && !strings.HasPrefix(want, got.String()) {
		t.Fatalf("%.60q by %d: %.60q, want %.60q", in, chunk, got.String(), want)
	}
	if left := string(s.buf[s.pos:s.end]) + c.s; ends && left != rest {
		t.Fatalf("%.60q by %d: %.60q is left, want %.60q", in, chunk, left, rest)
	}
}

func FuzzBody(f *testing.F) {
	for _, in := range bodies[:20] {
		f.Add(in, 3)
	}
	f.Fuzz(func(t *testing.T, in string, n int) {
		checkBody(t, in, max(1, n%7), max(1, n%5))
		checkBody(t, in, 1<<16, 1<<10)
	})
}

// What is left of a message is passed over only within bounds.
func TestBodySkip(t *testing.T) {
	t.Parallel()
	s := newStream(strings.NewReader(strings.Repeat("abcdefgh\r\n", 10_000) + ".\r\n+OK next\r\n"))
	b := s.body()
	_, _ = io.ReadFull(b, make([]byte, 7))
	if whole, err := b.Skip(1 << 20); !whole || err != nil {
		t.Fatal(whole, err)
	}
	if line, err := s.line(); string(line) != "+OK next" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	s = newStream(strings.NewReader(strings.Repeat("abcdefgh\r\n", 10_000)))
	if whole, err := s.body().Skip(1000); whole || err != nil {
		t.Errorf("%v, %v", whole, err)
	}
}

// A server that drips is left before it has cost hours.
func TestBodyDrip(t *testing.T) {
	t.Parallel()
	s := newStream(iotest.OneByteReader(strings.NewReader(strings.Repeat("a", 1000))))
	now := time.Unix(0, 0)
	s.now = func() time.Time { now = now.Add(time.Second); return now }
	n, err := io.Copy(io.Discard, s.body())
	if !errors.Is(err, errDrip) || n > 60 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	for _, in := range []string{strings.Repeat("x", 1<<20), strings.Repeat("x", maxLine+1) + "\r\n"} {
		if _, err := newStream(strings.NewReader(in)).line(); !errors.Is(err, errLongLine) {
			t.Errorf("%v", err)
		}
	}
}
