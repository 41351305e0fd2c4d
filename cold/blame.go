package cold

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// attemptsAllowed is how many runs may blame an item before it is given up.
const attemptsAllowed = 3

// blame notes that an item could not be read. The source's own failures blame nobody.
func (rc *receiver) blame(it Item, err error) error {
	r := rc.r
	r.event(Event{Step: "error", Item: it.Key, Err: err})
	switch {
	case !blames(err):
		return nil
	case tooMuch(err):
		e, err := r.tooLarge(rc.ctx, it, err)
		if err != nil {
			return err
		}
		if r.dry {
			r.decided(it.Key, e.Docs)
		} else {
			rc.note(e, e.Docs)
		}
		return nil
	case r.dry:
		return nil
	}
	prior, perr := r.prior(rc.ctx, it.Key)
	if perr != nil {
		return perr
	}
	e := Entry{}
	if prior != nil {
		e = *prior
		it.MessageID = orKey(it.MessageID, prior.Item.MessageID)
	}
	e.Item, e.Rules = it, r.rules
	f := &found{docs: make([]foundDoc, len(e.Docs))}
	for i := range e.Docs { // an earlier run may have told of some
		f.docs[i].safe = e.Docs[i].Decision == Delivered
	}
	rc.attempt(f, e, err)
	return nil
}

// attempt counts a failure against an item, once a run, and gives it up after the third.
// Documents of e that are Delivered stay so.
func (rc *receiver) attempt(f *found, e Entry, err error) {
	r := rc.r
	r.blamed[e.Item.Key] = true
	e.Attempts++
	e.State, e.Reason, e.Time = StatePending, err.Error(), r.job.now()
	if e.Attempts < attemptsAllowed {
		told := slices.DeleteFunc(slices.Clone(f.news(e.Docs)), func(d Entered) bool { return d.Decision != Delivered })
		rc.note(e, told)
		return
	}
	e.State = StateQuarantined
	why := "given up after three runs: " + e.Reason
	e.Docs = slices.Clone(e.Docs)
	given := false
	for i := range e.Docs {
		if e.Docs[i].Decision == Accepted {
			e.Docs[i].Decision, e.Docs[i].Reason, given = Quarantined, why, true
		}
	}
	told := slices.Clone(f.news(e.Docs))
	if !given {
		w := whole(e.Item, Quarantined, why)
		e.Docs, told = append(e.Docs, w...), append(told, w...)
	}
	rc.note(e, told)
}

// tooLarge is the entry of an item over a limit of the job; cause may be nil.
func (r *run) tooLarge(ctx context.Context, it Item, cause error) (Entry, error) {
	e := Entry{}
	prior, err := r.prior(ctx, it.Key)
	if err != nil {
		return e, err
	}
	if prior != nil { // its documents may be in the sink under their keys
		e = *prior
	}
	e.Item, e.State, e.Rules, e.Time = it, StateHeld, r.rules, r.job.now()
	switch size := fmt.Sprintf("%d bytes", it.Size); {
	case cause != nil && !errors.Is(cause, errTooLarge):
		e.Reason = cause.Error() + "; raise the Limits of this job to take it"
	default:
		if it.Size <= r.limits.ItemSize {
			size = "its content"
		}
		e.Reason = fmt.Sprintf("%s: larger than the limit of this job, %d bytes; raise Limits.ItemSize to take it", size, r.limits.ItemSize)
	}
	e.Docs = whole(it, Held, e.Reason)
	return e, nil
}

// whole is the manifest of an item that was not taken apart.
func whole(it Item, d Decision, reason string) []Entered {
	return []Entered{{Key: it.Key, Name: orName(""), Size: max(it.Size, 0), Path: []string{it.Key}, Decision: d, Reason: reason}}
}
