package graphtest

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
)

// inMemory is up to where a blob stays in memory.
const inMemory = 1 << 20

// blob is content that is written once and then read from many goroutines: small ones in
// memory, large ones in a temporary file that lives until the server is closed.
type blob struct {
	size int64
	mem  []byte
	file *os.File // nil: mem
}

func blobOf(b []byte) *blob { return &blob{size: int64(len(b)), mem: b} }

// ReadAt implements io.ReaderAt.
func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	if off >= int64(len(b.mem)) {
		return 0, io.EOF
	}
	n := copy(p, b.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// reader reads from the beginning; it has WriteTo.
func (b *blob) reader() io.Reader {
	if b.file == nil {
		return bytes.NewReader(b.mem)
	}
	return io.NewSectionReader(b.file, 0, b.size)
}

// Bytes returns what lies in memory, so that the parser reads it there; nil of a file.
func (b *blob) Bytes() []byte { return b.mem }

// whole returns the content in memory; it must not be changed.
func (b *blob) whole() []byte {
	if b.file == nil {
		return b.mem
	}
	all := make([]byte, b.size)
	n, _ := b.file.ReadAt(all, 0)
	return all[:n]
}

// blobWriter makes a blob. It may be written by one goroutine at a time.
type blobWriter struct {
	files *tempFiles
	size  int64
	mem   []byte
	file  *os.File
	err   error
}

// Write implements io.Writer.
func (w *blobWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.file == nil && len(w.mem)+len(p) > inMemory {
		if w.file, w.err = w.files.create(); w.err != nil {
			return 0, w.err
		}
		if _, w.err = w.file.Write(w.mem); w.err != nil {
			return 0, w.err
		}
		w.mem = nil
	}
	if w.file == nil {
		w.mem = append(w.mem, p...)
	} else if _, w.err = w.file.Write(p); w.err != nil {
		return 0, w.err
	}
	w.size += int64(len(p))
	return len(p), nil
}

// blob returns what was written; nothing may be written afterwards.
func (w *blobWriter) blob() (*blob, error) {
	return &blob{size: w.size, mem: w.mem, file: w.file}, w.err
}

// discard drops what was written.
func (w *blobWriter) discard() {
	if w.file != nil {
		w.files.drop(w.file)
	}
	w.file, w.mem, w.err = nil, nil, os.ErrClosed
}

// tempFiles are the files of a server's blobs. They have no name where the system allows
// that; close removes the others.
type tempFiles struct {
	mu     sync.Mutex
	open   []*os.File
	closed bool
}

func (t *tempFiles) create() (*os.File, error) {
	f, err := os.CreateTemp("", "graphtest-*")
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" {
		os.Remove(f.Name())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		end(f)
		return nil, os.ErrClosed
	}
	t.open = append(t.open, f)
	return f, nil
}

// drop ends one file.
func (t *tempFiles) drop(f *os.File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = slices.DeleteFunc(t.open, func(x *os.File) bool { return x == f })
	end(f)
}

func (t *tempFiles) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.open {
		end(f)
	}
	t.open, t.closed = nil, true
}

func end(f *os.File) {
	f.Close()
	if runtime.GOOS == "windows" {
		os.Remove(f.Name())
	}
}
