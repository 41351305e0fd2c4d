package auth

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
)

// Audience is what a token is for. One account may have tokens for several.
type Audience string

const (
	Graph Audience = "graph" // Microsoft Graph
	IMAP  Audience = "imap"  // XOAUTH2 and OAUTHBEARER
	POP   Audience = "pop"   //
	SMTP  Audience = "smtp"  //
)

var (
	// ErrNotAssociated means that nobody signed in for the account yet: begin a [Flow].
	ErrNotAssociated = errors.New("the account is not associated yet")

	// ErrReauth means that the provider takes the account's grant no more: somebody must
	// sign in again, with a new [Flow]. Until then the provider is not asked again.
	ErrReauth = errors.New("the account must be associated again")
)

// Account is the name of an account and the provider that issues its tokens. It is what
// connectors and launchers hold; in settings it is written as its name, and then only
// [Accounts] knows the provider. Accounts are comparable, may be copied and are safe for
// concurrent use. The zero value is no account.
type Account struct {
	name string
	of   owner // nil: a name read from settings
}

// owner is the runtime side of a [Provider].
type owner interface {
	client() (*client, error)
}

// Name returns the account's name.
func (a Account) Name() string { return a.name }

// String returns the account's name.
func (a Account) String() string { return a.name }

// MarshalText returns the name.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.name), nil }

// UnmarshalText sets the name alone; see [Accounts.Resolve].
func (a *Account) UnmarshalText(text []byte) error {
	if err := checkName(string(text)); err != nil && len(text) > 0 {
		return err
	}
	*a = Account{name: string(text)}
	return nil
}

// Bound reports whether the account has its provider.
func (a Account) Bound() bool { return a.of != nil }

// Provider returns who issues the account's tokens: a *Microsoft or *OAuth2; nil of an
// account that is a name alone.
func (a Account) Provider() Provider {
	p, _ := a.of.(Provider)
	return p
}

// Token returns an access token for aud that is good for some minutes at least. It asks the
// provider only when the kept one is about to end; of all goroutines and processes that
// need one at a time, one asks.
//
// Errors: class auth with [ErrNotAssociated] or [ErrReauth]; class auth when the grant does
// not cover aud; class config; class deferred when the provider or the store cannot be
// reached, with its RetryAfter; canceled.
func (a Account) Token(ctx context.Context, aud Audience) (*oauth2.Token, error) {
	c, err := a.client("token")
	if err != nil {
		return nil, err
	}
	return c.token(ctx, a.name, aud, "")
}

// Refresh is Token for a server that has refused the access token stale ("" is none): if
// another caller has brought a newer one since, that is returned, else the provider is
// asked. What came so and is refused in its turn within 10 s is not renewed again: class
// auth.
func (a Account) Refresh(ctx context.Context, aud Audience, stale string) (*oauth2.Token, error) {
	c, err := a.client("refresh")
	if err != nil {
		return nil, err
	}
	return c.token(ctx, a.name, aud, stale)
}

// Status tells how the account stands, from what is stored; the provider is not asked.
func (a Account) Status(ctx context.Context) (Status, error) {
	c, err := a.client("status")
	if err != nil {
		return Status{}, err
	}
	return c.status(ctx, a.name)
}

// Forget removes what is stored of the account; the provider is not told. Tokens that are
// in use stay good until they end.
func (a Account) Forget(ctx context.Context) error {
	c, err := a.client("forget")
	if err != nil {
		return err
	}
	return c.forget(ctx, a.name)
}

// Shared returns what make made the first time for key, in this process and for the
// application that the account belongs to: a budget of requests, for instance, that all
// connectors and launchers on one mailbox share. make must not call Shared.
func (a Account) Shared(key any, make func() any) any {
	c, err := a.client("shared")
	if err != nil {
		return make()
	}
	return c.sharing().get(key, make)
}

// errNoProvider is the error of a provider that is nil.
var errNoProvider = misconfigured("auth: account", "the account's provider is nil: give a *Microsoft or *OAuth2")

func (a Account) client(op string) (*client, error) {
	if a.of == nil {
		return nil, &vaguemestre.Error{Op: "auth: " + op, Class: vaguemestre.ClassConfig,
			Err: fmt.Errorf("account %q has no provider here: add it to the accounts of this program", cut(a.name))}
	}
	return a.of.client()
}
