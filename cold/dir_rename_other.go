//go:build !linux

package cold

import (
	"errors"
	"os"
)

// renameNew is not available here: see dirPlace.move for what is done instead.
func renameNew(*os.Root, string, *os.Root, string) error { return errors.ErrUnsupported }
