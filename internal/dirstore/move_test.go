package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Both ways to move give a name once and replace nothing.
func TestMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, move := range []func(string, string) error{s.move, s.moveByHand} {
		file, group := fmt.Sprint("f", i), fmt.Sprint("g", i)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(s.tmp.WriteFile(file, []byte("ours"), 0o600))
		must(s.tmp.Mkdir(group, 0o700))
		must(s.tmp.WriteFile(group+"/a", []byte("ours"), 0o600))
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
		if left, _ := os.ReadDir(filepath.Join(dir, MetaName, "tmp")); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
	// A crash between the second name and the removal of the first is finished.
	if err := s.tmp.WriteFile("x", []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, MetaName, "tmp", "x"), filepath.Join(dir, "linked")); err != nil {
		t.Skip("no hard links here")
	}
	if err := s.moveByHand("x", "linked"); err != nil {
		t.Error(err)
	}
	if _, err := s.tmp.Lstat("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the first name is still there: %v", err)
	}
}
