package auth

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Role is something that an account is used for. It decides which permissions are asked.
type Role string

const (
	RoleSend      Role = "send"       // Mail.Send: mails up to 3.5 MB
	RoleSendLarge Role = "send_large" // Mail.ReadWrite besides: drafts, which larger mails need
	RoleCollect   Role = "collect"    // Mail.ReadWrite: read, mark, move, delete
	RoleShared    Role = "shared"     // the .Shared twins of the others: mailboxes of other people
	RoleIMAP      Role = "imap"       // IMAP.AccessAsUser.All
	RolePOP       Role = "pop"        // POP.AccessAsUser.All
	RoleSMTP      Role = "smtp"       // SMTP.Send
)

// Grant is on whose behalf tokens are issued.
type Grant string

const (
	Delegated   Grant = "delegated"   // of somebody who signed in; the default
	Application Grant = "application" // of the application itself (client credentials); nobody signs in
)

// Cloud is one of Microsoft's clouds. Tokens of one do not work in another.
type Cloud string

const (
	CloudWorldwide Cloud = "worldwide"
	CloudUSGov     Cloud = "usgov"     // GCC High
	CloudUSGovDoD  Cloud = "usgov_dod" //
	CloudChina     Cloud = "china"     // 21Vianet
)

// Microsoft is one application registered with Microsoft Entra ID: all accounts that have
// signed in to it. Only ClientID is required, and Tokens with a delegated grant. Use it
// through a pointer; do not copy it, nor change it once it is used. It is safe for
// concurrent use.
type Microsoft struct {
	ClientID string `key:"client_id" required:"true"`
	Tenant   string `key:"tenant" default:"common"` // id or domain; "common", "organizations" and "consumers" not with application
	Cloud    Cloud  `key:"cloud" default:"worldwide" enum:"worldwide,usgov,usgov_dod,china"`
	Roles    []Role `key:"roles" default:"send,collect" enum:"send,send_large,collect,shared,imap,pop,smtp"` // what a new flow asks for
	Grant    Grant  `key:"grant" default:"delegated" enum:"delegated,application"`

	ClientSecret    settings.Secret `key:"client_secret"`                  // with application, unless there is a certificate; with a confidential client
	CertificateFile string          `key:"certificate_file" format:"file"` // PEM: certificate and RSA key; in place of a secret

	Authority string        `key:"authority" format:"url" advanced:"true"`   // "" is the cloud's: https://login.microsoftonline.com
	GraphURL  string        `key:"graph_url" format:"url" advanced:"true"`   // "" is the cloud's: https://graph.microsoft.com
	Outlook   string        `key:"outlook_url" format:"url" advanced:"true"` // resource of IMAP, POP and SMTP; "" is the cloud's: https://outlook.office.com
	CAFile    string        `key:"ca_file" format:"file" advanced:"true"`    // PEM; replaces the system's authorities
	Timeout   time.Duration `key:"timeout" default:"60s" min:"1s" max:"30m" advanced:"true"`

	Tokens  Store       // where grants are kept; nil keeps those of an application in memory
	OnEvent func(Event) // may be nil

	once sync.Once
	c    *client
	err  error
}

var _ Provider = (*Microsoft)(nil)

// Account implements [Provider].
func (m *Microsoft) Account(name string) Account {
	if m == nil {
		return Account{name: name}
	}
	return Account{name: name, of: m}
}

// Graph returns where Microsoft Graph is, without a version or a final slash, and the
// client to ask it with: it trusts CAFile, follows no redirect and has no timeout of its
// own. The client adds no token.
func (m *Microsoft) Graph() (*url.URL, *http.Client, error) {
	c, err := m.client()
	if err != nil {
		return nil, nil, err
	}
	return c.graph, c.http, nil
}

// client makes the runtime side once. It reads CAFile and CertificateFile and does no other
// I/O.
func (m *Microsoft) client() (*client, error) {
	if m == nil {
		return nil, errNoProvider
	}
	m.once.Do(func() { m.c, m.err = m.newClient() })
	return m.c, m.err
}

func (m *Microsoft) newClient() (*client, error) {
	const op = "auth: microsoft"
	if is := settings.Validate(m); len(is) > 0 {
		return nil, misconfigured(op, "%w", is)
	}
	grant := cmp.Or(m.Grant, Delegated)
	if err := needsStore(op, grant, m.Tokens); err != nil {
		return nil, err
	}
	at := m.where()
	graph, err := parseURL(at.graph)
	if err != nil {
		return nil, misconfigured(op, "graph_url: %w", err)
	}
	e := &entra{where: at, roles: m.Roles, grant: grant, id: m.ClientID, secret: m.ClientSecret, now: time.Now}
	if len(e.roles) == 0 {
		e.roles = []Role{RoleSend, RoleCollect}
	}
	if m.CertificateFile != "" {
		if e.cert, err = loadCertificate(m.CertificateFile); err != nil {
			return nil, misconfigured(op, "%w", err)
		}
	}
	tenant := strings.ToLower(cmp.Or(m.Tenant, "common"))
	e.endpoint = endpointsOf(at.authority, tenant)
	c, err := newClient(op, m.CAFile, m.Timeout)
	if err != nil {
		return nil, err
	}
	c.provider, c.id, c.place = "microsoft", m.ClientID, at.authority+"/"+tenant
	c.grant, c.store, c.onEvent = grant, m.Tokens, m.OnEvent
	c.graph, c.dialect = graph, e
	e.now = func() time.Time { return c.now() }
	return c, nil
}

// Hosts returns the URLs of the authority, of Graph and of Outlook, where large attachments go:
// those of the cloud where the settings name no other. It does no I/O.
func (m *Microsoft) Hosts() (authority, graph, outlook string) {
	at := m.where()
	return at.authority, at.graph, at.outlook
}

// where is the cloud, as far as settings do not say otherwise; without final slashes.
func (m *Microsoft) where() cloud {
	at := clouds[cmp.Or(m.Cloud, CloudWorldwide)]
	set := func(to *string, from string) {
		if from != "" {
			*to = strings.TrimRight(from, "/")
		}
	}
	set(&at.authority, m.Authority)
	set(&at.graph, m.GraphURL)
	set(&at.outlook, m.Outlook)
	set(&at.outlookApp, m.Outlook)
	return at
}

// newClient makes what both providers have alike.
func newClient(op, caFile string, timeout time.Duration) (*client, error) {
	timeout = cmp.Or(timeout, defaultTimeout)
	h, err := newHTTP(op, caFile, timeout)
	if err != nil {
		return nil, err
	}
	return &client{http: h, timeout: timeout, now: time.Now, sleep: sleep}, nil
}

// needsStore refuses to lose what somebody signed in for.
func needsStore(op string, grant Grant, s Store) error {
	if grant == Delegated && s == nil {
		return misconfigured(op, "Tokens is not set: give a store that keeps the accounts that sign in (auth.Files, or that of store/sqlite)")
	}
	return nil
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
