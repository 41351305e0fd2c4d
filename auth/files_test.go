package auth

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

func newFiles(t *testing.T) *Files {
	return &Files{Dir: filepath.Join(t.TempDir(), "tokens"), Key: testRing(t)}
}

// file returns the one file of values.
func (s *Files) file(t *testing.T, name string) string {
	t.Helper()
	path := s.path(name, ".token")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// refusesConfig fails unless loading name is an error of class config that keeps the file.
func (s *Files) refusesConfig(t *testing.T, what, name string) {
	t.Helper()
	v, _, err := s.Load(t.Context(), name)
	if v != nil || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || strings.Contains(err.Error(), "c4n4ry") {
		t.Fatalf("%s: %q, %v", what, v, err)
	}
}

// Whatever happens to a file, no wrong value comes of it.
func TestFileThatWasChanged(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	rev, err := s.Save(t.Context(), "a", []byte("secret-c4n4ry"), 0)
	if err != nil {
		t.Fatal(err)
	}
	path := s.file(t, "a")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(good, []byte("c4n4ry")) {
		t.Fatal("the value lies open in the file")
	}
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		write(bad)
		s.refusesConfig(t, "a flipped bit", "a")
		write(good[:i])
		s.refusesConfig(t, "a cut file", "a")
	}
	write(append(bytes.Clone(good), 'x'))
	s.refusesConfig(t, "a longer file", "a")
	if got, _ := os.ReadFile(path); !bytes.HasSuffix(got, []byte("x")) {
		t.Error("the file was touched")
	}
	write(good)
	if v, at, err := s.Load(t.Context(), "a"); string(v) != "secret-c4n4ry" || at != rev || err != nil {
		t.Errorf("the good file: %q, %d, %v", v, at, err)
	}
}

func TestFilesThatWereSwapped(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	for _, n := range []string{"a", "b"} {
		if _, err := s.Save(t.Context(), n, []byte("value of "+n), 0); err != nil {
			t.Fatal(err)
		}
	}
	a, b := s.file(t, "a"), s.file(t, "b")
	for _, m := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
		if err := os.Rename(m[0], m[1]); err != nil {
			t.Fatal(err)
		}
	}
	s.refusesConfig(t, "swapped", "a")
	s.refusesConfig(t, "swapped", "b")
}

// A value under another key is kept, told as what it is, and can be replaced.
func TestFileUnderAnotherKey(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	rev, err := s.Save(t.Context(), "a", []byte("x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := settings.NewKey([]byte("another-key-another-key-another-key"))
	ring, _ := settings.NewKeyring(key)
	other := &Files{Dir: s.Dir, Key: ring}
	other.refusesConfig(t, "another key", "a")
	_, at, err := other.Load(t.Context(), "a")
	if at != rev || !errors.Is(err, settings.ErrWrongKey) {
		t.Errorf("revision %d, %v", at, err)
	}
	if _, err := other.Save(t.Context(), "a", []byte("y"), 0); !errors.Is(err, ErrConflict) {
		t.Errorf("saving over it unasked: %v", err)
	}
	next, err := other.Save(t.Context(), "a", []byte("y"), rev)
	if err != nil || next <= rev {
		t.Fatal(next, err)
	}
	if v, _, err := other.Load(t.Context(), "a"); string(v) != "y" || err != nil {
		t.Error(v, err)
	}
}

func TestFilesNeedKeyAndDir(t *testing.T) {
	t.Parallel()
	good := newFiles(t)
	for _, s := range []*Files{{Dir: good.Dir}, {Key: good.Key}, {Dir: filepath.Join(good.Dir, "deeper"), Key: good.Key}, {Dir: os.Args[0], Key: good.Key}} {
		s.refusesConfig(t, s.Dir, "a")
		if _, err := s.Save(t.Context(), "a", []byte("x"), 0); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("save: %v", err)
		}
		if _, err := s.Lock(t.Context(), "a"); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("lock: %v", err)
		}
	}
	if _, err := os.Stat(good.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a directory was made without a key")
	}
}

// What others can read or have made is not trusted.
func TestFilesOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	t.Parallel()
	for name, spoil := range map[string]func(s *Files, path string) error{
		"a directory that all can read":    func(s *Files, _ string) error { return os.Chmod(s.Dir, 0o755) },
		"a directory that a group can use": func(s *Files, _ string) error { return os.Chmod(s.Dir, 0o710) },
		"a file that all can read":         func(_ *Files, path string) error { return os.Chmod(path, 0o644) },
		"a file that a group can write":    func(_ *Files, path string) error { return os.Chmod(path, 0o620) },
		"a link in place of the file": func(s *Files, path string) error {
			return errors.Join(os.Rename(path, s.Dir+"/other"), os.Symlink(s.Dir+"/other", path))
		},
		"a directory in place of the file": func(_ *Files, path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"a link in place of the directory": func(s *Files, _ string) error {
			return errors.Join(os.Rename(s.Dir, s.Dir+"2"), os.Symlink(s.Dir+"2", s.Dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFiles(t)
			rev, err := s.Save(t.Context(), "a", []byte("x"), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(s, s.file(t, "a")); err != nil {
				t.Fatal(err)
			}
			s.refusesConfig(t, name, "a")
			if _, err := s.Save(t.Context(), "a", []byte("y"), rev); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
				t.Errorf("save: %v", err)
			}
		})
	}
	if os.Geteuid() == 0 {
		s := newFiles(t)
		if _, err := s.Save(t.Context(), "a", []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(s.file(t, "a"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		s.refusesConfig(t, "a file of another user", "a")
		if err := os.Chown(s.Dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		s.refusesConfig(t, "a directory of another user", "a")
	}
}

func TestModesOfFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	t.Parallel()
	s := newFiles(t)
	// A crash has left half a file, and a link lies where the next is written.
	if _, _, err := s.Load(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	if err := os.Symlink(target, s.path("a", ".new")); err != nil {
		t.Fatal(err)
	}
	rev, err := s.Save(t.Context(), "a", []byte("x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("a", ".new"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), "a", []byte("y"), rev); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if _, err := os.Stat(target); !errors.Is(err, os.ErrNotExist) {
		t.Error("a link was written through")
	}
	dir, err := os.Stat(s.Dir)
	if err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", dir.Mode(), err)
	}
	list, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if st, err := e.Info(); err != nil || st.Mode().Perm() != 0o600 || !st.Mode().IsRegular() {
			t.Errorf("%s has mode %v, %v", e.Name(), st.Mode(), err)
		}
		if strings.HasSuffix(e.Name(), ".new") {
			t.Error("a temporary file is left")
		}
	}
}

func TestFilesHeedTheContext(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	ctx, cancel := context.WithCancel(t.Context())
	unlock, err := s.lock(ctx, "auth: test", "a", ".change") // somebody saves for ever
	if err != nil {
		if _, _, err = s.Load(ctx, "a"); err == nil { // makes the directory
			unlock, err = s.lock(ctx, "auth: test", "a", ".change")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := s.Save(ctx, "a", []byte("x"), 0); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("save: %v", err)
	}
	if _, _, err := s.Load(ctx, "a"); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("load: %v", err)
	}
}
