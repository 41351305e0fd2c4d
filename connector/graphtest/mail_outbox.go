package graphtest

import (
	"slices"
	"sync"
	"time"
)

// mailState is what the mail part keeps on a server. Its zero value is ready.
type mailState struct {
	files tempFiles // of all mailboxes; closed with the server

	outMu  sync.Mutex
	outbox []sent

	uploadMu sync.Mutex
	sessions map[string]*uploadSession // by the token of their URL
}

// sent is one mail that went out.
type sent struct {
	mail *mail
	to   []address
	time time.Time
}

// Outbox returns every message that was sent from anywhere, in order, as the recipients get
// it: Raw is without Bcc.
func (s *Server) Outbox() []Message {
	s.outMu.Lock()
	list := slices.Clone(s.outbox)
	s.outMu.Unlock()
	out := make([]Message, len(list))
	for i, o := range list {
		c := o.mail.content()
		m := Message{Raw: o.mail.raw.whole(), MessageID: c.messageID, Received: o.time, Sent: true}
		if c.from != nil {
			m.From = c.from.addr
		}
		for _, a := range o.to {
			m.To = append(m.To, a.addr)
		}
		out[i] = m
	}
	return out
}
