package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// office365 does the same with Microsoft 365, which a fake in this process plays: associates an
// account, sends to a shared mailbox, and collects that into the directory dir.
func office365(ctx context.Context, out io.Writer, st *sqlite.Store, dir string) error {
	srv, err := graphtest.Start(nil)
	if err != nil {
		return err
	}
	defer srv.Close()
	const person, shared = "compta@mondaine.fr", "factures@mondaine.fr"
	srv.AddUser(graphtest.User{Address: person, Language: "fr", FullAccess: []string{shared}})
	box := srv.AddUser(graphtest.User{Address: shared, Language: "fr", Shared: true})

	// associate: somebody types a code at Microsoft's page
	ms := srv.Provider(st.Tokens())
	ms.Roles = []auth.Role{auth.RoleSend, auth.RoleSendLarge, auth.RoleCollect, auth.RoleShared}
	account := ms.Account("compta")
	flow, err := account.Begin(ctx, nil)
	if err != nil {
		return err
	}
	p := flow.Progress()
	fmt.Fprintf(out, "\nMicrosoft 365, played by a fake: open %s and type %s. The fake does that now.\n", p.URL, p.UserCode.Reveal())
	if err := srv.Approve(p.UserCode.Reveal(), graphtest.Consent{User: person}); err != nil {
		return err
	}
	if p, err = flow.Wait(ctx, nil); err != nil {
		return err
	}
	fmt.Fprintf(out, "The account is associated: %s, granted %s.\n", p.User, strings.Join(p.Granted, " "))

	// send: one mail in a single request, one whose attachment goes up in parts
	var rt router.Router
	defer rt.Close()
	if err := rt.AddConnector("compta", &connector.Office365{Account: account}); err != nil {
		return err
	}
	mail := router.Mail{Router: &rt}
	if err := rt.SetDefault(mail, "compta"); err != nil {
		return err
	}
	for _, a := range []router.Attachment{
		router.Bytes("Facture été n°115.pdf", "", []byte("%PDF-1.4\n% facture 115\n%%EOF\n")),
		router.Bytes("Plan de masse.tif", "", bytes.Repeat([]byte("plan."), 1<<20)),
	} {
		receipt, err := mail.Send(ctx, &router.Message{To: []string{shared}, Subject: a.Name, Text: "Bonjour", Attachments: []router.Attachment{a}}, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "A mail with %q was sent to %s: %s, through connector %q.\n", a.Name, shared, receipt.State, receipt.Connector)
	}

	// collect: the shared mailbox, as the product notes it
	took := 0
	job := cold.Job{Name: "office365", Sink: cold.Dir(dir), Ledger: st.Ledger(), After: cold.MoveTo("Traités"),
		Launcher: &launcher.Office365{Account: account, Mailbox: shared + ":inbox"},
		OnDecision: func(d cold.Decided) {
			took++
			fmt.Fprintf(out, "  %s  %d  %s\n", d.Name, d.Size, d.Decision)
		}}
	if _, err := job.Run(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "Collected from %q: %d mails are in %q now.\n", "Boîte de réception", len(box.Messages("Traités")), "Traités")
	before := took
	if _, err := job.Run(ctx); err != nil {
		return err
	}
	if took != before {
		return fmt.Errorf("the second pass of %s took %d documents again", job.Name, took-before)
	}
	fmt.Fprintln(out, "A second pass took nothing.")
	return nil
}
