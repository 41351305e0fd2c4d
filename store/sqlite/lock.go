package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/gofrs/flock"

	"github.com/vaguemestre/vaguemestre"
)

// Locks are the operating system's, on small files beside the store that stay there:
// removing one while another process opens it would let both in. The system frees
// them when their process ends, however it ends, and they also keep two goroutines
// apart, since each take opens the file anew.

// jobLock is the name of the lock file of a job.
func (s *Store) jobLock(job string) string {
	h := sha256.Sum256([]byte(job))
	return s.path + "." + hex.EncodeToString(h[:8]) + ".lock"
}

// lockNow takes the lock of name or fails at once with an error of class busy.
func lockNow(name string) (*flock.Flock, error) {
	l := flock.New(name, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		l.Close()
		return nil, &vaguemestre.Error{Op: "sqlite: lock", Class: vaguemestre.ClassBusy,
			Err: errors.New("another run holds this job; wait until it ends")}
	}
	return l, nil
}

// lockWait takes the lock of name, waiting up to d.
func lockWait(ctx context.Context, name string, d time.Duration) (unlock func(), err error) {
	for start := time.Now(); ; {
		l, err := lockNow(name)
		if err == nil {
			return func() { l.Close() }, nil
		}
		if vaguemestre.ClassOf(err) != vaguemestre.ClassBusy {
			return nil, err
		}
		if time.Since(start) > d {
			return nil, &vaguemestre.Error{Op: "sqlite: open", Class: vaguemestre.ClassBusy,
				Err: errors.New("another process is making or migrating the file; try again later")}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
