package auth

import (
	"cmp"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Preset fills in what is known of a provider.
type Preset string

const (
	PresetNone   Preset = "none"
	PresetGoogle Preset = "google" // endpoints of Google and the scope of Gmail
)

// OAuth2 is one application registered with any OAuth2 provider, for XOAUTH2 and
// OAUTHBEARER. ClientID is required, and either Preset, Issuer or the URLs; Tokens too with
// a delegated grant. All audiences get the same token. The secret goes in the form of each
// request (client_secret_post), which the application must be registered for. Use it
// through a pointer; do not copy it, nor change it once it is used. It is safe for
// concurrent use.
type OAuth2 struct {
	Preset       Preset          `key:"preset" default:"none" enum:"none,google"`
	ClientID     string          `key:"client_id" required:"true"`
	ClientSecret settings.Secret `key:"client_secret"`                              // "" is a public client
	Issuer       string          `key:"issuer" format:"url" when:"preset=none"`     // its discovery document gives the URLs that are empty
	DeviceURL    string          `key:"device_url" format:"url" when:"preset=none"` //
	AuthURL      string          `key:"auth_url" format:"url" when:"preset=none"`   //
	TokenURL     string          `key:"token_url" format:"url" when:"preset=none"`  //
	Scopes       []string        `key:"scopes"`                                     // as the provider calls them; offline_access where it has that
	Grant        Grant           `key:"grant" default:"delegated" enum:"delegated,application"`
	CAFile       string          `key:"ca_file" format:"file" advanced:"true"`
	Timeout      time.Duration   `key:"timeout" default:"60s" min:"1s" max:"30m" advanced:"true"`

	Tokens  Store       // where grants are kept; nil keeps those of an application in memory
	OnEvent func(Event) // may be nil

	once sync.Once
	c    *client
	err  error
}

var _ Provider = (*OAuth2)(nil)

// Account implements [Provider].
func (o *OAuth2) Account(name string) Account {
	if o == nil {
		return Account{name: name}
	}
	return Account{name: name, of: o}
}

// client makes the runtime side once. It reads CAFile and does no other I/O; an issuer is
// asked when its endpoints are needed.
func (o *OAuth2) client() (*client, error) {
	o.once.Do(func() { o.c, o.err = o.newClient() })
	return o.c, o.err
}

func (o *OAuth2) newClient() (*client, error) {
	const op = "auth: oauth2"
	if is := settings.Validate(o); len(is) > 0 {
		return nil, misconfigured(op, "%w", is)
	}
	grant := cmp.Or(o.Grant, Delegated)
	if err := needsStore(op, grant, o.Tokens); err != nil {
		return nil, err
	}
	c, err := newClient(op, o.CAFile, o.Timeout)
	if err != nil {
		return nil, err
	}
	d := &rfc{preset: o.Preset, asked: o.Scopes, id: o.ClientID, secret: o.ClientSecret}
	if o.Preset == PresetGoogle {
		d.fixed = google
		if len(d.asked) == 0 {
			d.asked = []string{"openid", "email", gmail} // the first two tell who signed in
		}
	}
	for _, p := range []struct {
		to   *string
		from string
	}{{&d.fixed.TokenURL, o.TokenURL}, {&d.fixed.AuthURL, o.AuthURL}, {&d.fixed.DeviceAuthURL, o.DeviceURL}} {
		*p.to = cmp.Or(p.from, *p.to)
	}
	if o.Issuer != "" && o.Preset != PresetGoogle {
		d.issuer = newIssuer(o.Issuer, c.http, c.timeout)
	}
	c.provider, c.id, c.place = "oauth2", o.ClientID, strings.TrimRight(cmp.Or(o.Issuer, d.fixed.TokenURL), "/")
	c.grant, c.store, c.onEvent, c.dialect = grant, o.Tokens, o.OnEvent, d
	return c, nil
}
