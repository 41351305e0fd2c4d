package coldtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
)

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
