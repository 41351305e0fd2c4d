package graphtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	x.AddApp(App{ID: "daemon", Secret: "s3cret", Permissions: []string{"Mail.ReadWrite"}})
	good := x.URL + "/.default"
	for name, c := range map[string]struct {
		tenant       string
		form         []string
		status, code int
		word         string
	}{
		"good":          {x.Tenant, []string{"client_id", "daemon", "client_secret", "s3cret", "scope", good}, 200, 0, ""},
		"by domain":     {"mondaine.fr", []string{"client_id", "daemon", "client_secret", "s3cret", "scope", good}, 200, 0, ""},
		"wrong secret":  {x.Tenant, []string{"client_id", "daemon", "client_secret", "other", "scope", good}, 401, 7000215, "invalid_client"},
		"no secret":     {x.Tenant, []string{"client_id", "daemon", "scope", good}, 401, 7000218, "invalid_client"},
		"public":        {x.Tenant, []string{"client_id", x.ClientID, "scope", good}, 401, 7000218, "invalid_client"},
		"public secret": {x.Tenant, []string{"client_id", x.ClientID, "client_secret", "", "scope", good}, 401, 700025, "invalid_client"},
		"common":        {"common", []string{"client_id", "daemon", "client_secret", "s3cret", "scope", good}, 400, 50059, "invalid_request"},
		"no scope":      {x.Tenant, []string{"client_id", "daemon", "client_secret", "s3cret"}, 400, 900144, "invalid_request"},
		"a scope":       {x.Tenant, []string{"client_id", "daemon", "client_secret", "s3cret", "scope", "Mail.Send"}, 400, 1002012, "invalid_scope"},
		"nobody":        {x.Tenant, []string{"client_id", "x", "client_secret", "s3cret", "scope", good}, 400, 700016, "unauthorized_client"},
	} {
		g := x.form("/"+c.tenant+"/oauth2/v2.0/token", append([]string{"grant_type", "client_credentials"}, c.form...)...)
		if g.status != c.status || g.aadsts() != c.code || g.word() != c.word {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
		if g.status == 200 && (g.str("access_token") == "" || g.str("refresh_token") != "" || g.str("id_token") != "") {
			t.Errorf("%s: %s", name, g.body)
		}
	}
}

// A library that guesses how a client proves itself sends an Authorization header with an
// empty secret for a public client; Entra refuses that.
func TestBasicWithoutSecretIsRefused(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	first := x.signIn("Mail.Send offline_access", Consent{User: someone}).str("refresh_token")
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"},
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(x.ClientID+":"))}}
	g := x.must("POST", x.at("token"), h, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first}}.Encode())
	if g.status != 401 || g.aadsts() != 700025 {
		t.Errorf("%d %s", g.status, g.body)
	}
}

// signer makes assertions.
type signer struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

func newSigner(t *testing.T) *signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "daemon"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{key, cert}
}

func (s *signer) sign(header, claims map[string]any) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(claims)
	digest := sha256.Sum256([]byte(text))
	var sig []byte
	if header["alg"] == "RS256" {
		sig, _ = rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest[:])
	} else {
		sig, _ = rsa.SignPSS(rand.Reader, s.key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	right, wrong := newSigner(t), newSigner(t)
	x.AddApp(App{ID: "daemon", Certificate: right.cert})
	x.AddApp(App{ID: "other", Secret: "s"})
	one, two := sha1.Sum(right.cert.Raw), sha256.Sum256(right.cert.Raw)
	print1, print2 := base64.RawURLEncoding.EncodeToString(one[:]), base64.RawURLEncoding.EncodeToString(two[:])
	now := x.clock().Unix()
	type edit func(h, c map[string]any)
	set := func(part, name string, v any) edit {
		return func(h, c map[string]any) {
			if part == "h" {
				h[name] = v
			} else {
				c[name] = v
			}
		}
	}
	for name, c := range map[string]struct {
		by   *signer
		edit edit
		ok   bool
	}{
		"right":      {right, func(_, _ map[string]any) {}, true},
		"older form": {right, func(h, _ map[string]any) { delete(h, "x5t#S256"); h["alg"], h["x5t"] = "RS256", print1 }, true},
		"upper aud":  {right, set("c", "aud", strings.ToUpper(x.URL+x.at("token"))), true},
		"wrong key":  {wrong, func(_, _ map[string]any) {}, false},
		"thumbprint": {right, set("h", "x5t#S256", print1), false},
		"none":       {right, set("h", "alg", "none"), false},
		"HS256":      {right, set("h", "alg", "HS256"), false},
		"no print":   {right, func(h, _ map[string]any) { delete(h, "x5t#S256") }, false},
		"audience":   {right, set("c", "aud", x.URL+"/common/oauth2/v2.0/token"), false},
		"elsewhere":  {right, set("c", "aud", "https://login.example.org/t/oauth2/v2.0/token"), false},
		"issuer":     {right, set("c", "iss", "other"), false},
		"subject":    {right, set("c", "sub", "other"), false},
		"expired":    {right, set("c", "exp", now-600), false},
		"no end":     {right, func(_, c map[string]any) { delete(c, "exp") }, false},
		"far end":    {right, set("c", "exp", 1e300), false},
		"early":      {right, set("c", "nbf", now+600), false},
		"no id":      {right, set("c", "jti", ""), false},
		"text":       {right, set("c", "exp", "soon"), false},
	} {
		header := map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": print2}
		claims := map[string]any{"aud": x.URL + x.at("token"), "iss": "daemon", "sub": "daemon", "jti": name, "nbf": now, "iat": now, "exp": now + 600}
		c.edit(header, claims)
		jws := c.by.sign(header, claims)
		ask := func() got {
			return x.form(x.at("token"), "grant_type", "client_credentials", "client_id", "daemon", "scope", x.URL+"/.default",
				"client_assertion_type", assertionType, "client_assertion", jws)
		}
		g := ask()
		if c.ok != (g.status == 200) || !c.ok && (g.status != 401 || g.word() != "invalid_client" || g.aadsts() != 700027) {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
		if again := ask(); again.aadsts() != 700027 {
			t.Errorf("%s, once more: %d %s", name, again.status, again.body)
		}
	}
	for _, jws := range []string{"", "a.b.c", "a.b", strings.Repeat(".", 9), strings.Repeat("a", 100<<10)} {
		g := x.form(x.at("token"), "grant_type", "client_credentials", "client_id", "daemon", "scope", x.URL+"/.default",
			"client_assertion_type", assertionType, "client_assertion", jws)
		if g.aadsts() != 700027 {
			t.Errorf("%.20q: %s", jws, g.body)
		}
	}
}
