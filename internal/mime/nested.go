package mime

import (
	"io"
	"sync"
)

const decodeInMemory = 4 << 20 // encoded bytes of an attached mail held decoded in memory

// decodedSource makes the attached mail in p, which is transfer encoded, readable by
// offset: decoded in memory if small, else decoded again whenever it is read, so that
// memory stays constant whatever its size.
func decodedSource(p *Part) (*source, error) {
	rd := p.Open()
	if p.End-p.Start <= decodeInMemory {
		defer rd.Close()
		b, err := io.ReadAll(rd)
		if b == nil {
			b = []byte{}
		}
		for _, s := range rd.Repairs() {
			p.repair(s)
		}
		return &source{mem: b, size: int64(len(b))}, err
	}
	n, err := rd.length()
	if err != nil {
		return nil, err
	}
	return &source{r: &decodedAt{rd: rd}, size: n}, nil
}

// decodedAt is an io.ReaderAt over a Reader; forward reads are cheap.
type decodedAt struct {
	mu sync.Mutex
	rd *Reader
}

func (d *decodedAt) ReadAt(b []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.rd.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	return io.ReadFull(d.rd, b)
}
