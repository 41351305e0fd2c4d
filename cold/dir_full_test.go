package cold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/dirstore"
)

// A disk that is full, at whatever point of a batch, blames no document, shows nothing
// by halves, and is no trouble once there is room.
func TestDirFull(t *testing.T) {
	for _, side := range []string{"without", "with"} {
		dir := smallDisk(t)
		s := &DirSink{Path: filepath.Join(dir, "in"), Sidecar: side == "with"}
		defer s.Close()
		ballast := filepath.Join(dir, "ballast")
		want := map[string]string{}
		full, passed := 0, 0
		// Less and less room is left, page by page, down to none.
		for round := range 44 {
			docs := func() []*Document {
				var docs []*Document
				for i := range 6 {
					key := fmt.Sprint(round, "-", i)
					docs = append(docs, fileDoc(key, key, strings.Repeat(key[:1], 9_000)))
				}
				return append(docs, inGroup(fmt.Sprint("g", round), fileDoc(fmt.Sprint(round, "-g1"), "x", "x"), fileDoc(fmt.Sprint(round, "-g2"), "y", "y"))...)
			}
			leave(t, ballast, int64(43-round)*4096)
			before := len(want)
			_, err := s.Put(context.Background(), docs())
			if err == nil {
				passed++
			} else {
				full++
				if vaguemestre.ClassOf(err) != vaguemestre.ClassSink || !dirstore.IsFull(err) || !strings.Contains(err.Error(), "make room") {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			seen := visible(t, s.Path)
			group := 0
			for name, content := range seen {
				if old, ok := want[name]; ok && old != content {
					t.Fatalf("round %d: %s changed", round, name)
				}
				if !strings.HasSuffix(name, dirstore.SideSuffix) && len(content) != 9_000 && len(content) != 1 {
					t.Fatalf("round %d: %s has %d bytes", round, name, len(content))
				}
				if strings.HasPrefix(name, fmt.Sprint("g", round, "/")) {
					group++
				}
			}
			if whole := map[string]int{"without": 2, "with": 4}[side]; group != 0 && group != whole {
				t.Fatalf("round %d: %d files of a group of %d", round, group, whole)
			}
			for name := range want {
				if _, ok := seen[name]; !ok {
					t.Fatalf("round %d: %s is gone", round, name)
				}
			}
			// There is room again: by the same sink or another.
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			again := s
			if round%2 == 0 {
				again = &DirSink{Path: s.Path, Sidecar: s.Sidecar}
				defer again.Close()
			}
			mustPut(t, again, docs()...)
			want = visible(t, s.Path)
			if n := map[string]int{"without": 8, "with": 16}[side]; len(want) != before+n {
				t.Fatalf("round %d: %d files, want %d: %q", round, len(want), before+n, keysOf(want))
			}
			if left, _ := os.ReadDir(filepath.Join(s.Path, dirstore.MetaName, "tmp")); len(left) > 0 {
				t.Fatalf("round %d: left %v", round, left)
			}
			// Take the files away, as their reader does, to begin with an empty disk.
			for name := range want {
				os.RemoveAll(filepath.Join(s.Path, strings.Split(name, "/")[0]))
			}
			want = map[string]string{}
		}
		if full < 5 || passed < 5 {
			t.Errorf("%s sidecar: the disk was full %d times and not %d times: the test missed its aim", side, full, passed)
		}
		t.Logf("%s sidecar: full %d times, passed %d times", side, full, passed)
	}
}

// leave fills the disk of a file with that file until room bytes are left.
func leave(t *testing.T, ballast string, room int64) {
	t.Helper()
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := bytes.Repeat([]byte{1}, 4096)
	size := int64(0)
	for {
		if _, err := f.Write(page); err != nil {
			if !dirstore.IsFull(err) {
				t.Fatal(err)
			}
			break
		}
		size += int64(len(page))
	}
	if err := errors.Join(f.Truncate(max(size-room, 0)), f.Sync()); err != nil {
		t.Fatal(err)
	}
}
