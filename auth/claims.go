package auth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode"
)

// claims are what an id_token says about who signed in.
type claims struct {
	Subject string `json:"sub"`
	User    string `json:"preferred_username"`
	Email   string `json:"email"`
	UPN     string `json:"upn"`
	Tenant  string `json:"tid"` // Entra's
	Name    string `json:"name"`
}

const maxIDToken = 64 << 10

// claimsOf reads an id_token. Its signature is not checked: it came from the token endpoint
// itself over TLS, which OpenID Connect Core 1.0 section 3.1.3.7 item 6 takes for enough. A
// token that makes no sense gives empty claims: nothing but a display depends on them,
// unless [BeginOptions.User] is set, and then nobody matches.
func claimsOf(idToken string) claims {
	var c claims
	if len(idToken) > maxIDToken {
		return c
	}
	_, rest, _ := strings.Cut(idToken, ".")
	body, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(body, "="))
	if err != nil || json.Unmarshal(b, &c) != nil {
		return claims{}
	}
	for _, s := range []*string{&c.Subject, &c.User, &c.Email, &c.UPN, &c.Tenant, &c.Name} {
		*s = clean(*s)
	}
	return c
}

// user is the best name of who signed in: an address where there is one.
func (c claims) user() string {
	for _, s := range []string{c.User, c.Email, c.UPN, c.Name} {
		if s != "" {
			return s
		}
	}
	return c.Subject
}

// is reports whether the claims are of the person with that address.
func (c claims) is(address string) bool {
	for _, s := range []string{c.User, c.Email, c.UPN} {
		if s != "" && strings.EqualFold(s, strings.TrimSpace(address)) {
			return true
		}
	}
	return false
}

// clean cuts a stranger's text and takes out of it what does not show: control characters,
// also those that turn the direction of writing.
func clean(s string) string { return cut(visible(s)) }

func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}
