package launcher

import "github.com/vaguemestre/vaguemestre/settings"

func label(en, fr, helpEN, helpFR string) settings.Label {
	return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
}

// imapLabels is never changed.
var imapLabels = map[string]settings.Label{
	"host": label("Server", "Adresse du serveur",
		"Name of the IMAP server, such as imap.mondaine.fr.",
		"Nom du serveur IMAP, par exemple imap.mondaine.fr."),
	"port": label("Port", "Port",
		"Empty: 993 with TLS from the start, otherwise 143.",
		"Vide : 993 avec TLS dès le début, sinon 143."),
	"tls": label("Encryption", "Chiffrement",
		"implicit: TLS from the first byte (usual). starttls: TLS by command. none: only on a network that is trusted.",
		"implicit : TLS dès le premier octet (usuel). starttls : TLS par commande. none : seulement sur un réseau de confiance."),
	"account": label("Account", "Compte",
		"Name of the account, usually its mail address.",
		"Nom du compte, en général son adresse électronique."),
	"password": label("Password", "Mot de passe",
		"Password of the account. Google, and accounts with two-factor sign-in, want an app password.",
		"Mot de passe du compte. Google et les comptes à double authentification exigent un mot de passe d'application."),
	"oauth_account": label("OAuth2 account", "Compte OAuth2",
		"An associated account that logs in with a token in place of the password.",
		"Un compte associé qui se connecte par jeton, à la place du mot de passe."),
	"auth": label("Authentication", "Authentification",
		"auto chooses the safest that the server offers. With xoauth2 and oauthbearer the password is an access token.",
		"auto choisit la méthode la plus sûre que propose le serveur. Avec xoauth2 et oauthbearer, le mot de passe est un jeton d'accès."),
	"source": label("Source folder", "Dossier source",
		"Folder to collect, such as INBOX or Factures/2026.",
		"Dossier à relever, par exemple INBOX ou Factures/2026."),
	"ca_file": label("Certificate authority", "Autorité de certification",
		"PEM file of the authority that signed the server's certificate, if it is not a public one.",
		"Fichier PEM de l'autorité qui a signé le certificat du serveur, si elle n'est pas publique."),
	"server_name": label("Name in the certificate", "Nom dans le certificat",
		"Only if it differs from the server's name.",
		"Seulement s'il diffère du nom du serveur."),
	"timeout": label("Timeout", "Délai d'attente",
		"Longest silence of the server before the connection is given up.",
		"Silence maximal du serveur avant l'abandon de la connexion."),
	"allow_insecure_auth": label("Allow password in clear", "Autoriser le mot de passe en clair",
		"Sends the password over an unencrypted line. Only on a network that is trusted.",
		"Envoie le mot de passe sur une liaison non chiffrée. Seulement sur un réseau de confiance."),
}
