package dirstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// BenchmarkPut stores files of 45 kB; an operation is one file. "plain" writes the same
// files with os.WriteFile, "plain, synced" syncs them in batches besides, without
// journal, hash and renames.
//
// QUIRK: ext4 without a journal looks for inodes that were not deleted in the last
// minutes one by one (recently_deleted in fs/ext4/ialloc.c): after thousands of files
// were removed nearby, each new one costs half a millisecond. Measure in a fresh place.
func BenchmarkPut(b *testing.B) {
	text := strings.Repeat("0123456789abcde\n", 45_000/16)
	for _, batch := range []int{30, 200} {
		for _, sync := range []string{"plain", "plain, synced"} {
			b.Run(fmt.Sprintf("%s/%d", sync, batch), func(b *testing.B) {
				dir := b.TempDir()
				b.SetBytes(int64(len(text)))
				for at := 0; at < b.N; at += batch {
					if err := plain(dir, text, at, min(at+batch, b.N), sync != "plain"); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("store/%d", batch), func(b *testing.B) {
			dir := b.TempDir()
			ctx := context.Background()
			s, err := Open(ctx, dir)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			b.ResetTimer()
			for at := 0; at < b.N; at += batch {
				var files []File
				for i := at; i < min(at+batch, b.N); i++ {
					files = append(files, file(fmt.Sprint(i), fmt.Sprint("facture ", i, ".pdf"), text))
				}
				if at > 0 {
					if err := s.Lock(ctx); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := s.Put(ctx, files); err != nil {
					b.Fatal(err)
				}
				if err := s.Unlock(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func plain(dir, text string, from, to int, durable bool) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var first error
	var files []*os.File
	for i := from; i < to; i++ {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint("facture ", i, ".pdf")))
		if err != nil {
			return err
		}
		if _, err := f.WriteString(text); err != nil {
			return err
		}
		files = append(files, f)
	}
	for w := range syncWorkers {
		wg.Go(func() {
			for i := w; i < len(files); i += syncWorkers {
				var err error
				if durable {
					err = files[i].Sync()
				}
				if cerr := files[i].Close(); err == nil {
					err = cerr
				}
				if err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}
