package launcher

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/graph"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Listing is how Office365 finds what waits.
type Listing string

const (
	ListingDelta Listing = "delta" // what has changed since the last run; the default
	ListingFull  Listing = "full"  // the whole folder each time
)

// Office365 collects one folder of a Microsoft 365 mailbox through Microsoft Graph. Only
// Account is required; an account of an application needs Mailbox too. It supports all
// after-actions; move and tag need a Target. What is deleted lies in Deleted Items until
// somebody empties that folder. Drafts are collected from the folder "drafts" alone.
//
// A message keeps its key wherever it lies in the mailbox: one that a person puts back into
// the folder is not collected again.
//
// Its methods are safe for concurrent use; the fields must not change meanwhile.
type Office365 struct {
	Account auth.Account  `key:"account" required:"true"`
	Mailbox string        `key:"mailbox"`                // "" is the account's own; "adresse@domaine" or "adresse@domaine:inbox" a shared one
	Source  string        `key:"source" default:"inbox"` // a well-known name, or a path as people see it: "Boîte de réception/Factures"; what Mailbox names after ":" counts if this is "" or "inbox"
	Listing Listing       `key:"listing" default:"delta" enum:"delta,full" advanced:"true"`
	Timeout time.Duration `key:"timeout" default:"60s" min:"1s" max:"30m" advanced:"true"`

	accounts *auth.Accounts // of Kinds
	hooks    graph.Options  // Sleep and Now, of tests
}

var (
	_ cold.Launcher          = (*Office365)(nil)
	_ vaguemestre.Checker    = (*Office365)(nil)
	_ vaguemestre.Endpointer = (*Office365)(nil)
	_ settings.Validator     = (*Office365)(nil)
)

// Kind is the name of this launcher in settings: "office365".
func (l *Office365) Kind() string { return "office365" }

// String names the launcher in logs: "office365 account, compta@mondaine.fr:inbox", without
// a secret.
func (l *Office365) String() string {
	if l == nil {
		return "<nil>"
	}
	return "office365 " + l.Account.Name() + ", " + l.address() + ":" + l.source()
}

// Format writes the same as String, whatever the verb and flags.
func (l *Office365) Format(f fmt.State, _ rune) { io.WriteString(f, l.String()) }

// address is the mailbox without the folder that the product's notation adds to it.
func (l *Office365) address() string {
	address, _, _ := strings.Cut(l.Mailbox, ":")
	return strings.TrimSpace(address)
}

func (l *Office365) source() string {
	source := strings.TrimSpace(l.Source)
	if source == "" || strings.EqualFold(source, "inbox") {
		_, folder, _ := strings.Cut(l.Mailbox, ":")
		if folder = strings.TrimSpace(folder); folder != "" {
			return folder
		}
		return "inbox"
	}
	return source
}

func (l *Office365) timeout() time.Duration {
	if l.Timeout <= 0 {
		return 60 * time.Second
	}
	return l.Timeout
}

// Endpoints implements [vaguemestre.Endpointer]. An account that is not known yet is taken
// for one of the worldwide cloud.
func (l *Office365) Endpoints() []vaguemestre.Endpoint {
	account, err := l.accounts.Resolve(l.Account)
	if err != nil {
		account = l.Account
	}
	return graph.Endpoints(account, "to collect mail", "")
}

// isAddress tells whether s can be the address of a mailbox, or its user's name. It goes
// into a URL, escaped.
func isAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && len(s) <= 320 && !strings.Contains(domain, "@") &&
		!strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`/\<>"`, c) })
}

// ValidateSettings implements [settings.Validator]: the mailbox, and whether the accounts of
// [Kinds] know the account. One that they do not know yet is missing and not wrong.
func (l *Office365) ValidateSettings() []settings.Issue {
	var is []settings.Issue
	add := func(path, code, en, fr string) {
		is = append(is, settings.Issue{Path: path, Code: code, Message: settings.Text{EN: en, FR: fr}})
	}
	if address := l.address(); address != "" && !isAddress(address) || address == "" && strings.TrimSpace(l.Mailbox) != "" {
		add("mailbox", settings.CodeBadFormat, "is no address: enter it as adresse@domaine, or adresse@domaine:inbox",
			"adresse invalide : la saisir sous la forme adresse@domaine ou adresse@domaine:inbox")
	}
	if strings.ContainsAny(l.source(), "\x00\r\n") {
		add("source", settings.CodeBadFormat, "holds a line end: enter it again", "contient un saut de ligne : à saisir de nouveau")
	}
	account := l.Account
	if l.accounts != nil && account.Name() != "" && !account.Bound() {
		var ok bool
		if account, ok = l.accounts.Get(account.Name()); !ok {
			add("account", settings.CodeRequired, "is not known yet: add this account, or choose another",
				"compte encore inconnu : l'ajouter ou en choisir un autre")
		}
	}
	if !account.Bound() {
		return is
	}
	if _, ok := account.Provider().(*auth.Microsoft); !ok {
		add("account", settings.CodeNotOneOf, "is no Microsoft account: choose one", "n'est pas un compte Microsoft : en choisir un")
	} else if isApplication(account) && l.address() == "" {
		add("mailbox", settings.CodeRequired, "is needed: an account of an application has no mailbox of its own",
			"obligatoire : un compte d'application n'a pas de boîte propre")
	}
	return is
}

// isApplication tells whether nobody signs in for the account: it has no /me then.
func isApplication(a auth.Account) bool {
	m, ok := a.Provider().(*auth.Microsoft)
	return ok && m.Grant == auth.Application
}

// valid finds what Connect cannot work with.
func (l *Office365) valid() error {
	if l.Listing != "" && l.Listing != ListingDelta && l.Listing != ListingFull {
		return errOffice("settings", vaguemestre.ClassConfig, "listing is %q: use delta or full", l.Listing)
	}
	for _, i := range l.ValidateSettings() {
		if i.Path != "account" { // Connect has better words for those
			return errOffice("settings", vaguemestre.ClassConfig, "%s %s", i.Path, i.Message.EN)
		}
	}
	return nil
}

// Supports implements [cold.Launcher].
func (l *Office365) Supports(a cold.After) error {
	bad := func(format string, args ...any) error {
		return errOffice("after", vaguemestre.ClassConfig, format, args...)
	}
	switch a.Do {
	case "", cold.DoLeave, cold.DoSeen, cold.DoDelete:
		return nil
	case cold.DoMove:
		if strings.Trim(a.Target, " /") == "" {
			return bad("move needs a target: name the folder")
		}
	case cold.DoTag:
		if strings.TrimSpace(a.Target) == "" {
			return bad("tag needs a target: name the category")
		}
		// Outlook parts the categories of a message by these.
		if len(a.Target) > 255 || strings.ContainsAny(a.Target, ",;") {
			return bad("the category %s is longer than 255 bytes or holds a comma or semicolon: choose another name", quote(a.Target))
		}
	default:
		return bad("%q is unknown: use leave, seen, tag, move or delete", a.Do)
	}
	if strings.ContainsAny(a.Target, "\x00\r\n") {
		return bad("the target %s holds a line end: enter it again", quote(a.Target))
	}
	return nil
}
