package launcher

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vaguemestre/vaguemestre/internal/step"
)

// rename gives a file or directory another name on the same file system and replaces
// nothing: fs.ErrExist when the name is taken.
func rename(from, to string, dir bool) error {
	if !dir {
		err := os.Link(from, to)
		switch {
		case err == nil:
			return os.Remove(from)
		case errors.Is(err, fs.ErrExist):
			if a, err := os.Lstat(from); err == nil {
				if b, err := os.Lstat(to); err == nil && os.SameFile(a, b) { // interrupted between the two
					return os.Remove(from)
				}
			}
			return fs.ErrExist
		case otherDisk(err):
			return err
		}
	}
	// QUIRK: FAT and many shares have no links; nobody has links of directories. Only here
	// somebody who makes the name in this very moment is not seen; rename(2) still refuses to
	// replace a directory that holds something.
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(from, to)
}

// name is where the item goes in the target, as the n-th choice.
func (a *removal) name(n int) string {
	return numbered(filepath.Join(a.target, filepath.FromSlash(a.rel)), n, a.dir)
}

// placed finds the item in the target, where an earlier run has moved it.
func (a *removal) placed() (string, bool) {
	for n := 1; a.target != "" && n <= mostNumbers; n++ {
		to := a.name(n)
		fi, err := os.Lstat(to)
		if err != nil {
			break
		}
		if a.looksSame(to, fi) {
			return to, true
		}
	}
	return "", false
}

// looksSame compares sizes and times of what lies outside the watched directory.
func (a *removal) looksSame(file string, fi fs.FileInfo) bool {
	if fi.IsDir() != a.dir {
		return false
	}
	if !a.dir {
		return fi.Mode().IsRegular() && filePrint(fi.Size(), fi.ModTime()) == a.print
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return false
	}
	defer root.Close()
	there := &folderSession{l: a.s.l, root: root, log: a.s.log}
	u, err := there.tree(a.ctx, filepath.Base(file), new(int))
	return err == nil && u.print == a.print
}

// move moves what was taken aside to the target. It is not same if it changed meanwhile;
// then, and on an error, it is still aside.
func (a *removal) move() (ref string, same bool, err error) {
	from := a.s.abs(a.aside)
	if err := makeDir(filepath.Dir(a.name(1))); err != nil {
		return "", true, err
	}
	ref, err = a.place(from)
	if err == nil || !otherDisk(err) {
		return ref, true, err
	}
	if ref = a.copied(from); ref == "" {
		temp := filepath.Join(filepath.Dir(a.name(1)), asideName(a.key, "")+".part")
		step.Before(step.FolderCopy)
		err = copyAll(a.ctx, from, temp)
		step.After(step.FolderCopy)
		if same, serr := a.same(a.aside); err == nil && (!same || serr != nil) {
			return "", same, errors.Join(serr, os.RemoveAll(temp))
		}
		if err == nil {
			ref, err = a.place(temp)
		}
		if err != nil {
			os.RemoveAll(temp)
			return "", true, err
		}
	}
	// the copy must be found after a power cut before the original goes
	if err := syncDir(filepath.Dir(ref)); err != nil {
		return "", true, err
	}
	return ref, true, a.remove()
}

// place gives from its name in the target.
func (a *removal) place(from string) (string, error) {
	for n := 1; n <= mostNumbers; n++ {
		to := a.name(n)
		step.Before(step.FolderPlace)
		err := rename(from, to, a.dir)
		step.After(step.FolderPlace)
		if !errors.Is(err, fs.ErrExist) {
			a.changed(to)
			return to, err
		}
	}
	return "", errNoName
}

// copied finds a copy that an earlier run has made; "" without one.
func (a *removal) copied(from string) string {
	for n := 1; n <= mostNumbers; n++ {
		to := a.name(n)
		fi, err := os.Lstat(to)
		if err != nil {
			break
		}
		if a.looksSame(to, fi) && (a.dir || equal(from, to)) {
			return to
		}
	}
	return ""
}

// equal compares two files.
func equal(a, b string) bool {
	f, err := os.Open(a)
	if err != nil {
		return false
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return false
	}
	defer g.Close()
	p, q := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(f, p)
		m, _ := io.ReadFull(g, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return false
		}
		if err != nil {
			return err == io.EOF || err == io.ErrUnexpectedEOF
		}
	}
}

// copyAll copies a file or a directory with all that is in it, times included, durably.
func copyAll(ctx context.Context, from, to string) error {
	if err := os.RemoveAll(to); err != nil { // of an earlier run
		return err
	}
	var made []string
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			made = append(made, dst)
			return os.Mkdir(dst, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			leads, err := os.Readlink(file)
			if err != nil {
				return err
			}
			return os.Symlink(leads, dst)
		}
		return copyFile(ctx, file, dst)
	})
	for i := len(made) - 1; i >= 0 && err == nil; i-- {
		err = syncDir(made[i])
	}
	return err
}

func copyFile(ctx context.Context, from, to string) (err error) {
	src, err := os.OpenFile(from, openFlags, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	fi, err := src.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return errors.New(special(fi.Mode()) + " and cannot be moved to another file system: remove it")
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fi.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return src.Read(p)
	}))
	if err == nil {
		err = os.Chtimes(to, fi.ModTime(), fi.ModTime())
	}
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
