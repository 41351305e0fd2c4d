package cold

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
)

// shelf keeps what containers of one item gave, one after the other in one scratch file:
// an archive may hold more files than a process may have open.
type shelf struct {
	room *room
	file *os.File
	end  int64
}

// close gives the file back. It is safe to call on nil.
func (s *shelf) close() {
	if s != nil && s.file != nil {
		s.room.giveFile(s.file)
		s.file = nil
	}
}

// shelve puts all of r onto f's shelf and gives its content, its size and its SHA-256 in
// hex. The error is r's, or the scratch file's.
func (x *extractor) shelve(f *found, r io.Reader) (io.ReaderAt, int64, string, error) {
	if f.shelf == nil {
		file, err := x.room.file()
		if err != nil {
			return nil, 0, "", scratchError(err)
		}
		f.shelf = &shelf{room: x.room, file: file}
	}
	s := f.shelf
	x.sum.Reset()
	n := int64(0)
	for {
		k, err := r.Read(x.buf)
		if k > 0 {
			if _, werr := s.file.WriteAt(x.buf[:k], s.end+n); werr != nil {
				return nil, n, "", scratchError(werr)
			}
			x.sum.Write(x.buf[:k])
			n += int64(k)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			var path *fs.PathError
			if errors.As(err, &path) { // what r reads from is a scratch file too
				err = scratchError(err)
			}
			return nil, n, "", err
		}
	}
	at := io.NewSectionReader(s.file, s.end, n)
	s.end += n
	return at, n, hex.EncodeToString(x.sum.Sum(nil)), nil
}

// opener is the Open of a document of size bytes in r.
func opener(r io.ReaderAt, size int64) func() (io.ReadSeekCloser, error) {
	return func() (io.ReadSeekCloser, error) { return nopCloser{io.NewSectionReader(r, 0, size)}, nil }
}

// head reads the first bytes of d, n at most.
func head(d *Document, n int) ([]byte, error) {
	r, err := d.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.CopyN(&b, r, int64(n))
	if err == io.EOF {
		err = nil
	}
	return b.Bytes(), err
}
