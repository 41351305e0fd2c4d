package adullact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"runtime"

	"github.com/vaguemestre/vaguemestre"
)

// scratch keeps what comes out of files, in one temporary file that is made when it is needed
// and, but on Windows, has no name.
type scratch struct {
	dir  string
	file *os.File
	end  int64
}

type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

// keep stores r and gives it back as a source.
func (s *scratch) keep(ctx context.Context, name string, r io.Reader) (Source, error) {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "adullact-*")
		if err != nil {
			return Source{}, &vaguemestre.Error{Op: "adullact: scratch file", Class: vaguemestre.ClassSink, Err: err}
		}
		if runtime.GOOS != "windows" { // where an open file cannot be removed
			os.Remove(f.Name()) // so that a program that is killed leaves nothing behind
		}
		s.file = f
	}
	sum := sha256.New()
	at := s.end
	if s.end >= maxUnpacked {
		return Source{}, poison("it holds more than %d bytes", int64(maxUnpacked))
	}
	n, err := io.Copy(io.MultiWriter(io.NewOffsetWriter(s.file, at), sum), io.LimitReader(ctxReader{ctx, r}, maxUnpacked-at+1))
	if err != nil {
		return Source{}, err
	}
	if s.end += n; s.end > maxUnpacked {
		return Source{}, poison("it holds more than %d bytes", int64(maxUnpacked))
	}
	f := s.file
	return Source{Name: name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil)), Open: func() (io.ReadSeekCloser, error) {
		return section{io.NewSectionReader(f, at, n)}, nil
	}}, nil
}

func (s *scratch) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	err := f.Close()
	if runtime.GOOS == "windows" {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
