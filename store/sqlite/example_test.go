package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// What a job has recorded is still known after a restart, with the reason for each part.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	st, err := sqlite.Open(ctx, filepath.Join(dir, "state.db"), nil)
	if err != nil {
		panic(err)
	}
	lease, err := st.Ledger().Lock(ctx, "factures") // cold.Job does this
	if err != nil {
		panic(err)
	}
	err = lease.Record(ctx, []cold.Entry{{Item: cold.Item{Key: "uid-7"}, State: cold.StateDone, Docs: []cold.Entered{
		{Name: "été.pdf", Decision: cold.Delivered, Reason: "taken by /.*[.]pdf/"},
		{Name: "Thumbs.db", Decision: cold.Refused, Reason: "no include filter matches"},
	}}})
	if err != nil {
		panic(err)
	}
	st.Close()

	st, err = sqlite.Open(ctx, filepath.Join(dir, "state.db"), nil)
	if err != nil {
		panic(err)
	}
	defer st.Close()
	entry, err := st.Ledger().Explain(ctx, "factures", "uid-7")
	if err != nil {
		panic(err)
	}
	fmt.Println(entry.Item.Key, entry.State)
	for _, d := range entry.Docs {
		fmt.Printf("%s: %s, %s\n", d.Name, d.Decision, d.Reason)
	}
	// Output:
	// uid-7 done
	// été.pdf: delivered, taken by /.*[.]pdf/
	// Thumbs.db: refused, no include filter matches
}
