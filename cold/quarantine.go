package cold

import (
	"context"
	"fmt"

	"github.com/vaguemestre/vaguemestre"
)

// quarantine has the source put items away that the ledger has as quarantined, if it can.
// Nothing is recorded before it: a run that ends here leaves the items in the listing, where
// the next one finds them.
func (r *run) quarantine(ctx context.Context, items []Item) error {
	q, ok := r.session.(Quarantiner)
	if !ok || len(items) == 0 {
		return nil
	}
	var receipts []Receipt
	err := r.launcher(func() (err error) {
		receipts, err = q.Quarantine(ctx, items)
		return err
	})
	for i, rc := range receipts[:min(len(receipts), len(items))] {
		if rc.Outcome == SettleDone || rc.Outcome == SettleGone {
			r.log.Info("collect: given up and put away", "item", items[i].Key, "to", rc.Ref)
			continue
		}
		r.event(Event{Step: "error", Item: items[i].Key, Err: orUnknown(rc.Err)})
		if r.trouble == nil {
			r.trouble = &vaguemestre.Error{Op: "cold: quarantine", Class: vaguemestre.ClassSource,
				Err: fmt.Errorf("an item that was given up could not be put away: the source answered %s: %w; the next run tries again", rc.Outcome, orUnknown(rc.Err))}
		}
	}
	return err
}
