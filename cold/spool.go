package cold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"runtime"
	"sync"

	"github.com/vaguemestre/vaguemestre"
)

// spoolMem is the largest item kept in memory; a larger one lies in a scratch file.
const spoolMem = 1 << 20

// spoolBudget bounds the bytes that all items in flight keep in memory.
const spoolBudget = 8 << 20

// spool holds the raw bytes of one item, in memory or in a scratch file that has no
// name. It is not synced: until the hand-over the source still has the item.
type spool struct {
	mem   []byte
	file  *os.File
	size  int64
	room  *room
	taken int64 // bytes of the room's budget
}

// ReadAt implements io.ReaderAt; it is safe for concurrent use.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(p, s.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// memSpool adds Bytes, which readers that work in place look for.
type memSpool struct{ *spool }

func (s memSpool) Bytes() []byte { return s.mem }

// reader gives the spool in its fastest form.
func (s *spool) reader() io.ReaderAt {
	if s.file == nil {
		return memSpool{s}
	}
	return s
}

func (s *spool) open() (io.ReadSeekCloser, error) {
	if s.file == nil {
		return nopCloser{bytes.NewReader(s.mem)}, nil
	}
	return nopCloser{io.NewSectionReader(s.file, 0, s.size)}, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// close gives memory and file back. It is safe to call twice.
func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		if runtime.GOOS == "windows" { // where an open file cannot be removed
			os.Remove(s.file.Name())
		}
		s.file = nil
	}
	if s.mem != nil {
		s.room.give(s.mem, s.taken)
		s.mem, s.taken = nil, 0
	}
}

// room hands out the memory of a run and takes it back for the next item: fresh
// buffers would double the CPU of a large pass.
type room struct {
	dir string

	mu    sync.Mutex
	used  int64
	free  map[int][][]byte // by power of two
	freed chan struct{}    // told when memory came back; capacity 1
}

func newRoom(dir string) *room {
	return &room{dir: dir, free: map[int][][]byte{}, freed: make(chan struct{}, 1)}
}

func (r *room) take(n int64) ([]byte, int64, bool) {
	class := max(bits.Len64(uint64(max(n-1, 0))), 14)
	want := int64(1) << class
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used+want > spoolBudget {
		return nil, 0, false
	}
	r.used += want
	if l := r.free[class]; len(l) > 0 {
		b := l[len(l)-1]
		r.free[class] = l[:len(l)-1]
		return b, want, true
	}
	// what lies idle in other classes must not add up beyond the budget
	idle := int64(0)
	for c, l := range r.free {
		idle += int64(len(l)) << c
	}
	if idle+r.used > spoolBudget+spoolBudget/2 {
		clear(r.free)
	}
	return make([]byte, want), want, true
}

func (r *room) give(b []byte, taken int64) {
	r.mu.Lock()
	r.used -= taken
	class := bits.Len64(uint64(taken - 1))
	r.free[class] = append(r.free[class], b[:cap(b)])
	r.mu.Unlock()
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// roomy reports whether any item that fits in memory would find room.
func (r *room) roomy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used+spoolMem <= spoolBudget
}

// errTooLarge is the reason of an item over Limits.ItemSize.
var errTooLarge = errors.New("larger than the limit of this job")

// read spools body, which must give size bytes (-1: any number up to limit). While the
// memory is spent it asks wait: true is worth another try, false takes a scratch file.
func (r *room) read(body io.Reader, size, limit int64, wait func() bool) (*spool, error) {
	if size > limit {
		return nil, errTooLarge
	}
	s := &spool{room: r}
	if want := size; want <= spoolMem {
		if want < 0 {
			want = 64 << 10
		}
		for {
			b, taken, ok := r.take(want)
			if ok {
				s.mem, s.taken = b, taken
				break
			}
			if !wait() {
				break
			}
		}
	}
	if s.mem != nil {
		n, err := io.ReadFull(body, s.mem)
		switch {
		case err == nil: // the buffer is full; there may be more
		case err == io.EOF || err == io.ErrUnexpectedEOF && int64(n) == size || err == io.ErrUnexpectedEOF && size < 0:
			return s.end(int64(n), size)
		default:
			s.close()
			return nil, broken(err, int64(n), size)
		}
		var one [1]byte
		m, err := io.ReadFull(body, one[:])
		if m == 0 && err == io.EOF {
			return s.end(int64(n), size)
		}
		if m == 0 {
			s.close()
			return nil, broken(err, int64(n), size)
		}
		body = io.MultiReader(bytes.NewReader(s.mem[:n]), bytes.NewReader(one[:]), body)
	}
	f, err := os.CreateTemp(r.dir, "vaguemestre-*.spool")
	if err != nil {
		s.close()
		return nil, scratchError(err)
	}
	if runtime.GOOS != "windows" {
		os.Remove(f.Name()) // lives as long as it is open
	}
	n, err := io.Copy(onlyWriter{f}, io.LimitReader(body, limit+1))
	if s.mem != nil {
		r.give(s.mem, s.taken)
		s.mem, s.taken = nil, 0
	}
	s.file = f
	var pe *os.PathError
	switch {
	case errors.As(err, &pe):
		s.close()
		return nil, scratchError(err)
	case err != nil:
		s.close()
		return nil, broken(err, n, size)
	case n > limit:
		s.close()
		return nil, errTooLarge
	}
	return s.end(n, size)
}

func (s *spool) end(n, size int64) (*spool, error) {
	if size >= 0 && n != size {
		s.close()
		return nil, broken(io.ErrUnexpectedEOF, n, size)
	}
	if s.file == nil {
		s.mem = s.mem[:n]
	}
	s.size = n
	return s, nil
}

// onlyWriter hides ReadFrom, so that io.Copy keeps its buffer small.
type onlyWriter struct{ io.Writer }

func broken(err error, n, size int64) error {
	return &vaguemestre.Error{Op: "cold: read item", Class: vaguemestre.ClassSource,
		Err: fmt.Errorf("got %d of %d bytes: %w", n, size, err)}
}

func scratchError(err error) error {
	return &vaguemestre.Error{Op: "cold: scratch file", Class: vaguemestre.ClassSink,
		Err: fmt.Errorf("%w: free some space, or set Job.Scratch to a directory with room", err)}
}
