package graph

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
)

// Budget is how many requests Graph takes at once for one application and mailbox
// (MailboxConcurrency, learn.microsoft.com/graph/throttling-limits).
const Budget = 4

// ImmutableID is the Prefer header that gives ids which survive moves within the mailbox.
const ImmutableID = `IdType="ImmutableId"`

// Client asks for one mailbox on behalf of an account. It is safe for concurrent use and
// needs no closing. All clients on one mailbox in the process share one [Budget].
type Client struct {
	account auth.Account
	mailbox string // "" is the account's own
	o       Options
	// … root *url.URL, http *http.Client, gate, found by the first request
}

// Options are the options of [New]; nil is sensible.
type Options struct {
	Timeout time.Duration // of connecting, of the headers of an answer, and of each silence in a body; 0 is 60 s
	MaxWait time.Duration // what is waited for in all within one request; beyond it the Fault tells RetryAfter; 0 is 60 s
	Logger  *slog.Logger  // nil discards

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

	// Once says that the call must not be done twice: once it has begun to go out, a broken line,
	// a timeout or an ambiguous answer (500, 502, 503 without having been throttled, 504, 509)
	// is not repeated but gives a Fault of kind Unknown. 429 and 503 with Retry-After were
	// surely not done and are repeated.
	Once bool

	// Accept lists statuses beside 2xx that are no fault: 404, say.
	Accept []int
}

// Kind is what a [Fault] is.
type Kind string

const (
	Invalid   Kind = "invalid"   // 400, 405, 406, 411, 415, 422: this request is wrong
	Denied    Kind = "denied"    // 401 after renewing the token, 403
	Missing   Kind = "missing"   // 404
	Conflict  Kind = "conflict"  // 409, 412, 423
	Gone      Kind = "gone"      // 410
	TooLarge  Kind = "too_large" // 413, ErrorMessageSizeExceeded and its kin
	Throttled Kind = "throttled" // 429, and it would take longer than MaxWait
	Full      Kind = "full"      // 507 and its kin: the mailbox
	Transient Kind = "transient" // 5xx, a broken line, a timeout: surely not done, or harmless to repeat
	Unknown   Kind = "unknown"   // of Once: nobody knows whether it was done
	Garbage   Kind = "garbage"   // a success whose body makes no sense
)

// Fault is an answer that is no success, or none at all. Its text names what Graph said,
// quoted and cut, with the request-id, and holds no secret.
type Fault struct {
	Op         string
	Kind       Kind
	Status     int    // 0: no answer
	Code       string // Graph's: "ErrorItemNotFound"; the most specific of the nested ones that is known
	Message    string // Graph's words
	RequestID  string
	RetryAfter time.Duration
	Err        error // of the line, or of the token: a *vaguemestre.Error then, see Auth
}

// ErrLink is why a link that Graph gave was not followed: it leads to another origin.
var ErrLink = errors.New("the link leads away from the configured Graph host: refused, since the token would go along")

// New returns a client. mailbox is an address or id, "" that of the account. It does no I/O.
func New(a auth.Account, mailbox string, o *Options) (*Client, error) { return nil, errTodo }

// Do sends r and returns its success (or what Accept lists). The caller closes the body,
// which keeps its place in the budget until then. Errors: *Fault, a *vaguemestre.Error of
// the account, or one of class canceled.
func (c *Client) Do(ctx context.Context, r *Request) (*http.Response, error) { return nil, errTodo }

// JSON is Do for an answer that is read whole, bounded, into out; nil discards it.
func (c *Client) JSON(ctx context.Context, r *Request, out any) error { return errTodo }

// Upload sends to an address that Graph handed out (uploadUrl): https, on a host of
// Microsoft's or the configured one, without a token and outside of the budget.
func (c *Client) Upload(ctx context.Context, r *Request) (*http.Response, error) { return nil, errTodo }

// Seg escapes one segment of a path: an id, an address.
func Seg(s string) string { return url.PathEscape(s) }

// Folder is a mail folder.
type Folder struct {
	ID       string `json:"id"`
	Name     string `json:"displayName"`
	Parent   string `json:"parentFolderId"`
	Children int    `json:"childFolderCount"`
	Total    int    `json:"totalItemCount"`
}

// Folder finds a folder by path: names as people see them, joined by "/", in any language and
// case; the first may be a well-known name ("inbox") or the name of a child of the root. A
// missing one is a Fault of kind Missing that names the part that is missing.
func (c *Client) Folder(ctx context.Context, path string) (Folder, error) { return Folder{}, errTodo }

// MakeFolder is Folder, making what is missing.
func (c *Client) MakeFolder(ctx context.Context, path string) (Folder, error) {
	return Folder{}, errTodo
}

var errTodo = errors.New("not written yet")
