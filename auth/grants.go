package auth

import (
	"context"
	"errors"
	"strings"
)

// adopt stores what the flow id brought for account name, under the lock of the account. It
// does not end with ctx: nobody would sign in a second time for that.
func (c *client) adopt(ctx context.Context, name, id string, a *answer, asked []string) (*record, error) {
	const op = "auth: associate"
	s, err := c.grants(op)
	if err != nil {
		return nil, err
	}
	base := context.WithoutCancel(ctx)
	lock, cancel := context.WithTimeout(base, c.timeout)
	defer cancel()
	// Without the lock it goes on: revisions keep the record whole.
	if unlock, err := s.Lock(lock, grantName(name)); err == nil {
		defer unlock()
	}
	k := c.live.of(name)
	r := &renewal{c: c, k: k, want: want{name: name}, base: base, s: s}
	old, rev, err := r.load()
	var newer errNewer
	if errors.As(err, &newer) {
		return nil, err
	}
	n := c.newRecord()
	n.ID = id
	who := claimsOf(a.IDToken)
	n.User, n.Tenant = who.user(), who.Tenant
	n.Refresh, n.Granted = a.RefreshToken, asked
	if a.Scope != "" { // absent: all that was asked (RFC 6749 section 5.1)
		n.Granted = granted(a.Scope)
	}
	if list, err := c.asks(n, c.dialect.primary()); err == nil {
		n.keep(strings.Join(list, " "), pass{Token: a.AccessToken, Issued: n.Since, Expires: a.Expires.UTC()})
	}
	// A store that cannot be read may still be written: that a value was spoilt is a reason
	// to associate the account again.
	r.rec, r.rev = old, rev
	k.clear()
	k.mu.Lock()
	k.holds = nil
	k.mu.Unlock()
	r.store(n)
	c.event(Event{Account: name, What: Associated})
	return n, nil
}

// granted splits what the provider says it granted.
func granted(scope string) []string {
	list := strings.Fields(scope)
	return list[:min(len(list), 500)]
}

// status tells how the account stands, from what is stored.
func (c *client) status(ctx context.Context, name string) (Status, error) {
	s, err := c.grants("auth: status")
	if err != nil {
		return Status{}, err
	}
	k := c.live.of(name)
	k.mu.Lock()
	r, degraded := k.unsaved, k.unsaved != nil
	k.mu.Unlock()
	if !degraded {
		if r, _, err = c.load(ctx, s, name); err != nil {
			return Status{}, err
		}
	}
	st := Status{Account: name, Standing: StandingNone}
	if at, err := c.waiting(ctx, name); err == nil {
		st.Pending = at != nil
	}
	first, _ := c.dialect.scopes(c.dialect.primary())
	switch {
	case c.grant == Application:
		st.Standing, st.Granted = StandingReady, first
		if r != nil && r.Application == c.application() {
			st.Refreshed = r.Refreshed
		}
		return st, nil
	case r == nil:
		return st, nil
	}
	brief := c.asker().brief
	st.User, st.Tenant, st.Granted, st.Since, st.Refreshed = r.User, r.Tenant, brief(r.Granted), r.Since, r.Refreshed
	switch {
	case r.Application != c.application():
		st.Standing, st.Help = StandingReauth, otherApplication
		return st, nil
	case r.Reauth:
		st.Standing, st.Code, st.Help = StandingReauth, r.Code, r.Help
	case degraded:
		st.Standing, st.Help = StandingDegraded, degradedHelp
	default:
		st.Standing = StandingReady
	}
	st.Missing = brief(c.dialect.missing(first, strings.Join(r.Granted, " ")))
	if len(st.Missing) > 0 && st.Help == noHelp {
		st.Help = helpMissing
	}
	return st, nil
}

// forget removes what is stored of the account.
func (c *client) forget(ctx context.Context, name string) error {
	const op = "auth: forget"
	s, err := c.grants(op)
	if err != nil {
		return err
	}
	lock, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	unlock, err := s.Lock(lock, grantName(name))
	if err != nil {
		return storeError(op, name, err)
	}
	defer unlock()
	for _, value := range []string{grantName(name), flowName(name)} {
		if err := remove(ctx, s, value); err != nil {
			return storeError(op, name, err)
		}
	}
	k := c.live.of(name)
	k.clear()
	k.mu.Lock()
	k.unsaved, k.holds = nil, nil
	k.mu.Unlock()
	k.degraded.Store(false)
	return nil
}

// remove removes a value; also one that cannot be read, where its revision is known.
func remove(ctx context.Context, s Store, name string) error {
	for {
		_, rev, err := s.Load(ctx, name)
		if rev == 0 {
			return err
		}
		if _, err = s.Save(ctx, name, nil, rev); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// keepAlive renews the grant if that was not done for long.
func (c *client) keepAlive(ctx context.Context, name string) error {
	if c.grant == Application {
		return nil
	}
	s, err := c.grants("auth: keep alive")
	if err != nil {
		return err
	}
	r, _, err := c.load(ctx, s, name)
	if err != nil {
		return err
	}
	if r == nil || r.Reauth || r.Application != c.application() || c.now().Sub(r.Refreshed) < idleAfter {
		return nil
	}
	_, err = c.obtain(ctx, c.live.of(name), want{name: name, aud: c.dialect.primary(), idle: true})
	return err
}
