package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
)

// cohort makes n entries of a mailbox; every second one has a refused part more.
func cohort(n int) []cold.Entry {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	out := make([]cold.Entry, n)
	for i := range out {
		epoch := "imap://collecte@imap.mondaine.example/INBOX;UIDVALIDITY=1700000000"
		key := fmt.Sprintf("%s/;UID=%d", epoch, i+1)
		out[i] = cold.Entry{
			Item:  cold.Item{Key: key, Epoch: epoch, Size: int64(40000 + i), Time: at.Add(time.Duration(i) * time.Minute), MessageID: fmt.Sprintf("%d.facture@mondaine.example", i)},
			State: cold.StatePlanned, Time: at, Rules: strings.Repeat("5a", 32), Twin: fmt.Sprintf("%064x", i+1),
			Action: cold.MoveTo("Traités"),
		}
		for d := range 1 + i%9/5 {
			name := fmt.Sprintf("facture n°%d-%d été.pdf", i, d)
			out[i].Docs = append(out[i].Docs, cold.Entered{Key: fmt.Sprintf("%063x%d", i, d), Name: name, MediaType: "application/pdf", Size: 30000,
				SHA256: fmt.Sprintf("%064x", i*7+d), Path: []string{key, name}, Decision: cold.Accepted, Reason: "taken by filter /.*\\.(?!db).*/"})
		}
	}
	return out
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	st, err := Open(context.Background(), filepath.Join(b.TempDir(), "state.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	return st
}

func BenchmarkRecord(b *testing.B) {
	ctx := context.Background()
	entries := cohort(10000)
	docs := 0
	for _, e := range entries {
		docs += len(e.Docs)
	}
	for b.Loop() {
		b.StopTimer()
		st := benchStore(b)
		l, err := st.Ledger().Lock(ctx, "factures")
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		b.StartTimer()
		for i := 0; i < len(entries); i += 200 {
			if err := l.Record(ctx, entries[i:i+200]); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		st.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*len(entries))/b.Elapsed().Seconds(), "items/s")
	b.ReportMetric(float64(docs), "documents")
}

func BenchmarkStanding(b *testing.B) {
	ctx := context.Background()
	entries := cohort(10000)
	st := benchStore(b)
	l, err := st.Ledger().Lock(ctx, "factures")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if err := l.Record(ctx, entries); err != nil {
		b.Fatal(err)
	}
	items := make([]cold.Item, len(entries))
	for i := range entries {
		items[i] = entries[i].Item
	}
	for b.Loop() {
		got, err := st.Ledger().Standing(ctx, "factures", items)
		if err != nil || got[9999].State != cold.StatePlanned {
			b.Fatal(got[9999], err)
		}
	}
	b.ReportMetric(float64(b.N*len(items))/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkCycle records 10,000 items as a job does: planned, delivered with their
// documents, acting, done.
func BenchmarkCycle(b *testing.B) {
	ctx := context.Background()
	entries := cohort(10000)
	for b.Loop() {
		b.StopTimer()
		st := benchStore(b)
		l, err := st.Ledger().Lock(ctx, "factures")
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for i := 0; i < len(entries); i += 200 {
			batch := slices.Clone(entries[i : i+200])
			for _, s := range []cold.State{cold.StatePlanned, cold.StateDelivered, cold.StateActing, cold.StateDone} {
				for k := range batch {
					batch[k].State = s
					if s == cold.StateActing || s == cold.StateDone {
						batch[k].Docs = nil
					}
				}
				if err := l.Record(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.StopTimer()
		st.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*len(entries))/b.Elapsed().Seconds(), "items/s")
}
