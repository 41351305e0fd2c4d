package examples

import (
	"path/filepath"
	"testing"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// TestHostCode: the lines that the documentation shows do what they say, with nothing between
// them that it does not show: a second instance sends through Microsoft 365, and a job collects
// what arrived there.
func TestHostCode(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	srv, err := graphtest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	box := srv.AddUser(graphtest.User{Address: "florian@mondaine.fr", Language: "fr"})

	key, err := settings.ParseKey(demo.Key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := settings.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	st, err := sqlite.Open(ctx, filepath.Join(dir, "state.db"), &sqlite.Options{Key: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()

	ms := &auth.Microsoft{ClientID: srv.ClientID, Tokens: st.Tokens(), Authority: srv.URL, GraphURL: srv.URL, CAFile: srv.CAFile}
	if err := srv.SignIn(ctx, ms.Account("florian@mondaine.fr"), "florian@mondaine.fr"); err != nil {
		t.Fatal(err)
	}
	var rt router.Router
	defer rt.Close()
	mail := router.Mail{Router: &rt}
	if err := rt.AddConnector("compta", &connector.Office365{Account: ms.Account("florian@mondaine.fr")}); err != nil {
		t.Fatal(err)
	}
	if err := rt.AddInstance(mail, "relances", router.Instance{Connector: "compta"}); err != nil {
		t.Fatal(err)
	}
	msg := &router.Message{To: []string{"florian@mondaine.fr"}, Subject: "Relance", Text: "Bonjour",
		Attachments: []router.Attachment{router.Bytes("facture.pdf", "", []byte("%PDF-1.4"))}}
	receipt, err := mail.Send(ctx, msg, &router.SendOptions{Instance: "relances"})
	if err != nil || receipt.State != router.Accepted || receipt.Connector != "compta" {
		t.Fatalf("%+v, %v", receipt, err)
	}

	job := cold.Job{Name: "factures", Sink: cold.Dir(filepath.Join(dir, "in")), Ledger: st.Ledger(),
		Launcher: &launcher.Office365{Account: ms.Account("florian@mondaine.fr"), Source: "inbox"}, After: cold.MoveTo("Traités")}
	if s, err := job.Run(ctx); err != nil || s.Delivered != 1 || len(box.Messages("Traités")) != 1 {
		t.Errorf("%+v, %v; folders %q", s, err, box.Folders())
	}
}
