package graphtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"
)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// authorizeURL is what a program opens in the browser.
func (x *site) authorizeURL(pairs ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"client_id": {x.ClientID}, "response_type": {"code"}, "redirect_uri": {"http://localhost:1234/back?x=1"}, "state": {"st&te"},
		"scope": {"Mail.Send openid offline_access"}, "nonce": {"n0nce"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return x.URL + x.at("authorize") + "?" + q.Encode()
}

func (x *site) redeem(code string, pairs ...string) got {
	x.t.Helper()
	return x.form(x.at("token"), append([]string{"grant_type", "authorization_code", "client_id", x.ClientID, "code", code,
		"redirect_uri", "http://localhost:1234/back?x=1", "code_verifier", verifier}, pairs...)...)
}

func queryOf(t *testing.T, address string) url.Values {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	to, err := x.Authorize(x.authorizeURL(), Consent{User: someone})
	if err != nil {
		t.Fatal(err)
	}
	q := queryOf(t, to)
	if !strings.HasPrefix(to, "http://localhost:1234/back?") || q.Get("state") != "st&te" || q.Get("x") != "1" || q.Get("code") == "" {
		t.Fatalf("sent to %s", to)
	}
	code := q.Get("code")
	for name, c := range map[string]struct {
		pairs []string
		code  int
	}{
		"verifier":     {[]string{"code_verifier", "other"}, 501481},
		"no verifier":  {[]string{"code_verifier", ""}, 501481},
		"redirect":     {[]string{"redirect_uri", "http://localhost:1234/back"}, 500112},
		"unknown code": {[]string{"code", "x"}, 9002313},
		"application":  {[]string{"client_id", "confidential", "client_secret", "s3cret"}, 9002313},
	} {
		if g := x.redeem(code, c.pairs...); g.word() != "invalid_grant" || g.aadsts() != c.code {
			t.Errorf("%s: %s", name, g.body)
		}
	}
	g := x.redeem(code)
	if g.status != 200 || g.str("scope") != "Mail.Send profile openid email" || g.str("refresh_token") == "" {
		t.Fatalf("%d %s", g.status, g.body)
	}
	if g := x.redeem(code); g.aadsts() != 54005 {
		t.Errorf("second redemption: %s", g.body)
	}
	late, _ := x.Authorize(x.authorizeURL(), Consent{User: someone})
	x.pass(10 * time.Minute)
	if g := x.redeem(queryOf(t, late).Get("code")); g.aadsts() != 70008 {
		t.Errorf("late: %s", g.body)
	}
}

func TestAuthorizePage(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	g := x.must("GET", x.authorizeURL("login_hint", `"><script>`), nil, "")
	if g.status != 200 || strings.Contains(string(g.body), "<script") || !strings.Contains(string(g.body), "Mail.Send") {
		t.Errorf("%d %s", g.status, g.body)
	}
	at := strings.TrimPrefix(x.authorizeURL(), x.URL)
	yes := x.form(at, "user", someone, "answer", "accept")
	if code := queryOf(t, yes.header.Get("Location")).Get("code"); yes.status != 302 || x.redeem(code).status != 200 {
		t.Errorf("%d %v", yes.status, yes.header)
	}
	no := x.form(at, "user", someone, "answer", "decline")
	if q := queryOf(t, no.header.Get("Location")); q.Get("error") != "access_denied" || q.Get("state") != "st&te" || q.Get("code") != "" {
		t.Errorf("%v", no.header)
	}
	if g := x.form(at, "user", "nobody@example.org", "answer", "accept"); g.status != 200 || g.header.Get("Location") != "" {
		t.Errorf("nobody: %d", g.status)
	}
	for name, c := range map[string]struct{ key, value, word string }{
		"token":     {"response_type", "token", "unsupported_response_type"},
		"no PKCE":   {"code_challenge", "", "invalid_request"},
		"plain":     {"code_challenge_method", "plain", "invalid_request"},
		"no scope":  {"scope", "", "invalid_request"},
		"bad scope": {"scope", "%", "invalid_scope"},
		"silent":    {"prompt", "none", "login_required"},
	} {
		g := x.must("GET", x.authorizeURL(c.key, c.value), nil, "")
		if q := queryOf(t, g.header.Get("Location")); g.status != 302 || q.Get("error") != c.word || q.Get("state") != "st&te" {
			t.Errorf("%s: %d %v", name, g.status, g.header)
		}
	}
	// Who cannot be trusted with an answer gets none.
	for _, c := range [][2]string{{"client_id", "x"}, {"redirect_uri", ""}, {"redirect_uri", "http://evil.example/"}, {"redirect_uri", "http://localhost@evil.example/"},
		{"redirect_uri", "javascript:alert(1)"}, {"redirect_uri", "https://a.example/#x"}, {"redirect_uri", "//localhost/x"}, {"redirect_uri", "http://%zz"}} {
		if g := x.must("GET", x.authorizeURL(c[0], c[1]), nil, ""); g.status != 400 || g.header.Get("Location") != "" {
			t.Errorf("%q: %d %v", c, g.status, g.header)
		}
	}
	for _, u := range []string{"", "%", x.URL + "/v1.0/me", "https://login.example.org" + x.at("authorize"), x.URL + "/x/oauth2/v2.0/authorize"} {
		if _, err := x.Authorize(u, Consent{User: someone}); err == nil {
			t.Errorf("%q was authorized", u)
		}
	}
}

// The id_token verifies with the key that the discovery document leads to.
func TestIDToken(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	doc := x.must("GET", "/common/v2.0/.well-known/openid-configuration", nil, "")
	instance := x.must("GET", "/common/discovery/instance?api-version=1.1", nil, "")
	if instance.str("tenant_discovery_endpoint") != x.URL+"/common/v2.0/.well-known/openid-configuration" {
		t.Errorf("%s", instance.body)
	}
	if doc.str("token_endpoint") != x.URL+"/common/oauth2/v2.0/token" || doc.str("device_authorization_endpoint") != x.URL+"/common/oauth2/v2.0/devicecode" {
		t.Errorf("%s", doc.body)
	}
	keys := x.must("GET", doc.str("jwks_uri"), nil, "")
	key := keys.json["keys"].([]any)[0].(map[string]any)
	n, _ := base64.RawURLEncoding.DecodeString(key["n"].(string))
	e, _ := base64.RawURLEncoding.DecodeString(key["e"].(string))
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}

	to, _ := x.Authorize(x.authorizeURL(), Consent{User: someone})
	parts := strings.Split(x.redeem(queryOf(t, to).Get("code")).str("id_token"), ".")
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	sig, _ := base64.RawURLEncoding.DecodeString(parts[2])
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig); err != nil {
		t.Error(err)
	}
	var claims map[string]any
	b, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"iss": doc.str("issuer"), "aud": x.ClientID, "tid": x.Tenant, "preferred_username": someone,
		"name": "Comptabilité", "nonce": "n0nce", "ver": "2.0", "oid": x.person(someone).id, "iat": float64(x.clock().Unix())} {
		if claims[name] != want {
			t.Errorf("%s is %v, not %v", name, claims[name], want)
		}
	}
}
