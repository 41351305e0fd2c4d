// Package sasl has the SASL mechanisms that emersion/go-sasl lacks, and chooses one.
package sasl

import "github.com/emersion/go-sasl"

// Credentials are what a mechanism needs. With xoauth2 and oauthbearer Password is the
// access token.
type Credentials struct {
	Account, Password string
	Host              string // for oauthbearer
	Port              int
}

// Choose picks the mechanism: auth is "auto" (or "") or a mechanism in lower case
// (plain, login, cram-md5, scram-sha-256, xoauth2, oauthbearer); offered are the
// server's mechanisms in upper case. secure tells whether the line is under TLS: if it
// is not and insecure is false, mechanisms that send the password in clear are refused
// with an error of class config that names allow_insecure_auth. "auto" prefers
// scram-sha-256, then (under TLS, or insecure) plain, login, then cram-md5.
// The returned name is the mechanism's, in upper case.
func Choose(auth string, offered []string, secure, insecure bool, c Credentials) (sasl.Client, string, error) {
	panic("to come")
}
