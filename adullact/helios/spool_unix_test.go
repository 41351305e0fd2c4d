//go:build unix

package helios

import (
	"io"
	"os"
	"testing"
)

// The scratch file has no name while it is used, so that nobody has to remove it after a
// crash.
func TestSpoolHasNoName(t *testing.T) {
	t.Parallel()
	s := spool{dir: t.TempDir(), mem: []byte("facture")}
	defer s.close()
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(s.dir); err != nil || len(list) > 0 {
		t.Errorf("the directory holds %v, %v", list, err)
	}
	if b, err := io.ReadAll(s.reader()); err != nil || string(b) != "facture" {
		t.Errorf("%q, %v", b, err)
	}
}
