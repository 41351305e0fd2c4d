package graph

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
)

// account is what a client needs of an [auth.Account]; tests have one without a provider.
type account interface {
	token(ctx context.Context) (string, error)
	refresh(ctx context.Context, stale string) (string, error)
	user(ctx context.Context) (string, error) // the address of who signed in; "" if it is not known
	application() bool                        // the grant is the application's own: there is no /me
	where() (*url.URL, *http.Client, error)
	name() string
	shared(key any, make func() any) any
}

// bound is an account as package auth has it.
type bound struct{ of auth.Account }

func (b bound) name() string                        { return b.of.Name() }
func (b bound) shared(key any, make func() any) any { return b.of.Shared(key, make) }

func (b bound) token(ctx context.Context) (string, error) {
	t, err := b.of.Token(ctx, auth.Graph)
	if err != nil {
		return "", err
	}
	return t.AccessToken, nil
}

func (b bound) refresh(ctx context.Context, stale string) (string, error) {
	t, err := b.of.Refresh(ctx, auth.Graph, stale)
	if err != nil {
		return "", err
	}
	return t.AccessToken, nil
}

func (b bound) user(ctx context.Context) (string, error) {
	s, err := b.of.Status(ctx)
	return s.User, err
}

func (b bound) application() bool {
	m, ok := b.of.Provider().(*auth.Microsoft)
	return ok && m.Grant == auth.Application
}

func (b bound) where() (*url.URL, *http.Client, error) {
	p, ok := b.of.Provider().(interface {
		Graph() (*url.URL, *http.Client, error)
	})
	if !ok {
		return nil, nil, &vaguemestre.Error{Op: "graph: account", Class: vaguemestre.ClassConfig,
			Err: errors.New("this account is none of Microsoft 365: choose one whose provider is microsoft")}
	}
	return p.Graph()
}

// place is where Graph is and who asks it.
type place struct {
	root *url.URL // "https://graph.microsoft.com/v1.0"
	http *http.Client
}

// find makes the place from the provider's settings.
func (c *Client) find() (*place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.place != nil {
		return c.place, nil
	}
	base, client, err := c.account.where()
	if err != nil {
		return nil, err
	}
	root := *base
	root.Path, root.RawPath = strings.TrimRight(root.Path, "/")+"/v1.0", ""
	root.User, root.RawQuery, root.Fragment = nil, "", ""
	// A copy: redirects would take the token elsewhere, cookies would tie requests together,
	// and a timeout over all would end long bodies.
	h := *client
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.Jar, h.Timeout = nil, 0
	c.place = &place{root: &root, http: &h}
	return c.place, nil
}

// door returns the gate of the mailbox. The account's own mailbox and the same one by its
// address come to the same, as soon as it is known who signed in.
func (c *Client) door(ctx context.Context) *gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gate != nil {
		return c.gate
	}
	key, known := strings.ToLower(c.mailbox), true
	if key == "" {
		user, err := c.account.user(ctx)
		if known = err == nil; user != "" {
			key = strings.ToLower(user)
		} else {
			key = "account " + c.account.name() // no address has a space there
		}
	}
	g := c.account.shared(gateKey(key), func() any { return newGate() }).(*gate)
	if known {
		c.gate = g
	}
	return g
}

// gateKey is the type of keys of this package in what accounts share.
type gateKey string
