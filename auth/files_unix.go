//go:build unix && !aix && !solaris && !illumos

package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openOwn opens a file for reading that nobody else can read or could have put there.
func openOwn(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, loose(path, "is a symbolic link: somebody has put it there, remove it")
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = loose(path, "is no file: remove it")
	}
	if err == nil {
		err = own(path, st)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// checkDir refuses a directory that others can look into.
func checkDir(dir string) error {
	st, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case st.Mode()&fs.ModeSymlink != 0:
		return loose(dir, "is a symbolic link: give the directory itself")
	case !st.IsDir():
		return loose(dir, "is no directory")
	}
	return own(dir, st)
}

func own(path string, st fs.FileInfo) error {
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return loose(path, fmt.Sprintf("can be used by others (mode %04o): see who had access, then chmod go= it", mode))
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return loose(path, fmt.Sprintf("belongs to user id %d, the program runs as %d: chown it or run as that user", sys.Uid, os.Geteuid()))
	}
	return nil
}

func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes a new name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// QUIRK: some file systems refuse fsync on a directory with EINVAL and keep names safe by
	// themselves (mount.cifs).
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
