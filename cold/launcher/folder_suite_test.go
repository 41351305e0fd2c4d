package launcher

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// depot is a watched directory and what lies beside it.
type depot struct {
	t    testing.TB
	dir  string // parent of the watched directory
	l    *Folder
	n    int
	time time.Time // as the launcher sees it
}

func newDepot(t testing.TB, set func(*Folder)) *depot {
	t.Helper()
	d := &depot{t: t, dir: t.TempDir(), time: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	d.l = &Folder{Path: filepath.Join(d.dir, "in"), ErrorDir: "errors"}
	d.l.now = func() time.Time { return d.time }
	if set != nil {
		set(d.l)
	}
	if err := os.Mkdir(d.l.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// put writes a file below the watched directory that is age old, as are the directories it
// lies in.
func (d *depot) put(name, data string, age time.Duration) string {
	d.t.Helper()
	file := filepath.Join(d.l.Path, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
		d.t.Fatal(err)
	}
	d.touch(name, age)
	return file
}

func (d *depot) touch(name string, age time.Duration) {
	d.t.Helper()
	at := d.time.Add(-age)
	if err := os.Chtimes(filepath.Join(d.l.Path, filepath.FromSlash(name)), at, at); err != nil {
		d.t.Fatal(err)
	}
	for dir := filepath.Dir(filepath.FromSlash(name)); dir != "."; dir = filepath.Dir(dir) {
		if err := os.Chtimes(filepath.Join(d.l.Path, dir), at, at); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *depot) Launcher() cold.Launcher { return d.l }

func (d *depot) Add(t *testing.T, raw []byte) {
	t.Helper()
	d.n++
	d.put(fmt.Sprintf("mail-%d.eml", 100-d.n), string(raw), time.Hour-time.Duration(d.n)*time.Second)
}

// directoryDepot has deposit directories.
type directoryDepot struct{ *depot }

func (d directoryDepot) AddDirectory(t *testing.T, name string, files map[string][]byte) {
	t.Helper()
	for f, b := range files {
		d.put(name+"/"+f, string(b), time.Minute)
	}
}

func (d *depot) Contents(t *testing.T, folder string) []coldtest.Kept {
	t.Helper()
	dir := d.l.Path
	if folder != "" {
		dir = filepath.Join(d.dir, folder)
	}
	list, _ := os.ReadDir(dir)
	var out []coldtest.Kept
	for _, e := range list {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, coldtest.Kept{Data: b})
	}
	return out
}

func TestFolderKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*Folder){
		"files":       nil,
		"recursive":   func(l *Folder) { l.Recursive = true },
		"directories": func(l *Folder) { l.Unit = UnitDirectories },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			coldtest.TestLauncher(t, func(t *testing.T) coldtest.LauncherHarness {
				d := newDepot(t, set)
				if d.l.directories() {
					return directoryDepot{d}
				}
				return d
			})
		})
	}
}
