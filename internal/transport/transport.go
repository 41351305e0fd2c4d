// Package transport opens the connections of every connector and launcher, and
// keeps the promises that the protocol libraries do not: certificates are verified,
// a deadline rolls with every read and write, a context that ends closes the
// connection, and a server cannot send an endless line.
package transport

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Mode says how a connection is protected.
type Mode string

const (
	Implicit Mode = "implicit" // TLS from the first byte
	StartTLS Mode = "starttls" // plain, then TLS by command, which is required
	None     Mode = "none"     // never protected
)

// Target is where to connect and how.
type Target struct {
	Host       string
	Port       int
	Mode       Mode
	CAFile     string        // PEM; replaces the system's roots when not empty
	ServerName string        // name in the certificate; "" is Host
	Timeout    time.Duration // of dial and handshake, and the longest silence afterwards

	// MaxLine bounds a line of the peer in bytes, counted while the guard counts
	// lines; see [Conn.CountLines]. 0 means no bound.
	MaxLine int
}

// Conn is the guarded connection. Deadlines that a library sets on it are ignored:
// every Read and Write has Timeout of its own, and the context given to Bind closes it.
type Conn struct{ net.Conn }

// Dial connects, and does the TLS handshake if t.Mode is Implicit. ctx bounds Dial alone.
// Errors are *vaguemestre.Error: class source, or config for what cannot pass by itself
// (unknown host name, untrusted, expired or misnamed certificate, too old TLS).
func Dial(ctx context.Context, t Target) (*Conn, error) { panic("to come") }

// TLSConfig is what the target's handshake uses, for STARTTLS: TLS 1.2 or newer, verified.
func (t Target) TLSConfig() (*tls.Config, error) { panic("to come") }

// Bind makes ctx close the connection when it ends, until release is called.
func (c *Conn) Bind(ctx context.Context) (release func()) { panic("to come") }

// SetSilence changes the longest silence from now on (SMTP waits 10 minutes after the
// final dot).
func (c *Conn) SetSilence(d time.Duration) { panic("to come") }
