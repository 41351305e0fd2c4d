package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// Open implements [cold.Session]. An item that is no longer what its key says is gone: the
// next listing shows it under another key. What changes while it is read is refused by the
// job, and the others go on. Each item is confirmed as soon as it was read.
func (s *folderSession) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	given := make(map[string]bool, len(items))
	for _, it := range items {
		if err := s.ready(ctx, "open"); err != nil {
			return err
		}
		if given[it.Key] {
			continue
		}
		given[it.Key] = true
		rel, dir, print, ok := s.parse(it.Key)
		if !ok {
			continue
		}
		at := rel
		if _, err := s.root.Lstat(rel); errors.Is(err, fs.ErrNotExist) {
			at = asideOf(rel, it.Key) // where a removal that was cut off has left it
		}
		c, closer, err := s.content(ctx, at, dir, print)
		switch {
		case ctx.Err() != nil:
			continue // ready tells
		case err != nil:
			c = &cold.Content{Err: err}
		case c == nil:
			continue
		default:
			c.Name = readable(rel)
		}
		err = got(it, c)
		if closer != nil {
			closer.Close()
		}
		if err == nil && c.Err == nil {
			err = got(it, nil)
		}
		if err != nil {
			if ctx.Err() != nil {
				return s.ready(ctx, "open")
			}
			return err
		}
	}
	return s.ready(ctx, "open")
}

// content opens what lies at rel; nil if it is not what print says.
func (s *folderSession) content(ctx context.Context, rel string, dir bool, print string) (*cold.Content, io.Closer, error) {
	if dir {
		u, err := s.tree(ctx, rel, new(int))
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && u.print != print:
			return nil, nil, nil
		case err != nil:
			return nil, nil, sourceOnly(folderError("open", rel, err))
		case u.bad != "":
			return nil, nil, errFolder("open", vaguemestre.ClassPoison, "the directory %s is refused as a whole: %s", quote(readable(rel)), u.bad)
		}
		return &cold.Content{Files: s.leaves(ctx, rel, u)}, nil, nil
	}
	fi, err := s.root.Lstat(rel)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && (!fi.Mode().IsRegular() || filePrint(fi.Size(), fi.ModTime()) != print):
		return nil, nil, nil
	case err != nil:
		return nil, nil, sourceOnly(folderError("open", rel, err))
	}
	b, err := s.read(ctx, rel, print, fi.Size())
	if errors.Is(err, errChanged) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, sourceOnly(err)
	}
	return &cold.Content{Size: fi.Size(), Body: b}, b, nil
}

// sourceOnly makes every failure of one file the source's: the others go on.
func sourceOnly(err error) error {
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		c := *e
		c.Class = vaguemestre.ClassSource
		return &c
	}
	return err
}

// errChanged is why a file is not taken now.
var errChanged = errors.New("it changed while it was read: the next run takes it as it is then")

// read opens the file at rel, which must be what print says.
func (s *folderSession) read(ctx context.Context, rel, print string, size int64) (*fileBody, error) {
	f, err := s.root.OpenFile(rel, openFlags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &vaguemestre.Error{Op: "folder: open", Class: vaguemestre.ClassSource, Err: fmt.Errorf("%s: %w", quote(readable(rel)), errChanged)}
	} else if err != nil {
		return nil, folderError("open", readable(rel), err)
	}
	b := &fileBody{s: s, ctx: ctx, f: f, rel: rel, print: print, left: size}
	if err := b.unchanged(); err != nil {
		f.Close()
		return nil, &vaguemestre.Error{Op: "folder: open", Class: vaguemestre.ClassSource, Err: fmt.Errorf("%s: %w", quote(readable(rel)), err)}
	}
	return b, nil
}

// fileBody reads one file. It gives the last bytes only after the file was found to be still
// what it was: of one that is not, fewer bytes come than were announced.
type fileBody struct {
	s     *folderSession
	ctx   context.Context
	f     *os.File
	rel   string
	print string
	left  int64
	fault error // why fewer bytes come
}

func (b *fileBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left == 0 || b.fault != nil {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.f.Read(p)
	if int64(n) == b.left {
		err = b.unchanged()
	} else if err == io.EOF {
		err = errChanged
	}
	if err != nil {
		b.fault = fmt.Errorf("%s: %w", quote(readable(b.rel)), err)
		b.s.log.Warn("collect: not taken now", "path", readable(b.rel), "reason", err)
		return 0, io.EOF
	}
	b.left -= int64(n)
	return n, nil
}

// unchanged compares the file, and what its name leads to, with what the listing saw.
func (b *fileBody) unchanged() error {
	open, err := b.f.Stat()
	if err != nil {
		return err
	}
	named, err := b.s.root.Lstat(b.rel)
	if err != nil || !named.Mode().IsRegular() || !os.SameFile(open, named) ||
		filePrint(open.Size(), open.ModTime()) != b.print || filePrint(named.Size(), named.ModTime()) != b.print {
		return errChanged
	}
	return nil
}

func (b *fileBody) Close() error { return b.f.Close() }
