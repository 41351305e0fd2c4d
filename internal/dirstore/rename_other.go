//go:build !linux

package dirstore

import (
	"errors"
	"os"
)

// renameNew is not available here: see Store.move for what is done instead.
func renameNew(*os.File, string, *os.File, string) error { return errors.ErrUnsupported }
