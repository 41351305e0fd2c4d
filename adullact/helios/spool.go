package helios

import (
	"bytes"
	"io"
	"os"
	"runtime"
)

// inMemory is how much of a document stays out of the scratch file.
const inMemory = 1 << 20

// spool keeps one document until its name is known, and is used again for the next.
type spool struct {
	dir  string
	mem  []byte // all, or what is not yet in the file
	file *os.File
	disk int64 // bytes in the file
}

func (s *spool) reset() { s.mem, s.disk = s.mem[:0], 0 }

func (s *spool) size() int64 { return s.disk + int64(len(s.mem)) }

// grow makes the memory go to disk before it is too much.
func (s *spool) grow() error {
	if len(s.mem) < inMemory {
		return nil
	}
	return s.flush()
}

func (s *spool) flush() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "pes-*")
		if err != nil {
			return err
		}
		if runtime.GOOS != "windows" { // where an open file cannot be removed
			os.Remove(f.Name()) // so that a program that is killed leaves nothing behind
		}
		s.file = f
	}
	if _, err := s.file.WriteAt(s.mem, s.disk); err != nil {
		return err
	}
	s.disk += int64(len(s.mem))
	s.mem = s.mem[:0]
	return nil
}

// done makes the document whole for readers.
func (s *spool) done() error {
	if s.disk == 0 {
		return nil
	}
	return s.flush()
}

// reader gives the document from its beginning.
func (s *spool) reader() io.Reader {
	if s.disk == 0 {
		return bytes.NewReader(s.mem)
	}
	return io.NewSectionReader(s.file, 0, s.disk)
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		if runtime.GOOS == "windows" {
			os.Remove(s.file.Name())
		}
		s.file = nil
	}
}
