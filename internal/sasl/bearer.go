package sasl

import (
	"errors"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
)

// challenge is what a server says inside the exchange when it refuses a token: JSON with a
// status, schemes and a scope. It says so once.
type challenge struct{ why string }

func (c *challenge) take(b []byte) error {
	if c.why != "" {
		return errors.New("sasl: the server sends a second challenge after it refused the access token")
	}
	c.why = string(b)
	if c.why == "" {
		c.why = "(empty)"
	}
	return nil
}

func (c *challenge) problem() string { return c.why }

// xoauth2 is XOAUTH2 (developers.google.com/workspace/gmail/imap/xoauth2-protocol).
type xoauth2 struct {
	c Credentials
	challenge
}

func newXOAuth2(c Credentials) sasl.Client { return &xoauth2{c: c} }

func (x *xoauth2) Start() (string, []byte, error) {
	x.why = ""
	return "XOAUTH2", []byte("user=" + x.c.Account + "\x01auth=Bearer " + x.c.bearer() + "\x01\x01"), nil
}

// Next: the empty answer lets the server end the exchange with its error.
func (x *xoauth2) Next(b []byte) ([]byte, error) { return []byte{}, x.take(b) }

// oauthBearer is OAUTHBEARER (RFC 7628). It is our own, since that of go-sasl does not say
// who logs in where a name holds a comma, and does not answer the server's challenge.
type oauthBearer struct {
	c Credentials
	challenge
}

func newOAuthBearer(c Credentials) sasl.Client { return &oauthBearer{c: c} }

// Start: RFC 7628 section 3.1 behind the header of RFC 5801 section 4.
func (o *oauthBearer) Start() (string, []byte, error) {
	o.why = ""
	msg := "n,"
	if o.c.Account != "" {
		msg += "a=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(o.c.Account)
	}
	msg += ",\x01"
	if o.c.Host != "" {
		msg += "host=" + o.c.Host + "\x01"
	}
	if o.c.Port != 0 {
		msg += "port=" + strconv.Itoa(o.c.Port) + "\x01"
	}
	return "OAUTHBEARER", []byte(msg + "auth=Bearer " + o.c.bearer() + "\x01\x01"), nil
}

// Next: RFC 7628 section 3.2.3: the answer to an error is one ^A, then the server fails.
func (o *oauthBearer) Next(b []byte) ([]byte, error) { return []byte{1}, o.take(b) }

// isBearer reports whether a token can stand in both mechanisms: printable and without
// blanks. RFC 6750 section 2.1 allows less, but providers do as they like.
func isBearer(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
