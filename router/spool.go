package router

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/vaguemestre/vaguemestre"
)

// ReaderOptions are for [Reader]. The zero value is usable, and nil is the zero value.
type ReaderOptions struct {
	MaxSize   int64  // bytes; more is an error. Default 256 MiB.
	MaxMemory int64  // bytes kept in memory; what is longer goes to a file. Default 1 MiB; -1 is none.
	Dir       string // where the file is; "" is the system's folder for temporary files
}

// Reader attaches what r gives, read once, now, to its end: into memory, or into a temporary
// file if it is long. r is not closed.
//
// Call [Attachment.Close] or [Message.Close] once the message is done with; it gives the
// memory or the file back. Where the system allows, the file has no name from the start, so
// that a crash leaves nothing behind; on Windows one that crashes leaves the file
// vaguemestre-*.spool. On error nothing is left.
//
// The error has class poison when r failed or is too long, sink when the file cannot be written.
func Reader(name, mediaType string, r io.Reader, o *ReaderOptions) (Attachment, error) {
	var opt ReaderOptions
	if o != nil {
		opt = *o
	}
	if opt.MaxSize <= 0 {
		opt.MaxSize = 256 << 20
	}
	switch {
	case opt.MaxMemory == 0:
		opt.MaxMemory = 1 << 20
	case opt.MaxMemory < 0:
		opt.MaxMemory = 0
	}
	s := &spool{}
	n, err := s.fill(&reading{r: r, left: opt.MaxSize}, &opt)
	if err != nil {
		_ = s.Close()
		return Attachment{}, err
	}
	return Attachment{Name: name, MediaType: mediaType, Size: n, Open: s.open, spool: s}, nil
}

// reading is r, remembering that it was r that failed.
type reading struct {
	r    io.Reader
	left int64
	err  error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.left -= int64(n); r.left < 0 {
		err = errors.New("longer than the limit; raise ReaderOptions.MaxSize")
	}
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// spool holds content in memory or in a file.
type spool struct {
	mu     sync.Mutex
	closed bool
	data   []byte
	file   *os.File
	size   int64
	path   string // to remove at Close; "" when the file has no name any more
}

func (s *spool) fill(r *reading, o *ReaderOptions) (int64, error) {
	var head bytes.Buffer
	n, err := io.Copy(&head, io.LimitReader(r, o.MaxMemory+1))
	if err == nil && n <= o.MaxMemory {
		s.data, s.size = head.Bytes(), n
		return n, nil
	}
	if err == nil {
		n, err = s.fillFile(&head, r, o.Dir)
	}
	if err == nil {
		return n, nil
	}
	if r.err != nil {
		return 0, &vaguemestre.Error{Op: "router: read attachment", Class: vaguemestre.ClassPoison, Err: r.err}
	}
	return 0, &vaguemestre.Error{Op: "router: spool attachment", Class: vaguemestre.ClassSink,
		Err: fmt.Errorf("make room, or set ReaderOptions.Dir: %w", err)}
}

func (s *spool) fillFile(head io.Reader, r io.Reader, dir string) (int64, error) {
	f, err := os.CreateTemp(dir, "vaguemestre-*.spool")
	if err != nil {
		return 0, err
	}
	s.file = f
	if os.Remove(f.Name()) != nil { // Windows keeps open files
		s.path = f.Name()
	}
	s.size, err = io.Copy(f, io.MultiReader(head, r))
	return s.size, err
}

func (s *spool) open() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("attachment was closed; attach it anew")
	}
	if s.file == nil {
		return io.NopCloser(bytes.NewReader(s.data)), nil
	}
	return io.NopCloser(io.NewSectionReader(s.file, 0, s.size)), nil
}

// Close may be called more than once.
func (s *spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed, s.data = true, nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.path != "" {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}
