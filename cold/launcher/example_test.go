package launcher_test

import (
	"fmt"

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
