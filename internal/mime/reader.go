package mime

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Open gives the part's content after transfer decoding, from its beginning; of a
// message/rfc822 part the attached mail as it is. It may be called any number of times,
// also at once from several goroutines if r allows it.
func (p *Part) Open() *Reader { return &Reader{p: p, pos: p.Start} }

// Reader reads a part's content. Seek begins anew and skips where it must. It is for one
// goroutine. Close gives its buffers back; a Reader that is dropped unclosed leaks nothing.
type Reader struct {
	p   *Part
	buf *buffers
	pos int64  // of the next raw byte to fetch
	raw []byte // fetched, not yet decoded
	out []byte // decoded, not yet read
	off int64  // of out[0] in the content
	b64 base64State
	uu  uuState
	err error

	repairs []string
	size    int64 // of the content; -1 not known yet
	sized   bool
}

// buffers of one reader, reused.
type buffers struct {
	raw   [64 << 10]byte
	block [blockSize]byte
	out   [blockSize + 64]byte
}

var bufferPool = sync.Pool{New: func() any { return new(buffers) }}

var errClosed = errors.New("mime: read a closed part: open it again")

// Close ends the reading; it never fails.
func (r *Reader) Close() error {
	if r.buf != nil {
		bufferPool.Put(r.buf)
		r.buf = nil
	}
	r.raw, r.out, r.err = nil, nil, errClosed
	return nil
}

// Repairs tells what had to be mended in what was read so far.
func (r *Reader) Repairs() []string { return r.repairs }

func (r *Reader) repair(s string) {
	for _, have := range r.repairs {
		if have == s {
			return
		}
	}
	r.repairs = append(r.repairs, s)
}

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if r.p.Encoding == "" && len(r.out) == 0 && r.err == nil {
		n, err := r.p.src.readAt(b[:min(int64(len(b)), r.p.End-r.pos)], r.pos)
		r.pos, r.off = r.pos+int64(n), r.off+int64(n)
		if err == nil && n == 0 {
			err = io.EOF
		}
		return n, err
	}
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.more()
	}
	n := copy(b, r.out)
	r.out, r.off = r.out[n:], r.off+int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for {
		if len(r.out) == 0 {
			if r.err == io.EOF {
				return sum, nil
			}
			if r.err != nil {
				return sum, r.err
			}
			r.more()
			continue
		}
		n, err := w.Write(r.out)
		r.out, r.off, sum = r.out[n:], r.off+int64(n), sum+int64(n)
		if err != nil {
			return sum, err
		}
	}
}

// Seek implements io.Seeker. Where the content was transfer encoded, going back decodes
// anew from the beginning, and the end is found by decoding everything once.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	if r.err == errClosed {
		return r.off, errClosed
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.off
	case io.SeekEnd:
		n, err := r.length()
		if err != nil {
			return r.off, err
		}
		offset += n
	default:
		return r.off, errors.New("mime: seek: unknown whence")
	}
	if offset < 0 {
		return r.off, errors.New("mime: seek: before the beginning of the part")
	}
	if r.p.Encoding == "" {
		r.raw, r.out, r.err = nil, nil, nil
		r.off = offset
		r.pos = min(r.p.Start+offset, r.p.End)
		return offset, nil
	}
	if offset < r.off {
		r.rewind()
	}
	for r.off < offset {
		if len(r.out) == 0 {
			if r.err == io.EOF {
				r.off = offset // behind the end, as files allow
				break
			}
			if r.err != nil {
				return r.off, r.err
			}
			r.more()
			continue
		}
		n := min(int64(len(r.out)), offset-r.off)
		r.out, r.off = r.out[n:], r.off+n
	}
	return r.off, nil
}

func (r *Reader) rewind() {
	r.pos, r.raw, r.out, r.off, r.err = r.p.Start, nil, nil, 0, nil
	r.b64, r.uu = base64State{}, uuState{}
}

func (r *Reader) length() (int64, error) {
	if r.p.Encoding == "" {
		return r.p.End - r.p.Start, nil
	}
	if !r.sized {
		again := r.p.Open()
		defer again.Close()
		n, err := again.WriteTo(io.Discard)
		if err != nil {
			return 0, err
		}
		r.size, r.sized = n, true
	}
	return r.size, nil
}

// fetch puts more raw bytes behind those in r.raw; false at the part's end.
func (r *Reader) fetch() bool {
	rest := r.p.End - r.pos
	if rest <= 0 {
		return false
	}
	if m := r.p.src.mem; m != nil {
		if len(r.raw) == 0 {
			r.raw = m[r.pos:r.p.End:r.p.End]
			r.pos = r.p.End
			return true
		}
		return false
	}
	have := copy(r.buf.raw[:], r.raw)
	if have == len(r.buf.raw) {
		return false // callers leave less than that
	}
	n, err := r.p.src.readAt(r.buf.raw[have:min(int64(len(r.buf.raw)), int64(have)+rest)], r.pos)
	r.raw, r.pos = r.buf.raw[:have+n], r.pos+int64(n)
	if err != nil {
		r.err = err
	}
	return n > 0
}

// more decodes the next piece into r.out; at the end it sets r.err.
func (r *Reader) more() {
	if r.p.Encoding == "" && r.p.src.mem != nil {
		if r.out, r.pos = r.p.src.mem[r.pos:r.p.End], r.p.End; len(r.out) == 0 {
			r.err = io.EOF
		}
		return
	}
	if r.buf == nil {
		r.buf = bufferPool.Get().(*buffers)
	}
	switch r.p.Encoding {
	case "base64":
		r.moreBase64()
	case "quoted-printable":
		r.moreLines(func(out []byte, last bool) ([]byte, int) { return quoted(out, r.raw, last, r.repair) })
	case "uuencode":
		r.moreLines(r.uuLine)
	default:
		if len(r.raw) == 0 && !r.fetch() && r.err == nil {
			r.err = io.EOF
		}
		r.out, r.raw = r.raw, nil
	}
}

func (r *Reader) moreBase64() {
	block := r.buf.block[:]
	n := r.b64.kept
	for n < len(block) {
		if len(r.raw) == 0 && !r.fetch() {
			break
		}
		var used int
		n, used = r.b64.strip(block, r.raw)
		r.raw, r.b64.kept = r.raw[used:], n
	}
	last := len(r.raw) == 0 && r.pos >= r.p.End
	r.out = r.b64.decode(r.buf.out[:0], block[:n], last, r.repair)
	if r.err == nil && (last || r.b64.done) {
		r.err = io.EOF
	}
}

func (r *Reader) moreLines(line func(out []byte, last bool) ([]byte, int)) {
	out := r.buf.out[:0]
	for cap(out)-len(out) >= qpChunk+2 {
		if len(r.raw) == 0 && !r.fetch() {
			if r.err == nil {
				r.err = io.EOF
			}
			break
		}
		var used int
		if out, used = line(out, r.pos >= r.p.End); used == 0 {
			if !r.fetch() && r.err != nil {
				break
			}
			continue
		}
		r.raw = r.raw[used:]
	}
	r.out = out
}

func (r *Reader) uuLine(out []byte, last bool) ([]byte, int) {
	raw := r.raw[:min(len(r.raw), qpChunk)]
	e := bytes.IndexByte(raw, '\n')
	switch {
	case e >= 0:
		return r.uu.line(out, raw[:e], r.repair), e + 1
	case len(raw) < qpChunk && !last:
		return out, 0
	}
	return r.uu.line(out, raw, r.repair), len(raw)
}
