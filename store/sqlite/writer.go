package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/step"
)

// writer owns the one connection that writes. Callers that come while a transaction
// is being committed queue up, and the next commit carries all of them: one sync of
// the disk for many runs. It has no goroutine: who gets the turn works for the queue.
type writer struct {
	timeout time.Duration
	turn    chan struct{} // holds a token while nobody writes
	conn    *sql.Conn     // the fields from here on belong to who has the turn
	closed  bool
	commits int64 // transactions that reached the disk

	insertItem, findItem      *sql.Stmt
	updateItem, moveItem      *sql.Stmt
	putDocument, cutDocuments *sql.Stmt
	putAction, fence          *sql.Stmt

	mu   sync.Mutex
	wait []*write
}

// write is one caller's work within a transaction.
type write struct {
	ctx  context.Context
	name step.Name // the durable step that its commit is, "" for none
	f    func(*writer) error
	err  error
	done chan struct{} // closed once err is final
}

func newWriter(ctx context.Context, s *Store) (*writer, error) {
	w := &writer{timeout: s.timeout, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	var err error
	if w.conn, err = s.writeDB.Conn(ctx); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&w.insertItem, `INSERT INTO item (job, state, attempts, rules, key, epoch, size, time, seen, message_id, reason, changed, twin, origin, documents)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, key) DO NOTHING`},
		{&w.updateItem, `UPDATE item SET state = ?, attempts = ?, rules = ?, epoch = ?, size = ?, time = ?, seen = ?,
			message_id = ?, reason = ?, changed = ?, twin = ?, origin = ?, documents = ? WHERE id = ?`},
		{&w.moveItem, `UPDATE item SET state = ?, attempts = ?, rules = ?, reason = ?, changed = ?, documents = ? WHERE id = ?`},
		{&w.findItem, `SELECT id, documents, EXISTS (SELECT 1 FROM action WHERE action.item = item.id) FROM item WHERE job = ? AND key = ?`},
		{&w.putDocument, `REPLACE INTO document (item, ord, decision, reason, key, name, media_type, size, sha256, path, ref, repairs)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&w.cutDocuments, `DELETE FROM document WHERE item = ? AND ord >= ?`},
		{&w.putAction, `REPLACE INTO action (item, verb, target, receipt) VALUES (?, ?, ?, ?)`},
		{&w.fence, `SELECT fence FROM job WHERE id = ?`},
	} {
		if *p.to, err = w.conn.PrepareContext(ctx, p.sql); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// close lets a running commit end; later writes fail with [ErrClosed].
func (w *writer) close() error {
	<-w.turn
	defer func() { w.turn <- struct{}{} }()
	if w.closed {
		return nil
	}
	w.closed = true
	for _, st := range []*sql.Stmt{w.insertItem, w.updateItem, w.moveItem, w.findItem, w.putDocument, w.cutDocuments, w.putAction, w.fence} {
		if st != nil {
			st.Close()
		}
	}
	return w.conn.Close()
}

// do runs f in a transaction, and returns once that is on disk or undone. ctx ends the
// wait for a turn or for another process; f looks at it too, a commit never does.
func (w *writer) do(ctx context.Context, name step.Name, f func(*writer) error) error {
	me := &write{ctx: ctx, name: name, f: f, done: make(chan struct{})}
	w.mu.Lock()
	w.wait = append(w.wait, me)
	w.mu.Unlock()
	select {
	case <-me.done: // another caller's commit carried it
		return me.err
	case <-ctx.Done():
		w.mu.Lock()
		i := slices.Index(w.wait, me)
		if i >= 0 {
			w.wait = slices.Delete(w.wait, i, i+1)
		}
		w.mu.Unlock()
		if i >= 0 {
			return ctx.Err()
		}
		<-me.done // somebody is at it: only the outcome tells what is on disk
		return me.err
	case <-w.turn:
	}
	defer func() { w.turn <- struct{}{} }()
	w.mu.Lock()
	group := w.wait
	w.wait = nil
	w.mu.Unlock()
	w.commit(group)
	<-me.done
	return me.err
}

// commit runs the group in one transaction and tells each its result. One that fails
// is undone alone.
func (w *writer) commit(group []*write) {
	bg := context.Background()
	tell := func(gs []*write, err error) {
		for _, g := range gs {
			g.err = err
			close(g.done)
		}
	}
	if w.closed {
		tell(group, ErrClosed)
		return
	}
	for start := time.Now(); ; {
		group = slices.DeleteFunc(group, func(g *write) bool {
			err := g.ctx.Err()
			if err != nil {
				tell([]*write{g}, err)
			}
			return err != nil
		})
		if len(group) == 0 {
			return
		}
		_, err := w.conn.ExecContext(bg, "BEGIN IMMEDIATE")
		if err == nil {
			break
		}
		if !busy(err) || time.Since(start) > w.timeout {
			tell(group, err)
			return
		}
	}
	good := make([]*write, 0, len(group))
	for i, g := range group {
		if len(group) > 1 {
			if _, err := w.conn.ExecContext(bg, "SAVEPOINT one"); err != nil {
				w.conn.ExecContext(bg, "ROLLBACK")
				tell(slices.Concat(good, group[i:]), err)
				return
			}
		}
		err := g.f(w)
		if err == nil {
			good = append(good, g)
			if len(group) > 1 {
				_, err = w.conn.ExecContext(bg, "RELEASE one")
			}
			if err != nil {
				w.conn.ExecContext(bg, "ROLLBACK")
				tell(slices.Concat(good, group[i+1:]), err)
				return
			}
			continue
		}
		if len(group) == 1 {
			w.conn.ExecContext(bg, "ROLLBACK")
			tell(group, err)
			return
		}
		// A full disk undoes the whole transaction by itself, and then there is no
		// savepoint to go back to: https://sqlite.org/lang_transaction.html section 3.
		if _, back := w.conn.ExecContext(bg, "ROLLBACK TO one; RELEASE one"); back != nil {
			w.conn.ExecContext(bg, "ROLLBACK")
			tell(slices.Concat(good, group[i:]), err)
			return
		}
		tell([]*write{g}, err)
	}
	if len(good) == 0 {
		w.conn.ExecContext(bg, "ROLLBACK")
		return
	}
	for _, g := range good {
		if g.name != "" {
			step.Before(g.name)
		}
	}
	if _, err := w.conn.ExecContext(bg, "COMMIT"); err != nil {
		w.conn.ExecContext(bg, "ROLLBACK")
		tell(good, err)
		return
	}
	w.commits++
	for _, g := range good {
		if g.name != "" {
			step.After(g.name)
		}
	}
	tell(good, nil)
}
