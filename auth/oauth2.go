package auth

import (
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
// a delegated grant. All audiences get the same token. Use it through a pointer; do not copy
// it, nor change it once it is used. It is safe for concurrent use.
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
func (o *OAuth2) Account(name string) Account { return Account{name: name, of: o} }
