package dirstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

func file(key, name, text string) File {
	return File{Key: key, Name: name, Size: int64(len(text)), Open: func() (io.ReadSeekCloser, error) { return content{bytes.NewReader([]byte(text))}, nil }}
}

// tryPut opens a target anew for one Put.
func tryPut(dir string, files ...File) ([]string, error) {
	s, err := Open(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Put(context.Background(), files)
}

func put(t testing.TB, dir string, files ...File) []string {
	t.Helper()
	refs, err := tryPut(dir, files...)
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

// visible is what the user of a directory sees: path to content.
func visible(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		if p == MetaName {
			return fs.SkipDir
		}
		if e.Type().IsRegular() {
			b, err := os.ReadFile(filepath.Join(dir, p))
			out[p] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// quickDir is a directory where a sync costs nothing, if there is one.
func quickDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "vaguemestre")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// copyTree is what a crash leaves on the disk of a machine that stays up.
func copyTree(t testing.TB, from, to string) {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Error(err)
	}
}

// A store that is kept open sees what others did meanwhile, and says so.
func TestLockAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, c := range []struct {
		what    string
		change  func(dir string) error
		changed bool
	}{
		{"nothing", func(string) error { return nil }, false},
		{"a reader took a file", func(dir string) error { return os.Remove(filepath.Join(dir, "a")) }, false},
		{"somebody died while staging", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, MetaName, "tmp", keyHash("2")), []byte("half"), 0o600)
		}, false},
		{"somebody stored", func(dir string) error { _, err := tryPut(dir, file("x", "x", "x")); return err }, true},
		{"the journal is gone", func(dir string) error { return os.Remove(filepath.Join(dir, MetaName, journalName)) }, true},
		{"all was forgotten", func(dir string) error { return os.RemoveAll(filepath.Join(dir, MetaName)) }, true},
		{"another directory", func(dir string) error { return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)) }, true},
	} {
		dir := filepath.Join(t.TempDir(), "in")
		s, err := Open(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(ctx, []File{file("1", "a", "1")}); err != nil {
			t.Fatal(err)
		}
		if err := s.Unlock(); err != nil {
			t.Skip("no locks here: ", err)
		}
		if err := c.change(dir); err != nil {
			t.Logf("%s: %v", c.what, err) // Windows does not let it happen
			s.Close()
			continue
		}
		err = s.Lock(ctx)
		if errors.Is(err, ErrChanged) != c.changed || !c.changed && err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if err == nil {
			if _, err := s.Put(ctx, []File{file("1", "a", "1"), file("2", "b", "2")}); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			if v := visible(t, dir); v["b"] != "2" {
				t.Errorf("%s: %q", c.what, v)
			}
		}
		s.Close()
	}
}
