//go:build !linux

package cold

import (
	"os"
	"runtime"
	"testing"
)

// smallDisk is a file system of four mebibytes.
func smallDisk(t *testing.T) string {
	t.Skip("no small disk can be mounted here")
	return ""
}

// unprivileged runs f as a user who may not write everywhere.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("this user may write everywhere, or modes mean nothing here")
	}
	f()
}
