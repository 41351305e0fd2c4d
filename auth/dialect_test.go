package auth

import (
	"slices"
	"strings"
	"testing"
)

func TestMicrosoftScopes(t *testing.T) {
	t.Parallel()
	const g, o = "https://graph.microsoft.com/", "https://outlook.office.com/"
	tests := []struct {
		roles   []Role
		graph   string // after what is always asked; "-" is none
		imap    string
		primary Audience
		others  string
	}{
		{nil, g + "User.Read " + g + "Mail.Send " + g + "Mail.ReadWrite", "-", Graph, ""},
		{[]Role{RoleSend}, g + "User.Read " + g + "Mail.Send", "-", Graph, ""},
		{[]Role{RoleSendLarge}, g + "User.Read " + g + "Mail.Send " + g + "Mail.ReadWrite", "-", Graph, ""},
		{[]Role{RoleCollect}, g + "User.Read " + g + "Mail.ReadWrite", "-", Graph, ""},
		{[]Role{RoleSend, RoleSend, RoleSendLarge, RoleCollect, RoleShared}, g + "User.Read " + g + "Mail.Send " + g + "Mail.ReadWrite " + g + "Mail.Send.Shared " + g + "Mail.ReadWrite.Shared", "-", Graph, ""},
		{[]Role{RoleSend, RoleShared}, g + "User.Read " + g + "Mail.Send " + g + "Mail.Send.Shared", "-", Graph, ""},
		{[]Role{RoleIMAP}, "-", o + "IMAP.AccessAsUser.All", IMAP, ""},
		{[]Role{RoleIMAP, RoleSMTP}, "-", o + "IMAP.AccessAsUser.All " + o + "SMTP.Send", IMAP, "smtp"},
		{[]Role{RoleSMTP, RolePOP}, "-", "-", POP, "smtp"},
		{[]Role{RoleSend, RoleIMAP}, g + "User.Read " + g + "Mail.Send", o + "IMAP.AccessAsUser.All", Graph, "imap"},
	}
	for _, tt := range tests {
		m := &Microsoft{ClientID: "id", Roles: tt.roles, Tokens: new(Memory)}
		c, err := m.client()
		if err != nil {
			t.Fatal(err)
		}
		for aud, want := range map[Audience]string{Graph: tt.graph, IMAP: tt.imap} {
			list, ok := c.dialect.scopes(aud)
			got := "-"
			if ok {
				got = strings.TrimPrefix(strings.Join(list, " "), "openid profile offline_access ")
			}
			if got != want {
				t.Errorf("%v %s: %s, want %s", tt.roles, aud, got, want)
			}
		}
		var others []string
		for _, a := range c.dialect.others() {
			others = append(others, string(a))
		}
		if c.dialect.primary() != tt.primary || strings.Join(others, " ") != tt.others {
			t.Errorf("%v: primary %s, others %v", tt.roles, c.dialect.primary(), others)
		}
	}
}

func TestMicrosoftClouds(t *testing.T) {
	t.Parallel()
	for cl, host := range map[Cloud]string{"": "graph.microsoft.com", CloudUSGov: "graph.microsoft.us", CloudUSGovDoD: "dod-graph.microsoft.us", CloudChina: "microsoftgraph.chinacloudapi.cn"} {
		m := &Microsoft{ClientID: "id", Cloud: cl, Tokens: new(Memory)}
		u, h, err := m.Graph()
		if err != nil || u.String() != "https://"+host || h == nil {
			t.Errorf("%s: %v, %v", cl, u, err)
		}
		list, _ := m.c.dialect.scopes(Graph)
		if !slices.Contains(list, "https://"+host+"/User.Read") {
			t.Errorf("%s: %v", cl, list)
		}
	}
	app := &Microsoft{ClientID: "id", Tenant: "Mondaine.fr", Grant: Application, ClientSecret: "s", Roles: []Role{RoleCollect, RoleIMAP},
		Authority: "https://127.0.0.1:1/x/", GraphURL: "https://127.0.0.1:2/"}
	c, err := app.client()
	if err != nil {
		t.Fatal(err)
	}
	g, _ := c.dialect.scopes(Graph)
	i, _ := c.dialect.scopes(IMAP)
	if !slices.Equal(g, []string{"https://127.0.0.1:2/.default"}) || !slices.Equal(i, []string{"https://outlook.office365.com/.default"}) {
		t.Errorf("%v, %v", g, i)
	}
	if ep, _ := c.dialect.endpoints(t.Context()); ep.TokenURL != "https://127.0.0.1:1/x/mondaine.fr/oauth2/v2.0/token" {
		t.Errorf("%+v", ep)
	}
	if c.dialect.missing(g, "") != nil {
		t.Error(".default is not echoed")
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	e, d := &entra{}, &rfc{}
	asked := []string{"openid", "profile", "offline_access", "https://graph.microsoft.com/Mail.Send", "https://graph.microsoft.com/Mail.Send.Shared"}
	for answer, want := range map[string]string{
		"Mail.Send Mail.Send.Shared":                                    "",
		"mail.send https://graph.microsoft.com/MAIL.SEND.SHARED openid": "",
		"Mail.Send.Shared":                                              "https://graph.microsoft.com/Mail.Send",
		"  Mail.Send ":                                                  "https://graph.microsoft.com/Mail.Send.Shared",
		"":                                                              "https://graph.microsoft.com/Mail.Send https://graph.microsoft.com/Mail.Send.Shared",
	} {
		if got := strings.Join(e.missing(asked, answer), " "); got != want {
			t.Errorf("%q: %s", answer, got)
		}
	}
	for answer, want := range map[string]string{"": "", gmail + " openid": "b", "B " + gmail: "", "x": gmail + " b"} {
		if got := strings.Join(d.missing([]string{"openid", gmail, "b", "offline_access"}, answer), " "); got != want {
			t.Errorf("%q: %s", answer, got)
		}
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	if c := claimsOf(idToken("florian@mondaine.fr")); c.user() != "florian@mondaine.fr" || c.Tenant != "t1" || !c.is(" FLORIAN@mondaine.fr") || c.is("") {
		t.Errorf("%+v", c)
	}
	if c := claimsOf(idToken("a\x1b[2Jb\u202e")); c.user() != "a[2Jb" {
		t.Errorf("%q", c.user())
	}
	for _, s := range []string{"", ".", "..", "a.b.c", "a.bnVsbA.c", "a.W10.c", strings.Repeat("a", 1<<20), "a." + strings.Repeat("a", 1<<17) + ".c"} {
		if c := claimsOf(s); c != (claims{}) {
			t.Errorf("%.20q: %+v", s, c)
		}
	}
}
