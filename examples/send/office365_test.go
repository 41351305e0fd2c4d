package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// TestOffice365: a connector of the file sends through Microsoft 365 with an account that was
// associated before, small and large; without that it says what to do.
func TestOffice365(t *testing.T) {
	t.Parallel()
	srv, err := graphtest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	srv.AddUser(graphtest.User{Address: "compta@mondaine.fr", Name: "Compta", Language: "fr"})
	maire := srv.AddUser(graphtest.User{Address: "maire@mondaine.fr"})
	s := newSite(t)
	account, err := demo.Microsoft(srv, s.dir, "compta", "send", "send_large")
	if err != nil {
		t.Fatal(err)
	}
	s.file["key"], s.file["accounts"] = demo.Key, []any{account}
	s.file["connectors"] = append(s.file["connectors"].([]any), demo.Object{"name": "365", "kind": "office365", "settings": demo.Object{"account": "compta"}})
	s.file["services"] = demo.Object{"mail": demo.Object{"default": "main", "instances": demo.Object{"relances": demo.Object{"connector": "365"}}}}
	send := func(more ...string) result {
		return s.run(append([]string{"-instance", "relances", "-to", "maire@mondaine.fr", "-subject", "Relance été", "-text", "Bonjour"}, more...)...)
	}

	if r := send(); r.code != 1 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "compta") || !strings.Contains(r.stderr, "not associated") {
		t.Errorf("before it was associated: exit %d, %s", r.code, r.stderr)
	}
	if err := demo.Associate(t.Context(), srv, filepath.Join(s.dir, "state.db"), "compta", "compta@mondaine.fr", "send", "send_large"); err != nil {
		t.Fatal(err)
	}
	plan := filepath.Join(s.dir, "Plan de masse n°3.tif")
	if err := os.WriteFile(plan, bytes.Repeat([]byte("plan été "), 500_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"-attach", plan}} {
		if r := send(more...); r.code != 0 || !strings.HasPrefix(r.stdout, `accepted through connector "365" (instance), Message-ID `) || r.stderr != "" {
			t.Errorf("%v: exit %d, %s%s", more, r.code, r.stdout, r.stderr)
		}
	}
	got := maire.Messages("inbox")
	if len(got) != 2 || len(s.srv.Sent()) != 0 {
		t.Fatalf("%d mails arrived, %d went by SMTP", len(got), len(s.srv.Sent()))
	}
	if size := len(got[1].Raw); size < 4_500_000 {
		t.Errorf("the mail with the plan has %d bytes", size)
	}
	// who keeps only an SMTP connector in use is not asked for anything of Microsoft's
	before := len(srv.Calls())
	if r := s.run("-to", "maire@example.org", "-subject", "x"); r.code != 0 || len(srv.Calls()) != before {
		t.Errorf("by SMTP: exit %d, %d calls, %s", r.code, len(srv.Calls())-before, r.stderr)
	}
}
