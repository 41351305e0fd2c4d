package launcher

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/transport"
	"github.com/vaguemestre/vaguemestre/settings"
)

// TLSMode says how the connection is protected.
type TLSMode string

const (
	TLSImplicit TLSMode = "implicit" // TLS from the first byte; the default
	TLSStartTLS TLSMode = "starttls" // plain, then TLS by command; without it nothing is said
	TLSNone     TLSMode = "none"     // never protected
)

// IMAP collects one folder of a mailbox (RFC 3501, RFC 9051). Host, Account, and either
// Password or OAuthAccount are required; the zero value of everything else is a sensible
// default.
//
// It asks for whole mails with PEEK, many in one command, and never for what servers
// are known to get wrong. It supports all after-actions; move and tag need a Target.
// Without the server's UIDPLUS nothing is expunged: a mail to be removed is only
// marked \Deleted, and listings pass it over from then on.
//
// Its methods are safe for concurrent use; the fields must not change meanwhile.
type IMAP struct {
	Host              string          `key:"host" required:"true" format:"host"`
	Port              int             `key:"port" min:"1" max:"65535"`
	TLS               TLSMode         `key:"tls" default:"implicit" enum:"implicit,starttls,none"`
	Account           string          `key:"account" required:"true"`
	Password          settings.Secret `key:"password"` // required without OAuthAccount; with xoauth2 and oauthbearer the access token
	Auth              string          `key:"auth" default:"auto" enum:"auto,plain,login,cram-md5,scram-sha-256,xoauth2,oauthbearer" advanced:"true"`
	Source            string          `key:"source" default:"INBOX"`
	OAuthAccount      auth.Account    `key:"oauth_account" advanced:"true"` // logs in with its token in place of Password; Account names the mailbox
	CAFile            string          `key:"ca_file" format:"file" advanced:"true"`
	ServerName        string          `key:"server_name" format:"host" advanced:"true"`
	Timeout           time.Duration   `key:"timeout" default:"60s" min:"1s" max:"1h" advanced:"true"`
	AllowInsecureAuth bool            `key:"allow_insecure_auth" when:"tls=none" advanced:"true"`

	accounts *auth.Accounts // of Kinds

	ask func(ctx context.Context, stale string) (string, error) // a test's, in place of OAuthAccount's
}

// Labels gives the texts of the settings form.
func (l *IMAP) Labels() map[string]settings.Label { return imapLabels }

// Kind is the name of this launcher in settings: "imap".
func (l *IMAP) Kind() string { return "imap" }

// String names the launcher in logs: "imap account@host:port/folder", without a secret.
func (l *IMAP) String() string {
	if l == nil {
		return "<nil>"
	}
	return "imap " + l.Account + "@" + net.JoinHostPort(l.Host, strconv.Itoa(l.port())) + "/" + l.source()
}

// Format writes the same as String, whatever the verb and flags: fmt left to itself prints
// a password that lies behind a pointer within another value.
func (l *IMAP) Format(f fmt.State, _ rune) { io.WriteString(f, l.String()) }

func (l *IMAP) mode() transport.Mode {
	switch l.TLS {
	case TLSStartTLS:
		return transport.StartTLS
	case TLSNone:
		return transport.None
	}
	return transport.Implicit
}

func (l *IMAP) port() int {
	switch {
	case l.Port != 0:
		return l.Port
	case l.mode() == transport.Implicit:
		return 993 // RFC 8314 section 3.2
	}
	return 143
}

func (l *IMAP) source() string {
	if l.Source == "" {
		return "INBOX"
	}
	return l.Source
}

func (l *IMAP) timeout() time.Duration {
	if l.Timeout <= 0 {
		return 60 * time.Second
	}
	return l.Timeout
}

// password is the password without the blanks in which Google shows app passwords.
func (l *IMAP) password() string {
	p := l.Password.Reveal()
	host := strings.ToLower(l.Host)
	if !strings.HasSuffix(host, "gmail.com") && !strings.HasSuffix(host, "googlemail.com") {
		return p
	}
	joined := strings.Join(strings.Fields(p), "")
	if len(joined) != 16 {
		return p
	}
	for _, c := range joined {
		if c < 'a' || c > 'z' {
			return p
		}
	}
	return joined
}

func (l *IMAP) transport() transport.Target {
	return transport.Target{Host: l.Host, Port: l.port(), Mode: l.mode(), CAFile: l.CAFile, ServerName: l.ServerName, Timeout: l.timeout()}
}

// Endpoints implements [vaguemestre.Endpointer].
func (l *IMAP) Endpoints() []vaguemestre.Endpoint {
	return []vaguemestre.Endpoint{{Host: l.Host, Port: l.port(), Reason: "collect mail by IMAP (" + string(l.mode()) + ")"}}
}

// valid finds what Connect cannot work with.
func (l *IMAP) valid() error {
	bad := func(format string, args ...any) error {
		return errIMAP("settings", vaguemestre.ClassConfig, format, args...)
	}
	switch {
	case l.Host == "":
		return bad("host is empty: enter the name of the IMAP server")
	case l.Account == "":
		return bad("account is empty: enter the account's name, usually its mail address")
	case l.Password == "" && !l.oauth():
		return bad("password is empty: enter the account's password, or name an oauth_account")
	case strings.ContainsAny(l.Account+l.Password.Reveal()+l.Source, "\x00\r\n"):
		return bad("account, password or source holds a line end: enter it again")
	}
	switch l.TLS {
	case "", TLSImplicit, TLSStartTLS, TLSNone:
	default:
		return bad("tls is %q: use implicit, starttls or none", l.TLS)
	}
	return nil
}

// Supports implements [cold.Launcher].
func (l *IMAP) Supports(a cold.After) error {
	switch a.Do {
	case "", cold.DoLeave, cold.DoSeen, cold.DoDelete:
		return nil
	case cold.DoMove:
		if a.Target == "" {
			return errIMAP("after", vaguemestre.ClassConfig, "move needs a target: name the folder")
		}
		if strings.ContainsAny(a.Target, "\x00\r\n") {
			return errIMAP("after", vaguemestre.ClassConfig, "the target %s is no name of a folder", quote(a.Target))
		}
		return nil
	case cold.DoTag:
		if !isKeyword(a.Target) {
			return errIMAP("after", vaguemestre.ClassConfig,
				"tag needs a target of plain letters and digits without blanks or accents, such as Archived: %s is none", quote(a.Target))
		}
		return nil
	}
	return errIMAP("after", vaguemestre.ClassConfig, "%q is unknown: use leave, seen, tag, move or delete", a.Do)
}

// isKeyword tells whether s is an atom (RFC 9051 section 9, flag-keyword).
func isKeyword(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Connect implements [cold.Launcher]: it logs in and opens the folder Source.
func (l *IMAP) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	s := &session{l: *l, log: discard}
	if o != nil {
		s.readOnly = o.ReadOnly
		if o.Logger != nil {
			s.log = o.Logger
		}
	}
	if err := s.connect(ctx, nil); err != nil {
		return nil, err
	}
	return s, nil
}

// Kinds returns the launchers of this package by name: imap, office365, pop3, folder. accounts is where
// they look accounts up by name when they are used; nil knows none.
func Kinds(accounts *auth.Accounts) (*settings.Registry[cold.Launcher], error) {
	var r settings.Registry[cold.Launcher]
	if err := register(&r, accounts); err != nil {
		return nil, fmt.Errorf("launcher: %w", err)
	}
	return &r, nil
}

// discard drops what nobody wants to log; it is never changed.
var discard = slog.New(slog.DiscardHandler)
