package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// Ledger returns the ledger in the store. It is valid until [Store.Close].
func (s *Store) Ledger() cold.Ledger { return ledger{s} }

type ledger struct{ s *Store }

func (g ledger) Lock(ctx context.Context, job string) (cold.Lease, error) {
	s := g.s
	if err := ctx.Err(); err != nil {
		return nil, fail("lock", err)
	}
	lock, err := lockNow(s.jobLock(job))
	if err != nil {
		return nil, fail("lock", err)
	}
	l := &lease{s: s, name: job, lock: lock}
	err = s.w.do(ctx, step.LedgerLock, func(w *writer) error {
		return w.conn.QueryRowContext(context.Background(), `INSERT INTO job (name, fence) VALUES (?, 1)
			ON CONFLICT (name) DO UPDATE SET fence = fence + 1 RETURNING id, fence`, job).Scan(&l.job, &l.fence)
	})
	if err != nil {
		lock.Close()
		return nil, fail("lock", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		lock.Close()
		return nil, fail("lock", ErrClosed)
	}
	s.leases[l] = struct{}{}
	return l, nil
}

func (g ledger) Explain(ctx context.Context, job, itemKey string) (e *cold.Entry, err error) {
	err = g.s.read(ctx, func(c *sql.Conn) error {
		e, err = explain(ctx, c, job, itemKey)
		return err
	})
	return e, fail("explain", err)
}

// explain reads one entry with its documents.
func explain(ctx context.Context, c *sql.Conn, job, itemKey string) (*cold.Entry, error) {
	row := c.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM item LEFT JOIN action ON action.item = item.id
		WHERE item.job = (SELECT id FROM job WHERE name = ?) AND item.key = ?`, job, itemKey)
	e, id, documents, err := scanEntry(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if documents < 0 {
		return &e, nil
	}
	e.Docs = make([]cold.Entered, 0, min(documents, 1000))
	rows, err := c.QueryContext(ctx, `SELECT decision, reason, key, name, media_type, size, sha256, path, ref, repairs
		FROM document WHERE item = ? ORDER BY ord`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDocument(rows.Scan)
		if err != nil {
			return nil, err
		}
		e.Docs = append(e.Docs, d)
	}
	return &e, rows.Err()
}

// read runs f on a reader's connection within one transaction, so that f sees one
// moment. f may run more than once.
func (s *Store) read(ctx context.Context, f func(*sql.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isClosed() {
		return ErrClosed
	}
	c, err := s.readDB.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return s.patiently(ctx, func() error {
		if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
			return err
		}
		defer c.ExecContext(context.Background(), "ROLLBACK")
		return f(c)
	})
}
