package config

import (
	"os"
	"path/filepath"
	"testing"
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
	f, err := Load(filepath.Join(dir, "example.json"))
	if err != nil {
		t.Fatal(err)
	}
	rt, err := f.Router()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	jobs, err := f.Cold()
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
}
