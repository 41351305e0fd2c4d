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

// Credentials are what a mechanism needs.
type Credentials struct {
	Account  string
	Password string // with xoauth2 and oauthbearer, if there is no Token, the access token
	Token    string // an access token: it goes out by xoauth2 or oauthbearer, never as a password
	Host     string // for oauthbearer
	Port     int
}

// bearer is the access token of xoauth2 and oauthbearer.
func (c Credentials) bearer() string {
	if c.Token != "" {
		return c.Token
	}
	return c.Password
}

// mechanism is one row of what Choose knows.
type mechanism struct {
	name  string // upper case, as the server lists it
	clear bool   // who listens gets the password or token
	token bool   // it carries an access token; with a password "auto" does not pick it
	make  func(Credentials) sasl.Client
}

// mechanisms stand in the order in which "auto" prefers them.
//
// XOAUTH2 comes before OAUTHBEARER, although only that is a standard: Microsoft offers
// XOAUTH2 alone, Google both and describes XOAUTH2, so it is the one that is proved against
// both. They carry the same token and differ in nothing that would make one safer.
var mechanisms = []mechanism{
	{"SCRAM-SHA-256", false, false, newScram},
	{"PLAIN", true, false, func(c Credentials) sasl.Client { return sasl.NewPlainClient("", c.Account, c.Password) }},
	{"LOGIN", true, false, newLogin},
	{"CRAM-MD5", false, false, newCramMD5},
	{"XOAUTH2", true, true, newXOAuth2},
	{"OAUTHBEARER", true, true, newOAuthBearer},
}

// Choose picks the mechanism: auth is "auto" (or "") or a mechanism in lower case
// (plain, login, cram-md5, scram-sha-256, xoauth2, oauthbearer); offered are the
// server's mechanisms in upper case. secure tells whether the line is under TLS: if it
// is not and insecure is false, mechanisms that send the password in clear are refused
// with an error of class config that names allow_insecure_auth. "auto" prefers
// scram-sha-256, then (under TLS, or insecure) plain, login, then cram-md5; with a Token
// xoauth2, then oauthbearer, and any mechanism that would send it as a password is refused.
// The returned name is the mechanism's, in upper case.
//
// It does no I/O. A client is used for one exchange.
func Choose(auth string, offered []string, secure, insecure bool, c Credentials) (sasl.Client, string, error) {
	if strings.ContainsRune(c.Account, 0) || strings.ContainsRune(c.Password, 0) {
		// RFC 4616 section 2: NUL separates the fields of PLAIN.
		return nil, "", config("the account or the password holds a NUL character: enter it again")
	}
	if c.Token != "" && (!isBearer(c.Token) || strings.ContainsRune(c.Account, 1)) {
		return nil, "", config("the account or its access token holds a character that no login can carry: check account, then the provider")
	}
	isToken := c.Token != ""
	what, other := "password", "auto or to one of these"
	if isToken {
		what, other = "token", "auto, xoauth2 or oauthbearer, or oauth_account to none and enter a password"
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
			if m.token != isToken || !has(m.name) {
				continue
			}
			if m.clear && !secure && !insecure {
				hidden = true
				continue
			}
			return m.make(c), m.name, nil
		}
		if hidden {
			return nil, "", config("the line is not encrypted and the server takes the " + what + " in clear only: " +
				"set tls to implicit or starttls, or allow_insecure_auth if the network is trusted")
		}
		if len(offered) == 0 {
			return nil, "", config("the server offers no authentication on this line: " +
				"check port and tls, or leave account and password empty")
		}
		if isToken {
			return nil, "", config(fmt.Sprintf("the server takes no access token, it offers only %s: leave oauth_account empty and enter a password", list(offered)))
		}
		return nil, "", config(fmt.Sprintf("the server offers only %s, none of which auto may choose: set auth", list(offered)))
	}
	for _, m := range mechanisms {
		if !strings.EqualFold(auth, m.name) {
			continue
		}
		if isToken && !m.token {
			return nil, "", config(fmt.Sprintf("%s carries a password, not an access token: set auth to auto, xoauth2 or oauthbearer", m.name))
		}
		if m.clear && !secure && !insecure {
			return nil, "", config(fmt.Sprintf("%s would send the %s in clear over an unencrypted line: "+
				"set tls to implicit or starttls, or allow_insecure_auth if the network is trusted", m.name, what))
		}
		if !has(m.name) {
			return nil, "", config(fmt.Sprintf("the server does not offer %s, it offers %s: set auth to %s", m.name, list(offered), other))
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
// nothing: the JSON of XOAUTH2 and OAUTHBEARER. It is a stranger's text, cut.
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
