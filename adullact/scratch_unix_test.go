//go:build unix

package adullact

import (
	"context"
	"os"
	"strings"
	"testing"
)

// The scratch file has no name while it is used, so that nobody has to remove it after a
// crash.
func TestScratchHasNoName(t *testing.T) {
	t.Parallel()
	s := scratch{dir: t.TempDir()}
	one, err := s.keep(context.Background(), "a.pdf", strings.NewReader("facture"))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(s.dir); err != nil || len(list) > 0 {
		t.Errorf("the directory holds %v, %v", list, err)
	}
	if head, err := one.head(); err != nil || string(head) != "facture" {
		t.Errorf("%q, %v", head, err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
