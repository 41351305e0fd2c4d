//go:build !unix || aix || solaris || illumos

package auth

import (
	"os"
	"time"
)

// openOwn opens a file for reading; who may do so is said by the rights of its directory.
func openOwn(path string) (*os.File, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, loose(path, "is no file: remove it")
	}
	return os.Open(path)
}

func checkDir(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return loose(dir, "is no directory")
	}
	return nil
}

// rename tries for a while: QUIRK: Windows refuses while somebody reads the old file.
func rename(from, to string) error {
	err := os.Rename(from, to)
	for range 50 {
		if err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
		err = os.Rename(from, to)
	}
	return err
}

// syncDir does nothing: NTFS journals names.
func syncDir(string) error { return nil }
