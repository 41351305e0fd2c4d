package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
	"github.com/vaguemestre/vaguemestre/settings"
)

const (
	opToken = "auth: token"

	// tooYoung is the age below which a refused token that already took the place of a refused
	// one is not renewed again: the next would be refused alike.
	tooYoung = 10 * time.Second

	// idleAfter is when KeepAlive renews. Entra forgets a grant that was not used for 90 days.
	idleAfter = 30 * 24 * time.Hour
)

// renewal is the work of a flight: lock, look what others have brought, ask, store, use.
type renewal struct {
	want
	c    *client
	k    *known
	base context.Context // ends with the process
	wait context.Context // ends when nobody waits any more; heeded until the provider is asked

	s     Store
	rec   *record
	rev   int64
	asked bool

	replaces bool // what comes takes the place of a token that a server refused
}

func (r *renewal) run() (pass, error) {
	var err error
	if r.s, err = r.c.grants(opToken); err != nil {
		return pass{}, err
	}
	ctx, cancel := context.WithTimeout(r.wait, r.c.timeout)
	defer cancel()
	unlock, err := r.s.Lock(ctx, grantName(r.name))
	if err == nil {
		defer unlock()
		r.rec, r.rev, err = r.c.load(ctx, r.s, r.name)
	} else if err = storeError("auth: lock grant", r.name, err); errors.Is(err, context.DeadlineExceeded) {
		err = r.fail(vaguemestre.ClassDeferred, "", fmt.Errorf("another process holds its grant for more than %s: try again later", r.c.timeout))
	}
	if r.wait.Err() != nil {
		return pass{}, errAbandoned
	}
	if err = r.newest(err); err != nil {
		return pass{}, err
	}
	// Each round goes on with a record that somebody else has stored during the one before.
	for range 3 {
		p, done, err := r.round()
		if done || err != nil {
			return p, err
		}
	}
	return pass{}, r.fail(vaguemestre.ClassDeferred, "", errors.New("others change its grant all the time: try again later"))
}

// newest takes what could not be stored before in the place of what is stored, where that
// is older. failed is why the store could not be read.
func (r *renewal) newest(failed error) error {
	r.k.mu.Lock()
	ours, base := r.k.unsaved, r.k.base
	r.k.mu.Unlock()
	switch {
	case ours == nil:
		return failed
	case failed != nil:
		r.rec, r.rev = ours, base
		r.unsettled(failed)
		return nil
	case r.rev != base:
		if ours = merge(ours, r.rec); ours == r.rec { // nil too: it was forgotten
			r.settled()
			return nil
		}
	}
	r.store(ours)
	return nil
}

// round makes one attempt. done is false if the record was replaced meanwhile.
func (r *renewal) round() (p pass, done bool, err error) {
	c, now := r.c, r.c.now()
	if err := r.usable(); err != nil {
		r.k.clear()
		return pass{}, true, err
	}
	list, err := c.asks(r.rec, r.aud)
	if err != nil {
		return pass{}, true, err
	}
	if r.idle {
		if now.Sub(r.rec.Refreshed) < idleAfter {
			return pass{}, true, nil
		}
	} else {
		p = r.rec.Tokens[strings.Join(list, " ")]
		if r.k.fresh(p, r.stale, now) {
			r.k.put(r.aud, p)
			return p, true, nil
		}
		r.replaces = r.stale != "" && p.Token == r.stale
		if age := now.Sub(p.Issued); r.replaces && p.Replaces && age >= 0 && age < tooYoung {
			return pass{}, true, r.fail(vaguemestre.ClassAuth, "", fmt.Errorf(
				"the server refuses a token that was issued %s ago, in the place of another that it refused: a further one would not help: check that the account has the rights it needs there", age.Round(time.Second)))
		}
	}
	if r.rec.Refresh == "" && c.grant != Application {
		return r.bury(verdict{help: helpNoRefresh}, &advice{text: helpNoRefresh})
	}
	a, err := r.ask(list)
	if err == nil {
		return r.take(a, r.aud, list)
	}
	v, refused := r.judge(err)
	if !v.dead {
		return pass{}, true, r.named(refused)
	}
	if replaced, err := r.reload(); replaced || err != nil {
		return pass{}, err != nil, err
	}
	if c.isPrimary(r.aud) {
		return r.bury(v, refused.Err)
	}
	// The refusal may concern this audience alone. The primary one knows.
	first, _ := c.asks(r.rec, c.dialect.primary())
	a, err = r.ask(first)
	if err == nil {
		if _, _, err := r.take(a, c.dialect.primary(), first); err != nil {
			return pass{}, true, err
		}
		return pass{}, true, r.named(refused)
	}
	if w, _ := r.judge(err); w.dead {
		return r.bury(v, refused.Err)
	}
	return pass{}, true, r.named(refused)
}

// usable tells why the record brings no token.
func (r *renewal) usable() error {
	c := r.c
	if c.grant == Application {
		if r.rec == nil || r.rec.Application != c.application() {
			r.rec = c.newRecord()
		}
		return nil
	}
	const class = vaguemestre.ClassAuth
	switch {
	case r.rec == nil:
		return r.fail(class, "", ErrNotAssociated)
	case r.rec.Application != c.application():
		return r.fail(class, "", fmt.Errorf("%w: %w", ErrReauth, &advice{text: otherApplication}))
	case r.rec.Reauth:
		return r.fail(class, r.rec.Code, fmt.Errorf("%w: %w", ErrReauth, &advice{text: r.rec.Help}))
	}
	return nil
}

var otherApplication = settings.Text{
	EN: "its grant was given to another application (client id, tenant or authority in the settings have changed): whoever configures this program puts them back, or the user signs in again",
	FR: "son autorisation a été donnée à une autre application (l'identifiant client, le tenant ou l'autorité ont changé dans les paramètres) : la personne qui configure ce programme les rétablit, ou l'utilisateur se connecte à nouveau",
}

// ask asks the provider for a token of these scopes.
func (r *renewal) ask(scopes []string) (*answer, error) {
	c := r.c
	ctx, cancel := context.WithTimeout(r.base, c.timeout)
	defer cancel()
	ep, err := c.dialect.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"client_id": {c.id}} // RFC 6749 section 3.2.1, also of a public client
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " ")) // QUIRK: Entra may refuse without it (AADSTS900144)
	}
	if c.grant == Application {
		form.Set("grant_type", "client_credentials")
	} else {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", r.rec.Refresh)
	}
	if err := c.dialect.authenticate(form, ep.TokenURL); err != nil {
		return nil, err
	}
	r.asked = true
	step.Before(step.TokenRefresh)
	a, err := c.redeem(ctx, ep.TokenURL, form)
	if err == nil {
		step.After(step.TokenRefresh)
	}
	return a, err
}

// take stores what the provider gave and only then lets it be used: the old refresh token
// may be worth nothing any more.
func (r *renewal) take(a *answer, aud Audience, scopes []string) (pass, bool, error) {
	c := r.c
	n := r.rec.clone()
	n.Refreshed = c.now().UTC()
	if a.RefreshToken != "" { // else the old one stays good: RFC 6749 section 6
		n.Refresh = a.RefreshToken
	}
	if a.Scope != "" && c.isPrimary(aud) {
		n.Granted = granted(a.Scope)
	}
	if again, err := c.asks(n, aud); err == nil {
		scopes = again // found under what is asked for from now on
	}
	p := pass{Token: a.AccessToken, Issued: n.Refreshed, Expires: a.Expires.UTC(), Replaces: r.replaces && aud == r.aud}
	n.keep(strings.Join(scopes, " "), p)
	if !r.store(n) {
		return pass{}, false, nil
	}
	r.k.put(aud, p)
	if !r.k.degraded.Load() {
		c.event(Event{Account: r.name, What: Refreshed})
	}
	return p, true, nil
}

// bury notes that the grant is worth nothing any more, which is told once.
func (r *renewal) bury(v verdict, cause error) (pass, bool, error) {
	n := r.rec.clone()
	n.Reauth, n.Code, n.Help = true, v.code, v.help
	n.Refresh, n.Tokens = "", nil
	if !r.store(n) {
		return pass{}, false, nil
	}
	r.k.clear()
	err := r.fail(vaguemestre.ClassAuth, v.code, fmt.Errorf("%w: %w", ErrReauth, cause))
	r.c.event(Event{Account: r.name, What: ReauthRequired, Help: v.help, Err: err})
	return pass{}, true, err
}
