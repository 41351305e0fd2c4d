package pop3

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Bounds of what a server may send beside messages.
const (
	maxLine = 8 << 10  // RFC 2449 section 4 allows 512; servers do not count
	maxText = 64 << 20 // of one listing, a million lines
)

// slowRate is the least that a message must bring in bytes a second once slowGrace was
// spent waiting for it.
const (
	slowRate  = 500
	slowGrace = 30 * time.Second
)

// Errors of a server that breaks the bounds.
var (
	errLongLine = errors.New("the server sends a line above 8 KiB where an answer is expected")
	errMuchText = errors.New("the server sends a listing above 64 MiB")
	errDrip     = errors.New("the server sends less than 500 bytes a second")
)

// stream reads the server's side through one buffer. The first failure stays.
type stream struct {
	r        io.Reader
	buf      []byte
	pos, end int
	err      error

	now    func() time.Time
	waited time.Duration // for the message being read
	got    int64         // bytes of it
}

func newStream(r io.Reader) *stream {
	return &stream{r: r, buf: make([]byte, 64<<10), now: time.Now}
}

func (s *stream) fail(err error) error {
	if s.err == nil {
		s.err = err
	}
	return s.err
}

// fill reads at least one byte more into the buffer, whose content moves to its front.
func (s *stream) fill() error {
	if s.err != nil {
		return s.err
	}
	if s.pos > 0 {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	start := s.now()
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		if s.end += n; n > 0 {
			s.got += int64(n)
			s.waited += s.now().Sub(start)
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return s.fail(err)
		}
	}
	return s.fail(io.ErrNoProgress)
}

// line returns the next line without its end, valid until the next call. A status line may
// end with a lone LF: QUIRK of home-made servers, harmless outside messages.
func (s *stream) line() ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(s.buf[s.pos+seen:s.end], '\n'); i >= 0 {
			n := seen + i
			if n > maxLine {
				return nil, s.fail(errLongLine)
			}
			line := s.buf[s.pos : s.pos+n]
			s.pos += n + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		if seen = s.end - s.pos; seen > maxLine {
			return nil, s.fail(errLongLine)
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// Body reads a multi-line answer (RFC 1939 section 3) without the dots that the server put
// before lines. Its io.EOF stands for CRLF "." CRLF; a connection that ends earlier gives
// another error, most often io.ErrUnexpectedEOF. The next call on its Conn ends it.
type Body struct {
	s     *stream
	rest  []byte // of the last piece
	begin bool   // at the beginning of a line
	done  bool
}

func (s *stream) body() *Body {
	s.waited, s.got = 0, 0
	return &Body{s: s, begin: true}
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.rest) == 0 {
		var err error
		if b.rest, err = b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Ended reports whether the final dot was read.
func (b *Body) Ended() bool { return b.done }

// Skip drops what is left, up to most bytes, and reports whether that was all: if not, the
// connection is of no more use.
func (b *Body) Skip(most int64) (bool, error) {
	for b.rest = nil; ; {
		piece, err := b.next()
		switch {
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, err
		}
		if most -= int64(len(piece)); most < 0 {
			return false, nil
		}
	}
}

// fill reads on, unless the server drips.
func (b *Body) fill() error {
	s := b.s
	if s.waited > slowGrace && float64(s.got) < slowRate*s.waited.Seconds() {
		return s.fail(errDrip)
	}
	return s.fill()
}

// next takes the largest piece of content off the buffer: never an empty one without an error.
func (b *Body) next() ([]byte, error) {
	s := b.s
	for !b.done {
		have := s.buf[s.pos:s.end]
		if b.begin && len(have) > 0 && have[0] == '.' {
			switch {
			case len(have) > 2 && have[1] == '\r' && have[2] == '\n':
				s.pos += 3
				b.done = true
				continue
			case len(have) == 1, len(have) == 2 && have[1] == '\r':
				if err := b.fill(); err != nil {
					return nil, err
				}
				continue
			}
			s.pos++ // RFC 1939 section 3: the server added this dot
			b.begin = false
			continue
		}
		n := len(have)
		if i := bytes.Index(have, []byte("\r\n.")); i >= 0 {
			n = i + 2
		} else if n > 0 && have[n-1] == '\r' {
			n-- // perhaps the first half of a line's end
		}
		if n == 0 {
			if err := b.fill(); err != nil {
				return nil, err
			}
			continue
		}
		b.begin = n > 1 && have[n-2] == '\r' && have[n-1] == '\n'
		s.pos += n
		return have[:n], nil
	}
	return nil, io.EOF
}
