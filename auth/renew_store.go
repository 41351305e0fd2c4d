package auth

import (
	"context"
	"errors"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/step"
	"github.com/vaguemestre/vaguemestre/settings"
)

// storeAgain is how soon saving is tried again.
const storeAgain = 5 * time.Second

// store saves n, or keeps it in memory if that fails; r.rec is then what is in force. ours
// is false if that is what somebody else has stored meanwhile.
func (r *renewal) store(n *record) (ours bool) {
	var err error
	for range 3 {
		step.Before(step.TokenSave)
		var rev int64
		if rev, err = r.c.save(r.base, r.s, r.name, n, r.rev); err == nil {
			step.After(step.TokenSave)
			r.rec, r.rev = n, rev
			r.settled()
			return true
		}
		if !errors.Is(err, ErrConflict) {
			break
		}
		theirs, rev, lost := r.load()
		if lost != nil {
			break
		}
		m := merge(n, theirs)
		r.rev = rev
		if m == theirs {
			r.rec = theirs
			r.settled()
			return false
		}
		n = m
	}
	r.rec = n
	r.unsettled(err)
	return true
}

// load reads the record again.
func (r *renewal) load() (*record, int64, error) {
	ctx, cancel := context.WithTimeout(r.base, r.c.timeout)
	defer cancel()
	return r.c.load(ctx, r.s, r.name)
}

// reload looks whether the refresh token that was refused has been replaced by a machine
// or process that the lock does not reach.
func (r *renewal) reload() (replaced bool, err error) {
	if r.k.degraded.Load() {
		return false, nil // what is stored is older
	}
	rec, rev, err := r.load()
	if err != nil {
		return false, err
	}
	replaced = rec == nil || r.rec.Refresh != rec.Refresh || rec.Reauth
	r.rec, r.rev = rec, rev
	return replaced, nil
}

// unsettled keeps r.rec in memory, since it could not be stored.
func (r *renewal) unsettled(err error) {
	k := r.k
	k.mu.Lock()
	k.unsaved, k.base, k.retry = r.rec, r.rev, r.c.now().Add(storeAgain)
	k.mu.Unlock()
	if !k.degraded.Swap(true) {
		r.c.event(Event{Account: r.name, What: Degraded, Help: degradedHelp, Err: storeError("auth: save grant", r.name, err)})
	}
}

// settled is the end of that: r.rec is what is stored.
func (r *renewal) settled() {
	k := r.k
	k.mu.Lock()
	k.unsaved, k.base = nil, 0
	k.mu.Unlock()
	if k.degraded.Swap(false) {
		r.c.event(Event{Account: r.name, What: Recovered})
	}
}

var degradedHelp = settings.Text{
	EN: "the newest tokens of this account cannot be stored: whoever configures this program sees that the store has room and can be written; the account works until the program ends, and may then have to be associated again",
	FR: "les derniers jetons de ce compte ne peuvent pas être enregistrés : la personne qui configure ce programme vérifie que le stockage a de la place et qu'il est accessible en écriture ; le compte fonctionne jusqu'à l'arrêt du programme, puis il faudra peut-être l'associer à nouveau",
}
