package adullact_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold"
)

// putOnce records what comes in one Put.
type putOnce struct{ puts [][]*cold.Document }

func (s *putOnce) Put(_ context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	s.puts = append(s.puts, docs)
	for _, d := range docs {
		if d.Name != "envelope.json" {
			continue
		}
		r, err := d.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if err := json.NewDecoder(r).Decode(new(map[string]any)); err != nil {
			return nil, err
		}
	}
	return make([]cold.Stored, len(docs)), nil
}

// A deposit directory, and a zip of one beside it, reach the sink as two groups: each in one
// Put, with one set of fields and its envelope.json.
func TestJob(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	in := filepath.Join(root, "in")
	write := func(name, text string) {
		p := filepath.Join(in, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Minute)
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	write("acte/manifest.xml", manifest)
	write("acte/a.pdf", "%PDF-1.4 a")
	write("acte/autre.bin", "x")
	write("b.zip", string(deposit(t)))
	for _, dir := range []string{"acte", "."} {
		old := time.Now().Add(-time.Minute)
		os.Chtimes(filepath.Join(in, dir), old, old)
	}
	sink := &putOnce{}
	l := &adullact.Launcher{Path: in, ErrorDir: filepath.Join(root, "err"), StableFor: time.Millisecond}
	j := &cold.Job{Name: "depot", Ledger: cold.NewMemoryLedger(), Sink: sink, Decoders: []cold.Decoder{l.Decoder()}, Launcher: l}
	for range 3 {
		if _, err := j.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	groups := map[string]map[string]string{} // name to role
	puts := map[string]int{}
	for i, docs := range sink.puts {
		for _, d := range docs {
			if groups[d.Group] == nil {
				groups[d.Group], puts[d.Group] = map[string]string{}, i
			}
			if puts[d.Group] != i {
				t.Errorf("group %q came in two calls", d.Group)
			}
			if d.Fields["objet"] != "x" || d.Fields["envelope_kind"] != "actes" {
				t.Errorf("%q has the fields %q", d.Name, d.Fields)
			}
			groups[d.Group][d.Name] = d.Fields["file_role"]
		}
	}
	sizes := map[int]int{}
	for name, g := range groups {
		sizes[len(g)]++
		if g["envelope.json"] != "envelope" || g["a.pdf"] != "arrete" || g["manifest.xml"] != "metadata" {
			t.Errorf("group %q: %q", name, g)
		}
	}
	if len(groups) != 2 || sizes[4] != 1 || sizes[3] != 1 {
		t.Errorf("groups %v", groups)
	}
}
