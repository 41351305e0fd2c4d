package launcher

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
)

func settleAll(t testing.TB, s cold.Session, items []cold.Item, do cold.After) []cold.Receipt {
	t.Helper()
	got, err := s.Settle(t.Context(), items, do)
	if err != nil || len(got) != len(items) {
		t.Fatalf("Settle: %d receipts for %d, %v", len(got), len(items), err)
	}
	return got
}

func TestOffice365LeavesAloneWhatAPersonMovedAway(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, do := range []cold.After{cold.MarkSeen(), cold.Tag("GED"), cold.MoveTo("Traités"), cold.Delete()} {
		box, l := c.mailbox("person" + string(do.Do))
		box.AddFolder("Perso")
		ids := box.DeliverAll("inbox", invoices(3))
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		box.Move(ids[0], "Perso")
		box.Remove(ids[1])
		slices.SortFunc(items, func(a, b cold.Item) int { return slices.Index(ids, s.idOf(a.Key)) - slices.Index(ids, s.idOf(b.Key)) })
		rc := settleAll(t, s, items, do)
		if rc[0].Outcome != cold.SettleGone || !strings.Contains(rc[0].Ref, "Perso") || rc[1].Outcome != cold.SettleGone || rc[2].Outcome != cold.SettleDone {
			t.Errorf("%s: %+v", do.Do, rc)
		}
		left := box.Messages("Perso")
		if len(left) != 1 || left[0].Read || len(left[0].Categories) > 0 {
			t.Errorf("%s touched it: %+v", do.Do, left)
		}
	}
}

func TestOffice365SettlesItsOwnMailboxOnly(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	a, la := c.mailbox("a")
	a.DeliverAll("inbox", invoices(2))
	_, lb := c.mailbox("b")
	items, _ := listAll(t, connect(t, la), "")
	s := connect(t, lb)
	c.ResetCalls()
	for _, rc := range settleAll(t, s, append(items, cold.Item{Key: "imap://x@y/INBOX;UIDVALIDITY=1/;UID=7"}), cold.Delete()) {
		if rc.Outcome != cold.SettleUnknown || vaguemestre.ClassOf(rc.Err) != vaguemestre.ClassConfig {
			t.Errorf("%+v", rc)
		}
	}
	if n := len(c.Calls()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	if len(a.Messages("inbox")) != 2 {
		t.Error("something was deleted")
	}
}

func TestOffice365KeepsTheCategoriesOfOthers(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("tags")
	box.Deliver("inbox", invoice(1))
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	for _, tag := range []string{"À traiter", "GED", "ged", "À TRAITER"} {
		if rc := settleAll(t, s, items, cold.Tag(tag)); rc[0].Outcome != cold.SettleDone {
			t.Errorf("%+v", rc)
		}
	}
	if got := box.Messages("inbox")[0].Categories; len(got) != 2 || got[0] != "À traiter" || got[1] != "GED" {
		t.Errorf("%q", got)
	}
	// Somebody else's category comes between reading and writing: 412, and it is read again.
	var n atomic.Int64
	c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
		if call.Op == "messages.patch" && n.Add(1) == 1 {
			if call.Header.Get("If-Match") == "" {
				t.Error("no If-Match: somebody else's category would be lost")
			}
			return &graphtest.Reply{Status: http.StatusPreconditionFailed, Code: "ErrorIrresolvableConflict"}
		}
		return nil
	})
	if rc := settleAll(t, s, items, cold.Tag("Vu")); rc[0].Outcome != cold.SettleDone || n.Load() != 2 {
		t.Errorf("%+v after %d", rc, n.Load())
	}
}

func TestOffice365MovesOnce(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("moves")
	box.DeliverAll("inbox", invoices(20))
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	// The answers are lost after the moves were done: a crash between the two.
	c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
		if call.Op == "messages.move" && call.N%2 == 0 {
			return &graphtest.Reply{After: true, Drop: true}
		}
		return nil
	})
	for _, rc := range settleAll(t, s, items, cold.MoveTo("Boîte de réception/Traités")) {
		if rc.Outcome != cold.SettleDone || rc.Ref != "Boîte de réception/Traités" {
			t.Errorf("%+v", rc)
		}
	}
	c.script(l.address(), nil)
	if n := len(box.Messages("Boîte de réception/Traités")); n != 20 || len(box.Messages("inbox")) != 0 {
		t.Errorf("%d of 20 were moved", n)
	}
	for _, rc := range settleAll(t, connect(t, l), items, cold.MoveTo("boîte de réception/traités")) {
		if rc.Outcome != cold.SettleDone {
			t.Errorf("again: %+v", rc)
		}
	}
	if c.Peak() > 4 || c.Over() > 0 {
		t.Errorf("%d at once, %d beyond the budget", c.Peak(), c.Over())
	}
}

func TestOffice365MakesTheTargetAnewWhenItWasRemoved(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("target")
	box.DeliverAll("inbox", invoices(6))
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	settleAll(t, s, items[:1], cold.MoveTo("Traités"))
	var n atomic.Int64
	c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
		if call.Op == "messages.move" && n.Add(1) <= 4 {
			return &graphtest.Reply{Status: 404, Code: "ErrorItemNotFound"}
		}
		return nil
	})
	for _, rc := range settleAll(t, s, items[1:], cold.MoveTo("Traités")) {
		if rc.Outcome != cold.SettleDone {
			t.Errorf("%+v", rc)
		}
	}
}

func TestOffice365DeletedMessagesLieInDeletedItems(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("deleted")
	box.DeliverAll("inbox", invoices(3))
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	for _, want := range []cold.Outcome{cold.SettleDone, cold.SettleGone} {
		for _, rc := range settleAll(t, s, items, cold.Delete()) {
			if rc.Outcome != want {
				t.Errorf("%+v, want %s", rc, want)
			}
		}
	}
	if n := len(box.Messages("inbox")); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestOffice365StopsSettlingWhenGraphIsAway(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("away")
	box.DeliverAll("inbox", invoices(40))
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	var n atomic.Int64
	c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
		if call.Op == "messages.patch" {
			if n.Add(1) > 10 {
				return &graphtest.Reply{Status: 503}
			}
		}
		return nil
	})
	got, err := s.Settle(t.Context(), items, cold.MarkSeen())
	if vaguemestre.ClassOf(err) != vaguemestre.ClassSource || n.Load() > 100 {
		t.Errorf("%d requests, %v", n.Load(), err)
	}
	done := 0
	for _, rc := range got {
		switch rc.Outcome {
		case cold.SettleDone:
			done++
		case cold.SettleUnknown:
			if rc.Err == nil {
				t.Error("unknown without a reason")
			}
		default:
			t.Errorf("%+v", rc)
		}
	}
	if done != 10 {
		t.Errorf("%d receipts of 10", done)
	}
}

func TestOffice365SaysWhoGrantsWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	c.AddUser(graphtest.User{Address: "direction@mondaine.fr", Shared: true})
	c.AddUser(graphtest.User{Address: "accueil@mondaine.fr", Shared: true})
	box, account := c.signedIn(t, graphtest.User{Address: "compta@mondaine.fr", Language: "fr", FullAccess: []string{"accueil@mondaine.fr"}})
	box.AddFolder("Boîte de réception/Factures")
	for _, tt := range []struct {
		mailbox, source string
		class           vaguemestre.Class
		words           []string
	}{
		{"direction@mondaine.fr", "", vaguemestre.ClassAuth, []string{"direction@mondaine.fr", "Full Access", "Mail.ReadWrite.Shared", "administrator"}},
		{"nobody@mondaine.fr", "", "", []string{"office365: "}},
		{"", "Facturess", vaguemestre.ClassConfig, []string{`"Facturess"`, `"Boîte de réception"`}},
		{"", "Boîte de réception/Facture", vaguemestre.ClassConfig, []string{`"Factures"`}},
		{"", "Boîte/de/réception", vaguemestre.ClassConfig, []string{`"Boîte de réception"`}},
		{"accueil@mondaine.fr:Archivage", "", vaguemestre.ClassConfig, []string{`"Archivage"`, `"Inbox"`}},
	} {
		l := c.launcher(account, tt.mailbox)
		l.Source = tt.source
		_, err := l.Connect(t.Context(), nil)
		if err == nil || tt.class != "" && vaguemestre.ClassOf(err) != tt.class {
			t.Errorf("%s %s: %v", tt.mailbox, tt.source, err)
			continue
		}
		for _, w := range tt.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s %s: %q lacks %q", tt.mailbox, tt.source, err, w)
			}
		}
	}
	for _, mailbox := range []string{"", "Compta@Mondaine.fr"} {
		s := connect(t, c.launcher(account, mailbox))
		if own := connect(t, c.launcher(account, "")); s.epoch != own.epoch || s.address != "" {
			t.Errorf("%q has the epoch %s, the own mailbox %s", mailbox, s.epoch, own.epoch)
		}
	}
	if s := connect(t, c.launcher(account, "Accueil@mondaine.fr")); !strings.HasSuffix(s.epoch, "/accueil@mondaine.fr") {
		t.Errorf("a shared mailbox is called %s", s.epoch)
	}
}

func TestOffice365Check(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	c.AddUser(graphtest.User{Address: "accueil@mondaine.fr", Shared: true})
	box, account := c.signedIn(t, graphtest.User{Address: "compta@mondaine.fr", Language: "fr", FullAccess: []string{"accueil@mondaine.fr"}})
	box.DeliverAll("inbox", invoices(3))
	check := func(l *Office365) (string, error) {
		var steps []string
		err := l.Check(t.Context(), func(st vaguemestre.Step) {
			steps = append(steps, st.Name+" "+string(st.Status))
			if st.Status == vaguemestre.StatusOK && (st.Detail == "" || strings.Contains(st.Detail, "://")) {
				t.Errorf("%s says %q", st.Name, st.Detail)
			}
			if st.Status == vaguemestre.StatusFailed && (st.Help == "" || st.Err == nil) {
				t.Errorf("%s fails without help", st.Name)
			}
		})
		return strings.Join(steps, ", "), err
	}
	broken := c.launcher(account, "")
	broken.Source = "nowhere"
	lost := c.launcher(c.Provider(&auth.Memory{}).Account("nobody"), "")
	for _, tt := range []struct {
		l    *Office365
		want string
		fine bool
	}{
		{c.launcher(account, ""), "token ok, mailbox ok, folder ok, scopes ok, list ok", true},
		{c.launcher(account, "accueil@mondaine.fr"), "token ok, mailbox ok, folder ok, scopes ok, list ok", true},
		{c.launcher(c.app.Account("collector"), "accueil@mondaine.fr"), "token ok, mailbox ok, folder ok, scopes skipped, list ok", true},
		{broken, "token ok, mailbox ok, folder failed", false},
		{lost, "token failed", false},
		{&Office365{Mailbox: "x"}, "settings failed", false},
	} {
		c.ResetCalls()
		got, err := check(tt.l)
		if got != tt.want || (err == nil) != tt.fine {
			t.Errorf("%s: %s, want %s; %v", tt.l, got, tt.want, err)
		}
		for _, call := range c.Calls() {
			if call.Method != http.MethodGet && call.Op != "token" {
				t.Errorf("%s changes something: %s %s", tt.l, call.Method, call.Path)
			}
		}
	}
	if box.Messages("inbox")[0].Read {
		t.Error("a mail was marked")
	}
}
