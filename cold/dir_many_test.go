package cold

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/vaguemestre/vaguemestre/internal/dirstore"
)

// Many small Puts, each by a sink that opens the directory anew, keep every document
// once. (The index once forgot how full it was, so that every Put failed after 4,096
// documents.)
func TestDirManyPuts(t *testing.T) {
	t.Parallel()
	const n, batch = 10_500, 150
	dir := t.TempDir()
	if shm := "/dev/shm"; isDir(shm) { // syncs cost nothing there
		d, err := os.MkdirTemp(shm, "vaguemestre")
		if err == nil {
			dir = d
			t.Cleanup(func() { os.RemoveAll(d) })
		}
	}
	kept := Dir(dir)
	defer kept.Close()
	refs := make(map[string]string, n)
	for at, turn := 0, 0; at < n; turn++ {
		// Small and large batches, so that the growth of the index falls within some.
		size := 1 + turn%7*batch/3
		var docs []*Document
		for i := at; i < min(at+size, n); i++ {
			docs = append(docs, fileDoc(fmt.Sprint("key", i), fmt.Sprint("n", i), fmt.Sprint(i)))
		}
		at += len(docs)
		s := kept
		if turn%2 == 0 {
			s = Dir(dir) // as another process would
		}
		for i, r := range mustPut(t, s, docs...) {
			refs[docs[i].Key] = r
		}
		if s != kept {
			s.Close()
		}
		if turn == 40 { // as when the index is lost
			kept.Close()
			os.Remove(filepath.Join(dir, dirstore.MetaName, "index"))
		}
	}
	// All come again.
	for range 10 {
		var docs []*Document
		for range 300 {
			i := rand.IntN(n)
			docs = append(docs, fileDoc(fmt.Sprint("key", i), "again", "again"))
		}
		s := Dir(dir)
		for i, r := range mustPut(t, s, docs...) {
			if r != refs[docs[i].Key] {
				t.Fatalf("%s is %q, was %q", docs[i].Key, r, refs[docs[i].Key])
			}
		}
		s.Close()
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != n+1 {
		t.Errorf("%d names, want %d and the hidden one: %v", len(files), n, err)
	}
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
