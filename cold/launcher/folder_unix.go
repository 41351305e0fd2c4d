//go:build unix

package launcher

import (
	"errors"
	"os"
	"syscall"
)

// openFlags keep an open from following a link that has just taken the file's place, and
// from waiting for the other end of a pipe.
const openFlags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	// QUIRK: some network file systems refuse fsync on a directory with EINVAL and keep
	// names safe by themselves (mount.cifs).
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// otherDisk tells whether a rename or link failed because its ends lie on two file systems.
func otherDisk(err error) bool { return errors.Is(err, syscall.EXDEV) }
