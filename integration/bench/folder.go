//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// folder collects small files beside a plain copy that is as durable.
func (b *bench) folder() error {
	n := b.count(100_000)
	from := b.dir + "/depot"
	if err := os.Mkdir(from, 0o755); err != nil {
		return err
	}
	text := strings.Repeat("Bonjour, ceci est une ligne de mesure.\n", 120)
	for i := range n {
		// No two are the same; 2 to 4 KB.
		content := fmt.Sprintf("%d\n%s", i, text[:2000+i%2000])
		if err := os.WriteFile(fmt.Sprintf("%s/document %06d.txt", from, i), []byte(content), 0o644); err != nil {
			return err
		}
	}
	// A directory for each turn, removed at the end only, as in collect.
	turn := 0
	all, err := b.turns([]order{{Who: "copy"}, {Who: "folder, directory"}}, func(o *order) {
		turn++
		d := fmt.Sprintf("%s/turn%d", b.dir, turn)
		_ = os.MkdirAll(d, 0o755)
		o.From, o.Dir, o.DB = from, d+"/out", d+"/state.db"
	})
	if err != nil {
		return err
	}
	if r := best(all[1]); r.Docs != n {
		return fmt.Errorf("%d of %d files were collected", r.Docs, n)
	}
	fmt.Printf("folder: %d files of 3 KB into a durable directory, %d rounds\n", n, b.rounds)
	for i, w := range []string{"plain copy, synced in batches of 200", "launcher.Folder, job, SQLite, directory"} {
		r, speed, memory := best(all[i]), "", ""
		if i == 1 {
			speed, memory = "<= 2.0 x", "<= 64 MiB"
		}
		line(w, fmt.Sprintf("%.2f x  (best %.2f s, %.0f files/s)", ratio(all[i], all[0]), r.Seconds, float64(n)/r.Seconds), speed)
		line("", fmt.Sprintf("%.2f s CPU, peak %s", r.CPU, mib(peak(all[i]))), memory)
	}
	return nil
}

// copying is a copy that can be relied on and nothing more: files are synced in batches
// of as many as a job hands over, by as many workers as the sink has, then their names.
func copying(ctx context.Context, o order, r *result) error {
	if err := os.Mkdir(o.Dir, 0o755); err != nil {
		return err
	}
	out, err := os.Open(o.Dir)
	if err != nil {
		return err
	}
	defer out.Close()
	entries, err := os.ReadDir(o.From)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(entries, 200) {
		files := make([]*os.File, len(batch))
		for i, e := range batch {
			in, err := os.Open(filepath.Join(o.From, e.Name()))
			if err != nil {
				return err
			}
			if files[i], err = os.Create(filepath.Join(o.Dir, e.Name())); err != nil {
				return err
			}
			n, err := io.Copy(files[i], in)
			in.Close()
			if err != nil {
				return err
			}
			r.Docs++
			r.Bytes += n
		}
		const workers = 16
		var wg sync.WaitGroup
		var errs [workers]error
		for w := range workers {
			wg.Go(func() {
				for i := w; i < len(files); i += workers {
					errs[w] = errors.Join(errs[w], files[i].Sync(), files[i].Close())
				}
			})
		}
		wg.Wait()
		if err := errors.Join(append(errs[:], out.Sync())...); err != nil {
			return err
		}
	}
	return nil
}

// jobFolder collects the same files; the ledger is on disk, too.
func jobFolder(ctx context.Context, o order, r *result) error {
	st, err := sqlite.Open(ctx, o.DB, nil)
	if err != nil {
		return err
	}
	defer st.Close()
	l := &launcher.Folder{Path: o.From, ErrorDir: o.Dir + "-errors", StableFor: time.Millisecond}
	job := cold.Job{Name: "bench", Launcher: l, Sink: cold.Dir(o.Dir), Ledger: st.Ledger()}
	begin, cpu := time.Now(), cpuTime()
	s, err := job.Run(ctx)
	r.Seconds, r.CPU = time.Since(begin).Seconds(), cpuTime()-cpu
	r.Items, r.Docs, r.Bytes = s.Items, s.Delivered, s.Bytes
	return err
}
