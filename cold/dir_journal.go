package cold

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// The journal of a directory sink says under which name every document was or will be
// shown. It only grows; a line is written and synced before the first rename that it
// announces, so a name that is shown is always in the journal.
//
// Each line is the CRC-32C of the rest in hex, a space and a JSON object.
const (
	journalName   = "journal"
	journalHeader = "vaguemestre-dir 1\n"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// dirRecord is one line of the journal: what is shown by one rename.
type dirRecord struct {
	Temp string     `json:"t"`           // name of the file or directory before the rename
	Dir  string     `json:"g,omitempty"` // of a group: its directory
	Docs []dirEntry `json:"d"`
}

// dirEntry is one document of a record.
type dirEntry struct {
	Key    string `json:"k"`
	Name   string `json:"n"` // in the target, or in Dir
	Size   int64  `json:"s"`
	SHA256 string `json:"h"`
}

// ref is where document i of r is, relative to the target.
func (r *dirRecord) ref(i int) string {
	if r.Dir != "" {
		return r.Dir + "/" + r.Docs[i].Name
	}
	return r.Docs[i].Name
}

func (r *dirRecord) find(key string) int {
	for i, d := range r.Docs {
		if d.Key == key {
			return i
		}
	}
	return -1
}

// keyHash names a key in the index and in temporary file names.
func keyHash(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

func encodeRecord(r *dirRecord) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(b, castagnoli), b), nil
}

// decodeRecord reads a line with its end; nil when it is torn or damaged.
func decodeRecord(line []byte) *dirRecord {
	if len(line) < 11 || line[len(line)-1] != '\n' || line[8] != ' ' {
		return nil
	}
	body := line[9 : len(line)-1]
	var sum [4]byte
	if _, err := hex.Decode(sum[:], line[:8]); err != nil {
		return nil
	}
	if c := crc32.Checksum(body, castagnoli); sum != [4]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)} {
		return nil
	}
	var r dirRecord
	if json.Unmarshal(body, &r) != nil || len(r.Docs) == 0 {
		return nil
	}
	return &r
}

var errJournal = errors.New("its journal .vaguemestre/journal is damaged or was cut short: bring it back from a backup, " +
	"or remove .vaguemestre to forget what was stored (documents that come again are then stored again)")

// dirJournal is the open journal with its index. The holder of the lock owns it.
type dirJournal struct {
	meta *os.Root
	f    *os.File
	end  int64 // of the last whole line
	idx  *dirIndex

	lastAt  int64 // the record read last, since the documents of a group follow one another
	lastRec *dirRecord
}

// openJournal opens or creates the journal. Lines that a crash tore are cut off: they
// were not synced, so nothing that they announce was shown.
func openJournal(meta *os.Root) (*dirJournal, error) {
	f, err := meta.OpenFile(journalName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &dirJournal{meta: meta, f: f}
	if err := j.open(); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *dirJournal) open() error {
	f, meta := j.f, j.meta
	head := make([]byte, len(journalHeader))
	n, err := f.ReadAt(head, 0)
	switch {
	case err != nil && err != io.EOF:
		return err
	case string(head[:n]) == journalHeader:
	case n < len(head) && journalHeader[:n] == string(head[:n]):
		// New, or the first run crashed here. An index that knows more says otherwise.
		if _, err := meta.Lstat(indexName); err == nil {
			return errJournal
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := f.WriteAt([]byte(journalHeader), 0); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	case bytes.HasPrefix(head, []byte("vaguemestre-dir ")):
		return errors.New("its journal .vaguemestre/journal is of a newer version: update this program")
	default:
		return errJournal
	}

	j.idx, err = openIndex(meta)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if j.idx != nil && j.idx.durable > st.Size() {
		return errJournal
	}
	if j.idx == nil {
		return j.rebuild()
	}
	j.end, err = j.scan(j.idx.durable, false, j.index)
	if err == nil && j.end < st.Size() {
		err = f.Truncate(j.end)
	}
	return err
}

func (j *dirJournal) close() {
	if j.idx != nil {
		j.idx.f.Close()
	}
	j.f.Close()
}

// scan reads the lines from an offset on and returns the end of the last sound one.
// A damaged line with sound ones behind it is passed over where a crash may have
// left it, and is an error under strict.
func (j *dirJournal) scan(from int64, strict bool, each func(r *dirRecord, at int64) error) (int64, error) {
	from = max(from, int64(len(journalHeader)))
	br := bufio.NewReaderSize(io.NewSectionReader(j.f, from, 1<<62), 64<<10)
	at, end, damaged := from, from, false
	for {
		line, err := br.ReadBytes('\n')
		if len(line) > 0 {
			if r := decodeRecord(line); r == nil {
				damaged = true
			} else {
				if damaged && strict {
					return 0, errJournal
				}
				if err := each(r, at); err != nil {
					return 0, err
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
func (j *dirJournal) index(r *dirRecord, at int64) error {
	if j.idx.full(len(r.Docs)) {
		// What is being entered lies in the journal, so the new index has it.
		return j.rebuild()
	}
	for _, d := range r.Docs {
		if err := j.idx.insert(keyHash(d.Key), at); err != nil {
			return err
		}
	}
	return nil
}

// rebuild makes a new index of the whole journal, with room to grow.
func (j *dirJournal) rebuild() error {
	n := 0
	end, err := j.scan(0, true, func(r *dirRecord, at int64) error { n += len(r.Docs); return nil })
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
	if j.idx != nil {
		j.idx.f.Close()
		j.idx = nil
	}
	idx, err := newIndex(j.meta, n)
	if err != nil {
		return err
	}
	_, err = j.scan(0, true, func(r *dirRecord, at int64) error {
		for _, d := range r.Docs {
			if err := idx.insert(keyHash(d.Key), at); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = idx.publish(j.meta, end)
	}
	if err != nil {
		idx.f.Close()
		return err
	}
	j.idx, j.end = idx, end
	return nil
}

// read returns the record at an offset that the index gave.
func (j *dirJournal) read(at int64) (*dirRecord, error) {
	if j.lastRec != nil && j.lastAt == at {
		return j.lastRec, nil
	}
	line, err := bufio.NewReaderSize(io.NewSectionReader(j.f, at, 1<<62), 1<<10).ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	r := decodeRecord(line)
	if r == nil {
		return nil, errJournal
	}
	j.lastAt, j.lastRec = at, r
	return r, nil
}

// lookup returns the newest record for which is holds, among those of a key's hash.
func (j *dirJournal) lookup(hash string, is func(*dirRecord) bool) (*dirRecord, error) {
	offsets, err := j.idx.lookup(hash)
	if err != nil {
		return nil, err
	}
	var best *dirRecord
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
func (j *dirJournal) append(recs []*dirRecord) error {
	var buf bytes.Buffer
	offs := make([]int64, len(recs))
	for i, r := range recs {
		line, err := encodeRecord(r)
		if err != nil {
			return err
		}
		offs[i] = j.end + int64(buf.Len())
		buf.Write(line)
	}
	_, err := j.f.WriteAt(buf.Bytes(), j.end)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		_ = j.f.Truncate(j.end)
		return err
	}
	j.end += int64(buf.Len())
	for i, r := range recs {
		if err := j.index(r, offs[i]); err != nil {
			return err
		}
	}
	return nil
}
