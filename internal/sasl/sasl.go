// Package sasl has the SASL mechanisms that emersion/go-sasl lacks, and chooses one.
//
// [Choose] answers the one question that both SMTP and IMAP ask: which mechanism may
// carry these credentials over this line? The caller then runs the exchange of the
// returned client as its protocol says, and calls [Verify] once the server has said
// yes: with SCRAM the server has to prove that it knows the password too.
package sasl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/vaguemestre/vaguemestre"
)

// Credentials are what a mechanism needs. With xoauth2 and oauthbearer Password is the
// access token.
type Credentials struct {
	Account, Password string
	Host              string // for oauthbearer
	Port              int
}

// mechanism is one row of what Choose knows.
type mechanism struct {
	name  string // upper case, as the server lists it
	clear bool   // who listens gets the password or token
	auto  bool   // "auto" may pick it
	make  func(Credentials) sasl.Client
}

// mechanisms stand in the order in which "auto" prefers them.
var mechanisms = []mechanism{
	{"SCRAM-SHA-256", false, true, newScram},
	{"PLAIN", true, true, func(c Credentials) sasl.Client { return sasl.NewPlainClient("", c.Account, c.Password) }},
	{"LOGIN", true, true, newLogin},
	{"CRAM-MD5", false, true, newCramMD5},
	{"XOAUTH2", true, false, newXOAuth2},
	{"OAUTHBEARER", true, false, func(c Credentials) sasl.Client {
		return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{
			Username: c.Account, Token: c.Password, Host: c.Host, Port: c.Port})
	}},
}

// Choose picks the mechanism: auth is "auto" (or "") or a mechanism in lower case
// (plain, login, cram-md5, scram-sha-256, xoauth2, oauthbearer); offered are the
// server's mechanisms in upper case. secure tells whether the line is under TLS: if it
// is not and insecure is false, mechanisms that send the password in clear are refused
// with an error of class config that names allow_insecure_auth. "auto" prefers
// scram-sha-256, then (under TLS, or insecure) plain, login, then cram-md5.
// The returned name is the mechanism's, in upper case.
//
// It does no I/O. A client is used for one exchange.
func Choose(auth string, offered []string, secure, insecure bool, c Credentials) (sasl.Client, string, error) {
	if strings.ContainsRune(c.Account, 0) || strings.ContainsRune(c.Password, 0) {
		// RFC 4616 section 2: NUL separates the fields of PLAIN.
		return nil, "", config("the account or the password holds a NUL character: enter it again")
	}
	has := func(name string) bool {
		for _, o := range offered {
			if strings.EqualFold(o, name) {
				return true
			}
		}
		return false
	}
	if auth == "" || strings.EqualFold(auth, "auto") {
		hidden := false // something was offered that only the missing TLS forbids
		for _, m := range mechanisms {
			if !m.auto || !has(m.name) {
				continue
			}
			if m.clear && !secure && !insecure {
				hidden = true
				continue
			}
			return m.make(c), m.name, nil
		}
		if hidden {
			return nil, "", config("the line is not encrypted and the server takes the password in clear only: " +
				"set tls to implicit or starttls, or allow_insecure_auth if the network is trusted")
		}
		if len(offered) == 0 {
			return nil, "", config("the server offers no authentication on this line: " +
				"check port and tls, or leave account and password empty")
		}
		return nil, "", config(fmt.Sprintf("the server offers only %s, none of which auto may choose: set auth", list(offered)))
	}
	for _, m := range mechanisms {
		if !strings.EqualFold(auth, m.name) {
			continue
		}
		if m.clear && !secure && !insecure {
			return nil, "", config(fmt.Sprintf("%s would send the password in clear over an unencrypted line: "+
				"set tls to implicit or starttls, or allow_insecure_auth if the network is trusted", m.name))
		}
		if !has(m.name) {
			return nil, "", config(fmt.Sprintf("the server does not offer %s, it offers %s: set auth to auto or to one of these",
				m.name, list(offered)))
		}
		return m.make(c), m.name, nil
	}
	return nil, "", config(fmt.Sprintf("unknown auth %q: use auto, plain, login, cram-md5, scram-sha-256, xoauth2 or oauthbearer", cut(auth)))
}

// Clear reports whether the mechanism shows the password or token to who listens.
// An unknown one does.
func Clear(name string) bool {
	for _, m := range mechanisms {
		if strings.EqualFold(name, m.name) {
			return m.clear
		}
	}
	return true
}

// Verify is called once the server has said that the exchange succeeded. It fails if
// the mechanism proves the server's identity and that proof is missing.
func Verify(c sasl.Client) error {
	if v, ok := c.(interface{ verify() error }); ok {
		return v.verify()
	}
	return nil
}

// Problem returns what the server told inside the exchange about its refusal, "" if
// nothing: the JSON of XOAUTH2. It is a stranger's text.
func Problem(c sasl.Client) string {
	if p, ok := c.(interface{ problem() string }); ok {
		return cut(p.problem())
	}
	return ""
}

func config(text string) error {
	return &vaguemestre.Error{Op: "sasl", Class: vaguemestre.ClassConfig, Err: errors.New(text)}
}

// list prints what a server offered: quoted and cut.
func list(offered []string) string {
	if len(offered) == 0 {
		return "none"
	}
	return fmt.Sprintf("%q", cut(strings.Join(offered, " ")))
}

func cut(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
