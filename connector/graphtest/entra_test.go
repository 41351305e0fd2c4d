package graphtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	someone     = "compta@mondaine.fr"
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
)

func (x *site) at(path string) string { return "/" + x.Tenant + "/oauth2/v2.0/" + path }

// signIn goes through a device flow by hand.
func (x *site) signIn(scope string, c Consent) got {
	x.t.Helper()
	d := x.form(x.at("devicecode"), "client_id", x.ClientID, "scope", scope)
	if err := x.Approve(d.str("user_code"), c); err != nil {
		x.t.Fatal(err)
	}
	g := x.form(x.at("token"), "grant_type", deviceGrant, "client_id", x.ClientID, "device_code", d.str("device_code"))
	if g.status != 200 {
		x.t.Fatalf("sign in: %d %s", g.status, g.body)
	}
	return g
}

func (x *site) refresh(token string, pairs ...string) got {
	x.t.Helper()
	return x.form(x.at("token"), append([]string{"grant_type", "refresh_token", "client_id", x.ClientID, "refresh_token", token}, pairs...)...)
}

func entraSite(t *testing.T, o Options) *site {
	x := begin(t, o)
	x.AddUser(User{Address: someone, Name: "Comptabilité"})
	x.AddUser(User{Address: "factures@mondaine.fr", Shared: true})
	x.AddApp(App{ID: "confidential", Secret: "s3cret", Confidential: true})
	return x
}

func TestDeviceCode(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{Interval: 1500 * time.Millisecond})
	g := x.form(x.at("devicecode"), "client_id", x.ClientID, "scope", "Mail.Send offline_access")
	if g.status != 200 || g.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %s", g.status, g.body)
	}
	if g.json["interval"] != 2.0 || g.json["expires_in"] != 900.0 || g.str("verification_uri") != x.URL+"/devicelogin" ||
		!strings.Contains(g.str("message"), g.str("user_code")) || !strings.HasPrefix(g.str("message"), "To sign in") {
		t.Errorf("%s", g.body)
	}
	if _, there := g.json["verification_uri_complete"]; there {
		t.Error("Entra has no verification_uri_complete")
	}
	if fr := x.form(x.at("devicecode")+"?mkt=fr-FR", "client_id", x.ClientID, "scope", "Mail.Send"); !strings.HasPrefix(fr.str("message"), "Pour vous connecter") {
		t.Errorf("mkt: %s", fr.body)
	}
	if codes := x.Codes(); len(codes) != 2 || codes[0] == codes[1] || !slices.Contains(codes, g.str("user_code")) {
		t.Errorf("codes %q", codes)
	}

	for name, c := range map[string]struct {
		path   string
		form   []string
		status int
		word   string
		code   int
	}{
		"no client":      {x.at("devicecode"), []string{"scope", "Mail.Send"}, 400, "invalid_request", 900144},
		"unknown client": {x.at("devicecode"), []string{"client_id", "nobody", "scope", "Mail.Send"}, 400, "unauthorized_client", 700016},
		"confidential":   {x.at("devicecode"), []string{"client_id", "confidential", "scope", "Mail.Send"}, 401, "invalid_client", 7000218},
		"no scope":       {x.at("devicecode"), []string{"client_id", x.ClientID}, 400, "invalid_request", 900144},
		"bad scope":      {x.at("devicecode"), []string{"client_id", x.ClientID, "scope", "<script>"}, 400, "invalid_scope", 70011},
		"bad resource":   {x.at("devicecode"), []string{"client_id", x.ClientID, "scope", "https://evil.example/Mail.Send"}, 400, "invalid_resource", 500011},
		"unknown tenant": {"/elsewhere.example.org/oauth2/v2.0/devicecode", []string{"client_id", x.ClientID, "scope", "Mail.Send"}, 400, "invalid_request", 90002},
	} {
		if g := x.form(c.path, c.form...); g.status != c.status || g.word() != c.word || g.aadsts() != c.code {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
	}
}

// The error body has every member that Entra's has.
func TestEntraErrorForm(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	d := x.form(x.at("devicecode"), "client_id", x.ClientID, "scope", "Mail.Send")
	g := x.form(x.at("token"), "grant_type", deviceGrant, "client_id", x.ClientID, "device_code", d.str("device_code"))
	if g.status != 400 || g.word() != "authorization_pending" || g.aadsts() != 70016 {
		t.Fatalf("%d %s", g.status, g.body)
	}
	for _, name := range []string{"error_description", "timestamp", "trace_id", "correlation_id", "error_uri"} {
		if g.str(name) == "" {
			t.Errorf("no %s in %s", name, g.body)
		}
	}
	if text := g.str("error_description"); !strings.HasPrefix(text, "AADSTS70016: ") || !strings.Contains(text, g.str("trace_id")) ||
		!strings.Contains(text, "\r\nTimestamp: 2026-11-21 10:00:00Z") {
		t.Errorf("%q", text)
	}
}

func TestDeviceStates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(x *site, userCode string) error
		word string
		code int
	}{
		"pending": {func(*site, string) error { return nil }, "authorization_pending", 70016},
		"decline": {func(x *site, u string) error { return x.Decline(u) }, "authorization_declined", 65004},
		"block":   {func(x *site, u string) error { return x.Block(u) }, "invalid_grant", 53003},
		"expire":  {func(x *site, _ string) error { x.pass(15 * time.Minute); return nil }, "expired_token", 70020},
		"late":    {func(x *site, u string) error { x.pass(14 * time.Minute); return x.Decline(u) }, "authorization_declined", 65004},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := entraSite(t, Options{})
			d := x.form(x.at("devicecode"), "client_id", x.ClientID, "scope", "Mail.Send")
			if err := c.do(x, d.str("user_code")); err != nil {
				t.Fatal(err)
			}
			for range 2 { // and it stays so
				g := x.form(x.at("token"), "grant_type", "device_code", "client_id", x.ClientID, "device_code", d.str("device_code"))
				if g.status != 400 || g.word() != c.word || g.aadsts() != c.code {
					t.Errorf("%d %s", g.status, g.body)
				}
			}
			if name != "pending" && x.Approve(d.str("user_code"), Consent{User: someone}) == nil {
				t.Error("a code that was settled was approved")
			}
		})
	}
}

func TestDeviceApproved(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	d := x.form("/common/oauth2/v2.0/devicecode", "client_id", x.ClientID, "scope", x.URL+"/Mail.Send Mail.ReadWrite User.Read openid profile offline_access")
	for _, who := range []string{"nobody@mondaine.fr", "factures@mondaine.fr"} {
		if x.Approve(d.str("user_code"), Consent{User: who}) == nil {
			t.Errorf("%s consented", who)
		}
	}
	if err := x.Approve(strings.ToLower(d.str("user_code")), Consent{User: someone, Scopes: []string{"mail.send", "User.Read"}}); err != nil {
		t.Fatal(err)
	}
	poll := []string{"grant_type", deviceGrant, "client_id", x.ClientID, "device_code", d.str("device_code")}
	if g := x.form(x.at("token"), poll...); g.aadsts() != 7000012 {
		t.Errorf("another tenant's name: %s", g.body)
	}
	other := x.form("/common/oauth2/v2.0/token", "grant_type", deviceGrant, "client_id", x.ClientID, "device_code", "made up")
	if other.word() != "bad_verification_code" {
		t.Errorf("unknown code: %s", other.body)
	}
	g := x.form("/common/oauth2/v2.0/token", append(poll, "client_info", "1")...)
	if g.status != 200 || g.str("scope") != "Mail.Send User.Read profile openid email" || g.str("token_type") != "Bearer" || g.json["expires_in"] != 3600.0 {
		t.Fatalf("%d %s", g.status, g.body)
	}
	if len(g.str("access_token")) < 500 || len(g.str("refresh_token")) < 500 || strings.Count(g.str("id_token"), ".") != 2 || g.str("client_info") == "" {
		t.Errorf("%s", g.body)
	}
	if g.header.Get("Cache-Control") == "" {
		t.Error("tokens may be cached")
	}
	if again := x.form("/common/oauth2/v2.0/token", poll...); again.word() != "invalid_grant" || again.aadsts() != 54005 {
		t.Errorf("second redemption: %s", again.body)
	}
	if me := x.get(g.str("access_token"), "/v1.0/me"); me.status != 200 {
		t.Errorf("me: %d %s", me.status, me.body)
	}
}

func TestDeviceSlowDown(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{EnforceSlow: true, Interval: 5 * time.Second})
	d := x.form(x.at("devicecode"), "client_id", x.ClientID, "scope", "Mail.Send")
	for i, c := range []struct {
		wait time.Duration
		word string
	}{
		{4 * time.Second, "slow_down"}, // now 10 s
		{9 * time.Second, "slow_down"}, // now 15 s
		{15 * time.Second, "authorization_pending"},
		{15 * time.Second, "authorization_pending"},
	} {
		x.pass(c.wait)
		if g := x.form(x.at("token"), "grant_type", deviceGrant, "client_id", x.ClientID, "device_code", d.str("device_code")); g.word() != c.word {
			t.Errorf("poll %d: %s", i, g.body)
		}
	}
}

func TestDevicePage(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	if g := x.must("GET", "/devicelogin", nil, ""); !strings.Contains(string(g.body), `name="code"`) {
		t.Errorf("%s", g.body)
	}
	if g := x.must("GET", "/devicelogin?code=%3Cscript%3E", nil, ""); strings.Contains(string(g.body), "<script") || !strings.Contains(string(g.body), "did not work") {
		t.Errorf("%s", g.body)
	}
	d := x.form(x.at("devicecode"), "client_id", x.ClientID, "scope", "Mail.Send offline_access")
	consent := x.must("GET", "/devicelogin?code="+d.str("user_code"), nil, "")
	for _, want := range []string{"Envoyer du courrier en votre nom", "Conserver", `value="accept"`} {
		if !strings.Contains(string(consent.body), want) {
			t.Errorf("the page lacks %q: %s", want, consent.body)
		}
	}
	if g := x.form("/devicelogin", "user_code", d.str("user_code"), "user", someone, "answer", "accept"); g.status != 200 {
		t.Fatalf("%d %s", g.status, g.body)
	}
	if g := x.form(x.at("token"), "grant_type", deviceGrant, "client_id", x.ClientID, "device_code", d.str("device_code")); g.status != 200 {
		t.Errorf("%d %s", g.status, g.body)
	}
	e := x.form(x.at("devicecode"), "client_id", x.ClientID, "scope", "Mail.Send")
	x.form("/devicelogin", "user_code", e.str("user_code"), "answer", "decline")
	if g := x.form(x.at("token"), "grant_type", deviceGrant, "client_id", x.ClientID, "device_code", e.str("device_code")); g.word() != "authorization_declined" {
		t.Errorf("%s", g.body)
	}
}

func TestRefreshEntraKeepsTheOld(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	first := x.signIn("Mail.Send offline_access", Consent{User: someone})
	second := x.refresh(first.str("refresh_token"), "scope", "Mail.Send offline_access")
	if second.status != 200 || second.str("refresh_token") == first.str("refresh_token") || second.str("access_token") == first.str("access_token") {
		t.Fatalf("%d %s", second.status, second.body)
	}
	for i, token := range []string{first.str("refresh_token"), second.str("refresh_token")} {
		if g := x.refresh(token); g.status != 200 {
			t.Errorf("token %d: %s", i, g.body)
		}
	}
	if g := x.refresh(first.str("refresh_token"), "client_id", "confidential"); g.status != 401 {
		t.Errorf("another application: %s", g.body)
	}
	if g := x.form("/common/oauth2/v2.0/token", "grant_type", "refresh_token", "client_id", x.ClientID, "refresh_token", first.str("refresh_token")); g.aadsts() != 7000012 {
		t.Errorf("another tenant: %s", g.body)
	}
}

func TestRefreshStrictRevokes(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{Rotation: RotateStrict})
	first := x.signIn("Mail.ReadWrite User.Read offline_access", Consent{User: someone})
	second := x.refresh(first.str("refresh_token"))
	third := x.refresh(second.str("refresh_token"))
	if third.status != 200 {
		t.Fatalf("%s", third.body)
	}
	if g := x.refresh(first.str("refresh_token")); g.word() != "invalid_grant" {
		t.Fatalf("used twice: %s", g.body)
	}
	if g := x.refresh(third.str("refresh_token")); g.word() != "invalid_grant" {
		t.Errorf("the newest after a reuse: %s", g.body)
	}
	if g := x.get(third.str("access_token"), "/v1.0/me"); g.status != 401 {
		t.Errorf("an access token of a revoked grant: %d", g.status)
	}
}

// A rotation that was done and not answered is a used token.
func TestRefreshDoneButNotAnswered(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{Rotation: RotateStrict})
	first := x.signIn("Mail.Send offline_access", Consent{User: someone})
	x.Script(func(c *Call) *Reply { return &Reply{After: true, Drop: true} })
	if _, err := x.ask("POST", x.at("token"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		url.Values{"grant_type": {"refresh_token"}, "client_id": {x.ClientID}, "refresh_token": {first.str("refresh_token")}}.Encode()); err == nil {
		t.Fatal("answered")
	}
	x.Script(nil)
	if g := x.refresh(first.str("refresh_token")); g.word() != "invalid_grant" {
		t.Errorf("%s", g.body)
	}
}

func TestRefreshScopes(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{DemandScope: true})
	const imap = "https://outlook.office.com/IMAP.AccessAsUser.All"
	only := x.signIn("Mail.Send User.Read offline_access", Consent{User: someone, Scopes: []string{"Mail.Send"}}).str("refresh_token")
	both := x.signIn("Mail.Send offline_access "+imap, Consent{User: someone})
	if both.str("scope") != "Mail.Send" {
		t.Errorf("several resources in one request: %q, of the first alone", both.str("scope"))
	}
	later := x.signIn("Mail.Send offline_access", Consent{User: someone, Scopes: []string{"Mail.Send", imap}}).str("refresh_token")
	for name, c := range map[string]struct {
		token, scope string
		status, code int
		told         string
	}{
		"none":                {only, "", 400, 900144, ""},
		"what was asked":      {only, "Mail.Send User.Read offline_access", 200, 0, "Mail.Send"},
		"what was refused":    {only, "User.Read", 400, 65001, ""},
		"another resource":    {only, imap, 400, 65001, ""},
		"it was in the flow":  {both.str("refresh_token"), imap + " offline_access", 200, 0, imap},
		"its other name":      {both.str("refresh_token"), "https://outlook.office365.com/IMAP.AccessAsUser.All", 200, 0, imap},
		"by an administrator": {later, imap, 200, 0, imap},
		"default":             {later, x.URL + "/.default", 200, 0, "Mail.Send"},
		"garbage":             {later, "a b c/d/e%", 400, 70011, ""},
	} {
		var pairs []string
		if c.scope != "" {
			pairs = []string{"scope", c.scope}
		}
		if g := x.refresh(c.token, pairs...); g.status != c.status || g.aadsts() != c.code || g.str("scope") != c.told {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
	}
	g := x.refresh(later, "scope", imap)
	if me := x.get(g.str("access_token"), "/v1.0/me"); me.status != 401 || !strings.Contains(string(me.body), "Invalid audience") {
		t.Errorf("a token for another audience: %d %s", me.status, me.body)
	}
}

func TestRefreshEnds(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{TokenLife: 10 * time.Second})
	g := x.signIn("Mail.Send User.Read offline_access", Consent{User: someone})
	if g.json["expires_in"] != 10.0 {
		t.Errorf("%s", g.body)
	}
	x.pass(89 * 24 * time.Hour)
	g = x.refresh(g.str("refresh_token"))
	if g.status != 200 {
		t.Fatalf("before 90 days: %s", g.body)
	}
	x.Revoke(strings.ToUpper(someone), 0)
	if me := x.get(g.str("access_token"), "/v1.0/me"); me.status != 200 {
		t.Errorf("an access token after Revoke: %d", me.status)
	}
	if no := x.refresh(g.str("refresh_token")); no.word() != "invalid_grant" || no.aadsts() != 50173 {
		t.Errorf("revoked: %s", no.body)
	}
	g = x.signIn("Mail.Send offline_access", Consent{User: someone})
	x.pass(90 * 24 * time.Hour)
	if no := x.refresh(g.str("refresh_token")); no.aadsts() != 700082 {
		t.Errorf("unused for 90 days: %s", no.body)
	}
	if none := x.signIn("Mail.Send", Consent{User: someone}); none.str("refresh_token") != "" || none.str("id_token") != "" {
		t.Errorf("tokens that were not asked for: %s", none.body)
	}
}
