package router

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/vaguemestre/vaguemestre"
)

func content(t *testing.T, a Attachment) []byte {
	t.Helper()
	rc, err := a.Open()
	must(t, err)
	defer rc.Close()
	data, err := io.ReadAll(rc)
	must(t, err)
	return data
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "Délibération 12.pdf")
	a := File(path)
	if a.Name != "Délibération 12.pdf" || a.Size != -1 || a.Type() != "application/pdf" {
		t.Errorf("File: %+v", a)
	}
	if _, err := a.Length(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for _, data := range []string{"un", "quatre"} { // taken when it is sent, each time
		must(t, os.WriteFile(path, []byte(data), 0o600))
		n, err := a.Length()
		if got := content(t, a); err != nil || n != int64(len(data)) || string(got) != data {
			t.Errorf("%q: %d, %v, %q", data, n, err, got)
		}
	}
	if _, err := File(filepath.Dir(path)).Open(); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a directory: %v", err)
	}
	must(t, a.Close())
}

func TestBytes(t *testing.T) {
	t.Parallel()
	a := Bytes("a.XML", "", []byte("abc"))
	if n, err := a.Length(); n != 3 || err != nil || a.Type() != "application/xml" || string(content(t, a)) != "abc" || string(content(t, a)) != "abc" {
		t.Errorf("Bytes: %+v %d %v", a, n, err)
	}
	for name, want := range map[string]string{"a": "application/octet-stream", "a.docx": mediaTypes[".docx"], "a.zzz": "application/octet-stream"} {
		if got := Bytes(name, "", nil).Type(); got != want {
			t.Errorf("type of %s: %s", name, got)
		}
	}
	for ext, mt := range mediaTypes {
		if checkMediaType(mt) != nil {
			t.Errorf("%s: %s is no media type", ext, mt)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("octets\r\n"), 50_000)
	for _, c := range []struct {
		name string
		max  int64
		file bool
	}{
		{"memory", 0, false}, {"file", 1000, true}, {"only file", -1, true}, {"just memory", int64(len(data)), false}, {"just file", int64(len(data)) - 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a, err := Reader("a.bin", "", iotest.HalfReader(bytes.NewReader(data)), &ReaderOptions{MaxMemory: c.max, Dir: dir})
			must(t, err)
			if (a.spool.file != nil) != c.file || a.Size != int64(len(data)) {
				t.Errorf("in a file: %v; size %d", a.spool.file != nil, a.Size)
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					rc, err := a.Open()
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := io.ReadAll(rc); err != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes, %v", len(got), err)
					}
					rc.Close()
				})
			}
			wg.Wait()
			m := &Message{Attachments: []Attachment{a}, Inline: []Attachment{Bytes("x", "", nil)}}
			must(t, m.Close(), m.Close())
			if _, err := a.Open(); err == nil {
				t.Error("opened after Close")
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestReaderFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("torn")
	for _, c := range []struct {
		name  string
		r     io.Reader
		o     ReaderOptions
		class vaguemestre.Class
		cause error
	}{
		{"at once", iotest.ErrReader(broken), ReaderOptions{}, vaguemestre.ClassPoison, broken},
		{"late", io.MultiReader(strings.NewReader(strings.Repeat("x", 5000)), iotest.ErrReader(broken)), ReaderOptions{MaxMemory: 100}, vaguemestre.ClassPoison, broken},
		{"too long in memory", strings.NewReader("1234567890"), ReaderOptions{MaxSize: 9}, vaguemestre.ClassPoison, nil},
		{"too long in a file", strings.NewReader("1234567890"), ReaderOptions{MaxSize: 9, MaxMemory: -1}, vaguemestre.ClassPoison, nil},
		{"no folder", strings.NewReader("1234567890"), ReaderOptions{MaxMemory: -1, Dir: "absent"}, vaguemestre.ClassSink, os.ErrNotExist},
	} {
		dir := t.TempDir()
		c.o.Dir = filepath.Join(dir, c.o.Dir)
		a, err := Reader("a", "", c.r, &c.o)
		if vaguemestre.ClassOf(err) != c.class || c.cause != nil && !errors.Is(err, c.cause) || a.Open != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left behind %v", c.name, left)
		}
	}
	a, err := Reader("a", "", strings.NewReader("123456789"), &ReaderOptions{MaxSize: 9})
	if err != nil || a.Size != 9 {
		t.Errorf("just long enough: %v", err)
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	open := func(r io.Reader) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
	}
	if n, err := (Attachment{Size: -1, Open: open(strings.NewReader("abcd"))}).Length(); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := (Attachment{Size: -1, Open: open(iotest.ErrReader(io.ErrUnexpectedEOF))}).Length(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	if _, err := (Attachment{Size: -1}).Length(); err == nil {
		t.Error("no Open function")
	}
}
