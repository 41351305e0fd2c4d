// Package transport opens the connections of every connector and launcher, and
// keeps the promises that the protocol libraries do not: certificates are verified,
// a deadline rolls with every read and write, a context that ends closes the
// connection, and a server cannot send an endless line.
//
//	c, err := transport.Dial(ctx, transport.Target{Host: "mail.mondaine.fr", Port: 993, Mode: transport.Implicit})
//	defer c.Close()
//	defer c.Bind(ctx)()      // from here on ctx closes the connection
//
// [Check] does the same in steps that a person can read.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// Mode says how a connection is protected.
type Mode string

const (
	Implicit Mode = "implicit" // TLS from the first byte
	StartTLS Mode = "starttls" // plain, then TLS by command, which is required
	None     Mode = "none"     // never protected
)

// DefaultTimeout is used where [Target.Timeout] is zero.
const DefaultTimeout = 30 * time.Second

// Target is where to connect and how.
type Target struct {
	Host       string
	Port       int
	Mode       Mode
	CAFile     string        // PEM; replaces the system's roots when not empty
	ServerName string        // name in the certificate; "" is Host
	Timeout    time.Duration // of dial and handshake, and the longest silence afterwards; 0 is DefaultTimeout

	// MaxLine bounds a line of the peer in bytes, its end included, from the first
	// byte on; 0 means no bound. [Conn.SetMaxLine] changes it later: a protocol with
	// counted literals (IMAP) leaves it 0 and brings a guard of its own.
	MaxLine int
}

func (t Target) timeout() time.Duration {
	if t.Timeout <= 0 {
		return DefaultTimeout
	}
	return t.Timeout
}

func (t Target) addr() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// Dial connects, and does the TLS handshake if t.Mode is Implicit. ctx bounds Dial alone.
// Errors are *vaguemestre.Error: class source, or config for what cannot pass by itself
// (unknown host name, untrusted, expired or misnamed certificate, too old TLS), or
// canceled if ctx ended. The caller closes the connection.
func Dial(ctx context.Context, t Target) (*Conn, error) {
	// A bad CA file is found before anything goes out.
	if _, err := t.TLSConfig(); err != nil {
		return nil, err
	}
	c, err := connect(ctx, t)
	if err != nil {
		return nil, err
	}
	if t.Mode == Implicit {
		if err := c.Upgrade(ctx, t); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// connect opens the TCP connection alone.
func connect(ctx context.Context, t Target) (*Conn, error) {
	if t.Host == "" {
		return nil, fail(vaguemestre.ClassConfig, "no host: set host to the server's name", nil)
	}
	if t.Port < 1 || t.Port > 65535 {
		return nil, fail(vaguemestre.ClassConfig, fmt.Sprintf("port %d: set port to a number from 1 to 65535", t.Port), nil)
	}
	dctx, cancel := context.WithTimeout(ctx, t.timeout())
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(dctx, "tcp", t.addr())
	if err != nil {
		return nil, explainDial(ctx, t, err)
	}
	return newConn(nc, t), nil
}

// Upgrade puts TLS on the connection: for STARTTLS, after the server's consent. The
// caller must have thrown nothing away and hold no bytes that the server sent behind
// its consent: those would be an injection, and an error. On an error the connection is
// closed. ctx bounds the handshake, and so does t.Timeout.
func (c *Conn) Upgrade(ctx context.Context, t Target) error {
	cfg, err := t.TLSConfig()
	if err != nil {
		c.Close()
		return err
	}
	hctx, cancel := context.WithTimeout(ctx, t.timeout())
	defer cancel()
	tc := tls.Client(c.raw, cfg)
	if err := tc.HandshakeContext(hctx); err != nil {
		c.Close()
		return explainTLS(ctx, t, err)
	}
	c.Conn = tc
	return nil
}

// TLSConfig is what the target's handshake uses, for STARTTLS: TLS 1.2 or newer, verified.
// The error is of class config: the CA file cannot be read or holds no certificate.
func (t Target) TLSConfig() (*tls.Config, error) {
	// RFC 8996 section 2: TLS 1.0 and 1.1 are not to be used.
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if cfg.ServerName == "" {
		cfg.ServerName = t.Host
	}
	if t.CAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fail(vaguemestre.ClassConfig, "the CA file cannot be read: check ca_file", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fail(vaguemestre.ClassConfig, "the CA file holds no certificate: ca_file must be PEM, with BEGIN CERTIFICATE", nil)
	}
	return cfg, nil
}

// fail makes the package's errors.
func fail(class vaguemestre.Class, text string, cause error) *vaguemestre.Error {
	err := errors.New(text)
	if cause != nil {
		err = fmt.Errorf("%s: %w", text, cause)
	}
	return &vaguemestre.Error{Op: "connect", Class: class, Err: err}
}
