package launcher

import (
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

func register(r *settings.Registry[cold.Launcher]) error {
	return r.Register(settings.Kind[cold.Launcher]{
		Name:  "imap",
		Title: settings.Text{EN: "Mailbox (IMAP)", FR: "Boîte aux lettres (IMAP)"},
		Help: settings.Text{EN: "Collects the mails of one folder of a mailbox.",
			FR: "Collecte les messages d'un dossier d'une boîte aux lettres."},
		New: func() cold.Launcher { return &IMAP{} },
	})
}
