package launcher

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
)

// What is dropped into a directory between its hand-over and its removal was not taken: it is
// never removed with it, whatever its name.
func TestFolderRemovesNothingThatWasNotTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late   string
		in     []string // of the watched directory afterwards
		errors []string
		fails  bool
	}{
		"being written":    {"u/late.pdf.part", []string{"u/a.pdf=a", "u/late.pdf.part=late"}, nil, true},
		"below":            {"u/sub/late.pdf.tmp", []string{"u/a.pdf=a", "u/sub/late.pdf.tmp=late"}, nil, true},
		"hidden":           {"u/.late.pdf", nil, []string{"u/.late.pdf=late", "u/a.pdf=a"}, false},
		"hidden below":     {"u/.sub/late.pdf", nil, []string{"u/.sub/late.pdf=late", "u/a.pdf=a"}, false},
		"another file":     {"u/late.pdf", []string{"u/a.pdf=a", "u/late.pdf=late"}, nil, false},
		"left by a Finder": {"u/.DS_Store", nil, nil, false},
	} {
		d := newDepot(t, func(l *Folder) { l.Unit = UnitDirectories })
		d.put("u/a.pdf", "a", time.Hour)
		s, err := d.l.Connect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		page, err := s.List(t.Context(), "")
		if err != nil || len(page.Items) != 1 {
			t.Fatal(name, page, err)
		}
		d.put(c.late, "late", time.Hour)
		for range 2 { // the second time nothing else comes of it
			rs, err := s.Settle(t.Context(), page.Items, cold.Delete())
			if err != nil || (rs[0].Outcome == cold.SettleFailed) != c.fails {
				t.Errorf("%s: %v, %v", name, rs, err)
			}
		}
		d.wantFiles("in", append([]string{}, c.in...)...)
		d.wantFiles("errors", append([]string{}, c.errors...)...)
	}
}

// A deposit that is copied with its times kept looks old from its first file on; its directory
// tells that more may come.
func TestFolderUnitStillBeingCopied(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Unit = UnitDirectories })
	d.put("u/a.pdf", "a", time.Hour)
	d.age("u", 0)
	d.wantNames()
	d.time = d.time.Add(5 * time.Second)
	d.wantNames("u/")
	d.put("v/.b.pdf.x7Qz", "half of b", 0) // rsync
	d.put("v/a.pdf", "a", time.Hour)
	d.wantNames("u/")
	d.time = d.time.Add(time.Minute)
	d.put("v/.b.pdf.x7Qz", "more of b", 0) // its directory is old now
	d.age("v", time.Hour)
	d.wantNames("u/")
	d.time = d.time.Add(time.Minute)
	d.wantNames("u/", "v/")
}

// age makes a directory look as if its names had not changed for so long.
func (d *depot) age(name string, age time.Duration) {
	d.t.Helper()
	at := d.time.Add(-age)
	if err := os.Chtimes(filepath.Join(d.l.Path, filepath.FromSlash(name)), at, at); err != nil {
		d.t.Fatal(err)
	}
}
