package launcher

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

// folderServer knows folders by their names on the wire.
func folderServer(delim, prefix string, wire ...string) *fakeServer {
	s := &fakeServer{mails: mailbox(2), caps: "IMAP4rev1 NAMESPACE MOVE UIDPLUS"}
	var mu sync.Mutex
	s.on = func(c *fakeConn, tag, cmd string) bool {
		mu.Lock()
		defer mu.Unlock()
		verb, rest, _ := strings.Cut(cmd, " ")
		name := strings.Trim(rest, `"`)
		switch {
		case verb == "NAMESPACE":
			c.say(`* NAMESPACE (("%s" "%s")) NIL NIL`, prefix, delim)
		case verb == "LIST" && strings.HasSuffix(rest, `"*"`):
			for _, w := range wire {
				c.say(`* LIST (\HasNoChildren) "%s" "%s"`, delim, w)
			}
		case verb == "LIST":
			c.say(`* LIST (\Noselect) "%s" ""`, delim)
		case verb == "SELECT" || verb == "EXAMINE":
			if !slices.Contains(wire, name) {
				c.say("%s NO Mailbox does not exist", tag)
				return true
			}
			return false
		case verb == "CREATE":
			if prefix != "" && !strings.HasPrefix(name, prefix) {
				c.say("%s NO not there", tag)
				return true
			}
			wire = append(wire, name)
		default:
			return false
		}
		c.say("%s OK done", tag)
		return true
	}
	return s
}

func TestFolderNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		source, delim, prefix, wire, key string
	}{
		{"", "/", "", "INBOX", "INBOX"},
		{"inbox", "/", "", "INBOX", "INBOX"},
		{"Factures/2026", "/", "", "Factures/2026", "Factures/2026"},
		{"Factures/2026", ".", "", "Factures.2026", "Factures.2026"},
		{"Factures/2026", ".", "INBOX.", "INBOX.Factures.2026", "INBOX.Factures.2026"},
		{"INBOX/Factures", ".", "INBOX.", "INBOX.Factures", "INBOX.Factures"},
		{"Traités", ".", "INBOX.", "INBOX.Trait&AOk-s", "INBOX.Trait%C3%A9s"},
		{"Boîte de réception", "/", "", "Bo&AO4-te de r&AOk-ception", "Bo%C3%AEte%20de%20r%C3%A9ception"},
		{"boi\u0302te de re\u0301ception", "/", "", "Bo&AO4-te de r&AOk-ception", "Bo%C3%AEte%20de%20r%C3%A9ception"},
		{"R&D", "/", "", "R&-D", "R&D"},
	} {
		t.Run(tt.source+" as "+tt.wire, func(t *testing.T) {
			t.Parallel()
			l := folderServer(tt.delim, tt.prefix, "INBOX", "Autre", tt.wire).start(t)
			l.Source, l.Account = tt.source, "alice@example.test"
			s, err := l.Connect(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			p, err := s.List(t.Context(), "")
			if err != nil || len(p.Items) != 2 {
				t.Fatal(p, err)
			}
			epoch := "imap://alice%40example.test@127.0.0.1/" + tt.key + ";UIDVALIDITY=7"
			if p.Items[1].Epoch != epoch || p.Items[1].Key != epoch+"/;UID=2" {
				t.Errorf("%+v", p.Items[1])
			}
		})
	}
}

func TestTargetIsMade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ target, delim, prefix, made string }{
		{"Traités", "/", "", "Trait&AOk-s"},
		{"Archives/2026", ".", "INBOX.", "INBOX.Archives.2026"},
	} {
		srv := folderServer(tt.delim, tt.prefix, "INBOX")
		s, err := srv.start(t).Connect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := s.List(t.Context(), "")
		got, err := s.Settle(t.Context(), p.Items, cold.MoveTo(tt.target))
		s.Close()
		if err != nil || got[0].Outcome != cold.SettleDone {
			t.Errorf("%+v %v", got, err)
		}
		log := strings.ReplaceAll(strings.Join(srv.commands(), "\n"), `"`, "")
		for _, want := range []string{"CREATE " + tt.made, "SUBSCRIBE " + tt.made, "UID MOVE 1:2 " + tt.made} {
			if !strings.Contains(log, want) {
				t.Errorf("%s was not sent:\n%s", want, log)
			}
		}
	}
	l := folderServer("/", "", "INBOX").start(t)
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, _ := s.List(t.Context(), "")
	if got, err := s.Settle(t.Context(), p.Items, cold.MoveTo("inbox")); err != nil || got[0].Outcome != cold.SettleFailed {
		t.Errorf("a move onto itself gives %+v %v", got, err)
	}
}

// TestInterruptedMove: without MOVE an earlier run copied mail 1 and was killed. The copy
// is found by its Message-ID and size, and not made twice.
func TestInterruptedMove(t *testing.T) {
	t.Parallel()
	srv := folderServer("/", "", "INBOX", "Archive")
	srv.caps = "IMAP4rev1 UIDPLUS"
	inner := srv.on
	var folder string
	size := len(srv.mails[1])
	srv.on = func(c *fakeConn, tag, cmd string) bool {
		if v, f, ok := strings.Cut(cmd, " "); ok && (v == "SELECT" || v == "EXAMINE") {
			folder = strings.Trim(f, `"`)
		}
		switch {
		case folder == "Archive" && strings.HasPrefix(cmd, "UID SEARCH"):
			if strings.Contains(cmd, `"<1@example.test>"`) {
				c.say("* SEARCH 55")
			} else {
				c.say("* SEARCH")
			}
		case folder == "Archive" && strings.HasPrefix(cmd, "UID FETCH 55"):
			c.say("* 1 FETCH (UID 55 FLAGS () RFC822.SIZE %d)", size)
		case strings.HasPrefix(cmd, "UID COPY"):
			c.say("%s OK [COPYUID 9 2 56] done", tag)
			return true
		default:
			return inner(c, tag, cmd)
		}
		c.say("%s OK done", tag)
		return true
	}
	s, err := srv.start(t).Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, _ := s.List(t.Context(), "")
	p.Items[0].MessageID, p.Items[1].MessageID = "<1@example.test>", "<2@example.test>"
	got, err := s.Settle(t.Context(), p.Items, cold.MoveTo("Archive"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"Archive;UIDVALIDITY=7;UID=55", "Archive;UIDVALIDITY=9;UID=56"} {
		if got[i].Outcome != cold.SettleDone || got[i].Ref != want {
			t.Errorf("receipt %d: %+v", i, got[i])
		}
	}
	var sent []string
	for _, c := range srv.commands() {
		for _, v := range []string{"UID COPY", "UID STORE", "UID EXPUNGE"} {
			if strings.HasPrefix(c, v) {
				sent = append(sent, strings.ReplaceAll(c, `"`, ""))
			}
		}
	}
	if want := []string{"UID COPY 2 Archive", `UID STORE 1:2 +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE 1:2"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q", sent)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	srv := folderServer("/", "", "INBOX")
	l := srv.start(t)
	var names []string
	if err := l.Check(t.Context(), func(s vaguemestre.Step) {
		if s.Status == vaguemestre.StatusFailed {
			t.Errorf("%+v", s)
		}
		names = append(names, s.Name)
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"dns", "tcp", "capabilities", "auth", "folder", "tls", "list", "write", "move"}; !slices.Equal(names, want) {
		t.Errorf("steps %q", names)
	}
	for _, c := range srv.commands() {
		for _, v := range []string{"STORE", "COPY", "MOVE ", "EXPUNGE", "CREATE", "CLOSE", "APPEND", "BODY"} {
			if strings.Contains(c, v) {
				t.Errorf("Check sent %q", c)
			}
		}
	}
	l.Source = "Nirgends"
	var failed []vaguemestre.Step
	err := l.Check(t.Context(), func(s vaguemestre.Step) {
		if s.Status == vaguemestre.StatusFailed {
			failed = append(failed, s)
		}
	})
	if err == nil || len(failed) != 1 || failed[0].Name != "folder" || !strings.Contains(failed[0].Help, `"INBOX"`) {
		t.Errorf("%v %+v", err, failed)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	mails := map[uint32]string{}
	for i := range uint32(pageSize + 10) {
		mails[3*i+1] = "Subject: x\r\n\r\n"
	}
	srv := &fakeServer{mails: mails}
	l := srv.start(t)
	l.Timeout *= 20
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := s.List(t.Context(), "")
	if err != nil || len(a.Items) != pageSize || !a.More || a.Cursor == "" {
		t.Fatalf("%d items, cursor %q: %v", len(a.Items), a.Cursor, err)
	}
	b, err := s.List(t.Context(), a.Cursor)
	if err != nil || len(b.Items) != 10 || b.More || b.Cursor != "" {
		t.Fatalf("%d items, cursor %q: %v", len(b.Items), b.Cursor, err)
	}
	if want := fmt.Sprintf("UID=%d", 3*(pageSize+9)+1); !strings.HasSuffix(b.Items[9].Key, want) {
		t.Errorf("%s", b.Items[9].Key)
	}
	if it := a.Items[0]; it.Size != 14 || it.Time.IsZero() || it.Seen {
		t.Errorf("%+v", it)
	}
}

func TestSupports(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a  cold.After
		ok bool
	}{
		{cold.After{}, true}, {cold.Leave(), true}, {cold.MarkSeen(), true}, {cold.Delete(), true},
		{cold.MoveTo("Traités"), true}, {cold.MoveTo(""), false}, {cold.MoveTo("a\r\nb"), false},
		{cold.Tag("Archived"), true}, {cold.Tag("$Done"), true}, {cold.Tag(""), false}, {cold.Tag("Traité"), false},
		{cold.Tag("a b"), false}, {cold.Tag(`\Seen`), false}, {cold.After{Do: "burn"}, false},
	} {
		if err := (&IMAP{}).Supports(tt.a); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.a, err)
		}
	}
}

func TestLoginErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		host  string
		a     answer
		class vaguemestre.Class
		says  string
	}{
		{"imap.gmail.com", answer{"NO", "ALERT", "Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)"}, vaguemestre.ClassAuth, "app password"},
		{"imap.gmail.com", answer{"NO", "AUTHENTICATIONFAILED", "Invalid credentials (Failure)"}, vaguemestre.ClassAuth, "apppasswords"},
		{"outlook.office365.com", answer{"NO", "", "LOGIN failed."}, vaguemestre.ClassAuth, "no passwords for IMAP"},
		{"outlook.office365.com", answer{"BAD", "", "User is authenticated but not connected."}, vaguemestre.ClassSource, "later"},
		{"outlook.office365.com", answer{"BAD", "", "Request is throttled. Suggested Backoff Time: 92415 milliseconds"}, vaguemestre.ClassSource, "throttled"},
		{"imap.mondaine.fr", answer{"NO", "UNAVAILABLE", "Temporary authentication failure."}, vaguemestre.ClassSource, "Temporary"},
		{"imap.mondaine.fr", answer{"NO", "", "Authentication failed."}, vaguemestre.ClassAuth, "check both"},
	} {
		err := (&IMAP{Host: tt.host}).loginError(tt.a, "")
		if vaguemestre.ClassOf(err) != tt.class || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s %+v: %v", tt.host, tt.a, err)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"imap.gmail.com": "abcdefghijklmnop", "imap.mondaine.fr": "abcd efgh ijkl mnop"} {
		if got := (&IMAP{Host: host, Password: "abcd efgh ijkl mnop"}).password(); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
	for mode, want := range map[TLSMode]int{"": 993, TLSImplicit: 993, TLSStartTLS: 143, TLSNone: 143} {
		if e := (&IMAP{Host: "h", TLS: mode}).Endpoints(); len(e) != 1 || e[0].Port != want {
			t.Errorf("%q: %+v", mode, e)
		}
	}
	kinds, err := Kinds(nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = kinds
	if issues := settings.Validate(&IMAP{Host: "h", Account: "a", Password: "p"}); len(issues) > 0 {
		t.Errorf("%v", issues)
	}
	if issues := settings.Validate(&IMAP{}); len(issues) != 3 {
		t.Errorf("%v", issues)
	}
}

func TestUIDSet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		uids []uint32
		set  string
	}{{nil, ""}, {[]uint32{5}, "5"}, {[]uint32{1, 2, 3, 7, 9, 10}, "1:3,7,9:10"}} {
		if got := uidSet(tt.uids); got != tt.set {
			t.Errorf("%v gives %q", tt.uids, got)
		}
		if back := appendSet(nil, tt.set); !slices.Equal(back, tt.uids) {
			t.Errorf("%q gives %v", tt.set, back)
		}
	}
	if got := appendSet(nil, "1:4294967295"); len(got) != mostUIDs {
		t.Errorf("a lie gives %d UIDs", len(got))
	}
}
