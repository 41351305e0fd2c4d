package graphtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func noApp(id string) *entraError {
	return entraFault(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+cut(id)+"' was not found in the directory.")
}

func unproved() *entraError {
	return entraFault(http.StatusUnauthorized, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
}

func badAssertion(why string) *entraError {
	return entraFault(http.StatusUnauthorized, "invalid_client", 700027, "Client assertion failed signature validation. Reason - "+why+".")
}

// client finds out which application asks, and whether it has proved that. A proof that is
// wrong is an error, and so is any proof of a public client: an Authorization header with an
// empty secret too, which is what libraries send that guess the way.
func (s *Server) client(r *http.Request, tenant string, form url.Values) (app *App, proved bool, no *entraError) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if id == "" {
		return nil, false, missing("client_id")
	}
	if app = s.app(id); app == nil {
		return nil, false, noApp(id)
	}
	given := basic || form.Has("client_secret") || form.Has("client_assertion")
	switch {
	case !given:
		return app, false, nil
	case app.Secret == "" && app.Certificate == nil && !app.Confidential:
		return nil, false, entraFault(http.StatusUnauthorized, "invalid_client", 700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
	case form.Has("client_assertion"):
		if form.Get("client_assertion_type") != assertionType {
			return nil, false, badAssertion("The assertion type is not supported")
		}
		return app, true, s.assertion(app, tenant, form.Get("client_assertion"))
	case app.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1:
		return nil, false, entraFault(http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.")
	}
	return app, true, nil
}

// assertion verifies a signed assertion (RFC 7523 section 3;
// learn.microsoft.com/entra/identity-platform/certificate-credentials). The caller holds the
// lock of entra.
func (s *Server) assertion(app *App, tenant, jws string) *entraError {
	parts := strings.Split(jws, ".")
	if app.Certificate == nil || len(parts) != 3 || len(jws) > 32<<10 {
		return badAssertion("The assertion is malformed or no certificate is registered")
	}
	var header struct {
		Alg  string `json:"alg"`
		SHA1 string `json:"x5t"`
		SHA2 string `json:"x5t#S256"`
	}
	var claims struct {
		Audience string  `json:"aud"`
		Issuer   string  `json:"iss"`
		Subject  string  `json:"sub"`
		ID       string  `json:"jti"`
		Begins   float64 `json:"nbf"`
		Ends     float64 `json:"exp"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) {
		return badAssertion("The assertion is malformed")
	}
	sum1, sum2 := sha1.Sum(app.Certificate.Raw), sha256.Sum256(app.Certificate.Raw)
	byOne, byTwo := base64.RawURLEncoding.EncodeToString(sum1[:]), base64.RawURLEncoding.EncodeToString(sum2[:])
	if (header.SHA2 == "" || header.SHA2 != byTwo) && (header.SHA2 != "" || header.SHA1 != byOne) {
		return badAssertion("The key was not found: the thumbprint names no registered certificate")
	}
	key, ok := app.Certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return badAssertion("The certificate has no RSA key")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch header.Alg {
	case "PS256":
		err = rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, nil)
	case "RS256":
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
	default:
		return badAssertion("The algorithm is not supported")
	}
	now := s.now()
	const skew = 5 * time.Minute
	ends, begins := time.Unix(int64(min(claims.Ends, 1e11)), 0), time.Unix(int64(min(claims.Begins, 1e11)), 0)
	switch {
	case err != nil:
		return badAssertion("The signature does not match")
	case !s.tokenURL(claims.Audience, tenant):
		return badAssertion("The audience is not this token endpoint")
	case !strings.EqualFold(claims.Issuer, app.ID) || !strings.EqualFold(claims.Subject, app.ID):
		return badAssertion("Issuer and subject must be the client id")
	case !now.Before(ends.Add(skew)) || begins.After(now.Add(skew)) || ends.After(now.Add(24*time.Hour)):
		return badAssertion("The assertion is not within its valid time range")
	case claims.ID == "":
		return badAssertion("The assertion has no id")
	}
	for id, end := range s.entra.used {
		if end.Before(now) {
			delete(s.entra.used, id)
		}
	}
	if _, again := s.entra.used[app.ID+"\n"+claims.ID]; again {
		return badAssertion("The id was used before")
	}
	put(&s.entra.used, app.ID+"\n"+claims.ID, ends.Add(skew))
	return nil
}

// tokenURL reports whether u is this token endpoint, by the name it was asked under or by
// the id of the tenant.
func (s *Server) tokenURL(u, tenant string) bool {
	for _, t := range []string{tenant, s.Tenant} {
		if strings.EqualFold(u, s.URL+"/"+t+"/oauth2/v2.0/token") {
			return true
		}
	}
	return false
}

func decodePart(part string, into any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, into) == nil
}
