package dirstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is one line of the journal: what is shown by one rename.
type record struct {
	Temp string  `json:"t"`           // name of the file or directory before the rename
	Dir  string  `json:"g,omitempty"` // of a group: its directory
	Docs []entry `json:"d"`
}

// entry is one document of a record.
type entry struct {
	Key    string `json:"k"`
	Name   string `json:"n"` // in the target, or in Dir
	Size   int64  `json:"s"`
	SHA256 string `json:"h"`
}

// ref is where document i of r is, relative to the target.
func (r *record) ref(i int) string {
	if r.Dir != "" {
		return r.Dir + "/" + r.Docs[i].Name
	}
	return r.Docs[i].Name
}

func (r *record) find(key string) int {
	for i := range r.Docs {
		if r.Docs[i].Key == key {
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

// encodeRecord appends the line of r to buf.
func encodeRecord(buf []byte, r *record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return buf, err
	}
	buf = fmt.Appendf(buf, "%08x ", crc32.Checksum(b, castagnoli))
	return append(append(buf, b...), '\n'), nil
}

// decodeRecord reads a line with its end; nil when it is torn or damaged.
func decodeRecord(line []byte) *record {
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
	var r record
	if json.Unmarshal(body, &r) != nil || len(r.Docs) == 0 {
		return nil
	}
	return &r
}

// filler is a line that says nothing, of n bytes: it stands where a damaged one was.
func filler(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = ' '
	}
	b[n-1] = '\n'
	return b
}

func isFiller(line []byte) bool {
	for i, c := range line {
		if c != ' ' && (c != '\n' || i != len(line)-1) {
			return false
		}
	}
	return line[len(line)-1] == '\n'
}
