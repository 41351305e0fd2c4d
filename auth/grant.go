package auth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// record is what is stored of an account under grantName, as JSON.
type record struct {
	Version     int             `json:"version"`
	Application string          `json:"application"` // client.application: a grant is worth nothing to another one
	ID          string          `json:"id"`          // of the flow that brought it; refreshing keeps it
	User        string          `json:"user,omitempty"`
	Tenant      string          `json:"tenant,omitempty"`
	Granted     []string        `json:"granted,omitempty"` // of the primary audience
	Refresh     string          `json:"refresh,omitempty"`
	Tokens      map[string]pass `json:"tokens,omitempty"` // by the scopes asked for
	Since       time.Time       `json:"since"`
	Refreshed   time.Time       `json:"refreshed"` // the refresh token was used or issued

	// Of a grant that the provider takes no more.
	Reauth bool          `json:"reauth,omitempty"`
	Code   string        `json:"code,omitempty"`
	Help   settings.Text `json:"help,omitzero"`
}

// pass is an access token.
type pass struct {
	Token   string    `json:"token"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires,omitzero"` // zero: the provider did not tell

	Replaces bool `json:"replaces,omitempty"` // a token that a server refused
}

const recordVersion = 1

func grantName(account string) string { return "grant/" + account }

// newRecord is the record of a new sign-in.
func (c *client) newRecord() *record {
	now := c.now().UTC()
	return &record{Version: recordVersion, Application: c.application(), ID: rand.Text(), Since: now, Refreshed: now}
}

// clone returns a copy that can be changed.
func (r *record) clone() *record {
	n := *r
	n.Granted, n.Tokens = slices.Clone(r.Granted), maps.Clone(r.Tokens)
	return &n
}

// keep puts in an access token and lets those go that have ended.
func (r *record) keep(scopes string, p pass) {
	maps.DeleteFunc(r.Tokens, func(_ string, old pass) bool { return !old.Expires.IsZero() && old.Expires.Before(p.Issued) })
	if r.Tokens == nil {
		r.Tokens = map[string]pass{}
	}
	r.Tokens[scopes] = p
}

// merge is what is to be stored when another process has stored theirs beside ours, which
// lay in memory. Forgetting (nil) wins, then the later sign-in, then the later refresh.
func merge(ours, theirs *record) *record {
	switch {
	case theirs == nil:
		return nil
	case theirs.ID != ours.ID && ours.Since.After(theirs.Since):
		return ours
	case theirs.ID != ours.ID, ours.Refreshed.Before(theirs.Refreshed):
		return theirs
	}
	m := ours.clone()
	for scopes, p := range theirs.Tokens {
		if have, ok := m.Tokens[scopes]; !m.Reauth && (!ok || have.Issued.Before(p.Issued)) {
			m.keep(scopes, p)
		}
	}
	return m
}

// grants is where the grants are kept.
func (c *client) grants(op string) (Store, error) {
	if c.store != nil {
		return c.store, nil
	}
	if c.grant == Application {
		return &c.memory, nil
	}
	return nil, &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig,
		Err: errors.New("there is no place to keep the account's grant: set Tokens of its provider to a store")}
}

// load reads the record of an account; nil if there is none. The revision is told with an
// error too where the store knows it.
func (c *client) load(ctx context.Context, s Store, name string) (*record, int64, error) {
	value, rev, err := s.Load(ctx, grantName(name))
	if err != nil {
		return nil, rev, storeError("auth: load grant", name, err)
	}
	if value == nil {
		return nil, 0, nil
	}
	r := new(record)
	switch err := json.Unmarshal(value, r); { // the cause could quote a token
	case r.Version > recordVersion:
		err = fmt.Errorf("account %q: its grant was stored by a newer version of this program: update this one, or forget the account and associate it again", cut(name))
		return nil, rev, &vaguemestre.Error{Op: "auth: load grant", Class: vaguemestre.ClassConfig, Err: errNewer{err}}
	case err != nil || r.Version < 1:
		err = fmt.Errorf("account %q: what is stored is no grant: associate the account again", cut(name))
		return nil, rev, &vaguemestre.Error{Op: "auth: load grant", Class: vaguemestre.ClassConfig, Err: err}
	}
	return r, rev, nil
}

// errNewer marks a record that must be kept as it is.
type errNewer struct{ error }

// save puts r in the place of revision rev.
func (c *client) save(ctx context.Context, s Store, name string, r *record, rev int64) (int64, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return s.Save(ctx, grantName(name), value, rev)
}

// asks returns the scopes that a token for aud asks for. Of those of the primary audience
// only the granted ones count: a refresh cannot add any (RFC 6749 section 6).
func (c *client) asks(r *record, aud Audience) ([]string, error) {
	list, ok := c.dialect.scopes(aud)
	if !ok {
		return nil, &vaguemestre.Error{Op: "auth: token", Class: vaguemestre.ClassConfig,
			Err: fmt.Errorf("the provider's settings do not foresee %s: add that role to them and associate the account again", aud)}
	}
	if c.grant == Application {
		return list, nil
	}
	first, _ := c.dialect.scopes(c.dialect.primary())
	if slices.Equal(list, first) && len(r.Granted) > 0 {
		lacks := c.dialect.missing(list, strings.Join(r.Granted, " "))
		list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(lacks, s) })
	} else if slices.Contains(first, offline) && !slices.Contains(list, offline) {
		list = append(slices.Clone(list), offline)
	}
	return list, nil
}

// offline is the scope that brings refresh tokens at most providers (OpenID Connect Core
// section 11).
const offline = "offline_access"

// isPrimary tells whether the scopes of aud are those a flow asks for.
func (c *client) isPrimary(aud Audience) bool {
	list, _ := c.dialect.scopes(aud)
	first, _ := c.dialect.scopes(c.dialect.primary())
	return slices.Equal(list, first)
}

// storeError is the error of a store that failed.
func storeError(op, name string, err error) error {
	class := vaguemestre.ClassOf(err)
	switch {
	case errors.Is(err, context.Canceled):
		class = vaguemestre.ClassCanceled
	case class != vaguemestre.ClassConfig:
		class = vaguemestre.ClassDeferred
	}
	return &vaguemestre.Error{Op: op, Class: class, Err: fmt.Errorf("account %q: %w", cut(name), err)}
}
