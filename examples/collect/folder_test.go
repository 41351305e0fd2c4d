package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// watched turns the site into one that collects its directory depot.
func watched(t *testing.T, kind string, more demo.Object) *site {
	t.Helper()
	s := newSite(t)
	if err := os.Mkdir(filepath.Join(s.dir, "depot"), 0o755); err != nil {
		t.Fatal(err)
	}
	set := demo.Object{"path": "depot", "error_dir": "erreurs", "stable_for": "1ms"}
	for k, v := range more {
		set[k] = v
	}
	s.job["launcher"], s.job["after"] = demo.Object{"kind": kind, "settings": set}, demo.Object{"do": "move", "target": "Traités"}
	return s
}

// drop puts a file into the directory, which is complete at once.
func (s *site) drop(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "depot", name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, old, old); err != nil {
		s.t.Fatal(err)
	}
}

// TestFolder: paths of the file start at its own folder, the filter decides, what was taken
// is moved and what was refused stays.
func TestFolder(t *testing.T) {
	t.Parallel()
	s := watched(t, "folder", nil)
	s.drop("Facture été.pdf", "%PDF-1.4 facture")
	s.drop("Thumbs.db", "vignettes")
	s.drop("en cours.pdf.part", "%PDF")
	dry := s.run("-dry-run")
	if dry.code != 0 || !strings.Contains(dry.stdout, "1 documents delivered (16 bytes), 1 refused") || len(s.files("depot")) != 3 {
		t.Errorf("dry run: exit %d, %q\n%s%s", dry.code, s.files("depot"), dry.stdout, dry.stderr)
	}
	if r := s.run("-once", "-json"); r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	for dir, want := range map[string][]string{"in": {"Facture été.pdf"}, "Traités": {"Facture été.pdf"}, "depot": {"Thumbs.db", "en cours.pdf.part"}} {
		if got := s.files(dir); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", dir, got, want)
		}
	}
	if r := s.run("-once"); r.code != 0 || r.stdout != "0 items read: 0 documents delivered (0 bytes), 0 refused, 0 held, 0 quarantined\n" {
		t.Errorf("second pass: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

// TestAdullact: the kind brings its decoder, and every deposit is a directory of the sink with
// the documents of its messages and its description.
func TestAdullact(t *testing.T) {
	t.Parallel()
	s := watched(t, "adullact", demo.Object{"end_marker": demo.EndMarker})
	delete(s.job, "filters")
	if err := demo.Deposits(filepath.Join(s.dir, "depot")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.dir, "depot", "sans fin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "depot", "sans fin", "metadata.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := s.run("-once", "-json")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	if got := s.files("depot"); !slices.Equal(got, []string{"sans fin"}) {
		t.Errorf("the directory holds %q, want the deposit that has no end", got)
	}
	groups := s.files("in")
	if len(groups) != 3 {
		t.Fatalf("the sink holds %q, want a directory for each deposit", groups)
	}
	for _, g := range groups {
		got := s.files(filepath.Join("in", g))
		for name, holds := range map[string]string{"Tarifs de la cantine": "Délibération 2026-012.pdf", "Mandats de mars": "facture 101.pdf",
			"Facture F-2026-7": "FAC99999999900027F-2026-7.pdf"} {
			if strings.HasPrefix(g, name) && (!slices.Contains(got, holds) || !slices.Contains(got, "envelope.json")) {
				t.Errorf("%s holds %q, want %q and envelope.json", g, got, holds)
			}
		}
	}
	if r := s.run("-once"); r.code != 0 || !strings.HasPrefix(r.stdout, "0 items read") {
		t.Errorf("second pass: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

// TestFolderWakes: the loop takes a dropped file long before the job's next turn.
func TestFolderWakes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"folder", "adullact"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := watched(t, kind, nil)
			s.job["every"] = "1h"
			s.drop("0.pdf", "0")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out, errs loopOutput
			ended := make(chan int, 1)
			go func() { ended <- run(ctx, []string{"-config", s.config(), "-json"}, &out, &errs) }()
			deadline := time.Now().Add(20 * time.Second) // before the launcher's poll of 30 s
			wait := func(what string, there func() bool, each func()) {
				for !there() {
					if time.Now().After(deadline) {
						t.Fatalf("%s did not come\n%s%s", what, out.String(), errs.String())
					}
					each()
				}
			}
			wait("the first pass", func() bool { return len(s.files("Traités")) > 0 }, func() { time.Sleep(10 * time.Millisecond) })
			n := 0
			// a file that comes between the pass and the wait is seen with the next one
			wait("a dropped file", func() bool { return len(s.files("Traités")) > 1 }, func() {
				n++
				s.drop(fmt.Sprintf("%d.pdf", n), fmt.Sprint(n))
				time.Sleep(300 * time.Millisecond)
			})
			cancel()
			if code := <-ended; code != 0 || errs.String() != "" {
				t.Errorf("exit %d: %s", code, errs.String())
			}
		})
	}
}

// awaited is a launcher that returns from Wait at once and notes what it was asked.
type awaited struct {
	cold.Launcher
	asked []time.Duration
}

func (a *awaited) Wait(ctx context.Context, max time.Duration) error {
	a.asked = append(a.asked, max)
	return ctx.Err()
}

// TestRest: a launcher that can wait decides, within the job's turn; after a failure it is not
// asked, since what it awaited may be overdue, and failures would come without a pause.
func TestRest(t *testing.T) {
	t.Parallel()
	const every = 20 * time.Millisecond
	a := &awaited{}
	begun := time.Now()
	if err := rest(t.Context(), a, every, true); err != nil || len(a.asked) != 0 || time.Since(begun) < every {
		t.Errorf("after a failure: %v, asked %v, %s", err, a.asked, time.Since(begun))
	}
	begun = time.Now()
	if err := rest(t.Context(), a, every, false); err != nil || !slices.Equal(a.asked, []time.Duration{every}) || time.Since(begun) < every {
		t.Errorf("%v, asked %v, %s", err, a.asked, time.Since(begun))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	if err := rest(ctx, a, time.Hour, false); err != nil {
		t.Errorf("%v, want a short pause", err)
	}
	cancel()
	for _, l := range []cold.Launcher{a, &launcher.IMAP{}} {
		if err := rest(ctx, l, time.Hour, false); !errors.Is(err, context.Canceled) {
			t.Errorf("%T: %v", l, err)
		}
	}
	for _, l := range []cold.Launcher{&launcher.Folder{}, &adullact.Launcher{}} {
		if _, ok := l.(waiter); !ok {
			t.Errorf("%T cannot wait", l)
		}
	}
}
