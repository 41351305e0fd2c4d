package demo_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// What the examples show is as the norms want it: every deposit is read without a deviation.
func TestDeposits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := demo.Deposits(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		kind  adullact.Kind
		found string // in the message
	}{
		"Tarifs de la cantine": {adullact.KindActes, ""},
		"Mandats de mars":      {adullact.KindHelios, "facture 101.pdf"},
		"Facture F-2026-7":     {adullact.KindChorus, "FAC99999999900027F-2026-7.pdf"},
	} {
		files, err := adullact.Dir(os.DirFS(filepath.Join(dir, name)))
		if err != nil {
			t.Fatal(err)
		}
		e, err := adullact.Decode(t.Context(), files, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if e.Kind != want.kind || e.Title != name || len(e.Deviations) > 0 {
			t.Errorf("%s: kind %q, title %q, deviations %v", name, e.Kind, e.Title, e.Deviations)
		}
		found := ""
		for _, f := range e.Files {
			if f.From != "" {
				found += f.Name
			}
		}
		if found != want.found {
			t.Errorf("%s: the message holds %q, want %q", name, found, want.found)
		}
	}
}
