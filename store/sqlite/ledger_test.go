package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// harness opens a store in a directory of its own.
func harness(t *testing.T) coldtest.LedgerHarness {
	path := filepath.Join(t.TempDir(), "état 100%?.db")
	open := func() *Store {
		st, err := Open(context.Background(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	st := open()
	t.Cleanup(func() { st.Close() })
	return coldtest.LedgerHarness{
		Ledger: func() cold.Ledger { return st.Ledger() },
		Reopen: func() { st.Close(); st = open() },
		Crash: func() { // the system frees a dead holder's locks
			st.mu.Lock()
			defer st.mu.Unlock()
			for l := range st.leases {
				l.lock.Close()
			}
		},
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	coldtest.TestLedger(t, harness)
}
