package graph

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
)

// Budget is how many requests Graph takes at once for one application and mailbox
// (MailboxConcurrency, learn.microsoft.com/graph/throttling-limits).
const Budget = 4

// ImmutableID is the Prefer header that gives ids which survive moves within the mailbox
// (learn.microsoft.com/graph/outlook-immutable-id).
const ImmutableID = `IdType="ImmutableId"`

// Client asks for one mailbox on behalf of an account. It is safe for concurrent use and
// needs no closing. All clients on one mailbox in the process share one [Budget].
type Client struct {
	account account
	mailbox string // "" is the account's own
	o       Options

	mu      sync.Mutex
	place   *place // where Graph is; nil before the first request
	gate    *gate  // nil until it is known which mailbox this is
	folders map[string]Folder
}

// Options are the options of [New]; nil is sensible.
type Options struct {
	Timeout time.Duration // of connecting, of each silence while a request goes out, of the headers of an answer, and of each silence in a body; 0 is 60 s
	MaxWait time.Duration // what is waited for in all within one request, its place in the budget aside; beyond it the Fault tells RetryAfter; 0 is 60 s
	Logger  *slog.Logger  // told of repeats and waits; nil discards

	Sleep func(ctx context.Context, d time.Duration) error // replaces waiting in tests
	Now   func() time.Time
}

// Request is one call.
type Request struct {
	Op     string // names it in errors: "send mail"
	Method string // "" is GET

	// Path lies below the mailbox ("/messages/…"), or below v1.0 if Absolute. It is escaped
	// already: see [Seg].
	Path     string
	Absolute bool
	Query    url.Values
	Link     string // a nextLink or deltaLink, in place of Path and Query; another origin or path is refused

	Prefer []string // joined; ImmutableID is added to every request
	Header http.Header

	JSON        any                           // the body; or
	Body        func() (io.ReadCloser, error) // opened anew for each try
	ContentType string                        // of Body
	Size        int64                         // of Body

	// Once says that the call must not be done twice: once all of it may have gone out, a
	// broken line, a timeout, the end of ctx or an ambiguous answer (500, 502, 503 without
	// Retry-After, 504, 509) is not repeated but gives a Fault of kind Unknown. A connection
	// that could not be made, a body that did not go out to its end, 429 and 503 with
	// Retry-After were surely not done and are repeated.
	Once bool

	// Accept lists statuses beside 2xx that are no fault: 404, say.
	Accept []int
}

// New returns a client. mailbox is an address or id, "" that of the account. It does no I/O.
func New(a auth.Account, mailbox string, o *Options) (*Client, error) {
	return newClient(bound{a}, mailbox, o), nil
}

func newClient(a account, mailbox string, o *Options) *Client {
	c := &Client{account: a, mailbox: mailbox}
	if o != nil {
		c.o = *o
	}
	if c.o.Timeout <= 0 {
		c.o.Timeout = time.Minute
	}
	if c.o.MaxWait <= 0 {
		c.o.MaxWait = time.Minute
	}
	if c.o.Logger == nil {
		c.o.Logger = slog.New(slog.DiscardHandler)
	}
	if c.o.Sleep == nil {
		c.o.Sleep = sleep
	}
	if c.o.Now == nil {
		c.o.Now = time.Now
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do sends r and returns its success (or what Accept lists). The caller closes the body,
// which keeps its place in the budget until then; a body that breaks or falls silent gives
// a Fault of kind Transient from Read. Errors: *Fault, a *vaguemestre.Error of the account
// or its settings, or one of class canceled (never of a request that may have been done:
// see Once).
func (c *Client) Do(ctx context.Context, r *Request) (*http.Response, error) {
	return c.run(ctx, r, false, nil)
}

// Upload sends to an address that Graph handed out (uploadUrl, in r.Link): https, on a host
// of Microsoft's or the configured one (on loopback, any of loopback), without a token and
// outside of the budget. It repeats as Do does; the address stands in no error.
func (c *Client) Upload(ctx context.Context, r *Request) (*http.Response, error) {
	return c.run(ctx, r, true, nil)
}
