// Package examples compiles the host code that the README and docs/design.md show, so
// that it stays this short and true.
package examples

import (
	"context"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

var (
	ctx    = context.Background()
	secret settings.Secret
	id     string
	st     *sqlite.Store
	to     []string
	msg    *router.Message
)

func Example_send() {
	var rt router.Router
	defer rt.Close()
	err := rt.AddConnector("main", &connector.SMTP{Host: "smtp.example.org", Port: 465, TLS: connector.TLSImplicit,
		Account: "admin", Password: secret, Sender: "admin@example.org"})
	mail := router.Mail{Router: &rt}
	err = rt.SetDefault(mail, "main") // refuses a connector that cannot carry mail
	receipt, err := mail.Send(ctx, &router.Message{To: to, Subject: "Facture", Text: "Bonjour",
		Attachments: []router.Attachment{router.File("facture.pdf")}}, nil)

	// the same service, another instance
	ms := &auth.Microsoft{ClientID: id, Tokens: st.Tokens()}
	err = rt.AddConnector("compta", &connector.Office365{Account: ms.Account("florian@mondaine.fr")})
	err = rt.AddInstance(mail, "relances", router.Instance{Connector: "compta"})
	receipt, err = mail.Send(ctx, msg, &router.SendOptions{Instance: "relances"})
	_, _ = receipt, err
}

func Example_associate() {
	ms := &auth.Microsoft{ClientID: id, Tokens: st.Tokens()}
	flow, err := ms.Account("florian@mondaine.fr").Begin(ctx, nil)
	p := flow.Progress() // show p.URL and p.UserCode.Reveal() to who signs in
	p, err = flow.Wait(ctx, func(p auth.Progress) {})
	_, _ = p, err // approved: p.User, p.Granted, p.Missing
}

func Example_collect() {
	st, err := sqlite.Open(ctx, "state.db", nil)
	filter, err := cold.ParseFilter(`/.*\.(?!db).*/`)
	job := cold.Job{Name: "factures", Filters: cold.Filters{Include: []cold.Filter{filter}}, Sink: cold.Dir("/var/cold/in"), Ledger: st.Ledger(),
		Launcher: &launcher.IMAP{Host: "imap.example.org", Account: "factures", Password: secret, Source: "INBOX"}, After: cold.MoveTo("Traités")}
	summary, err := job.Run(ctx) // one pass; run it as often as you like
	_, _ = summary, err
}
