package adullact

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// samples returns the folder of sample envelopes, within the one that VAGUEMESTRE_SAMPLES
// names.
func samples(t *testing.T) string {
	t.Helper()
	root := os.Getenv("VAGUEMESTRE_SAMPLES")
	dir := filepath.Join(root, "adullact")
	if _, err := os.Stat(dir); root == "" || err != nil {
		t.Skip("VAGUEMESTRE_SAMPLES names no folder with adullact in it")
	}
	return dir
}

// Every deposit is recognized, in whatever layout and syntax, and keeps all its files.
func TestDeposits(t *testing.T) {
	t.Parallel()
	root := filepath.Join(samples(t), "synthetic", "pastell-depot")
	all, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range all {
		t.Run(entry.Name(), func(t *testing.T) {
			t.Parallel()
			set, err := Dir(os.DirFS(filepath.Join(root, entry.Name())))
			if err != nil {
				t.Fatal(err)
			}
			e, err := Decode(context.Background(), set, &Options{Scratch: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			want := map[string]Kind{"actes": KindActes, "helios": KindHelios, "facture": KindChorus}
			prefix, _, _ := strings.Cut(entry.Name(), "-")
			if e.Kind != want[prefix] || e.Title == "" || len(e.Files) < len(set) {
				t.Errorf("kind %q, title %q, %d files of %d", e.Kind, e.Title, len(e.Files), len(set))
			}
			for _, d := range e.Deviations {
				if strings.Contains(d.Reason, "incomplete") || strings.Contains(d.Reason, "cannot be read") || strings.HasPrefix(d.Path, "metadata/") {
					t.Errorf("deviation of a sound deposit: %s: %s", d.Path, d.Reason)
				}
			}
			if e.Source != "" && e.Source == SourceMetadata {
				for _, f := range e.Files {
					if f.Role == "" {
						t.Errorf("%q has no role", f.Name)
					}
				}
			}
			if len(e.Pieces) == 0 && len(e.Helios) == 0 && strings.Contains(entry.Name(), "dir") && !strings.Contains(entry.Name(), "none") {
				t.Errorf("no message was read")
			}
		})
	}
}

// golden is what an independent reading found, as far as the deposit layer tells it.
type golden struct {
	Root string              `json:"root"`
	Type string              `json:"type"`
	Data map[string]string   `json:"data"`
	Into map[string][]string `json:"files"`

	Members [][2]any `json:"members"`
}

// Every sample goes through Decode: its kind is that of its root, fields of metadata and
// members of archives are those of GOLDEN.json.
func TestSamples(t *testing.T) {
	t.Parallel()
	dir := samples(t)
	data, err := os.ReadFile(filepath.Join(dir, "GOLDEN.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, raw := range all {
		path := filepath.Join(dir, filepath.FromSlash(name))
		info, err := os.Stat(path)
		if err != nil || strings.Contains(name, "/pastell-depot/") && filepath.Ext(name) != ".zip" {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var g golden
			if err := json.Unmarshal(raw, &g); err != nil {
				t.Skip("told in another form, which the package of its kind compares")
			}
			var inner map[string]json.RawMessage
			json.Unmarshal(raw, &inner)
			for _, m := range []string{"metadata.xml", "manifest.xml", "metadata.json"} {
				if inner[m] != nil {
					json.Unmarshal(inner[m], &g)
				}
			}
			set := []Source{{Name: name, Size: info.Size(), Open: fileOpener(path)}}
			e, err := Decode(context.Background(), set, &Options{Scratch: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			space := ""
			if g.Root == "PES" {
				space = "http://www.minefi.gouv.fr/cp/helios/pes"
			}
			if want := kindOfRoot(g.Root, space); g.Root != "" && g.Root != "flux" && e.Kind != want {
				t.Errorf("kind %q, want %q for root %q", e.Kind, want, g.Root)
			}
			if g.Root == "flux" && e.Type != g.Type {
				t.Errorf("type %q, want %q", e.Type, g.Type)
			}
			for field, want := range g.Data {
				if got := e.Index()[field]; got != want {
					t.Errorf("%s is %q, want %q", field, got, want)
				}
			}
			for field, want := range g.Into {
				i := slices.IndexFunc(e.Fields, func(f Field) bool { return f.Name == field && f.IsFile })
				if i < 0 || len(e.Fields[i].Values) != len(want) {
					t.Errorf("files of %s: want %q", field, want)
				}
			}
			for _, m := range g.Members {
				if size := int64(m[1].(float64)); size > 0 && !slices.ContainsFunc(e.Files, func(f *File) bool { return f.Size == size }) && e.Source != "" {
					t.Errorf("no file of %d bytes: member %q", size, m[0])
				}
			}
		})
	}
	if n < 40 {
		t.Errorf("only %d samples", n)
	}
}

// A fragment that is no PES is told to be nothing of ours.
func TestFragment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(samples(t), "megalis-pastell/connecteur/libersign/fixtures/pes.xml")
	info, err := os.Stat(path)
	if err != nil {
		t.Skip(err)
	}
	e, err := Decode(context.Background(), []Source{{Name: "pes.xml", Size: info.Size(), Open: fileOpener(path)}}, nil)
	if err == nil {
		defer e.Close()
	}
	if err != nil || e.Source != "" {
		t.Errorf("%v, error %v", e, err)
	}
}

// Nothing of all that is in the samples makes Decode fail by itself, and what is no damage is
// no error.
func TestAllSampleFiles(t *testing.T) {
	t.Parallel()
	fsys := os.DirFS(samples(t))
	kinds := map[Kind]int{}
	set, err := Dir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range set {
		if strings.HasSuffix(s.Name, ".xsd") || s.Size > 20<<20 {
			continue
		}
		e, err := Decode(context.Background(), []Source{s}, &Options{Scratch: t.TempDir()})
		if err != nil {
			if !blames(err) {
				t.Errorf("%s: %v", s.Name, err)
			}
			t.Logf("%s: %v", s.Name, err)
			continue
		}
		kinds[e.Kind]++
		e.Close()
	}
	for _, k := range []Kind{KindActes, KindHelios, KindChorus} {
		if kinds[k] < 10 {
			t.Errorf("%d samples are %s", kinds[k], k)
		}
	}
	t.Log(kinds)
}

func fileOpener(path string) func() (io.ReadSeekCloser, error) {
	return func() (io.ReadSeekCloser, error) { return os.Open(path) }
}
