package helios

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
)

// A gzip of documents shrinks 8 to 20 times; what grows further is a bomb.
const (
	maxRatio  = 200
	freeBytes = 10 << 20 // before the ratio counts
)

var errTooMuch = errors.New("it grows too much")

// gunzip reads a gzip of any number of members, and lets alone what follows the last. It is
// used again for the next.
type gunzip struct {
	in       *bufio.Reader
	zip      gzip.Reader
	left     int64 // that may still come out
	trailing bool
}

func (g *gunzip) open(r io.Reader, limit int64) error {
	if g.in == nil {
		g.in = bufio.NewReaderSize(nil, 32<<10)
	}
	g.in.Reset(r)
	g.left, g.trailing = limit, false
	err := g.zip.Reset(g.in)
	if err == nil {
		g.zip.Multistream(false)
	}
	return err
}

func (g *gunzip) Read(p []byte) (int, error) {
	for range 1000 { // empty members
		n, err := g.zip.Read(p)
		if g.left -= int64(n); g.left < 0 {
			return n, errTooMuch
		}
		if err != io.EOF || n > 0 {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		head, _ := g.in.Peek(2)
		if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
			g.trailing = len(head) > 0
			return 0, io.EOF
		}
		if err := g.zip.Reset(g.in); err != nil {
			return 0, err
		}
		g.zip.Multistream(false)
	}
	return 0, errTooMuch
}
