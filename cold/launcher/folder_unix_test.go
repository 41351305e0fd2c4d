//go:build unix

package launcher

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

func (d *depot) link(to, name string) {
	d.t.Helper()
	if err := os.Symlink(to, filepath.Join(d.l.Path, name)); err != nil {
		d.t.Fatal(err)
	}
}

// Links, pipes, sockets and devices are refused, with a reason that is logged once.
func TestFolderRefusesSpecialFiles(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Recursive = true })
	outside := filepath.Join(d.dir, "secret.pdf")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.put("a.pdf", "A", time.Hour)
	d.link(outside, "absolute.pdf")
	d.link("a.pdf", "inside.pdf")
	d.link("../secret.pdf", "up.pdf")
	d.link("..", "dir")
	d.link("nowhere", "dangling.pdf")
	if err := syscall.Mkfifo(filepath.Join(d.l.Path, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if ln, err := net.Listen("unix", filepath.Join(d.l.Path, "s")); err == nil {
		defer ln.Close()
	}
	var log bytes.Buffer
	for range 2 {
		s, err := d.l.Connect(t.Context(), &cold.ConnectOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.List(t.Context(), "")
		if err != nil || len(page.Items) != 1 {
			t.Errorf("%d items, %v", len(page.Items), err)
		}
		s.Close()
	}
	for _, name := range []string{"absolute.pdf", "inside.pdf", "up.pdf", "dir", "dangling.pdf", "pipe"} {
		if n := strings.Count(log.String(), "path="+name+" "); n != 1 {
			t.Errorf("%s was logged %d times", name, n)
		}
	}
}

// A link that takes a file's place, or that of a directory above it, after the listing.
func TestFolderDoesNotFollowWhatCameLater(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"file", "directory"} {
		d := newDepot(t, func(l *Folder) { l.Recursive = true })
		file := d.put("x/a.pdf", "inside", time.Hour)
		twin := d.put("../out/a.pdf", "secret", time.Hour) // same size and time
		s, err := d.l.Connect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		page, _ := s.List(t.Context(), "")
		if where == "file" {
			os.Remove(file)
			d.link(twin, "x/a.pdf")
		} else {
			os.RemoveAll(filepath.Dir(file))
			d.link(filepath.Dir(twin), "x")
		}
		_ = s.Open(t.Context(), page.Items, func(_ cold.Item, c *cold.Content) error {
			if c != nil && c.Err == nil {
				t.Errorf("%s: content came", where)
			}
			return nil
		})
		rs, err := s.Settle(t.Context(), page.Items, cold.Delete())
		if err != nil || len(rs) != 1 || rs[0].Outcome == cold.SettleDone {
			t.Errorf("%s: %v, %v", where, rs, err)
		}
		if _, err := os.Stat(twin); err != nil {
			t.Errorf("%s: a file outside was removed", where)
		}
	}
}

// A deposit with a link in it is refused as a whole, and ends in the error directory.
func TestFolderUnitWithLinkIsPoison(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Unit = UnitDirectories })
	d.put("a/1.pdf", "1", time.Hour)
	d.link("/etc/passwd", "a/2.pdf")
	d.time = time.Now().Add(time.Hour) // the link is young
	j, s := d.job(cold.Leave())
	for range 3 {
		d.run(j)
	}
	wantDocs(t, s)
	d.wantFiles("in")
	d.wantFiles("errors", "a/1.pdf=1")
}

// Names in ISO-8859-1 are taken, by a name that can be read.
func TestFolderNamesThatAreNoUTF8(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	file := filepath.Join(d.l.Path, "d\xe9lib\xe9ration.pdf")
	if err := os.WriteFile(file, []byte("D"), 0o644); err != nil {
		t.Skip("this file system wants UTF-8")
	}
	d.time = time.Now().Add(time.Hour)
	j, s := d.job(cold.Delete())
	d.run(j)
	wantDocs(t, s, "|délibération.pdf=D")
	d.wantFiles("in")
}

func TestFolderFileWithoutRights(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	d := newDepot(t, nil)
	if err := os.Chmod(d.put("a.pdf", "A", time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	d.put("b.pdf", "B", time.Hour)
	j, s := d.job(cold.Leave())
	for range 4 {
		d.run(j)
	}
	wantDocs(t, s, "|b.pdf=B")
	d.wantFiles("errors")
}

// A target on another file system: the file is copied, its time kept, and gone from here.
func TestFolderMoveToAnotherDisk(t *testing.T) {
	t.Parallel()
	other := "/dev/shm"
	var a, b syscall.Stat_t
	if syscall.Stat(other, &a) != nil || syscall.Stat(os.TempDir(), &b) != nil || a.Dev == b.Dev {
		t.Skip("there is no second file system")
	}
	done, err := os.MkdirTemp(other, "vaguemestre")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(done) })
	for _, unit := range []Unit{UnitFiles, UnitDirectories} {
		target := filepath.Join(done, string(unit))
		d := newDepot(t, func(l *Folder) { l.Unit, l.Recursive = unit, true })
		d.put("x/a.pdf", "A", time.Hour)
		d.put("x/y/b.pdf", "B", 2*time.Hour)
		s, err := d.l.Connect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		page, _ := s.List(t.Context(), "")
		copyBefore := filepath.Join(target, "x")
		if unit == UnitFiles { // an earlier run was cut off between the copy and the removal
			os.MkdirAll(filepath.Join(copyBefore, "y"), 0o755)
			if err := copyFile(t.Context(), filepath.Join(d.l.Path, "x/y/b.pdf"), filepath.Join(copyBefore, "y/b.pdf")); err != nil {
				t.Fatal(err)
			}
		}
		rs, err := s.Settle(t.Context(), page.Items, cold.MoveTo(target))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			if r.Outcome != cold.SettleDone {
				t.Errorf("%s: %v", unit, r)
			}
		}
		d.wantFiles("in")
		var got []string
		filepath.WalkDir(target, func(p string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				fi, _ := e.Info()
				rel, _ := filepath.Rel(target, p)
				got = append(got, rel+" "+d.time.Sub(fi.ModTime()).String())
			}
			return nil
		})
		if want := "x/a.pdf 1h0m0s x/y/b.pdf 2h0m0s"; strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", unit, got, want)
		}
		if again, err := s.Settle(t.Context(), page.Items, cold.MoveTo(target)); err != nil || again[0].Outcome != cold.SettleDone {
			t.Errorf("%s: once more: %v, %v", unit, again, err)
		}
	}
}

// A target that a link leads back into the watched directory would be collected for ever.
func TestFolderTargetThatLeadsBack(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Recursive = true })
	d.put("a.pdf", "A", time.Hour)
	if err := os.Symlink(d.l.Path, filepath.Join(d.dir, "done")); err != nil {
		t.Fatal(err)
	}
	j, _ := d.job(cold.MoveTo("done/x"))
	if _, err := j.Run(t.Context()); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Errorf("the error is %v", err)
	}
	d.wantFiles("in", "a.pdf=A")
}
