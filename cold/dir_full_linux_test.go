package cold

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vaguemestre/vaguemestre"
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

// remount makes a small disk read-only, or writable again.
func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|flags, "size=4m"); err != nil {
		t.Fatal(err)
	}
}

// A disk that turned read-only blames no document and is no trouble once it is mended.
func TestDirReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t)
	s := Dir(disk + "/in")
	put := func(key string) error {
		_, err := s.Put(context.Background(), []*Document{fileDoc(key, key, key)})
		s.Close()
		return err
	}
	if err := put("1"); err != nil {
		t.Fatal(err)
	}
	remount(t, disk, unix.MS_RDONLY)
	if err := put("2"); vaguemestre.ClassOf(err) != vaguemestre.ClassSink || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
	remount(t, disk, 0)
	for _, key := range []string{"2", "1"} {
		if err := put(key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	entries, err := os.ReadDir(disk + "/in")
	if err != nil || len(entries) != 3 { // with .vaguemestre
		t.Errorf("%v, %v", entries, err)
	}
}

// unprivileged runs f as a user who may not write everywhere: root is nobody to the file
// system while it lasts, on this thread alone.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	defer unix.Setfsuid(0)
	f()
}
