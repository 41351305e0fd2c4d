package adullact_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// depot is a watched directory and what lies beside it.
type depot struct {
	dir string // parent of the watched directory
	n   int
}

func (d *depot) Launcher() cold.Launcher {
	return &adullact.Launcher{Path: filepath.Join(d.dir, "in"), ErrorDir: "errors"}
}

func (d *depot) put(t *testing.T, name string, data []byte, age time.Duration) {
	t.Helper()
	file := filepath.Join(d.dir, "in", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-age)
	for root := filepath.Join(d.dir, "in"); file != root; file = filepath.Dir(file) { // directories too
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *depot) Add(t *testing.T, raw []byte) {
	t.Helper()
	d.n++
	d.put(t, fmt.Sprintf("mail-%d.eml", 100-d.n), raw, time.Hour-time.Duration(d.n)*time.Minute)
}

func (d *depot) AddDirectory(t *testing.T, name string, files map[string][]byte) {
	t.Helper()
	for f, b := range files {
		d.put(t, name+"/"+f, b, time.Minute)
	}
}

func (d *depot) Contents(t *testing.T, folder string) []coldtest.Kept {
	t.Helper()
	if folder == "" {
		folder = "in"
	}
	list, _ := os.ReadDir(filepath.Join(d.dir, folder))
	var out []coldtest.Kept
	for _, e := range list {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(d.dir, folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, coldtest.Kept{Data: b})
	}
	return out
}

// A launcher of deposits keeps the contract of all launchers, that of directories included.
func TestLauncherKeepsTheContract(t *testing.T) {
	t.Parallel()
	coldtest.TestLauncher(t, func(t *testing.T) coldtest.LauncherHarness {
		d := &depot{dir: t.TempDir()}
		if err := os.Mkdir(filepath.Join(d.dir, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		return d
	})
}
