package auth

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// assertionType goes with every assertion: RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionLife is from nbf to exp. learn.microsoft.com/entra/identity-platform/certificate-credentials
const assertionLife = 10 * time.Minute

// certificate is what an application proves itself with in place of a secret.
type certificate struct {
	key  *rsa.PrivateKey
	leaf *x509.Certificate
}

// loadCertificate reads a PEM file that holds a certificate and its RSA key, in any order;
// further certificates are those of authorities. Errors hold nothing of the file.
func loadCertificate(path string) (*certificate, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("the certificate file cannot be read: check certificate_file: %w", err)
	}
	var key any
	var certs []*x509.Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		switch b.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				return nil, errors.New("a certificate of certificate_file is damaged: export it again")
			}
			certs = append(certs, c)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if b.Headers["DEK-Info"] != "" || b.Headers["Proc-Type"] != "" {
				return nil, errEncrypted
			}
			if key != nil {
				return nil, errors.New("certificate_file holds two private keys: leave the one of the certificate")
			}
			if key, err = parseKey(b); err != nil {
				return nil, errors.New("the private key of certificate_file is damaged: export it again, as PKCS#8 or PKCS#1")
			}
		}
	}
	if len(certs) == 0 {
		return nil, errors.New("certificate_file holds no certificate: it must be PEM with BEGIN CERTIFICATE (a .pfx has to be converted)")
	}
	if key == nil {
		return nil, errors.New("certificate_file holds no private key: add it to the file, as PEM with BEGIN PRIVATE KEY")
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key of certificate_file is no RSA key, which the provider demands: make an RSA certificate")
	}
	for _, c := range certs {
		if k.PublicKey.Equal(c.PublicKey) {
			return &certificate{key: k, leaf: c}, nil
		}
	}
	return nil, errors.New("the private key of certificate_file does not belong to its certificate: export both again")
}

var errEncrypted = errors.New("the private key of certificate_file is encrypted: store it without a passphrase, readable by this program alone")

func parseKey(b *pem.Block) (any, error) {
	switch b.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(b.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(b.Bytes)
}

// assert signs that the caller is the application id, for the token endpoint alone and for
// ten minutes. Each assertion has an id of its own.
func (c *certificate) assert(id, tokenURL string, now time.Time) (string, error) {
	if now.After(c.leaf.NotAfter) {
		return "", fmt.Errorf("the certificate of certificate_file has expired on %s: whoever manages the application registers a new one",
			c.leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	if now.Before(c.leaf.NotBefore) {
		return "", fmt.Errorf("the certificate of certificate_file is valid from %s on only: check the clock of this machine",
			c.leaf.NotBefore.UTC().Format(time.DateOnly))
	}
	thumb := sha256.Sum256(c.leaf.Raw)
	header := map[string]string{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(thumb[:])}
	claims := map[string]any{
		"aud": tokenURL, "iss": id, "sub": id, "jti": rand.Text(),
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}
	var signed bytes.Buffer
	for i, part := range []any{header, claims} {
		b, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		if i > 0 {
			signed.WriteByte('.')
		}
		signed.WriteString(base64.RawURLEncoding.EncodeToString(b))
	}
	sum := sha256.Sum256(signed.Bytes())
	// RFC 7518 section 3.5: the salt is as long as the hash.
	sig, err := rsa.SignPSS(rand.Reader, c.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		return "", errors.New("the private key of certificate_file cannot sign: make one of 2048 bits or more")
	}
	return signed.String() + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}
