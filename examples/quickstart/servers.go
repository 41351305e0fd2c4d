package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const account, password = "ged@example.org", "démonstration"

// servers are a mail server of one mailbox, inside this process, on loopback, under
// TLS with a certificate authority of its own.
type servers struct {
	caFile             string
	imapPort, smtpPort int

	user *imapmemserver.User
	stop []func() error

	mu   sync.Mutex
	sent [][]byte
}

func startServers(dir string, mails [][]byte) (*servers, error) {
	s := &servers{caFile: filepath.Join(dir, "ca.pem")}
	cert, err := makeCertificate(s.caFile)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}

	s.user = imapmemserver.NewUser(account, password)
	if err := s.user.Create("INBOX", nil); err != nil {
		return nil, err
	}
	for _, m := range mails {
		if _, err := s.user.Append("INBOX", literal{bytes.NewReader(m)}, &imap.AppendOptions{Time: time.Now()}); err != nil {
			return nil, err
		}
	}
	mem := imapmemserver.New()
	mem.AddUser(s.user)
	is := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		Caps:   imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapMove: {}, imap.CapUIDPlus: {}},
		Logger: log.New(io.Discard, "", 0),
	})
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		return nil, err
	}
	s.imapPort = l.Addr().(*net.TCPAddr).Port
	go is.Serve(l)
	s.stop = append(s.stop, is.Close)

	ss := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &submission{s: s}, nil }))
	ss.Domain, ss.ErrorLog, ss.EnableSMTPUTF8 = "localhost", log.New(io.Discard, "", 0), true
	l, err = tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		return nil, err
	}
	s.smtpPort = l.Addr().(*net.TCPAddr).Port
	go ss.Serve(l)
	s.stop = append(s.stop, ss.Close)
	return s, nil
}

func (s *servers) close() {
	for _, f := range s.stop {
		f()
	}
}

// folder tells how many mails lie in a folder.
func (s *servers) folder(name string) int {
	d, err := s.user.Status(name, &imap.StatusOptions{NumMessages: true})
	if err != nil || d.NumMessages == nil {
		return 0
	}
	return int(*d.NumMessages)
}

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// submission is one SMTP connection; it wants a login and keeps what it is given.
type submission struct {
	s  *servers
	in bool
}

func (c *submission) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *submission) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if user != account || pass != password {
			return smtp.ErrAuthFailed
		}
		c.in = true
		return nil
	}), nil
}

func (c *submission) Mail(string, *smtp.MailOptions) error {
	if !c.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (c *submission) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (c *submission) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.sent = append(c.s.sent, b)
	return nil
}

func (c *submission) Reset()        {}
func (c *submission) Logout() error { return nil }

// makeCertificate makes a certificate authority, writes it to caFile and returns a
// certificate of it for localhost.
func makeCertificate(caFile string) (tls.Certificate, error) {
	var none tls.Certificate
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return none, err
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "quickstart CA"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.AddDate(0, 1, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return none, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return none, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return none, err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(caFile, caPEM, 0o644)
}
