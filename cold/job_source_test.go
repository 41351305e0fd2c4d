package cold_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

func explain(t *testing.T, l cold.Ledger, key string) cold.Entry {
	t.Helper()
	e, err := l.Explain(context.Background(), "test", key)
	if err != nil || e == nil {
		t.Fatalf("Explain %s: %v, %v", key, e, err)
	}
	return *e
}

// A body whose size nobody told and that breaks off is not a whole one.
func TestJobCutBodyWithoutSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 64 << 10, 100_000, 3 << 20} {
		j, m, s, _ := newJob(t)
		m.Sizeless = true
		m.Add("a.bin", "", bytes.Repeat([]byte("x"), size))
		for _, n := range []int64{0, 1, int64(size) / 2, int64(size) - 1} {
			m.CutAfter = func(cold.Item) int64 { return n }
			if _, err := j.Run(context.Background()); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
				t.Errorf("%d of %d bytes: error %v, want class source", n, size, err)
			}
		}
		if len(s.docs) != 0 {
			t.Fatalf("%d bytes: the sink got a document that was cut", size)
		}
		m.CutAfter = nil
		if got := run(t, j); got.Delivered != 1 || got.Bytes != int64(size) {
			t.Errorf("%d bytes: %+v", size, got)
		}
	}
}

func TestJobUnknownSizeOverTheLimit(t *testing.T) {
	t.Parallel()
	j, m, _, l := newJob(t)
	m.Sizeless = true
	j.Limits.ItemSize = 1000
	k := m.Add("a.bin", "", make([]byte, 1001))
	m.Add("b.bin", "", make([]byte, 1000))
	if got := run(t, j); got.Held != 1 || got.Delivered != 1 {
		t.Errorf("%+v", got)
	}
	if e := explain(t, l, k); e.State != cold.StateHeld || !strings.Contains(e.Reason, "ItemSize") {
		t.Errorf("%s: %s", e.State, e.Reason)
	}
}

// "A Body that gives another number is refused": and the others go on.
func TestJobWrongSize(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"too few": "12", "too many": "1234", "none": ""} {
		j, m, s, l := newJob(t)
		m.Add("a.txt", "", []byte("one"))
		bad := m.Add("b.txt", "", []byte("two"))
		m.Add("c.txt", "", []byte("three"))
		j.Launcher = &spoilt{MemLauncher: m, open: func(ctx context.Context, s cold.Session, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			return s.Open(ctx, items, func(it cold.Item, c *cold.Content) error {
				if c != nil && it.Key == bad {
					c.Body = strings.NewReader(body)
					if body == "" {
						c.Size = 0 // what was listed with three bytes
					}
				}
				return got(it, c)
			})
		}}
		var told error
		j.OnEvent = func(e cold.Event) {
			if e.Item == bad && e.Step == "error" {
				told = e.Err
			}
		}
		for range 4 {
			run(t, j)
		}
		if got := s.names(); !slices.Equal(got, []string{"a.txt=one", "c.txt=three"}) {
			t.Errorf("%s: the sink has %q", name, got)
		}
		if vaguemestre.ClassOf(told) != vaguemestre.ClassSource {
			t.Errorf("%s: told of %v", name, told)
		}
		if e, _ := l.Explain(context.Background(), "test", bad); e != nil && e.Attempts > 0 {
			t.Errorf("%s: the item was blamed", name)
		}
		j.Launcher = m
		if got := run(t, j); got.Delivered != 1 {
			t.Errorf("%s: then %+v", name, got)
		}
	}
}

// What a lasting cursor hides is not forgotten: items that the source did not bring,
// that failed by no fault of theirs, or that a limit kept from being read.
func TestJobCursorHidesNothing(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"missing":  coldtest.ErrMissing,
		"poison":   &vaguemestre.Error{Op: "mem", Class: vaguemestre.ClassPoison, Err: errors.New("unreadable")},
		"no fault": nil,
	} {
		j, m, s, l := newJob(t)
		m.LastingCursor, m.PageSize = true, 3
		var bad string
		for i := range 7 {
			k := m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)}))
			if i == 1 {
				bad = k
			}
		}
		m.OnOpen = func(it cold.Item) error {
			if it.Key == bad {
				return fault
			}
			return nil
		}
		if fault == nil {
			j.Limits.Items = 1
		}
		run(t, j)
		m.AddMail(mail("new", file{"a.pdf", "new"}))
		for range 7 {
			run(t, j)
		}
		want := 8
		if fault != nil {
			want = 7
		}
		if len(s.docs) != want {
			t.Errorf("%s: %d documents, want %d", name, len(s.docs), want)
		}
		if name == "poison" {
			if e := explain(t, l, bad); e.State != cold.StateQuarantined || e.Attempts != 3 {
				t.Errorf("%s after %d attempts, want quarantined after 3", e.State, e.Attempts)
			}
			continue
		}
		m.OnOpen = nil
		run(t, j)
		if len(s.docs) != 8 {
			t.Errorf("%s: %d documents at last, want 8", name, len(s.docs))
		}
	}
}

// "What was held or passed over by Select is looked at again when the job's rules
// change": a cursor that hides it is not used then.
func TestJobCursorAndNewRules(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	m.LastingCursor = true
	j.Select.Subject, j.Select.MinSize = "Envoi 1", 700
	m.AddMail(mail("1", file{"a.pdf", strings.Repeat("1", 600)}))
	m.AddMail(mail("2", file{"a.pdf", strings.Repeat("2", 600)}))
	m.AddMail(mail("3", file{"a.pdf", "small"}))
	run(t, j)
	if len(s.docs) != 1 {
		t.Fatalf("%d documents", len(s.docs))
	}
	j.Select = cold.Select{}
	run(t, j)
	if len(s.docs) != 3 {
		t.Errorf("with other rules %d documents, want 3", len(s.docs))
	}
}

// What a listing failed to show once is not lost.
func TestJobVanishedComesBack(t *testing.T) {
	t.Parallel()
	j, m, s, l := newJob(t)
	k := m.AddMail(mail("1", file{"a.pdf", "1"}))
	s.fail = func([]*cold.Document) error { return errors.New("full") }
	j.Run(context.Background())
	if e := explain(t, l, k); e.State != cold.StatePlanned {
		t.Fatalf("state %s", e.State)
	}
	s.fail = nil
	j.Launcher = &spoilt{MemLauncher: m, list: func(cold.Page) cold.Page { return cold.Page{} }}
	run(t, j)
	if e := explain(t, l, k); e.State != cold.StateVanished {
		t.Fatalf("state %s", e.State)
	}
	j.Launcher = m
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("%+v, want the document", got)
	}
}

// An item that was wanted once is taken though an outage made it too old for Select.
func TestJobGrowsOldInAnOutage(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	j.Now = func() time.Time { return now }
	j.Select.MaxAge = 24 * time.Hour
	m.AddMail(mail("1", file{"a.pdf", "1"}))
	s.fail = func([]*cold.Document) error { return errors.New("full") }
	j.Run(context.Background())
	s.fail = nil
	now = now.Add(72 * time.Hour)
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("%+v", got)
	}
}

// A listing with an item twice, in one page or in two, brings it once, and a failure
// counts once a run.
func TestJobListedTwice(t *testing.T) {
	t.Parallel()
	j, m, s, l := newJob(t)
	m.PageSize = 2
	m.AddMail(mail("1", file{"a.pdf", "1"}))
	bad := m.AddMail(mail("2", file{"b.pdf", "2"}))
	m.AddMail(mail("3", file{"c.pdf", "3"}))
	m.OnOpen = func(it cold.Item) error {
		if it.Key == bad {
			return &vaguemestre.Error{Op: "mem", Class: vaguemestre.ClassPoison, Err: errors.New("bad")}
		}
		return nil
	}
	var first []cold.Item
	j.Launcher = &spoilt{MemLauncher: m, list: func(p cold.Page) cold.Page {
		first = append(first, p.Items...)
		p.Items = append(slices.Clone(first), first...)
		return p
	}}
	if got := run(t, j); got.Delivered != 2 || s.calls == 0 {
		t.Errorf("%+v", got)
	}
	if e := explain(t, l, bad); e.Attempts != 1 {
		t.Errorf("%d attempts in one run", e.Attempts)
	}
}

// An odd launcher ends the run with an error; it does not hang, crash or confuse it.
func TestJobOddLauncher(t *testing.T) {
	t.Parallel()
	type open = func(ctx context.Context, s cold.Session, items []cold.Item, got func(cold.Item, *cold.Content) error) error
	content := func() *cold.Content {
		return &cold.Content{Name: "x.txt", Size: 1, Body: strings.NewReader("x")}
	}
	for name, o := range map[string]open{
		"panics": func(context.Context, cold.Session, []cold.Item, func(cold.Item, *cold.Content) error) error {
			panic("a fault of the launcher")
		},
		"brings twice": func(_ context.Context, _ cold.Session, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			if err := got(items[0], content()); err != nil {
				return err
			}
			return got(items[0], content())
		},
		"brings what nobody asked for": func(_ context.Context, _ cold.Session, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			return got(cold.Item{Key: "other", Size: 1}, content())
		},
		"reads a broken body": func(_ context.Context, _ cold.Session, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			c := content()
			c.Body = io.MultiReader(strings.NewReader(""), brokenBody{})
			return got(items[0], c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, m, s, _ := newJob(t)
			m.Add("x.txt", "", []byte("x"))
			j.Launcher = &spoilt{MemLauncher: m, open: o}
			if _, err := j.Run(context.Background()); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
				t.Errorf("error %v, want class source", err)
			}
			if open, _ := m.Sessions(); open != 0 {
				t.Error("the session is still open")
			}
			if name != "brings twice" && len(s.docs) != 0 {
				t.Errorf("the sink got %q", s.names())
			}
			j.Launcher = m
			run(t, j)
			if len(s.docs) != 1 {
				t.Errorf("then %d documents", len(s.docs))
			}
		})
	}
	t.Run("endless listing", func(t *testing.T) {
		j, m, _, _ := newJob(t)
		j.Launcher = &spoilt{MemLauncher: m, list: func(p cold.Page) cold.Page { p.More, p.Cursor = true, "same"; return p }}
		if _, err := j.Run(context.Background()); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("error %v", err)
		}
	})
}

type brokenBody struct{}

// An error of the launcher's own file is not one of the scratch directory.
func (brokenBody) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: "x", Err: errors.New("input/output error")}
}

// deposit makes every item a directory.
func deposit(m *coldtest.MemLauncher, dirs map[string]fs.FS) *spoilt {
	return &spoilt{MemLauncher: m, open: func(_ context.Context, _ cold.Session, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
		for _, it := range items {
			if err := got(it, &cold.Content{Name: "lot", Files: dirs[it.Key]}); err != nil {
				return err
			}
		}
		return nil
	}}
}

func TestJobDirectories(t *testing.T) {
	t.Parallel()
	j, m, s, l := newJob(t)
	j.Limits.Parts, j.Limits.ItemSize = 3, 100
	many := fstest.MapFS{}
	for i := range 4 {
		many[fmt.Sprint(i)] = &fstest.MapFile{Data: []byte("x")}
	}
	keys := []string{m.Add("", "", []byte("1")), m.Add("", "", []byte("2")), m.Add("", "", []byte("3")), m.Add("", "", []byte("4"))}
	j.Launcher = deposit(m, map[string]fs.FS{
		keys[0]: many,
		keys[1]: fstest.MapFS{"a": &fstest.MapFile{Data: make([]byte, 60)}, "b": &fstest.MapFile{Data: make([]byte, 60)}},
		keys[2]: unreadableFS{},
		keys[3]: fstest.MapFS{"a.xml": &fstest.MapFile{Data: []byte("<a>")}, "pj/b.pdf": &fstest.MapFile{Data: []byte("b")}},
	})
	groups := map[string]int{}
	s.fail = func(docs []*cold.Document) error {
		for _, d := range docs {
			groups[d.Group]++
		}
		return nil
	}
	if got := run(t, j); got.Delivered != 2 || got.Held != 2 {
		t.Errorf("%+v", got)
	}
	if len(groups) != 1 {
		t.Errorf("groups %v, want one for the directory", groups)
	}
	for i, want := range []string{"parts", "ItemSize"} {
		if e := explain(t, l, keys[i]); e.State != cold.StateHeld || !strings.Contains(e.Reason, want) {
			t.Errorf("directory %d is %s: %s", i, e.State, e.Reason)
		}
	}
	if e, _ := l.Explain(context.Background(), "test", keys[2]); e != nil && e.Attempts > 0 {
		t.Error("a directory that cannot be read now was blamed")
	}
}

type unreadableFS struct{}

func (unreadableFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func TestJobBytesLimitWithoutSizes(t *testing.T) {
	t.Parallel()
	j, m, _, _ := newJob(t)
	m.Sizeless = true
	for range 10 {
		m.Add("a.bin", "", make([]byte, 100))
	}
	j.Limits.Bytes = 250
	if got := run(t, j); got.Items != 3 {
		t.Errorf("%d items begun, want 3: 300 bytes", got.Items)
	}
}
