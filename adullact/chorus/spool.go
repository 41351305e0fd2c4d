package chorus

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/vaguemestre/vaguemestre"
)

// spoolMem is how much of one document memory holds; more lies in a scratch file.
const spoolMem = 512 << 10

// spool keeps one document while it is looked at. reset makes it ready for the next.
type spool struct {
	dir  string
	mem  []byte
	file *os.File
	size int64
}

func (s *spool) reset() {
	if s.file != nil {
		s.file.Close()
		if runtime.GOOS == "windows" { // where an open file cannot be removed
			os.Remove(s.file.Name())
		}
		s.file = nil
	}
	s.mem, s.size = s.mem[:0], 0
}

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.mem)+len(p) <= spoolMem {
		s.mem = append(s.mem, p...)
		s.size += int64(len(p))
		return len(p), nil
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "vaguemestre-*.spool")
		if err != nil {
			return 0, scratch(err)
		}
		if runtime.GOOS != "windows" {
			os.Remove(f.Name())
		}
		s.file = f
		if _, err := f.Write(s.mem); err != nil {
			return 0, scratch(err)
		}
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		err = scratch(err)
	}
	return n, err
}

func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if off < 0 || off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(p, s.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// reader reads it from the beginning.
func (s *spool) reader() io.Reader { return io.NewSectionReader(s, 0, s.size) }

// scratch is a failure of the machine, not of the document.
func scratch(err error) error {
	return &vaguemestre.Error{Op: "chorus: scratch file", Class: vaguemestre.ClassSink, Err: fmt.Errorf("make room in the scratch directory: %w", err)}
}
