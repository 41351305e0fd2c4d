package coldtest

import (
	"errors"
	"reflect"
	"slices"
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
