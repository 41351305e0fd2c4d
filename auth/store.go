package auth

import (
	"context"
	"errors"
)

// Store keeps what accounts need over restarts, under one name each. Values hold tokens in
// clear and have no bound in size (some kB each): a store seals them. [Files] and the store of
// package store/sqlite are such stores, [Memory] forgets. Package authtest checks others.
//
// A Store is safe for concurrent use, also by several processes where it is shared by them.
type Store interface {
	// Load returns the value under name and its revision, or nil and 0 if there is none.
	// A value that was changed or sealed under another key is an error, never a wrong value;
	// the revision is told with it if it is known, so that the value can be replaced.
	Load(ctx context.Context, name string) (value []byte, rev int64, err error)

	// Save puts value in the place of revision rev (0: there is none yet) and returns the
	// new revision, which was never used for that name before. If the store holds another
	// revision, nothing is changed and the error is [ErrConflict]. nil removes the value.
	// When it returns nil the value outlives the process and a power cut.
	Save(ctx context.Context, name string, value []byte, rev int64) (int64, error)

	// Lock waits until nobody else holds name, in this process or another, or until ctx
	// ends. A lock ends with its process. unlock may be called twice. Load and Save need
	// no lock.
	Lock(ctx context.Context, name string) (unlock func(), err error)
}

// ErrConflict is why Save changed nothing: somebody else has saved meanwhile.
var ErrConflict = errors.New("another revision is stored: load it again")
