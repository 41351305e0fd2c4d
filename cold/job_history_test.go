package cold_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// flakyLedger fails at the n-th write, after or before it is done.
type flakyLedger struct {
	*cold.MemoryLedger
	fail func() (before, after error)
}

type flakyLease struct {
	cold.Lease
	l *flakyLedger
}

func (l *flakyLedger) Lock(ctx context.Context, job string) (cold.Lease, error) {
	lease, err := l.MemoryLedger.Lock(ctx, job)
	return &flakyLease{lease, l}, err
}

func (l *flakyLease) Record(ctx context.Context, e []cold.Entry) error {
	before, after := l.l.fail()
	if before != nil {
		return before
	}
	if err := l.Lease.Record(ctx, e); err != nil {
		return err
	}
	return after
}

func (l *flakyLease) SaveCursor(ctx context.Context, c string) error {
	before, after := l.l.fail()
	if before != nil {
		return before
	}
	if err := l.Lease.SaveCursor(ctx, c); err != nil {
		return err
	}
	return after
}

// history is a mailbox, a job, and a model of what must become of each mail.
type history struct {
	t      *rapid.T
	j      *cold.Job
	m      *coldtest.MemLauncher
	l      *flakyLedger
	docs   map[string]string // of the sink, by key: content
	mails  map[string]string // by number: its document's content, of those not taken away
	copies map[string]int    // how many copies of a mail were ever sent
	next   int
	epochs int
	picky  bool // the sink will not take some documents
	in     int  // calls until the next fault; below 0 never
	kind   int  // of the fault
}

var errFault = errors.New("the power went off")

// fault is asked at every call of ledger, sink and source.
func (h *history) fault() bool {
	h.in--
	return h.in == -1
}

func (h *history) Put(_ context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	fault := h.fault()
	if fault && h.kind == 0 {
		return nil, errFault
	}
	out := make([]cold.Stored, len(docs))
	for i, d := range docs {
		if fault && i == len(docs)/2 {
			return nil, errFault
		}
		if strings.HasPrefix(d.Name, "virus") {
			return nil, poison("virus")
		}
		if h.picky && strings.HasPrefix(d.SHA256, "1") || h.picky && strings.HasPrefix(d.SHA256, "5") {
			out[i].Skip = "not now"
			continue
		}
		r, err := d.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		h.docs[d.Key] = string(data)
	}
	return out, nil
}

func (h *history) init() {
	h.docs, h.mails, h.copies, h.in = map[string]string{}, map[string]string{}, map[string]int{}, -10
	h.m = &coldtest.MemLauncher{PageSize: rapid.IntRange(1, 5).Draw(h.t, "page"), Range: rapid.IntRange(1, 4).Draw(h.t, "range"),
		LastingCursor: rapid.Bool().Draw(h.t, "cursor"), Sizeless: rapid.Bool().Draw(h.t, "sizeless")}
	h.l = &flakyLedger{MemoryLedger: cold.NewMemoryLedger(), fail: func() (before, after error) {
		if h.fault() {
			if h.kind == 0 {
				return errFault, nil
			}
			return nil, errFault
		}
		return nil, nil
	}}
	h.m.OnOpen = func(it cold.Item) error {
		if h.fault() {
			return &vaguemestre.Error{Op: "mem", Class: vaguemestre.ClassSource, Err: errFault}
		}
		return nil
	}
	h.m.CutAfter = func(cold.Item) int64 {
		if h.fault() {
			return 100
		}
		return -1
	}
	h.m.OnSettle = func(it cold.Item, a cold.After) error {
		h.safe(it, a)
		if h.fault() {
			return &vaguemestre.Error{Op: "mem", Class: vaguemestre.ClassSource, Err: errFault}
		}
		return nil
	}
	h.j = &cold.Job{Name: "test", Launcher: h.m, Sink: h, Ledger: h.l, After: rapid.SampledFrom([]cold.After{
		{}, cold.MoveTo("x"), cold.Delete(), cold.MarkSeen()}).Draw(h.t, "after")}
}

// safe: no after-action on a mail one of whose documents is wanted and not in the sink.
func (h *history) safe(it cold.Item, a cold.After) {
	e, err := h.l.Explain(context.Background(), "test", it.Key)
	if err != nil || e == nil || e.State != cold.StateActing {
		h.t.Errorf("after-action on %s, whose entry is %+v", it.Key, e)
		return
	}
	for _, d := range e.Docs {
		if d.Decision == cold.Passed || d.Decision == cold.Refused {
			continue
		}
		if _, ok := h.docs[d.Key]; !ok || d.Decision != cold.Delivered {
			h.t.Errorf("after-action %s on %s while %s is %s", a.Do, it.Key, d.Name, d.Decision)
		}
	}
}

// add puts a mail in, perhaps for the second time.
func (h *history) add(number string) {
	name := "a.pdf"
	if rapid.IntRange(0, 9).Draw(h.t, "virus") == 0 && h.mails[number] == "" {
		name = "virus.pdf"
	}
	files := []file{{name, "content " + number}, {"Thumbs.db", "x"}}
	if h.mails[number] == "" {
		h.mails[number] = string(mail(number, files...))
	}
	h.m.AddMail([]byte(h.mails[number]))
	h.copies[number]++
}

func (h *history) run(ctx context.Context) { h.j.Run(ctx); h.l.Crash() }

// check compares what the sink has with the model.
func (h *history) check(exact bool) {
	have := map[string]int{}
	for _, d := range h.docs {
		have[d]++
	}
	for n, c := range h.copies {
		content := "content " + n
		if strings.Contains(h.mails[n], "virus.pdf") {
			c = 0
		}
		least := c
		if a := h.j.After.Do; h.epochs > 0 && c > 0 && (a == cold.DoMove || a == cold.DoDelete) {
			least = 1 // a second copy after a reset cannot be told from the first put back
		}
		if have[content] > c || exact && have[content] < least {
			h.t.Fatalf("mail %s was sent %d times and delivered %d times", n, c, have[content])
		}
	}
}

func TestJobHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{t: rt}
		h.init()
		filters := []cold.Filters{{}, {Exclude: []cold.Filter{filter(t, "*.db")}}, {Include: []cold.Filter{filter(t, `/.*\.(?!db).*/`)}}}
		h.j.Filters = filters[1]
		for range rapid.IntRange(1, 25).Draw(rt, "length") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0, 1, 2:
				for range rapid.IntRange(1, 4).Draw(rt, "mails") {
					h.next++
					h.add(fmt.Sprint(h.next))
				}
			case 3: // another copy of a mail that was sent
				if h.next > 0 {
					h.add(fmt.Sprint(rapid.IntRange(1, h.next).Draw(rt, "copy")))
				}
			case 4:
				h.m.NewEpoch()
				h.epochs++
			case 5:
				h.j.Filters = filters[rapid.IntRange(1, 2).Draw(rt, "filters")]
				h.picky = rapid.Bool().Draw(rt, "picky")
			case 6:
				h.run(context.Background())
			default:
				h.in, h.kind = rapid.IntRange(0, 12).Draw(rt, "fault"), rapid.IntRange(0, 1).Draw(rt, "kind")
				h.run(context.Background())
				h.in = -10
			}
			h.check(false)
		}
		h.picky, h.j.Select.MaxSize = false, 1<<20 // other rules, so that what is held is looked at again
		for range 5 {                              // calm at last
			if _, err := h.j.Run(context.Background()); err != nil {
				rt.Fatalf("a calm run: %v", err)
			}
		}
		h.check(true)
		docs := len(h.docs)
		if got, err := h.j.Run(context.Background()); err != nil || got != (cold.Summary{}) || len(h.docs) != docs {
			rt.Fatalf("a run with nothing to do: %+v, %v", got, err)
		}
		h.end()
	})
}

// end checks the source and the ledger when all is calm.
func (h *history) end() {
	left := h.m.Contents("")
	for _, it := range left {
		e, err := h.l.Explain(context.Background(), "test", it.Key)
		if err != nil || e == nil {
			h.t.Fatalf("%s at the source has no entry: %v", it.Key, err)
		}
		virus := strings.Contains(string(it.Data), "virus.pdf")
		if !e.State.Terminal() || virus != (e.State == cold.StateQuarantined) {
			h.t.Fatalf("%s is %s at the end (%s)", it.Key, e.State, e.Reason)
		}
		if virus && it.Seen {
			h.t.Fatalf("the quarantined %s was touched", it.Key)
		}
	}
	if a := h.j.After.Do; a == cold.DoMove || a == cold.DoDelete {
		for _, it := range left {
			if !strings.Contains(string(it.Data), "virus.pdf") {
				h.t.Fatalf("%s is still at the source", it.Key)
			}
		}
	}
	if open, _ := h.m.Sessions(); open != 0 {
		h.t.Fatalf("%d sessions open", open)
	}
}
