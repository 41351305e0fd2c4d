package arrows

import (
	"fmt"
	"slices"
	"strings"
)

// Package is what `go list -json` tells of a package; only what is needed here.
type Package struct {
	ImportPath string
	Imports    []string // of its files that are no tests
	Deps       []string // and all below them
	Standard   bool
}

// Check returns a sentence for every arrow that the rows forbid.
func Check(rows []Row, pkgs []Package) []string {
	var bad []string
	for _, p := range pkgs {
		name, ours := relative(p.ImportPath)
		if !ours {
			continue
		}
		r, ok := find(rows, name)
		if !ok {
			bad = append(bad, fmt.Sprintf("%q has no row in the table of internal/arrows: say what it may import", name))
			continue
		}
		for _, i := range p.Imports {
			if n, ours := relative(i); ours {
				if n != name && !matchAny(r.Ours, n) {
					bad = append(bad, fmt.Sprintf("%q must not import %q", name, n))
				}
			} else if thirdParty(i) && !matchAny(r.Others, i) {
				bad = append(bad, fmt.Sprintf("%q must not import %q", name, i))
			}
		}
		for _, d := range p.Deps {
			n, ours := relative(d)
			if !ours {
				n = d
			}
			if (ours || thirdParty(d)) && n != name && matchAny(r.Never, n) {
				bad = append(bad, fmt.Sprintf("%q must not reach %q", name, n))
			}
			if d == "testing" && !r.Suite {
				bad = append(bad, fmt.Sprintf("%q must not reach %q: only suites may", name, d))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// relative cuts the module off an import path.
func relative(path string) (string, bool) {
	if path == Module {
		return "", true
	}
	return strings.CutPrefix(path, Module+"/")
}

// thirdParty tells a path of another module from one of the standard library, whose
// first element has no dot. The standard library's own vendored paths have none either.
func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

func find(rows []Row, name string) (Row, bool) {
	var best Row
	found := false
	for _, r := range rows {
		if match(r.Package, name) && (!found || len(r.Package) > len(best.Package)) {
			best, found = r, true
		}
	}
	return best, found
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		// A third-party module stands for its packages.
		return match(p, name) || thirdParty(p) && match(p+"/...", name)
	})
}

func match(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}
