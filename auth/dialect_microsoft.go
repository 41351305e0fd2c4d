package auth

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre/settings"
)

// cloud is where one of Microsoft's clouds lives. learn.microsoft.com/graph/deployments
// names authorities and Graph; the resources of IMAP, POP and SMTP outside of the worldwide
// cloud are documented nowhere we know: the setting outlook_url corrects them.
type cloud struct{ authority, graph, outlook, outlookApp string }

var clouds = map[Cloud]cloud{
	// QUIRK: delegated scopes belong to outlook.office.com, ".default" to outlook.office365.com.
	// learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
	CloudWorldwide: {"https://login.microsoftonline.com", "https://graph.microsoft.com", "https://outlook.office.com", "https://outlook.office365.com"},
	CloudUSGov:     {"https://login.microsoftonline.us", "https://graph.microsoft.us", "https://outlook.office365.us", "https://outlook.office365.us"},
	CloudUSGovDoD:  {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us", "https://outlook-dod.office365.us", "https://outlook-dod.office365.us"},
	CloudChina:     {"https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", "https://partner.outlook.cn", "https://partner.outlook.cn"},
}

// entra is the dialect of Microsoft Entra ID. It never changes.
type entra struct {
	endpoint oauth2.Endpoint
	where    cloud
	roles    []Role
	grant    Grant
	id       string
	secret   settings.Secret
	cert     *certificate
	now      func() time.Time
}

var _ dialect = (*entra)(nil)

// endpointsOf are the paths of the v2.0 endpoints.
func endpointsOf(authority, tenant string) oauth2.Endpoint {
	base := authority + "/" + tenant + "/oauth2/v2.0/"
	return oauth2.Endpoint{
		AuthURL: base + "authorize", TokenURL: base + "token", DeviceAuthURL: base + "devicecode",
		AuthStyle: oauth2.AuthStyleInParams,
	}
}

func (e *entra) endpoints(context.Context) (oauth2.Endpoint, error) { return e.endpoint, nil }

// always are asked for beside permissions: openid and profile so that an id_token names who
// signed in, offline_access so that there is a refresh token. They belong to no resource.
var always = []string{"openid", "profile", "offline_access"}

// scopes gives permissions in their full form, which every cloud takes. One request can name
// one resource only: Graph or Outlook.
func (e *entra) scopes(aud Audience) ([]string, bool) {
	if aud == Graph {
		return e.graphScopes()
	}
	if !slices.Contains(e.roles, Role(aud)) {
		return nil, false
	}
	return e.outlookScopes(), true
}

func (e *entra) has(r Role) bool { return slices.Contains(e.roles, r) }

func (e *entra) graphScopes() ([]string, bool) {
	send, write := e.has(RoleSend) || e.has(RoleSendLarge), e.has(RoleSendLarge) || e.has(RoleCollect)
	if !send && !write {
		return nil, false
	}
	if e.grant == Application {
		return []string{e.where.graph + "/.default"}, true
	}
	names := []string{"User.Read"}
	if send {
		names = append(names, "Mail.Send")
	}
	if write {
		names = append(names, "Mail.ReadWrite")
	}
	if e.has(RoleShared) {
		for _, n := range names[1:] {
			names = append(names, n+".Shared")
		}
	}
	list := slices.Clone(always)
	for _, n := range names {
		list = append(list, e.where.graph+"/"+n)
	}
	return list, true
}

// outlookScopes are those of all protocols: one token serves them all.
func (e *entra) outlookScopes() []string {
	if e.grant == Application {
		return []string{e.where.outlookApp + "/.default"}
	}
	list := slices.Clone(always)
	for _, p := range []struct {
		role Role
		name string
	}{{RoleIMAP, "IMAP.AccessAsUser.All"}, {RolePOP, "POP.AccessAsUser.All"}, {RoleSMTP, "SMTP.Send"}} {
		if e.has(p.role) {
			list = append(list, e.where.outlook+"/"+p.name)
		}
	}
	return list
}

// primary is Graph if any role needs it.
func (e *entra) primary() Audience {
	if _, ok := e.graphScopes(); ok {
		return Graph
	}
	for _, a := range []Audience{IMAP, POP, SMTP} {
		if e.has(Role(a)) {
			return a
		}
	}
	return Graph
}

func (e *entra) others() []Audience {
	var list []Audience
	for _, a := range []Audience{IMAP, POP, SMTP} {
		if e.has(Role(a)) && a != e.primary() {
			list = append(list, a)
		}
	}
	return list
}

func (e *entra) authenticate(form url.Values, tokenURL string) error {
	switch {
	case e.cert != nil:
		a, err := e.cert.assert(e.id, tokenURL, e.now())
		if err != nil {
			return misconfigured("auth: client assertion", "%w", err)
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", a)
	case e.secret != "":
		form.Set("client_secret", e.secret.Reveal())
	}
	return nil
}

// missing compares the last segments: Entra answers "Mail.Send" to what was asked as
// "https://graph.microsoft.com/Mail.Send", or with the whole.
func (e *entra) missing(asked []string, answer string) []string {
	short := func(s string) string { return strings.ToLower(s[strings.LastIndexByte(s, '/')+1:]) }
	granted := map[string]bool{}
	for _, s := range strings.Fields(answer) {
		granted[short(s)] = true
	}
	var out []string
	for _, s := range asked {
		if n := short(s); !silentScope(n) && n != ".default" && !granted[n] {
			out = append(out, s)
		}
	}
	return out
}

// silentScope reports whether an answer need not name that scope.
func silentScope(s string) bool {
	switch s {
	case "openid", "profile", "email", "offline_access":
		return true
	}
	return false
}

func (e *entra) explain(a *answerError) verdict { return explainEntra(a) }

// noDevice implements [asker].
func (e *entra) noDevice(oauth2.Endpoint) string { return "" }

// askDevice implements [asker]. Entra's device request takes the language as a query
// parameter and no login_hint.
// learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
func (e *entra) askDevice(endpoint string, o *BeginOptions) string {
	if o.Language == "" {
		return endpoint
	}
	return endpoint + "?" + url.Values{"mkt": {o.Language}}.Encode()
}

// askCode implements [asker].
func (e *entra) askCode(q url.Values, o *BeginOptions) {
	q.Set("response_mode", "query")
	if o.Language != "" {
		q.Set("mkt", o.Language)
	}
	if o.User == "" {
		// The browser may be signed in as somebody else than the mailbox.
		q.Set("prompt", "select_account")
	}
}

// brief implements [asker]: without the resource, which Entra names in some answers only.
func (e *entra) brief(scopes []string) []string {
	var list []string
	for _, s := range scopes {
		list = append(list, strings.TrimPrefix(strings.TrimPrefix(s, e.where.graph+"/"), e.where.outlook+"/"))
	}
	return list
}

// host implements [asker]. QUIRK: Entra ignores the port of http://localhost alone, not of
// http://127.0.0.1, which RFC 8252 section 7.3 prefers.
func (e *entra) host() string { return "localhost" }
