package adullact_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold"
)

// A sender's file called envelope.json, however it is written, neither takes the place of the
// envelope's own nor is lost; two deposits of one title do not mix.
func TestEnvelopeKeepsItsName(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, file := range []string{"in/a/titre/manifest.xml", "in/a/titre/Envelope.json", "in/b/titre/manifest.xml", "in/b/titre/envelope.json"} {
		p := filepath.Join(root, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		text := `{"kind":"forged"}`
		if filepath.Base(p) == "manifest.xml" {
			text = manifest
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(root, "out")
	ledger := cold.NewMemoryLedger()
	for _, dir := range []string{"a", "b"} {
		l := &adullact.Launcher{Path: filepath.Join(root, "in", dir), ErrorDir: filepath.Join(root, "err"), StableFor: time.Millisecond}
		j := &cold.Job{Name: "depot " + dir, Ledger: ledger, Sink: cold.Dir(out), Decoders: []cold.Decoder{l.Decoder()}, Launcher: l, After: cold.Delete()}
		for range 2 {
			time.Sleep(5 * time.Millisecond)
			if _, err := j.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ours, _ := filepath.Glob(filepath.Join(out, "titre-*", "envelope.json"))
	theirs, _ := filepath.Glob(filepath.Join(out, "titre-*", "[Ee]nvelope (2).json"))
	if len(ours) != 2 || len(theirs) != 2 {
		t.Fatalf("%q, %q", ours, theirs)
	}
	for _, p := range ours {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Kind string }
		if err := json.Unmarshal(data, &e); err != nil || e.Kind != "actes" {
			t.Errorf("%s: %q, %v", p, e.Kind, err)
		}
	}
}
