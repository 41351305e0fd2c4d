package graphtest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// authorization is one authorization code (RFC 6749 section 4.1).
type authorization struct {
	grant     *grant
	redirect  string
	challenge string
	nonce     string
	expires   time.Time
	redeemed  bool
}

// authRequest is an authorization request that makes sense.
type authRequest struct {
	app      *App
	tenant   string
	redirect *url.URL
	asked    []scope
	query    url.Values
}

// readAuth reads an authorization request. An error is for the person: nobody knows yet
// where else it could go. no is for the application, at its redirect address.
func (s *Server) readAuth(tenant string, q url.Values) (a *authRequest, no *entraError, err error) {
	a = &authRequest{app: s.app(q.Get("client_id")), tenant: strings.ToLower(tenant), query: q}
	if a.app == nil {
		return nil, nil, fmt.Errorf("AADSTS700016: Application with identifier '%s' was not found in the directory", cut(q.Get("client_id")))
	}
	if a.redirect, err = url.Parse(q.Get("redirect_uri")); err != nil || !goodRedirect(a.redirect) {
		return nil, nil, fmt.Errorf("AADSTS50011: The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application", cut(q.Get("redirect_uri")))
	}
	if a.asked, no = s.scopes(q.Get("scope")); no != nil {
		return a, no, nil
	}
	method := q.Get("code_challenge_method")
	switch {
	case q.Get("response_type") != "code":
		no = entraFault(0, "unsupported_response_type", 700051, "The response type is not enabled for the application.")
	case len(a.asked) == 0:
		no = missing("scope")
	case q.Get("code_challenge") == "" && a.app.Secret == "" && a.app.Certificate == nil:
		no = entraFault(0, "invalid_request", 9002325, "Proof Key for Code Exchange is required for cross-origin authorization code redemption.")
	case q.Get("code_challenge") != "" && (method != "S256" || len(q.Get("code_challenge")) != 43):
		no = entraFault(0, "invalid_request", 501491, "Invalid size of Code_Challenge parameter, or a method other than S256.")
	case q.Get("prompt") == "none":
		no = entraFault(0, "login_required", 50058, "A silent sign-in request was sent but no user is signed in.")
	}
	return a, no, nil
}

// goodRedirect allows loopback with any port (RFC 8252 section 7.3) and https.
func goodRedirect(u *url.URL) bool {
	switch u.Hostname() {
	case "":
		return false
	case "localhost", "127.0.0.1", "::1":
		return (u.Scheme == "http" || u.Scheme == "https") && u.Fragment == "" && u.User == nil
	}
	return u.Scheme == "https" && u.Fragment == "" && u.User == nil
}

// back is where the browser is sent with an answer.
func (a *authRequest) back(set url.Values) string {
	u := *a.redirect
	q := u.Query()
	for k, v := range set {
		q[k] = v
	}
	if state := a.query.Get("state"); state != "" {
		q.Set("state", state)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (a *authRequest) refused(no *entraError) string {
	return a.back(url.Values{"error": {no.word}, "error_description": {fmt.Sprintf("AADSTS%d: %s", no.code, no.text)}})
}

// grant makes a code for a consent.
func (s *Server) authorized(a *authRequest, c Consent) (string, error) {
	p := s.person(c.User)
	if p == nil || p.Shared {
		return "", fmt.Errorf("graphtest: authorize: nobody who is called %q signs in: add the user first", cut(c.User))
	}
	g := &grant{app: a.app, person: p, tenant: a.tenant, asked: a.asked, granted: s.consented(a.asked, c)}
	code := opaque("1.A", 300)
	s.entra.mu.Lock()
	defer s.entra.mu.Unlock()
	put(&s.entra.codes, code, &authorization{grant: g, redirect: a.query.Get("redirect_uri"), challenge: a.query.Get("code_challenge"),
		nonce: a.query.Get("nonce"), expires: s.now().Add(10 * time.Minute)})
	return a.back(url.Values{"code": {code}, "session_state": {newGUID()}}), nil
}

// Authorize answers an authorization page (authURL: what a program opens in the browser) as
// the person would, and returns the address that the browser is sent to. A request that the
// page would refuse is refused there, in the address, or an error.
func (s *Server) Authorize(authURL string, c Consent) (string, error) {
	u, err := url.Parse(authURL)
	if err != nil {
		return "", fmt.Errorf("graphtest: authorize: %w", err)
	}
	t := targetOf(http.MethodGet, u.EscapedPath())
	if t.op != "authorize" || !s.knowsTenant(t.tenant) || !strings.EqualFold(u.Scheme+"://"+u.Host, s.URL) {
		return "", fmt.Errorf("graphtest: authorize: %q is no authorization page of this server", cut(authURL))
	}
	a, no, err := s.readAuth(t.tenant, u.Query())
	if err != nil {
		return "", fmt.Errorf("graphtest: authorize: %w", err)
	}
	if no != nil {
		return a.refused(no), nil
	}
	return s.authorized(a, c)
}

// redeemCode answers the redemption of a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
// The caller holds the lock.
func (s *Server) redeemCode(app *App, tenant string, form url.Values) (*grant, []scope, *entraError) {
	for _, name := range []string{"code", "redirect_uri"} {
		if form.Get(name) == "" {
			return nil, nil, missing(name)
		}
	}
	a := s.entra.codes[form.Get("code")]
	if a == nil || a.grant.app.ID != app.ID {
		return nil, nil, badGrant(9002313, "Invalid request. Request is malformed or invalid.")
	}
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case a.grant.tenant != strings.ToLower(tenant):
		return nil, nil, otherTenant()
	case a.redeemed:
		return nil, nil, badGrant(54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case !s.now().Before(a.expires):
		return nil, nil, badGrant(70008, "The provided authorization code or refresh token has expired due to inactivity.")
	case a.redirect != form.Get("redirect_uri"):
		return nil, nil, badGrant(500112, "The reply address does not match the reply address provided when requesting Authorization code.")
	case a.challenge != "" && subtle.ConstantTimeCompare([]byte(a.challenge), []byte(challenge)) != 1:
		return nil, nil, badGrant(501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	a.redeemed = true
	form.Set("nonce", a.nonce)
	return a.grant, a.grant.asked, nil
}
