package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// attempt is what is stored of a flow under flowName, as JSON. While it waits it holds
// secrets; once it has ended, only how.
type attempt struct {
	Version     int           `json:"version"`
	ID          string        `json:"id"` // a later flow of the account has another
	Application string        `json:"application"`
	Method      Method        `json:"method"`
	Expires     time.Time     `json:"expires"`
	Interval    time.Duration `json:"interval,omitempty"`
	URL         string        `json:"url,omitempty"`
	Asked       []string      `json:"asked,omitempty"`
	Expect      string        `json:"expect,omitempty"` // BeginOptions.User

	DeviceCode string `json:"device_code,omitempty"`
	UserCode   string `json:"user_code,omitempty"`

	Verifier string `json:"verifier,omitempty"` // RFC 7636
	State    string `json:"state,omitempty"`    // RFC 6749 section 10.12; empty once it was accepted
	Redirect string `json:"redirect,omitempty"`
	Listen   bool   `json:"listen,omitempty"` // Redirect is a port of this machine

	Outcome *outcome `json:"outcome,omitempty"`
}

// outcome is how a flow has ended.
type outcome struct {
	State   State             `json:"state"`
	Class   vaguemestre.Class `json:"class,omitempty"`
	Code    string            `json:"code,omitempty"`
	Help    settings.Text     `json:"help,omitzero"`
	User    string            `json:"user,omitempty"`
	Granted []string          `json:"granted,omitempty"`
	Missing []string          `json:"missing,omitempty"`

	err error // known only where it happened
}

const attemptVersion = 1

func flowName(account string) string { return "flow/" + account }

// run is what a [Flow] points to.
type run struct {
	c       *client
	account string
	id      string        // of the attempt
	turn    chan struct{} // holds one token: who has it waits

	mu      sync.Mutex
	at      attempt
	p       Progress
	changes int                // of p so far
	stop    context.CancelFunc // of the Wait that goes on
}

func newRun(c *client, account string, at attempt) *run {
	r := &run{c: c, account: account, id: at.ID, at: at, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	r.p = Progress{
		Account: account, Method: at.Method, State: StateWaiting, URL: at.URL,
		UserCode: settings.Secret(at.UserCode), Expires: at.Expires, Interval: at.Interval,
	}
	return r
}

// progress returns a snapshot.
func (r *run) progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.p
	p.Granted, p.Missing = slices.Clone(p.Granted), slices.Clone(p.Missing)
	return p
}

// known returns what is known of the attempt.
func (r *run) known() attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// change changes the progress, unless the flow has ended.
func (r *run) change(f func(p *Progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.p.State.Final() {
		f(&r.p)
		r.changes++
	}
}

// fault tells trouble of the line; nil says that it is over.
func (r *run) fault(help settings.Text, err error) {
	r.mu.Lock()
	same := err == nil && r.p.Fault == nil
	r.mu.Unlock()
	if !same {
		r.change(func(p *Progress) { p.Fault, p.Help = err, help })
	}
}

// end gives the flow its outcome in this process. Only the first counts.
func (r *run) end(o outcome) {
	r.change(func(p *Progress) {
		p.State, p.Code, p.Help, p.Fault = o.State, o.Code, o.Help, nil
		p.User, p.Granted, p.Missing = o.User, o.Granted, o.Missing
		p.UserCode = ""
		if o.State == StateApproved {
			return
		}
		if p.Err = o.err; p.Err == nil {
			p.Err = &vaguemestre.Error{Op: "auth: sign-in", Class: o.Class, Code: o.Code, Err: &advice{text: o.Help}}
		}
	})
	r.mu.Lock()
	if r.stop != nil {
		r.stop()
	}
	r.mu.Unlock()
}

// result is what Wait and Finish return once the flow has ended.
func (r *run) result() (Progress, error) {
	p := r.progress()
	return p, p.Err
}

// settle ends the flow and stores how. The store is asked on behalf of what has happened
// already, so that a context which ends now does not count.
func (r *run) settle(ctx context.Context, o outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := r.update(ctx, func(at *attempt) bool {
		if at.Outcome != nil && o.State != StateApproved {
			return false // it has ended otherwise meanwhile
		}
		*at = at.final(o)
		return true
	})
	// Without a store the code is worth nothing any more all the same: whoever resumes it is
	// told so by the provider.
	_ = err
	r.end(o)
}

// cancel stores that nobody waits any more, then ends the flow here.
func (r *run) cancel(ctx context.Context, o outcome) error {
	err := r.update(ctx, func(at *attempt) bool {
		if at.Outcome != nil {
			o = *at.Outcome
			return false
		}
		*at = at.final(o)
		return true
	})
	if err != nil && !errors.Is(err, errReplaced) {
		return err
	}
	r.end(o)
	return nil
}

// final is an attempt that has ended: without its secrets.
func (at *attempt) final(o outcome) attempt {
	return attempt{Version: at.Version, ID: at.ID, Application: at.Application, Method: at.Method, Expires: at.Expires, Outcome: &o}
}

// errReplaced is why a flow cannot go on: its record is of another one, or gone.
var errReplaced = errors.New("the flow was replaced by a newer one or forgotten")

// update changes the stored attempt, if it is still this one.
func (r *run) update(ctx context.Context, change func(at *attempt) bool) error {
	for {
		at, rev, err := r.c.loadAttempt(ctx, r.account)
		switch {
		case err != nil:
			return err
		case at == nil || at.ID != r.id:
			return errReplaced
		}
		if !change(at) {
			return nil
		}
		err = r.c.saveAttempt(ctx, r.account, at, rev)
		if err == nil || !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// sync looks whether the flow has ended elsewhere. An error is a fault of the store.
func (r *run) sync(ctx context.Context) error {
	at, _, err := r.c.loadAttempt(ctx, r.account)
	switch {
	case err != nil:
		return err
	case at == nil || at.ID != r.id:
		r.end(outcome{State: StateCanceled, Class: vaguemestre.ClassCanceled, Help: helpReplaced, err: &vaguemestre.Error{
			Op: "auth: sign-in", Class: vaguemestre.ClassCanceled, Err: &advice{helpReplaced, nil}}})
	case at.Outcome != nil:
		r.end(*at.Outcome)
	default:
		r.mu.Lock()
		at.Interval = max(at.Interval, r.at.Interval)
		r.at = *at
		r.mu.Unlock()
		// Whoever stored the tokens of this flow may have died before it could say so.
		if rec, _, err := r.c.load(ctx, r.c.store, r.account); err == nil && rec != nil && rec.ID == r.id && !rec.Reauth {
			r.approved(ctx, rec)
		}
	}
	return nil
}

// answerGrace is how long an answer that may bring tokens is waited for once the caller has
// left: it cannot be had twice.
const answerGrace = 600 * time.Millisecond

// outlast is ctx and a moment more, unless the flow itself has ended.
func (r *run) outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if r.ended() {
			cancel()
			return
		}
		time.AfterFunc(answerGrace, cancel)
	})
	return long, func() { stop(); cancel() }
}

// ended reports whether the flow has ended in this process's eyes.
func (r *run) ended() bool { return r.progress().State.Final() }

// expire ends the flow if its time is over by our own clock.
func (r *run) expire(ctx context.Context) bool {
	at := r.known()
	if r.c.now().Before(at.Expires) {
		return false
	}
	r.settle(ctx, outcome{State: StateExpired, Class: vaguemestre.ClassAuth, Code: "expired_token", Help: helpExpired})
	return true
}

// refuse ends the flow by what the provider said.
func (r *run) refuse(ctx context.Context, v verdict, err error) {
	r.settle(ctx, outcome{State: v.state, Class: vaguemestre.ClassOf(err), Code: v.code, Help: v.help, err: err})
}

// approve takes the tokens that somebody signed in for.
func (r *run) approve(ctx context.Context, a *answer) {
	const op = "auth: sign-in"
	at := r.known()
	fail := func(class vaguemestre.Class, help settings.Text, cause error) {
		r.settle(ctx, outcome{State: StateFailed, Class: class, Help: help,
			err: &vaguemestre.Error{Op: op, Class: class, Err: &advice{help, cause}}})
	}
	who := claimsOf(a.IDToken)
	if at.Expect != "" && !who.is(at.Expect) {
		fail(vaguemestre.ClassAuth, helpOther, fmt.Errorf("expected %q, got %q", cut(at.Expect), who.user()))
		return
	}
	if a.RefreshToken == "" {
		fail(config, helpNoRefresh, nil)
		return
	}
	// The answer is here and cannot be had twice: from now on the context of the caller does
	// not count, but time does.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.c.timeout)
	defer cancel()
	if err := r.sync(keep); err == nil && r.ended() {
		return // canceled or replaced while the provider answered
	}
	rec, err := r.c.adopt(keep, r.account, r.id, a, at.Asked)
	if err != nil {
		class := vaguemestre.ClassOf(err)
		if class == "" {
			class = vaguemestre.ClassDeferred
		}
		fail(class, helpNotStored, err)
		return
	}
	if r.c.live.of(r.account).degraded.Load() {
		// The grant is kept in memory, and storing it is tried again: but who restarts now loses it.
		fail(vaguemestre.ClassDeferred, helpNotStored, nil)
		return
	}
	r.approved(ctx, rec)
}

// approved ends the flow whose tokens are stored.
func (r *run) approved(ctx context.Context, rec *record) {
	asked, brief := r.known().Asked, r.c.asker().brief
	missing := r.c.dialect.missing(asked, strings.Join(rec.Granted, " "))
	missing = append(missing, r.elsewhere(ctx, asked)...)
	o := outcome{State: StateApproved, User: rec.User, Granted: brief(rec.Granted), Missing: brief(missing)}
	if len(missing) > 0 {
		o.Help = helpMissing
	}
	r.settle(ctx, o)
}

// elsewhere tells which scopes of other audiences were not consented to. A provider that
// cannot be reached now proves nothing.
func (r *run) elsewhere(ctx context.Context, asked []string) []string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var missing []string
	seen := [][]string{asked}
	for _, aud := range r.c.dialect.others() {
		list, ok := r.c.dialect.scopes(aud)
		if !ok || slices.ContainsFunc(seen, func(s []string) bool { return slices.Equal(s, list) }) {
			continue
		}
		seen = append(seen, list)
		if _, err := r.c.token(ctx, r.account, aud, ""); vaguemestre.ClassOf(err) == vaguemestre.ClassAuth {
			missing = append(missing, slices.DeleteFunc(list, silentScope)...)
		}
	}
	return missing
}

// loadAttempt reads the stored attempt; nil if there is none. The revision is told with an
// error too where the store knows it.
func (c *client) loadAttempt(ctx context.Context, account string) (*attempt, int64, error) {
	value, rev, err := c.store.Load(ctx, flowName(account))
	if err != nil {
		return nil, rev, storeError("auth: load sign-in", account, err)
	}
	if value == nil {
		return nil, 0, nil
	}
	at := new(attempt)
	if json.Unmarshal(value, at) != nil || at.Version != attemptVersion {
		return nil, rev, nil // of another version of this program: as good as none
	}
	return at, rev, nil
}

func (c *client) saveAttempt(ctx context.Context, account string, at *attempt, rev int64) error {
	value, err := json.Marshal(at)
	if err != nil {
		return err
	}
	if _, err := c.store.Save(ctx, flowName(account), value, rev); err != nil {
		return storeError("auth: save sign-in", account, err)
	}
	return nil
}

// waiting reports whether a flow of the account waits that this application can go on with.
func (c *client) waiting(ctx context.Context, account string) (*attempt, error) {
	if c.store == nil {
		return nil, nil
	}
	at, _, err := c.loadAttempt(ctx, account)
	if err != nil || at == nil || at.Outcome != nil || at.Application != c.application() || !c.now().Before(at.Expires) {
		return nil, err
	}
	return at, nil
}
