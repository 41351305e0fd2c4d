package cold

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// list goes through the source page by page.
func (r *run) list(ctx context.Context) error {
	saved, err := r.cursor(ctx)
	if err != nil {
		return err
	}
	cursor, whole := saved, saved == ""
	if !whole {
		// the cursor may hide what an earlier run left: it comes first
		if enough, err := r.takeLeft(ctx); err != nil || enough {
			return err
		}
	}
	for {
		var page Page
		err := r.launcher(func() (err error) {
			page, err = r.session.List(ctx, cursor)
			return err
		})
		if err != nil {
			return err
		}
		if page.More && page.Cursor == cursor {
			return &vaguemestre.Error{Op: "cold: list", Class: vaguemestre.ClassSource,
				Err: errors.New("the launcher gave the same cursor again: its listing would not end")}
		}
		r.event(Event{Step: "list", N: r.summary.Items, Total: r.total + len(page.Items)})
		wanted, err := r.wanted(ctx, page.Items)
		if err != nil {
			return err
		}
		rest, err := r.takeAll(ctx, wanted)
		if err != nil {
			return err
		}
		if !r.dry && page.Cursor != saved {
			if err := r.remember(ctx, wanted); err != nil {
				return err
			}
			if err := r.saveCursor(ctx, page.Cursor); err != nil {
				return err
			}
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
		return r.vanish(ctx)
	}
	return nil
}

// takeLeft takes what an earlier run left, and reports whether a limit was reached.
func (r *run) takeLeft(ctx context.Context) (enough bool, err error) {
	stop := errors.New("a limit was reached")
	err = r.unsettled(ctx, func(page []Entry) error {
		var items []Item
		for _, e := range page {
			if (e.State == StatePending || e.State == StatePlanned) && !r.blamed[e.Item.Key] {
				items = append(items, e.Item)
				r.known[e.Item.Key] = true
			}
		}
		rest, err := r.takeAll(ctx, items)
		if err == nil && len(rest) > 0 {
			err = stop
		}
		return err
	})
	if err == stop {
		return true, nil
	}
	return false, err
}

// cursor is where the listing begins. A cursor that other rules saved is not used: it
// hides what they passed over.
func (r *run) cursor(ctx context.Context) (string, error) {
	if r.dry {
		return "", nil
	}
	saved, err := r.lease.Cursor(ctx)
	if err != nil {
		return "", err
	}
	rules, cursor, _ := strings.Cut(saved, " ")
	if rules != r.rules {
		return "", nil
	}
	return cursor, nil
}

func (r *run) saveCursor(ctx context.Context, cursor string) error {
	if cursor != "" {
		cursor = r.rules + " " + cursor
	}
	step.Before(step.LedgerCursor)
	err := r.lease.SaveCursor(ctx, cursor)
	step.After(step.LedgerCursor)
	return err
}

// remember sees to it that all items are in the ledger, for a cursor will not show them
// again: those that a limit kept from being read, that the source did not bring now, or
// that failed by no fault of theirs.
func (r *run) remember(ctx context.Context, items []Item) error {
	known, err := r.standing(ctx, items)
	if err != nil {
		return err
	}
	var entries []Entry
	for i, it := range items {
		if known[i].State == "" {
			r.known[it.Key] = true
			entries = append(entries, Entry{Item: it, State: StatePending, Reason: "waits: it was listed and not yet read",
				Rules: r.rules, Time: r.job.now()})
		}
	}
	return r.record(ctx, entries)
}

// vanish ends the entries of items that a whole listing does not show any more.
func (r *run) vanish(ctx context.Context) error {
	return r.unsettled(ctx, func(page []Entry) error {
		var gone []Entry
		for _, e := range page {
			key := e.Item.Key
			if e.State != StatePending && e.State != StatePlanned || r.known[key] || r.blamed[key] {
				continue
			}
			e.State, e.Time = StateVanished, r.job.now()
			if name := r.renamed[key]; name != "" {
				e.Reason = fmt.Sprintf("the source names it anew: %.200q", name)
			} else {
				e.Reason = "no longer at the source"
				r.event(Event{Step: "error", Item: key, Err: &vaguemestre.Error{Op: "cold: list", Class: vaguemestre.ClassPoison,
					Err: errors.New("the item is no longer at the source and was not handed over by this job")}})
			}
			gone = append(gone, e)
		}
		return r.record(ctx, gone)
	})
}

// standing asks the ledger, if there is one.
func (r *run) standing(ctx context.Context, items []Item) ([]Standing, error) {
	if r.job.Ledger == nil || len(items) == 0 {
		return make([]Standing, len(items)), nil
	}
	return r.job.Ledger.Standing(ctx, r.job.Name, items)
}

// wanted drops what the ledger has and what Select passes over by size, age and mark.
func (r *run) wanted(ctx context.Context, items []Item) ([]Item, error) {
	known, err := r.standing(ctx, items)
	if err != nil {
		return nil, err
	}
	now := r.job.now()
	var out, given []Item
	var large []Entry
	listed := make(map[string]bool, len(items))
	for i, it := range items {
		if listed[it.Key] || r.blamed[it.Key] {
			continue
		}
		listed[it.Key] = true
		k := known[i]
		again := false // it was wanted before: Select is not asked about its age and mark now
		switch k.State {
		case "", StateVanished: // what vanished and is shown again did not
		case StatePending, StatePlanned:
			again = true
		case StateHeld, StateDeselected:
			if k.Rules == r.rules {
				continue
			}
		case StateQuarantined: // still shown: an earlier run did not get that far
			given = append(given, it)
			continue
		default:
			continue
		}
		if k.State != "" {
			r.known[it.Key] = true
		}
		if ok, _ := r.sel.matchItem(it, now); !ok && !again {
			continue
		}
		if it.Size > r.limits.ItemSize {
			e, err := r.tooLarge(ctx, it, nil)
			if err != nil {
				return nil, err
			}
			large = append(large, e)
			continue
		}
		out = append(out, it)
	}
	r.total += len(out)
	if !r.dry {
		if err := r.quarantine(ctx, given); err != nil {
			return nil, err
		}
		if err := r.record(ctx, large); err != nil {
			return nil, err
		}
	}
	for _, e := range large {
		r.decided(e.Item.Key, e.Docs)
	}
	return out, nil
}
