package cold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// chunk is how many items one call of Open is given: enough that round trips do not
// count, few enough that after-actions follow soon.
const chunk = 1000

// attemptsAllowed is how many runs may blame an item before it is given up.
const attemptsAllowed = 3

// run is one pass of a job. The order of its steps is what keeps documents safe:
//
//	lock → settle what was left → list → open, spool, take apart → record the manifest
//	→ put → record → after-action → record
type run struct {
	job     *Job
	sel     *selector
	rules   string
	limits  Limits
	dry     bool
	log     *slog.Logger
	lease   Lease // nil in a dry run
	session Session
	room    *room
	x       *extractor

	summary  Summary
	trace    []Decided // of a dry run
	begun    time.Time
	bytes    int64            // read
	total    int              // items known to wait
	attempts map[string]int   // of items known to have failed
	origins  map[string]Entry // entries left by an earlier run, by item key
	trouble  error            // the first after-action that was refused
}

func newRun(j *Job, sel *selector) *run {
	r := &run{job: j, sel: sel, rules: j.rules(), limits: j.Limits.withDefaults(), log: j.Logger,
		room: newRoom(j.Scratch), begun: j.now(), attempts: map[string]int{}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.log = r.log.With("job", j.Name)
	r.x = newExtractor(j, sel, r.room)
	return r
}

func (r *run) event(e Event) {
	if e.Err != nil {
		r.log.Warn("collect", "step", e.Step, "item", e.Item, "err", e.Err)
	} else {
		r.log.Debug("collect", "step", e.Step, "item", e.Item, "n", e.N, "total", e.Total)
	}
	if r.job.OnEvent != nil {
		e.Time, e.Job = r.job.now(), r.job.Name
		r.job.OnEvent(e)
	}
}

func (r *run) run(ctx context.Context) error {
	if !r.dry {
		lease, err := r.job.Ledger.Lock(ctx, r.job.Name)
		if err != nil {
			return err
		}
		defer lease.Close()
		r.lease = lease
	}
	defer r.room.close()
	r.event(Event{Step: "connect"})
	s, err := r.job.Launcher.Connect(ctx, &ConnectOptions{ReadOnly: r.dry, Logger: r.log})
	if err != nil {
		return err
	}
	defer s.Close()
	r.session = s

	left, err := r.leftovers(ctx)
	if err != nil {
		return err
	}
	if err := r.list(ctx, left); err != nil {
		return err
	}
	return r.trouble
}

// leftovers settles what an earlier run handed over and returns the entries that it
// did not, by item key.
func (r *run) leftovers(ctx context.Context) (map[string]Entry, error) {
	left := map[string]Entry{}
	if r.dry {
		return left, nil
	}
	for after := ""; ; {
		page, err := r.lease.Unsettled(ctx, after, chunk)
		if err != nil {
			return nil, err
		}
		var due []Entry
		for _, e := range page {
			after = e.Item.Key
			if e.State == StateDelivered || e.State == StateActing {
				due = append(due, e)
			} else {
				left[e.Item.Key] = e
			}
		}
		if err := r.settle(ctx, due); err != nil {
			return nil, err
		}
		if len(page) < chunk {
			return left, nil
		}
	}
}

// list goes through the source page by page. left are entries of earlier runs that
// were not handed over: they are taken with what is new.
func (r *run) list(ctx context.Context, left map[string]Entry) error {
	cursor := ""
	if !r.dry {
		var err error
		if cursor, err = r.lease.Cursor(ctx); err != nil {
			return err
		}
	}
	saved, whole := cursor, cursor == ""
	r.origins = left
	tried := map[string]bool{}
	for {
		page, err := r.session.List(ctx, cursor)
		if err != nil {
			return err
		}
		r.event(Event{Step: "list", N: r.summary.Items, Total: r.total + len(page.Items)})
		wanted, err := r.wanted(ctx, page.Items, left, tried)
		if err != nil {
			return err
		}
		if !page.More && !whole {
			// the cursor hides what an earlier run left: take it from the ledger
			for k, e := range left {
				if !tried[k] {
					wanted = append(wanted, e.Item)
				}
			}
		}
		r.total += len(wanted)
		rest, err := r.takeAll(ctx, wanted)
		if err != nil {
			return err
		}
		if !r.dry && page.Cursor != saved {
			if err := r.remember(ctx, rest); err != nil {
				return err
			}
			step.Before(step.LedgerCursor)
			if err := r.lease.SaveCursor(ctx, page.Cursor); err != nil {
				return err
			}
			step.After(step.LedgerCursor)
			saved = page.Cursor
		}
		if len(rest) > 0 { // a limit was reached
			return nil
		}
		cursor = page.Cursor
		if !page.More {
			break
		}
	}
	if whole && !r.dry {
		return r.vanish(ctx, left, tried)
	}
	return nil
}

// remember puts items that a limit kept from being read into the ledger, for a cursor
// will not show them again.
func (r *run) remember(ctx context.Context, items []Item) error {
	var entries []Entry
	for _, it := range items {
		if _, known := r.origins[it.Key]; !known {
			entries = append(entries, Entry{Item: it, State: StatePending, Reason: "waits: a limit of the run was reached",
				Rules: r.rules, Time: r.job.now()})
		}
	}
	return r.record(ctx, entries)
}

// vanish ends the entries of items that a whole listing does not show any more.
func (r *run) vanish(ctx context.Context, left map[string]Entry, seen map[string]bool) error {
	var gone []Entry
	for k, e := range left {
		if !seen[k] {
			e.State, e.Reason, e.Time = StateVanished, "no longer at the source", r.job.now()
			gone = append(gone, e)
			r.event(Event{Step: "error", Item: k, Err: &vaguemestre.Error{Op: "cold: list", Class: vaguemestre.ClassPoison,
				Err: errors.New("the item is no longer at the source and was not handed over by this job")}})
		}
	}
	return r.record(ctx, gone)
}

// wanted drops what the ledger has and what Select passes over by size, age and mark.
func (r *run) wanted(ctx context.Context, items []Item, left map[string]Entry, tried map[string]bool) ([]Item, error) {
	if len(items) == 0 {
		return nil, nil
	}
	known := make([]Standing, len(items))
	if r.job.Ledger != nil {
		var err error
		if known, err = r.job.Ledger.Standing(ctx, r.job.Name, items); err != nil {
			return nil, err
		}
	}
	now := r.job.now()
	var out []Item
	var large []Entry
	for i, it := range items {
		if _, ok := left[it.Key]; ok {
			tried[it.Key] = true
		}
		k := known[i]
		switch k.State {
		case "", StatePending, StatePlanned:
		case StateHeld, StateDeselected:
			if k.Rules == r.rules {
				continue
			}
		default:
			continue
		}
		if ok, _ := r.sel.matchItem(it, now); !ok {
			continue
		}
		if it.Size > r.limits.ItemSize {
			large = append(large, r.tooLarge(it))
			continue
		}
		if k.Attempts > 0 {
			r.attempts[it.Key] = k.Attempts
		}
		out = append(out, it)
	}
	if r.dry {
		for _, e := range large {
			r.decided(e)
		}
		return out, nil
	}
	if err := r.record(ctx, large); err != nil {
		return nil, err
	}
	for _, e := range large {
		r.decided(e)
	}
	return out, nil
}

func (r *run) tooLarge(it Item) Entry {
	reason := fmt.Sprintf("%d bytes: larger than the limit of this job, %d bytes; raise Limits.ItemSize to take it", it.Size, r.limits.ItemSize)
	return Entry{Item: it, State: StateHeld, Reason: reason, Rules: r.rules, Time: r.job.now(),
		Docs: []Entered{{Key: it.Key, Size: it.Size, Path: []string{it.Key}, Decision: Held, Reason: reason}}}
}

// takeAll opens items chunk by chunk and does the after-action of each chunk. It
// returns those that a limit kept from being opened.
func (r *run) takeAll(ctx context.Context, items []Item) (rest []Item, err error) {
	for len(items) > 0 {
		n := r.allowed(items)
		if n == 0 {
			return items, nil
		}
		now := items[:n]
		items = items[n:]
		due, err := r.takeChunk(ctx, now)
		if serr := r.settle(ctx, due); err == nil {
			err = serr
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// allowed is how many of items the limits still let in, at most a chunk.
func (r *run) allowed(items []Item) int {
	n := min(len(items), chunk)
	if l := r.limits.Items; l > 0 {
		n = min(n, l-r.summary.Items)
	}
	if l := r.limits.Time; l > 0 {
		if r.job.now().Sub(r.begun) >= l {
			return 0
		}
		n = min(n, 50)
	}
	if l := r.limits.Bytes; l > 0 {
		have := r.bytes
		for i := range n {
			if have >= l {
				return i
			}
			have += max(items[i].Size, 0)
		}
	}
	return max(n, 0)
}

// record writes entries, in one transaction.
func (r *run) record(ctx context.Context, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	return r.lease.Record(ctx, entries)
}

// decided tells and counts the documents of an entry whose fate is sealed.
func (r *run) decided(e Entry) {
	for _, d := range e.Docs {
		if d.Decision == Passed {
			continue
		}
		r.summary.count(d.Decision, d.Size)
		one := Decided{Job: r.job.Name, Item: e.Item.Key, Entered: d}
		if r.dry {
			r.trace = append(r.trace, one)
		}
		if r.job.OnDecision != nil {
			r.job.OnDecision(one)
		}
	}
}

// settle does the after-action of entries that are delivered and records the receipts.
func (r *run) settle(ctx context.Context, due []Entry) error {
	if len(due) == 0 {
		return nil
	}
	byAction := map[After][]Entry{}
	var done []Entry
	for _, e := range due {
		if a := orLeave(e.Action); a.Do == DoLeave {
			e.State, e.Receipt, e.Time = StateDone, string(SettleDone), r.job.now()
			done = append(done, e)
		} else {
			byAction[a] = append(byAction[a], e)
		}
	}
	if err := r.record(ctx, done); err != nil {
		return err
	}
	for action, entries := range byAction {
		if err := r.settleOne(ctx, action, entries); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) settleOne(ctx context.Context, action After, entries []Entry) error {
	items := make([]Item, len(entries))
	for i := range entries {
		items[i] = entries[i].Item
		if entries[i].State != StateActing {
			items[i].MessageID = "" // nothing was begun: there is nothing to find again
		}
		entries[i].State, entries[i].Time = StateActing, r.job.now()
	}
	if err := r.record(ctx, entries); err != nil {
		return err
	}
	r.event(Event{Step: "settle", N: len(items), Total: r.total})
	step.Before(step.Settle)
	receipts, err := r.session.Settle(ctx, items, action)
	step.After(step.Settle)
	var done []Entry
	for i, rc := range receipts[:min(len(receipts), len(entries))] {
		e := entries[i]
		e.Time = r.job.now()
		if action.Do == DoDelete && rc.Outcome == SettleGone {
			rc.Outcome = SettleDone // it is so now, whoever did it
		}
		e.Receipt = string(rc.Outcome)
		if rc.Ref != "" {
			e.Receipt += " " + rc.Ref
		}
		switch rc.Outcome {
		case SettleDone, SettleGone:
			e.State, e.Reason = StateDone, ""
		default:
			if rc.Err != nil {
				e.Reason = rc.Err.Error()
			}
			r.event(Event{Step: "error", Item: e.Item.Key, Err: rc.Err})
			if r.trouble == nil {
				r.trouble = &vaguemestre.Error{Op: "cold: after-action " + string(action.Do), Class: vaguemestre.ClassSource,
					Err: fmt.Errorf("the documents are safe, but the source answered %s: %w; the next run tries again", rc.Outcome, orUnknown(rc.Err))}
			}
		}
		done = append(done, e)
	}
	// what was done must be recorded even while ctx is ending
	if rerr := r.record(context.WithoutCancel(ctx), done); rerr != nil {
		return rerr
	}
	return err
}

func orUnknown(err error) error {
	if err == nil {
		return errors.New("no reason given")
	}
	return err
}

// takeChunk opens items, which run through a receiver, and returns the entries whose
// after-action is due.
func (r *run) takeChunk(ctx context.Context, items []Item) ([]Entry, error) {
	rc := newReceiver(ctx, r)
	err := r.session.Open(ctx, items, rc.got)
	err = rc.end(err)
	return rc.due, err
}

// spoolItem reads what a launcher gave into a spool.
func (r *run) spoolItem(c *Content, wait func() bool) (*spool, error) {
	if c.Body == nil {
		return nil, &vaguemestre.Error{Op: "cold: read item", Class: vaguemestre.ClassPoison, Err: errors.New("the launcher gave no content")}
	}
	return r.room.read(c.Body, c.Size, r.limits.ItemSize, wait)
}

var _ io.ReaderAt = (*spool)(nil)
