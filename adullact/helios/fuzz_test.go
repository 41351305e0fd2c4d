package helios

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/vaguemestre/vaguemestre"
)

// Whatever the bytes are: no panic, the same Flow however they are cut into reads, errors of
// class poison, and every document given with the size that was said.
func FuzzDecode(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.xml")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(holding("A", b64(zipped([]byte(holding("B", b64(zipped([]byte("%PDF-"))))))))))
	scratch := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		given := int64(0)
		flow, err := Decode(context.Background(), bytes.NewReader(data), &Options{Scratch: scratch, Inner: true, Personal: true, MaxFile: 1 << 20, MaxTotal: 2 << 20,
			Out: func(f *File, r io.Reader) error {
				n, err := io.Copy(io.Discard, r)
				if err != nil || n != f.Size || n == 0 {
					t.Errorf("%d bytes of %d, %v", n, f.Size, err)
				}
				given += n
				return nil
			}})
		if err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || err == nil && flow == nil {
			t.Errorf("%v, %v", flow, err)
		}
		if flow != nil && given < flow.Totals.FileBytes {
			t.Errorf("%d bytes were given of %d", given, flow.Totals.FileBytes)
		}
		parts, err2 := Decode(context.Background(), iotest.OneByteReader(bytes.NewReader(data)), &Options{Scratch: scratch, Inner: true, Personal: true, MaxFile: 1 << 20, MaxTotal: 2 << 20})
		a, _ := json.Marshal(flow)
		b, _ := json.Marshal(parts)
		if (err == nil) != (err2 == nil) || err == nil && !bytes.Equal(a, b) {
			t.Errorf("whole: %s, %v\nbyte by byte: %s, %v", a, err, b, err2)
		}
	})
}
