package coldtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// LedgerHarness gives [TestLedger] a ledger that is empty at first. The suite closes
// the leases it takes; whatever else must be closed is the harness's, by t.Cleanup.
type LedgerHarness struct {
	// Ledger returns the ledger. Calls may give several values on the same storage.
	Ledger func() cold.Ledger

	// Reopen makes what a restart of the process does, after which Ledger gives the
	// ledger anew. nil says that it does not outlive its process.
	Reopen func()

	// Crash makes the ledger believe that the holders of all leases are dead, while the
	// leases themselves can still be called. nil skips the cases of stale leases.
	Crash func()
}

// TestLedger proves that a ledger keeps the contract of [cold.Ledger] and [cold.Lease].
// newHarness is called for every case.
func TestLedger(t *testing.T, newHarness func(t *testing.T) LedgerHarness) {
	for _, c := range ledgerCases {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			if h.Ledger == nil {
				t.Fatal("coldtest: the harness has no Ledger")
			}
			if c.crash && h.Crash == nil {
				t.Skip("the harness cannot make holders crash")
			}
			if c.reopen && h.Reopen == nil {
				t.Skip("the ledger does not outlive its process")
			}
			c.run(&ledgerTest{T: t, h: h})
		})
	}
}

type ledgerCase struct {
	name          string
	run           func(*ledgerTest)
	crash, reopen bool // what the case needs of the harness
}

var ledgerCases = slices.Concat(lockCases, recordCases, twinCases, wholeCases)

// ledgerTest is one case with its harness and a few words of its own.
type ledgerTest struct {
	*testing.T
	h LedgerHarness
}

// lock takes job; the case fails if it cannot.
func (t *ledgerTest) lock(job string) cold.Lease {
	t.Helper()
	l, err := t.h.Ledger().Lock(t.Context(), job)
	if err != nil {
		t.Fatalf("lock %q: %v", job, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (t *ledgerTest) record(l cold.Lease, entries ...cold.Entry) {
	t.Helper()
	if err := l.Record(t.Context(), entries); err != nil {
		t.Fatalf("record: %v", err)
	}
}

func (t *ledgerTest) explain(job, key string) *cold.Entry {
	t.Helper()
	e, err := t.h.Ledger().Explain(t.Context(), job, key)
	if err != nil {
		t.Fatalf("explain %q: %v", key, err)
	}
	return e
}

// standing returns the state of each key.
func (t *ledgerTest) standing(job string, keys ...string) []cold.State {
	t.Helper()
	items := make([]cold.Item, len(keys))
	for i, k := range keys {
		items[i].Key = k
	}
	got, err := t.h.Ledger().Standing(t.Context(), job, items)
	if err != nil {
		t.Fatalf("standing: %v", err)
	}
	if len(got) != len(keys) {
		t.Fatalf("standing gives %d answers to %d items", len(got), len(keys))
	}
	out := make([]cold.State, len(got))
	for i := range got {
		out[i] = got[i].State
	}
	return out
}

func (t *ledgerTest) unsettled(l cold.Lease, after string, limit int) []string {
	t.Helper()
	got, err := l.Unsettled(t.Context(), after, limit)
	if err != nil {
		t.Fatalf("unsettled: %v", err)
	}
	keys := []string{}
	for _, e := range got {
		keys = append(keys, e.Item.Key)
	}
	return keys
}

func (t *ledgerTest) twin(l cold.Lease, epoch, twin string) *cold.Entry {
	t.Helper()
	e, err := l.Twin(t.Context(), epoch, twin)
	if err != nil {
		t.Fatalf("twin: %v", err)
	}
	return e
}

// same compares what is recorded under job with want, which is complete.
func (t *ledgerTest) same(job string, want cold.Entry) {
	t.Helper()
	got := t.explain(job, want.Item.Key)
	if got == nil {
		t.Fatalf("nothing is known of %q", want.Item.Key)
	}
	sameEntry(t, *got, want)
}

// sameEntry compares entries: times as instants to the microsecond, nil and empty
// lists alike.
func sameEntry(t testing.TB, got, want cold.Entry) {
	t.Helper()
	for _, at := range []struct {
		name      string
		got, want *time.Time
	}{{"Item.Time", &got.Item.Time, &want.Item.Time}, {"Time", &got.Time, &want.Time}} {
		if d := at.got.Sub(*at.want); d < -time.Microsecond || d > time.Microsecond || at.got.IsZero() != at.want.IsZero() {
			t.Errorf("%s is %v, want %v", at.name, *at.got, *at.want)
		}
		*at.got, *at.want = time.Time{}, time.Time{}
	}
	if len(got.Docs) != len(want.Docs) {
		t.Fatalf("%d documents, want %d", len(got.Docs), len(want.Docs))
	}
	for i := range got.Docs {
		g, w := got.Docs[i], want.Docs[i]
		if !slices.Equal(g.Path, w.Path) || !slices.Equal(g.Repairs, w.Repairs) {
			t.Errorf("document %d: path %q repairs %q, want %q %q", i, g.Path, g.Repairs, w.Path, w.Repairs)
		}
		g.Path, g.Repairs, w.Path, w.Repairs = nil, nil, nil, nil
		if !reflect.DeepEqual(g, w) {
			t.Errorf("document %d is\n%#v, want\n%#v", i, g, w)
		}
	}
	got.Docs, want.Docs = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("entry is\n%+v, want\n%+v", got, want)
	}
}

// mail is an entry with two documents, the second one refused.
func mail(epoch, uid string, s cold.State) cold.Entry {
	key := epoch + "/;UID=" + uid
	at := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	return cold.Entry{
		Item:  cold.Item{Key: key, Epoch: epoch, Size: 48213, Time: at, Seen: true, MessageID: uid + "@mondaine.example"},
		State: s, Attempts: 1, Reason: "because " + uid, Time: at.Add(time.Hour), Rules: "rules-1", Twin: "twin-" + uid,
		Action: cold.MoveTo("Traités"), Receipt: "done Traités;UID=" + uid,
		Docs: []cold.Entered{
			{Key: "k1-" + key, Name: "Facture n°" + uid + " – été.pdf", MediaType: "application/pdf", Size: 30000, SHA256: "aa" + uid,
				Path: []string{key, "Facture n°" + uid + " – été.pdf"}, Decision: cold.Delivered, Reason: "taken by /.*/", Ref: "in/" + uid,
				Repairs: []string{"base64: 3 stray characters dropped"}},
			{Key: "k2-" + key, Name: "Thumbs.db", MediaType: "application/octet-stream", Size: 7, SHA256: "bb" + uid,
				Path: []string{key, "message/rfc822:Devis.eml", "Thumbs.db"}, Decision: cold.Refused, Reason: "no include filter matches"},
		},
	}
}

const (
	oldBox = "imap://a@imap.mondaine.example/INBOX;UIDVALIDITY=1"
	newBox = "imap://a@imap.mondaine.example/INBOX;UIDVALIDITY=2"
	thirdB = "imap://a@imap.mondaine.example/INBOX;UIDVALIDITY=3"
)

var lockCases = []ledgerCase{
	// "If another goroutine or process holds it, Lock fails at once with an error that
	// matches vaguemestre.ErrBusy."
	{name: "a held job is busy", run: func(t *ledgerTest) {
		t.lock("a")
		start := time.Now()
		l, err := t.h.Ledger().Lock(t.Context(), "a")
		if !errors.Is(err, vaguemestre.ErrBusy) || l != nil {
			t.Errorf("a second lock gives %v, %v, want nil and an error of class busy", l, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("it took %v, want at once", d)
		}
		t.lock("A") // another job is free
	}},
	// "Close gives the job free. It is safe to call twice."
	{name: "close frees the job", run: func(t *ledgerTest) {
		l := t.lock("a")
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		t.lock("a")
		if err := l.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if _, err := t.h.Ledger().Lock(t.Context(), "a"); !errors.Is(err, vaguemestre.ErrBusy) {
			t.Errorf("the second close of an old lease freed the newer one's job: %v", err)
		}
	}},
	// "Lease is the right to write for one job, until Close."
	{name: "a closed lease writes nothing", run: func(t *ledgerTest) {
		l := t.lock("a")
		l.Close()
		e := mail(oldBox, "1", cold.StateDone)
		if err := l.Record(t.Context(), []cold.Entry{e}); err == nil {
			t.Error("record after close succeeds")
		}
		if err := l.SaveCursor(t.Context(), "x"); err == nil {
			t.Error("save cursor after close succeeds")
		}
		if t.explain("a", e.Item.Key) != nil {
			t.Error("it was recorded")
		}
	}},
	// "A holder that crashed holds nothing."
	{name: "a crashed holder holds nothing", crash: true, run: func(t *ledgerTest) {
		t.lock("a")
		t.h.Crash()
		t.lock("a")
	}},
	// "a write with an older fence fails with ErrStale and changes nothing"
	{name: "a stale lease changes nothing", crash: true, run: func(t *ledgerTest) {
		old := t.lock("a")
		kept := mail(oldBox, "1", cold.StateDelivered)
		t.record(old, kept)
		if err := old.SaveCursor(t.Context(), "first"); err != nil {
			t.Fatal(err)
		}
		t.h.Crash()
		l := t.lock("a")
		changed := mail(oldBox, "1", cold.StateVanished)
		if err := old.Record(t.Context(), []cold.Entry{changed, mail(oldBox, "2", cold.StateDone)}); !errors.Is(err, cold.ErrStale) {
			t.Errorf("record of a stale lease: %v, want ErrStale", err)
		}
		if err := old.SaveCursor(t.Context(), "second"); !errors.Is(err, cold.ErrStale) {
			t.Errorf("save cursor of a stale lease: %v, want ErrStale", err)
		}
		t.same("a", kept)
		if t.explain("a", oldBox+"/;UID=2") != nil {
			t.Error("a stale lease recorded an item")
		}
		if c, err := l.Cursor(t.Context()); c != "first" || err != nil {
			t.Errorf("cursor is %q, %v, want that of before", c, err)
		}
		t.record(l, mail(oldBox, "3", cold.StateDone))
		// "Every write carries the lease's fence, a number that rises with each Lock"
		old.Close()
		if _, err := t.h.Ledger().Lock(t.Context(), "a"); !errors.Is(err, vaguemestre.ErrBusy) {
			t.Errorf("closing a stale lease freed the job of the newer one: %v", err)
		}
	}},
	// "Scope is the identity of the ledger and job, part of every Document.Key. It is the
	// same for the life of the ledger."
	{name: "the scope stays", run: func(t *ledgerTest) {
		l := t.lock("a")
		scope, other := l.Scope(), t.lock("b").Scope()
		l.Close()
		if again := t.lock("a").Scope(); scope == "" || again != scope || other == scope {
			t.Errorf("scopes of job a are %q and %q, of job b %q", scope, again, other)
		}
	}},
	// "Cursor returns what SaveCursor saved last, \"\" at first."
	{name: "the cursor", run: func(t *ledgerTest) {
		l, other := t.lock("a"), t.lock("b")
		for _, want := range []string{"", "uid:17", "uid:18;é\n", ""} {
			if want != "" {
				if err := l.SaveCursor(t.Context(), want); err != nil {
					t.Fatal(err)
				}
			}
			if want == "" { // the source may forget its cursor
				if err := l.SaveCursor(t.Context(), ""); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := l.Cursor(t.Context()); got != want || err != nil {
				t.Errorf("cursor is %q, %v, want %q", got, err, want)
			}
		}
		if got, _ := other.Cursor(t.Context()); got != "" {
			t.Errorf("cursor of another job is %q", got)
		}
	}},
}

var recordCases = []ledgerCase{
	// "Standing tells what is known of items, one answer per item in order; an unknown
	// item has the zero Standing."
	{name: "standing answers in order", run: func(t *ledgerTest) {
		l := t.lock("a")
		a, b := mail(oldBox, "1", cold.StateDone), mail(oldBox, "2", cold.StateHeld)
		b.Attempts, b.Rules = 2, "rules-2"
		t.record(l, a, b)
		items := []cold.Item{b.Item, {Key: "unknown"}, a.Item, {Key: ""}, b.Item, {Key: oldBox + "/;UID=22"}}
		got, err := t.h.Ledger().Standing(t.Context(), "a", items)
		sb := cold.Standing{State: cold.StateHeld, Attempts: 2, Rules: "rules-2"}
		want := []cold.Standing{sb, {}, {State: cold.StateDone, Attempts: 1, Rules: "rules-1"}, {}, sb, {}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("standing is %v, %v, want %v", got, err, want)
		}
		if got, err := t.h.Ledger().Standing(t.Context(), "a", nil); len(got) != 0 || err != nil {
			t.Errorf("standing of nothing is %v, %v", got, err)
		}
	}},
	// "It needs no lease and changes nothing."
	{name: "standing changes nothing", run: func(t *ledgerTest) {
		t.standing("never locked", "k")
		l := t.lock("a")
		t.standing("a", "k")
		if t.explain("a", "k") != nil || len(t.unsettled(l, "", 10)) != 0 {
			t.Error("asking for an item made it known")
		}
	}},
	// "Explain returns all that is known of one item, nil if nothing is." and Entry.Docs:
	// "the manifest: every part of the item, refusals included"
	{name: "explain gives all back", run: func(t *ledgerTest) {
		l := t.lock("a")
		full := mail(oldBox, "1", cold.StateActing)
		full.Origin = "imap://elsewhere/;UID=9"
		bare := cold.Entry{Item: cold.Item{Key: "bare", Size: -1}, State: cold.StatePending}
		t.record(l, full, bare)
		t.same("a", full)
		t.same("a", bare)
		if e := t.explain("a", "unknown"); e != nil {
			t.Errorf("of an unknown item it knows %v", e)
		}
		if e := t.explain("never locked", "bare"); e != nil {
			t.Errorf("of an unknown job it knows %v", e)
		}
	}},
	// Document.Name: "decoded and otherwise untouched … possibly hostile"
	{name: "hostile texts come back as they were", run: func(t *ledgerTest) {
		l := t.lock("a")
		for i, s := range []string{"😀 \U0001F469\u200d\U0001F4BB.pdf", "\u202Efdp.exe", "a\x00b", "caf\xe9.txt", `"\'; DROP TABLE item;--`, "\r\n\t\x7f\u2028", " ", "e\u0301", "[\"x\"]"} {
			e := mail(oldBox, fmt.Sprint(i), cold.StateHeld)
			e.Reason, e.Receipt, e.Action.Target, e.Item.MessageID = s, s, s, s
			d := &e.Docs[0]
			d.Name, d.Reason, d.Ref, d.Path, d.Repairs = s, s, s, []string{s, "", s + s}, []string{s}
			t.record(l, e)
			t.same("a", e)
		}
	}},
	// Times that servers really send: none, long past, far off, in another zone.
	{name: "times come back", run: func(t *ledgerTest) {
		l := t.lock("a")
		for i, at := range []time.Time{{}, time.Unix(0, 0), time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC),
			time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
			time.Date(2026, 10, 25, 2, 30, 0, 0, time.FixedZone("", 2*3600))} {
			e := mail(oldBox, fmt.Sprint(i), cold.StateHeld)
			e.Item.Time, e.Time = at, at
			t.record(l, e)
			t.same("a", e)
		}
	}},
	// "Record writes entries in one transaction, all or none."
	{name: "record is all or none", run: func(t *ledgerTest) {
		l := t.lock("a")
		kept := mail(oldBox, "1", cold.StatePlanned)
		t.record(l, kept)
		bad := mail(oldBox, "3", "") // a state "" would make a known item look unknown
		err := l.Record(t.Context(), []cold.Entry{mail(oldBox, "1", cold.StateDone), mail(oldBox, "2", cold.StateDone), bad})
		if err == nil {
			t.Error("an entry without a state is recorded")
		}
		nameless := mail(oldBox, "3", cold.StateDone)
		nameless.Item.Key = ""
		if l.Record(t.Context(), []cold.Entry{mail(oldBox, "2", cold.StateDone), nameless}) == nil {
			t.Error("an entry without a key is recorded")
		}
		t.same("a", kept)
		if got := t.standing("a", oldBox+"/;UID=2", oldBox+"/;UID=3"); got[0] != "" || got[1] != "" {
			t.Errorf("part of a refused record was kept: %q", got)
		}
		t.record(l)
		t.record(l, mail(oldBox, "1", cold.StateDone)) // the lease is as good as before
	}},
	// "An entry replaces what was known of its item"
	{name: "an entry replaces the older one", run: func(t *ledgerTest) {
		l := t.lock("a")
		t.record(l, mail(oldBox, "1", cold.StateActing))
		next := cold.Entry{Item: cold.Item{Key: oldBox + "/;UID=1", Epoch: newBox, Size: 1}, State: cold.StatePending, Docs: []cold.Entered{
			{Key: "k", Name: "n", Decision: cold.Held, Reason: "r"}}}
		t.record(l, next)
		t.same("a", next)
		next.Docs = []cold.Entered{}
		t.record(l, next)
		t.same("a", next)
		// Within one call the last entry of an item stands.
		first, last := mail(oldBox, "5", cold.StatePlanned), mail(oldBox, "5", cold.StateDone)
		last.Docs = last.Docs[1:]
		t.record(l, first, last)
		t.same("a", last)
		l.Close()
		l = t.lock("a") // and over leases
		last.State, last.Docs = cold.StateVanished, mail(oldBox, "5", "").Docs[:1]
		t.record(l, last)
		t.same("a", last)
	}},
	// "Docs nil keeps the documents recorded before"
	{name: "docs nil keeps the manifest", run: func(t *ledgerTest) {
		l := t.lock("a")
		e := mail(oldBox, "1", cold.StateDelivered)
		t.record(l, e)
		docs := e.Docs
		for _, s := range []cold.State{cold.StateActing, cold.StateDone} {
			e.State, e.Docs = s, nil
			t.record(l, e)
			e.Docs = docs
			t.same("a", e)
		}
		l.Close()
		l = t.lock("a")
		e.State, e.Docs = cold.StateHeld, nil
		t.record(l, e)
		e.Docs = docs
		t.same("a", e)
	}},
	// a ledger keeps values, not its callers' memory
	{name: "entries are copied", run: func(t *ledgerTest) {
		l := t.lock("a")
		e, want := mail(oldBox, "1", cold.StateDelivered), mail(oldBox, "1", cold.StateDelivered)
		t.record(l, e)
		e.Docs[0].Name, e.Docs[0].Path[1], e.Docs[0].Repairs[0] = "changed", "changed", "changed"
		t.same("a", want)
		got := t.explain("a", e.Item.Key)
		got.Docs[0].Name, got.Docs[0].Path[1], got.Docs[0].Repairs[0] = "changed", "changed", "changed"
		t.same("a", want)
	}},
	// "Unsettled returns up to limit entries (without Docs) whose State is not terminal, in
	// the order of Item.Key, beginning after the key after"
	{name: "unsettled", run: func(t *ledgerTest) {
		l := t.lock("a")
		all := []cold.State{cold.StatePending, cold.StatePlanned, cold.StateDelivered, cold.StateActing,
			cold.StateDone, cold.StateHeld, cold.StateDeselected, cold.StateQuarantined, cold.StateVanished}
		want := []string{}
		for i, s := range all {
			for _, prefix := range []string{"é", "b", "B", "a", "%"} {
				e := mail(prefix, fmt.Sprint(i), s)
				t.record(l, e)
				if !s.Terminal() {
					want = append(want, e.Item.Key)
				}
			}
		}
		slices.Sort(want)
		if got := t.unsettled(l, "", 100); !slices.Equal(got, want) {
			t.Errorf("unsettled are %q, want %q", got, want)
		}
		if got := t.unsettled(l, "", 0); len(got) != 0 {
			t.Errorf("a limit of 0 gives %d", len(got))
		}
		paged, after := []string{}, ""
		for range len(want) + 1 {
			page := t.unsettled(l, after, 3)
			if len(page) > 3 {
				t.Fatalf("%d entries, the limit is 3", len(page))
			}
			if len(page) == 0 {
				break
			}
			paged, after = append(paged, page...), page[len(page)-1]
		}
		if !slices.Equal(paged, want) {
			t.Errorf("in pages they are %q, want %q", paged, want)
		}
		if got := t.unsettled(l, want[3]+"\x00", 2); !slices.Equal(got, want[4:6]) {
			t.Errorf("after a key that is not there: %q, want %q", got, want[4:6])
		}
		entries, err := l.Unsettled(t.Context(), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if len(e.Docs) != 0 {
				t.Fatal("they have documents")
			}
			e.Docs = mail(e.Item.Epoch, e.Item.MessageID[:1], e.State).Docs
			sameEntry(t, e, mail(e.Item.Epoch, e.Item.MessageID[:1], e.State))
		}
		done := mail("B", "0", cold.StateDone)
		t.record(l, done)
		if slices.Contains(t.unsettled(l, "", 100), done.Item.Key) {
			t.Error("an item that is done still shows")
		}
		t.record(l, mail("B", "0", cold.StatePending))
		if !slices.Contains(t.unsettled(l, "", 100), done.Item.Key) {
			t.Error("an item that is pending again does not show")
		}
	}},
	// Ledger: "job is a Job.Name"
	{name: "jobs do not see each other", run: func(t *ledgerTest) {
		a, b := t.lock("a"), t.lock("b")
		ea, eb := mail(oldBox, "1", cold.StatePlanned), mail(oldBox, "1", cold.StateHeld)
		eb.Docs = eb.Docs[:1]
		t.record(a, ea)
		if t.explain("b", ea.Item.Key) != nil || t.standing("b", ea.Item.Key)[0] != "" || len(t.unsettled(b, "", 9)) != 0 || t.twin(b, newBox, ea.Twin) != nil {
			t.Error("job b sees an item of job a")
		}
		t.record(b, eb)
		t.same("a", ea)
		t.same("b", eb)
		e := mail(newBox, "7", cold.StateDone)
		e.Origin, e.Twin = ea.Item.Key, ea.Twin
		t.record(b, e) // a match in b
		if t.twin(a, newBox, ea.Twin) == nil {
			t.Error("a match in job b hides the twin in job a")
		}
	}},
	// Item.Key: "unique for this content within the job"; some sources tell keys apart by case only
	{name: "keys are compared byte by byte", run: func(t *ledgerTest) {
		l := t.lock("a")
		keys := []string{"AAMk", "aamk", "AAMk ", " AAMk", "AAMk\x00", "é", "e\u0301", "AAM%", "AAM_", "1", "01", "1.0"}
		for i, k := range keys {
			e := mail(oldBox, fmt.Sprint(i), cold.StateHeld)
			e.Item.Key = k
			t.record(l, e)
		}
		for i, k := range keys {
			if e := t.explain("a", k); e == nil || e.Reason != fmt.Sprintf("because %d", i) {
				t.Errorf("key %q gives another item: %v", k, e)
			}
		}
		if got := t.standing("a", "AAMK", "É", "AA%", "0"); slices.ContainsFunc(got, func(s cold.State) bool { return s != "" }) {
			t.Errorf("keys that only resemble are known: %q", got)
		}
	}},
}

var twinCases = []ledgerCase{
	// "Twin finds, for an item of epoch with the content key twin, an entry of another epoch
	// with the same twin …, and returns it with its Docs; nil if there is none."
	{name: "twin finds another epoch's entry", run: func(t *ledgerTest) {
		l := t.lock("a")
		old := mail(oldBox, "1", cold.StateDone)
		t.record(l, old, mail(oldBox, "2", cold.StateDone))
		got := t.twin(l, newBox, "twin-1")
		if got == nil {
			t.Fatal("there is no twin")
		}
		sameEntry(t, *got, old)
		if e := t.twin(l, newBox, "twin-3"); e != nil {
			t.Errorf("a twin of other content: %v", e)
		}
		unread := mail(oldBox, "4", cold.StatePending)
		unread.Twin = ""
		t.record(l, unread)
		if e := t.twin(l, newBox, ""); e != nil {
			t.Errorf("an item that was never read is a twin: %v", e)
		}
		// a content key that was replaced does not count any longer
		old.Twin = "twin-other"
		t.record(l, old)
		if t.twin(l, newBox, "twin-1") != nil || t.twin(l, newBox, "twin-other") == nil {
			t.Error("it goes by a content key that was replaced")
		}
	}},
	// "It never matches two items of one epoch."
	{name: "twin never matches within one epoch", run: func(t *ledgerTest) {
		l := t.lock("a")
		t.record(l, mail(oldBox, "1", cold.StateDone))
		if e := t.twin(l, oldBox, "twin-1"); e != nil {
			t.Errorf("two items of one epoch are twins: %v", e.Item.Key)
		}
		folder := mail("", "1", cold.StateDone) // a source without epochs has one
		folder.Twin = "twin-f"
		t.record(l, folder)
		if e := t.twin(l, "", "twin-f"); e != nil {
			t.Errorf("two items of the epoch \"\" are twins: %v", e.Item.Key)
		}
		if t.twin(l, oldBox, "twin-f") == nil {
			t.Error("a move from a source without epochs finds no twin")
		}
	}},
	// "an entry … that no item of epoch was matched with", "Recording an entry whose Origin
	// is that item's key makes the match."
	{name: "origin makes the match", run: func(t *ledgerTest) {
		l := t.lock("a")
		one, two := mail(oldBox, "1", cold.StateDone), mail(oldBox, "2", cold.StateDone) // two copies in the old epoch
		two.Twin = one.Twin
		t.record(l, one, two)
		if e := t.twin(l, newBox, one.Twin); e == nil {
			t.Fatal("there is no twin")
		}
		if e := t.twin(l, newBox, one.Twin); e == nil {
			t.Error("asking alone made a match")
		}
		origins := map[string]bool{}
		for i := range 2 {
			e := t.twin(l, newBox, one.Twin)
			if e == nil {
				t.Fatalf("there is no twin for copy %d", i)
			}
			origins[e.Item.Key] = true
			n := mail(newBox, fmt.Sprint(i), cold.StateDone)
			n.Twin, n.Origin = one.Twin, e.Item.Key
			t.record(l, n)
		}
		if len(origins) != 2 {
			t.Errorf("two copies got the same twin %v", origins)
		}
		if e := t.twin(l, newBox, one.Twin); e != nil {
			t.Errorf("a third copy got a twin: %v", e.Item.Key)
		}
		// a match holds in its epoch only
		if t.twin(l, thirdB, one.Twin) == nil {
			t.Error("a later epoch finds no twin")
		}
	}},
	// "that no item of epoch was matched with": over a third epoch, where the first mail is
	// known under two keys and still is one mail.
	{name: "one mail stays one over three epochs", run: func(t *ledgerTest) {
		l := t.lock("a")
		a := mail(oldBox, "1", cold.StateVanished)
		b := mail(newBox, "1", cold.StateDone)
		b.Twin, b.Origin = a.Twin, a.Item.Key
		t.record(l, a, b)
		got := t.twin(l, thirdB, a.Twin)
		if got == nil {
			t.Fatal("there is no twin")
		}
		if got.State != cold.StateDone {
			t.Errorf("the entry that vanished answers, not the one that was handed over: %v", got.Item.Key)
		}
		c := mail(thirdB, "1", cold.StateDone)
		c.Twin, c.Origin = a.Twin, a.Item.Key // made of b's Origin
		t.record(l, c)
		if e := t.twin(l, thirdB, a.Twin); e != nil {
			t.Errorf("a new copy is taken for %v, which another item stands for: it would be lost", e.Item.Key)
		}
	}},
	// "that no item of epoch was matched with": a match that is recorded no more is none
	{name: "a match can be replaced", run: func(t *ledgerTest) {
		l := t.lock("a")
		old, n := mail(oldBox, "1", cold.StateDone), mail(newBox, "1", cold.StatePlanned)
		n.Origin = old.Item.Key
		t.record(l, old, n)
		if t.twin(l, newBox, old.Twin) != nil {
			t.Error("the twin is given twice")
		}
		n.Origin = ""
		t.record(l, n)
		if t.twin(l, newBox, old.Twin) == nil {
			t.Error("there is no twin after the match was taken back")
		}
	}},
}

var wholeCases = []ledgerCase{
	// "A method that returns nil has made its write durable", "It is the same for the life of the ledger."
	{name: "all survives a restart", reopen: true, run: func(t *ledgerTest) {
		l := t.lock("a")
		e, open := mail(oldBox, "1", cold.StateDone), mail(oldBox, "2", cold.StateActing)
		scope := l.Scope()
		t.record(l, e, open)
		if err := l.SaveCursor(t.Context(), "uid:2"); err != nil {
			t.Fatal(err)
		}
		t.h.Reopen()
		l = t.lock("a") // free, though nobody closed the lease
		t.same("a", e)
		t.same("a", open)
		if got := t.unsettled(l, "", 9); !slices.Equal(got, []string{open.Item.Key}) {
			t.Errorf("unsettled are %q", got)
		}
		if got := t.twin(l, newBox, e.Twin); got == nil {
			t.Error("the twin is forgotten")
		}
		if c, err := l.Cursor(t.Context()); c != "uid:2" || err != nil {
			t.Errorf("cursor is %q, %v", c, err)
		}
		if l.Scope() != scope {
			t.Errorf("the scope was %q and is %q: every document would come again", scope, l.Scope())
		}
	}},
	// "ctx is honoured": a call whose context has ended does nothing
	{name: "canceled", run: func(t *ledgerTest) {
		l := t.lock("a")
		e := mail(oldBox, "1", cold.StatePlanned)
		t.record(l, e)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g := t.h.Ledger()
		changed := mail(oldBox, "1", cold.StateDone)
		for name, f := range map[string]func() error{
			"lock":        func() error { _, err := g.Lock(ctx, "b"); return err },
			"standing":    func() error { _, err := g.Standing(ctx, "a", []cold.Item{e.Item}); return err },
			"explain":     func() error { _, err := g.Explain(ctx, "a", e.Item.Key); return err },
			"record":      func() error { return l.Record(ctx, []cold.Entry{changed}) },
			"unsettled":   func() error { _, err := l.Unsettled(ctx, "", 1); return err },
			"twin":        func() error { _, err := l.Twin(ctx, newBox, e.Twin); return err },
			"cursor":      func() error { _, err := l.Cursor(ctx); return err },
			"save cursor": func() error { return l.SaveCursor(ctx, "x") },
		} {
			err := f()
			if !errors.Is(err, context.Canceled) || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
				t.Errorf("%s: %v, want an error of class canceled that is context.Canceled", name, err)
			}
		}
		t.same("a", e)
		if c, _ := l.Cursor(t.Context()); c != "" {
			t.Errorf("the cursor was saved: %q", c)
		}
		t.lock("b") // a lock that failed holds nothing
	}},
	// "Its methods are safe for concurrent use."
	{name: "concurrent use", run: func(t *ledgerTest) {
		const runs, items = 8, 40
		g := t.h.Ledger()
		var wg sync.WaitGroup
		for n := range runs {
			wg.Go(func() {
				job := fmt.Sprint("job ", n)
				l, err := g.Lock(t.Context(), job)
				if err != nil {
					t.Error(err)
					return
				}
				defer l.Close()
				for i := range items {
					e := mail(oldBox, fmt.Sprint(i), cold.StateDone)
					e.Attempts = n
					if err := l.Record(t.Context(), []cold.Entry{e}); err != nil {
						t.Errorf("record: %v", err)
						return
					}
					got, err := g.Standing(t.Context(), job, []cold.Item{e.Item})
					if err != nil || got[0].State != cold.StateDone || got[0].Attempts != n {
						t.Errorf("right after its record an item stands at %v, %v", got, err)
						return
					}
					if _, err := g.Explain(t.Context(), fmt.Sprint("job ", (n+1)%runs), e.Item.Key); err != nil {
						t.Errorf("explain: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		for n := range runs {
			e := mail(oldBox, fmt.Sprint(items-1), cold.StateDone)
			e.Attempts = n
			t.same(fmt.Sprint("job ", n), e)
		}
		// of many that want one job, one gets it
		var mu sync.Mutex
		var got []cold.Lease
		for range runs {
			wg.Go(func() {
				l, err := g.Lock(t.Context(), "wanted")
				if err != nil {
					if !errors.Is(err, vaguemestre.ErrBusy) {
						t.Errorf("lock: %v", err)
					}
					return
				}
				mu.Lock()
				got = append(got, l)
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Errorf("%d runs hold one job", len(got))
		}
		for _, l := range got {
			l.Close()
		}
	}},
	// Standing: "one answer per item in order", in pages as large as a source gives
	{name: "thousands of items", run: func(t *ledgerTest) {
		const n = 5000
		l := t.lock("a")
		key := func(i int) string { return fmt.Sprintf("%s/;UID=%d", oldBox, i) }
		var batch []cold.Entry
		for i := range n {
			e := cold.Entry{Item: cold.Item{Key: key(i), Epoch: oldBox}, State: cold.StateDone, Attempts: i}
			if i%5 == 0 {
				e.State = cold.StatePlanned
			}
			if batch = append(batch, e); len(batch) == 250 {
				t.record(l, batch...)
				batch = batch[:0]
			}
		}
		check := func(name string, from, to, step int) {
			var items []cold.Item
			for i := to; i > from; i -= step { // not in the order of keys; beyond n unknown
				items = append(items, cold.Item{Key: key(i)})
			}
			got, err := t.h.Ledger().Standing(t.Context(), "a", items)
			if err != nil || len(got) != len(items) {
				t.Fatalf("%s: %d answers, %v", name, len(got), err)
			}
			for k, i := 0, to; i > from; k, i = k+1, i-step {
				want := cold.Standing{State: cold.StateDone, Attempts: i}
				if i%5 == 0 {
					want.State = cold.StatePlanned
				}
				if i >= n {
					want = cold.Standing{}
				}
				if got[k] != want {
					t.Fatalf("%s: %s stands at %v, want %v", name, items[k].Key, got[k], want)
				}
			}
		}
		check("all and as many unknown", 0, 2*n, 1)
		check("a page", 1000, 1500, 1)
		check("scattered", 0, n, 37)
		check("few", 0, n, 1201)
		seen := 0
		for after := ""; ; {
			page := t.unsettled(l, after, 300)
			if len(page) == 0 {
				break
			}
			if page[0] <= after {
				t.Fatalf("the page after %q begins with %q", after, page[0])
			}
			seen, after = seen+len(page), page[len(page)-1]
		}
		if seen != n/5 {
			t.Errorf("%d items are unsettled, want %d", seen, n/5)
		}
	}},
}
