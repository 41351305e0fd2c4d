package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
)

// FromTokenSource returns an account whose tokens somebody else manages: each comes from
// ts, whatever it is for. Give a source that keeps its token until it ends, as
// [oauth2.ReuseTokenSource] does; one call of it at a time is made, and none that hangs
// keeps a caller longer than its ctx. There is nothing to associate: flows are refused with
// class config.
func FromTokenSource(name string, ts oauth2.TokenSource) Account {
	return Account{name: name, of: &sourceOwner{c: &client{
		provider: "source", id: name, grant: Application, source: ts, dialect: sourceDialect{},
		timeout: defaultTimeout, now: time.Now, sleep: sleep,
	}}}
}

// sourceOwner is the owner of an account from a source. It is no [Provider].
type sourceOwner struct{ c *client }

func (o *sourceOwner) client() (*client, error) {
	if o.c.source == nil {
		return nil, misconfigured("auth: token source", "account %q: the source is nil", cut(o.c.id))
	}
	return o.c, checkName(o.c.id)
}

// fromSource is the work of a flight for such an account.
func (c *client) fromSource(w want) (pass, error) {
	t, err := c.source.Token()
	fail := func(class vaguemestre.Class, code string, err error) error {
		return &vaguemestre.Error{Op: "auth: token source", Class: class, Code: code, Err: fmt.Errorf("account %q: %w", cut(w.name), err)}
	}
	var refused *oauth2.RetrieveError // its text repeats the whole answer
	switch {
	case errors.As(err, &refused):
		class, status := vaguemestre.ClassDeferred, 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		if refused.ErrorCode != "" && status < 500 && status != 429 {
			class = vaguemestre.ClassAuth
		}
		return pass{}, fail(class, word(refused.ErrorCode), fmt.Errorf("the provider refuses with HTTP status %d: whoever manages this token signs in again", status))
	case err != nil:
		class := vaguemestre.ClassOf(err)
		if class == "" {
			class = vaguemestre.ClassDeferred
		}
		return pass{}, fail(class, "", err)
	case t == nil || t.AccessToken == "" || !printable(t.AccessToken):
		return pass{}, fail(vaguemestre.ClassConfig, "", errors.New("the source gives no token that could be sent"))
	case !t.Expiry.IsZero() && !c.now().Before(t.Expiry):
		return pass{}, fail(vaguemestre.ClassAuth, "", errors.New("the source gives a token that has ended: whoever manages it renews it"))
	case w.stale != "" && t.AccessToken == w.stale:
		return pass{}, fail(vaguemestre.ClassAuth, "", errors.New("the server refuses the token and the source has no other: whoever manages it signs in again"))
	}
	return pass{Token: t.AccessToken, Expires: t.Expiry}, nil
}

// sourceDialect is of an account without a provider: every token serves everything.
type sourceDialect struct{}

var _ dialect = sourceDialect{}

func (sourceDialect) endpoints(context.Context) (oauth2.Endpoint, error) {
	return oauth2.Endpoint{}, misconfigured("auth: sign-in", "the program gives the tokens of this account itself: there is nothing to associate")
}
func (sourceDialect) scopes(Audience) ([]string, bool)      { return nil, true }
func (sourceDialect) primary() Audience                     { return IMAP }
func (sourceDialect) others() []Audience                    { return nil }
func (sourceDialect) authenticate(url.Values, string) error { return nil }
func (sourceDialect) missing(_ []string, _ string) []string { return nil }
func (sourceDialect) explain(a *answerError) verdict        { return explainWord(a) }
