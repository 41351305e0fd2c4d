package router

import "context"

// Connector is how something is sent. It is a settings struct, used through a pointer:
// its exported fields with a tag "key" are its settings, and they do not change once it
// was given to a [Router].
//
// It may be an [io.Closer] (the router closes it, once, when nothing uses it any more), a
// [github.com/vaguemestre/vaguemestre.Checker] and a
// [github.com/vaguemestre/vaguemestre.Endpointer].
type Connector interface {
	Kind() string // as registered: "smtp"
}

// Service is what is sent. A host's own service implements it, calls [Router.Resolve] and
// talks to the connector it gets; see [Mail].
type Service interface {
	// Name is stable: it is what stored routers and files use: "mail".
	Name() string

	// Compatible tells whether c can carry the service; usually a type assertion. It is
	// asked when wiring and at each Resolve: no I/O, no call into the router, and it works
	// on a zero value of the service and of the connector.
	Compatible(c Connector) bool
}

// Requirer is an optional ability of a [Service]: what a connector must implement, for the
// error that refuses one that does not: "router.MailSender".
type Requirer interface {
	Requires() string
}

// MailSender is what a connector implements to carry the mail service. Each sentence below
// has its case in package routertest; run routertest.TestMailSender on every implementation.
type MailSender interface {
	Connector

	// SendMail sends m once to each of m.Recipients and tells what became of it.
	//
	// SendMail is safe for concurrent use. It does not change m. An invalid message is
	// refused before any connection; Message.Check says which one is.
	//
	// The far side gets every attachment byte for byte. If an attachment cannot be opened
	// or read to its end, nothing is sent. What was opened is closed when SendMail returns.
	// Text in any script arrives as it was written. Bcc stands in no header. The
	// Message-ID is that of m, and so is the Date, unless the far side stamps its own.
	// Reports that m.DSN wants are asked for, or the receipt's Notes say that they could not
	// be.
	//
	// The receipt is non-nil once the dialogue began. It has every recipient once, with a
	// state of its own. err != nil only if no recipient was accepted. If no recipient was
	// accepted, err is non-nil. One refused recipient does not cost the others their mail.
	// The error is a *vaguemestre.Error: its class is rejected, deferred or in_doubt once
	// recipients were answered.
	//
	// If the connection is lost after the whole content was handed over, the state is
	// in_doubt. A message in doubt is not sent again by the connector.
	//
	// When ctx ends, SendMail returns within a second. No recipient is then accepted that
	// the receipt does not call accepted or in_doubt.
	SendMail(ctx context.Context, m *Message) (*Receipt, error)
}

// MailResolver is an optional ability of a [MailSender]: what became of m, found by its
// Message-ID, after a crash or a doubt. The state is Accepted, or Deferred when m was
// certainly not sent, or InDoubt when that is still unknown. It sends nothing.
type MailResolver interface {
	ResolveMail(ctx context.Context, m *Message) (State, error)
}

// DefaultSender is an optional ability of a [MailSender]: the address that it uses for a
// message without From. It does no I/O; "" is none. Its domain becomes that of Message-IDs.
type DefaultSender interface {
	DefaultSender() string
}
