package launcher

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/transport"
	"github.com/vaguemestre/vaguemestre/settings"
)

// POP3 collects a mailbox (RFC 1939). Host, Account, and either Password or OAuthAccount are
// required; the zero value of everything else is a sensible default.
//
// POP3 knows one folder and no marks: the after-actions are leave and delete. A mail is
// removed only by the QUIT that follows its DELE, so a connection that breaks removes
// nothing; without an answer to QUIT the receipts are unknown and the next listing decides.
//
// Mails are known by UIDL. Where it is missing, not unique, or no more than a number that is
// given again, they are known by a hash of their header, so identical copies are one item; one
// that comes later with every line of its header alike is taken for the first. An
// id of 8 characters or more that a server gives to another mail is found out only as long as
// the launcher lives that deleted the first.
//
// Through a tunnel on this machine (stunnel in client mode) Host is 127.0.0.1, Port the
// tunnel's, TLS none and AllowInsecureAuth true. The tunnel is no longer needed: implicit, the
// default, does what it does and verifies the certificate. A job may be changed from one to
// the other: mails that it knows are recognised by their content.
//
// Its methods are safe for concurrent use; the fields must not change meanwhile, and a value
// must not be copied once it is in use.
type POP3 struct {
	Host              string          `key:"host" required:"true" format:"host"`
	Port              int             `key:"port" min:"1" max:"65535"`
	TLS               TLSMode         `key:"tls" default:"implicit" enum:"implicit,starttls,none"`
	Account           string          `key:"account" required:"true"`
	Password          settings.Secret `key:"password"` // required without OAuthAccount; with xoauth2 and oauthbearer the access token
	Auth              string          `key:"auth" default:"auto" enum:"auto,user,apop,plain,login,cram-md5,scram-sha-256,xoauth2,oauthbearer" advanced:"true"`
	OAuthAccount      auth.Account    `key:"oauth_account" advanced:"true"` // logs in with its token in place of Password; Account names the mailbox
	CAFile            string          `key:"ca_file" format:"file" advanced:"true"`
	ServerName        string          `key:"server_name" format:"host" advanced:"true"`
	Timeout           time.Duration   `key:"timeout" default:"60s" min:"1s" max:"1h" advanced:"true"`
	MinInterval       time.Duration   `key:"min_interval" default:"60s" min:"1ms" max:"24h" advanced:"true"` // between two logins; a server's LOGIN-DELAY raises it
	AllowInsecureAuth bool            `key:"allow_insecure_auth" when:"tls=none" advanced:"true"`

	accounts *auth.Accounts // of Kinds

	ask   func(ctx context.Context, stale string) (string, error) // a test's, in place of OAuthAccount's
	clock func() time.Time                                        // a test's, in place of time.Now
	sleep func(ctx context.Context, d time.Duration) error        // a test's, in place of waiting

	mu     sync.Mutex
	login  time.Time       // when somebody logged in last
	delay  time.Duration   // the server's LOGIN-DELAY
	erased map[string]bool // ids of what was deleted: a server may use them again
}

// Labels gives the texts of the settings form.
func (l *POP3) Labels() map[string]settings.Label { return pop3Labels }

// Kind is the name of this launcher in settings: "pop3".
func (l *POP3) Kind() string { return "pop3" }

// String names the launcher in logs: "pop3 account@host:port", without a secret.
func (l *POP3) String() string {
	if l == nil {
		return "<nil>"
	}
	return "pop3 " + l.Account + "@" + net.JoinHostPort(l.Host, strconv.Itoa(l.port()))
}

// Format writes the same as String, whatever the verb and flags: fmt left to itself prints
// a password that lies behind a pointer within another value.
func (l *POP3) Format(f fmt.State, _ rune) { io.WriteString(f, l.String()) }

func (l *POP3) mode() transport.Mode {
	switch l.TLS {
	case TLSStartTLS:
		return transport.StartTLS
	case TLSNone:
		return transport.None
	}
	return transport.Implicit
}

func (l *POP3) port() int {
	switch {
	case l.Port != 0:
		return l.Port
	case l.mode() == transport.Implicit:
		return 995 // RFC 8314 section 3.1
	}
	return 110
}

func (l *POP3) timeout() time.Duration {
	if l.Timeout <= 0 {
		return 60 * time.Second
	}
	return l.Timeout
}

func (l *POP3) now() time.Time {
	if l.clock != nil {
		return l.clock()
	}
	return time.Now()
}

func (l *POP3) transport() transport.Target {
	return transport.Target{Host: l.Host, Port: l.port(), Mode: l.mode(), CAFile: l.CAFile, ServerName: l.ServerName, Timeout: l.timeout()}
}

// Endpoints implements [vaguemestre.Endpointer].
func (l *POP3) Endpoints() []vaguemestre.Endpoint {
	return []vaguemestre.Endpoint{{Host: l.Host, Port: l.port(), Reason: "collect mail by POP3 (" + string(l.mode()) + ")"}}
}

// valid finds what Connect cannot work with.
func (l *POP3) valid() error {
	bad := func(format string, args ...any) error {
		return errPOP3("settings", vaguemestre.ClassConfig, format, args...)
	}
	switch {
	case l.Host == "":
		return bad("host is empty: enter the name of the POP3 server")
	case l.Account == "":
		return bad("account is empty: enter the account's name, usually its mail address")
	case l.Password == "" && !l.oauth():
		return bad("password is empty: enter the account's password, or name an oauth_account")
	case strings.ContainsAny(l.Account+l.Password.Reveal(), "\x00\r\n"):
		return bad("account or password holds a line end: enter it again")
	}
	switch l.TLS {
	case "", TLSImplicit, TLSStartTLS, TLSNone:
	default:
		return bad("tls is %q: use implicit, starttls or none", l.TLS)
	}
	return nil
}

// Supports implements [cold.Launcher].
func (l *POP3) Supports(a cold.After) error {
	switch a.Do {
	case "", cold.DoLeave, cold.DoDelete:
		return nil
	case cold.DoSeen, cold.DoTag, cold.DoMove:
		return errPOP3("after", vaguemestre.ClassConfig,
			"POP3 knows neither marks nor folders, so %q cannot be done: use leave or delete, or collect the mailbox by IMAP", a.Do)
	}
	return errPOP3("after", vaguemestre.ClassConfig, "%q is unknown: use leave or delete", a.Do)
}

// Connect implements [cold.Launcher]: it logs in. Sooner than MinInterval after the last login
// of this launcher it does not, unless read-only, and gives class busy with RetryAfter: many
// servers lock out who asks too often.
func (l *POP3) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	s := &popSession{l: l, log: discard}
	if o != nil {
		s.readOnly = o.ReadOnly
		if o.Logger != nil {
			s.log = o.Logger
		}
	}
	if !s.readOnly {
		if err := l.tooSoon(); err != nil {
			return nil, err
		}
	}
	defer s.enter(ctx)()
	if err := s.connect(nil); err != nil {
		return nil, err
	}
	return s, nil
}

func (l *POP3) interval() time.Duration {
	d := l.MinInterval
	if d <= 0 {
		d = 60 * time.Second
	}
	return max(d, l.delay)
}

// tooSoon is the error of a login that must wait.
func (l *POP3) tooSoon() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.interval() - l.now().Sub(l.login)
	if l.login.IsZero() || wait <= 0 {
		return nil
	}
	e := errPOP3("connect", vaguemestre.ClassBusy, "the last login was less than %v ago: it is tried again later, or lower min_interval", l.interval())
	e.RetryAfter = wait
	return e
}
