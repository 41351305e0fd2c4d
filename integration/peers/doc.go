// Package peers checks what we speak with programs that are not ours: Microsoft's own
// JavaScript clients sign in to, send through and list the fake Microsoft 365 of package
// graphtest, and our accounts sign in to an OpenID provider that ends a grant at the first
// refresh token that is used twice.
//
// "make peers" installs them with npm and runs the tests, which are skipped without them.
package peers
