package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// The file that the documentation shows is right in every key.
func TestExampleFile(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "example.json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"example.json": b, "imap-password": []byte("secret\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SMTP_PASSWORD", "secret")
	t.Setenv("VAGUEMESTRE_KEY", demo.Key)
	f, err := Load(filepath.Join(dir, "example.json"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.OpenStore(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	accounts, err := f.OpenAccounts(st)
	if err != nil {
		t.Fatal(err)
	}
	if got := accounts.Names(); !slices.Equal(got, []string{"compta"}) {
		t.Errorf("accounts %q", got)
	}
	rt, err := f.Router(accounts)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	jobs, err := f.Cold(accounts)
	if err != nil || len(jobs) != 3 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	if l := jobs[1].Launcher.(*launcher.Office365); l.Account.Name() != "compta" || l.Mailbox != "factures@mondaine.fr:inbox" {
		t.Errorf("the launcher is %q of account %q", l.Mailbox, l.Account)
	}
	l, ok := jobs[2].Launcher.(*adullact.Launcher)
	if !ok || l.Path != filepath.Join(dir, "depot") || len(jobs[2].Decoders) != 1 {
		t.Errorf("the launcher is %v with %d decoders", jobs[2].Launcher, len(jobs[2].Decoders))
	}
}
