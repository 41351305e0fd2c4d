//go:build !unix

package launcher

import (
	"errors"
	"os"
	"syscall"
)

const openFlags = os.O_RDONLY

// syncDir does nothing: names are as durable as NTFS makes them.
func syncDir(string) error { return nil }

// otherDisk tells whether a rename or link failed because its ends lie on two volumes:
// ERROR_NOT_SAME_DEVICE.
func otherDisk(err error) bool { return errors.Is(err, syscall.Errno(17)) }
