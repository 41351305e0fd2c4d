package sqlite

import (
	"context"
	"errors"
	"io/fs"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/vaguemestre/vaguemestre"
)

// What [Open] refuses, and what a damaged file gives later. In every case the file
// is left as it was found.
var (
	ErrForeign = errors.New("the file is not a vaguemestre store; give another path")
	ErrCorrupt = errors.New("the store is damaged; restore it from a backup, or move it away together with its -wal file to start afresh")
	ErrNewer   = errors.New("the store was written by a newer version of this program; use that version, or restore the backup made before it")
	ErrClosed  = errors.New("the store or lease is closed")
)

// fail makes an *vaguemestre.Error of err; nil stays nil.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return err
	}
	out := &vaguemestre.Error{Op: "sqlite: " + op, Class: vaguemestre.ClassSink, Err: err}
	var se *driver.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		out.Class = vaguemestre.ClassCanceled
	case errors.Is(err, ErrForeign), errors.Is(err, ErrCorrupt), errors.Is(err, ErrNewer), errors.Is(err, ErrClosed),
		errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		out.Class = vaguemestre.ClassConfig
	case errors.As(err, &se):
		switch se.Code() & 0xff { // the primary result code: https://sqlite.org/rescode.html#pve
		case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
			out.Class, out.Err = vaguemestre.ClassConfig, errors.Join(ErrCorrupt, err)
		case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
			out.Class = vaguemestre.ClassBusy
		case lib.SQLITE_INTERRUPT:
			out.Class = vaguemestre.ClassCanceled
		case lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_AUTH, lib.SQLITE_MISMATCH, lib.SQLITE_CONSTRAINT, lib.SQLITE_ERROR:
			out.Class = vaguemestre.ClassConfig
		}
	}
	return out
}

// busy reports whether err means that another connection holds the file for now.
func busy(err error) bool {
	var se *driver.Error
	return errors.As(err, &se) && (se.Code()&0xff == lib.SQLITE_BUSY || se.Code()&0xff == lib.SQLITE_LOCKED)
}
