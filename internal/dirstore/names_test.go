package dirstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Names are numbered from below, whether the store remembers the last number or not, and
// a name that was freed at the beginning is used again.
func TestPickName(t *testing.T) {
	dir := quickDir(t)
	s, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	taken := map[string]bool{}
	pick := func(want string) {
		t.Helper()
		got, err := s.pickName("a.pdf", nothingBeside, taken)
		if err != nil || got != want {
			t.Errorf("picked %q, %v, want %q", got, err, want)
		}
		if err := os.WriteFile(filepath.Join(dir, got), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pick("a.pdf")
	for n := 2; n < 30; n++ {
		if n%7 == 0 {
			s.numbers = nil
		}
		pick(fmt.Sprintf("a (%d).pdf", n))
	}
	if err := os.WriteFile(filepath.Join(dir, "a (30).pdf"), nil, 0o600); err != nil { // by somebody else
		t.Fatal(err)
	}
	pick("a (31).pdf")
	if err := os.Remove(filepath.Join(dir, "a.pdf")); err != nil {
		t.Fatal(err)
	}
	pick("a.pdf")
	pick("a (32).pdf")
}
