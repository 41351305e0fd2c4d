package router

import "context"

// Connector is how something is sent. It is a settings struct, used through a pointer.
// It may be an io.Closer (the router closes it), a [vaguemestre.Checker] and a
// [vaguemestre.Endpointer].
type Connector interface {
	Kind() string // as registered: "smtp"
}

// Service is what is sent.
type Service interface {
	Name() string                // stable: "mail"
	Compatible(c Connector) bool // asked when wiring; no I/O; works on a zero value
}

// MailSender is what a connector implements to carry the mail service.
type MailSender interface {
	Connector
	// SendMail: the receipt is non-nil once the dialogue began; err != nil only if no
	// recipient was accepted.
	SendMail(ctx context.Context, m *Message) (*Receipt, error)
}

// MailResolver is an optional ability of a MailSender: what became of m after a crash or a doubt.
type MailResolver interface {
	ResolveMail(ctx context.Context, m *Message) (State, error)
}
