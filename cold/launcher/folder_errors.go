package launcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/vaguemestre/vaguemestre"
)

func errFolder(op string, class vaguemestre.Class, format string, args ...any) error {
	return &vaguemestre.Error{Op: "folder: " + op, Class: class, Err: fmt.Errorf(format, args...)}
}

func canceledFolder(ctx context.Context, op string) error {
	return &vaguemestre.Error{Op: "folder: " + op, Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
}

// folderError gives a failure of the file system its class and says what to do. name is a
// path as people know it.
func folderError(op, name string, err error) error {
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return err
	}
	class, todo := vaguemestre.ClassSource, "see that the file system is mounted and sound"
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &vaguemestre.Error{Op: "folder: " + op, Class: vaguemestre.ClassCanceled, Err: err}
	case errors.Is(err, fs.ErrNotExist):
		class, todo = vaguemestre.ClassConfig, "make the directory, or mount its file system"
	case errors.Is(err, fs.ErrPermission):
		class, todo = vaguemestre.ClassAuth, "give this program's user the right to it"
	case errors.Is(err, syscall.EROFS):
		todo = "the file system is read-only: mount it for writing, or use the after-action leave"
	case errors.Is(err, syscall.ENOSPC):
		todo = "make room on the disk"
	}
	var pe *fs.PathError
	if errors.As(err, &pe) { // its path is said by name already
		err = fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	return &vaguemestre.Error{Op: "folder: " + op, Class: class, Err: fmt.Errorf("%s: %w: %s", quote(name), err, todo)}
}
