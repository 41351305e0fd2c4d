package coldtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/suite"
)

// memLauncherHarness is the harness of a MemLauncher, perhaps spoilt.
type memLauncherHarness struct {
	mem   *MemLauncher
	spoil func(*MemLauncher, cold.Session) cold.Session
	whole func(*MemLauncher) cold.Launcher
}

func (h *memLauncherHarness) Launcher() cold.Launcher {
	if h.whole != nil {
		return h.whole(h.mem)
	}
	return &spoiltLauncher{MemLauncher: h.mem, spoil: h.spoil}
}

func (h *memLauncherHarness) Add(_ *testing.T, raw []byte) { h.mem.AddMail(raw) }

func (h *memLauncherHarness) Contents(_ *testing.T, folder string) []Kept {
	var out []Kept
	for _, it := range h.mem.Contents(folder) {
		out = append(out, Kept{Data: it.Data, Seen: it.Seen, Tags: it.Tags})
	}
	return out
}

type spoiltLauncher struct {
	*MemLauncher
	spoil func(*MemLauncher, cold.Session) cold.Session
}

func (l *spoiltLauncher) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	s, err := l.MemLauncher.Connect(ctx, o)
	if err != nil || l.spoil == nil {
		return s, err
	}
	return l.spoil(l.MemLauncher, s), nil
}

// spoilt changes single methods of a session.
type spoilt struct {
	cold.Session
	list   func(context.Context, string) (cold.Page, error)
	open   func(context.Context, []cold.Item, func(cold.Item, *cold.Content) error) error
	settle func(context.Context, []cold.Item, cold.After) ([]cold.Receipt, error)
	closed func() error
}

func (s *spoilt) List(ctx context.Context, cursor string) (cold.Page, error) {
	if s.list != nil {
		return s.list(ctx, cursor)
	}
	return s.Session.List(ctx, cursor)
}

func (s *spoilt) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	if s.open != nil {
		return s.open(ctx, items, got)
	}
	return s.Session.Open(ctx, items, got)
}

func (s *spoilt) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	if s.settle != nil {
		return s.settle(ctx, items, do)
	}
	return s.Session.Settle(ctx, items, do)
}

func (s *spoilt) Close() error {
	if s.closed != nil {
		return s.closed()
	}
	return s.Session.Close()
}

// spoilOpen hands every content through f before got sees it.
func spoilOpen(f func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error) func(*MemLauncher, cold.Session) cold.Session {
	return func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, open: func(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			return s.Open(ctx, items, func(it cold.Item, c *cold.Content) error { return f(it, c, got) })
		}}
	}
}

// memDirectoryHarness is one whose source holds directories, each an item of this media type
// with its files as JSON.
type memDirectoryHarness struct{ *memLauncherHarness }

const memDirectory = "inode/directory"

func (h memDirectoryHarness) AddDirectory(t *testing.T, name string, files map[string][]byte) {
	b, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	h.mem.Add(name, memDirectory, b)
}

// newMemDirectories makes harnesses whose directories are as spoil leaves them; nil leaves
// them as they are.
func newMemDirectories(spoil func(it cold.Item, c *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error) func(*testing.T) LauncherHarness {
	open := spoilOpen(func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error {
		if c == nil || c.MediaType != memDirectory {
			return got(it, c)
		}
		var data map[string][]byte
		if err := json.NewDecoder(c.Body).Decode(&data); err != nil {
			return err
		}
		files := fstest.MapFS{}
		for name, b := range data {
			files[name] = &fstest.MapFile{Data: b}
		}
		c = &cold.Content{Name: c.Name, Size: c.Size, Files: files}
		if spoil == nil {
			return got(it, c)
		}
		return spoil(it, c, files, got)
	})
	return func(*testing.T) LauncherHarness {
		return memDirectoryHarness{&memLauncherHarness{mem: &MemLauncher{}, spoil: open}}
	}
}

// wrongDirectories break the sentence of directories.
var wrongDirectories = []struct {
	name  string
	spoil func(it cold.Item, c *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error
}{
	{"forgets what lies in sub-directories", func(it cold.Item, c *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		maps.DeleteFunc(files, func(name string, _ *fstest.MapFile) bool { return strings.Contains(name, "/") })
		return got(it, c)
	}},
	{"forgets empty files", func(it cold.Item, c *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		maps.DeleteFunc(files, func(_ string, f *fstest.MapFile) bool { return len(f.Data) == 0 })
		return got(it, c)
	}},
	{"cuts a large file of a directory", func(it cold.Item, c *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		for _, f := range files {
			f.Data = f.Data[:min(len(f.Data), 4096)]
		}
		return got(it, c)
	}},
	{"adds files of its own to a directory", func(it cold.Item, c *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		files[".lock"] = &fstest.MapFile{Data: []byte("1")}
		return got(it, c)
	}},
	{"gives the files of a directory one by one", func(it cold.Item, _ *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		for name, f := range files {
			if err := got(it, &cold.Content{Name: name, Size: int64(len(f.Data)), Files: fstest.MapFS{name: f}}); err != nil {
				return err
			}
		}
		return nil
	}},
	{"gives the files of a directory as documents", func(it cold.Item, _ *cold.Content, files fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		for name, f := range files {
			if err := got(it, &cold.Content{Name: name, Size: int64(len(f.Data)), Body: bytes.NewReader(f.Data)}); err != nil {
				return err
			}
		}
		return nil
	}},
	{"gives a directory twice", func(it cold.Item, c *cold.Content, _ fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		if err := got(it, c); err != nil {
			return err
		}
		return got(it, c)
	}},
	{"sets files and a body", func(it cold.Item, c *cold.Content, _ fstest.MapFS, got func(cold.Item, *cold.Content) error) error {
		c.Body = strings.NewReader("both")
		return got(it, c)
	}},
}

// wrongLaunchers break one sentence each; fails names a case that must notice.
var wrongLaunchers = []struct {
	name, fails string
	spoil       func(*MemLauncher, cold.Session) cold.Session
	whole       func(*MemLauncher) cold.Launcher
}{
	{name: "forgets the last item of a listing", fails: "list", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, list: func(ctx context.Context, c string) (cold.Page, error) {
			p, err := s.List(ctx, c)
			if len(p.Items) > 4 {
				p.Items = p.Items[:4]
			}
			return p, err
		}}
	}},
	{name: "gives all items one key", fails: "keys", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, list: func(ctx context.Context, c string) (cold.Page, error) {
			p, err := s.List(ctx, c)
			for i := range p.Items {
				p.Items[i].Key = "same"
			}
			return p, err
		}}
	}},
	{name: "opens only what this session listed", fails: "open items of an earlier session", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		listed := map[string]bool{}
		return &spoilt{Session: s, list: func(ctx context.Context, c string) (cold.Page, error) {
			p, err := s.List(ctx, c)
			for _, it := range p.Items {
				listed[it.Key] = true
			}
			return p, err
		}, open: func(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			var known []cold.Item
			for _, it := range items {
				if listed[it.Key] {
					known = append(known, it)
				}
			}
			return s.Open(ctx, known, got)
		}}
	}},
	{name: "confirms after Open returned", fails: "no got after open", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, open: func(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			err := s.Open(ctx, items, func(it cold.Item, c *cold.Content) error {
				if c == nil {
					return nil
				}
				return got(it, c)
			})
			if err == nil && len(items) > 0 {
				time.AfterFunc(50*time.Millisecond, func() { _ = got(items[0], nil) })
			}
			return err
		}}
	}},
	{name: "lists an item once only", fails: "list is repeatable", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		n := 0
		return &spoilt{Session: s, list: func(ctx context.Context, c string) (cold.Page, error) {
			if n++; n > 1 {
				return cold.Page{}, nil
			}
			return s.List(ctx, c)
		}}
	}},
	{name: "takes a cursor of another session for its own first page", fails: "cursor of an interrupted run", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		begun := false
		return &spoilt{Session: s, list: func(ctx context.Context, c string) (cold.Page, error) {
			p, err := s.List(ctx, "")
			if c == "stuck" && begun {
				p.Items = p.Items[2:]
				return p, err
			}
			begun = true
			return cold.Page{Items: p.Items[:2], Cursor: "stuck", More: true}, err
		}}
	}},
	{name: "refuses a cursor it does not know", fails: "unknown cursor", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, list: func(ctx context.Context, c string) (cold.Page, error) {
			if c == "no such cursor" {
				return cold.Page{}, errors.New("bad cursor")
			}
			return s.List(ctx, c)
		}}
	}},
	{name: "cuts a body and calls it whole", fails: "open brings all", spoil: spoilOpen(func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error {
		if c != nil && c.Body != nil && c.Size > 1000 {
			c.Body = io.LimitReader(c.Body, 500)
		}
		return got(it, c)
	})},
	{name: "mixes up two bodies", fails: "open brings all", spoil: spoilOpen(func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error {
		if c != nil && c.Body != nil {
			c.Body, c.Size = bytes.NewReader(launcherMail(0)), int64(len(launcherMail(0)))
		}
		return got(it, c)
	})},
	{name: "gives an item twice", fails: "one content an item", spoil: spoilOpen(func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error {
		if err := got(it, c); err != nil || c == nil {
			return err
		}
		c.Body = strings.NewReader("again")
		return got(it, c)
	})},
	{name: "sets body and error", fails: "content", spoil: spoilOpen(func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error {
		if c != nil {
			c.Err = errors.New("both")
		}
		return got(it, c)
	})},
	{name: "confirms before it gives", fails: "confirmed", spoil: spoilOpen(func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error {
		if c == nil {
			return nil
		}
		if err := got(it, nil); err != nil {
			return err
		}
		return got(it, c)
	})},
	{name: "swallows the error of got", fails: "error of got", spoil: spoilOpen(func(it cold.Item, c *cold.Content, got func(cold.Item, *cold.Content) error) error {
		_ = got(it, c)
		return nil
	})},
	{name: "marks as read what it opens", fails: "open changes nothing", spoil: func(m *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, open: func(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
			for _, it := range items {
				m.settle(it, cold.MarkSeen())
			}
			return s.Open(ctx, items, got)
		}}
	}},
	{name: "settles in a read-only session", fails: "read-only", whole: func(m *MemLauncher) cold.Launcher {
		return &readWrite{m}
	}},
	{name: "says done and does nothing", fails: "settle seen", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, settle: func(_ context.Context, items []cold.Item, _ cold.After) ([]cold.Receipt, error) {
			out := make([]cold.Receipt, len(items))
			for i := range out {
				out[i].Outcome = cold.SettleDone
			}
			return out, nil
		}}
	}},
	{name: "deletes what it should move", fails: "settle move", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, settle: func(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
			if do.Do == cold.DoMove {
				do = cold.Delete()
			}
			return s.Settle(ctx, items, do)
		}}
	}},
	{name: "deletes everything", fails: "settle delete", spoil: func(m *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, settle: func(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
			got, err := s.Settle(ctx, items, do)
			if do.Do == cold.DoDelete { // as a plain EXPUNGE does
				for _, it := range m.Contents("") {
					m.Remove(it.Key)
				}
			}
			return got, err
		}}
	}},
	{name: "turns the receipts round", fails: "receipts in order", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, settle: func(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
			got, err := s.Settle(ctx, items, do)
			if len(got) == 3 {
				got[0], got[1] = got[1], got[0]
			}
			return got, err
		}}
	}},
	{name: "calls a gone item failed", fails: "idempotent", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, settle: func(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
			got, err := s.Settle(ctx, items, do)
			for i := range got {
				if got[i].Outcome == cold.SettleGone {
					got[i].Outcome = cold.SettleFailed
				}
			}
			return got, err
		}}
	}},
	{name: "settles only what this session listed", fails: "items of an earlier session", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		listed := false
		return &spoilt{Session: s,
			list: func(ctx context.Context, c string) (cold.Page, error) { listed = true; return s.List(ctx, c) },
			settle: func(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
				if !listed {
					return nil, errors.New("list first")
				}
				return s.Settle(ctx, items, do)
			}}
	}},
	{name: "supports everything", fails: "supports", whole: func(m *MemLauncher) cold.Launcher { return &supportsAll{m} }},
	{name: "does not look at the context", fails: "context", spoil: func(_ *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s,
			list: func(ctx context.Context, c string) (cold.Page, error) { return s.List(context.WithoutCancel(ctx), c) },
			open: func(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
				return s.Open(context.WithoutCancel(ctx), items, got)
			}}
	}},
	{name: "empties the source when it leaves", fails: "close", spoil: func(m *MemLauncher, s cold.Session) cold.Session {
		return &spoilt{Session: s, closed: func() error {
			for _, it := range m.Contents("") {
				m.Remove(it.Key)
			}
			return s.Close()
		}}
	}},
}

type readWrite struct{ *MemLauncher }

func (l *readWrite) Connect(ctx context.Context, _ *cold.ConnectOptions) (cold.Session, error) {
	return l.MemLauncher.Connect(ctx, nil)
}

type supportsAll struct{ *MemLauncher }

func (*supportsAll) Supports(cold.After) error { return nil }

func TestMemLauncher(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 2} {
		TestLauncher(t, func(*testing.T) LauncherHarness {
			return &memLauncherHarness{mem: &MemLauncher{PageSize: size, Range: 2}}
		})
	}
	TestLauncher(t, newMemDirectories(nil))
}

func TestLauncherSuiteNotices(t *testing.T) {
	t.Parallel()
	for _, w := range wrongLaunchers {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			suite.Wrong(t, strings.ReplaceAll(w.fails, " ", "_"), func(t *testing.T) {
				TestLauncher(t, func(*testing.T) LauncherHarness {
					return &memLauncherHarness{mem: &MemLauncher{}, spoil: w.spoil, whole: w.whole}
				})
			})
		})
	}
	for _, w := range wrongDirectories {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			suite.Wrong(t, "directory", func(t *testing.T) { TestLauncher(t, newMemDirectories(w.spoil)) })
		})
	}
}
