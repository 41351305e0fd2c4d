package cold

import (
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func TestSelectItem(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what string
		s    Select
		it   Item
		want bool
		says string
	}{
		{"zero", Select{}, Item{}, true, ""},
		{"seen", Select{Unseen: true}, Item{Seen: true}, false, "read"},
		{"unseen", Select{Unseen: true}, Item{}, true, ""},
		{"seen does not matter", Select{}, Item{Seen: true}, true, ""},
		{"young", Select{MaxAge: time.Hour}, Item{Time: now.Add(-time.Hour)}, true, ""},
		{"old", Select{MaxAge: time.Hour}, Item{Time: now.Add(-time.Hour - 1)}, false, "older than 1h"},
		{"from the future", Select{MaxAge: time.Hour}, Item{Time: now.Add(time.Hour)}, true, ""},
		{"time unknown", Select{MaxAge: time.Hour}, Item{}, true, ""},
		{"small", Select{MinSize: 10}, Item{Size: 9}, false, "smaller than 10"},
		{"large", Select{MaxSize: 10}, Item{Size: 11}, false, "larger than 10"},
		{"fits", Select{MinSize: 10, MaxSize: 10}, Item{Size: 10}, true, ""},
		{"size unknown", Select{MinSize: 10, MaxSize: 10}, Item{Size: -1}, true, ""},
	} {
		sel, err := c.s.compile()
		if err != nil {
			t.Fatal(err)
		}
		ok, reason := sel.matchItem(c.it, now)
		if ok != c.want || !strings.Contains(reason, c.says) || (reason == "") != c.want {
			t.Errorf("%s: %v %q", c.what, ok, reason)
		}
		if sel.needsHeaders() {
			t.Errorf("%s: needs headers", c.what)
		}
	}
}

func TestSelectHeaders(t *testing.T) {
	t.Parallel()
	from, to := []string{"Émilie Durand", "emilie@Example.org"}, []string{"compta@example.com", "Achats"}
	for _, c := range []struct {
		what    string
		s       Select
		subject string
		want    bool
		says    string
	}{
		{"address", Select{From: []string{"@example.ORG"}}, "", true, ""},
		{"name", Select{From: []string{"x", "émilie"}}, "", true, ""},
		{"name, accent on its own", Select{From: []string{"E\u0301milie"}}, "", true, ""},
		{"from none", Select{From: []string{"example.net"}}, "", false, "from"},
		{"to", Select{To: []string{"achats"}}, "", true, ""},
		{"to none", Select{To: []string{"emilie"}}, "", false, "to and cc"},
		{"all must pass", Select{From: []string{"emilie"}, To: []string{"emilie"}}, "", false, "to"},
		{"text", Select{Subject: "FACTURE"}, "Votre facture n° 4", true, ""},
		{"text not held", Select{Subject: "devis"}, "Votre facture n° 4", false, "subject"},
		{"pattern", Select{Subject: "/.*facture.*/i"}, "Votre Facture n° 4", true, ""},
		{"pattern is for the whole", Select{Subject: "/facture/i"}, "Votre Facture n° 4", false, "/facture/i"},
		{"pattern undecided", Select{Subject: `/(\w+)+!/`}, strings.Repeat("a", 200), true, "undecided"},
		{"long subject", Select{Subject: "/a/"}, strings.Repeat("a", 300), true, "undecided"},
		{"long subject, text", Select{Subject: "aab"}, strings.Repeat("a", 300) + "b", true, ""},
		{"a lone slash is a text", Select{Subject: "/"}, "a/b", true, ""},
		{"no closing slash is a text", Select{Subject: "/a"}, "x/a", true, ""},
	} {
		sel, err := c.s.compile()
		if err != nil {
			t.Fatal(err)
		}
		ok, reason := sel.matchHeaders(from, to, c.subject)
		if ok != c.want || !strings.Contains(reason, c.says) || (c.says == "" && reason != "") {
			t.Errorf("%s: %v %q", c.what, ok, reason)
		}
		if !sel.needsHeaders() {
			t.Errorf("%s: needs no headers", c.what)
		}
	}
}

func TestSelectErrors(t *testing.T) {
	t.Parallel()
	for _, s := range []Select{
		{MaxAge: -1}, {MinSize: -1}, {MaxSize: -1}, {MinSize: 2, MaxSize: 1},
		{From: []string{""}}, {To: []string{"a", " "}}, {Subject: "/(/"}, {Subject: "/a/g"},
	} {
		if _, err := s.compile(); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
