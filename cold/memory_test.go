package cold_test

import (
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

func TestMemoryLedger(t *testing.T) {
	t.Parallel()
	coldtest.TestLedger(t, func(t *testing.T) coldtest.LedgerHarness {
		m := cold.NewMemoryLedger()
		return coldtest.LedgerHarness{Ledger: func() cold.Ledger { return m }, Crash: m.Crash}
	})
}

func TestMemoryLedgersHaveScopesOfTheirOwn(t *testing.T) {
	t.Parallel()
	var zero cold.MemoryLedger
	a, err := zero.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := cold.NewMemoryLedger().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if a.Scope() == b.Scope() {
		t.Error("two ledgers give documents the same keys")
	}
}
