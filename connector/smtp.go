package connector

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
	"github.com/vaguemestre/vaguemestre/internal/transport"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// TLSMode says how the line is protected.
type TLSMode string

const (
	TLSImplicit TLSMode = "implicit" // TLS from the first byte; the default
	TLSStartTLS TLSMode = "starttls" // required: a server that does not offer it is refused
	TLSNone     TLSMode = "none"     // never; credentials are refused unless AllowInsecureAuth
)

// Partial says what happens when some recipients are refused.
type Partial string

const (
	PartialAllow  Partial = "allow"  // the others get their mail; the default
	PartialRefuse Partial = "refuse" // nobody gets it, also when the server takes fewer at once than there are
)

// SMTP sends through a mail server that takes submissions. The zero value of every field
// is its default; only Host is required. Use it through a pointer, do not copy it and do
// not change it once it is used. It is safe for concurrent use.
//
// Connections are kept for the next mail and closed when idle for 30 seconds, after 5
// minutes or 100 mails, and by Close.
type SMTP struct {
	Host     string          `key:"host" required:"true" format:"host"`
	Port     int             `key:"port" min:"0" max:"65535"` // 0 is 465, 587 or 25, by TLS
	TLS      TLSMode         `key:"tls" default:"implicit" enum:"implicit,starttls,none"`
	Account  string          `key:"account"`                 // "" does not log in
	Password settings.Secret `key:"password"`                // Gmail's app passwords with or without their spaces; with xoauth2 and oauthbearer the access token
	Sender   string          `key:"sender" format:"mailbox"` // of messages without From; "" is Account if that is an address
	Auth     string          `key:"auth" default:"auto" enum:"auto,plain,login,cram-md5,scram-sha-256,xoauth2,oauthbearer" advanced:"true"`

	// OAuthAccount logs in with its token in place of Password: XOAUTH2 or OAUTHBEARER, as
	// the server offers. Account names the mailbox.
	OAuthAccount auth.Account `key:"oauth_account" advanced:"true"`

	CAFile     string        `key:"ca_file" format:"file" advanced:"true" when:"tls=implicit|starttls"` // PEM; replaces the system's authorities
	ServerName string        `key:"server_name" advanced:"true" when:"tls=implicit|starttls"`           // in the certificate; "" is Host
	Timeout    time.Duration `key:"timeout" default:"60s" min:"1s" max:"30m" advanced:"true"`           // of connecting, and of each answer; after the final dot 10 minutes or this, if it is longer

	MaxConnections    int     `key:"max_connections" default:"2" min:"1" max:"100" advanced:"true"` // at once; who comes later waits
	Partial           Partial `key:"partial" default:"allow" enum:"allow,refuse" advanced:"true"`
	AllowInsecureAuth bool    `key:"allow_insecure_auth" advanced:"true"` // lets Account and Password, or the token, out over a line without TLS, loopback included

	accounts *auth.Accounts // of Kinds

	ask func(ctx context.Context, stale string) (string, error) // a test's, in place of OAuthAccount's

	pool  pool
	waits waits
}

// waits are times that a test may own; zero values are the real ones.
type waits struct {
	dot   time.Duration // after the final dot
	idle  time.Duration // until an idle connection is closed
	probe time.Duration // idle time after which a connection is probed before use
	age   time.Duration // of a connection
}

var (
	_ router.MailSender      = (*SMTP)(nil)
	_ router.DefaultSender   = (*SMTP)(nil)
	_ vaguemestre.Checker    = (*SMTP)(nil)
	_ vaguemestre.Endpointer = (*SMTP)(nil)
	_ settings.Labeler       = (*SMTP)(nil)
	_ settings.Validator     = (*SMTP)(nil)
)

// Kind returns "smtp".
func (s *SMTP) Kind() string { return "smtp" }

// String names the server: "smtp mail.mondaine.fr:465".
func (s *SMTP) String() string {
	if s == nil {
		return "<nil>"
	}
	return "smtp " + net.JoinHostPort(s.Host, strconv.Itoa(s.port()))
}

// Format writes the same as String, whatever the verb and flags: fmt left to itself prints
// what a pointer leads to, its password included, where the verb does not go with it.
func (s *SMTP) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// DefaultSender returns Sender, or Account if that is an address, or "".
func (s *SMTP) DefaultSender() string {
	if s.Sender != "" {
		return s.Sender
	}
	if a, err := router.ParseAddress(s.Account); err == nil && a.Name == "" {
		return a.Address
	}
	return ""
}

// Endpoints returns the server.
func (s *SMTP) Endpoints() []vaguemestre.Endpoint {
	return []vaguemestre.Endpoint{{Host: s.Host, Port: s.port(), Reason: "to hand over mail (SMTP, " + string(s.mode()) + ")"}}
}

// port: RFC 8314 section 3.3 for 465, RFC 6409 section 3.1 for 587.
func (s *SMTP) port() int {
	switch {
	case s.Port != 0:
		return s.Port
	case s.mode() == TLSStartTLS:
		return 587
	case s.mode() == TLSNone:
		return 25
	}
	return 465
}

func (s *SMTP) mode() TLSMode {
	if s.TLS == "" {
		return TLSImplicit
	}
	return s.TLS
}

func (s *SMTP) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 60 * time.Second
	}
	return s.Timeout
}

// dotWait: RFC 5321 section 4.5.3.2.6: 10 minutes.
func (s *SMTP) dotWait() time.Duration {
	if s.waits.dot > 0 {
		return s.waits.dot
	}
	return max(10*time.Minute, s.timeout())
}

func (s *SMTP) target() transport.Target {
	return transport.Target{Host: s.Host, Port: s.port(), Mode: transport.Mode(s.mode()),
		CAFile: s.CAFile, ServerName: s.ServerName, Timeout: s.timeout()}
}

func (s *SMTP) credentials() sasl.Credentials {
	return sasl.Credentials{Account: s.Account, Password: s.secret(), Host: s.Host, Port: s.port()}
}

// secret is the password as it is sent.
//
// QUIRK: Google shows app passwords as four groups of four letters and people copy the
// spaces with them (support.google.com/accounts/answer/185833); its servers refuse those.
// Only that very shape, and only for Google's hosts, is changed.
func (s *SMTP) secret() string {
	pw := s.Password.Reveal()
	host := strings.ToLower(strings.TrimSuffix(s.Host, "."))
	google := false
	for _, d := range [...]string{"gmail.com", "googlemail.com", "google.com"} {
		google = google || host == d || strings.HasSuffix(host, "."+d)
	}
	if !google {
		return pw
	}
	groups := strings.Fields(pw) // white space of any kind, no-break space included
	if len(groups) != 4 {
		return pw
	}
	for _, g := range groups {
		if len(g) != 4 || strings.Trim(strings.ToLower(g), "abcdefghijklmnopqrstuvwxyz") != "" {
			return pw
		}
	}
	return strings.Join(groups, "")
}
