package routertest

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each case quotes a sentence that stands in the comments of package router.
func TestQuotes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source of package router: %v", err)
	}
	var text strings.Builder
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range f.Comments {
			text.WriteString(strings.Join(strings.Fields(g.Text()), " ") + "\n")
		}
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if !strings.Contains(text.String(), c.quote) {
			t.Errorf("case %q: package router does not say %q", c.name, c.quote)
		}
		if seen[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		seen[c.name] = true
	}
}
