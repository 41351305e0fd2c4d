package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
)

const (
	codeLife  = 30 * time.Minute // of a flow through the browser; registering a second factor takes its time
	codeTries = 3                // of redeeming a code while the line is broken
	lookEvery = time.Second      // at what another process has done
)

// beginCode makes the address that the browser opens: RFC 6749 section 4.1.1 with RFC 7636.
func (c *client) beginCode(ep oauth2.Endpoint, at *attempt, o *BeginOptions) error {
	const op = "auth: begin sign-in through the browser"
	if at.Redirect = o.Redirect; at.Redirect != "" {
		if _, err := parseURL(at.Redirect); err != nil {
			return misconfigured(op, "redirect %q: %w", cut(at.Redirect), err)
		}
	}
	u, err := parseURL(ep.AuthURL)
	if err != nil {
		return misconfigured(op, "auth_url: %w", err)
	}
	if at.Redirect == "" {
		port, err := freePort()
		if err != nil {
			return misconfigured(op, "no port of this machine can be listened on: give a redirect address of your own: %w", err)
		}
		at.Listen = true
		at.Redirect = "http://" + c.asker().host() + ":" + strconv.Itoa(port)
	}
	at.State, at.Verifier = secretText(), secretText()
	challenge := sha256.Sum256([]byte(at.Verifier))
	q := u.Query()
	q.Set("response_type", "code")
	q.Set("client_id", c.id)
	q.Set("redirect_uri", at.Redirect)
	q.Set("state", at.State)
	q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(challenge[:]))
	q.Set("code_challenge_method", "S256")
	if len(at.Asked) > 0 {
		q.Set("scope", strings.Join(at.Asked, " "))
	}
	if o.User != "" {
		q.Set("login_hint", o.User) // OpenID Connect Core 1.0 section 3.1.2.1
	}
	c.asker().askCode(q, o)
	u.RawQuery = q.Encode()
	at.URL = u.String()
	at.Expires = c.now().Add(codeLife)
	return nil
}

// secretText is 256 random bits: RFC 7636 section 7.1.
func secretText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// waitCode waits until the browser came back, here if the flow listens on a port of this
// machine, or anywhere by Finish.
func (r *run) waitCode(ctx context.Context, tell func()) error {
	const op = "auth: wait for sign-in"
	if err := r.sync(ctx); err != nil {
		return err
	}
	if r.ended() || r.expire(ctx) {
		return nil
	}
	wake, stop := context.WithCancel(ctx)
	defer stop()
	var l *landing
	if at := r.known(); at.Listen {
		var err error
		if l, err = listen(at, stop); err != nil {
			r.settle(ctx, outcome{State: StateFailed, Class: vaguemestre.ClassBusy, Help: helpPort,
				err: &vaguemestre.Error{Op: op, Class: vaguemestre.ClassBusy, Err: &advice{helpPort, err}}})
			return nil
		}
		defer l.close()
	}
	var q url.Values // came and could not be finished yet
	for !r.ended() && !r.expire(ctx) {
		tell()
		_ = r.c.sleep(wake, min(lookEvery, r.known().Expires.Sub(r.c.now())))
		if ctx.Err() != nil {
			return ended(op, ctx)
		}
		if q == nil {
			q = l.came()
		}
		if q == nil {
			if err := r.sync(ctx); err != nil && ctx.Err() == nil {
				r.fault(helpStore, err)
			} else if err == nil {
				r.fault(noHelp, nil)
			}
			continue
		}
		wake = ctx // what woke us is here: from now on only ctx does
		_, err := r.finish(ctx, q)
		switch {
		case r.ended():
			l.show(r.progress().State == StateApproved)
		case ctx.Err() != nil:
			return ended(op, ctx)
		case vaguemestre.ClassOf(err) == vaguemestre.ClassAuth: // Finish had another answer first
			l.show(false)
			q = nil
		default:
			r.fault(helpStore, err)
		}
	}
	return nil
}

// finish takes what came to the redirect address. Whatever does not carry the state of this
// flow leaves it waiting.
func (r *run) finish(ctx context.Context, q url.Values) (Progress, error) {
	const op = "auth: finish sign-in"
	if err := r.sync(ctx); err != nil {
		return r.progress(), err
	}
	if r.ended() || r.expire(ctx) {
		p, err := r.result()
		if err == nil { // approved before: this answer came twice
			err = misfit(op)
		}
		return p, err
	}
	at := r.known()
	if at.Method != MethodCode {
		return r.progress(), misconfigured(op, "this flow has no redirect address: it goes by a code that is typed at the provider's page")
	}
	state, code, refusal := one(q, "state"), one(q, "code"), one(q, "error")
	if at.State == "" || subtle.ConstantTimeCompare([]byte(state), []byte(at.State)) != 1 || (code == "") == (refusal == "") {
		return r.progress(), misfit(op)
	}
	// The state is accepted once, in all processes.
	first := false
	err := r.update(ctx, func(at *attempt) bool {
		first = at.State == state && at.Outcome == nil
		at.State = ""
		return first
	})
	switch {
	case err != nil && !errors.Is(err, errReplaced):
		return r.progress(), err
	case err != nil || !first:
		return r.progress(), misfit(op)
	}
	if refusal != "" {
		a := &answerError{Status: 400, Word: word(refusal), Description: cut(one(q, "error_description")), Codes: codesIn(one(q, "error_description"))}
		v, err := r.c.refused(ctx, op, a)
		if v.state == StateWaiting || v.fault { // there is nothing to wait for: the browser has left
			v.state = StateFailed
		}
		if v.help == noHelp {
			v.help = helpUnknown
		}
		r.refuse(ctx, v, err)
		return r.result()
	}
	long, cancel := r.outlast(ctx) // a browser that leaves its page early ends ctx
	defer cancel()
	a, v, err := r.redeemCode(long, at, code)
	if err != nil {
		if v.state == StateWaiting {
			v.state = StateFailed
		}
		if v.help == noHelp {
			v.help = helpCutOff
		}
		r.refuse(ctx, v, err)
		return r.result()
	}
	r.approve(ctx, a)
	return r.result()
}

// redeemCode exchanges a code for tokens: RFC 6749 section 4.1.3. While the line is broken it
// tries again, since most faults happen before the provider has seen the code.
func (r *run) redeemCode(ctx context.Context, at attempt, code string) (*answer, verdict, error) {
	const op = "auth: finish sign-in"
	for n := 1; ; n++ {
		ep, err := r.c.dialect.endpoints(ctx)
		if err == nil {
			form := url.Values{"grant_type": {"authorization_code"}, "client_id": {r.c.id}, "code": {code},
				"redirect_uri": {at.Redirect}, "code_verifier": {at.Verifier}}
			if err = r.c.dialect.authenticate(form, ep.TokenURL); err == nil {
				var a *answer
				if a, err = r.c.redeem(ctx, ep.TokenURL, form); err == nil {
					return a, verdict{}, nil
				}
			}
		}
		v, err := r.c.refused(ctx, op, err)
		if !v.fault || n == codeTries {
			return nil, v, err
		}
		pause := min(max(wish(err), time.Duration(n)*time.Second), 10*time.Second)
		if r.c.sleep(ctx, pause) != nil {
			return nil, verdict{state: StateWaiting}, ended(op, ctx)
		}
	}
}

// misfit is the error of an answer that does not belong to the flow.
func misfit(op string) error {
	return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassAuth, Err: &advice{text: helpState}}
}

// one returns a parameter that stands once and is of a sensible size: RFC 6749 section 3.1.
func one(q url.Values, key string) string {
	if v := q[key]; len(v) == 1 && len(v[0]) <= 16<<10 {
		return v[0]
	}
	return ""
}

// codesIn finds the code at the beginning of Entra's description, which a redirect brings
// without the list of codes. It decides nothing but the help.
func codesIn(description string) []int {
	var n int
	if _, err := fmt.Sscanf(description, "AADSTS%d", &n); err != nil {
		return nil
	}
	return []int{n}
}
