package dirstore

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// createIn makes a new file in a directory, or one below that we made. A single element
// needs no walk of its path: it cannot lead out of dir.
func createIn(root *os.Root, dir *os.File, name string) (*os.File, error) {
	if strings.ContainsRune(name, '/') {
		return root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	for {
		fd, err := unix.Openat(int(dir.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), name), nil
		case unix.EINTR:
		default:
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// writeBack begins to write f to the disk and does not wait: the disk works while the
// next file is read. It promises nothing, so its errors say nothing; fsync tells them.
func writeBack(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}

// exists reports whether a name is taken in a directory; a link is not followed.
func exists(_ *os.Root, dir *os.File, name string) (bool, error) {
	var st unix.Stat_t
	for {
		switch err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
		case nil:
			return true, nil
		case unix.ENOENT:
			return false, nil
		case unix.EINTR:
		default:
			return false, &os.PathError{Op: "lstat", Path: name, Err: err}
		}
	}
}
