package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/vaguemestre/vaguemestre"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Method is how somebody signs in.
type Method string

const (
	MethodDevice Method = "device" // a code, typed at the provider's page on any device (RFC 8628)
	MethodCode   Method = "code"   // the browser comes back to a redirect address (RFC 6749 section 4.1, with PKCE)
)

// BeginOptions are the options of [Account.Begin].
type BeginOptions struct {
	Method Method // "" is device where the provider has it, else code

	// Redirect is where the browser comes back with MethodCode. "" listens on a port of
	// loopback while Wait runs: http://localhost with Microsoft, http://127.0.0.1 elsewhere,
	// which the application must be registered for (as a desktop application), and which
	// suits a browser on the same machine. A host that gives its own address (https, and
	// registered with the provider) hands what came there to [Flow.Finish].
	Redirect string

	Language string // of the provider's pages, such as "fr-FR"; "" leaves it to the provider

	// User is who should sign in, as an address. It is suggested to the provider where that
	// can be; if somebody else signs in, or the provider does not tell who, the flow fails. It
	// guards against a mistake, not against who rules the provider. "" takes anybody.
	User string
}

// State is where a [Flow] stands.
type State string

const (
	StateCreated  State = "created"  // of a Flow that Begin has not returned: the provider was not asked yet
	StateWaiting  State = "waiting"  // somebody has to sign in
	StateApproved State = "approved" // the account can be used; Missing tells what it still cannot do
	StateDeclined State = "declined" // who signed in said no
	StateExpired  State = "expired"  // nobody signed in in time
	StateBlocked  State = "blocked"  // the organisation's policy forbids this (Conditional Access)
	StateFailed   State = "failed"   //
	StateCanceled State = "canceled" // by Cancel
)

// Final reports whether a flow in that state has ended.
func (s State) Final() bool { return s != "" && s != StateCreated && s != StateWaiting }

// Progress is a snapshot of a [Flow], for a page or a terminal. As JSON and in logs the code
// is masked; show UserCode.Reveal() to who began the flow and to nobody else.
type Progress struct {
	Account  string          `json:"account"`
	Method   Method          `json:"method"`
	State    State           `json:"state"`
	URL      string          `json:"url,omitempty"`       // the page to open: what the provider returned, never a constant
	UserCode settings.Secret `json:"user_code,omitempty"` // to be typed there; device only
	Expires  time.Time       `json:"expires,omitzero"`    // of the code
	Interval time.Duration   `json:"-"`                   // between two questions to the provider

	User    string   `json:"user,omitempty"`    // who signed in
	Granted []string `json:"granted,omitempty"` // scopes, once approved; those of Microsoft without their resource
	Missing []string `json:"missing,omitempty"` // asked for and not granted

	// Help says what to do next and who can do it: of a final state other than approved, of
	// missing scopes, and of trouble while waiting.
	Help  settings.Text `json:"help,omitzero"`
	Code  string        `json:"code,omitempty"` // the provider's code: "AADSTS53003", "expired_token"
	Err   error         `json:"-"`              // of declined, expired, blocked, failed; a *vaguemestre.Error
	Fault error         `json:"-"`              // the last fault of the line while waiting; it goes on
}

// ErrNoFlow means that no flow of the account waits: none was begun, or it has ended.
var ErrNoFlow = errors.New("no sign-in waits for the account: begin one")

// Flow is one attempt to associate an account: somebody signs in at the provider. It is
// begun by [Account.Begin], lives in the store of the provider's accounts, and so survives
// the process: [Account.Resume] gives it back.
//
//	flow, err := account.Begin(ctx, nil)
//	p := flow.Progress()                   // show p.URL and p.UserCode.Reveal()
//	p, err = flow.Wait(ctx, show)          // show is called at each change
//
// A Flow is safe for concurrent use and needs no closing. Its secrets are in no print,
// JSON or log of it. The zero value was not begun and only tells so.
type Flow struct{ r *run }

// String names the account and the state.
func (f Flow) String() string {
	p := (&f).Progress()
	return fmt.Sprintf("sign-in of account %q: %s", cut(p.Account), p.State)
}

// Format writes String, whatever the verb.
func (f Flow) Format(s fmt.State, _ rune) { io.WriteString(s, f.String()) }

// LogValue returns String.
func (f Flow) LogValue() slog.Value { return slog.StringValue(f.String()) }

// Begin begins a flow in the place of any that waits for the account, whose Wait ends with
// state canceled. With a device code the provider is asked, and the code's time begins; ctx
// bounds that alone. What the account may do already stays so until the flow is approved,
// and in other processes until the access tokens that they hold end: within the hour at
// Microsoft, also if somebody else has signed in.
//
// o may be nil. Errors: class config (settings, an account of grant application, a method
// that the provider does not have, a verification page that is not https); class auth when
// the provider refuses; class deferred when the provider or the store cannot be reached;
// canceled. [Explain] tells what to do. There is no Flow with an error.
func (a Account) Begin(ctx context.Context, o *BeginOptions) (*Flow, error) {
	const op = "auth: begin"
	c, err := a.client("begin")
	if err != nil {
		return nil, err
	}
	if c.grant == Application {
		return nil, misconfigured(op, "account %q acts for the application itself: nobody has to sign in", cut(a.name))
	}
	if c.source != nil {
		return nil, misconfigured(op, "account %q has its tokens from elsewhere: sign in there", cut(a.name))
	}
	if o == nil {
		o = &BeginOptions{}
	}
	if len(o.Language) > 100 || len(o.User) > 500 {
		return nil, misconfigured(op, "language or user is longer than such a thing is")
	}
	// The store is asked first: a code that cannot be kept is not asked for.
	if _, rev, err := c.store.Load(ctx, flowName(a.name)); err != nil && rev == 0 {
		if ctx.Err() != nil {
			return nil, ended(op, ctx)
		}
		return nil, storeError(op, a.name, err)
	}
	ep, err := c.dialect.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	at := attempt{Version: attemptVersion, ID: rand.Text(), Application: c.application(), Method: o.Method, Expect: o.User}
	at.Asked, _ = c.dialect.scopes(c.dialect.primary())
	none := c.asker().noDevice(ep)
	if at.Method == "" {
		if at.Method = MethodDevice; none != "" {
			at.Method = MethodCode
		}
	}
	switch {
	case at.Method == MethodDevice && none != "":
		err = misconfigured(op, "%s", none)
	case at.Method == MethodDevice:
		err = c.beginDevice(ctx, ep, &at, o)
	case at.Method == MethodCode && ep.AuthURL == "":
		err = misconfigured(op, "the provider has no authorization address: set auth_url, or begin with method device")
	case at.Method == MethodCode:
		err = c.beginCode(ep, &at, o)
	default:
		err = misconfigured(op, "there is no method %q: use device or code", cut(string(at.Method)))
	}
	if err != nil {
		return nil, err
	}
	for {
		_, rev, err := c.store.Load(ctx, flowName(a.name))
		if err == nil || rev != 0 { // what cannot be opened any more is replaced
			err = c.saveAttempt(ctx, a.name, &at, rev)
		}
		switch {
		case err == nil:
			return &Flow{newRun(c, a.name, at)}, nil
		case ctx.Err() != nil:
			return nil, ended(op, ctx)
		case !errors.Is(err, ErrConflict):
			return nil, storeError(op, a.name, err)
		}
	}
}

// Resume returns the flow that waits for the account, begun by this process or another one.
// If there is none the error is of class config and matches [ErrNoFlow]: also if it has
// ended, or was begun with other settings of the provider.
func (a Account) Resume(ctx context.Context) (*Flow, error) {
	const op = "auth: resume"
	c, err := a.client("resume")
	if err != nil {
		return nil, err
	}
	at, err := c.waiting(ctx, a.name)
	switch {
	case ctx.Err() != nil:
		return nil, ended(op, ctx)
	case err != nil:
		return nil, err
	case at == nil:
		return nil, misconfigured(op, "account %q: %w", cut(a.name), ErrNoFlow)
	}
	return &Flow{newRun(c, a.name, *at)}, nil
}

// Progress returns where the flow stands as far as this process knows. It does no I/O: what
// another process does is seen by Wait.
func (f *Flow) Progress() Progress {
	if f == nil || f.r == nil {
		return Progress{State: StateCreated}
	}
	return f.r.progress()
}

// Wait goes on until the flow has ended, and returns nil exactly if it is approved;
// otherwise Progress.Err, which says what to do. changed may be nil; it is called from this
// goroutine, first with how the flow stands (with MethodCode once the browser can come back),
// then at each change.
//
// With a device code it asks the provider at its pace: never before the interval has passed,
// less often after slow_down, and on through faults of the line, which Progress.Fault tells,
// until the code expires. Of all goroutines and processes that wait for one account one asks;
// the others learn what came of it. With MethodCode it listens on loopback, or looks whether
// [Flow.Finish] was called somewhere.
//
// When ctx ends the error is of class canceled and the flow still waits: call Wait again, or
// Resume after a restart. An answer of the provider that is on its way then is waited for a
// little less than a second, since it cannot be had twice.
func (f *Flow) Wait(ctx context.Context, changed func(Progress)) (Progress, error) {
	const op = "auth: wait"
	if f == nil || f.r == nil {
		return f.Progress(), misconfigured(op, "the flow was not begun: use Account.Begin")
	}
	r := f.r
	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
	case <-ctx.Done():
		return r.progress(), ended(op, ctx)
	}
	wctx, stop := context.WithCancel(ctx)
	defer stop()
	r.mu.Lock()
	r.stop = stop
	r.mu.Unlock()
	told := -1
	tell := func() {
		r.mu.Lock()
		news := r.changes != told
		told = r.changes
		r.mu.Unlock()
		if news && changed != nil {
			changed(r.progress())
		}
	}
	var err error
	switch {
	case r.ended():
	case r.known().Method == MethodDevice:
		err = r.waitDevice(wctx, tell)
	default:
		err = r.waitCode(wctx, tell)
	}
	tell()
	if r.ended() {
		return r.result()
	}
	if ctx.Err() != nil {
		err = ended(op, ctx)
	}
	return r.progress(), err
}

// Finish takes what came to a host's own redirect address: the query of that request. The
// flow may have been begun by another process. It returns nil exactly if the flow is now
// approved. An answer that does not carry the state of this flow, or came before, is an
// error of class auth and leaves the flow as it is.
//
// It also serves where the browser cannot reach the port of loopback: the query of the
// address that the browser shows then may be pasted by hand.
func (f *Flow) Finish(ctx context.Context, query url.Values) (Progress, error) {
	if f == nil || f.r == nil {
		return f.Progress(), misconfigured("auth: finish sign-in", "the flow was not begun: use Account.Resume")
	}
	return f.r.finish(ctx, query)
}

// Cancel ends the flow, in all processes, and lets Wait return. A flow that has ended stays
// as it is. The code at the provider simply expires.
func (f *Flow) Cancel(ctx context.Context) error {
	const op = "auth: cancel"
	if f == nil || f.r == nil {
		return misconfigured(op, "the flow was not begun: use Account.Resume")
	}
	o := outcome{State: StateCanceled, Class: vaguemestre.ClassCanceled, Help: helpCanceled}
	err := f.r.cancel(ctx, o)
	if ctx.Err() != nil && err != nil {
		return ended(op, ctx)
	}
	return err
}
