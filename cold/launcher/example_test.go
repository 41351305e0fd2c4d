package launcher_test

import (
	"fmt"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
)

func ExampleIMAP() {
	l := &launcher.IMAP{Host: "imap.mondaine.fr", Account: "compta@mondaine.fr", Password: "…", Source: "Factures/2026"}
	for _, e := range l.Endpoints() {
		fmt.Printf("open %s:%d to %s\n", e.Host, e.Port, e.Reason)
	}
	fmt.Println(l.Supports(cold.MoveTo("Traités")))
	fmt.Println(l.Supports(cold.Tag("Traité")))
	// Output:
	// open imap.mondaine.fr:993 to collect mail by IMAP (implicit)
	// <nil>
	// imap: after: tag needs a target of plain letters and digits without blanks or accents, such as Archived: "Traité" is none
}

func ExampleOffice365() {
	ms := &auth.Microsoft{ClientID: "11111111-2222-3333-4444-555555555555", Tokens: &auth.Memory{}}
	l := &launcher.Office365{Account: ms.Account("compta"), Mailbox: "accueil@mondaine.fr:inbox"}
	fmt.Println(l)
	for _, e := range l.Endpoints() {
		fmt.Printf("open %s:%d\n", e.Host, e.Port)
	}
	fmt.Println(l.Supports(cold.Tag("À traiter")))
	fmt.Println(l.Supports(cold.MoveTo("")))
	// Output:
	// office365 compta, accueil@mondaine.fr:inbox
	// open login.microsoftonline.com:443
	// open graph.microsoft.com:443
	// <nil>
	// office365: after: move needs a target: name the folder
}
