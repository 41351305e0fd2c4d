package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings db to the newest schema. The caller holds the file's lock.
func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir,
		goose.WithTableName("migration"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, current, target)
	}
	if current == target {
		return nil
	}
	_, err = p.Up(ctx)
	return err
}

// create makes a store at path, complete or not at all: it is built under another
// name, so that a crash never leaves a half-made file that looks like an empty ledger.
// The caller holds the file's lock.
func create(ctx context.Context, path string) error {
	tmp := path + ".new"
	clean := func() {
		for _, end := range []string{"", "-wal", "-shm", "-journal"} {
			os.Remove(tmp + end)
		}
	}
	clean() // what a crash left
	defer clean()
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite gives -wal and -shm the same mode
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connect(tmp, false)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	if err := migrate(ctx, db); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('ledger', ?)`, rand.Text()); err != nil {
		return err
	}
	if err := db.Close(); err != nil { // folds the log into the file and removes it
		return err
	}
	if _, err := os.Stat(tmp + "-wal"); err == nil {
		return errors.New("the new file could not be completed; see that its disk has room")
	}
	if err := syncPath(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil { // nobody else makes it: the lock is ours
		return err
	}
	if runtime.GOOS == "windows" { // cannot sync a directory
		return nil
	}
	return syncPath(filepath.Dir(path))
}

func syncPath(path string) error {
	mode := os.O_RDWR
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
