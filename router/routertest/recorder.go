package routertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"sync"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// Recorder is a [router.MailSender] that keeps the messages it is given instead of sending
// them. It keeps the contract that [TestMailSender] checks. The zero value accepts
// everything; it is safe for concurrent use.
type Recorder struct {
	From string // sender of messages without From; "" is recorder@example.org

	mu      sync.Mutex
	sent    []Sent
	answers map[string]router.Recipient
	next    []Behaviour
	always  Behaviour
}

var (
	_ router.MailSender    = (*Recorder)(nil)
	_ router.MailResolver  = (*Recorder)(nil)
	_ router.DefaultSender = (*Recorder)(nil)
)

// Sent is one message that a [Recorder] took.
type Sent struct {
	Message router.Message // a copy; its attachments' Open is that of the original
	From    string         // of the envelope
	To      []string       // of the envelope: the accepted recipients only
	Files   []File         // inline ones first, then attachments, in order
	Raw     []byte         // the mail as a server would have got it
}

// File is the content of an attachment.
type File struct {
	Name string
	Data []byte
}

// Behaviour is how a [Recorder] answers a message as a whole.
type Behaviour int

const (
	Normal   Behaviour = iota // takes it, with what Refuse said
	Down                      // cannot be reached: no receipt, class source
	Stalled                   // never answers: waits until ctx ends
	Doubtful                  // takes the message, and loses the connection before the answer
)

// Kind returns "recorder".
func (r *Recorder) Kind() string { return "recorder" }

// DefaultSender returns From, or recorder@example.org.
func (r *Recorder) DefaultSender() string {
	if r.From != "" {
		return r.From
	}
	return "recorder@example.org"
}

// Refuse has every later message refused to address with that state ([router.Rejected] or
// [router.Deferred]), code and text. [router.Accepted] undoes it.
func (r *Recorder) Refuse(address string, state router.State, code, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers == nil {
		r.answers = map[string]router.Recipient{}
	}
	r.answers[address] = router.Recipient{Address: address, State: state, Code: code, Text: text}
}

// Next gives the behaviours of the next messages, one each; then it is that of [Recorder.Always].
func (r *Recorder) Next(b ...Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = append(r.next, b...)
}

// Always gives the behaviour of all messages that Next says nothing about.
func (r *Recorder) Always(b Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.always = b
}

// Sent returns what was taken so far, in order.
func (r *Recorder) Sent() []Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Sent(nil), r.sent...)
}

// Reset forgets what was taken, and what Refuse, Next and Always said.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent, r.answers, r.next, r.always = nil, nil, nil, Normal
}

// ResolveMail finds m by its Message-ID among what was taken.
func (r *Recorder) ResolveMail(_ context.Context, m *router.Message) (router.State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sent {
		if s.Message.MessageID == m.MessageID {
			return router.Accepted, nil
		}
	}
	return router.Deferred, nil
}

// SendMail keeps m, with its attachments read.
func (r *Recorder) SendMail(ctx context.Context, m *router.Message) (*router.Receipt, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, recorderError("send", vaguemestre.ClassCanceled, "", err)
	}
	to, err := m.Recipients()
	if err != nil {
		return nil, recorderError("send", vaguemestre.ClassPoison, "", err)
	}
	from, err := m.Sender(r.DefaultSender())
	if err != nil {
		return nil, recorderError("send", vaguemestre.ClassConfig, "", err)
	}
	sent := Sent{Message: copyMessage(m), From: from.Address}
	if sent.Files, err = readFiles(m); err != nil {
		return nil, recorderError("read attachment", vaguemestre.ClassPoison, "", err)
	}
	if sent.Raw, err = render(m, from, sent.Files); err != nil {
		return nil, recorderError("build message", vaguemestre.ClassPoison, "", err)
	}

	receipt := &router.Receipt{MessageID: m.MessageID}
	behaviour := r.behaviour()
	switch behaviour {
	case Down:
		return nil, recorderError("connect", vaguemestre.ClassSource, "", errors.New("connection refused; the recorder was told to be down"))
	case Stalled:
		<-ctx.Done()
		receipt.Recipients = all(to, router.Deferred, "", "no answer")
		receipt.State = router.Deferred
		return receipt, recorderError("wait for an answer", vaguemestre.ClassCanceled, "", ctx.Err())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range to {
		answer, ok := r.answers[a]
		switch {
		case ok && answer.State != router.Accepted:
		case behaviour == Doubtful:
			answer = router.Recipient{Address: a, State: router.InDoubt, Text: "connection lost after the content"}
			sent.To = append(sent.To, a)
		default:
			answer = router.Recipient{Address: a, State: router.Accepted, Code: "250 2.1.5", Text: "ok"}
			sent.To = append(sent.To, a)
		}
		receipt.Recipients = append(receipt.Recipients, answer)
	}
	if len(sent.To) > 0 {
		r.sent = append(r.sent, sent)
	}
	receipt.State = router.StateOf(receipt.Recipients)
	return receipt, receiptError(receipt)
}

func (r *Recorder) behaviour() Behaviour {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.next) == 0 {
		return r.always
	}
	b := r.next[0]
	r.next = r.next[1:]
	return b
}

// receiptError is nil if anybody gets the message.
func receiptError(rc *router.Receipt) error {
	class := map[router.State]vaguemestre.Class{
		router.Rejected: vaguemestre.ClassRejected,
		router.Deferred: vaguemestre.ClassDeferred,
		router.InDoubt:  vaguemestre.ClassInDoubt,
	}[rc.State]
	if class == "" {
		return nil
	}
	for _, p := range rc.Recipients {
		if p.State == rc.State {
			return recorderError("send", class, p.Code, fmt.Errorf("no recipient was accepted; %q was told %q", p.Address, p.Text))
		}
	}
	return recorderError("send", class, "", errors.New("no recipient was accepted"))
}

func recorderError(op string, class vaguemestre.Class, code string, err error) error {
	return &vaguemestre.Error{Op: "recorder: " + op, Class: class, Code: code, Err: err}
}

func all(to []string, state router.State, code, text string) []router.Recipient {
	out := make([]router.Recipient, len(to))
	for i, a := range to {
		out[i] = router.Recipient{Address: a, State: state, Code: code, Text: text}
	}
	return out
}

func readFiles(m *router.Message) ([]File, error) {
	var out []File
	for _, list := range [2][]router.Attachment{m.Inline, m.Attachments} {
		for _, a := range list {
			data, err := readAttachment(a)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", a.Name, err)
			}
			out = append(out, File{a.Name, data})
		}
	}
	return out, nil
}

func readAttachment(a router.Attachment) ([]byte, error) {
	rc, err := a.Open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}

// copyMessage shares no slice or map with m.
func copyMessage(m *router.Message) router.Message {
	c := *m
	for _, list := range []*[]string{&c.ReplyTo, &c.To, &c.Cc, &c.Bcc, &c.Envelope} {
		if *list != nil {
			*list = append([]string{}, *list...)
		}
	}
	c.Inline = append([]router.Attachment(nil), m.Inline...)
	c.Attachments = append([]router.Attachment(nil), m.Attachments...)
	if m.Headers != nil {
		c.Headers = map[string]string{}
		for k, v := range m.Headers {
			c.Headers[k] = v
		}
	}
	if m.DSN != nil {
		d := *m.DSN
		d.Notify = append([]router.Notify(nil), d.Notify...)
		c.DSN = &d
	}
	return c
}

// String is for test logs.
func (s Sent) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "from %s to %s: %q", s.From, strings.Join(s.To, ", "), s.Message.Subject)
	for _, f := range s.Files {
		fmt.Fprintf(&b, ", %q (%d bytes)", f.Name, len(f.Data))
	}
	return b.String()
}

// Header parses Raw's header; for tests that look at it.
func (s Sent) Header() (mail.Header, error) {
	m, err := mail.ReadMessage(bytes.NewReader(s.Raw))
	if err != nil {
		return nil, err
	}
	return m.Header, nil
}
