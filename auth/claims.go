package auth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
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

// clean cuts a stranger's text and takes control characters out of it.
func clean(s string) string {
	return cut(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfffd {
			return -1
		}
		return r
	}, s))
}
