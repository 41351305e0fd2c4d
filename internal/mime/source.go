package mime

import (
	"io"
	"sync"
)

const window = 256 << 10

// source is where the message lies: in memory, or behind r.
type source struct {
	mem  []byte // nil: read through r
	r    io.ReaderAt
	size int64
}

func newSource(r io.ReaderAt, size int64) *source {
	s := &source{r: r, size: max(size, 0)}
	if m, ok := r.(interface{ Bytes() []byte }); ok {
		if b := m.Bytes(); b != nil && int64(len(b)) >= s.size {
			s.mem = b[:s.size:s.size]
		}
	}
	return s
}

// readAt fills b from off as far as the message goes; a source that ends before its
// announced size is io.ErrUnexpectedEOF.
func (s *source) readAt(b []byte, off int64) (int, error) {
	if rest := s.size - off; int64(len(b)) > rest {
		b = b[:max(rest, 0)]
	}
	if len(b) == 0 {
		return 0, nil
	}
	if s.mem != nil {
		return copy(b, s.mem[off:]), nil
	}
	n, err := s.r.ReadAt(b, off)
	if n == len(b) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// scanner looks at a source through a window that moves forward.
type scanner struct {
	*source
	win []byte
	at  int64 // of win[0]
	buf *[]byte
}

var windows = sync.Pool{New: func() any { b := make([]byte, window); return &b }}

// view gives the bytes from off on: at least n of them unless the message ends first.
// They stay valid until the next call.
func (s *scanner) view(off int64, n int) ([]byte, error) {
	if s.mem != nil {
		return s.mem[off:], nil
	}
	have := s.at + int64(len(s.win))
	if off >= s.at && off <= have && (have-off >= int64(n) || have == s.size) {
		return s.win[off-s.at:], nil
	}
	if s.buf == nil {
		s.buf = windows.Get().(*[]byte)
	}
	b := *s.buf
	if n > len(b) {
		b = make([]byte, n)
		*s.buf = b
	}
	m, err := s.readAt(b, off)
	s.win, s.at = b[:m], off
	return s.win, err
}

func (s *scanner) release() {
	if s.buf != nil && len(*s.buf) == window {
		windows.Put(s.buf)
	}
	s.buf, s.win = nil, nil
}

// lineEndBefore tells how many bytes the line end before off has, not looking before low.
func (s *scanner) lineEndBefore(off, low int64) (int64, error) {
	n := min(2, off-low)
	if n <= 0 {
		return 0, nil
	}
	var b [2]byte
	if _, err := s.readAt(b[2-n:], off-n); err != nil {
		return 0, err
	}
	switch {
	case b[1] == '\n' && b[0] == '\r':
		return 2, nil
	case b[1] == '\n' || b[1] == '\r':
		return 1, nil
	}
	return 0, nil
}
