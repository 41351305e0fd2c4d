// Package demo is a small mail server for the examples and their tests: IMAP and SMTP on
// loopback, inside this process, with a mailbox of French mails.
package demo

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
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Account and Password log in to both servers.
const Account, Password = "ged@example.org", "démonstration"

// Server is a mail server of one mailbox under TLS, with a certificate authority of its
// own. Its methods are safe for concurrent use.
type Server struct {
	CAFile             string // of the authority, PEM
	IMAPPort, SMTPPort int    // at 127.0.0.1

	user *imapmemserver.User
	stop []func() error

	mu      sync.Mutex
	sent    []Sent
	refused map[string]bool
}

// Sent is one mail that the server took for delivery.
type Sent struct {
	To  []string
	Raw []byte
}

// Start starts the server with mails in the folder INBOX, and writes the certificate
// authority into dir. The caller closes it.
func Start(dir string, mails [][]byte) (*Server, error) {
	s := &Server{CAFile: filepath.Join(dir, "ca.pem"), refused: map[string]bool{}}
	if err := s.start(mails); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(mails [][]byte) error {
	cert, err := makeCertificate(s.CAFile)
	if err != nil {
		return err
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}

	s.user = imapmemserver.NewUser(Account, Password)
	if err := s.user.Create("INBOX", nil); err != nil {
		return err
	}
	for _, m := range mails {
		if err := s.Deliver(m); err != nil {
			return err
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
		return err
	}
	s.IMAPPort = l.Addr().(*net.TCPAddr).Port
	go is.Serve(l)
	s.stop = append(s.stop, l.Close, is.Close) // the listener too: Serve may not have begun

	ss := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &submission{s: s}, nil }))
	ss.Domain, ss.ErrorLog, ss.EnableSMTPUTF8 = "localhost", log.New(io.Discard, "", 0), true
	l, err = tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		return err
	}
	s.SMTPPort = l.Addr().(*net.TCPAddr).Port
	go ss.Serve(l)
	s.stop = append(s.stop, l.Close, ss.Close)
	return nil
}

// Close stops the server and breaks what connections are open.
func (s *Server) Close() {
	for _, f := range s.stop {
		_ = f()
	}
}

// Folder tells how many mails lie in a folder; none if it does not exist.
func (s *Server) Folder(name string) int {
	return s.count(name, &imap.StatusOptions{NumMessages: true}, func(d *imap.StatusData) *uint32 { return d.NumMessages })
}

// Unseen tells how many of them are not marked as read.
func (s *Server) Unseen(name string) int {
	return s.count(name, &imap.StatusOptions{NumUnseen: true}, func(d *imap.StatusData) *uint32 { return d.NumUnseen })
}

func (s *Server) count(name string, o *imap.StatusOptions, of func(*imap.StatusData) *uint32) int {
	d, err := s.user.Status(name, o)
	if err != nil || of(d) == nil {
		return 0
	}
	return int(*of(d))
}

// Deliver puts one more mail into INBOX.
func (s *Server) Deliver(mail []byte) error {
	_, err := s.user.Append("INBOX", literal{bytes.NewReader(mail)}, &imap.AppendOptions{Time: time.Now()})
	return err
}

// Refuse makes the server know no such recipient from now on.
func (s *Server) Refuse(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[address] = true
}

// Sent returns the mails that were taken for delivery, in order.
func (s *Server) Sent() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// submission is one SMTP connection; it wants a login and keeps what it is given.
type submission struct {
	s  *Server
	in bool
	to []string
}

func (c *submission) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *submission) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if user != Account || pass != Password {
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

func (c *submission) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.refused[to] {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	c.to = append(c.to, to)
	return nil
}

func (c *submission) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.sent = append(c.s.sent, Sent{c.to, b})
	return nil
}

func (c *submission) Reset()        { c.to = nil }
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
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "demonstration CA"}, NotBefore: now.Add(-time.Hour),
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
