package cold

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/vaguemestre/vaguemestre"
)

// MemoryLedger is a [Ledger] that forgets everything when the process ends: for
// tests, and for sources whose items are gone once they are taken. It keeps the
// whole contract except that nothing survives. The zero value is empty and ready;
// it must not be copied after first use.
type MemoryLedger struct {
	mu   sync.Mutex
	id   string // random, so that two ledgers never share document keys
	jobs map[string]*memoryJob
}

type memoryJob struct {
	held    bool
	fence   uint64
	cursor  string
	entries map[string]*Entry
	twins   map[string][]string // content key to the item keys that have it, oldest first
	origins map[epochOrigin]int // how many items of an epoch were matched with an item
}

type epochOrigin struct{ epoch, origin string }

// NewMemoryLedger returns an empty ledger.
func NewMemoryLedger() *MemoryLedger { return &MemoryLedger{} }

// job returns the named job, made if unknown. m.mu is held.
func (m *MemoryLedger) job(name string) *memoryJob {
	if m.jobs == nil {
		m.jobs, m.id = map[string]*memoryJob{}, "memory-"+rand.Text()
	}
	j := m.jobs[name]
	if j == nil {
		j = &memoryJob{entries: map[string]*Entry{}, twins: map[string][]string{}, origins: map[epochOrigin]int{}}
		m.jobs[name] = j
	}
	return j
}

// Lock implements [Ledger].
func (m *MemoryLedger) Lock(ctx context.Context, job string) (Lease, error) {
	if err := memoryCanceled(ctx, "lock"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.job(job)
	if j.held {
		return nil, &vaguemestre.Error{Op: "ledger: lock", Class: vaguemestre.ClassBusy,
			Err: errors.New("another run holds this job; wait until it ends")}
	}
	j.held = true
	j.fence++
	return &memoryLease{m: m, j: j, fence: j.fence, scope: m.id + "/" + job}, nil
}

// Standing implements [Ledger].
func (m *MemoryLedger) Standing(ctx context.Context, job string, items []Item) ([]Standing, error) {
	if err := memoryCanceled(ctx, "standing"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.job(job)
	out := make([]Standing, len(items))
	for i, it := range items {
		if e := j.entries[it.Key]; e != nil {
			out[i] = Standing{State: e.State, Attempts: e.Attempts, Rules: e.Rules}
		}
	}
	return out, nil
}

// Explain implements [Ledger].
func (m *MemoryLedger) Explain(ctx context.Context, job, itemKey string) (*Entry, error) {
	if err := memoryCanceled(ctx, "explain"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.job(job).entries[itemKey]
	if e == nil {
		return nil, nil
	}
	return e.clone(), nil
}

// Crash frees every job, as the end of the process that held it would. A lease given
// out before is stale as soon as its job is locked again. It is meant for tests.
func (m *MemoryLedger) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		j.held = false
	}
}

// clone copies e with everything it points to.
func (e *Entry) clone() *Entry {
	c := *e
	c.Docs = slices.Clone(e.Docs)
	for i := range c.Docs {
		c.Docs[i].Path = slices.Clone(c.Docs[i].Path)
		c.Docs[i].Repairs = slices.Clone(c.Docs[i].Repairs)
	}
	return &c
}

// memoryLease is a [Lease] on one job of a MemoryLedger.
type memoryLease struct {
	m      *MemoryLedger
	j      *memoryJob
	fence  uint64
	scope  string
	closed bool
}

func (l *memoryLease) Scope() string { return l.scope }

// begin locks the ledger for one call; the caller calls end when err is nil.
func (l *memoryLease) begin(ctx context.Context, op string) (end func(), err error) {
	if err := memoryCanceled(ctx, op); err != nil {
		return nil, err
	}
	l.m.mu.Lock()
	if l.closed {
		l.m.mu.Unlock()
		return nil, &vaguemestre.Error{Op: "ledger: " + op, Class: vaguemestre.ClassConfig,
			Err: errors.New("the lease was closed; lock the job again")}
	}
	return l.m.mu.Unlock, nil
}

// stale reports, with the ledger locked, that a newer lease exists.
func (l *memoryLease) stale(op string) error {
	if l.fence == l.j.fence {
		return nil
	}
	return &vaguemestre.Error{Op: "ledger: " + op, Class: vaguemestre.ClassBusy, Err: ErrStale}
}

func (l *memoryLease) Record(ctx context.Context, entries []Entry) error {
	end, err := l.begin(ctx, "record")
	if err != nil {
		return err
	}
	defer end()
	if err := l.stale("record"); err != nil {
		return err
	}
	for i := range entries {
		if entries[i].Item.Key == "" || entries[i].State == "" {
			return &vaguemestre.Error{Op: "ledger: record", Class: vaguemestre.ClassConfig,
				Err: errors.New("an entry needs an item key and a state")}
		}
	}
	for i := range entries {
		e := entries[i].clone()
		old := l.j.entries[e.Item.Key]
		if old != nil && e.Docs == nil {
			e.Docs = old.Docs
		}
		if old == nil || old.Twin != e.Twin {
			if old != nil {
				l.j.twins[old.Twin] = slices.DeleteFunc(l.j.twins[old.Twin],
					func(k string) bool { return k == e.Item.Key })
			}
			if e.Twin != "" {
				l.j.twins[e.Twin] = append(l.j.twins[e.Twin], e.Item.Key)
			}
		}
		if old != nil {
			l.j.origins[epochOrigin{old.Item.Epoch, old.Origin}]--
		}
		l.j.origins[epochOrigin{e.Item.Epoch, e.Origin}]++
		l.j.entries[e.Item.Key] = e
	}
	return nil
}

func (l *memoryLease) Unsettled(ctx context.Context, after string, limit int) ([]Entry, error) {
	end, err := l.begin(ctx, "unsettled")
	if err != nil {
		return nil, err
	}
	defer end()
	var out []Entry
	for k, e := range l.j.entries {
		if k > after && !e.State.Terminal() {
			c := *e
			c.Docs = nil
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Item.Key, b.Item.Key) })
	return out[:min(len(out), max(limit, 0))], nil
}

func (l *memoryLease) Twin(ctx context.Context, epoch, twin string) (*Entry, error) {
	end, err := l.begin(ctx, "twin")
	if err != nil {
		return nil, err
	}
	defer end()
	if twin == "" { // an item that was never read resembles nothing
		return nil, nil
	}
	root := func(key string) string {
		if e := l.j.entries[key]; e != nil && e.Origin != "" {
			return e.Origin
		}
		return key
	}
	matched := map[string]bool{} // mails that an item of epoch stands for already
	for _, k := range l.j.twins[twin] {
		for _, o := range []string{k, root(k)} {
			if l.j.origins[epochOrigin{epoch, o}] > 0 {
				matched[root(k)] = true
			}
		}
	}
	// Entries of several epochs may stand for one mail: the one that got furthest answers.
	var best *Entry
	for _, k := range l.j.twins[twin] {
		e := l.j.entries[k]
		if e.Item.Epoch == epoch || matched[root(k)] {
			continue
		}
		if best == nil || root(k) == root(best.Item.Key) && e.State.handedOver() && !best.State.handedOver() {
			best = e
		}
	}
	if best == nil {
		return nil, nil
	}
	return best.clone(), nil
}

// handedOver reports whether the documents of an item in this state are safe in the sink.
func (s State) handedOver() bool {
	return s == StateDelivered || s == StateActing || s == StateDone
}

func (l *memoryLease) Cursor(ctx context.Context) (string, error) {
	end, err := l.begin(ctx, "cursor")
	if err != nil {
		return "", err
	}
	defer end()
	return l.j.cursor, nil
}

func (l *memoryLease) SaveCursor(ctx context.Context, cursor string) error {
	end, err := l.begin(ctx, "save cursor")
	if err != nil {
		return err
	}
	defer end()
	if err := l.stale("save cursor"); err != nil {
		return err
	}
	l.j.cursor = cursor
	return nil
}

func (l *memoryLease) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if !l.closed && l.fence == l.j.fence {
		l.j.held = false
	}
	l.closed = true
	return nil
}

func memoryCanceled(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &vaguemestre.Error{Op: "ledger: " + op, Class: vaguemestre.ClassCanceled, Err: err}
	}
	return nil
}
