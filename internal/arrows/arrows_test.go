package arrows

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"testing"
)

// TestArrows checks the module as it is, on every system it is built for.
func TestArrows(t *testing.T) {
	for _, goos := range []string{"linux", "windows"} {
		cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Deps,Standard", Module+"/...")
		cmd.Env = append(cmd.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("no go command")
		}
		if err != nil {
			t.Fatal(err)
		}
		var pkgs []Package
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p Package
			if err := d.Decode(&p); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			pkgs = append(pkgs, p)
		}
		if len(pkgs) < 10 {
			t.Fatalf("go list found %d packages", len(pkgs))
		}
		for _, b := range Check(Table, pkgs) {
			t.Error(goos + ": " + b)
		}
	}
}

// TestCheck shows that each kind of wrong arrow is found.
func TestCheck(t *testing.T) {
	t.Parallel()
	ours := func(n string) string { return Module + "/" + n }
	for _, c := range []struct {
		name string
		p    Package
		want []string
	}{
		{"allowed", Package{ImportPath: ours("connector"), Imports: []string{"io", ours("router"), "github.com/emersion/go-smtp"}, Deps: []string{"io", ours("router")}}, nil},
		{"a package of a module", Package{ImportPath: ours("store/sqlite"), Imports: []string{"modernc.org/sqlite/lib"}}, nil},
		{"never back", Package{ImportPath: ours("router"), Imports: []string{ours("connector")}}, []string{`"router" must not import "connector"`}},
		{"through others", Package{ImportPath: ours("router"), Deps: []string{ours("cold")}}, []string{`"router" must not reach "cold"`}},
		{"cold and router", Package{ImportPath: ours("cold"), Imports: []string{ours("router")}}, []string{`"cold" must not import "router"`}},
		{"settings and auth", Package{ImportPath: ours("settings"), Imports: []string{ours("auth")}}, []string{`"settings" must not import "auth"`}},
		{"root", Package{ImportPath: Module, Imports: []string{ours("settings")}, Deps: []string{ours("settings")}}, []string{`"" must not import "settings"`, `"" must not reach "settings"`}},
		{"sqlite", Package{ImportPath: ours("cold"), Imports: []string{"modernc.org/sqlite"}}, []string{`"cold" must not import "modernc.org/sqlite"`}},
		{"database below", Package{ImportPath: ours("connector"), Deps: []string{"modernc.org/sqlite/lib"}}, []string{`"connector" must not reach "modernc.org/sqlite/lib"`}},
		{"testing", Package{ImportPath: ours("cold"), Deps: []string{"testing"}}, []string{`"cold" must not reach "testing": only suites may`}},
		{"testing in a suite", Package{ImportPath: ours("cold/coldtest"), Deps: []string{"testing"}}, nil},
		{"no row", Package{ImportPath: ours("util")}, []string{`"util" has no row in the table of internal/arrows: say what it may import`}},
		{"not ours", Package{ImportPath: "example.com/x", Imports: []string{"testing"}}, nil},
	} {
		if got := Check(Table, []Package{c.p}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
