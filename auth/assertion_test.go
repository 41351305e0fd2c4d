package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// testCert makes a certificate for the key, valid around at.
func testCert(t testing.TB, key crypto.Signer, from, to time.Time) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vaguemestre"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func block(typ string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pemFile(t testing.TB, parts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(path, []byte(strings.Join(parts, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What goes to the token endpoint is a PS256 assertion that the registered public key
// verifies, for that endpoint, for ten minutes, and never the same twice.
func TestAssertion(t *testing.T) {
	t.Parallel()
	key, k := rsaKey(t), newClock()
	der := testCert(t, key, k.now().Add(-time.Hour), k.now().Add(time.Hour))
	chain := testCert(t, rsaKey(t), k.now().Add(-time.Hour), k.now().Add(time.Hour))
	ok := reply{status: 200, body: `{"token_type":"Bearer","expires_in":3599,"access_token":"` + canaryAccess + `"}`}
	for name, path := range map[string]string{
		"PKCS#8":                         pemFile(t, block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8(t, key))),
		"PKCS#1, key first":              pemFile(t, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), block("CERTIFICATE", der)),
		"with an authority and a remark": pemFile(t, "Bag Attributes\n", block("CERTIFICATE", chain), block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8(t, key))),
	} {
		s := newIDP(t, ok)
		m := s.microsoft(t, nil, k, func(m *Microsoft) {
			m.Tenant, m.Grant, m.CertificateFile = "mondaine.fr", Application, path
		})
		if _, err := m.Account("a").Token(t.Context(), Graph); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		form := s.tokenForms()[0]
		if form.Get("client_assertion_type") != assertionType || form.Has("client_secret") || form.Get("grant_type") != "client_credentials" ||
			form.Get("scope") != "https://graph.microsoft.com/.default" {
			t.Errorf("%s: form %v", name, form)
		}
		parts := strings.Split(form.Get("client_assertion"), ".")
		if len(parts) != 3 {
			t.Fatalf("%s: %d parts", name, len(parts))
		}
		var raw [3][]byte
		for i, p := range parts {
			var err error
			if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
				t.Fatal(err)
			}
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, sum[:], raw[2], &rsa.PSSOptions{SaltLength: 32}); err != nil {
			t.Errorf("%s: the signature: %v", name, err)
		}
		var head map[string]string
		var claims map[string]any
		if json.Unmarshal(raw[0], &head) != nil || json.Unmarshal(raw[1], &claims) != nil {
			t.Fatalf("%s: %s %s", name, raw[0], raw[1])
		}
		thumb := sha256.Sum256(der)
		if len(head) != 3 || head["alg"] != "PS256" || head["typ"] != "JWT" || head["x5t#S256"] != base64.RawURLEncoding.EncodeToString(thumb[:]) {
			t.Errorf("%s: header %v", name, head)
		}
		now := float64(k.now().Unix())
		if claims["aud"] != s.URL+"/mondaine.fr/oauth2/v2.0/token" || claims["iss"] != "11111111-2222" || claims["sub"] != "11111111-2222" ||
			claims["nbf"] != now || claims["iat"] != now || claims["exp"] != now+600 || len(claims["jti"].(string)) < 20 {
			t.Errorf("%s: claims %v", name, claims)
		}
		c, _ := m.client()
		again := url.Values{}
		if err := c.dialect.authenticate(again, s.URL); err != nil || again.Get("client_assertion") == form.Get("client_assertion") {
			t.Errorf("%s: the same assertion twice, %v", name, err)
		}
	}
}

func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	key, now := rsaKey(t), time.Now()
	cert := block("CERTIFICATE", testCert(t, key, now.Add(-time.Hour), now.Add(time.Hour)))
	private := block("PRIVATE KEY", pkcs8(t, key))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x")}))
	for name, tt := range map[string]struct{ path, says string }{
		"missing":        {filepath.Join(t.TempDir(), "none.pem"), "cannot be read"},
		"empty":          {pemFile(t), "no certificate"},
		"no key":         {pemFile(t, cert), "no private key"},
		"no certificate": {pemFile(t, private), "no certificate"},
		"encrypted":      {pemFile(t, cert, block("ENCRYPTED PRIVATE KEY", []byte("x"))), "encrypted"},
		"encrypted, old": {pemFile(t, cert, old), "encrypted"},
		"damaged key":    {pemFile(t, cert, block("PRIVATE KEY", []byte("x"))), "damaged"},
		"damaged cert":   {pemFile(t, block("CERTIFICATE", []byte("x")), private), "damaged"},
		"another key":    {pemFile(t, cert, block("PRIVATE KEY", pkcs8(t, rsaKey(t)))), "does not belong"},
		"two keys":       {pemFile(t, cert, private, private), "two private keys"},
		"elliptic":       {pemFile(t, block("CERTIFICATE", testCert(t, ec, now, now.Add(time.Hour))), block("PRIVATE KEY", pkcs8(t, ec))), "RSA"},
		"too large":      {pemFile(t, cert, private, strings.Repeat("x", maxFile)), "1 MiB"},
		"a directory":    {t.TempDir(), "cannot be read"},
	} {
		m := &Microsoft{ClientID: "id", Tenant: "mondaine.fr", Grant: Application, CertificateFile: tt.path}
		_, _, err := m.Graph()
		if vaguemestre.ClassOf(err) != config || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertificateTime(t *testing.T) {
	t.Parallel()
	key, now := rsaKey(t), time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	c, err := loadCertificate(pemFile(t, block("CERTIFICATE", testCert(t, key, now.Add(-time.Hour), now.Add(time.Hour))), block("PRIVATE KEY", pkcs8(t, key))))
	if err != nil {
		t.Fatal(err)
	}
	for at, says := range map[time.Duration]string{-2 * time.Hour: "valid from 2026-11-23", 0: "", 2 * time.Hour: "expired on 2026-11-23"} {
		_, err := c.assert("id", "https://login.example.org/token", now.Add(at))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("at %s: %v", at, err)
		}
	}
}
