package graphtest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Resources that tokens are for.
const (
	graphResource   = "https://graph.microsoft.com"
	outlookResource = "https://outlook.office.com"
	graphID         = "00000003-0000-0000-c000-000000000000"
)

// scope is one scope that was asked or granted.
type scope struct {
	resource string // "": of OpenID Connect, and offline_access
	name     string
}

// String is the scope as answers name it: short for Graph, whatever form it was asked in.
func (p scope) String() string {
	if p.resource == "" || p.resource == graphResource {
		return p.name
	}
	return p.resource + "/" + p.name
}

func (p scope) is(o scope) bool { return p.resource == o.resource && strings.EqualFold(p.name, o.name) }

var goodScope = regexp.MustCompile(`^(\.default|[A-Za-z][A-Za-z0-9._-]{0,99})$`)

// scopes reads a list of scopes.
func (s *Server) scopes(text string) ([]scope, *entraError) {
	fields := strings.Fields(text)
	if len(fields) > 100 {
		return nil, badScope(text)
	}
	var list []scope
	for _, f := range fields {
		p, ok := s.scope(f)
		if !ok {
			return nil, badScope(f)
		}
		if p.resource != "" && p.resource != graphResource && p.resource != outlookResource {
			return nil, entraFault(http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+cut(p.resource)+" was not found in the tenant.")
		}
		if !slices.ContainsFunc(list, p.is) {
			list = append(list, p)
		}
	}
	return list, nil
}

func badScope(text string) *entraError {
	return entraFault(http.StatusBadRequest, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid. The scope "+cut(text)+" is not valid.")
}

// scope reads one: a name alone is Graph's, else it stands behind the address of its resource.
func (s *Server) scope(f string) (scope, bool) {
	switch name := strings.ToLower(f); name {
	case "openid", "profile", "email", "offline_access":
		return scope{name: name}, true
	}
	i := strings.LastIndexByte(f, '/')
	if i < 0 {
		return scope{graphResource, f}, goodScope.MatchString(f)
	}
	at, name := strings.TrimRight(strings.ToLower(f[:i]), "/"), f[i+1:]
	switch at {
	case strings.ToLower(s.URL), graphResource, graphID:
		at = graphResource
	case outlookResource, "https://outlook.office365.com":
		at = outlookResource
	}
	return scope{at, name}, goodScope.MatchString(name)
}

// resourceOf is what a token for these scopes is for: the first resource wins.
func resourceOf(list []scope) string {
	for _, p := range list {
		if p.resource != "" {
			return p.resource
		}
	}
	return graphResource
}

// of returns the scopes of one resource, without .default.
func of(resource string, list []scope) []scope {
	var out []scope
	for _, p := range list {
		if p.resource == resource && p.name != ".default" {
			out = append(out, p)
		}
	}
	return out
}

func has(list []scope, name string) bool { return slices.ContainsFunc(list, scope{name: name}.is) }

// consented returns what c grants of asked, and what it grants beyond that.
func (s *Server) consented(asked []scope, c Consent) []scope {
	if c.Scopes == nil {
		return asked
	}
	var out []scope
	for _, p := range asked {
		if p.resource == "" { // not on the list that the person sees
			out = append(out, p)
		}
	}
	for _, name := range c.Scopes {
		if p, ok := s.scope(name); ok && !slices.ContainsFunc(out, p.is) {
			out = append(out, p)
		}
	}
	return out
}
