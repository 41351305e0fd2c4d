package launcher

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
	"github.com/vaguemestre/vaguemestre/settings"
)

var _ settings.Validator = (*IMAP)(nil)

// oauth reports whether the token of an account logs in.
func (l *IMAP) oauth() bool { return l.OAuthAccount != auth.Account{} }

// bearer gives the tokens of OAuthAccount; nil if a password logs in.
func (l *IMAP) bearer() *sasl.Bearer {
	if !l.oauth() {
		return nil
	}
	if l.ask != nil {
		return &sasl.Bearer{Ask: l.ask}
	}
	return &sasl.Bearer{Ask: func(ctx context.Context, stale string) (string, error) {
		a, err := l.accounts.Resolve(l.OAuthAccount)
		if err != nil {
			return "", err
		}
		t, err := a.Refresh(ctx, auth.IMAP, stale)
		if err != nil {
			return "", err
		}
		return t.AccessToken, nil
	}}
}

// errAnew asks for a new connection: the server ended this one because it refused a token,
// and there is another.
var errAnew = errors.New("the server closed the connection over a token that was refused")

// tokenError is the error of an account that gives no token. A provider that cannot be
// reached is an outage of the source.
func tokenError(ctx context.Context, err error) *vaguemestre.Error {
	if ctx.Err() != nil {
		return &vaguemestre.Error{Op: "imap: login", Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
	}
	out := &vaguemestre.Error{Op: "imap: login", Class: vaguemestre.ClassSource, Err: err}
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		out.Class, out.Code, out.RetryAfter, out.Err = e.Class, e.Code, e.RetryAfter, e.Err
		if e.Class == vaguemestre.ClassDeferred {
			out.Class = vaguemestre.ClassSource
		}
	}
	return out
}

// refusesToken tells whether a new token may change the server's mind: not if it is busy, and
// not if it knows the account and keeps it out of the mailbox (RFC 5530 section 3).
func refusesToken(a answer) bool {
	return a.status == "NO" && !isTemporary(a) && a.codeWord() != "AUTHORIZATIONFAILED" && a.codeWord() != "PRIVACYREQUIRED"
}

// noToken is the error of a token that is refused.
func (l *IMAP) noToken(a answer, problem string) error {
	e := errIMAP("login", vaguemestre.ClassAuth, "the server does not take the token for the mailbox %s, it says %s", quote(l.Account), quote(a.text))
	e.Code = a.codeWord()
	if e.Code == "" {
		e.Code = a.status
	}
	if problem != "" {
		e.Err = fmt.Errorf("%w, and adds %s", e.Err, quote(problem))
	}
	return e
}

// refusal is the error of a token that was refused twice.
func (l *IMAP) refusal(err error) error {
	var e *vaguemestre.Error
	if !errors.As(err, &e) {
		return err
	}
	return &vaguemestre.Error{Op: e.Op, Class: e.Class, Code: e.Code, Err: fmt.Errorf(
		"%w; a fresh token of the account %q was refused too: see that who signed in may open this mailbox, and that reading by IMAP is among what was granted, then associate the account again",
		e.Err, l.OAuthAccount.Name())}
}

// codeConflict is the code of an issue where two settings exclude each other.
const codeConflict = "conflict"

// ValidateSettings checks what concerns several keys.
func (l *IMAP) ValidateSettings() []settings.Issue {
	var out []settings.Issue
	add := func(path, code, en, fr string) {
		out = append(out, settings.Issue{Path: path, Code: code, Message: settings.Text{EN: en, FR: fr}})
	}
	if !l.oauth() {
		if l.Password == "" {
			add("password", settings.CodeRequired, "the account needs its password, or an OAuth2 account", "le compte a besoin de son mot de passe, ou d'un compte OAuth2")
		}
		return out
	}
	name := l.OAuthAccount.Name()
	if _, ok := l.accounts.Get(name); !ok && l.accounts != nil && !l.OAuthAccount.Bound() {
		add("oauth_account", settings.CodeRequired, fmt.Sprintf("the account %q is not known here: add it to the accounts, or choose another", name),
			fmt.Sprintf("le compte %q est inconnu ici : ajoutez-le aux comptes, ou choisissez-en un autre", name))
	}
	if l.Password != "" {
		add("password", codeConflict, "the OAuth2 account logs in: remove the password, or the OAuth2 account",
			"le compte OAuth2 assure la connexion : retirez le mot de passe, ou le compte OAuth2")
	}
	switch l.Auth {
	case "", "auto", "xoauth2", "oauthbearer":
	default:
		add("auth", settings.CodeNotOneOf, "an OAuth2 account logs in with auto, xoauth2 or oauthbearer", "un compte OAuth2 se connecte avec auto, xoauth2 ou oauthbearer")
	}
	if l.TLS == TLSNone && !l.AllowInsecureAuth {
		add("tls", settings.CodeNotOneOf,
			"without encryption the token would go out in clear: choose implicit or starttls, or allow_insecure_auth if the network is trusted",
			"sans chiffrement, le jeton partirait en clair : choisissez implicit ou starttls, ou allow_insecure_auth si le réseau est sûr")
	}
	return out
}
