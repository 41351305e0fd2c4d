package launcher

import (
	"net/url"
	"strconv"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
)

// clouds are where tokens of each cloud are issued, and its Graph
// (learn.microsoft.com/graph/deployments).
var clouds = map[auth.Cloud][2]string{
	auth.CloudWorldwide: {"https://login.microsoftonline.com", "https://graph.microsoft.com"},
	auth.CloudUSGov:     {"https://login.microsoftonline.us", "https://graph.microsoft.us"},
	auth.CloudUSGovDoD:  {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
	auth.CloudChina:     {"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"},
}

// Endpoints implements [vaguemestre.Endpointer]. An account that is not known yet is taken
// for one of the worldwide cloud.
func (l *Office365) Endpoints() []vaguemestre.Endpoint {
	m := &auth.Microsoft{}
	if account, err := l.accounts.Resolve(l.Account); err == nil {
		if known, ok := account.Provider().(*auth.Microsoft); ok {
			m = known
		}
	}
	cloud, ok := clouds[m.Cloud]
	if !ok {
		cloud = clouds[auth.CloudWorldwide]
	}
	or := func(own, usual string) string {
		if own != "" {
			return own
		}
		return usual
	}
	return []vaguemestre.Endpoint{
		endpoint(or(m.Authority, cloud[0]), "get and renew the account's token"),
		endpoint(or(m.GraphURL, cloud[1]), "collect mail through Microsoft Graph"),
	}
}

func endpoint(raw, reason string) vaguemestre.Endpoint {
	e := vaguemestre.Endpoint{Port: 443, Reason: reason}
	u, err := url.Parse(raw)
	if err != nil {
		return e
	}
	e.Host = u.Hostname()
	if n, err := strconv.Atoi(u.Port()); err == nil {
		e.Port = n
	}
	return e
}
