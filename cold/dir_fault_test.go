package cold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/dirstore"
)

// Whatever makes Put fail, nothing is seen and nothing is left.
func TestDirErrors(t *testing.T) {
	t.Parallel()
	wrongSum, wrongSize := fileDoc("2", "b", "x"), fileDoc("2", "b", "x")
	wrongSum.SHA256 = strings.Repeat("0", 64)
	wrongSize.Size = 2
	noOpen, noRead := fileDoc("2", "b", "x"), fileDoc("2", "b", "x")
	noOpen.Open = func() (io.ReadSeekCloser, error) { return nil, errors.New("gone") }
	noRead.Open = func() (io.ReadSeekCloser, error) { return brokenReader{}, nil }
	full := fileDoc("2", "b", "x")
	full.Open = func() (io.ReadSeekCloser, error) {
		return nil, &vaguemestre.Error{Op: "spool", Class: vaguemestre.ClassSink}
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancelLate := context.WithCancel(context.Background())
	cancels := fileDoc("2", "b", "x")
	cancels.Open = func() (io.ReadSeekCloser, error) {
		cancelLate()
		return seekNop{bytes.NewReader([]byte("x"))}, nil
	}
	for _, c := range []struct {
		what  string
		ctx   context.Context
		doc   *Document
		class vaguemestre.Class
		says  string
	}{
		{"sum", context.Background(), wrongSum, vaguemestre.ClassPoison, "not the one announced"},
		{"size", context.Background(), wrongSize, vaguemestre.ClassPoison, "1 bytes instead of the 2"},
		{"open", context.Background(), noOpen, vaguemestre.ClassPoison, "gone"},
		{"read", context.Background(), noRead, vaguemestre.ClassPoison, "half"},
		{"open with a class", context.Background(), full, vaguemestre.ClassSink, "spool"},
		{"no key", context.Background(), fileDoc("", "b", "x"), vaguemestre.ClassPoison, "key"},
		{"canceled", canceled, fileDoc("2", "b", "x"), vaguemestre.ClassCanceled, ""},
		{"canceled late", late, cancels, vaguemestre.ClassCanceled, ""},
	} {
		dir := t.TempDir()
		s := Dir(dir)
		docs := append([]*Document{fileDoc("1", "a", "1")}, inGroup("g", fileDoc("3", "c", "3"), c.doc)...)
		got, err := s.Put(c.ctx, docs)
		if vaguemestre.ClassOf(err) != c.class || !strings.Contains(fmt.Sprint(err), c.says) || got != nil {
			t.Errorf("%s: %v, %v (class %q)", c.what, got, err, vaguemestre.ClassOf(err))
		}
		wantNames(t, dir)
		if left, _ := os.ReadDir(filepath.Join(dir, dirstore.MetaName, "tmp")); len(left) > 0 {
			t.Errorf("%s: left %v", c.what, left)
		}
		mustPut(t, s, fileDoc("1", "a", "1"))
		wantNames(t, dir, "a")
	}
	if _, err := (&DirSink{}).Put(context.Background(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("no path: %v", err)
	}
	if _, err := Dir(filepath.Join(t.TempDir(), "x", "y")).Put(context.Background(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassSink || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
	if got, err := Dir(t.TempDir()).Put(context.Background(), nil); err != nil || len(got) != 0 {
		t.Errorf("no documents: %v, %v", got, err)
	}
}

type brokenReader struct{ io.ReadSeeker }

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("half") }

func (brokenReader) Close() error { return nil }

// A link in place of the hidden directory does not lead outside.
func TestDirHostileTarget(t *testing.T) {
	t.Parallel()
	for _, link := range []string{dirstore.MetaName, dirstore.MetaName + "/tmp", dirstore.MetaName + "/journal", dirstore.MetaName + "/index"} {
		dir, outside := t.TempDir(), t.TempDir()
		os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o700)
		if err := os.Symlink(filepath.Join(outside, "x"), filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here")
		}
		os.Mkdir(filepath.Join(outside, "x"), 0o700)
		if _, err := Dir(dir).Put(context.Background(), []*Document{fileDoc("1", "a", "1")}); err == nil {
			t.Errorf("%s: no error", link)
		}
		if left, _ := os.ReadDir(filepath.Join(outside, "x")); len(left) > 0 {
			t.Errorf("%s: wrote %v outside", link, left)
		}
		wantNames(t, dir)
	}
}

// A Put that waits for another one ends with its context.
func TestDirLockHonoursContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := dirstore.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := Dir(dir).Put(ctx, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

// A directory without the right to write blames no document.
func TestDirReadOnly(t *testing.T) {
	dir, err := os.MkdirTemp("", "vaguemestre-readonly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700); os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, func() {
		_, err := Dir(dir).Put(context.Background(), []*Document{fileDoc("1", "a", "1")})
		if vaguemestre.ClassOf(err) != vaguemestre.ClassSink || !strings.Contains(err.Error(), "right to write") {
			t.Errorf("got %v", err)
		}
	})
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
		{dirstore.ErrJournal, vaguemestre.ClassSink, "backup"},
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
