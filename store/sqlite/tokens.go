package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
)

// Tokens returns the store's place for the grants of accounts, sealed under the store's
// key; without a key it refuses with class config. It is valid until [Store.Close].
//
// A value that cannot be opened (another key, a changed file) gives its revision along with
// the error, so that it can still be replaced or removed.
func (s *Store) Tokens() auth.Store { return tokens{s} }

type tokens struct{ s *Store }

// Load implements [auth.Store].
func (t tokens) Load(ctx context.Context, name string) ([]byte, int64, error) {
	const op = "load token"
	if err := t.ready(op); err != nil {
		return nil, 0, err
	}
	var rev int64
	var sealed []byte
	err := t.s.read(ctx, func(c *sql.Conn) error {
		err := c.QueryRowContext(ctx, `SELECT rev, value FROM token WHERE name = ? AND value IS NOT NULL`, name).Scan(&rev, &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			rev, sealed, err = 0, nil, nil
		}
		return err
	})
	if err != nil || rev == 0 {
		return nil, 0, fail(op, err)
	}
	value, err := t.s.key.Open(sealed, place(name, rev))
	if err != nil {
		return nil, rev, fail(op, fmt.Errorf("account %.200q: %w", name, err))
	}
	return append([]byte{}, value...), rev, nil // not nil, also if it is empty
}

// Save implements [auth.Store]. A removed value keeps its row, so that its numbers do not
// come again.
func (t tokens) Save(ctx context.Context, name string, value []byte, rev int64) (int64, error) {
	const op = "save token"
	if err := t.ready(op); err != nil {
		return 0, err
	}
	var next int64
	err := t.s.w.do(ctx, "", func(w *writer) error {
		bg := context.Background()
		var last int64
		var removed bool
		err := w.conn.QueryRowContext(bg, `SELECT rev, value IS NULL FROM token WHERE name = ?`, name).Scan(&last, &removed)
		if errors.Is(err, sql.ErrNoRows) {
			removed, err = true, nil
		}
		if err != nil {
			return err
		}
		stored := last
		if removed {
			stored = 0
		}
		if stored != rev {
			return &vaguemestre.Error{Op: "sqlite: " + op, Class: vaguemestre.ClassBusy, Err: auth.ErrConflict}
		}
		next = last + 1
		var sealed any // NULL
		if value != nil {
			if sealed, err = t.s.key.Seal(value, place(name, next)); err != nil {
				return err
			}
		}
		_, err = w.conn.ExecContext(bg, `INSERT INTO token (name, rev, value) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET rev = excluded.rev, value = excluded.value`, name, next, sealed)
		return err
	})
	if err != nil {
		return 0, fail(op, err)
	}
	return next, nil
}

// place is what a sealed value is bound to. No two pairs give the same text.
func place(name string, rev int64) string { return fmt.Sprintf("token/%s/%d", name, rev) }

// Lock implements [auth.Store]. The lock is the operating system's, as a job's is.
func (t tokens) Lock(ctx context.Context, name string) (func(), error) {
	const op = "lock token"
	h := sha256.Sum256([]byte(name))
	path := t.s.path + "." + hex.EncodeToString(h[:8]) + ".token.lock" // no job's: those have no second word
	for {
		if err := ctx.Err(); err != nil {
			return nil, fail(op, err)
		}
		if t.s.isClosed() {
			return nil, fail(op, ErrClosed)
		}
		l := flock.New(path, flock.SetPermissions(0o600))
		ok, err := l.TryLock()
		if err != nil {
			return nil, fail(op, err)
		}
		if ok {
			return sync.OnceFunc(func() { l.Close() }), nil
		}
		l.Close()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ready tells why no token can be kept.
func (t tokens) ready(op string) error {
	if t.s.key == nil {
		return &vaguemestre.Error{Op: "sqlite: " + op, Class: vaguemestre.ClassConfig, Err: errNoKey}
	}
	return nil
}
