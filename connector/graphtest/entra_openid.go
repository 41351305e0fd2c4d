package graphtest

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"
	"sync"
)

// signing is the key of id_tokens, one for the process, since making it takes a while.
var signing = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // no memory or no randomness
	}
	return key
})

const signingID = "graphtest-1"

// keySet is the JSON Web Key Set (RFC 7517).
func keySet() any {
	pub := signing().PublicKey
	return map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": signingID,
		"n": base64.RawURLEncoding.EncodeToString(pub.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(pub.E)).Bytes())}}}
}

func (s *Server) issuer() string { return s.URL + "/" + s.Tenant + "/v2.0" }

// idToken tells who signed in (OpenID Connect Core 1.0 section 2).
func (s *Server) idToken(app *App, p *person, nonce string) string {
	now := s.now()
	claims := map[string]any{"ver": "2.0", "iss": s.issuer(), "aud": app.ID, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(s.o.TokenLife).Unix(),
		"oid": p.id, "tid": s.Tenant, "sub": base64.RawURLEncoding.EncodeToString([]byte(p.id + app.ID)[:32]),
		"preferred_username": p.Address, "name": cmp.Or(p.Name, p.Address)}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]string{"alg": "RS256", "typ": "JWT", "kid": signingID}) + "." + part(claims)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, signing(), crypto.SHA256, digest[:])
	if err != nil {
		return ""
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// discovery is the discovery document (OpenID Connect Discovery 1.0 section 3).
func (s *Server) discovery(tenant string) any {
	at := s.URL + "/" + tenant
	return map[string]any{"issuer": s.issuer(), "authorization_endpoint": at + "/oauth2/v2.0/authorize", "token_endpoint": at + "/oauth2/v2.0/token",
		"device_authorization_endpoint": at + "/oauth2/v2.0/devicecode", "jwks_uri": at + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_types_supported":              []string{"code"}, "response_modes_supported": []string{"query"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid", "profile", "email", "offline_access"},
		"code_challenge_methods_supported": []string{"S256"},
		"tenant_region_scope":              nil, "cloud_instance_name": s.host(), "cloud_graph_host_name": "graph.windows.net", "msgraph_host": s.host()}
}

// instance tells which names the authority has.
func (s *Server) instance(tenant string) any {
	return map[string]any{"tenant_discovery_endpoint": s.URL + "/" + tenant + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
		"metadata": []any{map[string]any{"preferred_network": s.host(), "preferred_cache": s.host(), "aliases": []string{s.host()}}}}
}

// host is the name and port of the server.
func (s *Server) host() string {
	u, _ := url.Parse(s.URL)
	return strings.ToLower(u.Host)
}
