package cold

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/dirstore"
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
		if p == dirstore.MetaName {
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

func TestDirCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var steps []string
	err := Dir(dir).Check(context.Background(), func(s vaguemestre.Step) { steps = append(steps, s.Name+" "+string(s.Status)) })
	if err != nil || len(steps) != 4 || steps[0] != "folder ok" || steps[1] != "write ok" || steps[2] != "rename ok" || !strings.HasPrefix(steps[3], "space ") {
		t.Errorf("%q, %v", steps, err)
	}
	wantNames(t, dir)
	if left, _ := os.ReadDir(filepath.Join(dir, dirstore.MetaName, "tmp")); len(left) > 0 {
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
