package cold

import (
	"context"
	"fmt"
	"slices"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// A batch goes to the sink when it has that many items or keeps that many bytes in memory.
const (
	batchItems = 200
	batchBytes = spoolBudget / 2
)

// handover is what the last goroutine of a receiver owns, the lease included.
type handover struct {
	provisional map[string]*found // taken apart, not yet confirmed
	order       []string          // their keys, in the order they came
	ready       []*found          // confirmed
	readyMem    int64
	recorded    []Entry         // decided, to be recorded with the next transaction
	news        []news          // to be told once that is done
	matched     map[string]bool // entries of earlier epochs that recorded matches
	due         []Entry         // their after-action is due
	given       []Item          // given up
}

// news are documents of one item whose fate is to be told.
type news struct {
	item string
	docs []Entered
}

func newHandover() handover {
	return handover{provisional: map[string]*found{}, matched: map[string]bool{}}
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
		rc.due, rc.given = nil, nil
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
			rc.r.decided(f.item.Key, f.entry(rc.r).Docs)
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
	}
	if err := rc.commit(rc.ctx); err != nil {
		return err
	}
	if len(put) == 0 {
		return nil
	}
	return rc.put(put, planned)
}

// note keeps e for the next transaction, and docs to be told of after it.
func (rc *receiver) note(e Entry, docs []Entered) {
	rc.recorded = append(rc.recorded, e)
	if len(docs) > 0 {
		rc.news = append(rc.news, news{e.Item.Key, docs})
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
		case StateDelivered:
			rc.due = append(rc.due, e)
		case StateQuarantined:
			rc.given = append(rc.given, e.Item)
		}
	}
	for _, n := range rc.news {
		rc.r.decided(n.item, n.docs)
	}
	rc.recorded, rc.news = rc.recorded[:0], rc.news[:0]
	clear(rc.matched)
	return nil
}

// put hands the accepted documents of items to the sink and notes their entries.
func (rc *receiver) put(batch []*found, entries []Entry) error {
	var docs []*Document
	for _, f := range batch {
		for i := range f.docs {
			if f.docs[i].entry.Decision == Accepted {
				docs = append(docs, &f.docs[i].doc)
			}
		}
	}
	answers, err := rc.callSink(docs)
	switch {
	case err == nil:
		for i, f := range batch {
			e := &entries[i]
			e.Docs = slices.Clone(e.Docs)
			for k := range e.Docs {
				if e.Docs[k].Decision == Accepted {
					e.Docs[k].answered(answers[0])
					answers = answers[1:]
				}
			}
			rc.handedOver(f, e)
		}
		return nil
	case vaguemestre.ClassOf(err) != vaguemestre.ClassPoison:
		return sinkError(err)
	case len(batch) == 1:
		return rc.putGroups(batch[0], entries[0], err)
	}
	for i := range batch { // who is to blame?
		if err := rc.put(batch[i:i+1], entries[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// putGroups hands an item over group by group, since the sink blamed it with cause:
// the guilty group keeps the item, but not its siblings, from the sink.
func (rc *receiver) putGroups(f *found, e Entry, cause error) error {
	groups := f.groups()
	e.Docs = slices.Clone(e.Docs)
	guilty := len(groups) == 1
	for _, group := range groups {
		if len(groups) == 1 {
			break // it was asked already
		}
		docs := make([]*Document, len(group))
		for k, i := range group {
			docs[k] = &f.docs[i].doc
		}
		answers, err := rc.callSink(docs)
		switch {
		case err == nil:
			for k, i := range group {
				e.Docs[i].answered(answers[k])
			}
		case vaguemestre.ClassOf(err) == vaguemestre.ClassPoison:
			guilty, cause = true, err
		default:
			return sinkError(err)
		}
	}
	if guilty {
		rc.attempt(f, e, cause)
	} else {
		rc.handedOver(f, &e)
	}
	return nil
}

// groups are the indices of the accepted documents, those of one Group together.
func (f *found) groups() [][]int {
	var out [][]int
	at := map[string]int{}
	for i := range f.docs {
		if f.docs[i].entry.Decision != Accepted {
			continue
		}
		g := f.docs[i].doc.Group
		if k, ok := at[g]; ok && g != "" {
			out[k] = append(out[k], i)
			continue
		}
		at[g] = len(out)
		out = append(out, []int{i})
	}
	return out
}

// callSink calls Put.
func (rc *receiver) callSink(docs []*Document) (out []Stored, err error) {
	rc.r.event(Event{Step: "put", N: rc.r.summary.Items, Total: rc.r.total})
	defer guard("sink", vaguemestre.ClassSink, &err)
	step.Before(step.SinkPut)
	out, err = rc.r.job.Sink.Put(rc.ctx, docs)
	step.After(step.SinkPut)
	if err == nil && len(out) != len(docs) {
		err = &vaguemestre.Error{Op: "cold: sink", Class: vaguemestre.ClassSink, Err: fmt.Errorf("the sink answered for %d of %d documents", len(out), len(docs))}
	}
	return out, err
}

// answered writes the sink's answer into a document's line.
func (d *Entered) answered(a Stored) {
	if a.Skip != "" {
		d.Decision, d.Reason = Held, "the sink will not take it: "+a.Skip
	} else {
		d.Decision, d.Ref = Delivered, a.Ref
	}
}

func sinkError(err error) error {
	if vaguemestre.ClassOf(err) != "" {
		return err
	}
	return &vaguemestre.Error{Op: "cold: sink", Class: vaguemestre.ClassSink, Err: err}
}
