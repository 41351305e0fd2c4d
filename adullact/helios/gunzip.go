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

// gunzip reads a gzip of any number of members, and lets alone what follows the last.
type gunzip struct {
	in       *bufio.Reader
	zip      *gzip.Reader
	left     int64 // that may still come out
	trailing bool
}

func newGunzip(r io.Reader, limit int64) (*gunzip, error) {
	g := &gunzip{in: bufio.NewReaderSize(r, 32<<10), left: limit}
	var err error
	if g.zip, err = gzip.NewReader(g.in); err != nil {
		return nil, err
	}
	g.zip.Multistream(false)
	return g, nil
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
