package auth

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// live is what a process knows of the accounts of a client, by name.
type live struct{ m sync.Map }

func (l *live) of(name string) *known {
	if k, ok := l.m.Load(name); ok {
		return k.(*known)
	}
	k, _ := l.m.LoadOrStore(name, &known{jitter: rand.Float64() / 5})
	return k.(*known)
}

// known is one of them.
type known struct {
	jitter   float64                           // 0 to 0.2: programs that share a token do not renew it all at once
	tokens   atomic.Pointer[map[Audience]pass] // the map is replaced, never changed
	degraded atomic.Bool                       // unsaved is not nil

	mu     sync.Mutex
	flight *flight
	holds  map[Audience]hold

	// What could not be stored: the newest record, the revision it was made from, and when
	// storing is tried again. Set by who holds the lock of the account.
	unsaved *record
	base    int64
	retry   time.Time
}

// hold keeps from asking the provider again too soon: until then the answer stays the same.
type hold struct {
	until time.Time
	err   error
}

// margin is how long before its end a token is renewed: five minutes, less if its whole
// life is short.
func margin(life time.Duration) time.Duration { return min(5*time.Minute, life/5) }

// fresh reports whether p need not be renewed yet.
func (k *known) fresh(p pass, stale string, now time.Time) bool {
	if p.Token == "" || p.Token == stale {
		return false
	}
	early := float64(margin(p.Expires.Sub(p.Issued))) * (1 + k.jitter)
	return p.Expires.IsZero() || now.Before(p.Expires.Add(-time.Duration(early)))
}

// valid reports whether p has not ended: it serves while no other can be had.
func valid(p pass, stale string, now time.Time) bool {
	return p.Token != "" && p.Token != stale && (p.Expires.IsZero() || now.Before(p.Expires))
}

// pass returns what is known for aud.
func (k *known) pass(aud Audience) pass {
	if m := k.tokens.Load(); m != nil {
		return (*m)[aud]
	}
	return pass{}
}

// put adds a token.
func (k *known) put(aud Audience, p pass) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := map[Audience]pass{aud: p}
	if m := k.tokens.Load(); m != nil {
		for a, old := range *m {
			if a != aud {
				n[a] = old
			}
		}
	}
	k.tokens.Store(&n)
}

// clear forgets the tokens.
func (k *known) clear() { k.tokens.Store(nil) }

// oauth2 returns the token as callers get it: each has its own, and none a refresh token.
func (p pass) oauth2() *oauth2.Token {
	return &oauth2.Token{AccessToken: p.Token, TokenType: "Bearer", Expiry: p.Expires}
}
