package launcher

import (
	"fmt"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/settings"
)

// codeConflict is the code of an issue where two settings exclude each other.
const codeConflict = "conflict"

// loginIssues are the rules for password and OAuth2 account, which IMAP and POP3 share. clear
// tells that a token would go out unprotected.
func loginIssues(accounts *auth.Accounts, account auth.Account, oauth bool, password settings.Secret, mechanism string, clear bool) []settings.Issue {
	var out []settings.Issue
	add := func(path, code, en, fr string) {
		out = append(out, settings.Issue{Path: path, Code: code, Message: settings.Text{EN: en, FR: fr}})
	}
	if !oauth {
		if password == "" {
			add("password", settings.CodeRequired, "the account needs its password, or an OAuth2 account", "le compte a besoin de son mot de passe, ou d'un compte OAuth2")
		}
		return out
	}
	name := account.Name()
	if _, ok := accounts.Get(name); !ok && accounts != nil && !account.Bound() {
		add("oauth_account", settings.CodeRequired, fmt.Sprintf("the account %q is not known here: add it to the accounts, or choose another", name),
			fmt.Sprintf("le compte %q est inconnu ici : ajoutez-le aux comptes, ou choisissez-en un autre", name))
	}
	if password != "" {
		add("password", codeConflict, "the OAuth2 account logs in: remove the password, or the OAuth2 account",
			"le compte OAuth2 assure la connexion : retirez le mot de passe, ou le compte OAuth2")
	}
	switch mechanism {
	case "", "auto", "xoauth2", "oauthbearer":
	default:
		add("auth", settings.CodeNotOneOf, "an OAuth2 account logs in with auto, xoauth2 or oauthbearer", "un compte OAuth2 se connecte avec auto, xoauth2 ou oauthbearer")
	}
	if clear {
		add("tls", settings.CodeNotOneOf,
			"without encryption the token would go out in clear: choose implicit or starttls, or allow_insecure_auth if the network is trusted",
			"sans chiffrement, le jeton partirait en clair : choisissez implicit ou starttls, ou allow_insecure_auth si le réseau est sûr")
	}
	return out
}
