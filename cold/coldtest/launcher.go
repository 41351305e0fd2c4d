package coldtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// LauncherHarness is what [TestLauncher] needs of a source under test. The source is
// empty when a harness is made, and belongs to it alone.
type LauncherHarness interface {
	// Launcher looks into the source.
	Launcher() cold.Launcher

	// Add puts one mail into the source.
	Add(t *testing.T, raw []byte)

	// Contents returns what lies in a folder now, in any order; "" is the source itself.
	// A folder that does not exist is empty.
	Contents(t *testing.T, folder string) []Kept
}

// DirectoryHarness is an optional ability of a [LauncherHarness] whose source also holds
// deposit directories.
type DirectoryHarness interface {
	LauncherHarness

	// AddDirectory puts a deposit directory into the source, complete: content by path.
	AddDirectory(t *testing.T, name string, files map[string][]byte)
}

// Kept is one mail as it lies in a folder.
type Kept struct {
	Data []byte
	Seen bool
	Tags []string // without the protocol's own marks
}

// TestLauncher checks that a launcher keeps the contract of [cold.Launcher] and
// [cold.Session]. Each case is named for what it checks and quotes the sentence. Verbs
// that the launcher does not support are left out.
func TestLauncher(t *testing.T, newHarness func(t *testing.T) LauncherHarness) {
	for _, c := range launcherCases {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			r := &launcherRun{T: t, h: h, quote: c.quote}
			for i := range 5 {
				h.Add(t, launcherMail(i))
			}
			c.run(r)
		})
	}
}

// launcherMail is the i-th mail; the fifth is larger than usual buffers, and the first
// two differ in nothing but their number.
func launcherMail(i int) []byte {
	body := "Bonjour, voici la facture.\r\n"
	if i == 4 {
		body = strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef\r\n", 12_000)
	}
	return fmt.Appendf(nil, "From: a@example.test\r\nTo: b@example.test\r\nSubject: mail %d\r\nMessage-ID: <m%d@example.test>\r\n\r\n%s", i, i, body)
}

type launcherRun struct {
	*testing.T
	h     LauncherHarness
	quote string
}

// broke fails the case with the sentence that was broken.
func (r *launcherRun) broke(format string, args ...any) {
	r.Helper()
	r.Fatalf("the contract says: %q\nbut %s", r.quote, fmt.Sprintf(format, args...))
}

func (r *launcherRun) connect(o *cold.ConnectOptions) cold.Session {
	r.Helper()
	s, err := r.h.Launcher().Connect(r.Context(), o)
	if err != nil {
		r.Fatalf("Connect: %v", err)
	}
	r.Cleanup(func() { s.Close() })
	return s
}

// list reads all pages.
func (r *launcherRun) list(s cold.Session) []cold.Item {
	r.Helper()
	var all []cold.Item
	cursor := ""
	for page := 0; ; page++ {
		p, err := s.List(r.Context(), cursor)
		if err != nil {
			r.Fatalf("List: %v", err)
		}
		all = append(all, p.Items...)
		if !p.More {
			return all
		}
		if page > 1000 || p.Cursor == "" || p.Cursor == cursor {
			r.broke("the listing does not end (cursor %q)", p.Cursor)
		}
		cursor = p.Cursor
	}
}

// open reads all contents and returns them by key.
func (r *launcherRun) open(s cold.Session, items []cold.Item) map[string][]byte {
	r.Helper()
	out := map[string][]byte{}
	err := s.Open(r.Context(), items, func(it cold.Item, c *cold.Content) error {
		if c == nil {
			return nil
		}
		if c.Err != nil {
			r.Errorf("Content.Err of %s: %v", it.Key, c.Err)
			return nil
		}
		b, err := io.ReadAll(c.Body)
		if err != nil {
			r.Errorf("reading %s: %v", it.Key, err)
		}
		if _, twice := out[it.Key]; twice {
			r.Errorf("the contract says: %q, but %s came twice", r.quote, it.Key)
		}
		out[it.Key] = b
		return nil
	})
	if err != nil {
		r.Fatalf("Open: %v", err)
	}
	return out
}

func (r *launcherRun) settle(s cold.Session, items []cold.Item, do cold.After) []cold.Receipt {
	r.Helper()
	got, err := s.Settle(r.Context(), items, do)
	if err != nil {
		r.Fatalf("Settle(%v): %v", do, err)
	}
	if len(got) != len(items) {
		r.broke("there are %d receipts for %d items", len(got), len(items))
	}
	return got
}

func (r *launcherRun) outcomes(rs []cold.Receipt, allowed ...cold.Outcome) {
	r.Helper()
	for i, rc := range rs {
		ok := false
		for _, o := range allowed {
			ok = ok || rc.Outcome == o
		}
		if !ok {
			r.broke("receipt %d is %q (%v), not one of %q", i, rc.Outcome, rc.Err, allowed)
		}
	}
}

// subjects tells which mails lie in folder.
func (r *launcherRun) subjects(folder string) []string {
	r.Helper()
	n := map[string]int{}
	for _, k := range r.h.Contents(r.T, folder) {
		n[subjectOf(k.Data)]++
	}
	var out []string
	for i := range 10 {
		for s := fmt.Sprintf("mail %d", i); n[s] > 0; n[s]-- {
			out = append(out, s)
		}
	}
	return out
}

func subjectOf(raw []byte) string {
	_, rest, _ := bytes.Cut(raw, []byte("Subject: "))
	s, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimSpace(string(s))
}

func (r *launcherRun) wantSubjects(folder string, want ...string) {
	r.Helper()
	if got := r.subjects(folder); !reflect.DeepEqual(got, want) {
		r.broke("folder %q holds %q, want %q", folder, got, want)
	}
}

// supported skips the case if the launcher cannot do the verb.
func (r *launcherRun) supported(do cold.After) {
	if err := r.h.Launcher().Supports(do); err != nil {
		r.Skipf("not supported: %v", err)
	}
}

func classIs(err error, c vaguemestre.Class) bool { return vaguemestre.ClassOf(err) == c }

var launcherCases = []struct {
	name, quote string
	run         func(*launcherRun)
}{
	{"list", "List returns one page of what waits, with no content.", func(r *launcherRun) {
		items := r.list(r.connect(nil))
		if len(items) != 5 {
			r.broke("5 items wait and %d are listed", len(items))
		}
		for i, it := range items {
			if it.Size >= 0 && it.Size < 100 {
				r.broke("item %d has the size %d", i, it.Size)
			}
		}
	}},
	{"keys", "Key is unique for this content within the job for ever", func(r *launcherRun) {
		first := r.list(r.connect(nil))
		seen := map[string]bool{}
		for _, it := range first {
			if it.Key == "" || it.Epoch == "" || seen[it.Key] {
				r.broke("key %q, epoch %q, seen before: %v", it.Key, it.Epoch, seen[it.Key])
			}
			seen[it.Key] = true
		}
		for _, it := range r.list(r.connect(nil)) {
			if !seen[it.Key] {
				r.broke("another session calls an item %q", it.Key)
			}
		}
	}},
	{"list is repeatable", "Listing is repeatable: it changes nothing at the source.", func(r *launcherRun) {
		s := r.connect(nil)
		before := r.h.Contents(r.T, "")
		a, b := r.list(s), r.list(s)
		if len(a) != len(b) {
			r.broke("the first listing has %d items, the second %d", len(a), len(b))
		}
		for i := range a {
			if a[i].Key != b[i].Key {
				r.broke("item %d is %q, then %q", i, a[i].Key, b[i].Key)
			}
		}
		if after := r.h.Contents(r.T, ""); len(after) != len(before) {
			r.broke("the source held %d and now holds %d", len(before), len(after))
		}
	}},
	{"unknown cursor", `a cursor that the source no longer knows is taken for ""`, func(r *launcherRun) {
		p, err := r.connect(nil).List(r.Context(), "no such cursor")
		if err != nil || len(p.Items) == 0 {
			r.broke("List gives %d items and %v", len(p.Items), err)
		}
	}},
	{"cursor of an interrupted run", "another page waits now; Cursor is then another than before", func(r *launcherRun) {
		first, err := r.connect(nil).List(r.Context(), "")
		if err != nil || !first.More {
			return // all came at once
		}
		seen := map[string]bool{}
		for _, it := range first.Items {
			seen[it.Key] = true
		}
		s, cursor := r.connect(nil), first.Cursor
		for range 1000 {
			p, err := s.List(r.Context(), cursor)
			if err != nil {
				r.Fatalf("List: %v", err)
			}
			for _, it := range p.Items {
				seen[it.Key] = true
			}
			if !p.More {
				break
			}
			if p.Cursor == cursor {
				r.broke("a later session gives the cursor that it was given, %q", cursor)
			}
			cursor = p.Cursor
		}
		if len(seen) != 5 {
			r.broke("a listing that two sessions share shows %d of 5 items", len(seen))
		}
	}},
	{"open brings all", "Open brings the content of items, in any order, and calls got for each", func(r *launcherRun) {
		s := r.connect(nil)
		got := r.open(s, r.list(s))
		left := map[string]int{}
		for i := range 5 {
			left[string(launcherMail(i))]++
		}
		for key, b := range got {
			if left[string(b)] == 0 {
				r.broke("%s is no mail that was put there (%d bytes)", key, len(b))
			}
			left[string(b)]--
		}
		if len(got) != 5 {
			r.broke("%d of 5 came", len(got))
		}
	}},
	{"one content an item", "never with two contents for one item", func(r *launcherRun) {
		s := r.connect(nil)
		items := r.list(s)
		calls := map[string]int{}
		err := s.Open(r.Context(), append(items, items[0]), func(it cold.Item, c *cold.Content) error {
			if c != nil {
				calls[it.Key]++
				_, _ = io.Copy(io.Discard, c.Body)
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		for k, n := range calls {
			if n != 1 {
				r.broke("%s came %d times", k, n)
			}
		}
	}},
	{"content", "Content is what an item holds: exactly one of Body, Files and Err is set.", func(r *launcherRun) {
		s := r.connect(nil)
		err := s.Open(r.Context(), r.list(s), func(it cold.Item, c *cold.Content) error {
			if c == nil {
				return nil
			}
			n := 0
			for _, set := range []bool{c.Body != nil, c.Files != nil, c.Err != nil} {
				if set {
					n++
				}
			}
			if n != 1 {
				r.broke("%d are set", n)
			}
			if b, err := io.ReadAll(c.Body); err != nil || c.Size >= 0 && int64(len(b)) != c.Size {
				r.broke("Size is %d, the body gives %d bytes and %v", c.Size, len(b), err)
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
	}},
	{"directory", "a deposit directory: all its files belong together; valid until got returns", func(r *launcherRun) {
		h, ok := r.h.(DirectoryHarness)
		if !ok {
			r.Skip("the source holds no directories")
		}
		want := map[string][]byte{"metadata.xml": []byte("<m/>"), "pj/annexe.pdf": launcherMail(4), "vide.txt": {}}
		h.AddDirectory(r.T, "depot", want)
		s := r.connect(nil)
		directories := 0
		err := s.Open(r.Context(), r.list(s), func(it cold.Item, c *cold.Content) error {
			if c == nil || c.Files == nil {
				return nil
			}
			directories++
			if c.Body != nil || c.Err != nil {
				r.broke("%s has Files and more", it.Key)
			}
			got := map[string]bool{}
			err := fs.WalkDir(c.Files, ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := fs.ReadFile(c.Files, name)
				if !bytes.Equal(b, want[name]) || want[name] == nil {
					r.broke("%q holds %d bytes that were not put there", name, len(b))
				}
				got[name] = true
				return err
			})
			if err != nil || len(got) != len(want) {
				r.broke("%d of %d files came, %v", len(got), len(want), err)
			}
			return nil
		})
		if err != nil || directories != 1 {
			r.broke("it came %d times, Open gives %v", directories, err)
		}
	}},
	{"confirmed", "What was given counts only once the source confirmed it: when got is called again for the item with a nil Content, or when Open returns nil", func(r *launcherRun) {
		s := r.connect(nil)
		given, confirmed := map[string]bool{}, map[string]bool{}
		err := s.Open(r.Context(), r.list(s), func(it cold.Item, c *cold.Content) error {
			if c == nil {
				if !given[it.Key] || confirmed[it.Key] {
					r.broke("%s is confirmed before it came, or twice", it.Key)
				}
				confirmed[it.Key] = true
				return nil
			}
			given[it.Key] = true
			_, _ = io.Copy(io.Discard, c.Body)
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
	}},
	{"read less", "it may read less: the rest is discarded", func(r *launcherRun) {
		s := r.connect(nil)
		items := r.list(s)
		n := 0
		err := s.Open(r.Context(), items, func(_ cold.Item, c *cold.Content) error {
			if c != nil {
				n++
				_, err := io.ReadFull(c.Body, make([]byte, 3))
				return err
			}
			return nil
		})
		if err != nil || n != len(items) {
			r.broke("Open gives %d of %d and %v", n, len(items), err)
		}
		if got := r.open(s, items); len(got) != len(items) {
			r.broke("afterwards %d of %d came", len(got), len(items))
		}
	}},
	{"error of got", "An error of got ends Open, which then returns that error.", func(r *launcherRun) {
		s := r.connect(nil)
		items := r.list(s)
		stop := errors.New("stop here")
		n := 0
		err := s.Open(r.Context(), items, func(cold.Item, *cold.Content) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			r.broke("got was called %d times and Open returned %v", n, err)
		}
		if got := r.list(s); len(got) != 5 {
			r.Fatalf("the session cannot go on: %d items", len(got))
		}
	}},
	{"gone items", "An item that is gone, or that the source does not show now, gets no call", func(r *launcherRun) {
		s := r.connect(nil)
		items := r.list(s)
		r.supported(cold.Delete())
		r.settle(s, items[:1], cold.Delete())
		s = r.connect(nil)
		got := r.open(s, items)
		if _, called := got[items[0].Key]; called || len(got) != 4 {
			r.broke("%d came; the item that is gone among them: %v", len(got), called)
		}
	}},
	{"open changes nothing", "ReadOnly promises that nothing at the source is changed, not even by accident", func(r *launcherRun) {
		s := r.connect(&cold.ConnectOptions{ReadOnly: true})
		r.open(s, r.list(s))
		s.Close()
		for i, k := range r.h.Contents(r.T, "") {
			if k.Seen || len(k.Tags) > 0 {
				r.broke("mail %d is now %+v", i, k.Tags)
			}
		}
		s = r.connect(nil)
		r.open(s, r.list(s))
		for _, it := range r.list(r.connect(nil)) {
			if it.Seen {
				r.broke("reading marked %s as read", it.Key)
			}
		}
	}},
	{"read-only", "Settle of such a session fails.", func(r *launcherRun) {
		s := r.connect(&cold.ConnectOptions{ReadOnly: true})
		items := r.list(s)
		for _, do := range []cold.After{cold.MarkSeen(), cold.Delete()} {
			if r.h.Launcher().Supports(do) != nil {
				continue
			}
			if _, err := s.Settle(r.Context(), items, do); err == nil {
				r.broke("it did %q", do.Do)
			}
		}
		r.wantSubjects("", "mail 0", "mail 1", "mail 2", "mail 3", "mail 4")
	}},
	{"settle leave", "nothing; the ledger remembers", func(r *launcherRun) {
		s := r.connect(nil)
		r.outcomes(r.settle(s, r.list(s), cold.Leave()), cold.SettleDone)
		r.wantSubjects("", "mail 0", "mail 1", "mail 2", "mail 3", "mail 4")
	}},
	{"settle seen", "mark as read", func(r *launcherRun) {
		r.supported(cold.MarkSeen())
		s := r.connect(nil)
		items := r.list(s)
		r.outcomes(r.settle(s, items[1:3], cold.MarkSeen()), cold.SettleDone)
		for _, k := range r.h.Contents(r.T, "") {
			if want := subjectOf(k.Data) == "mail 1" || subjectOf(k.Data) == "mail 2"; k.Seen != want {
				r.broke("%s is marked as read: %v", subjectOf(k.Data), k.Seen)
			}
		}
		for i, it := range r.list(r.connect(nil)) {
			if it.Seen != (i == 1 || i == 2) {
				r.broke("the listing says of item %d that it is read: %v", i, it.Seen)
			}
		}
	}},
	{"settle tag", "add the keyword or category Target", func(r *launcherRun) {
		do := cold.Tag("Archived")
		r.supported(do)
		s := r.connect(nil)
		items := r.list(s)
		r.outcomes(r.settle(s, items[:1], do), cold.SettleDone)
		for _, k := range r.h.Contents(r.T, "") {
			if has := len(k.Tags) == 1 && strings.EqualFold(k.Tags[0], "Archived"); has != (subjectOf(k.Data) == "mail 0") {
				r.broke("%s has the tags %q", subjectOf(k.Data), k.Tags)
			}
		}
	}},
	{"settle move", "move to the folder Target, created if missing", func(r *launcherRun) {
		do := cold.MoveTo("Traités")
		r.supported(do)
		s := r.connect(nil)
		items := r.list(s)
		r.outcomes(r.settle(s, items[1:4], do), cold.SettleDone)
		r.wantSubjects("", "mail 0", "mail 4")
		r.wantSubjects("Traités", "mail 1", "mail 2", "mail 3")
		r.outcomes(r.settle(s, items[:1], do), cold.SettleDone) // the folder exists now
		r.wantSubjects("Traités", "mail 0", "mail 1", "mail 2", "mail 3")
	}},
	{"settle delete", "remove for good", func(r *launcherRun) {
		r.supported(cold.Delete())
		s := r.connect(nil)
		items := r.list(s)
		r.outcomes(r.settle(s, items[2:4], cold.Delete()), cold.SettleDone)
		r.wantSubjects("", "mail 0", "mail 1", "mail 4")
	}},
	{"receipts in order", "returns one receipt per item, in the order of items", func(r *launcherRun) {
		r.supported(cold.Delete())
		s := r.connect(nil)
		items := r.list(s)
		r.settle(s, items[1:2], cold.Delete())
		do := cold.Delete()
		for _, other := range []cold.After{cold.MoveTo("Traités"), cold.MarkSeen()} {
			if r.h.Launcher().Supports(other) == nil {
				do = other
			}
		}
		got := r.settle(s, []cold.Item{items[4], items[1], items[0]}, do)
		gone := got[1].Outcome == cold.SettleGone || do.Do == cold.DoDelete && got[1].Outcome == cold.SettleDone
		if got[0].Outcome != cold.SettleDone || !gone || got[2].Outcome != cold.SettleDone {
			r.broke("the receipts are %q, %q, %q", got[0].Outcome, got[1].Outcome, got[2].Outcome)
		}
	}},
	{"idempotent", "It is idempotent: what is already so gives [SettleDone], what is no longer there [SettleGone].", func(r *launcherRun) {
		s := r.connect(nil)
		items := r.list(s)
		for _, do := range []cold.After{cold.MarkSeen(), cold.Tag("Archived"), cold.MoveTo("Traités"), cold.Delete()} {
			if r.h.Launcher().Supports(do) != nil {
				continue
			}
			r.outcomes(r.settle(s, items[:2], do), cold.SettleDone, cold.SettleGone)
			again := r.settle(s, items[:2], do)
			if do.Do == cold.DoSeen || do.Do == cold.DoTag {
				r.outcomes(again, cold.SettleDone)
			} else {
				r.outcomes(again, cold.SettleDone, cold.SettleGone)
			}
		}
		want := []string{"mail 2", "mail 3", "mail 4"}
		if r.h.Launcher().Supports(cold.Delete()) == nil {
			r.wantSubjects("", want...)
		}
		if r.h.Launcher().Supports(cold.MoveTo("Traités")) == nil {
			r.wantSubjects("Traités", "mail 0", "mail 1") // once, though moved twice
		}
	}},
	{"items of an earlier session", "Items may come from an earlier session, read back from the ledger.", func(r *launcherRun) {
		r.supported(cold.MarkSeen())
		items := r.list(r.connect(nil))
		b, err := json.Marshal(items)
		if err != nil {
			r.Fatal(err)
		}
		var back []cold.Item
		if err := json.Unmarshal(b, &back); err != nil {
			r.Fatal(err)
		}
		s := r.connect(nil)
		r.outcomes(r.settle(s, back, cold.MarkSeen()), cold.SettleDone)
		for _, k := range r.h.Contents(r.T, "") {
			if !k.Seen {
				r.broke("%s is not marked", subjectOf(k.Data))
			}
		}
	}},
	{"open items of an earlier session", "Items may come from an earlier session, read back from the ledger.", func(r *launcherRun) {
		b, err := json.Marshal(r.list(r.connect(nil)))
		if err != nil {
			r.Fatal(err)
		}
		var back []cold.Item
		if err := json.Unmarshal(b, &back); err != nil {
			r.Fatal(err)
		}
		if got := r.open(r.connect(nil), back); len(got) != len(back) {
			r.broke("%d of %d came", len(got), len(back))
		}
	}},
	{"no got after open", "got is not called after Open returned.", func(r *launcherRun) {
		s := r.connect(nil)
		var over atomic.Bool
		var late atomic.Int64
		err := s.Open(r.Context(), r.list(s), func(_ cold.Item, c *cold.Content) error {
			if over.Load() {
				late.Add(1)
			}
			return nil
		})
		over.Store(true)
		if err != nil {
			r.Fatalf("Open: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		if n := late.Load(); n > 0 {
			r.broke("it was called %d times", n)
		}
	}},
	{"supports", "nil, or an error of class config that says what it can do", func(r *launcherRun) {
		l := r.h.Launcher()
		if err := l.Supports(cold.Leave()); err != nil {
			r.broke("leave gives %v", err)
		}
		for _, do := range []cold.After{{Do: "burn"}, {Do: cold.DoMove}, {Do: cold.DoTag}} {
			if err := l.Supports(do); !classIs(err, vaguemestre.ClassConfig) {
				r.broke("%q to %q gives %v", do.Do, do.Target, err)
			}
		}
	}},
	{"context", "when ctx ends the call returns within a second, the connection is dropped and later calls fail", func(r *launcherRun) {
		s := r.connect(nil)
		items := r.list(s)
		ctx, cancel := context.WithCancel(r.Context())
		start := time.Now()
		err := s.Open(ctx, items, func(cold.Item, *cold.Content) error {
			if ctx.Err() == nil {
				cancel()
				start = time.Now()
				time.Sleep(20 * time.Millisecond) // whatever else was on its way
			}
			return nil
		})
		cancel()
		if took := time.Since(start); took > time.Second {
			r.broke("Open took %v", took)
		}
		// All may have been on its way already; then the next call must fail.
		if err == nil {
			if _, err = s.List(ctx, ""); err == nil {
				r.broke("List works with a context that ended")
			}
		}
		if !classIs(err, vaguemestre.ClassCanceled) {
			r.broke("the error is %v", err)
		}
		if _, err := s.List(r.Context(), ""); err == nil {
			r.broke("a later List works")
		}
	}},
	{"connect with a context that ended", "ctx bounds Connect alone", func(r *launcherRun) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		if s, err := r.h.Launcher().Connect(ctx, nil); err == nil {
			s.Close()
			r.broke("Connect works with a context that ended")
		}
		ctx, cancel = context.WithCancel(r.Context())
		s, err := r.h.Launcher().Connect(ctx, nil)
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		cancel()
		if _, err := s.List(r.Context(), ""); err != nil {
			r.broke("the session ends with the context of Connect: %v", err)
		}
	}},
	{"close", "Close leaves the source; it never removes anything from it.", func(r *launcherRun) {
		s := r.connect(nil)
		r.open(s, r.list(s))
		if err := s.Close(); err != nil {
			r.Fatalf("Close: %v", err)
		}
		r.wantSubjects("", "mail 0", "mail 1", "mail 2", "mail 3", "mail 4")
		if _, err := s.List(r.Context(), ""); err == nil {
			r.broke("List works after Close")
		}
	}},
}
