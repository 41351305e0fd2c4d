package cold_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

func poison(text string) error {
	return &vaguemestre.Error{Op: "sink", Class: vaguemestre.ClassPoison, Err: errors.New(text)}
}

// counting is a sink without an index: every call counts.
type counting struct {
	puts map[string]int // by name and content hash
	fail func(*cold.Document) error
}

func (c *counting) sink() cold.Sink {
	c.puts = map[string]int{}
	return cold.SinkFunc(func(_ context.Context, d *cold.Document) error {
		if c.fail != nil {
			if err := c.fail(d); err != nil {
				return err
			}
		}
		c.puts[d.Name]++
		return nil
	})
}

// "the job then tries them group by group and gives up the guilty one after three runs":
// its siblings are delivered, once, and counted once.
func TestJobPoisonGroup(t *testing.T) {
	t.Parallel()
	j, m, _, l := newJob(t)
	c := &counting{fail: func(d *cold.Document) error {
		if d.Name == "bad.pdf" {
			return poison("virus found")
		}
		return nil
	}}
	j.Sink, j.After = c.sink(), cold.Delete()
	j.Filters.Exclude = []cold.Filter{filter(t, "*.db")}
	k := m.AddMail(mail("1", file{"bad.pdf", "x"}, file{"good.pdf", "y"}, file{"Thumbs.db", "z"}))
	var told []string
	j.OnDecision = func(d cold.Decided) { told = append(told, d.Name+" "+string(d.Decision)) }
	for i, want := range []cold.Summary{
		{Items: 1, Delivered: 1, Bytes: 1}, {Items: 1}, {Items: 1, Quarantined: 1, Refused: 1}, {},
	} {
		if got := run(t, j); got != want {
			t.Errorf("run %d: %+v, want %+v", i+1, got, want)
		}
	}
	if c.puts["good.pdf"] != 1 {
		t.Errorf("the sibling was put %d times", c.puts["good.pdf"])
	}
	slices.Sort(told)
	if want := []string{"Thumbs.db refused", "bad.pdf quarantined", "good.pdf delivered"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if e := explain(t, l, k); e.State != cold.StateQuarantined || len(m.Contents("")) != 1 {
		t.Errorf("%s, %d at the source", e.State, len(m.Contents("")))
	}
}

// What a held item had delivered is not delivered again when the rules change, in
// a new epoch neither.
func TestJobHeldIsNotPutTwice(t *testing.T) {
	t.Parallel()
	for _, epochs := range []int{0, 1, 2} {
		j, m, s, l := newJob(t)
		s.skip = func(d *cold.Document) string {
			if d.Name == "b.exe" {
				return "no programs"
			}
			return ""
		}
		raw := mail("1", file{"a.pdf", "1"}, file{"b.exe", "2"})
		m.AddMail(raw)
		run(t, j)
		for range epochs {
			m.NewEpoch()
			if got := run(t, j); got.Delivered != 0 || got.Held != 1 {
				t.Errorf("new epoch: %+v", got)
			}
		}
		put := 0
		s.skip = func(d *cold.Document) string { put++; return "" }
		j.Filters.Exclude = []cold.Filter{filter(t, "*.zip")} // other rules
		if got := run(t, j); got.Delivered != 1 || put != 1 {
			t.Errorf("%d epochs: %+v, %d documents put; want the held one alone", epochs, got, put)
		}
		if len(s.docs) != 2 {
			t.Errorf("%d epochs: the sink has %q under %d keys", epochs, s.names(), len(s.docs))
		}
		if e := explain(t, l, m.Contents("")[0].Key); e.State != cold.StateDone {
			t.Errorf("%d epochs: %s", epochs, e.State)
		}
	}
}

// An item that failed keeps what it is known by: its origin and its documents.
func TestJobOriginSurvivesFailures(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	m.AddMail(mail("1", file{"a.pdf", "1"}))
	ctx, cancel := context.WithCancel(context.Background())
	s.then = cancel // stored, and the run ends before it is done with it
	j.Run(ctx)
	s.then = nil
	m.NewEpoch()
	s.fail = func([]*cold.Document) error { return poison("not now") }
	run(t, j)
	s.fail = nil
	m.OnOpen = func(cold.Item) error { return poison("cannot be read") }
	run(t, j)
	m.OnOpen = nil
	run(t, j)
	if len(s.docs) != 1 {
		t.Errorf("one document under %d keys", len(s.docs))
	}
}

// Two mails without a Message-ID are not taken for one because they hold the same form.
func TestJobNoMessageID(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	j.After = cold.Delete()
	anonymous := func(date string) []byte {
		raw := strings.Replace(string(mail("1", file{"formulaire.pdf", "vierge"})), "Message-ID: <1@example.org>\r\n", "", 1)
		return []byte(strings.Replace(raw, "05 Jan", date, 1))
	}
	m.AddMail(anonymous("05 Jan"))
	run(t, j)
	m.NewEpoch()
	m.AddMail(anonymous("06 Jan"))
	run(t, j)
	if len(s.docs) != 2 {
		t.Errorf("%d documents, want 2", len(s.docs))
	}
	j, m, s, _ = newJob(t)
	m.AddMail(anonymous("05 Jan"))
	run(t, j)
	m.NewEpoch()
	run(t, j)
	if len(s.docs) != 1 {
		t.Errorf("the same mail: %d documents, want 1", len(s.docs))
	}
}

// What an old epoch left unfinished is known again under its new name, and no alarm is
// raised about its old one.
func TestJobNewEpochAfterOutage(t *testing.T) {
	t.Parallel()
	j, m, s, l := newJob(t)
	j.After = cold.MoveTo("x")
	old := m.AddMail(mail("1", file{"a.pdf", "1"}))
	s.then = func() { panic("the sink dies after it stored") }
	if _, err := j.Run(context.Background()); vaguemestre.ClassOf(err) != vaguemestre.ClassSink {
		t.Fatalf("%v", err)
	}
	s.then = nil
	for range 2 {
		m.NewEpoch()
	}
	j.OnEvent = func(e cold.Event) {
		if e.Step == "error" {
			t.Errorf("told of %v", e.Err)
		}
	}
	if got := run(t, j); got.Delivered != 1 || len(s.docs) != 1 || len(m.Contents("x")) != 1 {
		t.Errorf("%+v, %d documents", got, len(s.docs))
	}
	if e := explain(t, l, old); e.State != cold.StateVanished {
		t.Errorf("the old entry is %s", e.State)
	}
}

// A mail that was left where it is stays there in a new epoch, whatever After says now.
func TestJobNewEpochLeaves(t *testing.T) {
	t.Parallel()
	j, m, _, _ := newJob(t)
	m.AddMail(mail("1", file{"a.pdf", "1"}))
	run(t, j)
	m.NewEpoch()
	j.After = cold.Delete()
	if got := run(t, j); got.Delivered != 0 || len(m.Contents("")) != 1 {
		t.Errorf("%+v, %d mails left", got, len(m.Contents("")))
	}
}

// A sink that answers for fewer documents, panics or blocks stops the run and touches nothing.
func TestJobOddSink(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(ctx context.Context) ([]cold.Stored, error){
		"answers for none": func(context.Context) ([]cold.Stored, error) { return nil, nil },
		"answers for more": func(context.Context) ([]cold.Stored, error) { return make([]cold.Stored, 9), nil },
		"panics":           func(context.Context) ([]cold.Stored, error) { panic("a fault") },
		"blocks":           func(ctx context.Context) ([]cold.Stored, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		j, m, _, l := newJob(t)
		j.After, j.Sink = cold.Delete(), putFunc(f)
		k := m.AddMail(mail("1", file{"a.pdf", "1"}, file{"b.pdf", "2"}))
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		_, err := j.Run(ctx)
		cancel()
		if c := vaguemestre.ClassOf(err); c != vaguemestre.ClassSink && !(name == "blocks" && c == vaguemestre.ClassCanceled) {
			t.Errorf("%s: error %v", name, err)
		}
		if e := explain(t, l, k); e.State != cold.StatePlanned || e.Attempts != 0 || len(m.Contents("")) != 1 {
			t.Errorf("%s: %s after %d attempts", name, e.State, e.Attempts)
		}
	}
}

type putFunc func(context.Context) ([]cold.Stored, error)

func (f putFunc) Put(ctx context.Context, _ []*cold.Document) ([]cold.Stored, error) { return f(ctx) }

// A receipt that is missing, failed or unknown keeps the item due, and the run says so.
func TestJobReceipts(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func([]cold.Receipt) []cold.Receipt{
		"short": func(r []cold.Receipt) []cold.Receipt { return r[:1] },
		"none":  func([]cold.Receipt) []cold.Receipt { return nil },
		"more":  func(r []cold.Receipt) []cold.Receipt { return append(r, r...) },
		"unknown without a reason": func(r []cold.Receipt) []cold.Receipt {
			r[1] = cold.Receipt{Outcome: cold.SettleUnknown}
			return r
		},
	} {
		j, m, s, l := newJob(t)
		j.After = cold.Tag("vu")
		var keys []string
		for i := range 3 {
			keys = append(keys, m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)})))
		}
		j.Launcher = &spoilt{MemLauncher: m, settle: f}
		j.OnEvent = func(e cold.Event) {
			if e.Step == "error" && e.Err == nil {
				t.Errorf("%s: an error event without an error", name)
			}
		}
		sum, err := j.Run(context.Background())
		if name != "more" && vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("%s: error %v, want class source", name, err)
		}
		if sum.Delivered != 3 || len(s.docs) != 3 {
			t.Errorf("%s: %+v", name, sum)
		}
		if name == "short" {
			if e := explain(t, l, keys[2]); e.State != cold.StateActing {
				t.Errorf("%s: %s", name, e.State)
			}
		}
		j.Launcher = m
		if got := run(t, j); got != (cold.Summary{}) {
			t.Errorf("%s: the second run did %+v", name, got)
		}
		for _, k := range keys {
			if e := explain(t, l, k); e.State != cold.StateDone {
				t.Errorf("%s: at last %s", name, e.State)
			}
		}
	}
}

// An after-action that cannot be done does not bind the job for ever: what was left is
// done as the job says now.
func TestJobAfterIsChanged(t *testing.T) {
	t.Parallel()
	j, m, _, _ := newJob(t)
	j.Filters.Include = []cold.Filter{filter(t, "*.pdf")}
	j.After, j.AfterRefused = cold.MoveTo("forbidden"), cold.Tag("forbidden")
	m.AddMail(mail("1", file{"a.pdf", "1"}))
	m.AddMail(mail("2", file{"a.txt", "2"}))
	m.OnSettle = func(_ cold.Item, a cold.After) error {
		if a.Target == "forbidden" {
			return errors.New("permission denied")
		}
		return nil
	}
	if _, err := j.Run(context.Background()); err == nil {
		t.Fatal("no error")
	}
	j.After, j.AfterRefused = cold.MoveTo("x"), cold.Leave()
	run(t, j)
	if len(m.Contents("x")) != 1 || len(m.Contents("")) != 1 {
		t.Errorf("%d moved, %d left", len(m.Contents("x")), len(m.Contents("")))
	}
}
