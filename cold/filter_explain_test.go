package cold

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ filter, name, want string }{
		{`/.*\.(?!db).*/`, "a.b.db", "matches: `.*` takes character 1, `\\.` takes character 2, `(?!db)` takes nothing, `.*` takes characters 3 to 6"},
		{`/.*\.(?!db).*/`, "Thumbs.db", "does not match: the part `(?!db)` forbids what stands there"},
		{`/.*\.(?!db).*/`, "README", "does not match: nothing fits the part `\\.` where it stands"},
		{`/(?!debut_nom_fichier).*\..*/`, "debut_nom_fichier.pdf", "forbids"},
		{`/^facture/`, "facture.pdf", "fits characters 1 to 7 only, and it must fit the whole name; end it with .*"},
		{`/facture/`, "ma facture.pdf", "fits characters 4 to 10 only"},
		{`/.*\.pdf/`, "SCAN.PDF", "with the flag i it would match"},
		{`/.*\.pdf/`, "a\nb.pdf", "the flag s"},
		{`/.*\.pdf/`, "a.xml", "nothing fits the part `pdf` where it stands"},
		{`/a|b/`, "c", "none of the 2 alternatives"},
		{`/(a|b)+c/`, "d", "nothing fits the part `(a|b)+`"},
		{`/(a)\1x/`, "aax", "matches: `(a)` takes character 1, `\\1` takes character 2, `x` takes character 3"},
		{"/a # c\n b/x", "ab", "matches: the pattern fits the whole name"},
		{`/(?i)A/`, "a", "matches: the pattern fits"},
		{`/x/`, strings.Repeat("x", 300), "undecided: the name has more than 255"},
		{`/(a+)+b/`, strings.Repeat("a", 250), "undecided: the match took too long"},
		{"*.pdf", "A.PDF", "matches: the glob fits"},
		{"*.pdf", "a.pdfx", "fits only the beginning"},
		{"facture*.pdf", "devis.pdf", "the part `facture` of the glob"},
		{"[a-c]x", "dx", "the part `[a-c]`"},
	} {
		if got := mustFilter(t, c.filter).Explain(c.name); !strings.Contains(got, c.want) {
			t.Errorf("%s on %.40q: %s\nwant %s", c.filter, c.name, got, c.want)
		}
	}
	if got := (Filter{}).Explain("a"); !strings.Contains(got, "undecided: the filter is empty") {
		t.Errorf("zero: %s", got)
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`.*\.(?!db).*`:        `.*,\.,(?!db),.*`,
		`[^]]+[a\]]{2,3}?x`:   `[^]]+,[a\]]{2,3}?,x`,
		`\p{L}+é*(a(b|c))?ab`: `\p{L}+,é*,(a(b|c))?,ab`,
		`[a-z-[aeiou]]x{,2}`:  `[a-z-[aeiou]],x,{,,,2,}`,
		`a|b`:                 `a|b`,
		`(?i)ab.`:             `(?i)ab.`,
	} {
		if got := strings.Join((&regex{src: src}).parts(), ","); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
		if got := strings.Join((&regex{src: src}).parts(), ""); got != src {
			t.Errorf("%s: parts give %s", src, got)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, p := range []string{`/.*\.(?!db).*/`, `/(?!debut_nom_fichier).*\..*/`, "*.pdf", `/(?x) a # b/`, "[a-", `/[a-z-[aeiou]]/`, `/(?<a>x)\k<a>/i`} {
		f.Add(p, "facture.pdf")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		x, err := ParseFilter(pattern)
		if err != nil {
			return
		}
		ok, err := x.Match(name)
		if err != nil && ok {
			t.Error("undecided and true")
		}
		got := x.Explain(name)
		if !strings.HasPrefix(got, "undecided: ") && strings.HasPrefix(got, "matches: ") != ok && err == nil {
			t.Errorf("Match says %v, Explain %s", ok, got)
		}
		x.Lint()
	})
}
