package cold

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// dirIndex finds lines of the journal by key, in constant memory: an open-addressing
// table on disk with slots of (64 bits of the key's hash, offset). It is made of the
// journal and may be lost at any time.
//
// Its header says up to where the journal is in it for sure; what follows is entered
// again when it is opened.
type dirIndex struct {
	f       *os.File
	slots   int64 // a power of two
	used    int64 // at most that many; the header's count ends at durable, so what is entered again counts
	durable int64 // journal offset before which every line is in the synced table
}

const (
	indexName   = "index"
	indexMagic  = "vgmidx1\n"
	indexHead   = 4096
	indexWindow = 32 // slots read at a time
	slotSize    = 16
	minSlots    = 1 << 12
)

// openIndex returns nil when there is none, or none that can be used.
func openIndex(meta *os.Root) (*dirIndex, error) {
	f, err := meta.OpenFile(indexName, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var h [36]byte
	_, err = f.ReadAt(h[:], 0)
	if err != nil && err != io.EOF {
		f.Close()
		return nil, err
	}
	le := binary.LittleEndian
	x := &dirIndex{f: f, slots: int64(le.Uint64(h[8:])), used: int64(le.Uint64(h[16:])), durable: int64(le.Uint64(h[24:]))}
	st, serr := f.Stat()
	if err != nil || serr != nil || string(h[:8]) != indexMagic || le.Uint32(h[32:]) != crc32.Checksum(h[:32], castagnoli) ||
		x.slots < minSlots || x.slots&(x.slots-1) != 0 || st.Size() != indexHead+x.slots*slotSize {
		f.Close()
		return nil, nil
	}
	return x, nil
}

// newIndex makes an empty table with room for n documents and as many again. It is
// not seen before publish.
func newIndex(meta *os.Root, n int) (*dirIndex, error) {
	slots := int64(minSlots)
	for slots < 4*int64(n) {
		slots *= 2
	}
	f, err := meta.OpenFile(indexName+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(indexHead + slots*slotSize); err != nil {
		f.Close()
		return nil, err
	}
	return &dirIndex{f: f, slots: slots}, nil
}

func (x *dirIndex) publish(meta *os.Root, durable int64) error {
	if err := x.mark(durable); err != nil {
		return err
	}
	if err := x.f.Sync(); err != nil {
		return err
	}
	return publishIndex(meta, x)
}

// mark writes the header. Every line before durable must be in the table, and synced.
func (x *dirIndex) mark(durable int64) error {
	x.durable = durable
	var h [36]byte
	le := binary.LittleEndian
	copy(h[:], indexMagic)
	le.PutUint64(h[8:], uint64(x.slots))
	le.PutUint64(h[16:], uint64(x.used))
	le.PutUint64(h[24:], uint64(x.durable))
	le.PutUint32(h[32:], crc32.Checksum(h[:32], castagnoli))
	_, err := x.f.WriteAt(h[:], 0)
	return err
}

// full reports whether n more would fill more than half the table.
func (x *dirIndex) full(n int) bool { return x.used+int64(n) > x.slots/2 }

// walk calls each for the slots where hash may be, until an empty one or each ends it.
func (x *dirIndex) walk(hash string, each func(pos int64, h, at uint64) bool) error {
	h, err := strconv.ParseUint(hash[:16], 16, 64)
	if err != nil {
		return err
	}
	var buf [indexWindow * slotSize]byte
	pos := int64(h & uint64(x.slots-1))
	for seen := int64(0); seen < x.slots; {
		n := min(indexWindow, x.slots-pos)
		if _, err := x.f.ReadAt(buf[:n*slotSize], indexHead+pos*slotSize); err != nil {
			return err
		}
		for i := range n {
			s := buf[i*slotSize:]
			if !each(pos+i, binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])) {
				return nil
			}
		}
		seen += n
		pos = (pos + n) & (x.slots - 1)
	}
	return errJournal // full: it never is, by its own hand
}

func (x *dirIndex) insert(hash string, at int64) error {
	want, err := strconv.ParseUint(hash[:16], 16, 64)
	if err != nil {
		return err
	}
	place := int64(-1)
	err = x.walk(hash, func(pos int64, h, off uint64) bool {
		if off == 0 { // no line begins at 0
			place = pos
			return false
		}
		return h != want || off != uint64(at)
	})
	x.used++
	if err != nil || place < 0 {
		return err
	}
	var s [slotSize]byte
	binary.LittleEndian.PutUint64(s[:], want)
	binary.LittleEndian.PutUint64(s[8:], uint64(at))
	_, err = x.f.WriteAt(s[:], indexHead+place*slotSize)
	return err
}

// lookup returns the offsets under a hash.
func (x *dirIndex) lookup(hash string) ([]int64, error) {
	want, err := strconv.ParseUint(hash[:16], 16, 64)
	if err != nil {
		return nil, err
	}
	var out []int64
	err = x.walk(hash, func(_ int64, h, off uint64) bool {
		if off != 0 && h == want {
			out = append(out, int64(off))
		}
		return off != 0
	})
	return out, err
}

// publishIndex gives a new table its name. The old one, if any, is closed.
func publishIndex(meta *os.Root, x *dirIndex) error {
	// Windows renames no open file.
	if err := x.f.Close(); err != nil {
		return err
	}
	if err := meta.Rename(indexName+".new", indexName); err != nil {
		return err
	}
	f, err := meta.OpenFile(indexName, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	x.f = f
	return nil
}
