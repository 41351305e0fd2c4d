package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Pickup carries the mail service: it puts each mail as a file into the pickup directory
// of a mail server, which takes it from there. X-Sender and X-Receiver lines at the top
// are the envelope, as the pickup service of IIS reads it and removes it.
//
// Guarantee: what is called accepted survives a power cut.
type Pickup struct {
	Dir    string `key:"dir" required:"true" format:"path"`
	Sender string `key:"sender" format:"email"`
}

var (
	_ router.MailSender    = (*Pickup)(nil)
	_ router.DefaultSender = (*Pickup)(nil)
)

// Kind is what stored settings call it.
func (*Pickup) Kind() string { return "pickup" }

// DefaultSender is used for a message without From.
func (p *Pickup) DefaultSender() string { return p.Sender }

// Labels gives the texts of its form.
func (*Pickup) Labels() map[string]settings.Label {
	return map[string]settings.Label{
		"dir": {Name: settings.Text{EN: "Pickup directory", FR: "Répertoire de dépôt"},
			Help: settings.Text{EN: "Where the mail server takes mails from.", FR: "Là où le serveur de messagerie prend les courriels."}},
		"sender": {Name: settings.Text{EN: "Sender", FR: "Expéditeur"},
			Help: settings.Text{EN: "Address of messages that name no sender of their own.", FR: "Adresse des messages qui n'indiquent pas leur propre expéditeur."}},
	}
}

var pickupKind = settings.Kind[router.Connector]{
	Name:  "pickup",
	Title: settings.Text{EN: "Pickup directory of a mail server", FR: "Répertoire de dépôt d'un serveur de messagerie"},
	New:   func() router.Connector { return new(Pickup) },
}

// SendMail implements [router.MailSender]; the suite of package routertest proves it.
func (p *Pickup) SendMail(ctx context.Context, m *router.Message) (*router.Receipt, error) {
	fail := func(c vaguemestre.Class, err error) error {
		if ctx.Err() != nil {
			c, err = vaguemestre.ClassCanceled, ctx.Err()
		}
		return &vaguemestre.Error{Op: "pickup: send", Class: c, Err: err}
	}
	if err := m.Check(); err != nil { // also keeps line ends out of the envelope
		return nil, err
	}
	to, err := m.Recipients()
	if err != nil {
		return nil, fail(vaguemestre.ClassPoison, err)
	}
	from, err := m.Sender(p.Sender)
	if err != nil {
		return nil, fail(vaguemestre.ClassPoison, err)
	}
	if from.Address == "" {
		return nil, fail(vaguemestre.ClassPoison, errors.New("no sender: set From, or sender in the connector's settings"))
	}
	var unreadable error // an attachment's, not the directory's
	name, err := writeWhole(p.Dir, ".eml", func(w io.Writer) error {
		w = &ctxWriter{ctx, w}
		fmt.Fprintf(w, "X-Sender: <%s>\r\n", from.Address)
		for _, a := range to {
			fmt.Fprintf(w, "X-Receiver: <%s>\r\n", a)
		}
		var err error
		unreadable, err = writeMail(w, m, from)
		return errors.Join(unreadable, err)
	})
	state := router.Accepted
	switch {
	case err == nil:
	case errors.Is(err, errUnsure): // the mail server may have it, or not
		state, err = router.InDoubt, fail(vaguemestre.ClassInDoubt, err)
	case unreadable != nil:
		return nil, fail(vaguemestre.ClassPoison, unreadable)
	default:
		return nil, fail(vaguemestre.ClassSource, fmt.Errorf("make sure that the directory exists and can be written: %w", err))
	}
	receipt := &router.Receipt{MessageID: m.MessageID, State: state, Ref: name}
	if m.DSN != nil { // said, not hidden: a file cannot ask for it
		receipt.Notes = append(receipt.Notes, "delivery reports were not asked for: a pickup directory cannot")
	}
	for _, a := range to {
		receipt.Recipients = append(receipt.Recipients, router.Recipient{Address: a, State: state, Text: "left for pickup as " + name})
	}
	return receipt, err
}

// ctxWriter fails once ctx ended, so that a large mail does not hold a caller up.
type ctxWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w *ctxWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
