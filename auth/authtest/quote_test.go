package authtest

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Each case quotes a sentence that stands in the comments of auth.Store.
func TestQuotes(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "store.go"), nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, g := range f.Comments {
		text.WriteString(strings.Join(strings.Fields(g.Text()), " ") + "\n")
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if c.quote == "" || !strings.Contains(text.String(), c.quote) {
			t.Errorf("case %q: auth.Store does not say %q", c.name, c.quote)
		}
		if seen[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		seen[c.name] = true
	}
}
