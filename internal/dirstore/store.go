package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// MetaName is the directory inside a target where journal and preparations lie.
const MetaName = ".vaguemestre"

// Store is an open target. It is for one goroutine; several stores of one target, also
// in several processes, take turns by its lock.
type Store struct {
	path string
	root *os.Root
	meta *os.Root
	tmp  *os.Root
	lock *os.File
	j    *journal

	rootDir, tmpDir *os.File // root and tmp themselves
	copier          copier
	numbers         map[string]int // the last "name (n)" given, by name: where the next search begins
}

// Open opens the target at path, waits for its lock and finishes what a crash left.
// ctx bounds the waiting. The last element of path is made if it is missing.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{path: path}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	s.root, err = os.OpenRoot(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		// The last element only: a file system that is not mounted must not be replaced
		// by a directory of the same name with all above it.
		if err = os.Mkdir(s.path, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if up, uerr := os.Open(filepath.Dir(filepath.Clean(s.path))); uerr == nil {
			_ = syncDir(up)
			up.Close()
		}
		s.root, err = os.OpenRoot(s.path)
	}
	if err != nil {
		return err
	}
	created, err := subRoot(s.root, MetaName, &s.meta)
	if err != nil {
		return err
	}
	if s.lock, err = s.meta.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err = waitLock(ctx, s.lock); err != nil {
		return err
	}
	made, err := subRoot(s.meta, "tmp", &s.tmp)
	if err != nil {
		return err
	}
	if s.rootDir, err = s.root.Open("."); err != nil {
		return err
	}
	if s.tmpDir, err = s.tmp.Open("."); err != nil {
		return err
	}
	_, noJournal := s.meta.Lstat(journalName)
	if s.j, err = openJournal(s.meta); err != nil {
		return err
	}
	if created || made || noJournal != nil {
		metaDir, err := s.meta.Open(".")
		if err != nil {
			return err
		}
		err = errors.Join(syncDir(metaDir), metaDir.Close(), syncDir(s.rootDir))
		if err != nil {
			return err
		}
	}
	return s.recover()
}

// ErrChanged is returned by Lock when the target is not what was opened any more:
// somebody else stored documents, or it was moved away. Close and open it again.
var ErrChanged = errors.New("the target changed since it was opened")

// Lock takes the lock again after Unlock. After an error the store must be closed.
func (s *Store) Lock(ctx context.Context) error {
	if err := waitLock(ctx, s.lock); err != nil {
		return err
	}
	if !s.unchanged() {
		return ErrChanged
	}
	return s.recover()
}

// unchanged reports whether the names still lead to the files that are open, and
// whether the journal has its old length.
func (s *Store) unchanged() bool {
	st, err := os.Stat(s.path)
	if err != nil || !same(st, s.rootDir) {
		return false
	}
	for _, f := range []struct {
		name string
		file *os.File
	}{{"lock", s.lock}, {"tmp", s.tmpDir}, {indexName, s.j.idx.f}, {journalName, s.j.f}} {
		if st, err = s.root.Lstat(MetaName + "/" + f.name); err != nil || !same(st, f.file) {
			return false
		}
	}
	return st.Size() == s.j.end
}

func same(st os.FileInfo, f *os.File) bool {
	own, err := f.Stat()
	return err == nil && os.SameFile(st, own)
}

// Unlock lets others store. Nothing may be asked of the store but Lock and Close.
func (s *Store) Unlock() error { return unlock(s.lock) }

// Path is what was given to Open.
func (s *Store) Path() string { return s.path }

// Close gives everything back, the lock too.
func (s *Store) Close() {
	if s.j != nil {
		s.j.close()
	}
	for _, f := range []*os.File{s.lock, s.rootDir, s.tmpDir} {
		if f != nil {
			f.Close()
		}
	}
	for _, r := range []*os.Root{s.tmp, s.meta, s.root} {
		if r != nil {
			r.Close()
		}
	}
}

// subRoot opens a directory inside another and makes it if it is missing. A symbolic
// link in its place is refused, wherever it leads.
func subRoot(in *os.Root, name string, out **os.Root) (created bool, err error) {
	st, err := in.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = in.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return false, err
		}
		created = err == nil
		st, err = in.Lstat(name)
	}
	if err != nil {
		return false, err
	}
	if !st.IsDir() {
		return false, fmt.Errorf("%s in it is no directory: remove it", name)
	}
	*out, err = in.OpenRoot(name)
	return created, err
}

// waitLock takes the lock that keeps two runs apart; a holder that died holds nothing.
func waitLock(ctx context.Context, f *os.File) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		ok, err := tryLock(f)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
