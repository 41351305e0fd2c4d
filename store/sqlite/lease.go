package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"hash/maphash"
	"strconv"
	"sync/atomic"

	"github.com/gofrs/flock"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// lease is a [cold.Lease].
type lease struct {
	s      *Store
	name   string
	job    int64
	fence  int64
	lock   *flock.Flock
	closed atomic.Bool

	// known spares a look-up for items that this lease wrote: nobody else may write
	// them, or the fence would have stopped us. Only the writer's turn touches it.
	known map[string]knownItem

	// epochs are up to two of those that items of this job have; nil until Twin asks. Most
	// jobs have one, and then there is nothing to look for. A watched directory has one for
	// every file. Only the lease's owner touches it.
	epochs map[string]bool
}

type knownItem struct {
	id        int64
	documents int         // -1 when no manifest was recorded
	sums      []uint64    // of the documents that this lease wrote last; nil when it wrote none
	row       *cold.Entry // what was written last, without documents; nil when only looked up
	action    bool        // it has a row in action
}

// Recorded items are written again soon, as planned, delivered, done; then never.
const maxKnown = 4096

func (l *lease) Scope() string { return l.s.id + "/" + l.name }

func (l *lease) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.s.mu.Lock()
	delete(l.s.leases, l)
	l.s.mu.Unlock()
	return fail("close lease", l.lock.Close())
}

// write runs f in a transaction if this lease is still the newest of its job.
func (l *lease) write(ctx context.Context, op string, name step.Name, f func(*writer) error) error {
	if l.closed.Load() {
		return fail(op, ErrClosed)
	}
	err := l.s.w.do(ctx, name, func(w *writer) error {
		var fence int64
		if err := w.fence.QueryRow(l.job).Scan(&fence); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if fence != l.fence {
			return &vaguemestre.Error{Op: "sqlite: " + op, Class: vaguemestre.ClassBusy, Err: cold.ErrStale}
		}
		return f(w)
	})
	return fail(op, err)
}

func (l *lease) Record(ctx context.Context, entries []cold.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	for i := range entries {
		if entries[i].Item.Key == "" || entries[i].State == "" {
			return &vaguemestre.Error{Op: "sqlite: record", Class: vaguemestre.ClassConfig,
				Err: errors.New("an entry needs an item key and a state")}
		}
	}
	if l.epochs != nil {
		for i := 0; i < len(entries) && len(l.epochs) < 2; i++ {
			l.epochs[entries[i].Item.Epoch] = true
		}
	}
	ran := false
	err := l.write(ctx, "record", step.LedgerRecord, func(w *writer) error {
		ran = true
		if l.known == nil || len(l.known) > maxKnown {
			l.known = make(map[string]knownItem, len(entries))
		}
		for i := range entries {
			if i%64 == 63 && ctx.Err() != nil {
				return ctx.Err()
			}
			if err := l.put(w, &entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ran {
		l.known = nil // what it tells was undone
	}
	return err
}

// put writes one entry.
func (l *lease) put(w *writer, e *cold.Entry) error {
	it := &e.Item
	k, known := l.known[it.Key]
	if !known {
		documents := len(e.Docs)
		if e.Docs == nil {
			documents = -1
		}
		res, err := w.insertItem.Exec(l.job, string(e.State), e.Attempts, e.Rules, it.Key, it.Epoch, it.Size, toTime(it.Time), it.Seen,
			it.MessageID, e.Reason, toTime(e.Time), e.Twin, e.Origin, documents)
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 1 {
			k = knownItem{documents: documents, row: bare(e)}
			if k.id, err = res.LastInsertId(); err != nil {
				return err
			}
			if err := l.putManifest(w, &k, e, 0); err != nil {
				return err
			}
			if e.Action != (cold.After{}) || e.Receipt != "" {
				k.action = true
				if _, err := w.putAction.Exec(k.id, string(e.Action.Do), e.Action.Target, e.Receipt); err != nil {
					return err
				}
			}
			l.known[it.Key] = k
			return nil
		}
		if err := w.findItem.QueryRow(l.job, it.Key).Scan(&k.id, &k.documents, &k.action); err != nil {
			return err
		}
	}
	before := max(k.documents, 0)
	if e.Docs != nil {
		k.documents = len(e.Docs)
	}
	// SQLite rewrites an index whenever one of its columns is named, changed or not, and
	// what an item goes through mostly changes its state alone.
	var err error
	if k.row != nil && k.row.Item == *it && k.row.Twin == e.Twin && k.row.Origin == e.Origin {
		_, err = w.moveItem.Exec(string(e.State), e.Attempts, e.Rules, e.Reason, toTime(e.Time), k.documents, k.id)
	} else {
		_, err = w.updateItem.Exec(string(e.State), e.Attempts, e.Rules, it.Epoch, it.Size, toTime(it.Time), it.Seen,
			it.MessageID, e.Reason, toTime(e.Time), e.Twin, e.Origin, k.documents, k.id)
	}
	if err != nil {
		return err
	}
	if err := l.putManifest(w, &k, e, before); err != nil {
		return err
	}
	same := k.row != nil && k.row.Action == e.Action && k.row.Receipt == e.Receipt
	if !same && (k.action || e.Action != (cold.After{}) || e.Receipt != "") {
		k.action = true
		if _, err := w.putAction.Exec(k.id, string(e.Action.Do), e.Action.Target, e.Receipt); err != nil {
			return err
		}
	}
	k.row = bare(e)
	l.known[it.Key] = k
	return nil
}

// bare copies e without its documents.
func bare(e *cold.Entry) *cold.Entry {
	c := *e
	c.Docs = nil
	return &c
}

// putManifest writes the documents of e over the before ones that are there. What this
// lease wrote just so is not written again: of a mail that was planned and is delivered
// most parts were passed over both times.
func (l *lease) putManifest(w *writer, k *knownItem, e *cold.Entry, before int) error {
	if e.Docs == nil {
		return nil
	}
	sums := make([]uint64, len(e.Docs))
	for i := range e.Docs {
		d := &e.Docs[i]
		if sums[i] = sumOf(d); i < len(k.sums) && k.sums[i] == sums[i] {
			continue
		}
		path, err := toList(d.Path)
		if err != nil {
			return err
		}
		repairs, err := toList(d.Repairs)
		if err != nil {
			return err
		}
		if _, err := w.putDocument.Exec(k.id, i, string(d.Decision), d.Reason, d.Key, d.Name, d.MediaType, d.Size,
			d.SHA256, path, d.Ref, repairs); err != nil {
			return err
		}
	}
	k.sums = sums
	if before > len(e.Docs) {
		_, err := w.cutDocuments.Exec(k.id, len(e.Docs))
		return err
	}
	return nil
}

var seed = maphash.MakeSeed()

// sumOf tells two documents apart, within this process.
func sumOf(d *cold.Entered) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	text := func(s string) {
		h.WriteString(s)
		h.WriteByte(0)
	}
	for _, s := range []string{string(d.Decision), d.Reason, d.Key, d.Name, d.MediaType, d.SHA256, d.Ref, strconv.FormatInt(d.Size, 10)} {
		text(s)
	}
	for _, s := range d.Path {
		text(s)
	}
	h.WriteByte(1)
	for _, s := range d.Repairs {
		text(s)
	}
	return h.Sum64()
}

func (l *lease) Unsettled(ctx context.Context, after string, limit int) (out []cold.Entry, err error) {
	if l.closed.Load() {
		return nil, fail("unsettled", ErrClosed)
	}
	// The state list is word for word that of the index item_unsettled, or SQLite would not use it.
	err = l.s.read(ctx, func(c *sql.Conn) error {
		out = nil
		rows, err := c.QueryContext(ctx, `SELECT `+entryColumns+` FROM item LEFT JOIN action ON action.item = item.id
			WHERE job = ? AND key > ? AND state NOT IN ('done', 'held', 'deselected', 'quarantined', 'vanished')
			ORDER BY key LIMIT ?`, l.job, after, max(limit, 0))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			e, _, _, err := scanEntry(rows.Scan)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return rows.Err()
	})
	return out, fail("unsettled", err)
}

func (l *lease) Twin(ctx context.Context, epoch, twin string) (found *cold.Entry, err error) {
	if l.closed.Load() {
		return nil, fail("twin", ErrClosed)
	}
	if twin == "" { // an item that was never read resembles nothing
		return nil, nil
	}
	if l.epochs == nil {
		if err := l.loadEpochs(ctx); err != nil {
			return nil, fail("twin", err)
		}
	}
	if len(l.epochs) == 0 || len(l.epochs) == 1 && l.epochs[epoch] {
		return nil, nil
	}
	// Nearly always there is none. To learn that, no text is parsed and no transaction begun.
	var there bool
	err = l.s.patiently(ctx, func() error {
		return l.s.twins.QueryRow(l.job, twin).Scan(&there) // without ctx, as in lookUp
	})
	if err == nil && !there {
		return nil, nil
	}
	err = l.s.read(ctx, func(c *sql.Conn) error {
		found = nil
		key, err := l.findTwin(ctx, c, epoch, twin)
		if key == "" || err != nil {
			return err
		}
		found, err = explain(ctx, c, l.name, key)
		return err
	})
	return found, fail("twin", err)
}

func (l *lease) loadEpochs(ctx context.Context) error {
	var epochs map[string]bool
	err := l.s.read(ctx, func(c *sql.Conn) error {
		epochs = map[string]bool{}
		rows, err := c.QueryContext(ctx, `SELECT DISTINCT epoch FROM item WHERE job = ? LIMIT 2`, l.job)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e string
			if err := rows.Scan(&e); err != nil {
				return err
			}
			epochs[e] = true
		}
		return rows.Err()
	})
	if err == nil {
		l.epochs = epochs
	}
	return err
}

// findTwin returns the key of the entry that Twin is to give. Entries of several
// epochs may stand for one mail, each with the first one's key as Origin: a mail that
// an item of epoch stands for already is passed over, and of the others' entries the
// one that got furthest answers.
func (l *lease) findTwin(ctx context.Context, c *sql.Conn, epoch, twin string) (string, error) {
	rows, err := c.QueryContext(ctx, `SELECT i.key, i.epoch = ?1,
			coalesce(nullif(i.origin, ''), i.key) AS root,
			i.state IN ('delivered', 'acting', 'done'),
			EXISTS (SELECT 1 FROM item m WHERE m.job = i.job AND m.origin = i.key AND m.origin <> '' AND m.epoch = ?1)
			OR EXISTS (SELECT 1 FROM item m WHERE m.job = i.job AND m.origin = i.origin AND m.origin <> '' AND m.epoch = ?1)
		FROM item i WHERE i.job = ?2 AND i.twin = ?3 AND i.twin <> '' ORDER BY i.id`, epoch, l.job, twin)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	type entry struct {
		key, root                 string
		here, handedOver, matched bool
	}
	var all []entry
	matched := map[string]bool{} // roots
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.key, &e.here, &e.root, &e.handedOver, &e.matched); err != nil {
			return "", err
		}
		if e.matched {
			matched[e.root] = true
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	var best *entry
	for i := range all {
		e := &all[i]
		if e.here || matched[e.root] {
			continue
		}
		if best == nil || e.root == best.root && e.handedOver && !best.handedOver {
			best = e
		}
	}
	if best == nil {
		return "", nil
	}
	return best.key, nil
}

func (l *lease) Cursor(ctx context.Context) (cursor string, err error) {
	if l.closed.Load() {
		return "", fail("cursor", ErrClosed)
	}
	err = l.s.read(ctx, func(c *sql.Conn) error {
		return c.QueryRowContext(ctx, `SELECT cursor FROM job WHERE id = ?`, l.job).Scan(&cursor)
	})
	return cursor, fail("cursor", err)
}

func (l *lease) SaveCursor(ctx context.Context, cursor string) error {
	return l.write(ctx, "save cursor", "", func(w *writer) error {
		_, err := w.conn.ExecContext(context.Background(), `UPDATE job SET cursor = ? WHERE id = ?`, cursor, l.job)
		return err
	})
}
