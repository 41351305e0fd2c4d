// Package integration holds the tests against real servers: a Dovecot and a Postfix
// that package internal/mailstack starts on loopback. Where they are not installed the
// tests are skipped and say so; with CI=true in the environment they fail.
package integration
