//go:build crash

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/internal/step"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// The method is that of the crash tests of IMAP, with a directory in place of a mailbox. No
// server is needed.

// deposit is a watched directory with what belongs to it.
type deposit struct {
	t      *testing.T
	bin    string
	dir    string // in, out, errors, done and the store
	done   string
	config string
	keys   []string // oldest first
}

// depositKind is what one kind of crash test puts where.
type depositKind struct {
	name   string
	unit   string
	after  string
	disk   bool // the target lies on another file system
	poison bool // one deposit is given up in the third run
	items  int
}

func newDeposit(t *testing.T, bin string, k depositKind) *deposit {
	t.Helper()
	d := &deposit{t: t, bin: bin, dir: t.TempDir()}
	d.done = filepath.Join(d.dir, "done")
	if k.disk {
		var err error
		if d.done, err = os.MkdirTemp("/dev/shm", "vaguemestre"); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { os.RemoveAll(d.done) })
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	put := func(name string, data []byte) {
		at = at.Add(time.Minute)
		file := filepath.Join(d.dir, "in", name)
		os.MkdirAll(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for root := filepath.Join(d.dir, "in"); file != root; file = filepath.Dir(file) { // a new directory is still being filled
			os.Chtimes(file, at, at)
		}
	}
	for i := range k.items {
		data := bytes.Repeat(fmt.Appendf(nil, "pièce %d\n", i), 1+i*i)
		switch {
		case k.unit == "directories" && i%4 != 3:
			put(fmt.Sprintf("depot%d/acte.xml", i), data)
			put(fmt.Sprintf("depot%d/pj/annexe.pdf", i), data[1:])
			put(fmt.Sprintf("depot%d/thumbs.db", i), data[2:])
		case i%3 == 1: // the same names and contents in several places
			put(fmt.Sprintf("service%d/facture.pdf", i), []byte("facture"))
		case i%5 == 2:
			put(fmt.Sprintf("thumbs%d.db", i), data)
		default:
			put(fmt.Sprintf("facture %d.pdf", i), data)
		}
	}
	if k.poison {
		put("empoisonne/acte.xml", []byte("acte"))
		link := filepath.Join(d.dir, "in", "empoisonne", "lien")
		if err := os.Symlink("nowhere", link); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("touch", "-h", "-d", "2026-03-02T08:00:00Z", link).CombinedOutput(); err != nil {
			t.Fatalf("touch: %v %s", err, out)
		}
	}
	d.config = filepath.Join(d.dir, "config.json")
	settings := map[string]any{"path": filepath.Join(d.dir, "in"), "error_dir": "errors", "unit": k.unit, "recursive": k.unit == "files"}
	c := map[string]any{"jobs": []any{map[string]any{
		"name":          "crash",
		"launcher":      map[string]any{"kind": "folder", "settings": settings},
		"filters":       map[string]any{"include": []string{`/.*\.(?!db).*/`}},
		"after":         map[string]any{"do": k.after, "target": d.done},
		"after_refused": map[string]any{"do": "move", "target": "refused"},
		"sink":          map[string]any{"kind": "dir", "settings": map[string]any{"path": "out", "sidecar": true}},
	}}}
	b, _ := json.Marshal(c)
	if err := os.WriteFile(d.config, b, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(d.dir, "out"), 0o755)
	l := &launcher.Folder{Path: filepath.Join(d.dir, "in"), ErrorDir: "errors", Unit: launcher.Unit(k.unit), Recursive: k.unit == "files"}
	s, err := l.Connect(testContext(t), &cold.ConnectOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.List(testContext(t), "")
	if err != nil || len(page.Items) < k.items {
		t.Fatalf("%d items, %v", len(page.Items), err)
	}
	for _, it := range page.Items {
		d.keys = append(d.keys, it.Key)
	}
	if k.poison { // the first two of the runs that it takes
		d.run("", "", 0)
		d.run("", "", 0)
	}
	return d
}

func (d *deposit) run(crash, stepLog string, kill time.Duration) (killed bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.bin, "-config", d.config, "-once", "-json")
	cmd.Env = append(os.Environ(), "VAGUEMESTRE_CRASH="+crash, "VAGUEMESTRE_STEPS="+stepLog)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	if kill > 0 {
		time.AfterFunc(kill, func() { cmd.Process.Kill() })
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 && ctx.Err() == nil {
		return true
	}
	if err != nil {
		d.t.Fatalf("collect: %v\n%.3000s", err, out.String())
	}
	return false
}

// groupName ends in what is made of the directory's path.
var groupName = regexp.MustCompile(`((?:depot|service)\d+)-[0-9a-f]{8}`)

// end is all that can be seen afterwards, hidden files included.
func (d *deposit) end() []string {
	d.t.Helper()
	var lines []string
	for name, dir := range map[string]string{"in": "", "out": "", "errors": "", "refused": "", "done": d.done} {
		if dir == "" {
			dir = filepath.Join(d.dir, name)
		}
		err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(dir, p)
			switch {
			case e.IsDir() && name == "out" && rel == ".vaguemestre":
				return fs.SkipDir
			case e.IsDir() && name == "in" && !strings.HasPrefix(e.Name(), "."):
				return nil // of files the directories stay, and which is as it may be
			case !e.Type().IsRegular():
				lines = append(lines, name+" "+rel+" "+e.Type().String())
				return nil
			}
			data, err := os.ReadFile(p)
			if name == "out" && strings.HasSuffix(rel, ".json") {
				lines = append(lines, "sidecar "+rel+" "+sidecar(d.t, data, d.keys))
			} else {
				lines = append(lines, name+" "+rel+" "+hash(data))
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.t.Fatal(err)
		}
	}
	st, err := sqlite.Open(testContext(d.t), filepath.Join(d.dir, "state.db"), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	defer st.Close()
	for i, k := range d.keys {
		e, err := st.Ledger().Explain(testContext(d.t), "crash", k)
		if err != nil || e == nil {
			d.t.Fatalf("explain %s: %v, %v", k, e, err)
		}
		lines = append(lines, fmt.Sprintf("item %d %s attempts=%d %s %s", i, e.State, e.Attempts, e.Action.Do, strings.SplitN(e.Receipt, " ", 2)[0]))
		for _, doc := range e.Docs {
			lines = append(lines, fmt.Sprintf("document %d %q %s %d %s", i, doc.Name, doc.SHA256, doc.Size, doc.Decision))
		}
	}
	for i := range lines {
		lines[i] = groupName.ReplaceAllString(lines[i], "$1")
	}
	slices.Sort(lines)
	return lines
}

func TestCrashFolderAtEveryStep(t *testing.T) {
	bin := program(t)
	hit := map[string]bool{}
	kills := 0
	kinds := []depositKind{
		{name: "move files", unit: "files", after: "move", items: 7},
		{name: "delete files", unit: "files", after: "delete", items: 5},
		{name: "move directories", unit: "directories", after: "move", items: 4},
		{name: "delete directories", unit: "directories", after: "delete", items: 4},
		{name: "give up", unit: "directories", after: "leave", items: 1, poison: true},
	}
	if otherDisk() {
		kinds = append(kinds, depositKind{name: "files to another disk", unit: "files", after: "move", items: 4, disk: true},
			depositKind{name: "directories to another disk", unit: "directories", after: "move", items: 4, disk: true})
	}
	for _, k := range kinds {
		log := filepath.Join(t.TempDir(), "steps")
		calm := newDeposit(t, bin, k)
		calm.run("", log, 0)
		want := calm.end()
		calm.run("", "", 0)
		compare(t, k.name+": a second run", calm.end(), want)
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, l := range strings.Fields(string(b)) {
			count[l]++
			hit[l] = true
			if count[l] > 2 && os.Getenv("VAGUEMESTRE_LONG") == "" && count[l]%5 != 0 {
				continue
			}
			at := fmt.Sprintf("%s:%d", l, count[l])
			d := newDeposit(t, bin, k)
			if !d.run(at, "", 0) {
				t.Fatalf("%s %s: the run was not killed", k.name, at)
			}
			kills++
			d.run("", "", 0)
			d.run("", "", 0) // what the first run after a crash leaves to the next
			compare(t, k.name+" "+at, d.end(), want)
		}
	}
	for _, st := range step.All {
		if !strings.HasPrefix(string(st), "folder.") || st == step.FolderCopy && !otherDisk() {
			continue
		}
		for _, when := range []string{"before", "after"} {
			if !hit[string(st)+":"+when] {
				t.Errorf("step %s was never hit %s", st, when)
			}
		}
	}
	t.Logf("%d kills at %d steps: 0 lost, 0 duplicates, groups all or none", kills, len(hit))
}

func TestCrashFolderAtRandom(t *testing.T) {
	bin := program(t)
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	kinds := []depositKind{{name: "files", unit: "files", after: "move", items: 60}, {name: "directories", unit: "directories", after: "delete", items: 40}}
	kills, scenes := 0, 0
	for i, k := range kinds {
		newDeposit(t, bin, k).run("", "", 0) // the first run of a program takes longer
		calm := newDeposit(t, bin, k)
		begun := time.Now()
		calm.run("", "", 0)
		took := time.Since(begun)
		want := calm.end()
		for kills < 50*(i+1) {
			scenes++
			d := newDeposit(t, bin, k)
			for range 10 {
				if !d.run("", "", time.Duration(random.Int64N(int64(took)))+time.Millisecond) {
					break
				}
				kills++
			}
			d.run("", "", 0)
			d.run("", "", 0)
			compare(t, fmt.Sprintf("%s %d after %d kills", k.name, scenes, kills), d.end(), want)
		}
	}
	t.Logf("%d kills over %d directories: 0 lost, 0 duplicates, groups all or none", kills, scenes)
}

// otherDisk tells whether there is a second file system to move to.
func otherDisk() bool {
	a, err := os.MkdirTemp("/dev/shm", "vaguemestre")
	if err != nil {
		return false
	}
	defer os.RemoveAll(a)
	b, err := os.CreateTemp("", "vaguemestre")
	if err != nil {
		return false
	}
	defer os.Remove(b.Name())
	b.Close()
	return os.Link(b.Name(), filepath.Join(a, "x")) != nil
}
