package launcher

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
)

// contents lists what was brought, sorted.
func (k popTaken) contents() []string {
	var out []string
	for _, raw := range k.whole {
		out = append(out, raw)
	}
	slices.Sort(out)
	return out
}

// Every mail gets a key of its own that stays the same in the next session, whatever the
// server's ids are worth; identical copies are one item, and are deleted together.
func TestPOP3Names(t *testing.T) {
	t.Parallel()
	mail := func(id, subject, body string) *popFake {
		return &popFake{id, "Subject: " + subject + "\r\n\r\n" + body + "\r\n"}
	}
	long := strings.Repeat("L", 900)
	for name, c := range map[string]struct {
		mails []*popFake
		items int
		by    string // how the first is named
	}{
		"good ids":             {[]*popFake{mail("0000000a", "a", "x"), mail("0000000b", "b", "x")}, 2, "0000000a"},
		"odd characters":       {[]*popFake{mail("a/b?c;d%e@", "a", "x"), mail("é\"<>\\é...", "b", "x")}, 2, "%3Bd%25e%40"},
		"over-long ids":        {[]*popFake{mail(long+"1", "a", "x"), mail(long+"2", "b", "x")}, 2, "/"},
		"short ids":            {[]*popFake{mail("a7", "a", "x"), mail("b", "b", "x")}, 2, "a7;size="},
		"message numbers":      {[]*popFake{mail("1", "a", "x"), mail("2", "b", "x")}, 2, "/;header="},
		"duplicate ids":        {[]*popFake{mail("0000000a", "a", "x"), mail("0000000a", "b", "x"), mail("0000000c", "c", "x")}, 3, "0000000a;header="},
		"same header":          {[]*popFake{mail("0000000a", "a", "x"), mail("0000000a", "a", "y")}, 2, ";body="},
		"copies with one id":   {[]*popFake{mail("0000000a", "a", "x"), mail("0000000a", "a", "x")}, 1, ";body="},
		"no ids":               {[]*popFake{mail("", "a", "x"), mail("", "b", "x")}, 2, "/;header="},
		"some without":         {[]*popFake{mail("0000000a", "a", "x"), mail("", "b", "x")}, 2, "0000000a"},
		"empty mail and no id": {[]*popFake{{"", ""}, mail("", "b", "x")}, 2, ";header="},
	} {
		for _, caps := range [][]string{nil, {"TOP", "UIDL", "PIPELINING"}} {
			for _, noTop := range []bool{false, true} {
				srv := &popServer{caps: caps, mails: c.mails, noTop: noTop}
				l := srv.start(t)
				a, err := popCollect(t, l)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				b, _ := popCollect(t, l)
				keys := map[string]bool{}
				for i, it := range a.items {
					keys[it.Key] = true
					if it.Key != b.items[i].Key || it.Epoch != b.items[i].Epoch || !strings.HasPrefix(it.Key, "pop3://alice@127.0.0.1:") || len(it.Key) > 300 {
						t.Errorf("%s: %q, then %q", name, it.Key, b.items[i].Key)
					}
				}
				if len(keys) != c.items || len(a.items) != c.items || !strings.Contains(a.items[0].Key, c.by) {
					t.Errorf("%s: %+v", name, a.items)
				}
				want := map[string]bool{}
				for _, m := range c.mails {
					want[m.raw] = true
				}
				if len(a.whole) != c.items || len(a.contents()) != len(want) {
					t.Errorf("%s: %d came", name, len(a.whole))
				}
				rs, err := popDelete(t, l)
				if err != nil || outcomes(rs) != fmt.Sprintf("map[done:%d]", c.items) || len(srv.subjects()) != 0 {
					t.Errorf("%s: %v, %v, left %q", name, outcomes(rs), err, srv.subjects())
				}
			}
		}
	}
}

// An id that is given to another mail makes it another item: short ids for ever, long ones as
// long as the launcher lives.
func TestPOP3ReusedIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"x", "id-long-enough"} {
		srv := &popServer{mails: []*popFake{{id, "Subject: first\r\n\r\none\r\n"}}}
		l := srv.start(t)
		first, _ := popCollect(t, l)
		if rs, err := popDelete(t, l); err != nil || outcomes(rs) != "map[done:1]" {
			t.Fatal(rs, err)
		}
		srv.put(&popFake{id, "Subject: second\r\n\r\nanother\r\n"})
		second, err := popCollect(t, l)
		if err != nil || len(second.items) != 1 || second.items[0].Key == first.items[0].Key {
			t.Errorf("%s: %+v, then %+v, %v", id, first.items, second.items, err)
		}
		// What was handed over and has this id is not there: the other stays.
		s, _ := l.Connect(t.Context(), nil)
		rs, err := s.Settle(t.Context(), first.items, cold.Delete())
		s.Close()
		if err != nil || outcomes(rs) != "map[gone:1]" || len(srv.subjects()) != 1 {
			t.Errorf("%s: %v, %v, left %q", id, outcomes(rs), err, srv.subjects())
		}
	}
	// A launcher that does not remember sees that the size is another, and deletes nothing.
	srv := &popServer{mails: []*popFake{{"id-long-enough", "Subject: first\r\n\r\none\r\n"}}}
	l := srv.start(t)
	first, _ := popCollect(t, l)
	srv.put(&popFake{"id-long-enough", "Subject: second\r\n\r\nanother\r\n"})
	s, _ := l.Connect(t.Context(), nil)
	defer s.Close()
	if rs, err := s.Settle(t.Context(), first.items, cold.Delete()); err != nil || outcomes(rs) != "map[unknown:1]" || len(srv.subjects()) != 1 {
		t.Errorf("%v, %v, left %q", outcomes(rs), err, srv.subjects())
	}
}

// What servers write into headers themselves changes no name.
func TestPOP3HeaderNames(t *testing.T) {
	t.Parallel()
	a := hashHeader([]byte("Subject: x\r\nFrom: a"))
	if b := hashHeader([]byte("Subject: x\r\nX-UIDL: 17\r\nFrom: a\r\nStatus: RO\r\n")); a != b {
		t.Error("Status and X-UIDL change the name")
	}
	if b := hashHeader([]byte("Subject: x\r\nFrom: b")); a == b {
		t.Error("From does not change the name")
	}
}

// A job goes on where the naming changes: nothing is handed over twice, and nothing is lost.
func TestPOP3NamingMayChange(t *testing.T) {
	t.Parallel()
	mail := func(i int) *popFake {
		return &popFake{"0000000a", fmt.Sprintf("Message-ID: <m%d@example.org>\r\nContent-Type: application/pdf; name=f%d.pdf\r\nContent-Disposition: attachment; filename=f%d.pdf\r\n\r\nf%d\r\n", i, i, i, i)}
	}
	srv := &popServer{mails: []*popFake{mail(1)}}
	l := srv.start(t)
	l.MinInterval = time.Millisecond // the least that settings allow
	var got []string
	job := &cold.Job{Name: "j", Launcher: l, Ledger: cold.NewMemoryLedger(), Sink: cold.SinkFunc(func(_ context.Context, d *cold.Document) error {
		got = append(got, d.Name)
		return nil
	})}
	for _, now := range [][]*popFake{{mail(1)}, {mail(1), mail(2)}, {mail(2)}, {mail(2), mail(3)}} {
		srv.put(now...)
		time.Sleep(2 * time.Millisecond)
		if _, err := job.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if slices.Sort(got); !slices.Equal(got, []string{"f1.pdf", "f2.pdf", "f3.pdf"}) {
		t.Errorf("%q", got)
	}
}

// Many pages give each mail once, though the mailbox shrinks between them.
func TestPOP3Pages(t *testing.T) {
	t.Parallel()
	srv := &popServer{caps: popCaps, mails: popMails(2*popPage + 3)}
	l := srv.start(t)
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen := map[string]bool{}
	for cursor := ""; ; {
		page, err := s.List(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			if seen[it.Key] {
				t.Fatalf("%s twice", it.Key)
			}
			seen[it.Key] = true
		}
		if _, err := s.Settle(t.Context(), page.Items[:1], cold.Delete()); err != nil {
			t.Fatal(err)
		}
		if cursor = page.Cursor; !page.More {
			break
		}
	}
	if len(seen) != 2*popPage+3 {
		t.Errorf("%d items", len(seen))
	}
}

// A mail that has the id, and by chance the size, of one that was deleted is another item: it
// is collected, and only then deleted. So is one without an id whose header says nothing that
// is its own, as scanners and fax gateways send them.
func TestPOP3SameSizeIsNotTheSameMail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, head string }{
		"same id":   {"id-long-enough", "Message-ID: <%s@example.org>\r\n"},
		"short id":  {"x7", "Message-ID: <%s@example.org>\r\n"},
		"no id":     {"", ""},
		"a counter": {"1", ""},
	} {
		mail := func(text string) *popFake {
			return &popFake{c.id, strings.ReplaceAll(c.head, "%s", text) + "Subject: Scan\r\nContent-Type: application/pdf; name=scan.pdf\r\nContent-Disposition: attachment; filename=scan.pdf\r\n\r\n" + text + "\r\n"}
		}
		srv := &popServer{}
		l := srv.start(t)
		l.MinInterval = time.Millisecond
		var got []string
		job := &cold.Job{Name: "j", Launcher: l, Ledger: cold.NewMemoryLedger(), After: cold.Delete(), Sink: cold.SinkFunc(func(_ context.Context, d *cold.Document) error {
			r, err := d.Open()
			if err != nil {
				return err
			}
			text, err := readAll(r)
			got = append(got, strings.TrimSpace(text))
			return err
		})}
		for _, text := range []string{"one", "two", "new"} {
			srv.put(mail(text))
			time.Sleep(2 * time.Millisecond)
			if _, err := job.Run(t.Context()); err != nil {
				t.Fatal(name, err)
			}
			if left := srv.subjects(); len(left) != 0 {
				t.Errorf("%s: %q is left", name, left)
			}
		}
		if !slices.Equal(got, []string{"one", "two", "new"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
