package sasl

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"

	"github.com/emersion/go-sasl"
)

// login is LOGIN (draft-murchison-sasl-login).
//
// QUIRK: the prompts are not looked at. Exchange sends "Username:", others "User Name"
// with a NUL behind it; all ask for the name first and the password second.
type login struct {
	c    Credentials
	step int
}

func newLogin(c Credentials) sasl.Client { return &login{c: c} }

func (l *login) Start() (string, []byte, error) { l.step = 0; return "LOGIN", nil, nil }

func (l *login) Next([]byte) ([]byte, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte(l.c.Account), nil
	case 2:
		return []byte(l.c.Password), nil
	}
	return nil, errors.New("sasl: the server asks for more than name and password")
}

// cramMD5 is CRAM-MD5 (RFC 2195). The server does not prove anything.
type cramMD5 struct {
	c    Credentials
	done bool
}

func newCramMD5(c Credentials) sasl.Client { return &cramMD5{c: c} }

func (m *cramMD5) Start() (string, []byte, error) { m.done = false; return "CRAM-MD5", nil, nil }

func (m *cramMD5) Next(challenge []byte) ([]byte, error) {
	if m.done {
		return nil, errors.New("sasl: the server sends a second CRAM-MD5 challenge")
	}
	if len(challenge) == 0 {
		return nil, errors.New("sasl: the server sends an empty CRAM-MD5 challenge")
	}
	m.done = true
	h := hmac.New(md5.New, []byte(m.c.Password))
	h.Write(challenge)
	return []byte(m.c.Account + " " + hex.EncodeToString(h.Sum(nil))), nil
}
