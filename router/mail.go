package router

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// Mail is the service that sends mail. A connector carries it if it is a [MailSender]. Copies
// are equal; it is safe for concurrent use.
type Mail struct {
	Router  *Router
	MaxSize int64 // bytes of all attachments and bodies before encoding; more is refused. 0 is no limit.
}

// SendOptions are for [Mail.Send]; see [ResolveOptions].
type SendOptions struct {
	Connector string
	Instance  string
}

// Name returns "mail".
func (Mail) Name() string { return "mail" }

// Compatible reports whether c is a [MailSender].
func (Mail) Compatible(c Connector) bool {
	_, ok := c.(MailSender)
	return ok
}

// Requires names MailSender.
func (Mail) Requires() string { return "router.MailSender (SendMail)" }

// Send sends m through the connector that o, the instance in it or the default names, and
// returns what the connector claims. o may be nil.
//
// Before any connection it refuses a message that is not valid, whose attachments cannot be
// opened, or that is too large (class poison), and a wiring that names no usable connector
// (class config); the receipt is then nil. Only then, if they are empty, MessageID and Date
// are set on m itself, so that every later attempt with the same m carries the same ones;
// the ID's domain is that of From, else of the connector's default sender.
//
// The receipt is non-nil once the dialogue began, also beside an error, and tells which
// connector carried the mail and why. The error is nil if any recipient was accepted: look
// at the recipients' states, too. ctx bounds the whole.
func (s Mail) Send(ctx context.Context, m *Message, o *SendOptions) (*Receipt, error) {
	if s.Router == nil {
		return nil, &vaguemestre.Error{Op: "mail: send", Class: vaguemestre.ClassConfig, Err: errors.New("mail has no router; set Mail.Router")}
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, &vaguemestre.Error{Op: "mail: send", Class: vaguemestre.ClassCanceled, Err: err}
	}
	var opt SendOptions
	if o != nil {
		opt = *o
	}
	res, err := s.Router.Resolve(s, &ResolveOptions{Connector: opt.Connector, Instance: opt.Instance})
	if err != nil {
		return nil, err
	}
	defer res.Release()
	if err := s.weigh(ctx, m); err != nil {
		return nil, err
	}
	stamp(m, res.Connector)

	receipt, err := res.Connector.(MailSender).SendMail(ctx, m)
	if receipt == nil {
		if err == nil {
			err = &vaguemestre.Error{Op: "mail: send", Class: vaguemestre.ClassInDoubt,
				Err: fmt.Errorf("connector %s returned neither receipt nor error; its author must mend it", cut(res.Name))}
		}
		return nil, err
	}
	receipt.Connector, receipt.Reason = res.Name, res.Reason
	if receipt.MessageID == "" {
		receipt.MessageID = m.MessageID
	}
	if receipt.Recipients == nil {
		receipt.Recipients = []Recipient{} // [] in JSON
	}
	if receipt.State == "" {
		receipt.State = StateOf(receipt.Recipients)
	}
	return receipt, err
}

// weigh sums up, and opens the attachments whose size is not known, so that a missing file
// shows before any connection.
func (s Mail) weigh(ctx context.Context, m *Message) error {
	const op = "mail: check attachments"
	total := int64(len(m.Text)) + int64(len(m.HTML))
	for _, list := range [2][]Attachment{m.Inline, m.Attachments} {
		for _, a := range list {
			n, err := s.length(ctx, a)
			if ctx.Err() != nil {
				return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassCanceled, Err: ctx.Err()}
			}
			if err != nil {
				return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassPoison, Err: fmt.Errorf("%s cannot be read: %w", cut(a.Name), err)}
			}
			total += n
		}
	}
	if s.MaxSize > 0 && total > s.MaxSize {
		return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassPoison,
			Err: fmt.Errorf("the message is larger than the %d bytes that are allowed; send fewer files, or a link to them", s.MaxSize)}
	}
	return nil
}

// length reads only where a limit needs it, and not beyond that limit.
func (s Mail) length(ctx context.Context, a Attachment) (int64, error) {
	if a.Size >= 0 {
		return a.Size, nil
	}
	rc, err := a.Open()
	if err != nil {
		return 0, err
	}
	defer rc.Close()
	if n, ok := statSize(rc); ok || s.MaxSize <= 0 {
		return n, nil
	}
	return io.Copy(io.Discard, io.LimitReader(&ctxReader{ctx, rc}, s.MaxSize+1))
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// stamp sets MessageID and Date where they are empty.
func stamp(m *Message, c Connector) {
	if m.MessageID == "" {
		// rand.Text has 130 bits: RFC 5322 section 3.6.4 wants it globally unique.
		m.MessageID = strings.ToLower(rand.Text()) + "@" + idDomain(m, c)
	}
	if m.Date.IsZero() {
		m.Date = time.Now()
	}
}

// idDomain gives the right side of a Message-ID. RFC 2606: "invalid" is nobody's; it stands
// in when the sender is not known here, or its domain is not ASCII, which a Message-ID must be
// (RFC 5322 section 3.6.4). The machine's own name is nobody's business.
func idDomain(m *Message, c Connector) string {
	fallback := ""
	if d, ok := c.(DefaultSender); ok {
		fallback = d.DefaultSender()
	}
	a, err := m.Sender(fallback)
	if err == nil && a.Address != "" {
		domain := a.Address[strings.LastIndexByte(a.Address, '@')+1:]
		v := &validation{}
		if v.messageID("x@" + domain); len(v.issues) == 0 {
			return strings.ToLower(domain)
		}
	}
	return "vaguemestre.invalid"
}
