package cold

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
	"github.com/vaguemestre/vaguemestre/settings"
)

type seekNop struct{ *bytes.Reader }

func (seekNop) Close() error { return nil }

// fileDoc is a document with that content.
func fileDoc(key, name, content string) *Document {
	sum := sha256.Sum256([]byte(content))
	return &Document{Key: key, Name: name, MediaType: "application/octet-stream", Size: int64(len(content)),
		SHA256: hex.EncodeToString(sum[:]), Path: []string{"item-1", name}, Reason: "included by *",
		Open: func() (io.ReadSeekCloser, error) { return seekNop{bytes.NewReader([]byte(content))}, nil }}
}

func inGroup(group string, docs ...*Document) []*Document {
	for _, d := range docs {
		d.Group = group
	}
	return docs
}

// visible is what the user of a directory sees: path to content.
func visible(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		if p == metaName {
			return fs.SkipDir
		}
		if e.Type().IsRegular() {
			b, err := os.ReadFile(filepath.Join(dir, p))
			out[p] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func keysOf(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func mustPut(t testing.TB, d Sink, docs ...*Document) []string {
	t.Helper()
	got, err := d.Put(context.Background(), docs)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	if len(got) != len(docs) {
		t.Fatalf("Put: %d answers for %d documents", len(got), len(docs))
	}
	var refs []string
	for _, s := range got {
		refs = append(refs, s.Ref)
	}
	return refs
}

func wantNames(t testing.TB, dir string, want ...string) {
	t.Helper()
	sort.Strings(want)
	if got := keysOf(visible(t, dir)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("visible: %q, want %q", got, want)
	}
}

func TestDirStoresOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "in") // made by the sink
	s := Dir(dir)
	docs := []*Document{fileDoc("1", "a.pdf", "one"), fileDoc("2", "a.pdf", "two"), fileDoc("3", "../../b.pdf", ""), fileDoc("1", "a.pdf", "one")}
	refs := mustPut(t, s, docs...)
	want := []string{"a.pdf", "a (2).pdf", "b.pdf", "a.pdf"}
	for i, r := range refs {
		if r != filepath.Join(dir, want[i]) {
			t.Errorf("ref %d is %q, want %q", i, r, want[i])
		}
	}
	wantNames(t, dir, "a.pdf", "a (2).pdf", "b.pdf")
	if v := visible(t, dir); v["a.pdf"] != "one" || v["a (2).pdf"] != "two" || v["b.pdf"] != "" {
		t.Errorf("contents: %q", v)
	}
	// Again, by another value, after the files were taken away by their reader.
	for n := range visible(t, dir) {
		os.Remove(filepath.Join(dir, n))
	}
	again := mustPut(t, &DirSink{Path: dir}, docs...)
	if fmt.Sprint(again) != fmt.Sprint(refs) {
		t.Errorf("the second time: %q, want %q", again, refs)
	}
	wantNames(t, dir)
	// A new document takes a name that is free again.
	mustPut(t, s, fileDoc("4", "a.pdf", "four"))
	wantNames(t, dir, "a.pdf")
}

func TestDirNeverReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	os.WriteFile(filepath.Join(dir, "a.pdf"), []byte("theirs"), 0o600)
	os.Mkdir(filepath.Join(dir, "b.pdf"), 0o700)
	links := os.Symlink(outside, filepath.Join(dir, "c.pdf")) == nil
	mustPut(t, Dir(dir), fileDoc("1", "a.pdf", "1"), fileDoc("2", "b.pdf", "2"), fileDoc("3", "c.pdf", "3"))
	v := visible(t, dir)
	if v["a.pdf"] != "theirs" || v["a (2).pdf"] != "1" || v["b (2).pdf"] != "2" || links && v["c (2).pdf"] != "3" {
		t.Errorf("visible: %q", v)
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("a link was followed outside")
	}
	// Many of one name, with holes.
	for i := range 40 {
		mustPut(t, Dir(dir), fileDoc(fmt.Sprint("n", i), "a.pdf", fmt.Sprint(i)))
		if i == 20 {
			os.Remove(filepath.Join(dir, "a (7).pdf"))
		}
	}
	if n := len(visible(t, dir)); n < 42 {
		t.Errorf("%d files", n)
	}
}

// A name that somebody takes between the choice and the rename costs nobody a file.
func TestDirNameTakenMeanwhile(t *testing.T) {
	for _, side := range []string{"without", "with"} {
		dir := t.TempDir()
		s := &DirSink{Path: dir, Sidecar: side == "with"}
		var once sync.Once
		step.Set(func(n step.Name, after bool) {
			if n == step.DirRename && !after {
				once.Do(func() { os.WriteFile(filepath.Join(dir, "a.pdf"), []byte("theirs"), 0o600) })
			}
		})
		refs := mustPut(t, s, fileDoc("1", "a.pdf", "ours"))
		step.Set(nil)
		v := visible(t, dir)
		if v["a.pdf"] != "theirs" || v["a (2).pdf"] != "ours" || refs[0] != filepath.Join(dir, "a (2).pdf") {
			t.Errorf("%s sidecar: %q, refs %q", side, v, refs)
		}
		if s.Sidecar && (v["a.pdf.json"] != "" || v["a (2).pdf.json"] == "") {
			t.Errorf("sidecars: %q", keysOf(v))
		}
		if again := mustPut(t, s, fileDoc("1", "a.pdf", "ours")); again[0] != refs[0] {
			t.Errorf("the second time: %q", again)
		}
	}
}

func TestDirGroups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &DirSink{Path: dir, Sidecar: true}
	g := inGroup("env:1", fileDoc("1", "a.xml", "1"), fileDoc("2", "A.xml", "2"), fileDoc("3", "a.xml", "3"))
	refs := mustPut(t, s, append(g, fileDoc("4", "a.xml", "4"))...)
	wantNames(t, dir, "env_1/a.xml", "env_1/a.xml.json", "env_1/A (2).xml", "env_1/A (2).xml.json", "env_1/a (3).xml", "env_1/a (3).xml.json", "a.xml", "a.xml.json")
	again := mustPut(t, s, g...)
	if fmt.Sprint(again) != fmt.Sprint(refs[:3]) {
		t.Errorf("the second time: %q, want %q", again, refs[:3])
	}
	mustPut(t, s, inGroup("env:1", fileDoc("5", "b.xml", "5"))...)
	if v := visible(t, dir); v["env_1 (2)/b.xml"] != "5" {
		t.Errorf("visible: %q", keysOf(v))
	}
}

func TestDirSidecar(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := fileDoc("k", "CON", "x")
	d.Fields = map[string]string{"subject": "Été"}
	d.Repairs = []string{"base64: 3 stray characters dropped"}
	// A document that has the sidecar's name keeps both.
	mustPut(t, &DirSink{Path: dir, Sidecar: true}, d, fileDoc("l", "_CON.json", "{}"))
	var got sidecar
	if err := json.Unmarshal([]byte(visible(t, dir)["_CON.json"]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "_CON" || got.OriginalName != "CON" || got.SHA256 != d.SHA256 || got.Fields["subject"] != "Été" ||
		got.Reason != d.Reason || got.Key != "k" || got.Size != 1 || len(got.Path) != 2 || len(got.Repairs) != 1 || got.MediaType != d.MediaType {
		t.Errorf("sidecar: %+v", got)
	}
	wantNames(t, dir, "_CON", "_CON.json", "_CON (2).json", "_CON (2).json.json")
}

// Whatever makes Put fail, nothing is seen and nothing is left.
func TestDirErrors(t *testing.T) {
	t.Parallel()
	wrongSum, wrongSize := fileDoc("2", "b", "x"), fileDoc("2", "b", "x")
	wrongSum.SHA256 = strings.Repeat("0", 64)
	wrongSize.Size = 2
	noOpen, noRead := fileDoc("2", "b", "x"), fileDoc("2", "b", "x")
	noOpen.Open = func() (io.ReadSeekCloser, error) { return nil, errors.New("gone") }
	noRead.Open = func() (io.ReadSeekCloser, error) { return brokenReader{}, nil }
	full := fileDoc("2", "b", "x")
	full.Open = func() (io.ReadSeekCloser, error) {
		return nil, &vaguemestre.Error{Op: "spool", Class: vaguemestre.ClassSink}
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancelLate := context.WithCancel(context.Background())
	cancels := fileDoc("2", "b", "x")
	cancels.Open = func() (io.ReadSeekCloser, error) {
		cancelLate()
		return seekNop{bytes.NewReader([]byte("x"))}, nil
	}
	for _, c := range []struct {
		what  string
		ctx   context.Context
		doc   *Document
		class vaguemestre.Class
		says  string
	}{
		{"sum", context.Background(), wrongSum, vaguemestre.ClassPoison, "not the one announced"},
		{"size", context.Background(), wrongSize, vaguemestre.ClassPoison, "1 bytes instead of the 2"},
		{"open", context.Background(), noOpen, vaguemestre.ClassPoison, "gone"},
		{"read", context.Background(), noRead, vaguemestre.ClassPoison, "half"},
		{"open with a class", context.Background(), full, vaguemestre.ClassSink, "spool"},
		{"no key", context.Background(), fileDoc("", "b", "x"), vaguemestre.ClassPoison, "key"},
		{"canceled", canceled, fileDoc("2", "b", "x"), vaguemestre.ClassCanceled, ""},
		{"canceled late", late, cancels, vaguemestre.ClassCanceled, ""},
	} {
		dir := t.TempDir()
		s := Dir(dir)
		docs := append([]*Document{fileDoc("1", "a", "1")}, inGroup("g", fileDoc("3", "c", "3"), c.doc)...)
		got, err := s.Put(c.ctx, docs)
		if vaguemestre.ClassOf(err) != c.class || !strings.Contains(fmt.Sprint(err), c.says) || got != nil {
			t.Errorf("%s: %v, %v (class %q)", c.what, got, err, vaguemestre.ClassOf(err))
		}
		wantNames(t, dir)
		if left, _ := os.ReadDir(filepath.Join(dir, metaName, "tmp")); len(left) > 0 {
			t.Errorf("%s: left %v", c.what, left)
		}
		mustPut(t, s, fileDoc("1", "a", "1"))
		wantNames(t, dir, "a")
	}
	if _, err := (&DirSink{}).Put(context.Background(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("no path: %v", err)
	}
	if _, err := Dir(filepath.Join(t.TempDir(), "x", "y")).Put(context.Background(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassSink || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
	if got, err := Dir(t.TempDir()).Put(context.Background(), nil); err != nil || len(got) != 0 {
		t.Errorf("no documents: %v, %v", got, err)
	}
}

type brokenReader struct{ seekNop }

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("half") }
func (brokenReader) Close() error             { return nil }

// A link in place of the hidden directory does not lead outside.
func TestDirHostileTarget(t *testing.T) {
	t.Parallel()
	for _, link := range []string{metaName, metaName + "/tmp", metaName + "/journal", metaName + "/index"} {
		dir, outside := t.TempDir(), t.TempDir()
		os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o700)
		if err := os.Symlink(filepath.Join(outside, "x"), filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here")
		}
		os.Mkdir(filepath.Join(outside, "x"), 0o700)
		if _, err := Dir(dir).Put(context.Background(), []*Document{fileDoc("1", "a", "1")}); err == nil {
			t.Errorf("%s: no error", link)
		}
		if left, _ := os.ReadDir(filepath.Join(outside, "x")); len(left) > 0 {
			t.Errorf("%s: wrote %v outside", link, left)
		}
		wantNames(t, dir)
	}
}

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
				if left, _ := os.ReadDir(filepath.Join(crash, metaName, "tmp")); len(left) > 0 {
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
			if !strings.HasSuffix(name, sideSuffix) {
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

// The journal may be torn where a crash interrupted it, and nowhere else.
func TestDirJournalDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 5 {
		mustPut(t, Dir(dir), fileDoc(fmt.Sprint(i), fmt.Sprint(i), fmt.Sprint(i)))
	}
	journal := filepath.Join(metaName, journalName)
	sound, err := os.ReadFile(filepath.Join(dir, journal))
	if err != nil {
		t.Fatal(err)
	}
	lastLine := bytes.LastIndexByte(sound[:len(sound)-1], '\n') + 1
	for cut := 0; cut < len(sound); cut++ {
		if cut > len(journalHeader) && cut < len(sound)-12 && cut%23 != 0 {
			continue // every cut costs a few syncs
		}
		for _, index := range []string{"kept", "lost"} {
			crash := filepath.Join(t.TempDir(), "x")
			copyTree(t, dir, crash)
			os.Truncate(filepath.Join(crash, journal), int64(cut))
			if index == "lost" {
				os.Remove(filepath.Join(crash, metaName, indexName))
			}
			_, err := Dir(crash).Put(context.Background(), []*Document{fileDoc("0", "0", "0")})
			switch {
			case cut < len(journalHeader) && index == "kept", index == "kept" && cut < lastLine-400:
				if err == nil || !errors.Is(err, errJournal) {
					t.Errorf("cut at %d of %d, index %s: %v", cut, len(sound), index, err)
				}
			case err == nil && cut >= len(sound)-10:
				wantNames(t, crash, "0", "1", "2", "3", "4") // and no second 0
			}
			if err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassSink {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
	}
	// Damage in the middle is never passed over in silence.
	crash := filepath.Join(t.TempDir(), "x")
	copyTree(t, dir, crash)
	bad := bytes.Clone(sound)
	bad[len(journalHeader)+20] ^= 1
	os.WriteFile(filepath.Join(crash, journal), bad, 0o600)
	if _, err := Dir(crash).Put(context.Background(), []*Document{fileDoc("0", "0", "0")}); !errors.Is(err, errJournal) {
		t.Errorf("damaged: %v", err)
	}
	os.Remove(filepath.Join(crash, metaName, indexName))
	if _, err := Dir(crash).Put(context.Background(), []*Document{fileDoc("9", "9", "9")}); !errors.Is(err, errJournal) {
		t.Errorf("damaged, index lost: %v", err)
	}
	newer := append([]byte("vaguemestre-dir 2\n"), sound[len(journalHeader):]...)
	os.WriteFile(filepath.Join(crash, journal), newer, 0o600)
	if _, err := Dir(crash).Put(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("newer: %v", err)
	}
}

// The index is only a cache: lost, cut or grown, every key is found.
func TestDirIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const n = 5000 // more than half of the first table
	open := func() *dirJournal {
		j, err := openJournal(root)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	check := func(when string) {
		j := open()
		defer j.close()
		for i := range n {
			key := fmt.Sprint("key", i)
			r, err := j.lookup(keyHash(key), func(r *dirRecord) bool { return r.find(key) >= 0 })
			if err != nil || r == nil || r.ref(r.find(key)) != fmt.Sprint("name", i) {
				t.Fatalf("%s: %s is %+v, %v", when, key, r, err)
			}
		}
		if r, err := j.lookup(keyHash("other"), func(*dirRecord) bool { return true }); r != nil || err != nil {
			t.Fatalf("%s: an unknown key is %+v, %v", when, r, err)
		}
	}
	j := open()
	for at := 0; at < n; at += 250 {
		var recs []*dirRecord
		for i := at; i < at+250; i++ {
			recs = append(recs, &dirRecord{Temp: "t", Docs: []dirEntry{{Key: fmt.Sprint("key", i), Name: fmt.Sprint("name", i)}}})
		}
		if err := j.append(recs); err != nil {
			t.Fatal(err)
		}
	}
	if j.idx.slots <= minSlots {
		t.Errorf("the table did not grow: %d slots", j.idx.slots)
	}
	j.close()
	check("after growth")
	os.Remove(filepath.Join(dir, indexName))
	check("index lost")
	os.Truncate(filepath.Join(dir, indexName), 5000)
	check("index cut")
	os.WriteFile(filepath.Join(dir, indexName), bytes.Repeat([]byte{7}, 1<<16), 0o600)
	check("index overwritten")
}

func TestDirConcurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 5 { // every worker brings the same twenty and five of its own
				mustPut(t, Dir(dir), fileDoc(fmt.Sprint("same", i), "a.pdf", fmt.Sprint(i)), fileDoc(fmt.Sprint(w, i), "b.pdf", fmt.Sprint(w, i)))
			}
		}()
	}
	wg.Wait()
	v := visible(t, dir)
	if a, b := countPrefix(v, "a"), countPrefix(v, "b"); a != 5 || b != 20 {
		t.Errorf("%d and %d files, want 5 and 20: %q", a, b, keysOf(v))
	}
}

// A Put that waits for another one ends with its context.
func TestDirLockHonoursContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := openPlace(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := Dir(dir).Put(ctx, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestDirReadOnly(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("this user may write everywhere, or modes mean nothing here")
	}
	dir := t.TempDir()
	os.Chmod(dir, 0o500)
	defer os.Chmod(dir, 0o700)
	_, err := Dir(dir).Put(context.Background(), []*Document{fileDoc("1", "a", "1")})
	if vaguemestre.ClassOf(err) != vaguemestre.ClassSink || !strings.Contains(err.Error(), "right to write") {
		t.Errorf("got %v", err)
	}
}

func TestDirCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var steps []string
	err := Dir(dir).Check(context.Background(), func(s vaguemestre.Step) { steps = append(steps, s.Name+" "+string(s.Status)) })
	if err != nil || len(steps) != 4 || steps[0] != "folder ok" || steps[1] != "write ok" || steps[2] != "rename ok" || !strings.HasPrefix(steps[3], "space ") {
		t.Errorf("%q, %v", steps, err)
	}
	wantNames(t, dir)
	if left, _ := os.ReadDir(filepath.Join(dir, metaName, "tmp")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	for _, d := range []*DirSink{{}, {Path: filepath.Join(dir, "x", "y")}} {
		steps = nil
		err := d.Check(context.Background(), func(s vaguemestre.Step) { steps = append(steps, s.Name+" "+string(s.Status)) })
		if err == nil || steps[0] != "folder failed" {
			t.Errorf("%+v: %q, %v", d, steps, err)
		}
	}
}

func TestDirSettings(t *testing.T) {
	t.Parallel()
	r, err := SinkKinds()
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Open(settings.Instance{Kind: "dir", Settings: json.RawMessage(`{"path":"in","sidecar":true}`)}, nil)
	if d, ok := s.(*DirSink); err != nil || !ok || *d != (DirSink{Path: "in", Sidecar: true}) {
		t.Errorf("got %#v, %v", s, err)
	}
	if issues := settings.Validate(&DirSink{}); len(issues) != 1 || issues[0].Path != "path" || issues[0].Code != "required" {
		t.Errorf("issues of the zero value: %v", issues)
	}
}
