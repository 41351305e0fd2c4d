package launcher

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// names lists the items that wait, by their path.
func (d *depot) names() []string {
	d.t.Helper()
	s, err := d.l.Connect(context.Background(), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	defer s.Close()
	page, err := s.List(context.Background(), "")
	if err != nil {
		d.t.Fatal(err)
	}
	out := []string{}
	for _, it := range page.Items {
		rel, dir, _, ok := s.(*folderSession).parse(it.Key)
		if !ok {
			d.t.Errorf("the key %q cannot be read", it.Key)
		}
		if dir {
			rel += "/"
		}
		out = append(out, rel)
	}
	return out
}

func (d *depot) wantNames(want ...string) {
	d.t.Helper()
	if got := d.names(); !slices.Equal(got, want) {
		d.t.Errorf("listed %q, want %q", got, want)
	}
}

// store is a sink in memory.
type store struct {
	docs   []string // "group|path|name=content"
	poison string   // refuses documents of this name
}

func (s *store) Put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	for _, d := range docs {
		if d.Name == s.poison {
			return nil, &vaguemestre.Error{Op: "test", Class: vaguemestre.ClassPoison, Err: errors.New("not this one")}
		}
	}
	for _, d := range docs {
		r, err := d.Open()
		if err != nil {
			return nil, err
		}
		b, err := readAll(r)
		if err != nil {
			return nil, err
		}
		group := d.Group
		if i := strings.LastIndexByte(group, '-'); i >= 0 {
			group = group[:i]
		}
		s.docs = append(s.docs, group+"|"+strings.Join(d.Path[1:], "/")+"="+b)
	}
	return make([]cold.Stored, len(docs)), nil
}

func readAll(r io.ReadCloser) (string, error) {
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

func (d *depot) job(after cold.After) (*cold.Job, *store) {
	s := &store{}
	return &cold.Job{Name: "test", Launcher: d.l, Sink: s, Ledger: cold.NewMemoryLedger(), After: after}, s
}

func (d *depot) run(j *cold.Job) cold.Summary {
	d.t.Helper()
	sum, err := j.Run(context.Background())
	if err != nil {
		d.t.Fatalf("run: %v", err)
	}
	return sum
}

// files are the files below dir, with their content.
func (d *depot) files(dir string) []string {
	d.t.Helper()
	out := []string{}
	root := filepath.Join(d.dir, dir)
	_ = filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			b, _ := os.ReadFile(p)
			rel, _ := filepath.Rel(root, p)
			out = append(out, filepath.ToSlash(rel)+"="+string(b))
		}
		return nil
	})
	sort.Strings(out)
	return out
}

func (d *depot) wantFiles(dir string, want ...string) {
	d.t.Helper()
	if got := d.files(dir); !slices.Equal(got, want) {
		d.t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func wantDocs(t *testing.T, s *store, want ...string) {
	t.Helper()
	got := slices.Clone(s.docs)
	sort.Strings(got)
	if !slices.Equal(got, want) {
		t.Errorf("the sink holds %q, want %q", got, want)
	}
}

func TestFolderListsOldestFirst(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Recursive = true })
	d.put("b.pdf", "b", time.Hour)
	d.put("a.pdf", "a", time.Minute)
	d.put("2026/c.pdf", "c", 2*time.Hour)
	d.put("été à;50%.pdf", "d", 3*time.Hour)
	d.wantNames("été à;50%.pdf", "2026/c.pdf", "b.pdf", "a.pdf")
	d.l.Recursive = false
	d.wantNames("été à;50%.pdf", "b.pdf", "a.pdf")
}

func TestFolderHalfWrittenIsNeverTaken(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	d.put("old.pdf", "x", time.Hour)
	d.put("new.pdf", "12", time.Second)
	d.put("future.pdf", "z", -time.Hour)
	for _, name := range []string{"a.part", "b.TMP", "c.crdownload", "d.odt~", "~$e.docx", ".f", ".g.pdf.Xy12"} {
		d.put(name, "x", time.Hour)
	}
	d.wantNames("old.pdf") // one look is enough for a file that is old
	if due := d.l.nextDue(); !due.Equal(d.time.Add(4 * time.Second)) {
		t.Errorf("the next look is due at %v", due)
	}
	d.time = d.time.Add(2 * time.Second)
	// A writer whose clock is slow: the time looks old, but the size has just changed.
	d.put("new.pdf", "1234", time.Hour)
	d.wantNames("old.pdf")
	d.time = d.time.Add(4 * time.Second)
	d.touch("new.pdf", 4*time.Second+time.Hour) // the same time as before
	d.wantNames("old.pdf", "future.pdf")        // the one of the future was seen unchanged for six seconds
	d.time = d.time.Add(time.Second)
	if got := d.names(); !slices.Contains(got, "new.pdf") {
		t.Errorf("listed %q: the file that no longer changes is missing", got)
	}
}

func TestFolderEndMarker(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Recursive, l.EndMarker = true, "fichier_termine.txt" })
	d.put("a/1.pdf", "1", time.Hour)
	d.put("b/2.pdf", "2", time.Second)
	d.wantNames()
	d.put("b/fichier_termine.txt", "", 0)
	d.wantNames("b/2.pdf") // at once, though it has just been written
	d.put("b/3.pdf", "3", -time.Second)
	d.wantNames("b/2.pdf") // newer than the marker, which is of an earlier deposit
}

func TestFolderDirectoriesAsUnits(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Unit = UnitDirectories })
	d.put("depot1/a.xml", "A", time.Hour)
	d.put("depot1/pj/b.pdf", "B", time.Hour)
	d.put("depot2/c.xml", "C", time.Second) // still being written
	d.put("depot2/d.pdf", "D", time.Hour)
	d.put("depot3/e.xml", "E", time.Hour)
	d.put("depot3/f.pdf.part", "F", time.Hour) // a stalled copy
	d.put("flat.zip", "Z", 2*time.Hour)
	if err := os.Mkdir(filepath.Join(d.l.Path, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.wantNames("flat.zip", "depot1/")
	j, s := d.job(cold.MoveTo("done"))
	d.run(j)
	wantDocs(t, s, "depot1|a.xml=A", "depot1|pj/b.pdf=B", "|flat.zip=Z")
	d.wantFiles("done", "depot1/a.xml=A", "depot1/pj/b.pdf=B", "flat.zip=Z")
	// A deposit of the same name gets a number.
	d.put("depot1/a.xml", "A2", time.Hour)
	d.run(j)
	d.wantFiles("done", "depot1 (2)/a.xml=A2", "depot1/a.xml=A", "depot1/pj/b.pdf=B", "flat.zip=Z")
	d.wantFiles("in", "depot2/c.xml=C", "depot2/d.pdf=D", "depot3/e.xml=E", "depot3/f.pdf.part=F")
	d.time = d.time.Add(time.Minute)
	j.After = cold.Delete()
	d.run(j)
	d.wantFiles("in", "depot3/e.xml=E", "depot3/f.pdf.part=F")
}

func TestFolderUnitWithMarker(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Unit, l.EndMarker = UnitDirectories, "fin.txt" })
	d.put("a/x.xml", "X", time.Second)
	d.put("b/y.xml", "Y", time.Hour)
	d.put("a/fin.txt", "", 0)
	d.wantNames("a/")
	j, s := d.job(cold.Delete())
	d.run(j)
	wantDocs(t, s, "a|x.xml=X") // without the marker
	d.wantFiles("in", "b/y.xml=Y")
}

func TestFolderUnitIsAllOrNone(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Unit = UnitDirectories })
	d.put("a/1.pdf", "11", time.Hour)
	d.put("a/2.pdf", "22", time.Hour)
	s, err := d.l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.List(t.Context(), "")
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d items, %v", len(page.Items), err)
	}
	err = s.Open(t.Context(), page.Items, func(_ cold.Item, c *cold.Content) error {
		if c == nil {
			return nil
		}
		if b, err := fs.ReadFile(c.Files, "1.pdf"); err != nil || string(b) != "11" {
			t.Errorf("1.pdf: %q, %v", b, err)
		}
		f, err := c.Files.Open("2.pdf")
		if err != nil {
			t.Fatal(err)
		}
		d.put("a/2.pdf", "33", time.Minute) // as long as before
		if b, err := readAll(f); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("a file that changed gives %q and %v", b, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A file that changes while it is read must not come whole, and the others must come.
func TestFolderChangedWhileRead(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(d *depot, file string){
		"same size": func(d *depot, _ string) { d.put("a.pdf", "zzzz", time.Minute) },
		"longer":    func(d *depot, _ string) { d.put("a.pdf", "12345", time.Hour) },
		"shorter":   func(d *depot, _ string) { d.put("a.pdf", "1", time.Hour) },
		"gone":      func(d *depot, file string) { os.Remove(file) },
		"replaced":  func(d *depot, file string) { os.Remove(file); d.put("a.pdf", "9999", time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDepot(t, nil)
			file := d.put("a.pdf", "1234", time.Hour)
			s, err := d.l.Connect(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			page, _ := s.List(t.Context(), "")
			err = s.Open(t.Context(), page.Items, func(_ cold.Item, c *cold.Content) error {
				if c == nil {
					return nil
				}
				var p [1]byte
				n, _ := c.Body.Read(p[:])
				change(d, file)
				for {
					m, err := c.Body.Read(p[:])
					if n += m; err != nil {
						break
					}
				}
				if int64(n) == c.Size {
					t.Error("all bytes came")
				}
				return nil
			})
			if err != nil {
				t.Errorf("the others do not come: %v", err)
			}
			// what is no longer as it was listed gets no call, and is not removed
			calls := 0
			_ = s.Open(t.Context(), page.Items, func(cold.Item, *cold.Content) error { calls++; return nil })
			rs, err := s.Settle(t.Context(), page.Items, cold.Delete())
			if err != nil || calls != 0 || rs[0].Outcome != cold.SettleGone {
				t.Errorf("%d calls, %v, %v", calls, rs, err)
			}
			if _, err := os.Stat(file); name != "gone" && err != nil {
				t.Errorf("what took its place was removed: %v", err)
			}
		})
	}
}

func TestFolderTouchedIsNotImportedAgain(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]cold.After{"leave": cold.Leave(), "move": cold.MoveTo("done"), "delete": cold.Delete()} {
		t.Run(name, func(t *testing.T) {
			d := newDepot(t, func(l *Folder) { l.Recursive = true })
			d.put("a.pdf", "same", time.Hour)
			d.put("x/a.pdf", "same", time.Hour) // another file, though all but its directory is the same
			j, s := d.job(after)
			d.run(j)
			wantDocs(t, s, "|a.pdf=same", "|x/a.pdf=same")
			d.put("a.pdf", "same", time.Minute)
			if sum := d.run(j); sum.Delivered != 0 || sum.Items != 1 {
				t.Errorf("touched: %+v", sum)
			}
			if sum := d.run(j); sum.Items != 0 {
				t.Errorf("a further run: %+v", sum)
			}
			d.put("a.pdf", "other", time.Minute)
			if sum := d.run(j); sum.Delivered != 1 {
				t.Errorf("changed: %+v", sum)
			}
			wantDocs(t, s, "|a.pdf=other", "|a.pdf=same", "|x/a.pdf=same")
		})
	}
}

// A source that is mounted elsewhere is the same source.
func TestFolderMountedElsewhere(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	d.put("a.pdf", "A", time.Hour)
	j, _ := d.job(cold.Leave())
	d.run(j)
	other := filepath.Join(d.dir, "elsewhere")
	if err := os.Rename(d.l.Path, other); err != nil {
		t.Fatal(err)
	}
	d.l.Path = other
	if sum := d.run(j); sum.Items != 1 || sum.Delivered != 0 {
		t.Errorf("%+v", sum)
	}
}

func TestFolderQuarantine(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	d.put("good.pdf", "G", time.Hour)
	d.put("bad.pdf", "B", 2*time.Hour)
	j, s := d.job(cold.MoveTo("done"))
	s.poison = "bad.pdf"
	for range 2 {
		d.run(j)
		d.wantFiles("in", "bad.pdf=B")
		d.wantFiles("errors")
	}
	d.run(j)
	d.wantFiles("in")
	d.wantFiles("errors", "bad.pdf=B")
	wantDocs(t, s, "|good.pdf=G")
}

// A run that was cut off between the ledger and the move leaves it to the next one, and
// where the error directory cannot be made the run says so and the file stays.
func TestFolderQuarantineIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	d.put("bad.pdf", "B", time.Hour)
	if err := os.WriteFile(filepath.Join(d.dir, "errors"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	j, s := d.job(cold.Delete())
	s.poison = "bad.pdf"
	d.run(j)
	d.run(j)
	for range 2 {
		if _, err := j.Run(t.Context()); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("the error is %v", err)
		}
		d.wantFiles("in", "bad.pdf=B")
	}
	if err := os.Remove(filepath.Join(d.dir, "errors")); err != nil {
		t.Fatal(err)
	}
	d.run(j)
	d.wantFiles("in")
	d.wantFiles("errors", "bad.pdf=B")
}

func TestFolderCollisionsGetNumbers(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(l *Folder) { l.Recursive = true })
	j, _ := d.job(cold.MoveTo("done"))
	for i, text := range []string{"1", "2", "3"} {
		d.put("x/a.tar.gz", text, time.Hour+time.Duration(i))
		d.put(".hidden", "h", time.Hour)
		d.run(j)
	}
	d.wantFiles("done", "x/a.tar (2).gz=2", "x/a.tar (3).gz=3", "x/a.tar.gz=1")
	d.wantFiles("in", ".hidden=h")
}

// Settle goes on wherever an earlier one was interrupted.
func TestFolderSettleGoesOn(t *testing.T) {
	t.Parallel()
	for _, unit := range []Unit{UnitFiles, UnitDirectories} {
		for _, do := range []cold.After{cold.MoveTo("done"), cold.Delete()} {
			for name, interrupt := range map[string]func(d *depot, rel, aside string) error{
				"aside": func(d *depot, rel, aside string) error {
					return os.Rename(filepath.Join(d.l.Path, rel), filepath.Join(d.l.Path, aside))
				},
				"being removed": func(d *depot, rel, aside string) error {
					if unit == UnitFiles || do.Do == cold.DoMove {
						return nil
					}
					if err := os.Remove(filepath.Join(d.l.Path, rel, "1.pdf")); err != nil {
						return err
					}
					return os.Rename(filepath.Join(d.l.Path, rel), filepath.Join(d.l.Path, aside+".gone"))
				},
				"linked": func(d *depot, rel, aside string) error {
					if unit != UnitFiles || do.Do != cold.DoMove {
						return nil
					}
					os.Mkdir(filepath.Join(d.dir, "done"), 0o755)
					if err := os.Link(filepath.Join(d.l.Path, rel), filepath.Join(d.dir, "done", rel)); err != nil {
						return err
					}
					return os.Rename(filepath.Join(d.l.Path, rel), filepath.Join(d.l.Path, aside))
				},
			} {
				d := newDepot(t, func(l *Folder) { l.Unit = unit })
				rel, want := "a.pdf", "a.pdf=A"
				d.put("a.pdf", "A", time.Hour)
				if unit == UnitDirectories {
					os.Remove(filepath.Join(d.l.Path, rel))
					d.put("a/1.pdf", "A", time.Hour)
					rel, want = "a", "a/1.pdf=A"
				}
				s, err := d.l.Connect(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				page, err := s.List(t.Context(), "")
				if err != nil || len(page.Items) != 1 {
					t.Fatalf("%d items, %v", len(page.Items), err)
				}
				if err := interrupt(d, rel, asideName(page.Items[0].Key, rel)); err != nil {
					t.Fatal(err)
				}
				rs, err := s.Settle(t.Context(), page.Items, do)
				if err != nil || rs[0].Outcome != cold.SettleDone {
					t.Errorf("%s %s %s: %v, %v", unit, do.Do, name, rs, err)
				}
				if list, _ := os.ReadDir(d.l.Path); len(list) != 0 {
					t.Errorf("%s %s %s: %v is left", unit, do.Do, name, list)
				}
				if do.Do == cold.DoMove {
					d.wantFiles("done", want)
					again, err := s.Settle(t.Context(), page.Items, do)
					if err != nil || !reflect.DeepEqual(again, rs) {
						t.Errorf("once more: %v, %v; want %v", again, err, rs)
					}
				}
			}
		}
	}
}

// What lies aside and is another file goes back, and what was put in its place stays.
func TestFolderPutsBackWhatItIsNotAskedFor(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	d.put("a.pdf", "A", time.Hour)
	s, err := d.l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, _ := s.List(t.Context(), "")
	d.put(asideName(page.Items[0].Key, "a.pdf"), "stranger", time.Minute)
	d.put("a.pdf", "newcomer", time.Second)
	rs, err := s.Settle(t.Context(), page.Items, cold.Delete())
	if err != nil || rs[0].Outcome != cold.SettleGone {
		t.Errorf("%v, %v", rs, err)
	}
	d.wantFiles("in", "a (2).pdf=stranger", "a.pdf=newcomer")
}

func TestFolderTargetsOutside(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	in := d.l.Path
	for target, ok := range map[string]bool{"done": true, "in": false, "../x": true, "in/done": true, in: false, filepath.Join(in, "done"): true} {
		if err := d.l.Supports(cold.MoveTo(target)); (err == nil) != ok {
			t.Errorf("%q: %v", target, err)
		}
	}
	d.l.Recursive = true
	for target, ok := range map[string]bool{"done": true, "in/done": false, "in/.done": true, "in2/done": true} {
		if err := d.l.Supports(cold.MoveTo(target)); (err == nil) != ok {
			t.Errorf("recursive, %q: %v", target, err)
		}
	}
	for _, a := range []cold.After{cold.MarkSeen(), cold.Tag("x")} {
		if vaguemestre.ClassOf(d.l.Supports(a)) != vaguemestre.ClassConfig {
			t.Errorf("%s is supported", a.Do)
		}
	}
	d.l.ErrorDir = "in/errors"
	if _, err := d.l.Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("errors in the watched directory: %v", err)
	}
}

func TestFolderCursors(t *testing.T) {
	t.Parallel()
	n := 5_000
	if os.Getenv("VAGUEMESTRE_LONG") != "" {
		n = 100_000
	}
	d := newDepot(t, nil)
	for i := range n {
		name := filepath.Join(d.l.Path, "f"+string(rune('a'+i%26))+"-"+time.Duration(i).String())
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.time = time.Now().Add(time.Hour)
	s, err := d.l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begun := time.Now()
	seen := map[string]bool{}
	for cursor := ""; ; {
		p, err := s.List(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range p.Items {
			seen[it.Key] = true
		}
		if len(p.Items) > folderPage {
			t.Fatalf("a page of %d", len(p.Items))
		}
		if cursor = p.Cursor; !p.More {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d listed", len(seen), n)
	}
	t.Logf("%d files listed in %v", n, time.Since(begun))
}

func TestFolderWait(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.l.Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	begun := time.Now()
	if err := d.l.Wait(t.Context(), time.Millisecond); err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	// a file that was seen incomplete is waited for no longer than it takes
	d.put("a.pdf", "A", 5*time.Second-20*time.Millisecond)
	d.wantNames()
	begun = time.Now()
	if err := d.l.Wait(t.Context(), 0); err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestFolderCheckAndSecrets(t *testing.T) {
	t.Parallel()
	d := newDepot(t, nil)
	d.put("a.pdf", "A", time.Hour)
	var steps []string
	if err := d.l.Check(t.Context(), func(s vaguemestre.Step) { steps = append(steps, s.Name+" "+string(s.Status)) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"folder ok", "list ok", "errors warning", "write ok"}; !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	if list, _ := os.ReadDir(d.dir); len(list) != 1 {
		t.Errorf("the check made %v", list)
	}
	d.l.Path = filepath.Join(d.dir, "nowhere")
	if err := d.l.Check(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("a directory that is missing: %v", err)
	}
	d.l.Path = d.put("../file", "", time.Hour)
	if err := d.l.Check(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("a file: %v", err)
	}
	if got := d.l.String(); got != "folder "+d.l.Path {
		t.Errorf("String is %q", got)
	}
}
