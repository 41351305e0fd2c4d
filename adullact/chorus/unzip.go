package chorus

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/vaguemestre/vaguemestre"
)

// zipEntry is a file within a zip.
type zipEntry struct{ *zip.File }

func (e *zipEntry) open() (io.Reader, error) {
	if e.Flags&1 != 0 {
		return nil, errors.New("it is encrypted")
	}
	return e.File.Open()
}

// budget lets no more than left bytes through, to bound the directory of a zip: its count
// of entries may lie.
type budget struct {
	io.ReaderAt
	left int64
}

var errBudget = errors.New("its directory is too long")

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errBudget
	}
	return b.ReaderAt.ReadAt(p, off)
}

// entries lists the files of a zip whose directory is of bounded length.
func entries(ra io.ReaderAt, size, directory int64) ([]*zipEntry, error) {
	// the end record lies within the last 65 KiB, which are read twice at most
	b := &budget{ra, directory + 130<<10}
	z, err := zip.NewReader(b, size)
	b.left = math.MaxInt64 // the files are read through it too, and bounded elsewhere
	if z == nil {
		if errors.Is(err, errBudget) {
			return nil, errBudget
		}
		return nil, errors.New("it is damaged")
	}
	// names that leave the directory (zip.ErrInsecurePath) do no harm: only the last element is used
	var list []*zipEntry
	for _, f := range z.File {
		if f.Mode().IsRegular() {
			list = append(list, &zipEntry{f})
		}
	}
	return list, nil
}

// onlyEntry returns the only file of a zip.
func onlyEntry(ra io.ReaderAt, size int64) (*zipEntry, error) {
	list, err := entries(ra, size, 128<<10)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("it holds %d files where one is due", len(list))
	}
	return list[0], nil
}

// unpack reads the entry once to its end, so that nothing damaged is handed over, and tells
// of the attachment what it found.
func (r *reader) unpack(a *attachment, e *zipEntry) error {
	content, err := e.open()
	if err != nil {
		return err
	}
	sum, head := sha256.New(), &firstBytes{}
	w := &ratio{w: r.limited(io.MultiWriter(sum, head)), packed: int64(min(e.CompressedSize64, uint64(r.spool.size)))}
	if _, err := io.Copy(w, ctxReader{r.ctx, content}); err != nil {
		var own *vaguemestre.Error
		if errors.As(err, &own) || r.ctx.Err() != nil || errors.Is(err, errRatio) {
			return err
		}
		return errors.New("it is damaged")
	}
	a.Inner = cut(e.Name)
	a.Size, a.SHA256, a.MediaType = w.n, hex.EncodeToString(sum.Sum(nil)), sniff(head.b)
	return nil
}

var errRatio = fmt.Errorf("it unpacks to more than %d times its size", maxRatio)

// ratio ends what expands like a bomb.
type ratio struct {
	w         io.Writer
	packed, n int64
}

func (r *ratio) Write(p []byte) (int, error) {
	r.n += int64(len(p))
	if r.n > freeBytes && r.n/maxRatio > r.packed {
		return 0, errRatio
	}
	return r.w.Write(p)
}

// firstBytes keeps what sniff looks at.
type firstBytes struct{ b []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	if n := 512 - len(f.b); n > 0 {
		f.b = append(f.b, p[:min(n, len(p))]...)
	}
	return len(p), nil
}
