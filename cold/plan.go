package cold

import (
	"context"
	"fmt"
	"slices"
)

// entry is the item's line in the ledger before anything is handed over.
func (f *found) entry(r *run) Entry {
	e := Entry{Item: f.item, State: StatePlanned, Rules: r.rules, Time: r.job.now(), Twin: f.twin()}
	if f.state != "" {
		e.State, e.Reason = f.state, f.reason
		return e
	}
	e.Docs = make([]Entered, len(f.docs))
	for i := range f.docs {
		e.Docs[i] = f.docs[i].entry
	}
	return e
}

// prior is what the ledger knows of an item of this run; nil for a new one.
func (r *run) prior(ctx context.Context, key string) (*Entry, error) {
	if !r.known[key] {
		return nil, nil
	}
	return r.job.Ledger.Explain(ctx, r.job.Name, key)
}

// plan decides where an item goes, and notes it.
func (rc *receiver) plan(f *found) (Entry, error) {
	r := rc.r
	prior, err := r.prior(rc.ctx, f.item.Key)
	if err != nil {
		return Entry{}, err
	}
	if prior == nil {
		prior = &Entry{}
	}
	origin, before := orKey(prior.Origin, f.item.Key), prior.Docs
	// what was read before has its origin: its documents may be in the sink under it
	if t := f.twin(); t != "" && prior.Twin == "" {
		old, err := rc.twin(f.item.Epoch, t)
		if err != nil {
			return Entry{}, err
		}
		if old != nil {
			rc.matched[old.Item.Key] = true
			if !old.State.Terminal() {
				r.renamed[old.Item.Key] = f.item.Key
			}
			origin, before = orKey(old.Origin, old.Item.Key), old.Docs
			if old.State.handedOver() {
				return rc.bridge(f, old, origin), nil
			}
		}
	}
	if f.state == "" {
		f.name(r.lease.Scope(), origin)
		f.settled(before)
	}
	e := f.entry(r)
	e.Attempts = prior.Attempts
	if e.Twin == "" {
		e.Twin = prior.Twin
	}
	if origin != f.item.Key {
		e.Origin = origin
	}
	wanted := slices.ContainsFunc(e.Docs, func(d Entered) bool { return d.Decision == Accepted })
	if e.State == StatePlanned && !wanted {
		rc.handedOver(f, &e)
	} else {
		rc.note(e, nil)
	}
	return e, nil
}

func orKey(origin, key string) string {
	if origin == "" {
		return key
	}
	return origin
}

// bridge notes that an earlier epoch took the item: nothing is left to do but its
// after-action. An item that was left where it is stays there.
func (rc *receiver) bridge(f *found, old *Entry, origin string) Entry {
	e := f.entry(rc.r)
	e.Docs, e.Origin, e.Reason = old.Docs, origin, fmt.Sprintf("taken before, as %.200q", old.Item.Key)
	rc.settleLater(&e)
	if old.State == StateDone && orLeave(old.Action).Do == DoLeave {
		e.State, e.Action, e.Receipt = StateDone, old.Action, old.Receipt
	}
	rc.note(e, nil)
	return e
}

// twin asks the ledger for an entry of another epoch with the content key t. What this
// batch matched is not in the ledger yet, so a second match is asked for again after it is.
func (rc *receiver) twin(epoch, t string) (*Entry, error) {
	old, err := rc.r.lease.Twin(rc.ctx, epoch, t)
	if err != nil || old == nil || !rc.matched[old.Item.Key] {
		return old, err
	}
	if err := rc.commit(rc.ctx); err != nil {
		return nil, err
	}
	return rc.r.lease.Twin(rc.ctx, epoch, t)
}

// handedOver notes an entry whose documents all have their fate.
func (rc *receiver) handedOver(f *found, e *Entry) {
	e.Time, e.Reason = rc.r.job.now(), ""
	if i := slices.IndexFunc(e.Docs, func(d Entered) bool { return d.Decision == Held }); i >= 0 {
		e.State, e.Reason = StateHeld, e.Docs[i].Reason
	} else {
		rc.settleLater(e)
	}
	rc.note(*e, f.news(e.Docs))
}

func (rc *receiver) settleLater(e *Entry) {
	e.State, e.Action = StateDelivered, rc.r.action(e.Docs)
	if e.Action.Do == DoLeave { // nothing to do at the source: one write less
		e.State, e.Receipt = StateDone, string(SettleDone)
	}
}

// action is the after-action that documents which all have their fate give their item.
func (r *run) action(docs []Entered) After {
	if slices.ContainsFunc(docs, func(d Entered) bool { return d.Decision == Delivered }) {
		return r.job.after()
	}
	return r.job.afterRefused()
}
