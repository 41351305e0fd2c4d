package cold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"runtime"
	"sync"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/mime"
)

// spoolMem is the largest item kept in memory; a larger one lies in a scratch file.
const spoolMem = 1 << 20

// spoolBudget bounds the bytes that all items in flight keep in memory.
const spoolBudget = 9 << 20

// spool holds the raw bytes of one item, in memory or in a scratch file that has no
// name. It is not synced: until the hand-over the source still has the item.
type spool struct {
	mem   []byte
	file  *os.File
	size  int64
	room  *room
	taken int64 // bytes of the room's budget that mem takes
}

// ReadAt implements io.ReaderAt; it is safe for concurrent use.
func (s *spool) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off >= s.size {
		return 0, io.EOF
	}
	// a scratch file that was used before may go on with another item's bytes
	whole := int64(len(p)) <= s.size-off
	if !whole {
		p = p[:s.size-off]
	}
	if s.file != nil {
		n, err = s.file.ReadAt(p, off)
	} else {
		n = copy(p, s.mem[off:])
	}
	if err == nil && !whole {
		err = io.EOF
	}
	return n, err
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
		s.room.giveFile(s.file)
		s.file = nil
	}
	if s.mem != nil {
		s.room.give(s.mem)
		s.mem, s.taken = nil, 0
	}
}

// room hands out the memory and the scratch files of a run and takes them back for the
// next item: fresh buffers would double the CPU of a large pass, and making a file is
// slow on some file systems.
type room struct {
	dir string

	mu    sync.Mutex
	used  int64              // bytes handed out
	idle  int64              // bytes in free; with used never above the budget
	free  map[int64][][]byte // by size
	files []*os.File         // scratch files not in use
	freed chan struct{}      // told when memory came back; capacity 1
}

func newRoom(dir string) *room {
	return &room{dir: dir, free: map[int64][][]byte{}, freed: make(chan struct{}, 1)}
}

// close removes the scratch files. Nothing of the room is in use any more.
func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.files {
		r.remove(f)
	}
	r.files = nil
}

func (r *room) remove(f *os.File) {
	f.Close()
	if runtime.GOOS == "windows" { // where an open file cannot be removed
		os.Remove(f.Name())
	}
}

// file gives a scratch file, whatever is in it.
func (r *room) file() (*os.File, error) {
	r.mu.Lock()
	if n := len(r.files); n > 0 {
		f := r.files[n-1]
		r.files = r.files[:n-1]
		r.mu.Unlock()
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			r.remove(f)
			return nil, err
		}
		return f, nil
	}
	r.mu.Unlock()
	f, err := os.CreateTemp(r.dir, "vaguemestre-*.spool")
	if err == nil && runtime.GOOS != "windows" {
		os.Remove(f.Name()) // it lives as long as it is open
	}
	return f, err
}

func (r *room) giveFile(f *os.File) {
	// keep a few small ones: a large one would hold the disk's space
	if st, err := f.Stat(); err == nil && st.Size() <= 32<<20 {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.files) < 8 {
			r.files = append(r.files, f)
			return
		}
	}
	r.remove(f)
}

// roundUp gives the size of the buffer for n bytes: at most an eighth is wasted.
func roundUp(n int64) int64 {
	step := int64(1) << max(bits.Len64(uint64(max(n-1, 0)))-3, 12)
	return (max(n, 1) + step - 1) &^ (step - 1)
}

// take gives a buffer of at least n bytes; nil when the budget does not allow it.
func (r *room) take(n int64) []byte {
	want := roundUp(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used+want > spoolBudget {
		return nil
	}
	r.used += want
	if l := r.free[want]; len(l) > 0 {
		b := l[len(l)-1]
		r.free[want] = l[:len(l)-1]
		r.idle -= want
		return b
	}
	for size, l := range r.free {
		if r.used+r.idle <= spoolBudget {
			break
		}
		r.idle -= size * int64(len(l))
		delete(r.free, size)
	}
	return make([]byte, want)
}

func (r *room) give(b []byte) {
	b = b[:cap(b)]
	size := int64(len(b))
	r.mu.Lock()
	r.used -= size
	r.idle += size
	r.free[size] = append(r.free[size], b)
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
// memory is spent it asks wait, unless it is nil: true is worth another try, false
// takes a scratch file.
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
			if s.mem = r.take(want); s.mem != nil || wait == nil || !wait() {
				break
			}
		}
		s.taken = int64(cap(s.mem))
	}
	have := 0 // bytes in s.mem
	for have < len(s.mem) {
		n, err := body.Read(s.mem[have:])
		have += n
		switch {
		case err == io.EOF:
			return s.end(int64(have), size, limit)
		case err != nil: // io.ErrUnexpectedEOF is not the end
			s.close()
			return nil, broken(err, int64(have), size)
		}
	}
	f, err := r.file()
	if err != nil {
		s.close()
		return nil, scratchError(err)
	}
	w := &scratchWriter{f: f}
	n, err := io.Copy(w, io.LimitReader(io.MultiReader(bytes.NewReader(s.mem), body), limit+1))
	if s.mem != nil {
		r.give(s.mem)
		s.mem, s.taken = nil, 0
	}
	s.file = f
	switch {
	case w.err != nil:
		s.close()
		return nil, scratchError(w.err)
	case err != nil:
		s.close()
		return nil, broken(err, n, size)
	}
	return s.end(n, size, limit)
}

// spooledFile is a file of a deposit directory.
type spooledFile struct {
	path string
	*spool
}

// readFiles spools all regular files of a deposit directory. Together they are one item.
func (r *room) readFiles(fsys fs.FS, lim Limits) (files []spooledFile, err error) {
	left := lim.ItemSize
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if len(files) >= lim.Parts {
			return &mime.LimitError{What: "parts", Limit: lim.Parts}
		}
		file, err := fsys.Open(p)
		if err != nil {
			return err
		}
		defer file.Close()
		s, err := r.read(file, -1, left, nil)
		if err != nil {
			return err
		}
		left -= s.size
		files = append(files, spooledFile{p, s})
		return nil
	})
	if err != nil {
		for _, f := range files {
			f.close()
		}
		if vaguemestre.ClassOf(err) == "" && !tooMuch(err) {
			err = broken(err, lim.ItemSize-left, -1)
		}
		return nil, err
	}
	return files, nil
}

// end accepts n bytes, or not.
func (s *spool) end(n, size, limit int64) (*spool, error) {
	switch {
	case size >= 0 && n != size:
		s.close()
		return nil, broken(&wrongSize{n, size}, n, size)
	case n > limit:
		s.close()
		return nil, errTooLarge
	}
	if s.file == nil {
		s.mem = s.mem[:n]
	}
	s.size = n
	return s, nil
}

// scratchWriter tells the failures of the scratch file from those of what is read. It
// hides ReadFrom, so that io.Copy keeps its buffer small.
type scratchWriter struct {
	f   *os.File
	err error
}

func (w *scratchWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.err = err
	return n, err
}

// wrongSize says that a body ended soundly, but gave another number of bytes than its
// source announced.
type wrongSize struct{ got, want int64 }

func (e *wrongSize) Error() string {
	return fmt.Sprintf("%d bytes came, %d were announced", e.got, e.want)
}

// broken is the error of an item that did not come whole. A class that the launcher
// gave its error stands.
func broken(err error, n, size int64) error {
	if vaguemestre.ClassOf(err) != "" {
		return err
	}
	var w *wrongSize
	if !errors.As(err, &w) {
		err = fmt.Errorf("broke off after %d of %d bytes: %w", n, size, err)
	}
	return &vaguemestre.Error{Op: "cold: read item", Class: vaguemestre.ClassSource, Err: err}
}

func scratchError(err error) error {
	return &vaguemestre.Error{Op: "cold: scratch file", Class: vaguemestre.ClassSink,
		Err: fmt.Errorf("%w: free some space, or set Job.Scratch to a directory with room", err)}
}
