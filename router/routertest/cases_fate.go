package routertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

var cases = slices.Concat(contentCases, fateCases)

// These cases are about who gets it, and what the receipt claims.
var fateCases = []testCase{
	{name: "everybody once", run: everybodyOnce,
		quote: "SendMail sends m once to each of m.Recipients and tells what became of it."},
	{name: "envelope", run: envelope,
		quote: "who gets it; nil is To, Cc and Bcc. Does not change the headers."},
	{name: "reports", run: reports,
		quote: "Reports that m.DSN wants are asked for, or the receipt's Notes say that they could not be."},
	{name: "receipt complete", run: receiptComplete,
		quote: "It has every recipient once, with a state of its own."},
	{name: "one refused", run: oneRefused, needs: needForGood,
		quote: "One refused recipient does not cost the others their mail."},
	{name: "no error beside success", run: noErrorBesideSuccess, needs: needForGood,
		quote: "err != nil only if no recipient was accepted."},
	{name: "states told apart", run: statesApart, needs: needBoth,
		quote: "It has every recipient once, with a state of its own."},
	{name: "receipt when refused", run: receiptWhenRefused, needs: needForGood,
		quote: "The receipt is non-nil once the dialogue began."},
	{name: "error when refused", run: errorWhenRefused, needs: needForGood,
		quote: "If no recipient was accepted, err is non-nil."},
	{name: "class of the error", run: errorClass, needs: needBoth,
		quote: "its class is rejected, deferred or in_doubt once recipients were answered."},
	{name: "state of the whole", run: stateOfWhole, needs: needBoth,
		quote: "accepted if any recipient was; else in_doubt, deferred, rejected in that order"},
	{name: "in doubt", run: inDoubt,
		quote: "If the connection is lost after the whole content was handed over, the state is in_doubt.",
		needs: needDrop},
	{name: "doubt not sent again", run: doubtNotAgain,
		quote: "A message in doubt is not sent again by the connector.",
		needs: needDrop},
	{name: "context ends", run: contextEnds,
		quote: "When ctx ends, SendMail returns within a second.",
		needs: func(h *Harness) string {
			if h.Stall == nil {
				return "Stall"
			}
			return ""
		}},
	{name: "context ended before", run: contextEnded,
		quote: "No recipient is then accepted that the receipt does not call accepted or in_doubt."},
	{name: "down", run: down,
		quote: "The error is a *vaguemestre.Error",
		needs: func(h *Harness) string {
			if h.Down == nil {
				return "Down"
			}
			return ""
		}},
	{name: "invalid refused", run: invalidRefused,
		quote: "An invalid message is refused before any connection"},
	{name: "concurrent", run: concurrent,
		quote: "SendMail is safe for concurrent use."},
}

func needDrop(h *Harness) string {
	if h.DropAtEnd == nil {
		return "DropAtEnd"
	}
	return ""
}

// gotIt lists, sorted, who received anything; one entry for each time.
func (r *run) gotIt() []string {
	var out []string
	for _, rec := range r.Received() {
		out = append(out, rec.To...)
	}
	slices.Sort(out)
	return out
}

func (r *run) wantGot(want ...string) {
	r.Helper()
	slices.Sort(want)
	if got := r.gotIt(); !slices.Equal(got, want) {
		r.Errorf("the far side has it for %q, want %q", got, want)
	}
}

func everybodyOnce(r *run) {
	un, deux, trois := r.address("un"), r.address("deux"), r.address("trois")
	m := r.message("Un <"+un+">", un)
	m.Cc = []string{deux, un}
	m.Bcc = []string{trois}
	r.mustSend(m)
	r.wantGot(un, deux, trois)
}

func envelope(r *run) {
	un, deux, trois := r.address("un"), r.address("deux"), r.address("trois")
	m := r.message("Premier <"+un+">", deux)
	m.Cc = []string{trois}
	m.Envelope = []string{deux}
	if r.FromHeaders {
		if rc, err := r.send(m); err == nil {
			r.Errorf("a differing envelope was taken, and the far side cannot heed it: %+v", rc)
		}
		r.wantNothing()
		return
	}
	rc := r.mustSend(m)
	r.wantGot(deux)
	if len(rc.Recipients) != 1 {
		r.Errorf("the receipt has %d recipients, want 1", len(rc.Recipients))
	}
	d := r.parse(r.only())
	to, err := d.addresses("To")
	if err != nil || len(to) != 2 || to[0].Name != "Premier" || to[0].Address != un || to[1].Address != deux {
		r.Errorf("To arrived as %q, want both of To", d.header.Get("To"))
	}
	if cc, err := d.addresses("Cc"); err != nil || len(cc) != 1 || cc[0].Address != trois {
		r.Errorf("Cc arrived as %q, want %s", d.header.Get("Cc"), trois)
	}
}

func reports(r *run) {
	m := r.message()
	m.DSN = &router.DSN{Notify: []router.Notify{router.NotifyFailure, router.NotifySuccess}, EnvelopeID: "lot 12"}
	rc := r.mustSend(m)
	got := slices.Clone(r.only().Notify)
	slices.Sort(got)
	if asked := slices.Equal(got, m.DSN.Notify); !asked && len(rc.Notes) == 0 {
		r.Errorf("the far side was asked for the reports %q, want %q; and the receipt has no note", got, m.DSN.Notify)
	}
	m = r.message()
	if rc = r.mustSend(m); len(rc.Notes) != 0 {
		r.Errorf("nothing out of the ordinary was asked for, and the receipt notes %q", rc.Notes)
	}
}

// wantComplete: each of m.Recipients once.
func (r *run) wantComplete(rc *router.Receipt, m *router.Message) {
	r.Helper()
	want, err := m.Recipients()
	if err != nil {
		r.Fatal(err)
	}
	var got []string
	for _, p := range rc.Recipients {
		got = append(got, p.Address)
		switch p.State {
		case router.Accepted, router.Rejected, router.Deferred, router.InDoubt:
		default:
			r.Errorf("the state of %s is %q", p.Address, p.State)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		r.Errorf("the receipt has %q, want %q", got, want)
	}
}

func receiptComplete(r *run) {
	m := r.message(r.address("un"), "Deux <"+r.address("deux")+">", r.address("un"))
	m.Bcc = []string{r.address("trois")}
	if r.RefuseForGood != nil {
		r.RefuseForGood(r.address("refuse"))
		m.Cc = []string{r.address("refuse")}
	}
	r.wantComplete(r.mustSend(m), m)
}

func oneRefused(r *run) {
	un, refused, trois := r.address("un"), r.address("refuse"), r.address("trois")
	r.RefuseForGood(refused)
	m := r.message(un, refused, trois)
	rc, _ := r.send(m)
	r.wantGot(un, trois)
	r.wantState(rc, un, router.Accepted)
	r.wantState(rc, refused, router.Rejected)
	r.wantState(rc, trois, router.Accepted)
	for _, p := range rc.Recipients {
		if p.Address == refused && p.Code == "" && p.Text == "" {
			r.Errorf("the receipt does not tell what the far side answered about %s", refused)
		}
	}
}

func noErrorBesideSuccess(r *run) {
	r.RefuseForGood(r.address("refuse"))
	rc, err := r.send(r.message(r.address("refuse"), r.address("un")))
	if err != nil {
		r.Errorf("one recipient was accepted, and yet: %v", err)
	}
	if rc == nil || rc.State != router.Accepted {
		r.Errorf("one recipient was accepted, and the receipt is %+v", rc)
	}
}

func statesApart(r *run) {
	un, good, now := r.address("un"), r.address("refuse"), r.address("plus-tard")
	r.RefuseForGood(good)
	r.RefuseForNow(now)
	rc, _ := r.send(r.message(now, un, good))
	r.wantState(rc, un, router.Accepted)
	r.wantState(rc, good, router.Rejected)
	r.wantState(rc, now, router.Deferred)
	r.wantGot(un)
}

func receiptWhenRefused(r *run) {
	m := r.message(r.address("refuse"), r.address("refuse-aussi"))
	r.RefuseForGood(r.address("refuse"))
	r.RefuseForGood(r.address("refuse-aussi"))
	rc, _ := r.send(m)
	if rc == nil {
		r.Fatal("the far side answered, and there is no receipt")
	}
	r.wantComplete(rc, m)
	for _, p := range rc.Recipients {
		if p.State != router.Rejected {
			r.Errorf("the receipt says that %s is %s, want rejected", p.Address, p.State)
		}
	}
}

func errorWhenRefused(r *run) {
	r.RefuseForGood(r.address("refuse"))
	if _, err := r.send(r.message(r.address("refuse"))); err == nil {
		r.Error("nobody was accepted, and the error is nil")
	}
	r.wantNothing()
	r.mustSend(r.message()) // the next one is not hurt
}

func errorClass(r *run) {
	good, now := r.address("refuse"), r.address("plus-tard")
	r.RefuseForGood(good)
	r.RefuseForNow(now)
	for _, c := range []struct {
		to   []string
		want vaguemestre.Class
	}{
		{[]string{good}, vaguemestre.ClassRejected},
		{[]string{now}, vaguemestre.ClassDeferred},
		{[]string{good, now}, vaguemestre.ClassDeferred},
		{[]string{now, good}, vaguemestre.ClassDeferred},
	} {
		if _, err := r.send(r.message(c.to...)); vaguemestre.ClassOf(err) != c.want {
			r.Errorf("to %q: the error has class %q, want %q: %v", c.to, vaguemestre.ClassOf(err), c.want, err)
		}
	}
}

func stateOfWhole(r *run) {
	un, good, now := r.address("un"), r.address("refuse"), r.address("plus-tard")
	r.RefuseForGood(good)
	r.RefuseForNow(now)
	for _, c := range []struct {
		to   []string
		want router.State
	}{
		{[]string{un}, router.Accepted},
		{[]string{good, un}, router.Accepted},
		{[]string{un, now}, router.Accepted},
		{[]string{good, now}, router.Deferred},
		{[]string{now, good}, router.Deferred},
		{[]string{good}, router.Rejected},
	} {
		rc, _ := r.send(r.message(c.to...))
		if rc == nil {
			r.Fatalf("to %q: no receipt", c.to)
		}
		if rc.State != c.want {
			r.Errorf("to %q: the receipt says %s, want %s", c.to, rc.State, c.want)
		}
	}
}

func inDoubt(r *run) {
	m := r.message(r.address("un"), r.address("deux"))
	r.DropAtEnd()
	rc, err := r.send(m)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassInDoubt {
		r.Errorf("the error has class %q, want in_doubt: %v", vaguemestre.ClassOf(err), err)
	}
	if rc == nil {
		r.Fatal("there is no receipt")
	}
	r.wantComplete(rc, m)
	for _, p := range rc.Recipients {
		if p.State != router.InDoubt {
			r.Errorf("the receipt says that %s is %s, want in_doubt", p.Address, p.State)
		}
	}
	if rc.State != router.InDoubt {
		r.Errorf("the receipt says %s, want in_doubt", rc.State)
	}
}

func doubtNotAgain(r *run) {
	doubtful := r.message()
	r.DropAtEnd()
	_, _ = r.send(doubtful)
	next := r.message()
	next.MessageID = "suivant@example.org"
	r.mustSend(next)
	counts := map[string]int{}
	for _, rec := range r.Received() {
		counts[r.parse(rec).header.Get("Message-ID")]++
	}
	if n := counts["<"+doubtful.MessageID+">"]; n > 1 {
		r.Errorf("the message in doubt arrived %d times", n)
	}
	if n := counts["<"+next.MessageID+">"]; n != 1 {
		r.Errorf("the next message arrived %d times, want 1", n)
	}
}

func contextEnds(r *run) {
	r.Stall()
	for _, c := range []struct {
		name string
		make func() (context.Context, context.CancelFunc)
	}{
		{"canceled", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(300*time.Millisecond, cancel)
			return ctx, cancel
		}},
		{"past its deadline", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 300*time.Millisecond)
		}},
	} {
		ctx, cancel := c.make()
		start := time.Now()
		rc, err := r.sendCtx(ctx, r.message(), 5*time.Second)
		if took := time.Since(start); took > 300*time.Millisecond+grace {
			r.Errorf("%s: SendMail returned %v after the context ended", c.name, took-300*time.Millisecond)
		}
		cancel()
		if err == nil {
			r.Errorf("%s: nobody answered, and the error is nil", c.name)
		}
		if rc != nil && rc.State == router.Accepted {
			r.Errorf("%s: nobody answered, and the receipt says accepted", c.name)
		}
	}
}

func contextEnded(r *run) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	rc, err := r.sendCtx(ctx, r.message(), 5*time.Second)
	if err == nil {
		r.Error("the context had ended, and the error is nil")
	}
	if len(r.Received()) > 0 && (rc == nil || rc.State != router.InDoubt) {
		r.Errorf("it arrived, and the receipt is %+v", rc)
	}
}

func down(r *run) {
	r.Down()
	rc, err := r.send(r.message())
	if err == nil {
		r.Fatal("the far side is down, and the error is nil")
	}
	if rc != nil && rc.State != router.Deferred {
		r.Errorf("the far side is down, and the receipt says %s", rc.State)
	}
	if c := vaguemestre.ClassOf(err); c != vaguemestre.ClassSource && c != vaguemestre.ClassDeferred {
		r.Errorf("the error has class %q, want source or deferred: %v", c, err)
	}
}

func invalidRefused(r *run) {
	inject := "x\r\nBcc: intrus@example.org"
	for name, change := range map[string]func(m *router.Message){
		"nobody":             func(m *router.Message) { m.To = nil },
		"empty envelope":     func(m *router.Message) { m.Envelope = []string{} },
		"subject":            func(m *router.Message) { m.Subject = inject },
		"subject, bare LF":   func(m *router.Message) { m.Subject = "x\nBcc: intrus@example.org" },
		"subject, bare CR":   func(m *router.Message) { m.Subject = "x\rBcc: intrus@example.org" },
		"subject, NUL":       func(m *router.Message) { m.Subject = "x\x00" },
		"from":               func(m *router.Message) { m.From = inject + " <a@example.org>" },
		"from, parameter":    func(m *router.Message) { m.From = `"a> SIZE=1"@example.org` },
		"to":                 func(m *router.Message) { m.To = []string{"a@example.org>\r\nRCPT TO:<b@example.org"} },
		"to, parameter":      func(m *router.Message) { m.To = []string{`"t> ORCPT=x"@example.org`} },
		"to, two":            func(m *router.Message) { m.To = []string{"a@example.org, b@example.org"} },
		"to, group":          func(m *router.Message) { m.To = []string{"gens: a@example.org;"} },
		"cc":                 func(m *router.Message) { m.Cc = []string{"a b@example.org"} },
		"envelope":           func(m *router.Message) { m.Envelope = []string{"a@example.org\r\nDATA"} },
		"reply to":           func(m *router.Message) { m.ReplyTo = []string{inject} },
		"header value":       func(m *router.Message) { m.Headers = map[string]string{"X-A": inject} },
		"header name":        func(m *router.Message) { m.Headers = map[string]string{"X-A: 1\r\nBcc": "b@example.org"} },
		"header set already": func(m *router.Message) { m.Headers = map[string]string{"bcc": "b@example.org"} },
		"message id":         func(m *router.Message) { m.MessageID = "a@b>\r\nBcc: intrus@example.org" },
		"attachment name":    func(m *router.Message) { m.Attachments = []router.Attachment{router.Bytes(inject, "", nil)} },
		"media type":         func(m *router.Message) { m.Attachments = []router.Attachment{router.Bytes("a", "text/"+inject, nil)} },
		"content id": func(m *router.Message) {
			a := router.Bytes("a", "", nil)
			a.ContentID = inject
			m.Inline = []router.Attachment{a}
		},
		"attachment unopened": func(m *router.Message) { m.Attachments = []router.Attachment{{Name: "a"}} },
	} {
		m := r.message()
		change(m)
		if rc, err := r.send(m); err == nil || rc != nil {
			r.Errorf("%s: it was taken: %+v, %v", name, rc, err)
		}
	}
	r.wantNothing()
	if r.Connections != nil && r.Connections() > 0 {
		r.Errorf("%d connections were made", r.Connections())
	}
}

func concurrent(r *run) {
	const n = 12
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			m := r.message(r.address(fmt.Sprintf("dest-%d", i)))
			m.Subject = fmt.Sprintf("Envoi %d", i)
			m.MessageID = fmt.Sprintf("envoi.%d@example.org", i)
			m.Attachments = []router.Attachment{router.Bytes("a.txt", "", []byte(strings.Repeat(fmt.Sprint(i, " "), 20_000)))}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			rc, err := r.Sender.SendMail(ctx, m)
			if err != nil || rc == nil || rc.State != router.Accepted {
				r.Errorf("message %d: %+v, %v", i, rc, err)
			} else if len(rc.Recipients) != 1 || rc.Recipients[0].Address != r.address(fmt.Sprintf("dest-%d", i)) {
				r.Errorf("message %d: the receipt has %+v", i, rc.Recipients)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, rec := range r.Received() {
		d := r.parse(rec)
		var i int
		if _, err := fmt.Sscanf(d.header.Get("Subject"), "Envoi %d", &i); err != nil {
			r.Errorf("a subject arrived as %q", d.header.Get("Subject"))
			continue
		}
		seen[d.header.Get("Message-ID")] = true
		data, _ := d.file("a.txt")
		if string(data) != strings.Repeat(fmt.Sprint(i, " "), 20_000) {
			r.Errorf("message %d arrived with another's attachment, or a damaged one", i)
		}
		if len(rec.To) != 1 || rec.To[0] != r.address(fmt.Sprintf("dest-%d", i)) {
			r.Errorf("message %d arrived for %q", i, rec.To)
		}
		if id := d.header.Get("Message-ID"); id != fmt.Sprintf("<envoi.%d@example.org>", i) {
			r.Errorf("message %d arrived with Message-ID %s", i, id)
		}
	}
	if len(seen) != n {
		r.Errorf("%d different messages arrived, want %d", len(seen), n)
	}
}
