package graphtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// token answers the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(r *http.Request, tenant string, form url.Values) (any, *entraError) {
	s.entra.mu.Lock()
	defer s.entra.mu.Unlock()
	kind := form.Get("grant_type")
	if kind == "" {
		return nil, missing("grant_type")
	}
	app, proved, no := s.client(r, tenant, form)
	if no != nil {
		return nil, no
	}
	if kind == "client_credentials" {
		return s.applicationToken(app, proved, tenant, form)
	}
	if app.Confidential && !proved {
		return nil, unproved()
	}
	var g *grant
	var asked []scope
	switch kind {
	case "urn:ietf:params:oauth:grant-type:device_code", "device_code":
		g, asked, no = s.redeemDevice(app, tenant, form)
	case "authorization_code":
		g, asked, no = s.redeemCode(app, tenant, form)
	case "refresh_token":
		g, asked, no = s.refreshGrant(app, tenant, form)
	default:
		no = entraFault(http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+cut(kind)+"'.")
	}
	if no != nil {
		return nil, no
	}
	if text := form.Get("scope"); text != "" && kind != "refresh_token" {
		// Of a redemption it says which resource comes first.
		if asked, no = s.scopes(text); no != nil {
			return nil, no
		}
	}
	return s.issue(g, asked, form)
}

// refreshGrant finds the grant of a refresh token and uses the token up.
func (s *Server) refreshGrant(app *App, tenant string, form url.Values) (*grant, []scope, *entraError) {
	value := form.Get("refresh_token")
	if value == "" {
		return nil, nil, missing("refresh_token")
	}
	if s.o.DemandScope && form.Get("scope") == "" {
		return nil, nil, missing("scope")
	}
	k := s.entra.refresh[value]
	if k == nil || !strings.EqualFold(k.grant.app.ID, app.ID) {
		return nil, nil, &entraError{http.StatusBadRequest, "invalid_grant", "bad_token", 9002313, "Invalid request. Request is malformed or invalid."}
	}
	g := k.grant
	if g.tenant != strings.ToLower(tenant) {
		return nil, nil, otherTenant()
	}
	if s.o.Rotation == RotateStrict && k.used && g.dead == 0 {
		s.entra.kill(g, 70000)
	}
	if g.dead != 0 {
		return nil, nil, &entraError{http.StatusBadRequest, "invalid_grant", "bad_token", g.dead, deadText(g.dead)}
	}
	if !s.now().Before(k.expires) {
		return nil, nil, badGrant(700082, deadText(700082))
	}
	asked := g.asked
	if text := form.Get("scope"); text != "" {
		var no *entraError
		if asked, no = s.scopes(text); no != nil {
			return nil, nil, no
		}
	}
	resource := resourceOf(asked)
	if want := of(resource, asked); len(want) > 0 && len(granted(g, want)) == 0 {
		return nil, nil, &entraError{http.StatusBadRequest, "invalid_grant", "consent_required", 65001,
			"The user or administrator has not consented to use the application with ID '" + app.ID + "'. Send an interactive authorization request for this user and resource."}
	}
	k.used = true
	return g, asked, nil
}

// granted are those of want that g holds.
func granted(g *grant, want []scope) []scope {
	var out []scope
	for _, p := range want {
		for _, q := range g.granted {
			if p.is(q) {
				out = append(out, p)
				break
			}
		}
	}
	return out
}

// issue makes the tokens of a grant for the first resource of asked.
func (s *Server) issue(g *grant, asked []scope, form url.Values) (any, *entraError) {
	resource := resourceOf(asked)
	want := of(resource, asked)
	for _, p := range asked { // .default: all that was granted
		if p.resource == resource && p.name == ".default" {
			want = of(resource, g.granted)
		}
	}
	got := granted(g, want)
	if len(want) > 0 && len(got) == 0 {
		return nil, &entraError{http.StatusBadRequest, "invalid_grant", "consent_required", 65001, "The user or administrator has not consented to use the application."}
	}
	names := make([]string, 0, len(got)+3)
	for _, p := range got {
		names = append(names, p.name)
	}
	answer := map[string]any{"token_type": "Bearer", "expires_in": s.lifeSeconds(), "ext_expires_in": s.lifeSeconds(),
		"access_token": s.newAccess(g.app, g.person, g, resource, names)}
	var told []string
	for _, p := range got {
		told = append(told, p.String())
	}
	if has(asked, "openid") { // offline_access is never told
		told = append(told, "profile", "openid", "email")
		answer["id_token"] = s.idToken(g.app, g.person, form.Get("nonce"))
	}
	answer["scope"] = strings.Join(told, " ")
	if has(g.granted, "offline_access") {
		value := opaque("0.A", 450)
		put(&s.entra.refresh, value, &refreshToken{grant: g, expires: s.now().Add(refreshLife)})
		answer["refresh_token"] = value
	}
	if form.Get("client_info") == "1" {
		info, _ := json.Marshal(map[string]string{"uid": g.person.id, "utid": s.Tenant})
		answer["client_info"] = base64.RawURLEncoding.EncodeToString(info)
	}
	return answer, nil
}

// applicationToken is the client credentials grant (RFC 6749 section 4.4).
func (s *Server) applicationToken(app *App, proved bool, tenant string, form url.Values) (any, *entraError) {
	if !proved {
		return nil, unproved()
	}
	if anyTenant(tenant) {
		return nil, entraFault(http.StatusBadRequest, "invalid_request", 50059, "No tenant-identifying information found in either the request or implied by any provided credentials.")
	}
	if form.Get("scope") == "" {
		return nil, missing("scope")
	}
	asked, no := s.scopes(form.Get("scope"))
	if no != nil {
		return nil, no
	}
	if len(asked) != 1 || asked[0].name != ".default" {
		return nil, entraFault(http.StatusBadRequest, "invalid_scope", 1002012,
			"The provided value for scope "+cut(form.Get("scope"))+" is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).")
	}
	return map[string]any{"token_type": "Bearer", "expires_in": s.lifeSeconds(), "ext_expires_in": s.lifeSeconds(),
		"access_token": s.newAccess(app, nil, nil, asked[0].resource, app.Permissions)}, nil
}

// newAccess issues an access token. The caller holds the lock.
func (s *Server) newAccess(app *App, p *person, g *grant, resource string, names []string) string {
	value := opaque("EwB", 600)
	put(&s.entra.tokens, value, &accessToken{app: app, person: p, grant: g, resource: resource, names: names, expires: s.now().Add(s.o.TokenLife)})
	return value
}

func (s *Server) lifeSeconds() int { return max(1, int(s.o.TokenLife/time.Second)) }

// kill ends a grant with all its tokens. The caller holds the lock.
func (e *entra) kill(g *grant, code int) {
	g.dead = code
	for _, k := range e.tokens {
		if k.grant == g {
			k.dead = true
		}
	}
}

// Token issues an access token for Graph directly, without any flow, to the application that
// is there from the start; without scopes it has all that the server knows. User "" is the
// application itself, with scopes as its permissions. It is "" if nobody is called user.
func (s *Server) Token(user string, scopes ...string) string {
	var p *person
	if user != "" {
		if p = s.person(user); p == nil {
			return ""
		}
	}
	if len(scopes) == 0 {
		scopes = []string{"User.Read", "Mail.ReadWrite", "Mail.Send", "Mail.ReadWrite.Shared", "Mail.Send.Shared"}
	}
	var names []string
	for _, text := range scopes {
		if k, ok := s.scope(text); ok {
			names = append(names, k.name)
		}
	}
	app := s.app(s.ClientID)
	s.entra.mu.Lock()
	defer s.entra.mu.Unlock()
	return s.newAccess(app, p, nil, graphResource, names)
}

// Revoke ends all grants of a user: refreshing answers invalid_grant with code; 0 is 50173,
// a changed password. Access tokens stay good until they expire, as Entra's do.
func (s *Server) Revoke(user string, code int) {
	if code == 0 {
		code = 50173
	}
	s.entra.mu.Lock()
	defer s.entra.mu.Unlock()
	for _, k := range s.entra.refresh {
		if strings.EqualFold(k.grant.person.Address, user) {
			k.grant.dead = code
		}
	}
}

// ExpireTokens makes every access token issued so far expired.
func (s *Server) ExpireTokens() {
	s.entra.mu.Lock()
	defer s.entra.mu.Unlock()
	for _, k := range s.entra.tokens {
		k.expired = true
	}
}

// deadText is what Entra says of a grant that is worth nothing any more.
func deadText(code int) string {
	switch code {
	case 700082:
		return "The refresh token has expired due to inactivity."
	case 50173:
		return "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password."
	case 70043:
		return "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access."
	case 53003:
		return "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
	case 50076, 50079:
		return "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication."
	}
	return "The provided grant is invalid or malformed."
}

func otherTenant() *entraError {
	return badGrant(7000012, "The grant was obtained for a different tenant.")
}
