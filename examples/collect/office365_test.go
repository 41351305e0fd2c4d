package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// office365 turns the site into one that collects a shared mailbox of a fake Microsoft 365.
func office365(t *testing.T, associated bool) (*site, *graphtest.Server, *graphtest.Mailbox) {
	t.Helper()
	srv, err := graphtest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	srv.AddUser(graphtest.User{Address: "compta@mondaine.fr", Name: "Compta", Language: "fr", FullAccess: []string{"factures@mondaine.fr"}})
	box := srv.AddUser(graphtest.User{Address: "factures@mondaine.fr", Language: "fr", Shared: true})
	box.DeliverAll("inbox", demo.Mails())
	s := newSite(t)
	account, err := demo.Microsoft(srv, s.dir, "compta", "collect", "shared")
	if err != nil {
		t.Fatal(err)
	}
	s.file["key"], s.file["accounts"] = demo.Key, []any{account}
	s.job["launcher"] = demo.Object{"kind": "office365", "settings": demo.Object{"account": "compta", "mailbox": "factures@mondaine.fr:inbox"}}
	if associated {
		if err := demo.Associate(t.Context(), srv, filepath.Join(s.dir, "state.db"), "compta", "compta@mondaine.fr", "collect", "shared"); err != nil {
			t.Fatal(err)
		}
	}
	return s, srv, box
}

// TestOffice365: the same file, filters and sink as with IMAP give the same documents from a
// shared mailbox of Microsoft 365, and the mails go to the folder, which is made.
func TestOffice365(t *testing.T) {
	t.Parallel()
	s, _, box := office365(t, true)
	dry := s.run("-dry-run")
	if dry.code != 0 || !strings.Contains(dry.stdout, "6 documents delivered (287 bytes), 1 refused") || len(box.Messages("inbox")) != 6 {
		t.Errorf("dry run: exit %d, %d mails are left\n%s%s", dry.code, len(box.Messages("inbox")), dry.stdout, dry.stderr)
	}
	r := s.run("-once", "-json")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	if got := s.files("in"); !slices.Equal(got, wanted) {
		t.Errorf("the sink holds %q, want %q", got, wanted)
	}
	if in, done := len(box.Messages("inbox")), len(box.Messages("Traités")); in != 1 || done != 5 {
		t.Errorf("the inbox has %d mails and Traités %d, want 1 and 5: %q", in, done, box.Folders())
	}
	docs, _ := jsonLines(t, r.stdout)
	if e := s.run("-explain", docs[0]["item"].(string)); e.code != 0 || !strings.Contains(e.stdout, "move Traités: done") {
		t.Errorf("explain: exit %d, %s%s", e.code, e.stdout, e.stderr)
	}
	if r = s.run("-once"); r.code != 0 || r.stdout != "0 items read: 0 documents delivered (0 bytes), 0 refused, 0 held, 0 quarantined\n" {
		t.Errorf("second pass: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

// TestOffice365NotAssociated: nothing is asked of Microsoft, and the sentence says what is missing.
func TestOffice365NotAssociated(t *testing.T) {
	t.Parallel()
	s, srv, _ := office365(t, false)
	r := s.run("-once", "-json")
	oneSentence(t, r, 1, []string{"job factures: ", "compta", "not associated"})
	if n := len(srv.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// TestOffice365Loop: the loop collects what comes later.
func TestOffice365Loop(t *testing.T) {
	t.Parallel()
	s, _, box := office365(t, true)
	s.job["every"] = "1s"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs loopOutput
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-config", s.config(), "-json"}, &out, &errs) }()
	for want := range 2 {
		for deadline := time.Now().Add(20 * time.Second); len(box.Messages("Traités")) != 5+want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("pass %d did not come\n%s%s", want, out.String(), errs.String())
			}
		}
		box.Deliver("inbox", demo.Mails()[1])
	}
	cancel()
	if code := <-ended; code != 0 || errs.String() != "" {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
