package connector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
)

// mustArrive checks that exactly one mail went out, with these files, and that nothing is left
// in Drafts.
func (w *town) mustArrive(t *testing.T, m *router.Message) {
	t.Helper()
	out := w.Outbox()
	if len(out) != 1 {
		t.Fatalf("%d mails went out, want 1", len(out))
	}
	got := attached(t, out[0].Raw)
	if len(got) != len(m.Attachments) {
		t.Fatalf("%d files arrived, want %d", len(got), len(m.Attachments))
	}
	for i, a := range m.Attachments {
		rc, err := a.Open()
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(rc)
		rc.Close()
		if err != nil || !bytes.Equal(got[i], want) {
			t.Errorf("file %d arrived with %d bytes that differ from the %d sent (%v)", i, len(got[i]), len(want), err)
		}
	}
	if n := w.drafts(); n != 0 {
		t.Errorf("%d drafts are left", n)
	}
}

// TestOffice365Sizes: each size takes its way and arrives byte for byte.
func TestOffice365Sizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		sizes []int
		ops   map[string]int // how often each was called
	}{
		{"nothing", nil, map[string]int{"sendMail": 1}},
		{"1 KB", []int{1 << 10}, map[string]int{"sendMail": 1}},
		{"empty", []int{0, 1, 2, 3}, map[string]int{"sendMail": 1}},
		{"2.5 MB", []int{2_500_000}, map[string]int{"sendMail": 1}},
		{"2.9 MB", []int{2_900_000}, map[string]int{"messages.create": 1, "attachments.create": 1, "messages.send": 1}},
		{"3.1 MB", []int{3_100_000}, map[string]int{"messages.create": 1, "attachments.create": 1, "messages.send": 1}},
		{"3.2 MB", []int{3_200_000}, map[string]int{"upload.create": 1, "upload.put": 1, "messages.send": 1}},
		{"many small ones", []int{900_000, 900_000, 900_000, 900_000}, map[string]int{"attachments.create": 4, "messages.send": 1}},
		{"mixed", []int{10, 3 << 20, 1000, rangeSize, rangeSize + 1}, map[string]int{"attachments.create": 2, "upload.create": 3, "upload.put": 4, "messages.send": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			m := letterOf("taille@mondaine.fr", c.sizes...)
			rc, err := w.connector().SendMail(t.Context(), m)
			if err != nil || rc.State != router.Accepted || rc.Recipients[0].Code != "202" || rc.Ref == "" {
				t.Fatalf("%+v, %v", rc, err)
			}
			w.mustArrive(t, m)
			for _, op := range []string{"sendMail", "messages.create", "attachments.create", "upload.create", "upload.put", "messages.send"} {
				if got := w.Count(op); got != c.ops[op] && (c.ops[op] != 0 || op == "sendMail" || op == "attachments.create") {
					t.Errorf("%s was called %d times, want %d", op, got, c.ops[op])
				}
			}
			if w.Over() != 0 {
				t.Errorf("%d requests came above the budget", w.Over())
			}
		})
	}
}

// TestOffice365TooLarge: what cannot fit is refused before anything is asked.
func TestOffice365TooLarge(t *testing.T) {
	t.Parallel()
	w := newTown(t, nil)
	blow := func(n int64) router.Attachment {
		return router.Attachment{Name: "gros.zip", Size: n, Open: func() (io.ReadCloser, error) { t.Error("it was opened"); return nil, io.EOF }}
	}
	for name, m := range map[string]*router.Message{
		"one file":  {Attachments: []router.Attachment{blow(150<<20 + 1)}},
		"the sum":   {Attachments: []router.Attachment{blow(80 << 20), blow(80 << 20)}},
		"the text":  {Text: strings.Repeat("é", 2_000_000)},
		"a header":  {Text: "x", Headers: map[string]string{"List-Id": "<a.mondaine.fr>"}, Attachments: []router.Attachment{blow(3_000_000)}},
		"x-headers": {Text: "x", Headers: map[string]string{"X-A": "1", "X-B": "2", "X-C": "3", "X-D": "4", "X-E": "5", "X-F": "6"}, Attachments: []router.Attachment{blow(3_000_000)}},
		"envelope":  {Text: "x", Envelope: []string{"autre@example.org"}},
	} {
		m.To = []string{"destinataire@example.org"}
		rc, err := w.connector().SendMail(t.Context(), m)
		if rc != nil || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
			t.Errorf("%s: got %+v, %v", name, rc, err)
		}
		if name == "a header" && !strings.Contains(err.Error(), "List-Id") || name == "x-headers" && !strings.Contains(err.Error(), "X-F") {
			t.Errorf("%s: the header is not named: %v", name, err)
		}
	}
	if n := len(w.Calls()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// TestOffice365DraftDoubt: 504 after a draft was accepted never gives a second mail.
func TestOffice365DraftDoubt(t *testing.T) {
	t.Parallel()
	const tries = 1000
	w := newTown(t, nil)
	var doubts atomic.Int64
	w.Script(func(c *graphtest.Call) *graphtest.Reply {
		if c.Op != "messages.send" {
			return nil
		}
		doubts.Add(1)
		switch c.N % 3 {
		case 0:
			return &graphtest.Reply{After: true, Status: 504}
		case 1:
			return &graphtest.Reply{After: true, Drop: true}
		}
		return &graphtest.Reply{After: true, Status: 502, Body: []byte("<html>Bad gateway</html>")}
	})
	o := w.connector()
	work := make(chan int)
	done := make(chan error)
	for range 4 {
		go func() {
			for i := range work {
				m := letterOf(fmt.Sprintf("doute.%d@mondaine.fr", i))
				rc, err := drafted(t.Context(), o, m)
				if err == nil && (rc.State != router.Accepted || rc.MessageID != m.MessageID) {
					err = fmt.Errorf("the receipt is %+v", rc)
				}
				done <- err
			}
		}()
	}
	go func() {
		for i := range tries {
			work <- i
		}
		close(work)
	}()
	for range tries {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	for _, m := range w.Outbox() {
		seen[m.MessageID]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s went out %d times", id, n)
		}
	}
	if len(seen) != tries || doubts.Load() != tries || w.drafts() != 0 {
		t.Errorf("%d mails went out after %d ambiguous answers, want %d; %d drafts are left", len(seen), doubts.Load(), tries, w.drafts())
	}
}

// TestOffice365SlowOutbox: what is accepted and stands in Drafts, then nowhere, for a while is
// not sent again.
func TestOffice365SlowOutbox(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var passed atomic.Int64
	w := newTown(t, &graphtest.Options{SendDelay: 6 * time.Second, Now: func() time.Time { return now.Add(time.Duration(passed.Load())) }})
	w.Script(func(c *graphtest.Call) *graphtest.Reply {
		if c.Op == "messages.send" {
			return &graphtest.Reply{After: true, Status: 504}
		}
		return nil
	})
	o := w.connector()
	o.sleep = func(ctx context.Context, d time.Duration) error { passed.Add(int64(d)); return ctx.Err() }
	m := letterOf("lent@mondaine.fr", 3<<20)
	if rc, err := o.SendMail(t.Context(), m); err != nil || rc.State != router.Accepted {
		t.Fatalf("%+v, %v", rc, err)
	}
	passed.Add(int64(time.Minute))
	w.mustArrive(t, m)
	if n := w.Count("messages.send"); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

// TestOffice365PlainDoubt: a single request that nobody answered is looked for, and only then
// in doubt; it is not made again.
func TestOffice365PlainDoubt(t *testing.T) {
	t.Parallel()
	no := false
	for _, c := range []struct {
		name   string
		reply  graphtest.Reply
		change func(*Office365)
		want   router.State
		mails  int
	}{
		{"504 and sent", graphtest.Reply{After: true, Status: 504}, nil, router.Accepted, 1},
		{"cut off and sent", graphtest.Reply{After: true, Drop: true}, nil, router.Accepted, 1},
		{"504 and not sent", graphtest.Reply{Status: 504}, nil, router.InDoubt, 0},
		{"502 page and not sent", graphtest.Reply{Status: 502, Body: []byte("<html>")}, nil, router.InDoubt, 0},
		{"cut off and not sent", graphtest.Reply{Drop: true}, nil, router.InDoubt, 0},
		{"sent without a copy", graphtest.Reply{After: true, Status: 504}, func(o *Office365) { o.SaveToSentItems = &no }, router.InDoubt, 1},
		{"503 with Retry-After, every time", graphtest.Reply{Status: 503, RetryAfter: "3"}, nil, router.Deferred, 0},
		{"429, every time", graphtest.Reply{Status: 429, RetryAfter: "700"}, nil, router.Deferred, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			w.Script(func(call *graphtest.Call) *graphtest.Reply {
				if call.Op == "sendMail" {
					r := c.reply
					return &r
				}
				return nil
			})
			o := w.connector()
			if c.change != nil {
				c.change(o)
			}
			m := letterOf("simple@mondaine.fr")
			rc, err := o.SendMail(t.Context(), m)
			if rc == nil || rc.State != c.want || len(rc.Recipients) != 1 || rc.Recipients[0].State != c.want {
				t.Fatalf("got %+v, %v, want %s", rc, err, c.want)
			}
			if len(w.Outbox()) != c.mails {
				t.Errorf("%d mails went out, want %d", len(w.Outbox()), c.mails)
			}
			if c.want == router.InDoubt && (w.Count("sendMail") != 1 || vaguemestre.ClassOf(err) != vaguemestre.ClassInDoubt) {
				t.Errorf("%d requests, %v", w.Count("sendMail"), err)
			}
			if c.reply.RetryAfter == "700" && err.(*vaguemestre.Error).RetryAfter != 700*time.Second {
				t.Errorf("got %#v", err)
			}
			if c.want == router.InDoubt {
				if slept := time.Duration(w.slept.Load()); o.saves() && slept != 10*time.Second {
					t.Errorf("looked for it during %v, want 10 s", slept)
				}
				w.Script(nil)
				want := router.InDoubt
				if st, err := o.ResolveMail(t.Context(), m); err != nil || st != want {
					t.Errorf("ResolveMail says %s, %v", st, err)
				}
			} else if c.want == router.Accepted {
				if st, err := o.ResolveMail(t.Context(), m); err != nil || st != router.Accepted {
					t.Errorf("ResolveMail says %s, %v", st, err)
				}
			}
		})
	}
}

// TestOffice365Resolve: a draft that was left behind can be sent no more.
func TestOffice365Resolve(t *testing.T) {
	t.Parallel()
	w := newTown(t, nil)
	w.Script(func(c *graphtest.Call) *graphtest.Reply {
		if c.Op == "messages.delete" || c.Op == "messages.send" && c.N == 1 { // the program "dies" before it
			return &graphtest.Reply{Status: 403}
		}
		return nil
	})
	o := w.connector()
	m := letterOf("reste@mondaine.fr", 3<<20)
	rc, err := o.SendMail(t.Context(), m)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || rc.State != router.Deferred || w.drafts() != 1 || !strings.Contains(strings.Join(rc.Notes, " "), "Drafts") {
		t.Fatalf("%+v, %v, %d drafts", rc, err, w.drafts())
	}
	w.Script(nil)
	if st, err := o.ResolveMail(t.Context(), m); err != nil || st != router.Deferred || w.drafts() != 0 {
		t.Errorf("ResolveMail says %s, %v; %d drafts are left", st, err, w.drafts())
	}
	if rc, err := o.SendMail(t.Context(), m); err != nil || rc.State != router.Accepted {
		t.Errorf("%+v, %v", rc, err)
	}
	if st, err := o.ResolveMail(t.Context(), m); err != nil || st != router.Accepted {
		t.Errorf("ResolveMail says %s, %v", st, err)
	}
	if st, err := o.ResolveMail(t.Context(), letterOf("autre@mondaine.fr")); err != nil || st != router.InDoubt {
		t.Errorf("ResolveMail says %s, %v of what nobody knows", st, err)
	}
	w.mustArrive(t, m)
}

// TestOffice365ContextEnds: a draft is deleted and SendMail returns within a second, wherever
// ctx ends.
func TestOffice365ContextEnds(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"messages.create", "attachments.create", "upload.create", "upload.put", "messages.send", "sendMail"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			var ended time.Time
			w.Script(func(c *graphtest.Call) *graphtest.Reply {
				if c.Op == op && c.N == 1 {
					ended = time.Now()
					cancel()
					return &graphtest.Reply{Hang: true}
				}
				return nil
			})
			m := letterOf("fin@mondaine.fr")
			if op != "sendMail" {
				m = letterOf("fin@mondaine.fr", 100, 3<<20, 9<<20)
			}
			rc, err := w.connector().SendMail(ctx, m)
			if took := time.Since(ended); took > time.Second {
				t.Errorf("returned after %v", took)
			}
			want := router.Deferred
			if op == "messages.send" || op == "sendMail" {
				want = router.InDoubt
			}
			if rc == nil || rc.State != want || err == nil || len(w.Outbox()) != 0 {
				t.Errorf("%+v, %v; %d mails went out", rc, err, len(w.Outbox()))
			}
			if n := w.drafts(); n != 0 && op != "messages.send" {
				t.Errorf("%d drafts are left", n)
			}
		})
	}
}

// TestOffice365BadFile: a file that is not what it says sends nothing and leaves no draft.
func TestOffice365BadFile(t *testing.T) {
	t.Parallel()
	const size = 5 << 20
	for name, open := range map[string]func() (io.ReadCloser, error){
		"gone":    func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe },
		"shorter": func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, size-1))), nil },
		"longer":  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, size+1))), nil },
	} {
		for _, small := range []bool{true, false} {
			w := newTown(t, nil)
			m := letterOf("fichier@mondaine.fr", 2_500_000)
			n := int64(size)
			if small {
				n = 1 << 20
				m.Attachments[0] = router.Bytes("a", "", nil)
			}
			m.Attachments = append(m.Attachments, router.Attachment{Name: "b.bin", Size: n, Open: func() (io.ReadCloser, error) {
				rc, err := open()
				if err == nil && small {
					b, _ := io.ReadAll(rc)
					rc = io.NopCloser(bytes.NewReader(b[size-1<<20:]))
				}
				return rc, err
			}})
			rc, err := w.connector().SendMail(t.Context(), m)
			if vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || rc != nil && rc.State != router.Deferred || !strings.Contains(err.Error(), "b.bin") {
				t.Errorf("%s, small=%v: %+v, %v", name, small, rc, err)
			}
			if len(w.Outbox()) != 0 || w.drafts() != 0 {
				t.Errorf("%s, small=%v: %d mails went out, %d drafts are left", name, small, len(w.Outbox()), w.drafts())
			}
		}
	}
}

// stream is content that can only be read from its beginning to its end: going back means
// opening it anew.
func stream(n int) router.Attachment {
	return router.Attachment{Name: "flux.bin", Size: -1, Open: func() (io.ReadCloser, error) { return io.NopCloser(io.MultiReader(bytes.NewReader(grain(n)))), nil }}
}

// TestOffice365Sessions: whatever befalls an upload session, the file arrives whole and once.
func TestOffice365Sessions(t *testing.T) {
	t.Parallel()
	put := func(n int, r graphtest.Reply) func(*graphtest.Call) *graphtest.Reply {
		return func(c *graphtest.Call) *graphtest.Reply {
			if c.Op == "upload.put" && c.N == n {
				return &r
			}
			return nil
		}
	}
	for name, script := range map[string]func(*graphtest.Call) *graphtest.Reply{
		"calm":                       func(*graphtest.Call) *graphtest.Reply { return nil },
		"first range refused once":   put(1, graphtest.Reply{Status: 503}),
		"throttled":                  put(2, graphtest.Reply{Status: 429, RetryAfter: "5"}),
		"cut before":                 put(2, graphtest.Reply{Drop: true}),
		"cut after":                  put(2, graphtest.Reply{Drop: true, After: true}),
		"first cut after":            put(1, graphtest.Reply{Drop: true, After: true}),
		"504 after":                  put(2, graphtest.Reply{Status: 504, After: true}),
		"last cut after":             put(3, graphtest.Reply{Drop: true, After: true}),
		"last 504 after":             put(3, graphtest.Reply{Status: 504, After: true}),
		"last answered 200":          put(3, graphtest.Reply{Status: 200, Body: []byte("{}"), After: true}),
		"range form N-M":             put(1, graphtest.Reply{Status: 200, Body: []byte(`{"NextExpectedRanges":["3932160-9999999"]}`), After: true}),
		"range form N-":              put(1, graphtest.Reply{Status: 202, Body: []byte(`{"nextexpectedranges":["3932160-"]}`), After: true}),
		"no ranges told":             put(1, graphtest.Reply{Status: 200, Body: []byte(`{}`), After: true}),
		"half an answer":             put(1, graphtest.Reply{Status: 200, Body: []byte(`{"next`), After: true}),
		"session expired":            put(2, graphtest.Reply{Status: 404}),
		"session expired, 401":       put(2, graphtest.Reply{Status: 401}),
		"session gone":               put(3, graphtest.Reply{Status: 410}),
		"order refused":              put(2, graphtest.Reply{Status: 416}),
		"order refused with a range": put(2, graphtest.Reply{Status: 416, Body: []byte(`{"nextExpectedRanges":["3932160"]}`)}),
		"back to the beginning": func(c *graphtest.Call) *graphtest.Reply {
			if c.Op == "upload.put" && c.N == 2 {
				return &graphtest.Reply{Status: 416, Body: []byte(`{"nextExpectedRanges":["0-"]}`)}
			}
			return nil
		},
		"creation 504 after": func(c *graphtest.Call) *graphtest.Reply {
			if c.Op == "upload.create" && c.N == 1 {
				return &graphtest.Reply{Status: 504, After: true}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			w.Script(script)
			m := letterOf("session@mondaine.fr", 10)
			m.Attachments = append(m.Attachments, stream(2*rangeSize+1000)) // three ranges
			rc, err := w.connector().SendMail(t.Context(), m)
			if err != nil || rc.State != router.Accepted {
				t.Fatalf("%+v, %v", rc, err)
			}
			w.mustArrive(t, m)
			for _, c := range w.Calls() {
				if c.Upload && (c.Header.Get("Authorization") != "" || c.Size > 4<<20) {
					t.Errorf("upload of %d bytes with Authorization %q", c.Size, c.Header.Get("Authorization"))
				}
			}
		})
	}
}

func TestRangeForms(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]int64{"0": 0, "0-": 0, " 12-34 ": 12, "2097152": 2097152, "": -1, "-": -1, "-5": -1, "x": -1, "99999999999999999999": -1} {
		got, ok := ranges{[]string{form, "7-"}}.first()
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q begins at %d, want %d", form, got, want)
		}
	}
	if _, ok := (ranges{}).first(); ok {
		t.Error("no range begins somewhere")
	}
}
