package dirstore

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// The journal of a target says under which name every document was or will be shown.
// It only grows; a line is written and synced before the first rename that it
// announces, so a name that is shown is always in the journal.
//
// Each line is the CRC-32C of the rest in hex, a space and a JSON object. A line of
// spaces says nothing.
const (
	journalName   = "journal"
	journalHeader = "vaguemestre-dir 1\n"
)

// ErrJournal is returned when the journal is not what was written.
var ErrJournal = errors.New("its journal .vaguemestre/journal is damaged or was cut short: bring it back from a backup, " +
	"or remove .vaguemestre to forget what was stored (documents that come again are then stored again)")

// journal is the open journal with its index. The holder of the lock owns it.
type journal struct {
	meta *os.Root
	f    *os.File
	end  int64 // of the last whole line; all before it is synced
	idx  *index
	line []byte // buffer of append

	lastAt  int64 // the record read last, since the documents of a group follow one another
	lastRec *record
}

// openJournal opens or creates the journal. Lines that a crash tore are cut off: they
// were not synced, so nothing that they announce was shown.
func openJournal(meta *os.Root) (*journal, error) {
	f, err := meta.OpenFile(journalName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{meta: meta, f: f}
	if err := j.open(); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *journal) open() error {
	if err := j.header(); err != nil {
		return err
	}
	var err error
	if j.idx, err = openIndex(j.meta); err != nil {
		return err
	}
	st, err := j.f.Stat()
	if err != nil {
		return err
	}
	if j.idx == nil {
		return j.rebuild()
	}
	if st.Size() < j.idx.synced {
		return ErrJournal
	}
	return j.tail(st.Size())
}

// header writes the first line, or sees that it is there.
func (j *journal) header() error {
	head := make([]byte, len(journalHeader))
	n, err := j.f.ReadAt(head, 0)
	switch {
	case err != nil && err != io.EOF:
		return err
	case string(head[:n]) == journalHeader:
		return nil
	case n < len(head) && journalHeader[:n] == string(head[:n]):
		// New, or the first run crashed here. An index that knows more says otherwise.
		if _, err := j.meta.Lstat(indexName); err == nil {
			return ErrJournal
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := j.f.WriteAt([]byte(journalHeader), 0); err != nil {
			return err
		}
		return j.f.Sync()
	case bytes.HasPrefix(head, []byte("vaguemestre-dir ")):
		return errors.New("its journal .vaguemestre/journal is of a newer version: update this program")
	}
	return ErrJournal
}

// tail enters what follows the durable part of the index, which was durable itself up
// to idx.synced.
func (j *journal) tail(size int64) error {
	// First mend it: a power cut may leave a hole in what was not synced, with sound
	// lines behind it. The hole announces nothing that was shown.
	end, err := j.scan(j.idx.durable, nil, func(at, to int64) error {
		if at < j.idx.synced {
			return ErrJournal
		}
		_, err := j.f.WriteAt(filler(to-at), at)
		return err
	})
	if err != nil {
		return err
	}
	if end < j.idx.synced {
		return ErrJournal
	}
	if end < size {
		if err := j.f.Truncate(end); err != nil {
			return err
		}
	}
	if end > j.idx.durable {
		// A run that was killed may have written lines and not synced them.
		if err := j.f.Sync(); err != nil {
			return err
		}
	}
	j.end = end
	_, err = j.scan(j.idx.durable, j.index, strict)
	return err
}

func (j *journal) close() {
	if j.idx != nil {
		j.idx.f.Close()
	}
	j.f.Close()
}

// strict is a handler of holes for what was synced once.
func strict(int64, int64) error { return ErrJournal }

// scan reads the lines from an offset on and returns the end of the last sound one.
// It calls hole for what is damaged and has a sound line behind it.
func (j *journal) scan(from int64, each func(r *record, at int64) error, hole func(at, to int64) error) (int64, error) {
	from = max(from, int64(len(journalHeader)))
	br := bufio.NewReaderSize(io.NewSectionReader(j.f, from, 1<<62), 64<<10)
	at, end := from, from
	for {
		line, err := br.ReadBytes('\n')
		if len(line) > 0 {
			r := decodeRecord(line)
			if r != nil || isFiller(line) {
				if end < at {
					if err := hole(end, at); err != nil {
						return 0, err
					}
				}
				if r != nil && each != nil {
					if err := each(r, at); err != nil {
						return 0, err
					}
				}
				end = at + int64(len(line))
			}
			at += int64(len(line))
		}
		if err == io.EOF {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// index enters the documents of a record; it is safe to repeat.
func (j *journal) index(r *record, at int64) error {
	if at < j.idx.durable {
		return nil // it was rebuilt on the way
	}
	if j.idx.full(len(r.Docs)) {
		// What is being entered lies in the journal, so the new index has it.
		return j.rebuild()
	}
	return j.idx.enter(r, at)
}

// rebuild makes a new index of the whole journal, with room to grow.
func (j *journal) rebuild() error {
	n := 0
	end, err := j.scan(0, func(r *record, at int64) error { n += len(r.Docs); return nil }, strict)
	if err != nil {
		return err
	}
	if st, err := j.f.Stat(); err != nil {
		return err
	} else if end < st.Size() {
		if err := j.f.Truncate(end); err != nil {
			return err
		}
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	if j.idx != nil {
		j.idx.f.Close()
		j.idx = nil
	}
	idx, err := newIndex(j.meta, n)
	if err != nil {
		return err
	}
	_, err = j.scan(0, idx.enter, strict)
	if err == nil {
		err = idx.publish(j.meta, end)
	}
	if err != nil {
		idx.f.Close()
		_ = j.meta.Remove(indexName + ".new") // a full disk wants its room back
		return err
	}
	j.idx, j.end = idx, end
	return nil
}

// read returns the record at an offset that the index gave.
func (j *journal) read(at int64) (*record, error) {
	if j.lastRec != nil && j.lastAt == at {
		return j.lastRec, nil
	}
	line, err := bufio.NewReaderSize(io.NewSectionReader(j.f, at, 1<<62), 1<<10).ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	r := decodeRecord(line)
	if r == nil {
		return nil, ErrJournal
	}
	j.lastAt, j.lastRec = at, r
	return r, nil
}

// lookup returns the newest record for which is holds, among those of a key's hash.
func (j *journal) lookup(hash string, is func(*record) bool) (*record, error) {
	offsets, err := j.idx.lookup(hash)
	if err != nil {
		return nil, err
	}
	var best *record
	bestAt := int64(-1)
	for _, at := range offsets {
		r, err := j.read(at)
		if err != nil {
			return nil, err
		}
		if at > bestAt && is(r) {
			best, bestAt = r, at
		}
	}
	return best, nil
}

// append writes records and syncs them. On an error nothing of them remains, as far
// as the disk obeys: what they announce must then not be shown.
func (j *journal) append(recs []*record) error {
	buf := j.line[:0]
	offs := make([]int64, len(recs))
	for i, r := range recs {
		offs[i] = j.end + int64(len(buf))
		var err error
		if buf, err = encodeRecord(buf, r); err != nil {
			return err
		}
	}
	if cap(buf) <= 256<<10 {
		j.line = buf
	}
	_, err := j.f.WriteAt(buf, j.end)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		_ = j.f.Truncate(j.end)
		return err
	}
	j.end += int64(len(buf))
	for i, r := range recs {
		if err := j.index(r, offs[i]); err != nil {
			return err
		}
	}
	return j.idx.header(j.end)
}

// indexLag is how much of the journal may be entered in the index and not synced
// there. Whoever opens it reads as much again: 500 lines in two milliseconds.
const indexLag = 128 << 10

// syncIndex makes the index durable if it lags.
func (j *journal) syncIndex() error {
	if j.end-j.idx.durable < indexLag {
		return nil
	}
	if err := j.idx.f.Sync(); err != nil {
		return err
	}
	return j.idx.mark(j.end)
}
