package graphtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	Tenant    string // id

	mailState

	o      Options // with the defaults filled in
	dir    string  // of CAFile
	http   [2]*http.Server
	done   chan struct{} // closed by Close
	once   sync.Once
	active sync.WaitGroup // requests under way, and the listeners

	mu     sync.Mutex // guards what follows
	people map[string]*person
	apps   map[string]*App

	entra  entra
	log    calls
	budget budget
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
	Shared   bool   // nobody signs in to it

	NoMailbox bool // has no licence: MailboxNotEnabledForRESTAPI

	FullAccess []string // addresses of mailboxes that this user may read and write
	SendAs     []string // and send as
	OnBehalf   []string // and send on behalf of
}

// Consent is what a person answers at the verification page.
type Consent struct {
	User   string   // address
	Scopes []string // what is granted; nil is all that was asked. What was not asked is granted as an administrator would, for later
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
	Why    string // a refusal in plain words: which permission or right was missing
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
	Hang       bool          // not answered before the client leaves
}

// Start starts a fake on loopback.
func Start(o *Options) (*Server, error) {
	s := &Server{done: make(chan struct{}), people: map[string]*person{}, apps: map[string]*App{}}
	if o != nil {
		s.o = *o
	}
	s.fill()
	if err := s.listen(); err != nil {
		s.Close()
		return nil, fmt.Errorf("graphtest: start: %w", err)
	}
	return s, nil
}

// fill puts the defaults into the options.
func (s *Server) fill() {
	or := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	or(&s.o.Interval, time.Second)
	or(&s.o.CodeLife, 15*time.Minute)
	or(&s.o.TokenLife, time.Hour)
	or(&s.o.RetryAfter, time.Second)
	if s.o.Rotation == "" {
		s.o.Rotation = RotateEntra
	}
	if s.o.Tenant == "" {
		s.o.Tenant = "7f9c3a52-1b64-4c0e-8d21-5be0f6a1c9d4"
	}
	if s.o.PageSize <= 0 {
		s.o.PageSize = 1000
	}
	if s.o.Concurrency <= 0 {
		s.o.Concurrency = 4
	}
	if s.o.MessageSize <= 0 {
		s.o.MessageSize = 150 << 20
	}
	if s.o.ValueSize <= 0 {
		s.o.ValueSize = 25 << 20
	}
	if s.o.Now == nil {
		s.o.Now = time.Now
	}
	s.Tenant = s.o.Tenant
	s.ClientID = "c41d7e90-52fb-4f0a-9a6b-0e83d9b2a715"
	s.AddApp(App{ID: s.ClientID})
}

// listen makes the authority, opens both origins and serves them.
func (s *Server) listen() error {
	authority, cert, err := newCertificate()
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "graphtest-"); err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	if err := os.WriteFile(s.CAFile, authority, 0o600); err != nil {
		return err
	}
	s.CA = x509.NewCertPool()
	s.CA.AppendCertsFromPEM(authority)

	var on [2]net.Listener
	for i := range on {
		if on[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			if i > 0 {
				on[0].Close()
			}
			return err
		}
	}
	s.URL = "https://" + on[0].Addr().String()
	// Another name besides another port: clients pin hosts with and without the port.
	s.UploadURL = fmt.Sprintf("https://localhost:%d", on[1].Addr().(*net.TCPAddr).Port)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	for i, h := range []http.HandlerFunc{s.serve, s.serveUpload} {
		s.http[i] = &http.Server{Handler: h, ErrorLog: silent(), ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 256 << 10,
			// HTTP/1.1 alone, so that a dropped line is a dropped line.
			TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
		s.active.Add(1)
		go func() {
			defer s.active.Done()
			s.http[i].Serve(tls.NewListener(on[i], config))
		}()
	}
	return nil
}

// Close stops the server, dropping what is under way, and removes CAFile. It returns when
// no call is being done any more; it may be called twice.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		close(s.done)
		for _, h := range s.http {
			if h != nil {
				h.Close()
			}
		}
		s.active.Wait()
		s.files.close()
		if s.dir != "" {
			err = os.RemoveAll(s.dir)
		}
	})
	return err
}

// AddApp registers an application; one of the same ID is replaced.
func (s *Server) AddApp(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[strings.ToLower(a.ID)] = &a
}

// AddUser adds a person or a shared mailbox and returns the mailbox, nil if User.NoMailbox.
// A second one of the same address takes the place of the first.
func (s *Server) AddUser(u User) *Mailbox {
	p := &person{User: u, id: newGUID()}
	if !u.NoMailbox {
		p.box = newMailbox(u, s.now, &s.files)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people[strings.ToLower(u.Address)] = p
	return p.box
}

// person finds a user by address or id.
func (s *Server) person(name string) *person {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.people[strings.ToLower(name)]; p != nil {
		return p
	}
	for _, p := range s.people {
		if strings.EqualFold(p.id, name) {
			return p
		}
	}
	return nil
}

// mailboxOf is the mailbox of that address, nil if there is none.
func (s *Server) mailboxOf(address string) *Mailbox {
	if p := s.person(address); p != nil {
		return p.box
	}
	return nil
}

func (s *Server) app(id string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apps[strings.ToLower(id)]
}

func (s *Server) now() time.Time { return s.o.Now() }

// Provider returns a provider that asks this server, for the public application, with all
// roles that Graph serves.
func (s *Server) Provider(store auth.Store) *auth.Microsoft {
	return &auth.Microsoft{ClientID: s.ClientID, Tenant: s.Tenant, Authority: s.URL, GraphURL: s.URL, CAFile: s.CAFile,
		Roles: []auth.Role{auth.RoleSend, auth.RoleSendLarge, auth.RoleCollect, auth.RoleShared}, Tokens: store}
}

// SignIn associates account as a person would: it begins a device flow, consents as the user
// of that address, and waits until it is approved.
func (s *Server) SignIn(ctx context.Context, account auth.Account, user string) error {
	flow, err := account.Begin(ctx, &auth.BeginOptions{Method: auth.MethodDevice})
	if err != nil {
		return err
	}
	if err := s.Approve(flow.Progress().UserCode.Reveal(), Consent{User: user}); err != nil {
		return errors.Join(err, flow.Cancel(ctx))
	}
	_, err = flow.Wait(ctx, nil)
	return err
}

// Calls returns what was asked so far, in the order of arrival; ResetCalls forgets it.
func (s *Server) Calls() []Call { return s.log.list() }
func (s *Server) ResetCalls()   { s.log.reset() }

// Count is how many calls of that Op there were.
func (s *Server) Count(op string) int { return s.log.count(op) }

// Peak is the highest number of requests at once on one mailbox so far; Over counts those
// that came above the budget or before Retry-After had passed.
func (s *Server) Peak() int { return s.budget.figures().peak }
func (s *Server) Over() int { return s.budget.figures().over }
