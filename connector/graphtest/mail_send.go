package graphtest

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
)

// sendMail sends at once, JSON or MIME (user-sendmail).
func (s *Server) sendMail(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	keep := true
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "application/json" {
		var in struct {
			Message json.RawMessage `json:"message"`
			Keep    any             `json:"saveToSentItems"`
		}
		if f := decode(c.body, &in); f != nil {
			return 0, nil, f
		}
		if len(in.Message) == 0 || string(in.Message) == "null" {
			return 0, nil, bad("ErrorInvalidRequest", "The parameter 'message' is missing.")
		}
		// A Boolean; the documentation's example has a string.
		switch strings.ToLower(fmt.Sprint(in.Keep)) {
		case "<nil>", "true":
		case "false":
			keep = false
		default:
			return 0, nil, bad("RequestBodyRead", "Cannot convert the value of saveToSentItems to the expected type 'Edm.Boolean'.")
		}
		c.body = in.Message
	}
	m, _, f := s.readMail(r, c)
	if f != nil {
		return 0, nil, f
	}
	o, f := s.outgoing(c, m)
	if f != nil {
		return 0, nil, f
	}
	if keep {
		b := c.mailbox
		b.lock()
		b.expect(&item{draft: true}, o.kept, s.o.SendDelay)
		b.mu.Unlock()
	}
	s.submit(c.mailbox, o)
	return http.StatusAccepted, nil, nil
}

// sendDraft sends a draft (message-send). The draft becomes the copy in Sent Items, after a
// while; sent again as long as it is there, it goes out again.
func (s *Server) sendDraft(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	b := c.mailbox
	find := func() (*item, *fault) {
		it, f := c.message()
		if f == nil && !it.draft {
			f = bad("ErrorInvalidRequest", "The message was sent already: only a draft can be sent.")
		}
		return it, f
	}
	b.lock()
	it, f := find()
	if f != nil {
		b.mu.Unlock()
		return 0, nil, f
	}
	m := it.mail
	b.mu.Unlock()
	o, f := s.outgoing(c, m) // may take a while: without the lock
	if f != nil {
		return 0, nil, f
	}
	b.lock()
	if it, f = find(); f == nil {
		b.expect(it, o.kept, s.o.SendDelay)
	}
	b.mu.Unlock()
	if f != nil {
		return 0, nil, f
	}
	s.submit(b, o)
	return http.StatusAccepted, nil, nil
}

// expect lets it come to Sent Items as kept: for half of the delay it stays where it is, then
// it is nowhere, then it is there. The caller holds the lock.
func (b *Mailbox) expect(it *item, kept *mail, delay time.Duration) {
	now := b.now()
	if it.immutable == "" {
		it.immutable, it.created = newID(immutableID), now
	}
	b.pending = append(b.pending, &pending{it: it, copy: kept, vanish: now.Add(delay / 2), come: now.Add(delay)})
	b.settle()
}

// outgoing is a mail that may go out.
type outgoing struct {
	mail, kept *mail // as recipients get it, and as it stands in Sent Items: with Bcc
	to         []address
}

// outgoing makes what goes out of m and refuses what must not.
func (s *Server) outgoing(c *request, m *mail) (*outgoing, *fault) {
	said := m.content()
	to := said.recipients()
	if len(to) == 0 {
		return nil, bad("ErrorInvalidRecipients", "At least one recipient is not valid., A message can't be sent because it contains no recipients.")
	}
	for _, a := range to {
		if at := strings.LastIndexByte(a.addr, '@'); at < 1 || at == len(a.addr)-1 || strings.ContainsAny(a.addr, " \t\r\n<>,;") {
			return nil, bad("ErrorInvalidRecipients", "At least one recipient is not valid., Recipient %q is not resolved. All recipients must be resolved before a message can be submitted.", cutText(a.addr))
		}
	}
	if m.size() > s.o.MessageSize {
		return nil, tooLarge
	}
	from, sender, f := c.sendAs(said.from)
	if f != nil {
		return nil, f
	}
	date, id := s.now().UTC().Truncate(time.Second), said.messageID
	if s.o.DropMessageID {
		id = newMessageID()
	}
	var raw *blob
	var err error
	o := &outgoing{to: to}
	if m.raw != nil {
		set := []header{{"From", formatAddress(from)}, {"Date", date.Format(time.RFC1123Z)}, {"Message-ID", id}}
		if sender.addr != from.addr {
			set = append(set, header{"Sender", formatAddress(sender)})
		}
		raw, err = s.files.rewrite(m.raw, set)
		o.kept = &mail{raw: raw, bcc: said.bcc}
	} else {
		d := said.clone()
		d.from, d.sender, d.date, d.messageID = from, sender, date, id
		raw, err = s.files.build(d)
		o.kept = &mail{raw: raw, c: d}
	}
	if err != nil {
		return nil, broken(err)
	}
	o.mail = mailOf(raw)
	return o, nil
}

// sendAs tells whom a mail is from and who is its sender, by the rights of who asks
// (outlook-send-mail-from-other-user): Send As does not show, Send on Behalf does.
func (c *request) sendAs(from *address) (*address, *address, *fault) {
	if from == nil || from.addr == "" {
		from = &address{c.named.Name, c.named.Address}
	}
	if from.name == "" && strings.EqualFold(from.addr, c.named.Address) {
		from = &address{c.named.Name, from.addr}
	}
	denied := &fault{http.StatusForbidden, "ErrorSendAsDenied", "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account. Cannot submit message."}
	switch {
	case c.user == nil && strings.EqualFold(from.addr, c.named.Address):
		return from, from, nil
	case c.user == nil:
		return nil, nil, denied
	case strings.EqualFold(from.addr, c.user.Address):
		return from, from, nil
	case !holds(c.scopes, "Mail.Send.Shared"):
		return nil, nil, &fault{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."}
	case holds(c.user.SendAs, from.addr):
		return from, from, nil
	case holds(c.user.OnBehalf, from.addr):
		return from, &address{c.user.Name, c.user.Address}, nil
	}
	return nil, nil, denied
}

// submit lets a mail out: to the outbox, to the mailboxes of this server and, for addresses
// at bounce.test, back as a report to the mailbox that it was sent from.
func (s *Server) submit(from *Mailbox, o *outgoing) {
	s.outMu.Lock()
	s.outbox = append(s.outbox, sent{mail: o.mail, to: o.to, time: from.now()})
	s.outMu.Unlock()
	done := map[*Mailbox]bool{}
	for _, a := range o.to {
		if strings.HasSuffix(strings.ToLower(a.addr), "@bounce.test") {
			from.receive(mailOf(blobOf(report(from, o.mail.content(), a.addr))))
		} else if b := s.mailboxOf(a.addr); b != nil && !done[b] {
			done[b] = true
			b.receive(mailOf(o.mail.raw))
		}
	}
}

// receive puts a mail into the inbox.
func (b *Mailbox) receive(m *mail) {
	b.lock()
	defer b.mu.Unlock()
	b.deliver(b.byFolder["inbox"], m)
}
