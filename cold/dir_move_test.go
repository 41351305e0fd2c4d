package cold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

// Both ways to move give a name once and replace nothing.
func TestDirMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := openPlace(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for i, move := range []func(string, string) error{p.move, p.moveByHand} {
		file, group := fmt.Sprint("f", i), fmt.Sprint("g", i)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(p.tmp.WriteFile(file, []byte("ours"), 0o600))
		must(p.tmp.Mkdir(group, 0o700))
		must(p.tmp.WriteFile(group+"/a", []byte("ours"), 0o600))
		must(os.WriteFile(filepath.Join(dir, "taken"), []byte("theirs"), 0o600))
		for _, temp := range []string{file, group} {
			if err := move(temp, "taken"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s onto a file: %v", temp, err)
			}
		}
		must(move(file, file))
		must(move(group, group))
		if v := visible(t, dir); v[file] != "ours" || v[group+"/a"] != "ours" || v["taken"] != "theirs" {
			t.Errorf("visible: %q", v)
		}
		if left, _ := os.ReadDir(filepath.Join(dir, metaName, "tmp")); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
	// A crash between the second name and the removal of the first is finished.
	if err := p.tmp.WriteFile("x", []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, metaName, "tmp", "x"), filepath.Join(dir, "linked")); err != nil {
		t.Skip("no hard links here")
	}
	if err := p.moveByHand("x", "linked"); err != nil {
		t.Error(err)
	}
	if _, err := p.tmp.Lstat("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the first name is still there: %v", err)
	}
}

func TestDirErrorText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		class vaguemestre.Class
		says  string
	}{
		{syscall.ENOSPC, vaguemestre.ClassSink, "make room"},
		{syscall.EROFS, vaguemestre.ClassSink, "read-only"},
		{syscall.EACCES, vaguemestre.ClassSink, "right to write"},
		{syscall.ENOENT, vaguemestre.ClassSink, "mount its file system"},
		{syscall.EMFILE, vaguemestre.ClassSink, "limit of open files"},
		{syscall.EIO, vaguemestre.ClassSink, "can be written"},
		{errJournal, vaguemestre.ClassSink, "backup"},
		{context.Canceled, vaguemestre.ClassCanceled, "canceled"},
		{context.DeadlineExceeded, vaguemestre.ClassCanceled, "deadline"},
	} {
		if runtime.GOOS == "windows" && c.err == syscall.ENOSPC {
			continue // it has a number of its own there
		}
		err := Dir("in").error(&fs.PathError{Op: "write", Path: "x", Err: c.err})
		if vaguemestre.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "cold: dir: ") {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
