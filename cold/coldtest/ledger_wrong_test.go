package coldtest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/suite"
)

// wrongLedger is a right ledger with one fault.
type wrongLedger struct {
	*cold.MemoryLedger
	fault string
	locks *int
}

func (w wrongLedger) Lock(ctx context.Context, job string) (cold.Lease, error) {
	switch w.fault {
	case "lets two runs in":
		if l, err := w.MemoryLedger.Lock(ctx, job); err == nil {
			return wrongLease{l, w}, nil
		}
		w.MemoryLedger.Crash()
	case "shares a lock among jobs":
		job = "one"
	case "goes on after a cancel":
		ctx = context.WithoutCancel(ctx)
	case "mixes up jobs":
		l, err := w.MemoryLedger.Lock(ctx, job)
		if err != nil {
			return nil, err
		}
		l.Close()
		return w.MemoryLedger.Lock(ctx, "all")
	}
	l, err := w.MemoryLedger.Lock(ctx, job)
	if err != nil {
		return nil, err
	}
	*w.locks++
	return wrongLease{l, w}, nil
}

func (w wrongLedger) Standing(ctx context.Context, job string, items []cold.Item) ([]cold.Standing, error) {
	switch w.fault {
	case "forgets the order of items":
		items = slices.Clone(items)
		slices.SortFunc(items, func(a, b cold.Item) int { return cmp.Compare(a.Key, b.Key) })
	case "drops unknown items":
		got, err := w.MemoryLedger.Standing(ctx, job, items)
		return slices.DeleteFunc(got, func(s cold.Standing) bool { return s.State == "" }), err
	case "compares keys without case":
		items = slices.Clone(items)
		for i := range items {
			if e, _ := w.MemoryLedger.Explain(ctx, job, strings.ToLower(items[i].Key)); e != nil {
				items[i].Key = strings.ToLower(items[i].Key)
			}
		}
	case "answers a thousand at most":
		if len(items) > 1000 {
			got, err := w.MemoryLedger.Standing(ctx, job, items[:1000])
			return append(got, make([]cold.Standing, len(items)-1000)...), err
		}
	}
	return w.MemoryLedger.Standing(ctx, job, items)
}

func (w wrongLedger) Explain(ctx context.Context, job, key string) (*cold.Entry, error) {
	e, err := w.MemoryLedger.Explain(ctx, job, key)
	if e == nil {
		if w.fault == "knows what it does not know" && err == nil {
			return &cold.Entry{}, nil
		}
		return e, err
	}
	switch w.fault {
	case "forgets refusals":
		e.Docs = slices.DeleteFunc(e.Docs, func(d cold.Entered) bool { return d.Decision == cold.Refused })
	case "cleans names":
		for i := range e.Docs {
			e.Docs[i].Name = strings.ToValidUTF8(strings.ReplaceAll(e.Docs[i].Name, "\x00", ""), "")
		}
	case "keeps seconds only":
		e.Time = e.Time.Truncate(1e9)
		e.Item.Time = e.Item.Time.Truncate(1e9)
	case "knows no time before 1970":
		if e.Time.Unix() < 0 && !e.Time.IsZero() {
			e.Time = e.Time.AddDate(200, 0, 0)
		}
	case "forgets the action":
		e.Action = cold.After{}
	}
	return e, err
}

type wrongLease struct {
	cold.Lease
	w wrongLedger
}

func (l wrongLease) Scope() string {
	if l.w.fault == "changes its scope" {
		return l.Lease.Scope() + strings.Repeat("x", *l.w.locks)
	}
	return l.Lease.Scope()
}

func (l wrongLease) Record(ctx context.Context, entries []cold.Entry) error {
	entries = slices.Clone(entries)
	switch l.w.fault {
	case "records part":
		for _, e := range entries {
			if err := l.Lease.Record(ctx, []cold.Entry{e}); err != nil {
				return err
			}
		}
		return nil
	case "says nil and writes nothing":
		l.Lease.Record(ctx, entries)
		return nil
	case "nil drops the manifest":
		for i := range entries {
			if entries[i].Docs == nil {
				entries[i].Docs = []cold.Entered{}
			}
		}
	case "adds to the manifest":
		for i := range entries {
			if old, _ := l.w.MemoryLedger.Explain(ctx, "a", entries[i].Item.Key); old != nil && len(entries[i].Docs) > 0 {
				entries[i].Docs = append(slices.Clone(entries[i].Docs), old.Docs[min(len(old.Docs), len(entries[i].Docs)):]...)
			}
		}
	case "writes with an old fence":
		if err := l.Lease.Record(ctx, entries); err != nil && ctx.Err() == nil {
			l.w.MemoryLedger.Crash()
			n, lerr := l.w.MemoryLedger.Lock(ctx, "a")
			if lerr != nil {
				return lerr
			}
			n.Record(ctx, entries)
			return err
		}
		return nil
	}
	return l.Lease.Record(ctx, entries)
}

func (l wrongLease) Unsettled(ctx context.Context, after string, limit int) ([]cold.Entry, error) {
	switch l.w.fault {
	case "settles what is acting":
		got, err := l.Lease.Unsettled(ctx, after, limit)
		return slices.DeleteFunc(got, func(e cold.Entry) bool { return e.State == cold.StateActing }), err
	case "begins every page anew":
		after = ""
	case "ignores the limit":
		limit = 1 << 20
	case "orders without case":
		got, err := l.Lease.Unsettled(ctx, after, limit)
		slices.SortFunc(got, func(a, b cold.Entry) int {
			return cmp.Compare(strings.ToLower(a.Item.Key), strings.ToLower(b.Item.Key))
		})
		return got, err
	}
	return l.Lease.Unsettled(ctx, after, limit)
}

func (l wrongLease) Twin(ctx context.Context, epoch, twin string) (*cold.Entry, error) {
	switch l.w.fault {
	case "matches within an epoch":
		return l.Lease.Twin(ctx, "no epoch", twin)
	case "gives a twin twice":
		return l.Lease.Twin(ctx, epoch+"?", twin)
	case "gives a twin without documents":
		e, err := l.Lease.Twin(ctx, epoch, twin)
		if e != nil {
			e.Docs = nil
		}
		return e, err
	case "finds no twin":
		return nil, nil
	case "a match holds in every epoch":
		for _, other := range []string{oldBox, newBox, thirdB} {
			if other == epoch {
				continue
			}
			if e, err := l.Lease.Twin(ctx, other, twin); e == nil && epoch == thirdB {
				return nil, err
			}
		}
	}
	return l.Lease.Twin(ctx, epoch, twin)
}

func (l wrongLease) SaveCursor(ctx context.Context, cursor string) error {
	if l.w.fault == "never clears the cursor" && cursor == "" {
		return nil
	}
	return l.Lease.SaveCursor(ctx, cursor)
}

func (l wrongLease) Close() error {
	if l.w.fault == "close frees whoever holds it" {
		defer l.w.MemoryLedger.Crash()
	}
	if l.w.fault == "close keeps the job" {
		return nil
	}
	return l.Lease.Close()
}

func wrong(fault string) func(*testing.T) LedgerHarness {
	return func(t *testing.T) LedgerHarness {
		m := cold.NewMemoryLedger()
		w := wrongLedger{m, fault, new(int)}
		crash := m.Crash
		if fault == "keeps the locks of the dead" {
			crash = func() {}
		}
		return LedgerHarness{Ledger: func() cold.Ledger { return w }, Crash: crash, Reopen: func() {
			m.Crash()
			if fault == "forgets all at a restart" {
				w.MemoryLedger = cold.NewMemoryLedger()
			}
		}}
	}
}

func TestLedgerSuite(t *testing.T) { TestLedger(t, wrong("")) }

func TestLedgerSuiteFailsOnWrongOnes(t *testing.T) {
	for fault, wantCase := range map[string]string{
		"lets two runs in":               "a held job is busy",
		"shares a lock among jobs":       "a held job is busy",
		"close frees whoever holds it":   "close frees the job",
		"close keeps the job":            "close frees the job",
		"keeps the locks of the dead":    "a crashed holder holds nothing",
		"writes with an old fence":       "a stale lease changes nothing",
		"changes its scope":              "the scope stays",
		"never clears the cursor":        "the cursor",
		"forgets the order of items":     "standing answers in order",
		"drops unknown items":            "standing answers in order",
		"answers a thousand at most":     "thousands of items",
		"knows what it does not know":    "explain gives all back",
		"forgets refusals":               "explain gives all back",
		"forgets the action":             "explain gives all back",
		"keeps seconds only":             "explain gives all back",
		"knows no time before 1970":      "times come back",
		"cleans names":                   "hostile texts come back as they were",
		"records part":                   "record is all or none",
		"says nil and writes nothing":    "record is all or none",
		"adds to the manifest":           "an entry replaces the older one",
		"nil drops the manifest":         "docs nil keeps the manifest",
		"compares keys without case":     "keys are compared byte by byte",
		"mixes up jobs":                  "jobs do not see each other",
		"settles what is acting":         "unsettled",
		"begins every page anew":         "unsettled",
		"ignores the limit":              "unsettled",
		"orders without case":            "unsettled",
		"finds no twin":                  "twin finds another epoch's entry",
		"gives a twin without documents": "twin finds another epoch's entry",
		"matches within an epoch":        "twin never matches within one epoch",
		"gives a twin twice":             "origin makes the match",
		"a match holds in every epoch":   "origin makes the match",
		"goes on after a cancel":         "canceled",
		"forgets all at a restart":       "all survives a restart",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			suite.Wrong(t, strings.ReplaceAll(wantCase, " ", "_"), func(t *testing.T) { TestLedger(t, wrong(fault)) })
		})
	}
}
