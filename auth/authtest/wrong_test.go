package authtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/suite"
)

// wrongStore is a right store with one fault.
type wrongStore struct {
	*auth.Memory
	fault string
	own   *auth.Memory // of this opening alone
	last  []byte
	mu    *sync.Mutex
}

func (w *wrongStore) Load(ctx context.Context, name string) ([]byte, int64, error) {
	switch w.fault {
	case "is an error if nothing is there":
		v, rev, err := w.Memory.Load(ctx, name)
		if v == nil && err == nil {
			err = errors.New("not found")
		}
		return v, rev, err
	case "keeps what it saved to itself":
		return w.own.Load(ctx, name)
	case "folds case":
		name = strings.ToLower(name)
	case "cuts names at a zero byte":
		name, _, _ = strings.Cut(name, "\x00")
	case "gives out its own bytes":
		if v, rev, err := w.Memory.Load(ctx, name); v == nil {
			return v, rev, err
		} else if w.last == nil {
			w.last = v
		}
		_, rev, err := w.Memory.Load(ctx, name)
		return w.last, rev, err
	case "counts from zero":
		v, rev, err := w.Memory.Load(ctx, name)
		return v, max(rev-1, 0), err
	case "needs the lock to load":
		if unlock, err := w.Memory.Lock(ctx, name); err == nil {
			defer unlock()
		} else {
			return nil, 0, err
		}
	}
	v, rev, err := w.Memory.Load(ctx, name)
	switch {
	case w.fault == "takes empty for nothing" && len(v) == 0:
		return nil, 0, err
	case w.fault == "cuts at 4 kB" && len(v) > 4096:
		return v[:4096], rev, err
	case w.fault == "keeps text alone":
		return []byte(strings.ToValidUTF8(string(v), "?")), rev, err
	}
	return v, rev, err
}

func (w *wrongStore) Save(ctx context.Context, name string, value []byte, rev int64) (int64, error) {
	now := func() int64 { _, rev, _ := w.Memory.Load(ctx, name); return rev }
	switch w.fault {
	case "keeps what it saved to itself":
		return w.own.Save(ctx, name, value, rev)
	case "folds case":
		name = strings.ToLower(name)
	case "cuts names at a zero byte":
		name, _, _ = strings.Cut(name, "\x00")
	case "lets the last one win":
		rev = now()
	case "lets a removal win":
		if value == nil {
			rev = now()
		}
	case "takes revision 0 for any":
		if rev == 0 {
			rev = now()
		}
	case "has another word for conflict":
		if next, err := w.Memory.Save(ctx, name, value, rev); errors.Is(err, auth.ErrConflict) {
			return next, errors.New("changed meanwhile")
		} else {
			return next, err
		}
	case "stores an empty value in place of none":
		if value == nil {
			value = []byte{}
		}
	case "changes nothing for the same value":
		if old, at, _ := w.Memory.Load(ctx, name); rev == at && bytes.Equal(old, value) && old != nil {
			return at, nil
		}
	case "counts from zero":
		next, err := w.Memory.Save(ctx, name, value, max(rev, now()))
		return next - 1, err
	case "begins anew after removal":
		w.mu.Lock()
		defer w.mu.Unlock()
		if value == nil {
			next, err := w.Memory.Save(ctx, name, nil, rev)
			*w.Memory = auth.Memory{} //nolint:govet // nobody else is there
			return next, err
		}
	case "looks before it saves, not while":
		if now() != rev {
			return 0, auth.ErrConflict
		}
		time.Sleep(time.Millisecond)
		var next int64
		err := auth.ErrConflict
		for errors.Is(err, auth.ErrConflict) {
			next, err = w.Memory.Save(ctx, name, value, now())
		}
		return next, err
	}
	return w.Memory.Save(ctx, name, value, rev)
}

func (w *wrongStore) Lock(ctx context.Context, name string) (func(), error) {
	switch w.fault {
	case "locks nothing":
		return func() {}, ctx.Err()
	case "locks within one opening":
		return w.own.Lock(ctx, name)
	case "does not wait for a lock":
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return w.tryLock(ctx, name)
	case "waits for ever":
		return w.Memory.Lock(context.WithoutCancel(ctx), name)
	case "has one lock for all":
		return w.Memory.Lock(ctx, "all")
	case "unlocks whoever holds it":
		return w.unlockAny(ctx, name)
	case "keeps the lock for who has left":
		unlock, err := w.Memory.Lock(ctx, name)
		if err != nil {
			go w.Memory.Lock(context.Background(), name)
			time.Sleep(5 * time.Millisecond)
		}
		return unlock, err
	}
	return w.Memory.Lock(ctx, name)
}

// tryLock gives up at once.
func (w *wrongStore) tryLock(_ context.Context, name string) (func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if holders[name] {
		return nil, errors.New("held")
	}
	holders[name] = true
	return sync.OnceFunc(func() { w.mu.Lock(); defer w.mu.Unlock(); delete(holders, name) }), nil
}

var holders = map[string]bool{}

// unlockAny is a lock whose unlocking always frees it.
func (w *wrongStore) unlockAny(ctx context.Context, name string) (func(), error) {
	w.mu.Lock()
	l, ok := tokens[name]
	if !ok {
		l = make(chan struct{}, 1)
		tokens[name] = l
	}
	w.mu.Unlock()
	select {
	case l <- struct{}{}:
		return func() {
			select {
			case <-l:
			default:
			}
		}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var tokens = map[string]chan struct{}{}

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else each process of the race detector ends with a second of sleep
	m.Run()
}

// TestSuiteFindsWrongStores proves the suite: each fault fails in the case that is there
// for it.
func TestSuiteFindsWrongStores(t *testing.T) {
	for fault, want := range map[string]string{
		"is an error if nothing is there":        "nothing is there",
		"takes empty for nothing":                "a value comes back",
		"counts from zero":                       "a value comes back",
		"cuts at 4 kB":                           "all bytes come back",
		"keeps text alone":                       "all bytes come back",
		"gives out its own bytes":                "values are the store's own",
		"folds case":                             "names are kept apart",
		"cuts names at a zero byte":              "names are kept apart",
		"lets the last one win":                  "another revision is refused",
		"lets a removal win":                     "another revision is refused",
		"takes revision 0 for any":               "another revision is refused",
		"has another word for conflict":          "another revision is refused",
		"stores an empty value in place of none": "nil removes",
		"changes nothing for the same value":     "a revision never comes again",
		"begins anew after removal":              "a revision never comes again",
		"keeps what it saved to itself":          "what is saved is there for all",
		"looks before it saves, not while":       "one of many wins",
		"needs the lock to load":                 "no change is lost",
		"locks nothing":                          "a lock excludes",
		"locks within one opening":               "a lock excludes",
		"does not wait for a lock":               "a waiter gets the lock",
		"waits for ever":                         "a lock excludes",
		"keeps the lock for who has left":        "a waiter can be canceled",
		"has one lock for all":                   "locks of two names are two",
		"unlocks whoever holds it":               "unlocking twice",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			suite.Wrong(t, strings.ReplaceAll(want, " ", "_"), func(t *testing.T) {
				patience, late = time.Second, 300*time.Millisecond // in a process of its own
				TestStore(t, func(t *testing.T) func() auth.Store {
					m, mu := new(auth.Memory), new(sync.Mutex)
					return func() auth.Store { return &wrongStore{Memory: m, fault: fault, own: new(auth.Memory), mu: mu} }
				})
			})
		})
	}
}
