package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
)

const (
	deviceGrant     = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628 section 3.4
	defaultInterval = 5 * time.Second                                // RFC 8628 section 3.2
	slower          = 5 * time.Second                                // RFC 8628 section 3.5: by slow_down
	longestInterval = 5 * time.Minute
	longestBackoff  = 30 * time.Second
	longestCode     = 24 * time.Hour
	lookAgain       = 2 * time.Second // at a flow that another polls
)

// beginDevice asks for a code: RFC 8628 section 3.1.
func (c *client) beginDevice(ctx context.Context, ep oauth2.Endpoint, at *attempt, o *BeginOptions) error {
	const op = "auth: begin device sign-in"
	form := url.Values{"client_id": {c.id}}
	if len(at.Asked) > 0 {
		form.Set("scope", strings.Join(at.Asked, " "))
	}
	if err := c.dialect.authenticate(form, ep.TokenURL); err != nil {
		return err
	}
	endpoint := c.asker().askDevice(ep.DeviceAuthURL, o)
	var in struct {
		DeviceCode string          `json:"device_code"`
		UserCode   string          `json:"user_code"`
		URI        string          `json:"verification_uri"`
		URL        string          `json:"verification_url"` // QUIRK: Google's name of it
		Expires    json.RawMessage `json:"expires_in"`
		Interval   json.RawMessage `json:"interval"`
	}
	asked := c.now()
	if err := c.post(ctx, endpoint, form, &in); err != nil {
		_, err = c.refused(ctx, op, err)
		return err
	}
	if in.URI == "" {
		in.URI = in.URL
	}
	// What is shown to a person, and opened, is a page of https and nothing else.
	if _, err := parseURL(in.URI); err != nil || visible(in.URI) != in.URI {
		return &vaguemestre.Error{Op: op, Class: config, Err: &advice{helpURL, err}}
	}
	if in.DeviceCode == "" || in.UserCode == "" || len(in.UserCode) > 100 || visible(in.UserCode) != in.UserCode {
		return &vaguemestre.Error{Op: op, Class: config, Err: &advice{text: helpRequest}}
	}
	at.DeviceCode, at.UserCode, at.URL = in.DeviceCode, in.UserCode, in.URI
	at.Interval = within(in.Interval, defaultInterval, time.Second, longestInterval)
	at.Expires = asked.Add(within(in.Expires, 15*time.Minute, time.Second, longestCode))
	return nil
}

// within turns seconds that a stranger gave into a duration between bounds; what makes no
// sense is the default. QUIRK: old endpoints of Entra give them as a text.
func within(raw json.RawMessage, def, least, most time.Duration) time.Duration {
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	switch {
	case err != nil || !(seconds > 0):
		return def
	case seconds > most.Seconds():
		return most
	}
	return max(time.Duration(seconds*float64(time.Second)), least)
}

// waitDevice polls until the flow has ended. Only one of all goroutines and processes polls;
// the others wait for it and then see what came of it.
func (r *run) waitDevice(ctx context.Context, tell func()) error {
	const op = "auth: wait for device sign-in"
	tell() // before the lock, which another may hold for long
	for !r.ended() && !r.expire(ctx) {
		wait, cancel := context.WithTimeout(ctx, lookAgain)
		unlock, err := r.c.store.Lock(wait, flowName(r.account))
		late := wait.Err() != nil
		cancel()
		if err == nil {
			defer unlock()
			break
		}
		if ctx.Err() != nil {
			return ended(op, ctx)
		}
		// Who holds it may hang, and somebody else have ended the flow.
		if !late {
			return storeError(op, r.account, err)
		}
		if err := r.sync(ctx); err != nil {
			return err
		}
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	faults := 0
	var rest time.Duration // what the provider wishes beyond the interval
	for !r.ended() && !r.expire(ctx) {
		tell()
		at := r.known()
		// The first question too comes after an interval: whoever polled before this process may
		// have asked a moment ago.
		pause := max(at.Interval+backoff(at.Interval, faults), rest)
		if err := r.c.sleep(ctx, min(pause, at.Expires.Sub(r.c.now()))); err != nil || ctx.Err() != nil {
			return ended(op, ctx)
		}
		if r.expire(ctx) {
			break
		}
		if err := r.sync(ctx); err != nil {
			if ctx.Err() != nil {
				return ended(op, ctx)
			}
			faults++
			r.fault(helpStore, err)
			continue
		}
		if r.ended() {
			break
		}
		a, v, err := r.poll(ctx, at)
		switch {
		case err == nil:
			r.approve(ctx, a)
		case ctx.Err() != nil && v.state == StateWaiting:
			return ended(op, ctx)
		case v.fault:
			// RFC 8628 section 3.5 wants fewer questions after a timeout, not an end.
			faults++
			rest = wish(err)
			r.fault(v.help, err)
			continue
		case v.slow:
			r.slowDown(ctx)
		case v.state != StateWaiting:
			r.refuse(ctx, v, err)
		}
		faults, rest = 0, wish(err)
		r.fault(noHelp, nil)
	}
	return nil
}

// backoff is what is added to the interval after so many faults in a row.
func backoff(interval time.Duration, faults int) time.Duration {
	if faults == 0 {
		return 0
	}
	return min(interval<<min(faults-1, 6), longestBackoff)
}

// slowDown asks less often from now on, in this process and in one that resumes the flow.
func (r *run) slowDown(ctx context.Context) {
	r.mu.Lock()
	r.at.Interval = min(r.at.Interval+slower, longestInterval)
	interval := r.at.Interval
	r.mu.Unlock()
	_ = r.update(ctx, func(at *attempt) bool { at.Interval = interval; return true })
	r.change(func(p *Progress) { p.Interval = interval })
}

// poll asks once whether somebody signed in: RFC 8628 section 3.4.
func (r *run) poll(ctx context.Context, at attempt) (*answer, verdict, error) {
	const op = "auth: device sign-in"
	ctx, cancel := r.outlast(ctx)
	defer cancel()
	ep, err := r.c.dialect.endpoints(ctx)
	if err != nil {
		// What answers for the issuer may be a portal; the code is good for its time.
		v, err := r.c.refused(ctx, op, err)
		v.state, v.fault = StateWaiting, true
		return nil, v, err
	}
	form := url.Values{"grant_type": {deviceGrant}, "client_id": {r.c.id}, "device_code": {at.DeviceCode}}
	if err = r.c.dialect.authenticate(form, ep.TokenURL); err == nil {
		var a *answer
		if a, err = r.c.redeem(ctx, ep.TokenURL, form); err == nil {
			return a, verdict{}, nil
		}
	}
	v, err := r.c.refused(ctx, op, err)
	return nil, v, err
}

// wish is how long the provider wants to be left alone.
func wish(err error) time.Duration {
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
