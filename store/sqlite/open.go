package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite"

	"github.com/vaguemestre/vaguemestre/settings"
)

// applicationID marks our files in the header, so that another program's database is
// never taken for ours: https://sqlite.org/fileformat2.html#application_id. "VAGM".
const applicationID = 0x5641474d

// Key seals what must not stand in the file in clear; settings.Keyring is one.
type Key interface {
	settings.Sealer
	settings.Opener
}

// Options are the options of [Open]; nil and the zero value are sensible.
type Options struct {
	// Key seals secrets. Without one, whatever would store a secret is refused; the
	// ledger needs none.
	Key Key

	// BusyTimeout is how long a call waits for another process that writes; 0 means 10 s.
	BusyTimeout time.Duration

	Logger *slog.Logger // nil discards
}

// Store is one open file. Its methods are safe for concurrent use; any number of
// processes may open the same file on one machine. Close it when no run is left.
type Store struct {
	path    string
	key     Key
	log     *slog.Logger
	timeout time.Duration

	writeDB *sql.DB
	readDB  *sql.DB
	twins   *sql.Stmt // of readDB: whether an item of a job has this content key
	w       *writer
	id      string // names this ledger in every document key

	mu     sync.Mutex
	leases map[*lease]struct{}
	closed bool
}

// Open opens the store at path and makes it if there is no file; its directory must
// exist and lie on a local disk. ctx bounds Open alone.
//
// A file that is not a store gives [ErrForeign], a damaged one [ErrCorrupt], one of a
// newer version [ErrNewer], each of class config; an empty file counts as damaged,
// since starting afresh in its place would take everything again. Nothing is ever
// replaced.
func Open(ctx context.Context, path string, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	s := &Store{key: o.Key, log: o.Logger, timeout: o.BusyTimeout, leases: map[*lease]struct{}{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.timeout <= 0 {
		s.timeout = 10 * time.Second
	}
	if err := s.open(ctx, path); err != nil {
		s.shut()
		return nil, fail("open", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) error {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return fmt.Errorf("%w: a store needs a file", ErrForeign)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// Locks are named after the file, so two names of it must come to one.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err != nil {
		return err
	} else {
		path = filepath.Join(dir, filepath.Base(path))
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	s.path = path

	// One process at a time makes or migrates the file.
	unlock, err := lockWait(ctx, path+".lock", s.timeout)
	if err != nil {
		return err
	}
	defer unlock()
	if err := checkFile(path); errors.Is(err, os.ErrNotExist) {
		if err := create(ctx, path); err != nil {
			return err
		}
		s.log.Info("sqlite: new store", "file", filepath.Base(path))
	} else if err != nil {
		return err
	}
	if s.writeDB, err = connect(path, false); err != nil {
		return err
	}
	if err := s.patiently(ctx, func() error { return migrate(ctx, s.writeDB) }); err != nil {
		return err
	}
	if s.readDB, err = connect(path, true); err != nil {
		return err
	}
	err = s.patiently(ctx, func() error {
		return s.readDB.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'ledger'`).Scan(&s.id)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: it has no ledger identity", ErrCorrupt)
	}
	if err != nil {
		return err
	}
	// "twin <> ''" lets SQLite use the index item_twin.
	err = s.patiently(ctx, func() error {
		s.twins, err = s.readDB.PrepareContext(ctx, `SELECT EXISTS (SELECT 1 FROM item WHERE job = ? AND twin = ? AND twin <> '')`)
		return err
	})
	if err != nil {
		return err
	}
	s.w, err = newWriter(ctx, s)
	return err
}

// connect opens connections to path; nothing is read yet.
func connect(path string, reader bool) (*sql.DB, error) {
	u := filepath.ToSlash(path)
	if !strings.HasPrefix(u, "/") {
		u = "/" + u // a Windows drive: https://sqlite.org/uri.html#the_uri_path
	}
	q := []string{
		"_pragma=busy_timeout(200)", // short, so that the caller's context is looked at between two tries
		"_pragma=foreign_keys(1)",
		"_pragma=cache_size(-2000)",
		"_pragma=trusted_schema(0)",
	}
	if reader {
		q = append(q, "_pragma=query_only(1)")
	} else {
		// WAL with FULL syncs the log at every commit, NORMAL would not:
		// https://sqlite.org/pragma.html#pragma_synchronous. fullfsync is for macOS,
		// whose fsync alone does not reach the disk.
		q = append(q, "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=wal_autocheckpoint(1000)",
			"_pragma=fullfsync(1)", "_pragma=checkpoint_fullfsync(1)")
	}
	c, err := driver.NewConnector("file://" + (&url.URL{Path: u}).EscapedPath() + "?" + strings.Join(q, "&"))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	if reader {
		db.SetMaxOpenConns(2)
		db.SetMaxIdleConns(2)
	} else {
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
	}
	return db, nil
}

// checkFile refuses what is not a store, or visibly not all of one, before SQLite
// touches it. A missing file gives os.ErrNotExist.
func checkFile(path string) error {
	// Asked before the file is read: whoever has the file open has a log beside it, and
	// nobody opens it now, since we hold the lock.
	wal, err := os.Stat(path + "-wal")
	logged := err == nil && wal.Size() > 0
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		if logged {
			return fmt.Errorf("%w: its -wal file is there but the file itself is missing", ErrCorrupt)
		}
		return err
	}
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", ErrForeign)
	}
	if fi.Size() == 0 {
		return fmt.Errorf("%w: it is empty", ErrCorrupt)
	}
	// The header: https://sqlite.org/fileformat2.html#the_database_header
	h := make([]byte, 100)
	if n, err := io.ReadFull(f, h); err != nil {
		if string(h[:min(n, 16)]) == "SQLite format 3\x00"[:min(n, 16)] {
			return fmt.Errorf("%w: it ends within its header", ErrCorrupt)
		}
		return ErrForeign
	}
	if string(h[:16]) != "SQLite format 3\x00" {
		return ErrForeign
	}
	if binary.BigEndian.Uint32(h[68:]) != applicationID {
		return ErrForeign
	}
	page := int64(binary.BigEndian.Uint16(h[16:]))
	if page == 1 {
		page = 65536
	}
	// While there is a log the file may end before the size in its header: a checkpoint
	// writes pages from the first to the last.
	if pages := int64(binary.BigEndian.Uint32(h[28:])); fi.Size() < pages*page && !logged {
		return fmt.Errorf("%w: it was cut short", ErrCorrupt)
	}
	return nil
}

// Close ends the store: runs that still hold a job lose it, and their writes fail
// with [ErrClosed]. It is safe to call twice.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	leases := s.leases
	s.leases = nil
	s.mu.Unlock()
	for l := range leases {
		l.Close()
	}
	return fail("close", s.shut())
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// shut closes what open opened.
func (s *Store) shut() error {
	var errs []error
	if s.w != nil {
		errs = append(errs, s.w.close())
	}
	if s.readDB != nil {
		errs = append(errs, s.readDB.Close())
	}
	if s.writeDB != nil { // last: it folds the log into the file
		errs = append(errs, s.writeDB.Close())
	}
	return errors.Join(errs...)
}

// patiently repeats f while another process is in the way, up to the busy timeout.
func (s *Store) patiently(ctx context.Context, f func() error) error {
	for start := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := f()
		if !busy(err) || time.Since(start) > s.timeout {
			return err
		}
	}
}
