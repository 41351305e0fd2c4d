package routertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// Harness is a connector with its far side, made anew for each case. What is nil cannot be
// shown here; the cases that need it are skipped and say so.
type Harness struct {
	Sender router.MailSender // wired to the far side; the harness closes it

	// Received returns what the far side took responsibility for, in order. It is called
	// after SendMail returned; a far side that is slower than that waits within.
	Received func() []Received

	From   string // a sender that the far side takes; "" is expediteur@example.org
	Domain string // of recipients that the far side takes; "" is example.org

	RefuseForGood func(address string) // from now on
	RefuseForNow  func(address string) // from now on
	DropAtEnd     func()               // of the next message the far side reads all, and then hangs up without an answer
	Stall         func()               // from now on the far side does not answer
	Down          func()               // from now on the far side cannot be reached
	Connections   func() int           // how many connections were made so far

	// FromHeaders is set if the far side takes recipients from headers, as Microsoft Graph
	// does: a differing Envelope is then to be refused.
	FromHeaders bool

	// OwnDate is set if the far side stamps mails with a Date of its own.
	OwnDate bool
}

// Received is one message at the far side.
type Received struct {
	From string   // of the envelope
	To   []string // of the envelope
	Raw  []byte   // header and body, without what the far side put before it

	Notify []router.Notify // the reports that the far side was asked for; nil is none
}

// TestMailSender checks that the connector which newHarness makes keeps the contract of
// [router.MailSender]. Each case is a subtest with a harness of its own.
func TestMailSender(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Logf("contract: %q", c.quote)
			h := newHarness(t)
			if h.Sender == nil || h.Received == nil {
				t.Fatal("the harness has no Sender or no Received")
			}
			if c.needs != nil {
				if missing := c.needs(&h); missing != "" {
					t.Skipf("not checked: the harness has no %s", missing)
				}
			}
			c.run(&run{T: t, Harness: h})
		})
	}
}

// A testCase checks one sentence, which stands in the documentation of package router.
type testCase struct {
	name  string
	quote string
	needs func(h *Harness) string // names what is missing; nil needs nothing
	run   func(r *run)
}

// run is one case under way.
type run struct {
	*testing.T
	Harness
}

// patience is how long the suite waits for a call that should have ended; a second is what
// the contract grants after the end of a context.
const (
	patience = 30 * time.Second
	grace    = time.Second
)

// address makes a recipient that the far side takes.
func (r *run) address(local string) string {
	return local + "@" + orElse(r.Domain, "example.org")
}

// message makes a small valid message.
func (r *run) message(to ...string) *router.Message {
	if len(to) == 0 {
		to = []string{r.address("destinataire")}
	}
	return &router.Message{
		From: orElse(r.From, "expediteur@example.org"), To: to,
		Subject: "Facture 2026-11", Text: "Bonjour,\nvoici la facture.\n",
		MessageID: fmt.Sprintf("suite.%d@example.org", time.Now().UnixNano()),
		Date:      time.Date(2026, 11, 2, 9, 30, 0, 0, time.FixedZone("", 3600)),
	}
}

// send calls SendMail and fails if that does not come back.
func (r *run) send(m *router.Message) (*router.Receipt, error) {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.sendCtx(ctx, m, patience+grace)
}

func (r *run) sendCtx(ctx context.Context, m *router.Message, wait time.Duration) (*router.Receipt, error) {
	r.Helper()
	type result struct {
		rc  *router.Receipt
		err error
	}
	done := make(chan result, 1)
	go func() {
		rc, err := r.Sender.SendMail(ctx, m)
		done <- result{rc, err}
	}()
	select {
	case res := <-done:
		r.checkError(res.err)
		return res.rc, res.err
	case <-time.After(wait):
		r.Fatalf("SendMail did not return within %v", wait)
		return nil, nil
	}
}

// mustSend expects that every recipient is accepted.
func (r *run) mustSend(m *router.Message) *router.Receipt {
	r.Helper()
	rc, err := r.send(m)
	if err != nil {
		r.Fatalf("SendMail: %v", err)
	}
	if rc == nil {
		r.Fatal("SendMail returned neither receipt nor error")
	}
	return rc
}

// checkError holds for every error of every case.
func (r *run) checkError(err error) {
	r.Helper()
	var e *vaguemestre.Error
	if err != nil && (!errors.As(err, &e) || e.Class == "") {
		r.Errorf("the error is a %T and not a *vaguemestre.Error with a class: %v", err, err)
	}
}

// only returns the one message at the far side.
func (r *run) only() Received {
	r.Helper()
	got := r.Received()
	if len(got) != 1 {
		r.Fatalf("the far side has %d messages, want 1", len(got))
	}
	return got[0]
}

func (r *run) parse(rec Received) *delivered {
	r.Helper()
	d, err := read(rec.Raw)
	if err != nil {
		r.Fatalf("what arrived cannot be read: %v", err)
	}
	return d
}

// state returns what the receipt says of one address.
func (r *run) state(rc *router.Receipt, address string) router.State {
	r.Helper()
	if rc == nil {
		r.Fatal("there is no receipt")
	}
	for _, p := range rc.Recipients {
		if p.Address == address {
			return p.State
		}
	}
	r.Fatalf("the receipt says nothing about %s", address)
	return ""
}

func (r *run) wantState(rc *router.Receipt, address string, want router.State) {
	r.Helper()
	if got := r.state(rc, address); got != want {
		r.Errorf("the receipt says that %s is %s, want %s", address, got, want)
	}
}

func (r *run) wantNothing() {
	r.Helper()
	if n := len(r.Received()); n != 0 {
		r.Errorf("the far side has %d messages, want none", n)
	}
}

func needForGood(h *Harness) string {
	if h.RefuseForGood == nil {
		return "RefuseForGood"
	}
	return ""
}

func needBoth(h *Harness) string {
	if h.RefuseForNow == nil {
		return "RefuseForNow"
	}
	return needForGood(h)
}
