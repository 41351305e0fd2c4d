//go:build !linux

package dirstore

import (
	"errors"
	"io/fs"
	"os"
)

// createIn makes a new file in a directory, or one below that we made.
func createIn(root *os.Root, _ *os.File, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// writeBack is left to fsync here.
func writeBack(*os.File) {}

// exists reports whether a name is taken in a directory; a link is not followed.
func exists(root *os.Root, _ *os.File, name string) (bool, error) {
	_, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
