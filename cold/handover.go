package cold

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// A batch goes to the sink when it has that many items or keeps that many bytes in memory.
const (
	batchItems = 200
	batchBytes = spoolBudget / 3
)

// handover is what the last goroutine of a receiver owns, the lease included.
type handover struct {
	provisional map[string]*found // taken apart, not yet confirmed
	order       []string          // their keys, in the order they came
	ready       []*found          // confirmed
	readyMem    int64
	recorded    []Entry         // decided, to be recorded with the next transaction
	due         []Entry         // their after-action is due
	bridged     map[string]bool // items that an earlier epoch took: nothing new to tell
	matched     map[string]bool // entries of earlier epochs that were matched here
}

func newHandover() handover {
	return handover{provisional: map[string]*found{}, bridged: map[string]bool{}, matched: map[string]bool{}}
}

// handOver runs until taken is closed.
func (rc *receiver) handOver() {
	defer close(rc.done)
	for m := range rc.taken {
		select {
		case <-rc.failed:
			m.close()
		default:
			if err := rc.handle(m); err != nil {
				rc.fail(err)
			}
		}
	}
	select {
	case <-rc.failed:
	default:
		// what is confirmed is handed over even if the source broke off later
		if err := rc.flush(); err != nil {
			rc.fail(err)
		}
	}
	for _, f := range rc.provisional {
		f.close()
	}
	for _, f := range rc.ready {
		f.close()
	}
	// what is safe in the sink is recorded even while ctx is ending
	if err := rc.commit(context.WithoutCancel(rc.ctx)); err != nil {
		rc.due = nil
		rc.fail(err)
	}
}

func (rc *receiver) handle(m message) error {
	switch {
	case m.flush != nil:
		defer close(m.flush)
		return rc.flush()
	case m.fail != nil:
		return rc.blame(m.item, m.fail)
	case m.confirm && m.item.Key == "":
		for _, k := range rc.order {
			rc.confirm(k)
		}
		rc.order = nil
		return nil
	case m.confirm:
		rc.confirm(m.item.Key)
	default:
		r := rc.r
		r.summary.Items++
		r.bytes += max(m.found.size, 0)
		if r.summary.Items%100 == 0 || r.total < 100 {
			r.event(Event{Step: "open", Item: m.item.Key, N: r.summary.Items, Total: r.total})
		}
		rc.provisional[m.item.Key] = m.found
		rc.order = append(rc.order, m.item.Key)
	}
	if len(rc.ready) >= batchItems || rc.readyMem >= batchBytes {
		return rc.flush()
	}
	return nil
}

// confirm moves an item from provisional to ready.
func (rc *receiver) confirm(key string) {
	if f := rc.provisional[key]; f != nil {
		delete(rc.provisional, key)
		rc.ready = append(rc.ready, f)
		rc.readyMem += f.mem
	}
}

// flush hands the ready items over: manifest, sink, ledger.
func (rc *receiver) flush() error {
	batch := rc.ready
	if len(batch) == 0 {
		return nil
	}
	rc.ready, rc.readyMem = nil, 0
	defer func() {
		for _, f := range batch {
			f.close()
		}
	}()
	if rc.r.dry {
		for _, f := range batch {
			rc.r.decided(f.entry(rc.r))
		}
		return nil
	}
	// the manifest, refusals included, before the sink hears of it; with it goes what
	// the batch before has to say
	var put []*found
	var planned []Entry
	for _, f := range batch {
		e, err := rc.plan(f)
		if err != nil {
			return err
		}
		if e.State == StatePlanned {
			put, planned = append(put, f), append(planned, e)
		}
		rc.recorded = append(rc.recorded, e)
	}
	if err := rc.commit(rc.ctx); err != nil {
		return err
	}
	if len(put) == 0 {
		return nil
	}
	return rc.put(put, planned)
}

// entry is the item's line in the ledger before anything is handed over.
func (f *found) entry(r *run) Entry {
	e := Entry{Item: f.item, State: StatePlanned, Attempts: r.attempts[f.item.Key], Rules: r.rules, Time: r.job.now(), Twin: f.twin()}
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

// plan decides where an item goes.
func (rc *receiver) plan(f *found) (e Entry, err error) {
	r := rc.r
	origin := f.item.Key
	if left, ok := r.origins[f.item.Key]; ok && left.Origin != "" {
		origin = left.Origin
	}
	if t := f.twin(); t != "" && f.state == "" && origin == f.item.Key {
		old, err := rc.twin(f.item.Epoch, t)
		if err != nil {
			return e, err
		}
		if old != nil {
			origin = old.Item.Key
			if old.Origin != "" {
				origin = old.Origin
			}
			switch old.State {
			case StateDelivered, StateActing, StateDone:
				e = f.entry(r)
				e.Docs, e.Origin = old.Docs, origin
				e.Reason = "taken before, as " + old.Item.Key
				rc.bridged[e.Item.Key] = true
				rc.settleLater(&e)
				return e, nil
			}
		}
	}
	f.name(r.lease.Scope(), origin)
	e = f.entry(r)
	if origin != f.item.Key {
		e.Origin = origin
	}
	if e.State != StatePlanned {
		return e, nil
	}
	if !wantsPut(e.Docs) {
		rc.decide(&e)
	}
	return e, nil
}

// twin asks the ledger for an entry of another epoch with the content key t. What this
// batch matched is not in the ledger yet, so a second match is asked for again after it is.
func (rc *receiver) twin(epoch, t string) (*Entry, error) {
	old, err := rc.r.lease.Twin(rc.ctx, epoch, t)
	if err != nil || old == nil {
		return nil, err
	}
	if rc.matched[old.Item.Key] {
		if err := rc.commit(rc.ctx); err != nil {
			return nil, err
		}
		if old, err = rc.r.lease.Twin(rc.ctx, epoch, t); err != nil || old == nil {
			return nil, err
		}
	}
	rc.matched[old.Item.Key] = true
	return old, nil
}

func wantsPut(docs []Entered) bool {
	for _, d := range docs {
		if d.Decision == Accepted {
			return true
		}
	}
	return false
}

// decide ends an entry whose documents all have their fate.
func (rc *receiver) decide(e *Entry) {
	for _, d := range e.Docs {
		if d.Decision == Held {
			e.State, e.Reason = StateHeld, d.Reason
			return
		}
	}
	rc.settleLater(e)
}

func (rc *receiver) settleLater(e *Entry) {
	e.Action = rc.r.job.afterRefused()
	for _, d := range e.Docs {
		if d.Decision == Delivered {
			e.Action = rc.r.job.after()
		}
	}
	e.State = StateDelivered
	if e.Action.Do == DoLeave { // nothing to do at the source: one write less
		e.State, e.Receipt = StateDone, string(SettleDone)
	}
}

// commit records what waits, and only then tells of it.
func (rc *receiver) commit(ctx context.Context) error {
	if len(rc.recorded) == 0 {
		return nil
	}
	if err := rc.r.record(ctx, rc.recorded); err != nil {
		return err
	}
	for _, e := range rc.recorded {
		switch e.State {
		case StatePlanned, StatePending, StateDeselected:
			continue
		case StateDelivered:
			rc.due = append(rc.due, e)
		}
		if !rc.bridged[e.Item.Key] {
			rc.r.decided(e)
		}
	}
	rc.recorded = rc.recorded[:0]
	return nil
}

// put hands the accepted documents of items to the sink and notes their entries.
func (rc *receiver) put(batch []*found, entries []Entry) error {
	stored, err := rc.callSink(batch)
	if err == nil {
		for i := range batch {
			stored = rc.stored(&entries[i], stored)
			rc.recorded = append(rc.recorded, entries[i])
		}
		return nil
	}
	if !blames(err) {
		return sinkError(err)
	}
	if len(batch) == 1 {
		rc.recorded = append(rc.recorded, rc.attempt(entries[0], err))
		return nil
	}
	for i := range batch { // who is to blame?
		if err := rc.put(batch[i:i+1], entries[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// callSink calls Put with the accepted documents of batch.
func (rc *receiver) callSink(batch []*found) (out []Stored, err error) {
	var docs []*Document
	for _, f := range batch {
		for i := range f.docs {
			if f.docs[i].entry.Decision == Accepted {
				docs = append(docs, &f.docs[i].doc)
			}
		}
	}
	rc.r.event(Event{Step: "put", N: rc.r.summary.Items, Total: rc.r.total})
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, &vaguemestre.Error{Op: "cold: sink", Class: vaguemestre.ClassSink, Err: fmt.Errorf("the sink panicked: %v", p)}
		}
	}()
	step.Before(step.SinkPut)
	out, err = rc.r.job.Sink.Put(rc.ctx, docs)
	step.After(step.SinkPut)
	if err == nil && len(out) != len(docs) {
		err = &vaguemestre.Error{Op: "cold: sink", Class: vaguemestre.ClassSink, Err: fmt.Errorf("the sink answered for %d of %d documents", len(out), len(docs))}
	}
	return out, err
}

// stored writes the sink's answers into an entry and returns the answers that are left.
func (rc *receiver) stored(e *Entry, answers []Stored) []Stored {
	docs := append([]Entered(nil), e.Docs...)
	for i := range docs {
		d := &docs[i]
		if d.Decision != Accepted {
			continue
		}
		a := answers[0]
		answers = answers[1:]
		d.Decision, d.Ref = Delivered, a.Ref
		if a.Skip != "" {
			d.Decision, d.Reason, d.Ref = Held, "the sink will not take it: "+a.Skip, ""
		}
	}
	e.Docs, e.Time, e.Reason = docs, rc.r.job.now(), ""
	rc.decide(e)
	return answers
}

// blame notes that an item could not be read. The source's own failures blame nobody.
func (rc *receiver) blame(it Item, err error) error {
	rc.r.event(Event{Step: "error", Item: it.Key, Err: err})
	if rc.r.dry || !blames(err) {
		return nil
	}
	if errors.Is(err, errTooLarge) {
		it.Size = rc.r.limits.ItemSize + 1
		rc.recorded = append(rc.recorded, rc.r.tooLarge(it))
		return nil
	}
	e := Entry{Item: it, Attempts: rc.r.attempts[it.Key], Rules: rc.r.rules}
	rc.recorded = append(rc.recorded, rc.attempt(e, err))
	return nil
}

// attempt counts a failure against an item, and gives it up after the third run.
func (rc *receiver) attempt(e Entry, err error) Entry {
	e.Attempts++
	e.State, e.Reason, e.Time = StatePending, err.Error(), rc.r.job.now()
	if e.Attempts < attemptsAllowed {
		return e
	}
	e.State = StateQuarantined
	docs := append([]Entered(nil), e.Docs...)
	for i := range docs {
		if docs[i].Decision == Accepted {
			docs[i].Decision, docs[i].Reason = Quarantined, "given up after three runs: "+e.Reason
		}
	}
	if len(docs) == 0 {
		docs = []Entered{{Key: e.Item.Key, Size: max(e.Item.Size, 0), Path: []string{e.Item.Key}, Decision: Quarantined,
			Reason: "given up after three runs: " + e.Reason}}
	}
	e.Docs = docs
	return e
}

func sinkError(err error) error {
	if vaguemestre.ClassOf(err) != "" {
		return err
	}
	return &vaguemestre.Error{Op: "cold: sink", Class: vaguemestre.ClassSink, Err: err}
}
