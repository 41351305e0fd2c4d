package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// deposits collects what Pastell leaves in a directory: each deposit becomes a directory of
// its own below dir/envelopes, with the documents found in its messages and envelope.json.
func deposits(ctx context.Context, out io.Writer, st *sqlite.Store, dir string) error {
	if err := demo.Deposits(filepath.Join(dir, "depot")); err != nil {
		return err
	}
	l := &adullact.Launcher{Path: filepath.Join(dir, "depot"), ErrorDir: "erreurs", EndMarker: demo.EndMarker}
	envelopes := filepath.Join(dir, "envelopes")
	job := cold.Job{Name: "deposits", Launcher: l, Decoders: []cold.Decoder{l.Decoder()}, Sink: cold.Dir(envelopes), Ledger: st.Ledger()}
	s, err := job.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d deposits of Pastell wait in a directory. Each is handed over whole, or not at all:\n", s.Items)
	if err := show(out, envelopes); err != nil {
		return err
	}
	if s, err = job.Run(ctx); err != nil {
		return err
	}
	if s.Delivered != 0 {
		return fmt.Errorf("the second pass of %s took %d documents again", job.Name, s.Delivered)
	}
	fmt.Fprintln(out, "A second pass took nothing.")
	return nil
}

// show prints every envelope in dir: its kind and title, and what it holds.
func show(out io.Writer, dir string) error {
	all, err := filepath.Glob(filepath.Join(dir, "*", "envelope.json"))
	if err != nil {
		return err
	}
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var e struct {
			Kind, Title string
			Files       []struct {
				Role, Name string
				Size       int64
			}
		}
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s  %q\n", e.Kind, e.Title)
		for _, f := range e.Files {
			if f.Role != adullact.RoleMetadata && f.Role != adullact.RoleMarker {
				fmt.Fprintf(out, "    %s: %s  %d\n", f.Role, f.Name, f.Size)
			}
		}
	}
	return nil
}
