package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
)

const maxDiscovery = 256 << 10

// issuer finds the endpoints of a provider once: OpenID Connect Discovery 1.0 section 4.
type issuer struct {
	url     string // as the settings have it
	http    *http.Client
	timeout time.Duration

	turn  chan struct{} // holds one token: who has it may ask
	found oauth2.Endpoint
	ok    bool
}

func newIssuer(url string, c *http.Client, timeout time.Duration) *issuer {
	i := &issuer{url: url, http: c, timeout: timeout, turn: make(chan struct{}, 1)}
	i.turn <- struct{}{}
	return i
}

// discover asks the issuer, or returns what it has said. A failure is not kept.
func (i *issuer) discover(ctx context.Context) (oauth2.Endpoint, error) {
	const op = "auth: discovery"
	select {
	case <-ctx.Done():
		return oauth2.Endpoint{}, ended(op, ctx)
	case <-i.turn:
	}
	defer func() { i.turn <- struct{}{} }()
	if i.ok {
		return i.found, nil
	}
	found, err := i.ask(ctx)
	var e *vaguemestre.Error
	switch {
	case err == nil:
		i.found, i.ok = found, true
		return found, nil
	case ctx.Err() != nil:
		return oauth2.Endpoint{}, ended(op, ctx)
	case errors.As(err, &e):
		return oauth2.Endpoint{}, err
	}
	return oauth2.Endpoint{}, &vaguemestre.Error{Op: op, Class: vaguemestre.ClassDeferred,
		Err: &advice{text: helpFault, err: err}}
}

func (i *issuer) ask(ctx context.Context) (oauth2.Endpoint, error) {
	const op = "auth: discovery"
	var none oauth2.Endpoint
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(i.url, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return none, misconfigured(op, "issuer is no address: write it as https://host/path")
	}
	req.Header.Set("Accept", "application/json")
	res, err := i.http.Do(req)
	if err != nil {
		return none, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusOK:
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		return none, fmt.Errorf("the issuer answers HTTP %d", res.StatusCode)
	default:
		return none, misconfigured(op, "the issuer answers HTTP %d: check issuer, or set token_url and the other addresses by hand", res.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxDiscovery+1))
	if err != nil {
		return none, err
	}
	var doc struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
		Auth   string `json:"authorization_endpoint"`
		Device string `json:"device_authorization_endpoint"`
	}
	if len(b) > maxDiscovery || json.Unmarshal(bytes.TrimPrefix(b, byteOrderMark), &doc) != nil {
		return none, misconfigured(op, "the issuer's document is no JSON of a sensible size: check issuer")
	}
	// OpenID Connect Discovery 1.0 section 4.3: exactly the same.
	if doc.Issuer != i.url {
		return none, misconfigured(op, "the issuer calls itself %q: write it so in issuer, if that is the provider you mean", cut(doc.Issuer))
	}
	for name, u := range map[string]string{"token_endpoint": doc.Token, "authorization_endpoint": doc.Auth, "device_authorization_endpoint": doc.Device} {
		if u == "" {
			continue
		}
		if _, err := parseURL(u); err != nil {
			return none, misconfigured(op, "the issuer's %s cannot be used: %w", name, err)
		}
	}
	return oauth2.Endpoint{TokenURL: doc.Token, AuthURL: doc.Auth, DeviceAuthURL: doc.Device}, nil
}
