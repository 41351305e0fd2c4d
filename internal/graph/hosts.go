package graph

import (
	"net/url"
	"strconv"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
)

// Endpoints are what a firewall must open for an account: to get tokens, and to ask Graph for
// the purpose ("to send mail"); with attachments, to hand over large ones too. An account
// without a provider is taken for one of the worldwide cloud. It does no I/O.
func Endpoints(a auth.Account, purpose, attachments string) []vaguemestre.Endpoint {
	m, ok := a.Provider().(*auth.Microsoft)
	if !ok || m == nil {
		m = &auth.Microsoft{}
	}
	login, graph, outlook := m.Hosts()
	out := []vaguemestre.Endpoint{
		endpoint(login, "to get and renew the account's tokens (who signs in opens the page that is shown, such as microsoft.com/devicelogin, in a browser of their own)"),
		endpoint(graph, purpose+" (Microsoft Graph)"),
	}
	if attachments != "" {
		out = append(out, endpoint(outlook, attachments))
	}
	return out
}

func endpoint(raw, reason string) vaguemestre.Endpoint {
	e := vaguemestre.Endpoint{Port: 443, Reason: reason}
	if u, err := url.Parse(raw); err == nil {
		e.Host = u.Hostname()
		if n, err := strconv.Atoi(u.Port()); err == nil {
			e.Port = n
		}
	}
	return e
}
