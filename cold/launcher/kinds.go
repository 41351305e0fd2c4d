package launcher

import (
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

func register(r *settings.Registry[cold.Launcher], accounts *auth.Accounts) error {
	return r.Register(settings.Kind[cold.Launcher]{
		Name:  "imap",
		Title: settings.Text{EN: "Mailbox (IMAP)", FR: "Boîte aux lettres (IMAP)"},
		Help: settings.Text{EN: "Collects the mails of one folder of a mailbox.",
			FR: "Collecte les messages d'un dossier d'une boîte aux lettres."},
		New: func() cold.Launcher { return &IMAP{accounts: accounts} },
	}, settings.Kind[cold.Launcher]{
		Name:  "office365",
		Title: settings.Text{EN: "Mailbox (Microsoft 365)", FR: "Boîte aux lettres (Office 365)"},
		Help: settings.Text{EN: "Collects the mails of one folder of a mailbox through Microsoft Graph.",
			FR: "Collecte les messages d'un dossier d'une boîte aux lettres par l'API Graph de Microsoft."},
		New: func() cold.Launcher { return &Office365{accounts: accounts} },
	}, settings.Kind[cold.Launcher]{
		Name:  "pop3",
		Title: settings.Text{EN: "Mailbox (POP3)", FR: "Boîte aux lettres (POP3)"},
		Help: settings.Text{EN: "Collects the mails of a mailbox by POP3, for servers without IMAP.",
			FR: "Collecte les messages d'une boîte aux lettres par POP3, pour les serveurs sans IMAP."},
		New: func() cold.Launcher { return &POP3{accounts: accounts} },
	}, settings.Kind[cold.Launcher]{
		Name:  "folder",
		Title: settings.Text{EN: "Watched directory", FR: "Répertoire surveillé"},
		Help: settings.Text{EN: "Collects the files that are put into a directory, local or shared.",
			FR: "Collecte les fichiers déposés dans un répertoire, local ou partagé."},
		New: func() cold.Launcher { return &Folder{} },
	})
}
