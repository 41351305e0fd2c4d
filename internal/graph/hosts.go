package graph

import (
	"net/url"
	"strconv"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
)

// hosts of one cloud: where tokens are issued, Graph, and where large attachments go
// (learn.microsoft.com/graph/deployments and outlook-large-attachments).
type hosts struct{ login, graph, upload string }

var clouds = map[auth.Cloud]hosts{
	auth.CloudWorldwide: {"https://login.microsoftonline.com", "https://graph.microsoft.com", "https://outlook.office.com"},
	auth.CloudUSGov:     {"https://login.microsoftonline.us", "https://graph.microsoft.us", "https://outlook.office365.us"},
	auth.CloudUSGovDoD:  {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us", "https://outlook-dod.office365.us"},
	auth.CloudChina:     {"https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", "https://partner.outlook.cn"},
}

// Endpoints are what a firewall must open for an account: to get tokens, and to ask Graph for
// the purpose ("to send mail"); with attachments, to hand over large ones too. An account
// without a provider is taken for one of the worldwide cloud. It does no I/O.
func Endpoints(a auth.Account, purpose, attachments string) []vaguemestre.Endpoint {
	m, ok := a.Provider().(*auth.Microsoft)
	if !ok || m == nil {
		m = &auth.Microsoft{}
	}
	h, ok := clouds[m.Cloud]
	if !ok {
		h = clouds[auth.CloudWorldwide]
	}
	if m.Authority != "" {
		h.login = m.Authority
	}
	if m.GraphURL != "" {
		h.graph = m.GraphURL
	}
	out := []vaguemestre.Endpoint{
		endpoint(h.login, "to get and renew the account's tokens (who signs in opens the page that is shown, such as microsoft.com/devicelogin, in a browser of their own)"),
		endpoint(h.graph, purpose+" (Microsoft Graph)"),
	}
	if attachments != "" {
		out = append(out, endpoint(h.upload, attachments))
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
