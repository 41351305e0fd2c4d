package graphtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// refusal is why a call is not done.
type refusal struct {
	status        int
	code, message string
	why           string // for Call.Why
	challenge     string // WWW-Authenticate
}

// identify finds out who asks and for which mailbox, as far as that can be known: c holds
// that also of a request that is refused.
func (s *Server) identify(r *http.Request, t target) (*request, *refusal) {
	c := &request{op: t.op, vars: t.vars}
	k, no := s.bearer(r.Header)
	if k != nil {
		c.app, c.scopes, c.user = k.app, k.names, k.person
		c.named = c.user
		if t.user != "me" && t.user != "" {
			c.named = s.person(t.user)
		}
		if c.named != nil {
			c.mailbox = c.named.box
			c.own = c.named == c.user
		}
	}
	return c, no
}

// bearer finds the token of a request.
func (s *Server) bearer(h http.Header) (*accessToken, *refusal) {
	const code = "InvalidAuthenticationToken"
	challenge := fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/authorize", client_id="%s"`, s.URL, graphID)
	scheme, value, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || value == "" {
		return nil, &refusal{http.StatusUnauthorized, code, "Access token is empty.", "no token", challenge}
	}
	k := s.entra.access(value)
	switch {
	case k == nil:
		return nil, &refusal{http.StatusUnauthorized, code, "CompactToken parsing failed with error code: 80049217", "no token of this server", challenge}
	case !s.now().Before(k.expires) || k.expired:
		return k, &refusal{http.StatusUnauthorized, code, "Lifetime validation failed, the token is expired.", "the token has expired", challenge}
	case k.dead:
		return k, &refusal{http.StatusUnauthorized, code, "Access token has been revoked.", "the grant was revoked", challenge}
	case k.resource != graphResource:
		return k, &refusal{http.StatusUnauthorized, code, "Access token validation failure. Invalid audience.", "the token is for " + k.resource, challenge}
	}
	return k, nil
}

// may judges whether who asks may do that there.
func (s *Server) may(c *request, t target) *refusal {
	denied := func(why string) *refusal {
		return &refusal{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.", why, ""}
	}
	if t.user == "me" && c.user == nil {
		return &refusal{http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.", "a token of an application has no /me", ""}
	}
	if t.op == "batch" {
		return nil
	}
	if t.op == "me" || t.op == "users.get" {
		return s.mayKnow(c, t)
	}
	if missing := c.lacks(t.need); missing != "" {
		return denied("the token lacks " + missing)
	}
	switch {
	case c.named == nil:
		return &refusal{http.StatusNotFound, "ErrorInvalidUser", fmt.Sprintf("The requested user '%s' is invalid.", t.user), "nobody has that name", ""}
	case c.mailbox == nil:
		return &refusal{http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "REST API is not yet supported for this mailbox.", "the user has no mailbox", ""}
	case c.user != nil && !c.own && !holds(c.user.FullAccess, c.named.Address):
		return denied(c.user.Address + " has no full access to " + c.named.Address)
	}
	return nil
}

// mayKnow is may for the data of users.
func (s *Server) mayKnow(c *request, t target) *refusal {
	all := []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"}
	if c.user != nil {
		all = append(all, "User.ReadBasic.All")
	}
	if c.own {
		all = append(all, "User.Read", "User.ReadWrite")
	}
	if !slices.ContainsFunc(all, func(p string) bool { return holds(c.scopes, p) }) {
		return &refusal{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", "the token lacks " + all[len(all)-1], ""}
	}
	if c.named == nil {
		return &refusal{http.StatusNotFound, "Request_ResourceNotFound",
			fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", t.user), "nobody has that name", ""}
	}
	return nil
}

// lacks returns the permission that is missing for need, "" if none is. In another person's
// mailbox only the .Shared twins count (their description: "mail the user can access,
// including the user's own and shared mail"); an application's permissions reach everywhere.
func (c *request) lacks(need string) string {
	enough := []string{need}
	if need == "Mail.Read" {
		enough = append(enough, "Mail.ReadWrite")
	}
	for _, p := range enough {
		if holds(c.scopes, p+".Shared") && c.user != nil || holds(c.scopes, p) && (c.user == nil || c.own) {
			return ""
		}
	}
	if c.user != nil && !c.own {
		return need + ".Shared"
	}
	return need
}

func holds(list []string, s string) bool {
	return slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, s) })
}
