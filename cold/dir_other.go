//go:build !windows && (!unix || aix || solaris || illumos)

package cold

import (
	"errors"
	"os"
	"syscall"
)

// tryLock is not available here.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func syncDir(r *os.Root) error {
	d, err := r.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }
