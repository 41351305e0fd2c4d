package adullact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/unpack"
	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// Bounds of one envelope.
const (
	maxFiles    = 10_000
	maxUnpacked = 4 << 30 // bytes out of archives and messages
)

// Source is one file for [Decode].
type Source struct {
	Name   string // its last element counts: a name is never used as a path
	Size   int64
	SHA256 string // hex; "" when unknown
	Open   func() (io.ReadSeekCloser, error)
}

// Dir lists the regular files of fsys, sub-directories included. Its files must be able to
// seek, as those of [os.DirFS] are.
func Dir(fsys fs.FS) ([]Source, error) {
	var set []Source
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if len(set) >= maxFiles {
			return poison("the directory holds more than %d files", maxFiles)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		set = append(set, Source{Name: p, Size: info.Size(), Open: func() (io.ReadSeekCloser, error) {
			f, err := fsys.Open(p)
			if err != nil {
				return nil, err
			}
			if r, ok := f.(io.ReadSeekCloser); ok {
				return r, nil
			}
			f.Close()
			return nil, errors.New("adullact: the file system gives files that cannot seek; use one such as os.DirFS")
		}})
		return nil
	})
	return set, err
}

func (s Source) base() string { return path.Base(s.Name) }

// head reads the first bytes.
func (s Source) head() ([]byte, error) {
	r, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, 4096)
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], err
}

// rootOf names the root element of what may be XML; "" for anything else.
func (s Source) rootOf() (local, space string) {
	r, err := s.Open()
	if err != nil {
		return "", ""
	}
	defer r.Close()
	x := xmlscan.New(io.LimitReader(r, 1<<20), nil)
	if !x.Next() || x.Kind() != xmlscan.Start {
		return "", ""
	}
	return x.Local(), x.Space()
}

func (s *Source) hash(ctx context.Context) error {
	if s.SHA256 != "" {
		return nil
	}
	r, err := s.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, ctxReader{ctx, r})
	s.Size, s.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	return err
}

// unpack gives the files of an archive. With an error it gives those that came out before.
func (s Source) unpack(ctx context.Context, kind unpack.Kind, to *scratch) (set []Source, err error) {
	r, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	_, err = unpack.Walk(ctx, kind, seekAt{r}, s.Size, s.base(),
		unpack.Options{Bytes: maxUnpacked, Entry: maxUnpacked, Entries: maxFiles, TarGz: true}, func(e *unpack.Entry) error {
			if e.Role != unpack.RoleFile {
				return nil
			}
			one, err := to.keep(ctx, orName(e.Name), e.Content)
			if err == nil {
				set = append(set, one)
			}
			return err
		})
	return set, err
}

// seekAt reads at an offset, one call at a time.
type seekAt struct{ r io.ReadSeeker }

func (s seekAt) ReadAt(p []byte, off int64) (int, error) {
	if ra, ok := s.r.(io.ReaderAt); ok {
		return ra.ReadAt(p, off)
	}
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

func orName(name string) string {
	if name == "" {
		return "document"
	}
	return name
}

func poison(format string, a ...any) error {
	return &vaguemestre.Error{Op: "adullact", Class: vaguemestre.ClassPoison, Err: fmt.Errorf(format, a...)}
}
