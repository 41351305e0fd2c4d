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

// ValidateSettings checks what concerns several keys.
func (l *IMAP) ValidateSettings() []settings.Issue {
	return loginIssues(l.accounts, l.OAuthAccount, l.oauth(), l.Password, l.Auth, l.TLS == TLSNone && !l.AllowInsecureAuth)
}
