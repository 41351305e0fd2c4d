package auth

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre/settings"
)

// gmail is the scope of IMAP, POP and SMTP at Google.
const gmail = "https://mail.google.com/"

// google's endpoints, as accounts.google.com/.well-known/openid-configuration gives them.
var google = oauth2.Endpoint{
	AuthURL:       "https://accounts.google.com/o/oauth2/v2/auth",
	TokenURL:      "https://oauth2.googleapis.com/token",
	DeviceAuthURL: "https://oauth2.googleapis.com/device/code",
}

// rfc is the dialect of a provider that keeps to RFC 6749, 7636 and 8628, and Google's.
type rfc struct {
	preset Preset
	fixed  oauth2.Endpoint // what settings and preset give
	issuer *issuer         // nil: none is to be asked
	asked  []string
	id     string
	secret settings.Secret
}

var _ dialect = (*rfc)(nil)

func (d *rfc) endpoints(ctx context.Context) (oauth2.Endpoint, error) {
	ep := d.fixed
	ep.AuthStyle = oauth2.AuthStyleInParams
	if d.issuer == nil || ep.TokenURL != "" && ep.AuthURL != "" && ep.DeviceAuthURL != "" {
		return ep, nil
	}
	found, err := d.issuer.discover(ctx)
	if err != nil {
		return oauth2.Endpoint{}, err
	}
	for _, p := range []struct{ set, found *string }{
		{&ep.TokenURL, &found.TokenURL}, {&ep.AuthURL, &found.AuthURL}, {&ep.DeviceAuthURL, &found.DeviceAuthURL}} {
		if *p.set == "" {
			*p.set = *p.found
		}
	}
	if ep.TokenURL == "" {
		return oauth2.Endpoint{}, misconfigured("auth: discovery", "the issuer names no token endpoint: set token_url")
	}
	return ep, nil
}

// scopes are the same for every audience that mail protocols have.
func (d *rfc) scopes(aud Audience) ([]string, bool) {
	if aud == Graph {
		return nil, false
	}
	return slices.Clone(d.asked), true
}

func (d *rfc) primary() Audience  { return IMAP }
func (d *rfc) others() []Audience { return nil }

func (d *rfc) authenticate(form url.Values, _ string) error {
	if d.secret != "" {
		form.Set("client_secret", d.secret.Reveal())
	}
	return nil
}

// missing follows RFC 6749 section 5.1: without a word about scopes all were granted.
func (d *rfc) missing(asked []string, answer string) []string {
	granted := strings.Fields(answer)
	if len(granted) == 0 {
		return nil
	}
	var out []string
	for _, s := range asked {
		if !silentScope(s) && !slices.ContainsFunc(granted, func(g string) bool { return strings.EqualFold(g, s) }) {
			out = append(out, s)
		}
	}
	return out
}

func (d *rfc) explain(a *answerError) verdict { return explainWord(a) }

// noDevice implements [asker].
func (d *rfc) noDevice(ep oauth2.Endpoint) string {
	switch {
	case d.preset == PresetGoogle && slices.Contains(d.asked, gmail):
		// developers.google.com/identity/protocols/oauth2/limited-input-device#allowedscopes
		return "Google gives the scope of Gmail to no device code: begin with method code"
	case ep.DeviceAuthURL == "":
		return "the provider has no device codes: set device_url, or begin with method code"
	}
	return ""
}

// askDevice implements [asker].
func (d *rfc) askDevice(endpoint string, _ *BeginOptions) string { return endpoint }

// askCode implements [asker].
func (d *rfc) askCode(q url.Values, o *BeginOptions) {
	if o.Language != "" {
		q.Set("ui_locales", o.Language) // OpenID Connect Core 1.0 section 3.1.2.1
	}
	switch {
	case d.preset == PresetGoogle:
		// QUIRK: Google gives a refresh token only so, and only at a fresh consent.
		// developers.google.com/identity/protocols/oauth2/native-app
		q.Set("access_type", "offline")
		q.Set("prompt", "consent")
		if o.Language != "" {
			q.Set("hl", o.Language)
		}
	case slices.Contains(d.asked, "offline_access"):
		q.Set("prompt", "consent") // OpenID Connect Core 1.0 section 11
	}
}

// brief implements [asker].
func (d *rfc) brief(scopes []string) []string { return scopes }

// host implements [asker]: RFC 8252 section 7.3.
func (d *rfc) host() string { return "127.0.0.1" }
