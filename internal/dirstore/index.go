package dirstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// index finds lines of the journal by key, in constant memory: an open-addressing
// table on disk with slots of (64 bits of the key's hash, offset). It is made of the
// journal and may be lost at any time.
//
// Its header says up to where the journal is in it for sure; what follows is entered
// again when it is opened.
type index struct {
	f       *os.File
	slots   int64 // a power of two
	used    int64 // at most that many
	marked  int64 // used at durable: what is entered again counts again
	durable int64 // journal offset before which every line is in the synced table
	synced  int64 // the journal is at least as long
}

const (
	indexName   = "index"
	indexMagic  = "vgmidx2\n"
	indexHead   = 4096
	indexWindow = 32 // slots read at a time
	slotSize    = 16
	minSlots    = 1 << 12
	headerSize  = 44
)

// openIndex returns nil when there is none, or none that can be used.
func openIndex(meta *os.Root) (*index, error) {
	f, err := meta.OpenFile(indexName, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var h [headerSize]byte
	_, err = f.ReadAt(h[:], 0)
	if err != nil && err != io.EOF {
		f.Close()
		return nil, err
	}
	le := binary.LittleEndian
	x := &index{f: f, slots: int64(le.Uint64(h[8:])), marked: int64(le.Uint64(h[16:])), durable: int64(le.Uint64(h[24:])), synced: int64(le.Uint64(h[32:]))}
	x.used = x.marked
	st, serr := f.Stat()
	if err != nil || serr != nil || string(h[:8]) != indexMagic || le.Uint32(h[40:]) != crc32.Checksum(h[:40], castagnoli) ||
		x.slots < minSlots || x.slots&(x.slots-1) != 0 || st.Size() != indexHead+x.slots*slotSize {
		f.Close()
		return nil, nil
	}
	return x, nil
}

// newIndex makes an empty table with room for n documents and as many again. It is
// not seen before publish.
func newIndex(meta *os.Root, n int) (*index, error) {
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
	return &index{f: f, slots: slots}, nil
}

// publish gives a new table its name. The old one must be closed.
func (x *index) publish(meta *os.Root, durable int64) error {
	if err := x.mark(durable); err != nil {
		return err
	}
	if err := x.f.Sync(); err != nil {
		return err
	}
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

// mark says that every line before durable is in the table, and synced.
func (x *index) mark(durable int64) error {
	x.durable, x.marked = durable, x.used
	return x.header(durable)
}

// header writes the header. Every line of the journal before synced must be synced.
func (x *index) header(synced int64) error {
	x.synced = synced
	var h [headerSize]byte
	le := binary.LittleEndian
	copy(h[:], indexMagic)
	le.PutUint64(h[8:], uint64(x.slots))
	le.PutUint64(h[16:], uint64(x.marked))
	le.PutUint64(h[24:], uint64(x.durable))
	le.PutUint64(h[32:], uint64(x.synced))
	le.PutUint32(h[40:], crc32.Checksum(h[:40], castagnoli))
	_, err := x.f.WriteAt(h[:], 0)
	return err
}

// full reports whether n more would fill more than half the table.
func (x *index) full(n int) bool { return x.used+int64(n) > x.slots/2 }

// walk calls each for the slots where want may be, until an empty one or each ends it.
func (x *index) walk(want uint64, each func(pos int64, h, at uint64) bool) error {
	var buf [indexWindow * slotSize]byte
	pos := int64(want & uint64(x.slots-1))
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
	return ErrJournal // full: it never is, by its own hand
}

// enter inserts the documents of a record. There must be room.
func (x *index) enter(r *record, at int64) error {
	for i := range r.Docs {
		if err := x.insert(keyHash(r.Docs[i].Key), at); err != nil {
			return err
		}
	}
	return nil
}

func (x *index) insert(hash string, at int64) error {
	want, err := strconv.ParseUint(hash[:16], 16, 64)
	if err != nil {
		return err
	}
	place := int64(-1)
	err = x.walk(want, func(pos int64, h, off uint64) bool {
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
func (x *index) lookup(hash string) ([]int64, error) {
	want, err := strconv.ParseUint(hash[:16], 16, 64)
	if err != nil {
		return nil, err
	}
	var out []int64
	err = x.walk(want, func(_ int64, h, off uint64) bool {
		if off != 0 && h == want {
			out = append(out, int64(off))
		}
		return off != 0
	})
	return out, err
}
