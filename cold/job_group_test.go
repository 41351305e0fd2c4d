package cold_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
)

// A group is taken whole or not at all: a file that the filters refuse comes along with one
// that they accept, for the after-action on their source takes both away. Another group, and
// a file alone, have no part in it.
func TestJobFiltersTakeGroupsWhole(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	j.Filters.Include = []cold.Filter{filter(t, "*.pdf")}
	j.Decoders = []cold.Decoder{scripted(func(d *cold.Document, out func(string, string, io.Reader) error) error {
		switch d.Name {
		case "1.env":
			out("a.xml", "acte", strings.NewReader("1"))
			return out("b.pdf", "acte", strings.NewReader("1"))
		case "2.env":
			return out("c.xml", "acte", strings.NewReader("2"))
		}
		return cold.ErrNotMine
	})}
	m.AddMail(mail("1", file{"1.env", "1"}, file{"2.env", "2"}, file{"alone.xml", "x"}))
	run(t, j)
	if got := s.names(); !slices.Equal(got, []string{"a.xml=1", "b.pdf=1"}) {
		t.Errorf("delivered %q", got)
	}
}
