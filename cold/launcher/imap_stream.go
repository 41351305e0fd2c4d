package launcher

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// What a server may send before it is taken for broken or hostile. Bodies of mails are
// bounded by nobody here: they are streamed, and the job bounds them by their size.
const (
	maxLine    = 1 << 20   // bytes of one line outside literals
	maxLiteral = 1 << 20   // bytes of one literal that is no body
	maxText    = 16 << 20  // bytes of one command's answer, bodies apart
	smallBody  = 256 << 10 // a body up to here is read whole before it is given

	// A body must come with this many bytes a second once slowGrace was spent waiting.
	slowRate  = 500
	slowGrace = 60 * time.Second
)

var (
	errLongLine    = errors.New("the server sends a line of more than 1 MiB")
	errLongLiteral = errors.New("the server announces a string of more than 1 MiB where none is expected")
	errMuchText    = errors.New("the server answers one command with more than 16 MiB beside the mails")
	errDrip        = errors.New("the server sends less than 500 bytes a second")
)

// stream reads the server's side of the dialogue through one buffer. Who reads a body
// larger than the buffer reads it from the connection without another copy.
type stream struct {
	r    io.Reader
	buf  []byte
	pos  int
	end  int
	text int64 // bytes outside bodies since the last call of begin
	err  error // the first failure; it stays

	waited time.Duration // spent waiting for the body being read
	body   int64         // bytes of it
}

func newStream(r io.Reader) *stream { return &stream{r: r, buf: make([]byte, 64<<10)} }

// begin gives a new command its budget of text.
func (s *stream) begin() { s.text = 0 }

// buffered tells how many bytes were received and not yet read.
func (s *stream) buffered() int { return s.end - s.pos }

func (s *stream) fail(err error) error {
	if s.err == nil {
		s.err = err
	}
	return s.err
}

// fill reads at least one byte more into the buffer.
func (s *stream) fill() error {
	if s.err != nil {
		return s.err
	}
	if s.pos > 0 {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.readSome(s.buf[s.end:])
	s.end += n
	if n > 0 {
		return nil
	}
	return s.fail(err)
}

// readSome is one Read of the connection that gives a byte or an error.
func (s *stream) readSome(p []byte) (int, error) {
	for range 100 {
		n, err := s.r.Read(p)
		if n > 0 {
			return n, nil
		}
		if err == io.EOF {
			return 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// line returns the next line with its end, valid until the next call. most bounds it.
func (s *stream) line(most int) ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(s.buf[s.pos+seen:s.end], '\n'); i >= 0 {
			n := seen + i + 1
			if n > most {
				return nil, s.fail(errLongLine)
			}
			line := s.buf[s.pos : s.pos+n]
			s.pos += n
			if s.text += int64(n); s.text > maxText {
				return nil, s.fail(errMuchText)
			}
			return line, nil
		}
		seen = s.end - s.pos
		if seen > most {
			return nil, s.fail(errLongLine)
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// bodyBegins resets the measure of the slowest rate.
func (s *stream) bodyBegins() { s.waited, s.body = 0, 0 }

// read gives bytes of a literal: what is buffered first, then straight from the
// connection.
func (s *stream) read(p []byte) (int, error) {
	if s.pos < s.end {
		n := copy(p, s.buf[s.pos:s.end])
		s.pos += n
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	if len(p) < 4<<10 {
		if err := s.fill(); err != nil {
			return 0, err
		}
		return s.read(p)
	}
	start := time.Now()
	n, err := s.readSome(p)
	if err != nil {
		return 0, s.fail(err)
	}
	s.waited += time.Since(start)
	s.body += int64(n)
	if s.waited > slowGrace && s.body < int64(slowRate*s.waited.Seconds()) {
		return 0, s.fail(errDrip)
	}
	return n, nil
}

// readFull reads a literal into p.
func (s *stream) readFull(p []byte) error {
	for len(p) > 0 {
		n, err := s.read(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// skip drops n bytes of a literal that nobody wants.
func (s *stream) skip(n int64) error {
	var waste []byte
	for n > 0 {
		if have := int64(s.end - s.pos); have > 0 {
			k := min(have, n)
			s.pos += int(k)
			n -= k
			continue
		}
		if waste == nil {
			waste = make([]byte, 64<<10)
		}
		k, err := s.read(waste[:min(n, int64(len(waste)))])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

// smallLiteral returns a literal that is no body.
func (s *stream) smallLiteral(n int64) ([]byte, error) {
	if n > maxLiteral {
		return nil, s.fail(errLongLiteral)
	}
	if s.text += n; s.text > maxText {
		return nil, s.fail(errMuchText)
	}
	p := make([]byte, n)
	return p, s.readFull(p)
}

// literalAt tells whether line ends with the announcement of a literal, "{n}" or
// "~{n}" (RFC 9051 section 4.3), and where the announcement begins.
func literalAt(line []byte) (size int64, at int, ok bool) {
	b := bytes.TrimRight(line, "\r\n")
	if len(b) < 3 || b[len(b)-1] != '}' {
		return 0, 0, false
	}
	i := bytes.LastIndexByte(b, '{')
	if i < 0 {
		return 0, 0, false
	}
	digits := bytes.TrimSuffix(b[i+1:len(b)-1], []byte("+"))
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, 0, false
		}
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 0, 0, false
	}
	return n, i, true
}

// quote shows a stranger's text: quoted and cut.
func quote[T string | []byte](text T) string {
	s := string(bytes.TrimSpace([]byte(text)))
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return fmt.Sprintf("%q", s)
}
