package dirstore

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames without ever replacing: fs.ErrExist when the name is taken,
// errors.ErrUnsupported when the file system cannot do it. Both names are single
// elements in directories that are held open, so no link can lead it astray.
func renameNew(from *os.File, old string, to *os.File, name string) error {
	err := unix.Renameat2(int(from.Fd()), old, int(to.Fd()), name, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		// QUIRK: NFS, 9p and some FUSE file systems know no RENAME_NOREPLACE (rename(2)).
		return errors.ErrUnsupported
	}
	return &fs.PathError{Op: "rename", Path: name, Err: err}
}
