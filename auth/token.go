package auth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
)

// want is what a caller asks for.
type want struct {
	name  string
	aud   Audience
	stale string // this token was refused
	idle  bool   // renew the grant if it was not renewed for long, whatever the token
}

// flight is one renewal: all goroutines that want something of the account wait for it, and
// one at a time flies. It ends by itself, also if all have left.
type flight struct {
	want
	done    chan struct{}
	waiting int    // under known.mu
	abandon func() // nobody waits any more: give up unless the provider was asked already

	// Once done.
	got pass
	err error
}

// errAbandoned ends a flight that nobody waited for. No caller sees it.
var errAbandoned = errors.New("nobody waits")

// token gives an access token; see Account.Token and Account.Refresh.
func (c *client) token(ctx context.Context, name string, aud Audience, stale string) (*oauth2.Token, error) {
	k := c.live.of(name)
	if p := k.pass(aud); !k.degraded.Load() && k.fresh(p, stale, c.now()) {
		return p.oauth2(), nil // no lock, no I/O
	}
	p, err := c.obtain(ctx, k, want{name: name, aud: aud, stale: stale})
	if err != nil {
		return nil, err
	}
	return p.oauth2(), nil
}

// obtain joins the flight that is on its way, or starts one, until it knows.
func (c *client) obtain(ctx context.Context, k *known, w want) (pass, error) {
	for {
		if ctx.Err() != nil {
			return pass{}, canceled(ctx.Err())
		}
		f, p, err := c.board(ctx, k, w)
		if f == nil {
			return p, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			k.leave(f)
			return pass{}, canceled(ctx.Err())
		}
		switch {
		case f.err == errAbandoned || f.aud != w.aud || f.idle != w.idle:
			continue // it was for somebody else
		case f.err != nil:
			// The token that is there serves as long as it lasts.
			if p := k.pass(w.aud); !w.idle && valid(p, w.stale, c.now()) {
				return p, nil
			}
			return pass{}, f.err
		case w.stale != "" && f.got.Token == w.stale:
			continue // the flight did not know that this one was refused
		}
		return f.got, nil
	}
}

// board returns the flight to wait for, or what is known without one.
func (c *client) board(ctx context.Context, k *known, w want) (*flight, pass, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := c.now()
	p := k.pass(w.aud)
	if !w.idle {
		if k.fresh(p, w.stale, now) && (k.unsaved == nil || now.Before(k.retry)) {
			return nil, p, nil
		}
		// Somebody renews already: what has not ended serves meanwhile.
		if k.flight != nil && valid(p, w.stale, now) {
			return nil, p, nil
		}
	}
	if h, ok := k.holds[w.aud]; ok && now.Before(h.until) {
		if !w.idle && valid(p, w.stale, now) {
			return nil, p, nil
		}
		return nil, pass{}, h.err
	}
	f := k.flight
	if f == nil {
		f = c.fly(ctx, k, w)
		k.flight = f
	}
	f.waiting++
	return f, pass{}, nil
}

// leave is for who waits no longer.
func (k *known) leave(f *flight) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.abandon()
	}
}

// fly starts a flight. It does not end with the ctx of the caller who happened to be first.
func (c *client) fly(ctx context.Context, k *known, w want) *flight {
	base := context.WithoutCancel(ctx)
	wait, abandon := context.WithCancel(base)
	f := &flight{want: w, done: make(chan struct{}), abandon: abandon}
	go func() {
		defer abandon()
		r := &renewal{c: c, k: k, want: w, base: base, wait: wait}
		if c.source != nil {
			f.got, f.err = c.fromSource(w)
		} else {
			f.got, f.err = r.run()
		}
		k.mu.Lock()
		k.flight = nil
		k.hold(w, f.err, r.asked, c.now())
		k.mu.Unlock()
		close(f.done)
	}()
	return f
}

// hold decides how soon the provider may be asked again.
func (k *known) hold(w want, err error, asked bool, now time.Time) {
	delete(k.holds, w.aud)
	var e *vaguemestre.Error
	if err == errAbandoned || errors.Is(err, ErrReauth) || errors.Is(err, ErrNotAssociated) || !errors.As(err, &e) {
		return
	}
	d := min(e.RetryAfter, 5*time.Minute)
	if asked && !e.Temporary() {
		d = time.Minute // the same request is refused again
	}
	if valid(k.pass(w.aud), w.stale, now) {
		d = max(d, 30*time.Second) // there is no hurry
	}
	if d > 0 {
		if k.holds == nil {
			k.holds = map[Audience]hold{}
		}
		k.holds[w.aud] = hold{now.Add(d), err}
	}
}

// canceled is the error of a caller who waits no longer.
func canceled(err error) error {
	return &vaguemestre.Error{Op: opToken, Class: vaguemestre.ClassCanceled, Err: err}
}
