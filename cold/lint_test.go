package cold

import (
	"slices"
	"testing"
)

func TestLint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter   string
		codes    []string
		rewrites map[string]string
	}{
		{`/.*/`, nil, nil},
		{`/.*\.pdf/i`, nil, nil},
		{`/.*\.(pdf|xml)/i`, nil, nil},
		{`/facture.*\.pdf/i`, nil, nil},
		{`/^facture/`, []string{"partial", "case"}, map[string]string{"partial": `/^facture.*/`, "case": `/^facture/i`}},
		{`/facture/i`, []string{"partial"}, map[string]string{"partial": `/.*facture.*/i`}},
		{`/\.pdf$/i`, []string{"partial"}, map[string]string{"partial": `/.*\.pdf$/i`}},
		{`/facture|devis/i`, []string{"partial"}, map[string]string{"partial": `/.*(?:facture|devis).*/i`}},
		{`/.*\.pdf/`, []string{"case"}, map[string]string{"case": `/.*\.pdf/i`}},
		{`/.*\.(?!db).*/`, []string{"last_dot", "case", "no_dot"}, map[string]string{
			"last_dot": `/(?!.*\.db\z).*\..*/i`, "case": `/.*\.(?!db).*/i`, "no_dot": `/(?!.*\.db\z).*/`}},
		{`/(?!debut_nom_fichier).*\..*/`, []string{"case", "no_dot"}, map[string]string{
			"case": `/(?!debut_nom_fichier).*\..*/i`, "no_dot": `/(?!debut_nom_fichier).*/`}},
		{`/(?!.*\.db\z).*/i`, nil, nil},
		{`/(a+)+/`, []string{"slow"}, map[string]string{"slow": `/a+/`}},
		{`/([a-z]+)*\.pdf/i`, []string{"slow"}, map[string]string{"slow": `/[a-z]*\.pdf/i`}},
		{`/(?:x*)*y/`, []string{"slow"}, map[string]string{"slow": `/x*y/`}},
		{`/(a|aa)+/`, []string{"slow"}, map[string]string{"slow": ""}},
		{`/([a-z]+_)*[a-z]+\.pdf/i`, nil, nil}, // _ keeps the repetitions apart
		{`*.pdf`, nil, nil},
		{`*.pdf;*.xml`, []string{"list"}, nil},
		{`*.{pdf,xml}`, []string{"list"}, nil},
		{`.*\.pdf`, []string{"slashes"}, map[string]string{"slashes": `/.*\.pdf/`}},
	} {
		var codes []string
		for _, f := range mustFilter(t, c.filter).Lint() {
			codes = append(codes, f.Code)
			if f.Message.EN == "" || f.Message.FR == "" || f.Message.EN == f.Message.FR {
				t.Errorf("%s: %s has texts %q", c.filter, f.Code, f.Message)
			}
			if want, ok := c.rewrites[f.Code]; f.Rewrite != want && (ok || f.Rewrite != "") {
				t.Errorf("%s: %s is rewritten as %q, want %q", c.filter, f.Code, f.Rewrite, want)
			}
			if f.Rewrite != "" {
				if g := mustFilter(t, f.Rewrite); slices.ContainsFunc(g.Lint(), func(o Finding) bool { return o.Code == f.Code }) {
					t.Errorf("%s: the rewritten %s has the same finding %s", c.filter, g, f.Code)
				}
			}
		}
		if !slices.Equal(codes, c.codes) {
			t.Errorf("%s: findings %q, want %q", c.filter, codes, c.codes)
		}
	}
	if got := (Filter{}).Lint(); got != nil {
		t.Errorf("zero: %v", got)
	}
}
