package launcher

import (
	"context"
	"errors"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Listing is how Office365 finds what waits.
type Listing string

const (
	ListingDelta Listing = "delta" // what has changed since the last run; the default
	ListingFull  Listing = "full"  // the whole folder each time
)

// Office365 collects one folder of a Microsoft 365 mailbox through Microsoft Graph. Only
// Account is required. It supports all after-actions; move and tag need a Target.
//
// Its methods are safe for concurrent use; the fields must not change meanwhile.
type Office365 struct {
	Account auth.Account  `key:"account" required:"true"`
	Mailbox string        `key:"mailbox"`                // "" is the account's own; "adresse@domaine" or "adresse@domaine:inbox" a shared one
	Source  string        `key:"source" default:"inbox"` // a well-known name, or a path as people see it: "Boîte de réception/Factures"
	Listing Listing       `key:"listing" default:"delta" enum:"delta,full" advanced:"true"`
	Timeout time.Duration `key:"timeout" default:"60s" min:"1s" max:"30m" advanced:"true"`

	accounts *auth.Accounts // of Kinds
}

var (
	_ cold.Launcher          = (*Office365)(nil)
	_ vaguemestre.Checker    = (*Office365)(nil)
	_ vaguemestre.Endpointer = (*Office365)(nil)
)

var errTodo = errors.New("not written yet")

// Kind is the name of this launcher in settings: "office365".
func (l *Office365) Kind() string { return "office365" }

// Supports implements [cold.Launcher].
func (l *Office365) Supports(a cold.After) error { return nil }

// Connect implements [cold.Launcher].
func (l *Office365) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	return nil, errTodo
}

// Check …
func (l *Office365) Check(ctx context.Context, step func(vaguemestre.Step)) error { return errTodo }

// Endpoints implements [vaguemestre.Endpointer].
func (l *Office365) Endpoints() []vaguemestre.Endpoint { return nil }

// Labels gives the texts of the settings form.
func (l *Office365) Labels() map[string]settings.Label {
	t := func(en, fr, helpEN, helpFR string) settings.Label {
		return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
	}
	return map[string]settings.Label{
		"account": t("Account", "Compte", "", ""),
		"mailbox": t("Mailbox", "Boîte mail", "", ""),
		"source":  t("Source path", "Chemin source", "", ""),
		"listing": t("Listing", "Recherche", "", ""),
		"timeout": t("Timeout", "Délai d'attente", "", ""),
	}
}
