package launcher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre"
)

// member is a file of a directory that is one item.
type member struct {
	name  string // path below the directory
	size  int64
	mtime time.Time
}

// tree is a directory that is one item, as it stands now.
type tree struct {
	files   []member // in the order of their names; without the end marker, hidden and temporary ones
	size    int64
	newest  time.Time   // of the files
	touched time.Time   // of all that is in it, hidden names and directories included
	mark    fs.FileInfo // the end marker; nil without one
	writing string      // a temporary file in it
	hidden  string      // a hidden name in it, which is not taken
	bad     string      // why it cannot be taken, now or ever
	print   string
}

// tree reads the names, sizes and times of a directory.
func (s *folderSession) tree(ctx context.Context, rel string, names *int) (*tree, error) {
	top, err := s.root.Lstat(rel)
	if err != nil {
		return nil, err
	}
	u := &tree{mark: s.marker(rel), touched: top.ModTime()}
	if err := s.grow(ctx, u, rel, rel, 0, names); err != nil {
		return nil, err
	}
	slices.SortFunc(u.files, func(a, b member) int { return strings.Compare(a.name, b.name) })
	h := sha256.New()
	for _, f := range u.files {
		fmt.Fprintf(h, "%d:%s %s\n", len(f.name), f.name, filePrint(f.size, f.mtime))
	}
	if u.bad != "" {
		fmt.Fprintf(h, "bad %s", u.bad)
	}
	u.print = fmt.Sprintf("files=%d;size=%d;tree=%s", len(u.files), u.size, hex.EncodeToString(h.Sum(nil)[:16]))
	return u, nil
}

func (s *folderSession) grow(ctx context.Context, u *tree, top, dir string, depth int, names *int) error {
	if depth > folderDepth {
		u.bad = "its sub-directories lie too deep"
		return nil
	}
	return s.each(ctx, dir, names, func(rel string, fi fs.FileInfo) error {
		name := strings.TrimPrefix(rel, top+"/")
		if fi.ModTime().After(u.touched) {
			u.touched = fi.ModTime()
		}
		switch {
		case fi.Name() == ".DS_Store": // QUIRK: macOS leaves one in every directory that it shows
		case hidden(fi.Name()):
			u.hidden = name
		case !utf8.ValidString(name):
			u.bad = "a name in it is no UTF-8: rename it"
		case fi.IsDir():
			return s.grow(ctx, u, top, rel, depth+1, names)
		case name == s.l.EndMarker:
		case s.l.ignored(fi.Name()):
			u.writing = name
		case !fi.Mode().IsRegular():
			u.bad = quote(name) + " in it cannot be taken: " + special(fi.Mode())
		default:
			u.files = append(u.files, member{name, fi.Size(), fi.ModTime()})
			u.size += fi.Size()
		}
		if !fi.IsDir() && !hidden(fi.Name()) && fi.ModTime().After(u.newest) && name != s.l.EndMarker {
			u.newest = fi.ModTime()
		}
		return nil
	})
}

// leaves are the files of a tree as a file system. Each is opened, read and compared with
// what the listing saw of it; another size or time is an error of class source.
type leaves struct {
	s   *folderSession
	ctx context.Context
	rel string
	all map[string][]fs.DirEntry // by directory
}

func (s *folderSession) leaves(ctx context.Context, rel string, u *tree) *leaves {
	l := &leaves{s: s, ctx: ctx, rel: rel, all: map[string][]fs.DirEntry{".": nil}}
	for _, m := range u.files {
		l.put(m.name, leafInfo{member: m})
	}
	return l
}

func (l *leaves) put(name string, info leafInfo) {
	dir := path.Dir(name)
	if _, known := l.all[dir]; !known {
		l.all[dir] = nil
		l.put(dir, leafInfo{member: member{name: dir}, dir: true})
	}
	l.all[dir] = append(l.all[dir], fs.FileInfoToDirEntry(info))
}

// Open implements [fs.FS].
func (l *leaves) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if list, ok := l.all[name]; ok {
		return &branch{leafInfo{member: member{name: name}, dir: true}, list}, nil
	}
	for _, e := range l.all[path.Dir(name)] {
		if info, _ := e.Info(); e.Name() == path.Base(name) {
			m := info.(leafInfo).member
			f, err := l.s.read(l.ctx, path.Join(l.rel, name), filePrint(m.size, m.mtime), m.size)
			if err != nil {
				return nil, err
			}
			return &leaf{fileBody: f, info: info}, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// leafInfo implements [fs.FileInfo].
type leafInfo struct {
	member
	dir bool
}

func (i leafInfo) Name() string       { return path.Base(i.name) }
func (i leafInfo) Size() int64        { return i.size }
func (i leafInfo) ModTime() time.Time { return i.mtime }
func (i leafInfo) IsDir() bool        { return i.dir }
func (i leafInfo) Sys() any           { return nil }
func (i leafInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// branch is an open directory.
type branch struct {
	leafInfo
	left []fs.DirEntry
}

func (b *branch) Stat() (fs.FileInfo, error) { return b.leafInfo, nil }
func (b *branch) Close() error               { return nil }
func (b *branch) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: b.name, Err: fs.ErrInvalid}
}

// ReadDir implements [fs.ReadDirFile].
func (b *branch) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(b.left)
	} else if len(b.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(b.left))
	list := b.left[:n:n]
	b.left = b.left[n:]
	return list, nil
}

// leaf is an open file.
type leaf struct {
	*fileBody
	info fs.FileInfo
}

func (f *leaf) Stat() (fs.FileInfo, error) { return f.info, nil }

// Read tells a change as an error, since nobody counts the bytes of a file in a directory.
func (f *leaf) Read(p []byte) (int, error) {
	n, err := f.fileBody.Read(p)
	if err != nil && f.fileBody.fault != nil {
		err = &vaguemestre.Error{Op: "folder: read", Class: vaguemestre.ClassSource, Err: f.fileBody.fault}
	}
	return n, err
}
