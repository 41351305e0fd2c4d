package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Key seals; settings.Keyring is one.
type Key interface {
	settings.Sealer
	settings.Opener
}

// Files is a [Store] in a directory, one sealed file per name, for programs without a
// database. It may be shared by the processes of one machine; do not put it on a network
// file system. The directory is made if it is missing, but not the one above it.
//
// On Unix only the user of the process may have access to the directory and the files,
// which must be its own; otherwise every method refuses with class config. On Windows the
// access rights of the directory are the host's to set.
//
// A value that cannot be opened (another key, a changed, cut or swapped file) is an error
// of class config; the file stays, until it is replaced or removed by Save.
type Files struct {
	Dir string
	Key Key // required
}

var _ Store = (*Files)(nil)

// A file is fileMagic, the revision as 8 bytes, then the sealed content: one byte that
// tells whether there is a value, then the value. What it is sealed for names all that
// tells files apart, so that none can stand in another's place.
const (
	fileMagic   = "vaguemestre token 1\n"
	fileHead    = len(fileMagic) + 8
	maxFileSize = 64 << 20
)

const (
	fileRemoved = 0 // the file stays, so that its revision is not used again
	fileValue   = 1
)

func (s *Files) path(name, ext string) string {
	h := sha256.Sum256([]byte(name))
	return filepath.Join(s.Dir, hex.EncodeToString(h[:])+ext)
}

func fileID(name string, rev int64) string { return fmt.Sprintf("token file/%s/%d", name, rev) }

// Load implements [Store].
func (s *Files) Load(ctx context.Context, name string) ([]byte, int64, error) {
	const op = "auth: load file"
	if err := s.ready(ctx, op); err != nil {
		return nil, 0, err
	}
	return s.read(op, name)
}

// read gives nil and 0 for what was removed.
func (s *Files) read(op, name string) ([]byte, int64, error) {
	value, rev, err := s.readAll(op, name)
	if value == nil && err == nil {
		rev = 0
	}
	return value, rev, err
}

// readAll gives the revision of what was removed too.
func (s *Files) readAll(op, name string) ([]byte, int64, error) {
	path := s.path(name, ".token")
	f, err := openOwn(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fileError(op, name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, 0, fileError(op, name, err)
	}
	damaged := func(err error) error {
		return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: fmt.Errorf("%q in file %s: %w", cut(name), path, err)}
	}
	if len(b) < fileHead || !bytes.HasPrefix(b, []byte(fileMagic)) || len(b) > maxFileSize {
		return nil, 0, damaged(errors.New("it is no file of this store: move it away and associate the account again"))
	}
	rev := int64(binary.BigEndian.Uint64(b[len(fileMagic):fileHead]))
	if rev <= 0 || rev == math.MaxInt64 {
		return nil, 0, damaged(errors.New("its revision makes no sense: move it away and associate the account again"))
	}
	content, err := s.Key.Open(b[fileHead:], fileID(name, rev))
	switch {
	case err != nil:
		return nil, rev, damaged(err)
	case len(content) == 0 || content[0] > fileValue:
		return nil, rev, damaged(errors.New("its content makes no sense: associate the account again"))
	case content[0] == fileRemoved:
		return nil, rev, nil
	}
	return content[1:], rev, nil
}

// Save implements [Store].
func (s *Files) Save(ctx context.Context, name string, value []byte, rev int64) (int64, error) {
	const op = "auth: save file"
	if err := s.ready(ctx, op); err != nil {
		return 0, err
	}
	if len(value) > maxFileSize/2 {
		return 0, &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: fmt.Errorf("%q: a value of %d bytes is no token", cut(name), len(value))}
	}
	unlock, err := s.lock(ctx, op, name, ".change")
	if err != nil {
		return 0, err
	}
	defer unlock()
	old, last, err := s.readAll(op, name)
	if err != nil && last == 0 {
		return 0, err
	}
	stored := last
	if err == nil && old == nil {
		stored = 0
	}
	if stored != rev {
		return 0, &vaguemestre.Error{Op: op, Class: vaguemestre.ClassBusy, Err: fmt.Errorf("%q: %w", cut(name), ErrConflict)}
	}
	next := last + 1
	content := append([]byte{fileValue}, value...)
	if value == nil {
		content[0] = fileRemoved
	}
	sealed, err := s.Key.Seal(content, fileID(name, next))
	if err != nil {
		return 0, &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: fmt.Errorf("%q: %w", cut(name), err)}
	}
	file := append(binary.BigEndian.AppendUint64([]byte(fileMagic), uint64(next)), sealed...)
	if err := s.write(s.path(name, ".new"), s.path(name, ".token"), file); err != nil {
		return 0, fileError(op, name, err)
	}
	return next, nil
}

// write puts a file in the place of another at once and for good. The caller holds the lock
// that makes the temporary name its own.
func (s *Files) write(temp, path string, content []byte) error {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a crash
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(s.Dir)
}

// Lock implements [Store].
func (s *Files) Lock(ctx context.Context, name string) (func(), error) {
	const op = "auth: lock file"
	if err := s.ready(ctx, op); err != nil {
		return nil, err
	}
	return s.lock(ctx, op, name, ".lock")
}

// lock takes the operating system's lock on a file that is never removed.
func (s *Files) lock(ctx context.Context, op, name, ext string) (func(), error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return nil, fileError(op, name, err)
		}
		l := flock.New(s.path(name, ext), flock.SetPermissions(0o600))
		ok, err := l.TryLock()
		if ok {
			return sync.OnceFunc(func() { l.Close() }), nil
		}
		l.Close()
		if err != nil {
			return nil, fileError(op, name, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// ready makes the directory if need be, and tells why no token can be kept there.
func (s *Files) ready(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassCanceled, Err: err}
	}
	bad := func(err error) error { return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: err} }
	if s.Key == nil {
		return bad(errors.New("there is no key to seal tokens with: set Key, to a settings.Keyring say"))
	}
	if s.Dir == "" {
		return bad(errors.New("there is no directory for tokens: set Dir"))
	}
	err := checkDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(s.Dir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			err = checkDir(s.Dir)
		}
	}
	if err != nil {
		return bad(err)
	}
	return nil
}

// errLoose is why a file or directory is not trusted.
type errLoose struct{ error }

func loose(path, why string) error { return errLoose{fmt.Errorf("%s %s", path, why)} }

func fileError(op, name string, err error) error {
	class := vaguemestre.ClassDeferred
	var l errLoose
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		class = vaguemestre.ClassCanceled
	case errors.As(err, &l), errors.Is(err, fs.ErrPermission):
		class = vaguemestre.ClassConfig
	}
	return &vaguemestre.Error{Op: op, Class: class, Err: fmt.Errorf("%q: %w", cut(name), err)}
}
