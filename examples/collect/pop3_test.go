package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// TestPOP3: the same file, filters and sink as with IMAP give the same documents, and the
// mails whose documents are safe are deleted.
func TestPOP3(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	srv, err := demo.StartPOP3(s.dir, demo.Mails())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	s.job["launcher"], s.job["after"] = srv.Launcher(), demo.Object{"do": "delete"}
	dry := s.run("-dry-run")
	if dry.code != 0 || !strings.Contains(dry.stdout, "6 documents delivered (287 bytes), 1 refused") || srv.Len() != 6 {
		t.Errorf("dry run: exit %d, %d mails are left\n%s%s", dry.code, srv.Len(), dry.stdout, dry.stderr)
	}
	r := s.run("-once", "-json")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	if got := s.files("in"); !slices.Equal(got, wanted) {
		t.Errorf("the sink holds %q, want %q", got, wanted)
	}
	if srv.Len() != 1 {
		t.Errorf("%d mails are left, want the one without documents", srv.Len())
	}
	docs, _ := jsonLines(t, r.stdout)
	item := docs[0]["item"].(string)
	if !strings.HasPrefix(item, "pop3://") {
		t.Errorf("item %q", item)
	}
	if e := s.run("-explain", item); e.code != 0 || !strings.Contains(e.stdout, "delete: done") {
		t.Errorf("explain: exit %d, %s%s", e.code, e.stdout, e.stderr)
	}
	srv.Deliver(demo.Mails()[0]) // the supplier sends it once more: another mail
	if _, sum := jsonLines(t, s.run("-once", "-json").stdout); sum["items"] != 1.0 || sum["delivered"] != 1.0 || srv.Len() != 1 {
		t.Errorf("second pass: %v, %d mails are left", sum, srv.Len())
	}
}

// TestPOP3WrongPassword: one sentence, without the password.
func TestPOP3WrongPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	srv, err := demo.StartPOP3(s.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	s.job["launcher"], s.job["after"] = srv.Launcher(), demo.Object{"do": "leave"}
	s.launcher()["password"] = canary
	r := s.run("-once", "-json")
	oneSentence(t, r, 1, []string{"job factures: pop3: login", "password"})
	if strings.Contains(r.stdout+r.stderr, canary) {
		t.Errorf("it shows the secret: %s", r.stderr)
	}
}
