package cold

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/internal/dirstore"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// copyTree is what a crash leaves on the disk of a machine that stays up.
func copyTree(t testing.TB, from, to string) {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Error(err)
	}
}

// A crash is a copy of the directory at every step of a Put. From each the same Put
// leads to what an uninterrupted one gives, also if the reader took away what it saw.
func TestDirCrash(t *testing.T) {
	docs := func() []*Document {
		return append([]*Document{fileDoc("1", "a.pdf", "one"), fileDoc("2", "a.pdf", "two"), fileDoc("3", "b.pdf", "one")},
			inGroup("g", fileDoc("4", "a.pdf", "four"), fileDoc("5", "c.pdf", "five"))...)
	}
	for _, side := range []string{"without", "with"} {
		dir, snaps := t.TempDir(), t.TempDir()
		s := &DirSink{Path: dir, Sidecar: side == "with"}
		mustPut(t, s, fileDoc("0", "b.pdf", "before"))
		n, hit := 0, map[step.Name]bool{}
		step.Set(func(name step.Name, after bool) {
			hit[name] = true
			copyTree(t, dir, filepath.Join(snaps, fmt.Sprintf("%03d-%s-%v", n, name, after)))
			n++
		})
		refs := mustPut(t, s, docs()...)
		step.Set(nil)
		want := visible(t, dir)
		for _, name := range []step.Name{step.DirWrite, step.DirSync, step.DirRename, step.DirSyncDir} {
			if !hit[name] {
				t.Errorf("step %s was never hit", name)
			}
		}
		all, _ := os.ReadDir(snaps)
		if len(all) != n || n < 14 {
			t.Fatalf("%d snapshots of %d", len(all), n)
		}
		for _, e := range all {
			for _, eaten := range []string{"kept", "eaten"} {
				crash := filepath.Join(t.TempDir(), "crash")
				copyTree(t, filepath.Join(snaps, e.Name()), crash)
				where := fmt.Sprintf("%s sidecar, crash at %s, files %s", side, e.Name(), eaten)
				seen := visible(t, crash)
				for name, content := range seen {
					if want[name] != content {
						t.Errorf("%s: %s is seen with %d bytes", where, name, len(content))
					}
				}
				if g, all := countPrefix(seen, "g/"), countPrefix(want, "g/"); g != 0 && g != all {
					t.Errorf("%s: %d files of the group of %d are seen", where, g, all)
				}
				if eaten == "eaten" {
					for name := range seen {
						os.Remove(filepath.Join(crash, name))
					}
					os.Remove(filepath.Join(crash, "g"))
				}
				again := mustPut(t, &DirSink{Path: crash, Sidecar: s.Sidecar}, docs()...)
				got := visible(t, crash)
				if eaten == "eaten" {
					// Names that are free again may be given again; contents come once.
					if a, b := contents(seen, got), contents(want); fmt.Sprint(a) != fmt.Sprint(b) {
						t.Errorf("%s: contents %q, want %q", where, a, b)
					}
				} else {
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s:\n got %q\nwant %q", where, keysOf(got), keysOf(want))
					}
					for i := range refs {
						a, _ := filepath.Rel(dir, refs[i])
						b, _ := filepath.Rel(crash, again[i])
						if a != b {
							t.Errorf("%s: ref %q, want %q", where, b, a)
						}
					}
				}
				if left, _ := os.ReadDir(filepath.Join(crash, dirstore.MetaName, "tmp")); len(left) > 0 {
					t.Errorf("%s: left %v", where, left)
				}
			}
		}
	}
}

// contents lists what all files but sidecars hold.
func contents(dirs ...map[string]string) []string {
	var out []string
	for _, m := range dirs {
		for name, c := range m {
			if !strings.HasSuffix(name, dirstore.SideSuffix) {
				out = append(out, c)
			}
		}
	}
	sort.Strings(out)
	return out
}

func countPrefix(m map[string]string, prefix string) int {
	n := 0
	for k := range m {
		if strings.HasPrefix(k, prefix) {
			n++
		}
	}
	return n
}
