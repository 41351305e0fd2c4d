package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// TestEndToEnd sends by Postfix and collects from Dovecot into a directory, through
// the filter of the product's page.
func TestEndToEnd(t *testing.T) {
	postfix(t)
	u := user(t)
	m, sums := letter(servers.Address(u))
	if rec, err := send(t, smtpOf(t, connector.TLSStartTLS), m); err != nil {
		t.Fatalf("%+v, %v", rec, err)
	}
	await(t, u, 1)

	dir, ctx := t.TempDir(), testContext(t)
	st, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	filter, err := cold.ParseFilter(`/.*\.(?!bin).*/`)
	if err != nil {
		t.Fatal(err)
	}
	job := &cold.Job{Name: "j", Launcher: imapOf(u), Sink: cold.Dir(dir), Ledger: st.Ledger(), After: cold.MoveTo("Traités"),
		Filters: cold.Filters{Include: []cold.Filter{filter}}}
	s := run(t, job)
	if s.Items != 1 || s.Delivered != 3 || s.Refused != 1 {
		t.Errorf("%+v", s)
	}
	if s := run(t, job); s.Items != 0 || s.Delivered != 0 {
		t.Errorf("second run: %+v", s)
	}
	var got, want []string
	des, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, de := range des {
		if de.Type().IsRegular() {
			b, err := os.ReadFile(filepath.Join(dir, de.Name()))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, de.Name()+" "+hash(b))
		}
	}
	for n, sum := range sums {
		if n != "vide.bin" {
			want = append(want, n+" "+sum)
		}
	}
	same(t, "directory", got, want)
	if ms, _ := folder(t, u, "Traités"); len(ms) != 1 {
		t.Errorf("%d mails were moved", len(ms))
	}
}
