package connector

import (
	"context"
	"errors"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Office365 sends through Microsoft Graph on behalf of an account that was associated.
// Only Account is required. Use it through a pointer and do not change it once it is used.
// It is safe for concurrent use and needs no closing.
type Office365 struct {
	Account         auth.Account  `key:"account" required:"true"`
	Mailbox         string        `key:"mailbox" format:"email"`            // whose mailbox sends; "" is the account's own, else a shared or send-as address
	SaveToSentItems *bool         `key:"save_to_sent_items" default:"true"` // nil is true; without a copy a doubt cannot be resolved
	Sender          string        `key:"sender" format:"mailbox"`           // of messages without From; "" is Mailbox
	Timeout         time.Duration `key:"timeout" default:"60s" min:"1s" max:"30m" advanced:"true"`

	accounts *auth.Accounts // of Kinds
}

var (
	_ router.MailSender      = (*Office365)(nil)
	_ router.MailResolver    = (*Office365)(nil)
	_ router.DefaultSender   = (*Office365)(nil)
	_ vaguemestre.Checker    = (*Office365)(nil)
	_ vaguemestre.Endpointer = (*Office365)(nil)
)

var errTodo = errors.New("not written yet")

// Kind returns "office365".
func (o *Office365) Kind() string { return "office365" }

// DefaultSender returns Sender, or Mailbox, or "".
func (o *Office365) DefaultSender() string { return "" }

// SendMail …
func (o *Office365) SendMail(ctx context.Context, m *router.Message) (*router.Receipt, error) {
	return nil, errTodo
}

// ResolveMail …
func (o *Office365) ResolveMail(ctx context.Context, m *router.Message) (router.State, error) {
	return "", errTodo
}

// Check …
func (o *Office365) Check(ctx context.Context, step func(vaguemestre.Step)) error { return errTodo }

// Endpoints …
func (o *Office365) Endpoints() []vaguemestre.Endpoint { return nil }

// Labels gives the texts of the form.
func (o *Office365) Labels() map[string]settings.Label {
	l := func(en, fr, helpEN, helpFR string) settings.Label {
		return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
	}
	return map[string]settings.Label{
		"account":            l("Account", "Compte", "", ""),
		"mailbox":            l("Mailbox", "Boîte aux lettres", "", ""),
		"save_to_sent_items": l("Keep in Sent Items", "Conserver dans les éléments envoyés", "", ""),
		"sender":             l("Sender", "Expéditeur", "", ""),
		"timeout":            l("Timeout", "Délai d'attente", "", ""),
	}
}
