package launcher

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
)

// opened is what Open gave for one item.
type opened struct {
	data      []byte
	err       error // of the content or of its body
	confirmed bool
}

func (o *opened) String() string {
	if o == nil {
		return "nothing"
	}
	return fmt.Sprintf("%d bytes, %v, confirmed: %v", len(o.data), o.err, o.confirmed)
}

func openEach(t testing.TB, s cold.Session, items []cold.Item) (map[string]*opened, error) {
	t.Helper()
	out := map[string]*opened{}
	err := s.Open(t.Context(), items, func(it cold.Item, c *cold.Content) error {
		switch {
		case c == nil:
			out[it.Key].confirmed = true
		case out[it.Key] != nil:
			t.Errorf("%s came twice", it.Key)
		case c.Err != nil:
			out[it.Key] = &opened{err: c.Err}
		default:
			b, err := io.ReadAll(c.Body)
			if err == nil && c.Size >= 0 && c.Size != int64(len(b)) {
				t.Errorf("%s: Size is %d, the body has %d", it.Key, c.Size, len(b))
			}
			out[it.Key] = &opened{data: b, err: err}
		}
		return nil
	})
	return out, err
}

// large is a mail of about n bytes, of content that is nowhere the same.
func large(id, n int) []byte {
	b := fmt.Appendf(nil, "From: f@example.org\r\nTo: compta@mondaine.fr\r\nSubject: Grand %d\r\nMessage-ID: <grand-%d@example.org>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"grand-%d.pdf\"\r\n\r\n", id, id, id)
	random := make([]byte, max(n-len(b), 0)*3/4)
	_, _ = rand.NewChaCha8([32]byte{byte(id)}).Read(random) // it never fails
	for text := base64.StdEncoding.AppendEncode(nil, random); len(text) > 0; {
		line := text[:min(len(text), 4000)]
		text = text[len(line):]
		b = append(append(b, line...), "\r\n"...)
	}
	return b
}

func TestOffice365BringsLargeMailsWhole(t *testing.T) {
	t.Parallel()
	c := startCloud(t, &graphtest.Options{Latency: 5 * time.Millisecond})
	box, l := c.mailbox("large")
	want := map[string][]byte{}
	var raws [][]byte
	for i := range 24 {
		raw := invoice(i)
		if i%3 == 0 {
			raw = large(i, 1<<20+i*100_000)
		}
		raws = append(raws, raw)
	}
	s := connect(t, l)
	for i, id := range box.DeliverAll("inbox", raws) {
		want[s.key(id)] = raws[i]
	}
	items, _ := listAll(t, s, "")
	got, err := openEach(t, s, items)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d of %d, %v", len(got), len(want), err)
	}
	for key, o := range got {
		if !bytes.Equal(o.data, want[key]) || o.err != nil || !o.confirmed {
			t.Errorf("%s: %d of %d bytes, %v, confirmed: %v", key, len(o.data), len(want[key]), o.err, o.confirmed)
		}
	}
	if c.Peak() > 4 || c.Over() > 0 {
		t.Errorf("%d requests at once, %d beyond the budget", c.Peak(), c.Over())
	}
	if c.Peak() < 2 {
		t.Errorf("at most %d requests at once: nothing is fetched in parallel", c.Peak())
	}
}

func TestOffice365DoesNotHoldTheBudgetWhileTheSinkIsSlow(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("slow")
	var raws [][]byte
	for i := range 6 {
		raws = append(raws, large(i, 3<<20))
	}
	box.DeliverAll("inbox", raws)
	s := connect(t, l)
	s.waits = 50 * time.Millisecond
	items, _ := listAll(t, s, "")
	n := 0
	err := s.Open(t.Context(), items, func(it cold.Item, content *cold.Content) error {
		if content == nil {
			return nil
		}
		if n++; n == 1 { // all the others wait to be heard now; somebody else on the mailbox must get through
			time.Sleep(4 * s.waits)
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				_, err := l.Connect(ctx, nil)
				cancel()
				if err != nil {
					t.Errorf("another session on the mailbox: %v", err)
				}
			}
		}
		b, err := io.ReadAll(content.Body)
		if err != nil || len(b) < 2<<20 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		return nil
	})
	if err != nil || n != 6 {
		t.Errorf("%d of 6, %v", n, err)
	}
}

// cut ends the answers to $value after so many bytes, the first n of each message.
func cut(after, n int) func(*graphtest.Call) *graphtest.Reply {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(call *graphtest.Call) *graphtest.Reply {
		if call.Op != "messages.value" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[call.Path]++; seen[call.Path] > n {
			return nil
		}
		return &graphtest.Reply{Cut: after}
	}
}

func TestOffice365GoesOnWhereABodyBrokeOff(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, tt := range []struct {
		size, after, times int
	}{{2_000, 700, 1}, {3 << 20, 2 << 20, 1}, {4 << 20, 3 << 20, 2}, {3 << 20, 1<<20 + 1, 2}, {1<<20 + 1, 1 << 20, 1}} {
		box, l := c.mailbox(fmt.Sprintf("cut%d-%d-%d", tt.size, tt.after, tt.times))
		raw := large(1, tt.size)
		box.Deliver("inbox", raw)
		c.script(l.address(), cut(tt.after, tt.times))
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		got, err := openEach(t, s, items)
		if err != nil || len(got) != 1 {
			t.Fatalf("%v: %d came, %v", tt, len(got), err)
		}
		if o := got[items[0].Key]; o.err != nil || !bytes.Equal(o.data, raw) || !o.confirmed {
			t.Errorf("%v: %d of %d bytes, %v", tt, len(o.data), len(raw), o.err)
		}
	}
}

func TestOffice365NeverTakesACutBodyForWhole(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, size := range []int{2_000, 3 << 20} {
		box, l := c.mailbox(fmt.Sprint("always", size))
		id := box.Deliver("inbox", large(1, size))
		box.DeliverAll("inbox", invoices(3))
		always := cut(size/2, 1000)
		c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
			if strings.Contains(call.Path, id) {
				return always(call)
			}
			return nil
		})
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		got, err := openEach(t, s, items)
		o := got[s.key(id)]
		if o == nil || o.confirmed || vaguemestre.ClassOf(o.err) != vaguemestre.ClassPoison {
			t.Errorf("%d: %v", size, o)
		}
		if err != nil {
			t.Errorf("%d: the others wait for it: %v", size, err)
		}
		for _, it := range items {
			if it.Key != s.key(id) && (got[it.Key] == nil || !got[it.Key].confirmed) {
				t.Errorf("%d: %s did not come", size, it.Key)
			}
		}
	}
}

func TestOffice365DoesNotGoOnWithOtherBytes(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("rewritten")
	box.Deliver("inbox", large(1, 3<<20))
	n := 0
	c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
		if call.Op != "messages.value" {
			return nil
		}
		if n++; n == 1 {
			return &graphtest.Reply{Cut: 2 << 20}
		}
		return &graphtest.Reply{Status: 200, Body: large(2, 3<<20)}
	})
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	got, err := openEach(t, s, items)
	if o := got[items[0].Key]; o == nil || o.err == nil || o.confirmed {
		t.Errorf("%v, %v", o, err)
	}
}

func TestOffice365OpensOnlyWhatLiesInTheFolder(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("moved")
	ids := box.DeliverAll("inbox", invoices(4))
	items, _ := listAll(t, connect(t, l), "")
	box.Move(ids[0], "archive")
	box.Move(ids[1], "deleteditems")
	box.Remove(ids[2])
	s := connect(t, l) // they come out of the ledger
	spoilt := cold.Item{Key: s.key("no such id")}
	got, err := openEach(t, s, append(items, spoilt, cold.Item{Key: "graph://elsewhere/x/y"}))
	if err != nil || len(got) != 2 || got[s.key(ids[3])] == nil || vaguemestre.ClassOf(got[spoilt.Key].err) != vaguemestre.ClassPoison {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOffice365EndsWithGot(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("got")
	var raws [][]byte
	for i := range 30 {
		raws = append(raws, large(i, 1<<20*(i%10/8)+1000))
	}
	box.DeliverAll("inbox", raws)
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	before := runtime.NumGoroutine()
	stop := errors.New("stop")
	for _, after := range []int{1, 7, 20} {
		n := 0
		err := s.Open(t.Context(), items, func(cold.Item, *cold.Content) error {
			if n++; n == after {
				return stop
			}
			return nil
		})
		if err != stop || n != after {
			t.Errorf("%d calls, %v", n, err)
		}
	}
	for i := 0; runtime.NumGoroutine() > before+40; i++ { // of parallel tests, too
		if i > 50 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got, err := openEach(t, s, items); err != nil || len(got) != 30 {
		t.Errorf("the session cannot go on: %d, %v", len(got), err)
	}
}

func TestOffice365LeavesWithinASecond(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, op := range []string{"messages.value", "messages.delta", "messages.get", "messages.move"} {
		box, l := c.mailbox("hang" + op)
		box.DeliverAll("inbox", invoices(6))
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
			if call.Op == op {
				return &graphtest.Reply{Hang: true}
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		var at time.Time
		timer := time.AfterFunc(200*time.Millisecond, func() { at = time.Now(); cancel() })
		var err error
		switch op {
		case "messages.value":
			err = s.Open(ctx, items, func(cold.Item, *cold.Content) error { return nil })
		case "messages.delta":
			_, err = s.List(ctx, "")
		default:
			_, err = s.Settle(ctx, items, cold.MoveTo("Traités"))
		}
		timer.Stop()
		cancel()
		if took := time.Since(at); took > time.Second || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
			t.Errorf("%s: %v after the end, %v", op, took, err)
		}
		if _, err := s.List(t.Context(), ""); err == nil {
			t.Errorf("%s: the session goes on", op)
		}
	}
}

// compound is a mail with attachments of every kind that a mail can carry.
func compound(id int, with string) []byte {
	pdf := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0, 1, 2, 0xff, '\r', '\n', 13}, 9_000))
	var wrapped strings.Builder
	for len(pdf) > 76 {
		wrapped.WriteString(pdf[:76] + "\r\n")
		pdf = pdf[76:]
	}
	wrapped.WriteString(pdf + "\r\n")
	var b strings.Builder
	fmt.Fprintf(&b, "From: =?utf-8?q?Ren=C3=A9e?= <renee@example.org>\r\nTo: compta@mondaine.fr\r\nSubject: =?utf-8?q?=C3=89t=C3=A9?= %d\r\nMessage-ID: <compound-%d@example.org>\r\n"+
		"Date: Mon, 05 Jan 2026 08:00:00 +0100\r\nX-Origin: scanner\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n", id, id)
	b.WriteString("--outer\r\nContent-Type: multipart/related; boundary=rel\r\n\r\n--rel\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Voil\xc3\xa0 <img src=\"cid:logo@1\"></p>\r\n")
	b.WriteString("--rel\r\nContent-Type: image/png; name=logo.png\r\nContent-Disposition: inline; filename=logo.png\r\nContent-ID: <logo@1>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--rel--\r\n")
	if strings.Contains(with, "file") {
		b.WriteString("--outer\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''Re%C3%A7u%20n%C2%B0%201%20%28%C3%A9t%C3%A9%29%20avec%20un%20nom%20qui%20ne%20finit%20pas%20de%20se%20prolonger%20encore%20et%20encore.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + wrapped.String())
		b.WriteString("--outer\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Disposition: attachment; filename=\"a \\\"b\\\".txt\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\nsigned \xe9t\xe9\r\n")
		b.WriteString("--outer\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=empty.bin\r\n\r\n\r\n")
	}
	if strings.Contains(with, "item") {
		b.WriteString("--outer\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=\"Transfert.eml\"\r\n\r\n")
		b.Write(invoice(7700 + id))
	}
	b.WriteString("--outer--\r\n")
	return []byte(b.String())
}

// documents runs a job on one launcher and returns the documents by name.
func documents(t *testing.T, l cold.Launcher, take cold.Take) map[string]string {
	t.Helper()
	sink := &counted{}
	j := sink.job(l, cold.NewMemoryLedger(), cold.Leave())
	j.Take = take
	run(t, j)
	return sink.sums
}

func TestOffice365PutsTogetherWhatValueDoesNotGive(t *testing.T) {
	t.Parallel()
	for _, status := range []int{413, 500, 400, 0} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			o := &graphtest.Options{}
			if status == 0 {
				o.ValueSize = 500 // as the server itself refuses it
			}
			c := startCloud(t, o)
			for _, with := range []string{"", "file", "item", "file item"} {
				box, l := c.mailbox("value" + strings.ReplaceAll(with, " ", ""))
				raw := compound(1, with)
				id := box.Deliver("inbox", raw)
				if status != 0 {
					c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
						if call.Op == "messages.value" {
							return &graphtest.Reply{Status: status, Code: "ErrorMessageSizeExceeded"}
						}
						return nil
					})
				}
				mem := &coldtest.MemLauncher{}
				mem.AddMail(raw)
				for _, take := range []cold.Take{{}, {Attachments: true, Inline: true}} {
					want, got := documents(t, mem, take), documents(t, l, take)
					if fmt.Sprint(want) != fmt.Sprint(got) {
						t.Errorf("%q, %+v:\n got %v\nwant %v", with, take, got, want)
					}
				}
				// It is the same mail for the ledger, so that one collected by another protocol is not taken twice.
				sink, ledger := &counted{}, cold.NewMemoryLedger()
				run(t, sink.job(mem, ledger, cold.Leave()))
				n := len(sink.puts)
				run(t, sink.job(l, ledger, cold.Leave()))
				sink.want(t, n)
				if with == "" {
					box.AddReference(id, "Plan d'été")
					got := documents(t, l, cold.Take{})
					if got["Plan d'été.link.json"] == "" {
						t.Errorf("the reference was dropped: %v", got)
					}
				}
			}
		})
	}
}

func TestOffice365PutTogetherIsReadInConstantMemory(t *testing.T) {
	t.Parallel()
	c := startCloud(t, &graphtest.Options{ValueSize: 1000})
	box, l := c.mailbox("constant")
	box.Deliver("inbox", large(1, 12<<20))
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	n, most := int64(0), 0
	err := s.Open(t.Context(), items, func(it cold.Item, content *cold.Content) error {
		if content == nil {
			return nil
		}
		for p := make([]byte, 1<<20); ; {
			k, err := content.Body.Read(p)
			n, most = n+int64(k), max(most, k)
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				return nil
			}
		}
	})
	if err != nil || n < 11<<20 || most > 64<<10 {
		t.Errorf("%d bytes, at most %d at once, %v", n, most, err)
	}
}

func TestOffice365BlamesAMessageAndNotTheOthers(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, tt := range []struct {
		status int
		class  vaguemestre.Class // of the Content.Err; "" is none
	}{{400, vaguemestre.ClassPoison}, {403, vaguemestre.ClassAuth}, {404, ""}, {409, vaguemestre.ClassSource}, {413, vaguemestre.ClassPoison},
		{423, vaguemestre.ClassSource}, {500, vaguemestre.ClassSource}, {507, vaguemestre.ClassSource}} {
		box, l := c.mailbox(fmt.Sprint("blame", tt.status))
		ids := box.DeliverAll("inbox", invoices(8))
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
			if strings.Contains(call.Path, ids[3]) && (call.Op == "messages.value" || strings.Contains(call.Query, "internetMessageHeaders")) {
				return &graphtest.Reply{Status: tt.status}
			}
			return nil
		})
		got, err := openEach(t, s, items)
		if err != nil {
			t.Errorf("%d: Open: %v", tt.status, err)
			continue
		}
		o := got[s.key(ids[3])]
		if (o == nil) != (tt.class == "") || o != nil && vaguemestre.ClassOf(o.err) != tt.class {
			t.Errorf("%d: %v", tt.status, o)
		}
		if len(got) != 8 && !(tt.class == "" && len(got) == 7) {
			t.Errorf("%d: %d came", tt.status, len(got))
		}
	}
}

func TestOffice365GetsPastMessagesThatGraphFailsOver(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, status := range []int{400, 403, 409, 500} {
		box, l := c.mailbox(fmt.Sprint("past", status))
		bad := box.DeliverAll("inbox", invoices(12))
		c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
			for _, id := range bad {
				if strings.Contains(call.Path, id) && !strings.Contains(call.Query, "parentFolderId") {
					return &graphtest.Reply{Status: status}
				}
			}
			return nil
		})
		sink := &counted{}
		job := sink.job(l, cold.NewMemoryLedger(), cold.Leave())
		if _, err := job.Run(t.Context()); err == nil {
			t.Errorf("%d: none of the messages there are comes, and the run has no error", status)
		}
		sink.want(t, 0)
		for i := range 3 {
			for range 2 {
				box.Deliver("inbox", invoice(100+len(sink.puts)))
				if _, err := job.Run(t.Context()); err != nil {
					t.Errorf("%d: run %d: %v", status, i, err)
				}
			}
		}
		sink.want(t, 6)
		c.script(l.address(), nil)
		run(t, job)
		if want := map[bool]int{true: 6, false: 18}[status == 400]; len(sink.puts) != want { // 400 gives them up, after three runs
			t.Errorf("%d: %d documents in the end, want %d", status, len(sink.puts), want)
		}
	}
}

func TestOffice365AttachmentThatFailsBlamesItsMessage(t *testing.T) {
	t.Parallel()
	c := startCloud(t, &graphtest.Options{ValueSize: 1000})
	box, l := c.mailbox("attachment")
	box.Deliver("inbox", compound(1, "file"))
	box.DeliverAll("inbox", invoices(3))
	for _, r := range []*graphtest.Reply{{Status: 500}, {Status: 404}, {Cut: 100}} {
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
			if call.Op == "attachments.value" {
				return r
			}
			return nil
		})
		got, err := openEach(t, s, items)
		c.script(l.address(), nil)
		poison := 0
		for _, o := range got {
			if o.err != nil && vaguemestre.ClassOf(o.err) == vaguemestre.ClassPoison && !o.confirmed {
				poison++
			}
		}
		if poison != 1 || len(got) != 4 || err != nil {
			t.Errorf("%+v: %d are blamed, %d came, %v", r, poison, len(got), err)
		}
	}
}

func TestOffice365IsThrottledAsAWhole(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("throttled")
	box.DeliverAll("inbox", invoices(50))
	s := connect(t, l)
	items, _ := listAll(t, s, "")
	var n atomic.Int64
	c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
		n.Add(1)
		return &graphtest.Reply{Status: http.StatusTooManyRequests, Code: "ApplicationThrottled", RetryAfter: "600"}
	})
	_, err := openEach(t, s, items)
	var e *vaguemestre.Error
	if !errors.As(err, &e) || e.Class != vaguemestre.ClassSource || e.RetryAfter < 500*time.Second || n.Load() > 4 {
		t.Errorf("%d requests, %v", n.Load(), err)
	}
}
