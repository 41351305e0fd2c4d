package connector

import (
	"context"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/graph"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Office365 sends through Microsoft Graph on behalf of an account that was associated.
// Only Account is required. Use it through a pointer, do not copy it and do not change it
// once it is used. It is safe for concurrent use and needs no closing.
//
// The account needs the permission Mail.Send; for mails over 3.5 MB Mail.ReadWrite too, and
// for another mailbox the .Shared twins of both.
type Office365 struct {
	Account         auth.Account  `key:"account" required:"true"`
	Mailbox         string        `key:"mailbox" format:"email"`            // whose mailbox sends; "" is the account's own, else a shared or send-as address
	SaveToSentItems *bool         `key:"save_to_sent_items" default:"true"` // nil is true; without a copy a doubt cannot be resolved
	Sender          string        `key:"sender" format:"mailbox"`           // of messages without From; "" is Mailbox
	Timeout         time.Duration `key:"timeout" default:"60s" min:"1s" max:"30m" advanced:"true"`

	accounts *auth.Accounts // of Kinds

	mu      sync.Mutex
	clients map[clientKey]*graph.Client
	asOwn   map[auth.Account]bool // Graph does not let the account into Mailbox: it sends from its own
	strays  []stray               // drafts that could not be deleted yet

	// Hooks of tests.
	sleep func(ctx context.Context, d time.Duration) error
	now   func() time.Time
}

type clientKey struct {
	account auth.Account
	mailbox string
}

var (
	_ router.MailSender      = (*Office365)(nil)
	_ router.MailResolver    = (*Office365)(nil)
	_ router.DefaultSender   = (*Office365)(nil)
	_ vaguemestre.Checker    = (*Office365)(nil)
	_ vaguemestre.Endpointer = (*Office365)(nil)
	_ settings.Labeler       = (*Office365)(nil)
	_ settings.Validator     = (*Office365)(nil)
)

// Kind returns "office365".
func (o *Office365) Kind() string { return "office365" }

// String names the mailbox and the account: "office365 accueil@mondaine.fr (account compta)".
func (o *Office365) String() string {
	if o == nil {
		return "<nil>"
	}
	s := "office365 "
	if o.Mailbox != "" {
		s += o.Mailbox + " "
	}
	return s + "(account " + o.Account.Name() + ")"
}

// Format writes the same as String, whatever the verb and flags.
func (o *Office365) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// DefaultSender returns Sender, or Mailbox, or "": Microsoft 365 then puts in the address of
// the account.
func (o *Office365) DefaultSender() string {
	if o.Sender != "" {
		return o.Sender
	}
	return o.Mailbox
}

// Endpoints returns where tokens are issued, Microsoft Graph, and where attachments of 3 MB
// and more are handed over. Of an account that is not known yet they are those of the
// worldwide cloud.
func (o *Office365) Endpoints() []vaguemestre.Endpoint {
	a, err := o.accounts.Resolve(o.Account)
	if err != nil {
		a = auth.Account{}
	}
	return graph.Endpoints(a, "to send mail", "to hand over attachments of 3 MB and more")
}

func (o *Office365) saves() bool { return o.SaveToSentItems == nil || *o.SaveToSentItems }

// client returns the client for a mailbox of an account; "" is its own.
func (o *Office365) client(a auth.Account, mailbox string) (*graph.Client, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := clientKey{a, mailbox}
	if c, ok := o.clients[k]; ok {
		return c, nil
	}
	c, err := graph.New(a, mailbox, &graph.Options{Timeout: o.Timeout, Sleep: o.sleep, Now: o.now})
	if err != nil {
		return nil, err
	}
	if o.clients == nil {
		o.clients = map[clientKey]*graph.Client{}
	}
	o.clients[k] = c
	return c, nil
}

// identity is who sends.
type identity struct {
	account auth.Account
	app     bool   // nobody signed in: the application itself sends
	user    string // who signed in; "" if it is not known
	mailbox string // "" is the account's own
}

// who resolves the account. It asks nobody but the token store.
func (o *Office365) who(ctx context.Context) (identity, error) {
	a, err := o.accounts.Resolve(o.Account)
	if err != nil {
		return identity{}, err
	}
	id := identity{account: a, mailbox: o.Mailbox}
	if m, ok := a.Provider().(*auth.Microsoft); ok {
		id.app = m.Grant == auth.Application
	}
	if id.app {
		return id, nil
	}
	// An account that cannot be looked up says so better when its token is needed.
	if st, err := a.Status(ctx); err == nil {
		if p, err := mail.ParseAddress(st.User); err == nil {
			id.user = p.Address
		}
	}
	if id.user != "" && strings.EqualFold(id.user, id.mailbox) {
		id.mailbox = ""
	}
	return id, nil
}

// shared reports whether another mailbox than the account's own sends, on behalf of who
// signed in.
func (id identity) shared() bool { return id.mailbox != "" && !id.app }

// excluded remembers, or tells, that Graph does not let the account into Mailbox.
func (o *Office365) excluded(a auth.Account, learned bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if learned {
		if o.asOwn == nil {
			o.asOwn = map[auth.Account]bool{}
		}
		o.asOwn[a] = true
	}
	return o.asOwn[a]
}
