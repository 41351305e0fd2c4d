package mailstack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of one stack.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// issue writes a key and its certificate into one file, in the order that Postfix's
// smtpd_tls_chain_files wants; Dovecot picks what it needs.
func (a *authority) issue(file string, until time.Time, dns []string, ips ...string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: dns[0]},
		NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: until, DNSNames: dns,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	for _, ip := range ips {
		t.IPAddresses = append(t.IPAddresses, net.ParseIP(ip))
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	kder, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kder})
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return os.WriteFile(file, b, 0o600)
}

// writeCertificates makes ca.pem and one chain a variant: good, misnamed, expired, foreign.
func writeCertificates(dir string) error {
	ca, err := newAuthority("mailstack test authority")
	if err != nil {
		return err
	}
	other, err := newAuthority("somebody else's authority")
	if err != nil {
		return err
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), b, 0o644); err != nil {
		return err
	}
	var ips []string
	for _, v := range variants {
		ips = append(ips, (*Stack)(nil).Host(v))
	}
	names := []string{"localhost", "mx." + Domain}
	later, past := time.Now().AddDate(0, 6, 0), time.Now().AddDate(-1, 0, 0)
	for _, c := range []struct {
		name  string
		by    *authority
		until time.Time
		dns   []string
		ips   []string
	}{
		{"good", ca, later, names, ips},
		{"misnamed", ca, later, []string{"autre.invalid"}, nil},
		{"expired", ca, past, names, ips},
		{"foreign", other, later, names, ips},
	} {
		if err := c.by.issue(filepath.Join(dir, c.name+".pem"), c.until, c.dns, c.ips...); err != nil {
			return err
		}
	}
	return nil
}
