package dirstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// pieces is a source that writes its content in pieces of n bytes.
type pieces struct {
	io.Reader
	b   []byte
	n   int
	err error
}

func (p *pieces) WriteTo(w io.Writer) (int64, error) {
	for at := 0; at < len(p.b); at += p.n {
		if n, err := w.Write(p.b[at:min(at+p.n, len(p.b))]); err != nil {
			return int64(at + n), err
		}
	}
	return int64(len(p.b)), p.err
}

// Whatever the size and the way it comes, a content is written and hashed whole.
func TestCopy(t *testing.T) {
	t.Parallel()
	var c copier
	dir := t.TempDir()
	for _, size := range []int{0, 1, 44_000, straight - 1, straight, copyBuffer - 1, copyBuffer, copyBuffer + 1, 3*copyBuffer + 17} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i * 7 >> 3)
		}
		sum := sha256.Sum256(want)
		for how, src := range map[string]io.Reader{
			"at once":          bytes.NewReader(want),
			"plain reads":      struct{ io.Reader }{bytes.NewReader(want)},
			"halves":           iotest.HalfReader(struct{ io.Reader }{bytes.NewReader(want)}),
			"data with EOF":    iotest.DataErrReader(struct{ io.Reader }{bytes.NewReader(want)}),
			"pieces":           &pieces{b: want, n: 65_521},
			"pieces of 300 kB": &pieces{b: want, n: 300_000},
		} {
			f, err := os.Create(filepath.Join(dir, "x"))
			if err != nil {
				t.Fatal(err)
			}
			n, got, err := c.copy(context.Background(), f, src)
			f.Close()
			if err != nil || n != int64(size) || got != hex.EncodeToString(sum[:]) {
				t.Errorf("%d bytes, %s: %d, %v", size, how, n, err)
			}
			if there, _ := os.ReadFile(f.Name()); !bytes.Equal(there, want) {
				t.Errorf("%d bytes, %s: the file differs, it has %d bytes", size, how, len(there))
			}
		}
	}
}

// An error is the source's unless writing failed or the context ended.
func TestCopyErrors(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	bad := errors.New("bad source")
	dir := t.TempDir()
	for i, c := range []struct {
		ctx  context.Context
		src  io.Reader
		ours bool
		want error
	}{
		{context.Background(), iotest.ErrReader(bad), false, bad},
		{context.Background(), &pieces{b: []byte("abc"), n: 1, err: bad}, false, bad},
		{canceled, bytes.NewReader([]byte("abc")), true, context.Canceled},
		{canceled, struct{ io.Reader }{bytes.NewReader([]byte("abc"))}, true, context.Canceled},
		{context.Background(), stuck{}, false, io.ErrNoProgress},
	} {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		var cp copier
		_, _, err = cp.copy(c.ctx, f, c.src)
		f.Close()
		if !errors.Is(err, c.want) || (cp.err != nil) != c.ours {
			t.Errorf("%d: %v, ours %v", i, err, cp.err)
		}
		// A file that is closed cannot be written.
		if _, _, err = cp.copy(context.Background(), f, bytes.NewReader(make([]byte, 10))); err == nil || cp.err == nil {
			t.Errorf("%d: a closed file was written: %v", i, err)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
