package cold

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// leftovers settles what an earlier run handed over.
func (r *run) leftovers(ctx context.Context) error {
	if r.dry {
		return nil
	}
	return r.unsettled(ctx, func(page []Entry) error {
		var due []Entry
		for _, e := range page {
			if e.State != StateDelivered && e.State != StateActing {
				continue
			}
			if a := orLeave(e.Action); a != r.job.after() && a != r.job.afterRefused() {
				// the job's after-action was changed since, perhaps because that one cannot be done
				whole, err := r.job.Ledger.Explain(ctx, r.job.Name, e.Item.Key)
				if err != nil {
					return err
				}
				if whole != nil {
					e.Action = r.action(whole.Docs)
				}
			}
			due = append(due, e)
		}
		return r.settle(ctx, due)
	})
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
	var receipts []Receipt
	err := r.launcher(func() (err error) {
		receipts, err = r.session.Settle(ctx, items, action)
		return err
	})
	step.After(step.Settle)
	for err == nil && len(receipts) < len(items) {
		receipts = append(receipts, Receipt{Outcome: SettleUnknown, Err: errors.New("the launcher gave no receipt")})
	}
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
			e.Reason = orUnknown(rc.Err).Error()
			r.event(Event{Step: "error", Item: e.Item.Key, Err: orUnknown(rc.Err)})
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
