package cold

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func mustFilter(t testing.TB, s string) Filter {
	t.Helper()
	f, err := ParseFilter(s)
	if err != nil {
		t.Fatalf("ParseFilter(%q): %v", s, err)
	}
	return f
}

// Both patterns are the documented examples; a name stands with what each of them
// says of it, surprises included.
func TestDocumentedFilters(t *testing.T) {
	t.Parallel()
	noDB := mustFilter(t, `/.*\.(?!db).*/`)
	noStart := mustFilter(t, `/(?!debut_nom_fichier).*\..*/`)
	for _, c := range []struct {
		name      string
		db, start bool
	}{
		{"facture.pdf", true, true},
		{"Facture 2024-01.PDF", true, true},
		{"Thumbs.db", false, true},
		{"thumbs.DB", true, true}, // case counts
		{"Thumbs.Db", true, true},
		{"a.b.db", true, true}, // the first dot is followed by b
		{"a.db.b", true, true}, // the last dot is
		{"a.db", false, true},
		{"a.dbf", false, true}, // begins with db
		{"a.db3", false, true},
		{"db.db", false, true},
		{"db", false, false}, // no dot
		{"noext", false, false},
		{"README", false, false},
		{"", false, false},
		{".", true, true},
		{"..", true, true},
		{".db", false, true},
		{"..db", true, true}, // the first dot is followed by a dot
		{".profile", true, true},
		{"a.", true, true}, // nothing follows the dot
		{"a..db", true, true},
		{"a. db", true, true},
		{"a.xdb", true, true},
		{"archive.tar.gz", true, true},
		{"debut_nom_fichier.pdf", true, false},
		{"debut_nom_fichier", false, false},
		{"debut_nom_fichier_2.pdf", true, false},
		{"debut_nom_fichie.pdf", true, true},
		{"Debut_nom_fichier.pdf", true, true}, // case counts
		{"x_debut_nom_fichier.pdf", true, true},
		{" debut_nom_fichier.pdf", true, true},
		{"a.debut_nom_fichier", true, true},
		{"debut_nom_fichier.db", false, false},
		{"été à Noël.pdf", true, true},
		{"relevé n°4 – août.xml", true, true},
		{"日本語.pdf", true, true},
		{"a\u202egpj.db", false, true},
		{"with\nline.pdf", false, false}, // the dot takes no line end
		{"facture.pdf\n", false, false},
		{"facture.db\n", false, false},
		{"a\tb.pdf", true, true},
		{"100%.pdf", true, true},
		{"[1].pdf", true, true},
		{"a.pdf.db", true, true},
		{strings.Repeat("a", 251) + ".pdf", true, true},
	} {
		for _, x := range []struct {
			f    Filter
			want bool
		}{{noDB, c.db}, {noStart, c.start}} {
			got, err := x.f.Match(c.name)
			if err != nil || got != x.want {
				t.Errorf("%s on %q: got %v, %v, want %v", x.f, c.name, got, err, x.want)
			}
		}
	}
}

func TestFilterForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, name string
		want         bool
	}{
		{`/facture/`, "facture", true},
		{`/facture/`, "facture.pdf", false}, // the whole name
		{`/^facture/`, "facture.pdf", false},
		{`/^facture.*/`, "facture.pdf", true},
		{`/a|b/`, "ax", false}, // the alternation is wrapped as a whole
		{`/a|b/`, "b", true},
		{`/.*\.pdf/`, "a.PDF", false},
		{`/.*\.pdf/i`, "a.PDF", true},
		{`/.*\.pdf/is`, "a\nb.PDF", true},
		{`/.*\.pdf/`, "a\nb.pdf", false},
		{"/.* \\. pdf # only these/x", "a.pdf", true},
		{"/.* \\. pdf # only these/x", "a.pdfx", false},
		{"/.*\\.pdf # only these )/x", "a.pdf", true},
		{"/(?x) .*\\.pdf # only these/", "a.pdf", true},
		{"/(?x) .*\\.pdf # only these/", "a.pdf\n", false},
		{"/a # one\n b/x", "ab", true},
		{"/a\\ b/x", "a b", true},
		{`/[#]x/x`, "#x", true},
		{`/a\/b/`, "a/b", true},
		{`/a/b/`, "a/b", true},
		{`/(a)(b)\2\1/`, "abba", true},
		{`/(?<x>a)\k<x>/`, "aa", true},
		{`/.*(?<!_old)\.pdf/`, "a_old.pdf", false},
		{`/.*(?<!_old)\.pdf/`, "a.pdf", true},
		{"/fe\u0301vrier.*/", "f\u00e9vrier.pdf", true}, // however the accent is written
		{"/f\u00e9vrier.*/", "fe\u0301vrier.pdf", true},
		{`/.*$/`, "a\n", false}, // $ would allow a last line end
		{"/\\p{L}+/", "été", true},
		{"*.pdf", "a.pdf", true},
		{"*.pdf", "A.PDF", true},
		{"*.pdf", ".pdf", true},
		{"*.pdf", "a.pdf.exe", false},
		{"*.PDF", "a.pdf", true},
		{"facture*", "Facture été.pdf", true},
		{"FACTURE_É*", "facture_éclair", true},
		{"?.pdf", "a.pdf", true},
		{"?.pdf", "ab.pdf", false},
		{"?.pdf", "é.pdf", true},
		{"[a-c]*", "Beta", true},
		{"[a-c]*", "delta", false},
		{"[!a-c]*", "delta", true},
		{"[!a-c]*", "Beta", false},
		{"[]x]", "]", true},
		{"[a-]", "-", true},
		{"[\\]]", "]", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"*", "", true},
		{"**a**b", "xaxxb", true},
		{"*a*b", "xaxbx", false},
		{"a+b(c)", "a+b(c)", true}, // a glob is no regex
		{"*.p?f", "x.pDf", true},
	} {
		got, err := mustFilter(t, c.filter).Match(c.name)
		if err != nil || got != c.want {
			t.Errorf("%s on %q: got %v, %v, want %v", c.filter, c.name, got, err, c.want)
		}
	}
}

func TestParseFilterErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, says string }{
		{"", "empty"},
		{"/", "does not end"},
		{"/abc", "does not end"},
		{"//", "the pattern is empty"},
		{"//i", "the pattern is empty"},
		{"/a/g", "known flags"},
		{"/a/ii", "known flags"},
		{"/a/I", "known flags"},
		{"dir/*.pdf", "holds a slash"},
		{"[a", "not closed"},
		{"[]", "not closed"},
		{"[a-", "not closed"},
		{"[z-a]", "backwards"},
		{"a\\", "backslash"},
		{"/a)|(b/", "mend the pattern"},
		{"/(/", "mend the pattern"},
		{"/*/", "mend the pattern"},
		{"/[/", "mend the pattern"},
		{"/a\\/", "mend the pattern"},
		{"/(?<n/", "mend the pattern"},
		{"/" + strings.Repeat("a", 1025) + "/", "1025 bytes"},
		{strings.Repeat("a", 1025), "1025 bytes"},
		{strings.Repeat("a", 5000), "5000 bytes"},
		{"\xff*", "UTF-8"},
	} {
		f, err := ParseFilter(c.in)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("ParseFilter(%.40q) = %v, want an error that says %q", c.in, err, c.says)
			continue
		}
		if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.HasPrefix(err.Error(), "cold: filter: ") {
			t.Errorf("ParseFilter(%.40q): class %q, text %v", c.in, vaguemestre.ClassOf(err), err)
		}
		if f.String() != "" {
			t.Errorf("ParseFilter(%.40q) returned a filter beside its error", c.in)
		}
	}
}

// The bombs of the literature and of mail administrators. Each must end soon and be
// held, but for the four that the engine sees through and rightly refuses.
func TestFilterBombs(t *testing.T) {
	a := strings.Repeat("a", 254) + "!"
	for i, c := range []struct{ pattern, name string }{
		{`(a+)+`, a}, {`(a*)*`, a}, {`(a+)*`, a}, {`(a|a)*`, a}, {`(a|aa)+`, a},
		{`(a|a?)+`, a}, {`([a-z]+)*`, a}, {`(.*a){20}`, a}, {`(a*)*b`, a}, {`(\w+\s?)*`, a},
		{`(?:a+){2,}b`, a}, {`((a+)+)+`, a}, {`(a+a+)+b`, a}, {`(x+x+)+y`, strings.Repeat("x", 255)},
		{`([a-zA-Z]+)*c!!`, a}, {`(.*)*x`, a}, {`(.+)+\.pdf`, a}, {`^(\w+)+$`, a},
		{`(([a-z])+.)+[A-Z]([a-z])+`, strings.Repeat("a", 255)},
		{`(a?){60}(a){60}(a?){90}b`, a}, {`(?=(a+)+!b)`, a}, {`(?!(a+)+b).*`, a},
		{`(?<!(a+)+b)!`, a}, {`(\d+)+x`, strings.Repeat("1", 255)},
		{`([0-9]+)*\.xml`, strings.Repeat("7", 255)}, {`(\.|[^x])*x\.db`, a},
		{`([-.\w]*[0-9a-zA-Z])*@x`, a}, {`(.*\.)*(.*\.)*db`, strings.Repeat("a.", 127)},
		{`((.*)(.*)(.*)(.*)(.*)(.*)(.*))[^!]`, a}, {`(a+)(a+)(a+)(a+)(a+)(a+)(a+)(a+)b`, a},
		{`(\s*\S*)*x`, strings.Repeat("a ", 127)}, {`(é+)+`, strings.Repeat("é", 254) + "!"},
		{`(?i)(A+)+`, a}, {`(a{1,100}){1,100}b`, a}, {`([^.]*)*\.(?!db)(.*)*z`, strings.Repeat("a", 200) + "." + strings.Repeat("b", 50)},
	} {
		t.Run(fmt.Sprintf("%02d", i), func(t *testing.T) {
			f := mustFilter(t, "/"+c.pattern+"/")
			start := time.Now()
			d, reason := Filters{Include: []Filter{f}}.Decide(c.name, "application/pdf", 1)
			took := time.Since(start)
			// 300 ms is the promise; shared machines get more.
			if took > 2*time.Second {
				t.Errorf("%s took %v", f, took)
			}
			switch c.pattern {
			case `(a|a)*`, `(?:a+){2,}b`, `(?<!(a+)+b)!`, `(\.|[^x])*x\.db`:
				if d != Refused {
					t.Errorf("%s: %s (%s), want refused", f, d, reason)
				}
				return
			}
			if d != Held {
				t.Errorf("%s: %s (%s) after %v, want held", f, d, reason, took)
			}
			if strings.Contains(reason, c.name) || !strings.Contains(reason, "took too long") {
				t.Errorf("%s: reason %q", f, reason)
			}
		})
	}
}

func TestLongNameIsHeld(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`/.*/`, "*", "*.pdf"} {
		f := mustFilter(t, s)
		for n, want := range map[int]bool{255: true, 256: false, 100_000: false} {
			for _, c := range []string{"x", "é", "\xff"} {
				_, err := f.Match(strings.Repeat(c, n))
				if (err == nil) != want {
					t.Errorf("%s, %d times %q: %v", s, n, c, err)
				}
				if err != nil && (!errors.Is(err, errLongName) || strings.Contains(err.Error(), "xxx")) {
					t.Errorf("%s, %d times %q: %v", s, n, c, err)
				}
			}
		}
	}
	// An accent of its own counts before it is composed: the bound is on what was sent.
	if _, err := mustFilter(t, "*").Match(strings.Repeat("e\u0301", 128)); err == nil {
		t.Error("256 characters passed")
	}
}

// A timeout that comes at once is the clock's fault: the match is tried again, once.
func TestSpuriousTimeoutIsRetried(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		took  time.Duration // of every try
		fails int
		calls int
		ok    bool
	}{
		{"none", 0, 0, 1, true},
		{"at once", time.Millisecond, 1, 2, true},
		{"at once and again", time.Millisecond, 2, 2, false},
		{"in its time", 150 * time.Millisecond, 1, 1, false},
	} {
		clock, calls := time.Unix(0, 0), 0
		got, err := bounded(func() (bool, error) {
			calls++
			clock = clock.Add(c.took)
			if calls <= c.fails {
				return false, errors.New("match timeout after 100ms on input `secret.pdf`")
			}
			return true, nil
		}, func() time.Time { return clock })
		if calls != c.calls || got != c.ok || (err == nil) != c.ok {
			t.Errorf("%s: %d calls, %v, %v", c.name, calls, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error holds the name: %v", c.name, err)
		}
	}
	if ok, err := bounded(func() (bool, error) { panic("x") }, time.Now); ok || !errors.Is(err, errSlow) {
		t.Errorf("a panic gave %v, %v", ok, err)
	}
}

func TestFilterText(t *testing.T) {
	t.Parallel()
	type conf struct{ Include []Filter }
	var c conf
	in := `{"Include":["/.*\\.(?!db).*/i","*.pdf"]}`
	if err := json.Unmarshal([]byte(in), &c); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(c)
	if err != nil || string(out) != in {
		t.Errorf("got %s, %v, want %s", out, err, in)
	}
	if err := json.Unmarshal([]byte(`{"Include":["/(/"]}`), &c); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("a bad pattern gave %v", err)
	}
	if _, err := (Filter{}).Match("a"); !errors.Is(err, errZeroFilter) {
		t.Errorf("the zero filter: %v", err)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	yes, no, slow := mustFilter(t, "*.pdf"), mustFilter(t, "*.xml"), mustFilter(t, `/(\w+)+\.doc/`)
	slowName := strings.Repeat("a", 250) + ".pdf"
	const pdf = "application/pdf"
	fs := func(f ...Filter) []Filter { return f }
	for _, c := range []struct {
		what string
		f    Filters
		name string
		typ  string
		size int64
		want Decision
		says string
	}{
		{"zero", Filters{}, "a", "", -1, Accepted, "no filter"},
		{"included", Filters{Include: fs(no, yes)}, "a.pdf", pdf, 1, Accepted, "*.pdf"},
		{"not included", Filters{Include: fs(no)}, "a.pdf", pdf, 1, Refused, "*.xml"},
		{"not included by any", Filters{Include: fs(no, no)}, "a.pdf", pdf, 1, Refused, "any of the 2"},
		{"excluded", Filters{Exclude: fs(no, yes)}, "a.pdf", pdf, 1, Refused, "excluded by *.pdf"},
		{"included and excluded", Filters{Include: fs(yes), Exclude: fs(yes)}, "a.pdf", pdf, 1, Refused, "excluded"},
		{"not excluded", Filters{Exclude: fs(no)}, "a.pdf", pdf, 1, Accepted, ""},
		{"include undecided", Filters{Include: fs(slow)}, slowName, pdf, 1, Held, "include /"},
		{"include undecided, another refuses", Filters{Include: fs(slow, no)}, slowName, pdf, 1, Held, "include /"},
		{"include undecided, another takes", Filters{Include: fs(slow, yes)}, slowName, pdf, 1, Accepted, "*.pdf"},
		{"include undecided, excluded for sure", Filters{Include: fs(slow), Exclude: fs(yes)}, slowName, pdf, 1, Refused, "excluded"},
		{"exclude undecided", Filters{Exclude: fs(slow)}, slowName, pdf, 1, Held, "exclude /"},
		{"exclude undecided, another excludes", Filters{Exclude: fs(slow, yes)}, slowName, pdf, 1, Refused, "excluded by *.pdf"},
		{"exclude undecided, not included", Filters{Include: fs(no), Exclude: fs(slow)}, slowName, pdf, 1, Refused, "not included"},
		{"exclude undecided, type refused", Filters{Exclude: fs(slow), MediaTypes: []string{"image/*"}}, slowName, pdf, 1, Refused, "image/*"},
		{"exclude undecided, size refused", Filters{Exclude: fs(slow), MaxSize: 10}, slowName, pdf, 11, Refused, "larger than 10"},
		{"include undecided, size fits", Filters{Include: fs(slow), MaxSize: 10}, slowName, pdf, 10, Held, "include"},
		{"zero filter includes", Filters{Include: fs(Filter{})}, "a", pdf, 1, Held, "empty"},
		{"zero filter excludes", Filters{Exclude: fs(Filter{})}, "a", pdf, 1, Held, "empty"},
		{"long name", Filters{Include: fs(yes)}, strings.Repeat("secret", 50) + ".pdf", pdf, 1, Held, "more than 255"},
		{"type", Filters{MediaTypes: []string{"application/pdf"}}, "a", pdf, 1, Accepted, ""},
		{"type in capitals", Filters{MediaTypes: []string{"Application/PDF"}}, "a", "APPLICATION/pdf; name=x", 1, Accepted, ""},
		{"type by wildcard", Filters{MediaTypes: []string{"text/plain", "image/*"}}, "a", "image/png", 1, Accepted, ""},
		{"any type", Filters{MediaTypes: []string{"*/*"}}, "a", "image/png", 1, Accepted, ""},
		{"major is no prefix", Filters{MediaTypes: []string{"image/*"}}, "a", "imagex/png", 1, Refused, "image/*"},
		{"type refused", Filters{MediaTypes: []string{"image/*"}}, "a", pdf, 1, Refused, "image/*"},
		{"type unknown", Filters{MediaTypes: []string{"image/*"}}, "a", "", 1, Held, "not known"},
		{"smallest", Filters{MinSize: 10}, "a", pdf, 10, Accepted, ""},
		{"too small", Filters{MinSize: 10}, "a", pdf, 9, Refused, "smaller than 10"},
		{"empty", Filters{MinSize: 1}, "a", pdf, 0, Refused, "smaller"},
		{"largest", Filters{MaxSize: 10}, "a", pdf, 10, Accepted, ""},
		{"too large", Filters{MaxSize: 10}, "a", pdf, 11, Refused, "larger than 10"},
		{"size unknown", Filters{MaxSize: 10}, "a", pdf, -1, Held, "size is not known"},
	} {
		d, reason := c.f.Decide(c.name, c.typ, c.size)
		if d != c.want || !strings.Contains(reason, c.says) || reason == "" {
			t.Errorf("%s: got %s (%s), want %s (…%s…)", c.what, d, reason, c.want, c.says)
		}
		if len(c.name) > 20 && strings.Contains(reason, c.name[:20]) {
			t.Errorf("%s: the reason holds the name: %s", c.what, reason)
		}
	}
}

func TestFiltersCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f    Filters
		says string
	}{
		{Filters{}, ""},
		{Filters{Include: []Filter{mustFilter(t, "*")}, MediaTypes: []string{"image/*", "*/*", "text/plain; charset=utf-8"}, MinSize: 1, MaxSize: 1}, ""},
		{Filters{Include: []Filter{{}}}, "ParseFilter"},
		{Filters{Exclude: []Filter{{}}}, "ParseFilter"},
		{Filters{MediaTypes: []string{"pdf"}}, "no media type"},
		{Filters{MediaTypes: []string{"*/pdf"}}, "no media type"},
		{Filters{MediaTypes: []string{"image/"}}, "no media type"},
		{Filters{MinSize: -1}, "below 0"},
		{Filters{MinSize: 2, MaxSize: 1}, "no document"},
	} {
		err := c.f.check()
		switch {
		case c.says == "" && err != nil, c.says != "" && err == nil:
			t.Errorf("%+v: %v", c.f, err)
		case err != nil && (!strings.Contains(err.Error(), c.says) || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig):
			t.Errorf("%+v: %v, want …%s…", c.f, err, c.says)
		}
	}
}
