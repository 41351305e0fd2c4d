package cold

import (
	"context"
	"log/slog"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// chunk is how many items one call of Open is given: enough that round trips do not
// count, few enough that after-actions follow soon.
const chunk = 1000

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

	summary Summary
	trace   []Decided // of a dry run
	begun   time.Time
	bytes   int64             // read
	total   int               // items known to wait
	known   map[string]bool   // items to take that the ledger has an entry of, by key
	blamed  map[string]bool   // items that this run counted an attempt against
	renamed map[string]string // old keys of items that waited when a new epoch named them anew
	trouble error             // the first after-action that was refused
}

func newRun(j *Job, sel *selector) *run {
	r := &run{job: j, sel: sel, rules: j.rules(), limits: j.Limits.withDefaults(), log: j.Logger,
		room: newRoom(j.Scratch), begun: j.now(), known: map[string]bool{}, blamed: map[string]bool{}, renamed: map[string]string{}}
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
	err := r.launcher(func() (err error) {
		r.session, err = r.job.Launcher.Connect(ctx, &ConnectOptions{ReadOnly: r.dry, Logger: r.log})
		return err
	})
	if err != nil {
		return err
	}
	defer r.session.Close()
	if err := r.leftovers(ctx); err != nil {
		return err
	}
	if err := r.list(ctx); err != nil {
		return err
	}
	return r.trouble
}

// launcher calls f, which asks the launcher for something.
func (r *run) launcher(f func() error) (err error) {
	defer guard("launcher", vaguemestre.ClassSource, &err)
	return f()
}

// unsettled calls f for what the ledger has not ended, page by page.
func (r *run) unsettled(ctx context.Context, f func([]Entry) error) error {
	for after := ""; ; {
		page, err := r.lease.Unsettled(ctx, after, chunk)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].Item.Key
		if err := f(page); err != nil {
			return err
		}
	}
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
		due, given, err := r.takeChunk(ctx, now)
		if serr := r.settle(ctx, due); err == nil {
			err = serr
		}
		if qerr := r.quarantine(ctx, given); err == nil {
			err = qerr
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
			if items[i].Size < 0 { // nobody knows how many come
				return i + 1
			}
			have += items[i].Size
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

// decided tells and counts documents whose fate is sealed.
func (r *run) decided(item string, docs []Entered) {
	for _, d := range docs {
		if d.Decision == Passed {
			continue
		}
		r.summary.count(d.Decision, d.Size)
		one := Decided{Job: r.job.Name, Item: item, Entered: d}
		if r.dry {
			r.trace = append(r.trace, one)
		}
		if r.job.OnDecision != nil {
			r.job.OnDecision(one)
		}
	}
}

// takeChunk opens items, which run through a receiver, and returns the entries whose
// after-action is due and the items that were given up.
func (r *run) takeChunk(ctx context.Context, items []Item) (due []Entry, given []Item, err error) {
	rc := newReceiver(ctx, r, items)
	err = r.launcher(func() error { return r.session.Open(ctx, items, rc.got) })
	err = rc.end(err)
	return rc.due, rc.given, err
}
