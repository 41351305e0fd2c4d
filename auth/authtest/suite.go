// Package authtest proves token stores of one's own: [TestStore] checks the contract of
// [auth.Store] sentence by sentence, and each case quotes the sentence that it checks. The
// suite is itself tested: it fails on stores that are wrong on purpose.
//
//	func TestVault(t *testing.T) {
//		authtest.TestStore(t, func(t *testing.T) func() auth.Store {
//			dir := t.TempDir()
//			return func() auth.Store { return OpenVault(dir) }
//		})
//	}
//
// That locks hold between processes and end with them, and that values outlive a power cut,
// cannot be seen from inside of one process: test it besides.
//
// The package imports testing, so production code must not import it.
package authtest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
)

// TestStore proves that a store keeps the contract of [auth.Store]. open is called for
// every case and gives an empty place; what it returns is called several times and opens
// that same place anew, as another process would (a store in memory returns itself). Closing
// is the caller's, by t.Cleanup.
func TestStore(t *testing.T, open func(t *testing.T) func() auth.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := &storeTest{T: t, open: open(t)}
			s.s = s.open()
			c.run(s)
		})
	}
}

type storeCase struct {
	name  string
	quote string // a sentence of package auth
	run   func(*storeTest)
}

// storeTest is one case with a few words of its own.
type storeTest struct {
	*testing.T
	open func() auth.Store
	s    auth.Store
}

var (
	patience = 20 * time.Second // for what should not wait at all
	late     = 2 * time.Second  // for what should end with its context
)

// soon bounds what should not wait.
func (t *storeTest) soon() context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// save must succeed.
func (t *storeTest) save(s auth.Store, name string, value []byte, rev int64) int64 {
	t.Helper()
	next, err := s.Save(t.soon(), name, value, rev)
	if err != nil {
		t.Fatalf("save %.40q in the place of revision %d: %v", name, rev, err)
	}
	return next
}

// holds fails unless the store has exactly that.
func (t *storeTest) holds(s auth.Store, name string, value []byte, rev int64) {
	t.Helper()
	got, at, err := s.Load(t.soon(), name)
	if err != nil {
		t.Fatalf("load %.40q: %v", name, err)
	}
	if (got == nil) != (value == nil) || !bytes.Equal(got, value) || at != rev {
		t.Fatalf("%.40q is %.40q (nil: %v, %d bytes) at revision %d, want %.40q (nil: %v, %d bytes) at %d",
			name, got, got == nil, len(got), at, value, value == nil, len(value), rev)
	}
}

// refused fails unless saving is a conflict.
func (t *storeTest) refused(name string, value []byte, rev int64) {
	t.Helper()
	if next, err := t.s.Save(t.soon(), name, value, rev); !errors.Is(err, auth.ErrConflict) {
		t.Fatalf("save %.40q in the place of revision %d gives %d, %v, want ErrConflict", name, rev, next, err)
	}
}

// lock must succeed.
func (t *storeTest) lock(s auth.Store, name string) func() {
	t.Helper()
	unlock, err := s.Lock(t.soon(), name)
	if err != nil {
		t.Fatalf("lock %.40q: %v", name, err)
	}
	t.Cleanup(unlock)
	return unlock
}

// locked fails unless somebody holds name.
func (t *storeTest) locked(s auth.Store, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	begun := time.Now()
	got := make(chan error, 1)
	go func() {
		unlock, err := s.Lock(ctx, name)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	select {
	case err := <-got:
		if err == nil {
			t.Fatalf("the lock of %.40q was given twice", name)
		}
	case <-time.After(late):
		t.Fatalf("waiting for a lock goes on %s after its context has ended", late)
	}
	if took := time.Since(begun); took < 40*time.Millisecond {
		t.Fatalf("a lock that is held is refused after %s without waiting", took)
	}
}
