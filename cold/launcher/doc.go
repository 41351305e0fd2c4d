// Package launcher has the launchers: each looks into one kind of source and brings
// what waits there to a [cold.Job].
//
//	job := cold.Job{
//		Name: "factures",
//		Launcher: &launcher.IMAP{Host: "imap.mondaine.fr", Account: "compta@mondaine.fr",
//			Password: settings.Secret(os.Getenv("IMAP_PASSWORD")), Source: "Factures"},
//		After: cold.MoveTo("Traités"),
//		…
//	}
//
// A launcher is a struct of settings; [Kinds] knows them by the name that files and
// forms use. [IMAP.Check] proves step by step that the settings work and changes
// nothing; [IMAP.Endpoints] tells what a firewall must open.
//
// [Office365] collects from Microsoft 365 through Microsoft Graph, for an account that was
// associated (package auth):
//
//	ms := &auth.Microsoft{ClientID: id, Roles: []auth.Role{auth.RoleCollect, auth.RoleShared}, Tokens: st.Tokens()}
//	l := &launcher.Office365{Account: ms.Account("compta"), Mailbox: "accueil@mondaine.fr:inbox"}
//
// A mailbox that moves from IMAP to Microsoft 365 is not imported again if the job keeps its
// name and ledger: each mail is read once more and recognised by its Message-ID and the
// content of its documents.
//
// [POP3] is for servers without IMAP. The TLS tunnel that such servers were once reached
// through, stunnel in client mode, still works and is no longer needed:
//
//	tunnel := &launcher.POP3{Host: "127.0.0.1", Port: 10110, TLS: launcher.TLSNone, AllowInsecureAuth: true, …}
//	direct := &launcher.POP3{Host: "pop.mondaine.fr", …} // port 995, its certificate verified
//
// Folders are named as people see them, in any language: Source "Factures/2026" finds
// INBOX.Factures.2026 on a server that writes it so, and a target of a move that does
// not exist is made, and subscribed to so that mail programs show it.
package launcher
