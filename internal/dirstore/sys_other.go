//go:build !windows && (!unix || aix || solaris || illumos)

package dirstore

import (
	"errors"
	"os"
	"syscall"
)

// tryLock is not available here.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// unlock gives it back while f stays open.
func unlock(*os.File) error { return errors.ErrUnsupported }

func syncDir(d *os.File) error { return d.Sync() }

// IsFull reports whether a disk or a quota is full.
func IsFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }
