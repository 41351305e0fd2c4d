package connector

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
)

// maxTextLine is RFC 5321 section 4.5.3.1.6 without the line's end.
const maxTextLine = 998

var errWire = errors.New("the composed mail would break the protocol: a bare CR or LF, a NUL or a line over 998 bytes")

// wire turns a composed mail into what follows DATA: it checks every line, doubles the
// dot that begins one (RFC 5321 section 4.5.2) and writes in large pieces. What it lets
// through cannot end the mail early, whatever the receiver takes for a line end.
type wire struct {
	dst  io.Writer
	buf  []byte // not yet written
	n    int64  // bytes of the mail so far, before dots were doubled
	line int    // bytes of the line that goes on
	cr   bool   // the last byte was CR
	err  error
}

const wireBuffer = 64 << 10

func (w *wire) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if bytes.IndexByte(p, 0) >= 0 {
		w.err = errWire
		return 0, w.err
	}
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		seg := rest
		if i >= 0 {
			seg = rest[:i+1]
		}
		if err := w.segment(seg); err != nil {
			w.err = err
			return 0, err
		}
		rest = rest[len(seg):]
	}
	w.n += int64(len(p))
	return len(p), nil
}

// segment takes a piece of one line; LF can only be its last byte.
func (w *wire) segment(seg []byte) error {
	if w.cr && seg[0] != '\n' {
		return errWire
	}
	if w.line == 0 && seg[0] == '.' {
		w.buf = append(w.buf, '.')
	}
	last := len(seg) - 1
	end := seg[last] == '\n'
	body := seg
	if end {
		body = seg[:last]
		if !w.cr && (len(body) == 0 || body[len(body)-1] != '\r') {
			return errWire
		}
	}
	// A CR may only be the last byte before LF, or of the segment.
	if i := bytes.IndexByte(body, '\r'); i >= 0 && i != len(body)-1 {
		return errWire
	}
	w.line += len(seg)
	if w.line > maxTextLine+2 {
		return errWire
	}
	w.buf = append(w.buf, seg...)
	w.cr = !end && seg[last] == '\r'
	if end {
		w.line = 0
	}
	return w.flush(wireBuffer)
}

// quoted writes text as quoted-printable, piece by piece. What that makes needs no check.
func (w *wire) quoted(text string) error {
	if w.err == nil && (w.line != 0 || w.cr) {
		w.err = errWire
	}
	const most = 16 << 10
	for w.err == nil && len(text) > 0 {
		piece := text
		if len(text) > most { // only at the end of a line
			if i := strings.IndexByte(text[most:], '\n'); i >= 0 {
				piece = text[:most+i+1]
			}
		}
		text = text[len(piece):]
		start := len(w.buf)
		w.buf = appendQuoted(w.buf, piece)
		made := w.buf[start:]
		w.n += int64(len(made))
		w.line = len(made) - 1 - bytes.LastIndexByte(made, '\n')
		w.err = w.flush(wireBuffer)
	}
	return w.err
}

// encoded takes bytes that are known to be whole lines of base64.
func (w *wire) encoded(p []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.line != 0 || w.cr {
		w.err = errWire
		return w.err
	}
	w.n += int64(len(p))
	w.buf = append(w.buf, p...)
	w.err = w.flush(wireBuffer)
	return w.err
}

// flush writes what is held if it is at least n bytes.
func (w *wire) flush(n int) error {
	if len(w.buf) < n || w.dst == nil {
		return nil
	}
	_, err := w.dst.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// finish ends the last line if the mail does not end with one. The final dot is not
// written: the caller does that, so that it knows when the doubt begins.
func (w *wire) finish() error {
	if w.err != nil {
		return w.err
	}
	if w.cr {
		return errWire
	}
	if w.line > 0 {
		w.buf = append(w.buf, '\r', '\n')
		w.n += 2
		w.line = 0
	}
	return nil
}

// Base64 in a mail: 57 bytes make a line of 76 characters (RFC 2045 section 6.8).
const (
	b64In    = 57
	b64Out   = 76 + 2
	b64Lines = 512
)

// b64Size is the size of n bytes as base64 with line ends.
func b64Size(n int64) int64 {
	full := n / b64In
	size := full * b64Out
	if rest := n % b64In; rest > 0 {
		size += (rest+2)/3*4 + 2
	}
	return size
}

// b64Copy writes src to w as base64 and returns how many bytes src had. alive is asked
// before each block.
func b64Copy(w *wire, src io.Reader, alive func() error) (int64, error) {
	in := make([]byte, b64In*b64Lines)
	out := make([]byte, 0, b64Out*b64Lines)
	var total int64
	for {
		if err := alive(); err != nil {
			return total, err
		}
		n, err := io.ReadFull(src, in)
		total += int64(n)
		if n > 0 {
			out = appendBase64(out[:0], in[:n])
			if werr := w.encoded(out); werr != nil {
				return total, werr
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return total, nil
		default:
			return total, &readError{err}
		}
	}
}

// readError tells a failing attachment from a failing connection.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// appendBase64 appends src as lines of base64. Every line but the last is full.
func appendBase64(dst, src []byte) []byte {
	for len(src) > 0 {
		n := min(len(src), b64In)
		dst = base64.StdEncoding.AppendEncode(dst, src[:n])
		dst = append(dst, '\r', '\n')
		src = src[n:]
	}
	return dst
}
