package cold

import (
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of four mebibytes.
func smallDisk(t *testing.T) string {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("only root may mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v: a sink keeps files open after Close", err)
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	return dir
}
