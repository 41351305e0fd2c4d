package connector

import (
	"fmt"
	"strings"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Kinds returns a new registry of the connectors of this package: smtp, office365. The host
// may add its own to it. accounts is where they look accounts up by name when they are used;
// nil knows none.
func Kinds(accounts *auth.Accounts) (*settings.Registry[router.Connector], error) {
	r := &settings.Registry[router.Connector]{}
	err := r.Register(settings.Kind[router.Connector]{
		Name:  "smtp",
		Title: settings.Text{EN: "SMTP server", FR: "Serveur SMTP"},
		Help: settings.Text{
			EN: "Sends mail through any mail server that takes submissions.",
			FR: "Envoie les courriels par tout serveur de messagerie qui accepte les envois.",
		},
		New:        func() router.Connector { return &SMTP{accounts: accounts} },
		Version:    2,
		Migrations: []settings.Migration{migrateTLS},
	})
	if err != nil {
		return nil, err
	}
	err = r.Register(settings.Kind[router.Connector]{
		Name:  "office365",
		Title: settings.Text{EN: "Microsoft 365", FR: "Office 365"},
		Help: settings.Text{
			EN: "Sends mail through Microsoft Graph, on behalf of an associated account.",
			FR: "Envoie les courriels par l'API Graph de Microsoft, au nom d'un compte associé.",
		},
		New: func() router.Connector { return &Office365{accounts: accounts} },
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// migrateTLS leads from version 1, whose form had the two boxes "SSL/TLS" (ssl_tls) and
// "StartTLS" (starttls), to version 2 with its one choice (tls).
//
// With both boxes ticked the port decides, since only one of them can have worked: 25 and
// 587 begin in clear.
func migrateTLS(in map[string]any) (map[string]any, error) {
	ssl, err := box(in, "ssl_tls")
	if err != nil {
		return nil, err
	}
	start, err := box(in, "starttls")
	if err != nil {
		return nil, err
	}
	port := fmt.Sprint(in["port"])
	mode := TLSNone
	switch {
	case start && (!ssl || port == "25" || port == "587"):
		mode = TLSStartTLS
	case ssl:
		mode = TLSImplicit
	}
	delete(in, "ssl_tls")
	delete(in, "starttls")
	in["tls"] = string(mode)
	return in, nil
}

func box(in map[string]any, key string) (bool, error) {
	switch v := in[key].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		switch v {
		case "true":
			return true, nil
		case "false", "":
			return false, nil
		}
	}
	return false, fmt.Errorf("%s is neither true nor false", key)
}

// ValidateSettings checks what concerns several keys.
func (s *SMTP) ValidateSettings() []settings.Issue {
	var out []settings.Issue
	add := func(path, code, en, fr string) {
		out = append(out, settings.Issue{Path: path, Code: code, Message: settings.Text{EN: en, FR: fr}})
	}
	switch {
	case s.oauth():
		s.validateOAuth(add)
	case s.Account != "" && s.Password == "":
		add("password", settings.CodeRequired, "an account needs its password, or an OAuth2 account", "un compte a besoin de son mot de passe, ou d'un compte OAuth2")
	}
	if s.Account == "" && s.Password != "" {
		add("account", settings.CodeRequired, "a password needs its account", "un mot de passe a besoin de son compte")
	}
	hidden := !s.oauth() && (s.Auth == "cram-md5" || s.Auth == "scram-sha-256" || s.Auth == "" || s.Auth == "auto")
	if s.mode() == TLSNone && s.Account != "" && !s.AllowInsecureAuth && !hidden {
		add("tls", settings.CodeNotOneOf,
			"without encryption the password or token would go out in clear: choose implicit or starttls, or allow_insecure_auth if the network is trusted",
			"sans chiffrement, le mot de passe ou le jeton partirait en clair : choisissez implicit ou starttls, ou allow_insecure_auth si le réseau est sûr")
	}
	if s.Sender != "" {
		if _, err := router.ParseAddress(s.Sender); err != nil {
			add("sender", settings.CodeBadFormat, "it is no mail address: "+err.Error(), "ce n'est pas une adresse de messagerie")
		}
	}
	if strings.ContainsAny(s.Account+s.Password.Reveal(), "\x00\r\n") {
		add("password", settings.CodeBadFormat, "account or password holds a line end or a NUL: enter it again",
			"le compte ou le mot de passe contient une fin de ligne ou un caractère nul : saisissez-le à nouveau")
	}
	return out
}

// codeConflict is the code of an issue where two settings exclude each other.
const codeConflict = "conflict"

// validateOAuth checks what goes with oauth_account.
func (s *SMTP) validateOAuth(add func(path, code, en, fr string)) {
	name := s.OAuthAccount.Name()
	if _, ok := s.accounts.Get(name); !ok && s.accounts != nil && !s.OAuthAccount.Bound() {
		add("oauth_account", settings.CodeRequired, fmt.Sprintf("the account %q is not known here: add it to the accounts, or choose another", name),
			fmt.Sprintf("le compte %q est inconnu ici : ajoutez-le aux comptes, ou choisissez-en un autre", name))
	}
	if s.Account == "" {
		add("account", settings.CodeRequired, "an OAuth2 account needs to know the mailbox: enter its address", "un compte OAuth2 doit connaître la boîte aux lettres : indiquez son adresse")
	}
	if s.Password != "" {
		add("password", codeConflict, "the OAuth2 account logs in: remove the password, or the OAuth2 account", "le compte OAuth2 assure la connexion : retirez le mot de passe, ou le compte OAuth2")
	}
	switch s.Auth {
	case "", "auto", "xoauth2", "oauthbearer":
	default:
		add("auth", settings.CodeNotOneOf, "an OAuth2 account logs in with auto, xoauth2 or oauthbearer", "un compte OAuth2 se connecte avec auto, xoauth2 ou oauthbearer")
	}
}

// Labels gives the texts of the form.
func (s *SMTP) Labels() map[string]settings.Label {
	l := func(en, fr, helpEN, helpFR string) settings.Label {
		return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
	}
	return map[string]settings.Label{
		"host": l("Address", "Adresse", "Name of the mail server.", "Nom du serveur de messagerie."),
		"port": l("Port", "Port", "Leave empty for the usual one: 465 (SSL/TLS), 587 (StartTLS), 25 (none).",
			"Laissez vide pour le port habituel : 465 (SSL/TLS), 587 (StartTLS), 25 (aucun)."),
		"tls":          l("Encryption", "Chiffrement", "How the connection is protected.", "La façon dont la connexion est protégée."),
		"tls=implicit": l("SSL/TLS", "SSL/TLS", "", ""),
		"tls=starttls": l("StartTLS", "StartTLS", "", ""),
		"tls=none":     l("None", "Aucun", "", ""),
		"account":      l("Account", "Compte", "Leave empty if the server takes mail without a login.", "Laissez vide si le serveur accepte les envois sans connexion."),
		"password": l("Password", "Mot de passe", "Gmail and others want an app password; its spaces do not matter.",
			"Gmail et d'autres demandent un mot de passe d'application ; ses espaces sont sans importance."),
		"sender": l("Sender", "Expéditeur", "Address of messages that name no sender of their own.",
			"Adresse des messages qui n'indiquent pas leur propre expéditeur."),
		"oauth_account": l("OAuth2 account", "Compte OAuth2", "An associated account that logs in with a token in place of the password.",
			"Un compte associé qui se connecte par jeton, à la place du mot de passe."),
		"auth": l("Login method", "Méthode de connexion", "Automatic suits nearly every server.",
			"Le choix automatique convient à presque tous les serveurs."),
		"auth=auto":          l("Automatic", "Automatique", "", ""),
		"auth=plain":         l("PLAIN", "PLAIN", "", ""),
		"auth=login":         l("LOGIN", "LOGIN", "", ""),
		"auth=cram-md5":      l("CRAM-MD5", "CRAM-MD5", "", ""),
		"auth=scram-sha-256": l("SCRAM-SHA-256", "SCRAM-SHA-256", "", ""),
		"auth=xoauth2":       l("XOAUTH2 (access token)", "XOAUTH2 (jeton d'accès)", "", ""),
		"auth=oauthbearer":   l("OAUTHBEARER (access token)", "OAUTHBEARER (jeton d'accès)", "", ""),
		"ca_file": l("Authority file", "Fichier d'autorité", "Certificate of your own authority, PEM; replaces those of the system.",
			"Certificat de votre propre autorité, au format PEM ; remplace ceux du système."),
		"server_name": l("Name in the certificate", "Nom dans le certificat", "If it is not the address.", "S'il diffère de l'adresse."),
		"timeout": l("Timeout", "Délai d'attente", "For connecting and for each answer of the server.",
			"Pour la connexion et pour chaque réponse du serveur."),
		"max_connections": l("Connections", "Connexions", "At once; Microsoft takes 3.", "Simultanées ; Microsoft en accepte 3."),
		"partial": l("If a recipient is refused", "Si un destinataire est refusé", "Whether the others get their mail all the same.",
			"Indique si les autres reçoivent tout de même leur courriel."),
		"partial=allow":  l("Send to the others", "Envoyer aux autres", "", ""),
		"partial=refuse": l("Send to nobody", "N'envoyer à personne", "", ""),
		"allow_insecure_auth": l("Allow login without encryption", "Autoriser la connexion sans chiffrement",
			"The password can then be read on the network.", "Le mot de passe peut alors être lu sur le réseau."),
	}
}
