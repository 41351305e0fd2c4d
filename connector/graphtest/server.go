package graphtest

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
)

// Rotation is what becomes of a refresh token that was used.
type Rotation string

const (
	RotateEntra  Rotation = "entra"  // a new one is given, the old one stays good; the default
	RotateStrict Rotation = "strict" // the old one dies; using it again revokes the grant
)

// Options are the options of [Start]. The zero value is Microsoft 365 as it is documented,
// but fast.
type Options struct {
	Rotation      Rotation
	DemandScope   bool          // a refresh without scope is refused (AADSTS900144)
	Interval      time.Duration // of the device flow, told in whole seconds; 0 is 1 s
	EnforceSlow   bool          // polling faster than Interval gets slow_down
	CodeLife      time.Duration // of a device code; 0 is 15 minutes
	TokenLife     time.Duration // of an access token; 0 is an hour
	Tenant        string        // id; "" is a fixed one
	PageSize      int           // the largest page of a listing, whatever $top asks; 0 is 1000
	Concurrency   int           // requests at once for one application and mailbox; 0 is 4
	RetryAfter    time.Duration // told with 429; 0 is 1 s
	MessageSize   int64         // the largest message of a mailbox; 0 is 150 MB
	ValueSize     int64         // the largest message that $value gives; 0 is 25 MB
	SendDelay     time.Duration // until a sent draft is in Sent Items; GET finds the draft, then nothing, then the copy
	DropMessageID bool          // Exchange gives every mail a Message-ID of its own
	Latency       time.Duration // before each answer
	Now           func() time.Time
}

// Server is a running fake. Its methods are safe for concurrent use.
type Server struct {
	URL       string // of both Entra and Graph: "https://127.0.0.1:port"
	UploadURL string // another origin, for upload sessions
	CAFile    string // PEM of the authority to trust; removed by Close
	CA        *x509.CertPool
	ClientID  string // of the public application that is there from the start
	Tenant    string
	// …
}

// App is a registered application.
type App struct {
	ID           string
	Secret       string            // "" and no certificate: a public client
	Certificate  *x509.Certificate // what assertions are verified with
	Permissions  []string          // application permissions, as "Mail.ReadWrite"
	Confidential bool              // no device flow (AADSTS7000218)
}

// User is a person with a mailbox, or a shared mailbox that nobody signs in to.
type User struct {
	Address  string // also the userPrincipalName
	Name     string
	Language string // "fr": names of the standard folders; "" is English
	Shared   bool

	FullAccess []string // addresses of mailboxes that this user may read and write
	SendAs     []string // and send as
	OnBehalf   []string // and send on behalf of
}

// Consent is what a person answers at the verification page.
type Consent struct {
	User   string   // address
	Scopes []string // what is granted; nil is all that was asked
}

// Call is one request as the server saw it, with its answer.
type Call struct {
	Time   time.Time
	Method string
	Path   string // decoded, without the query
	Query  string
	Header http.Header
	Body   []byte // the first 64 kB
	Size   int64  // of the body
	Upload bool   // at the upload origin
	Status int    // of the answer; 0 when the line was dropped
	Op     string // what it is: "token", "devicecode", "me", "sendMail", "messages.create", "messages.get", "messages.value", "messages.patch", "messages.send", "messages.move", "messages.delete", "messages.list", "messages.delta", "attachments.list", "attachments.create", "attachments.get", "attachments.value", "upload.create", "upload.put", "upload.delete", "folders.list", "folders.get", "folders.create", "batch", …
	N      int    // how many calls of that Op there were so far, this one included
}

// Reply is what a script does to a call; the zero value, and a nil *Reply, lets it be.
type Reply struct {
	Status     int           // answered in place of the server's own
	Code       string        // Graph's error code or OAuth2's error word, in a body of the usual form
	AADSTS     int           // for Entra
	Message    string        //
	Body       []byte        // in place of that form: HTML, half a JSON …
	Header     http.Header   //
	RetryAfter string        // as it stands in the header: seconds or a date
	Delay      time.Duration // before anything is done
	After      bool          // the call is done all the same; then this is answered, or the line dropped
	Drop       bool          // the line is closed without an answer
	Cut        int           // the answer's body ends after so many bytes, and the line with it
	Hang       bool          // never answered, until the client leaves
}

// Start starts a fake on loopback.
func Start(o *Options) (*Server, error) { return nil, errTodo }

// Close stops the server, dropping what is under way, and removes CAFile.
func (s *Server) Close() error { return errTodo }

// AddApp registers an application.
func (s *Server) AddApp(a App) {}

// AddUser adds a person or a shared mailbox and returns the mailbox.
func (s *Server) AddUser(u User) *Mailbox { return nil }

// Provider returns a provider that asks this server, for the public application.
func (s *Server) Provider(store auth.Store) *auth.Microsoft { return nil }

// SignIn associates account as a person would: it begins a device flow, consents as the user
// of that address, and waits until it is approved.
func (s *Server) SignIn(ctx context.Context, account auth.Account, user string) error { return errTodo }

// Approve consents to the device code that userCode names. Decline refuses it, Block refuses
// it by policy (AADSTS53003). The same is done by hand at the verification page.
func (s *Server) Approve(userCode string, c Consent) error { return errTodo }
func (s *Server) Decline(userCode string) error            { return errTodo }
func (s *Server) Block(userCode string) error              { return errTodo }

// Codes returns the user codes that wait.
func (s *Server) Codes() []string { return nil }

// Token issues an access token directly, without any flow.
func (s *Server) Token(user string, scopes ...string) string { return "" }

// Revoke ends all grants of a user: refreshing answers invalid_grant with code (50173, say).
func (s *Server) Revoke(user string, code int) {}

// ExpireTokens makes every access token issued so far expired.
func (s *Server) ExpireTokens() {}

// Script asks f about each call before it is done; nil removes it. f is called from many
// goroutines.
func (s *Server) Script(f func(*Call) *Reply) {}

// Calls returns what was asked so far, in the order of arrival; ResetCalls forgets it.
func (s *Server) Calls() []Call { return nil }
func (s *Server) ResetCalls()   {}

// Count is how many calls of that Op there were.
func (s *Server) Count(op string) int { return 0 }

// Peak is the highest number of requests at once on one mailbox so far; Over counts those
// that came above the budget or before Retry-After had passed.
func (s *Server) Peak() int { return 0 }
func (s *Server) Over() int { return 0 }

var errTodo = errors.New("not written yet")
