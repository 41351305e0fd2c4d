package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Unit is what one item of a [Folder] is.
type Unit string

const (
	UnitFiles       Unit = "files"       // each file; the default
	UnitDirectories Unit = "directories" // each sub-directory with all below it, whose files belong together; and each file beside them
)

// Folder collects the files of a directory, local or a mounted share. Path and ErrorDir are
// required. It supports the after-actions leave, move and delete. The target of a move is a
// directory, relative to the parent of Path or absolute; it is made if missing, keeps the
// sub-directories of the source, and a name that is taken gets " (2)" and so on.
//
// An item is taken when it is complete: its size and time have not changed for StableFor, or
// EndMarker says so. What was first seen and when is kept in the value, so one Folder that
// lives on also finds files whose clock is wrong complete. Names that begin with "." or "~$"
// are hidden and never taken; symbolic links and special files are refused, and the log says
// so once. A directory that holds one, or a name that is not UTF-8, is given up after three
// runs.
//
// An item is known by its path, size and time, and if one of these changed by its path below
// Path and its content: a file that was touched, or a source that was mounted elsewhere, is
// not imported again. Content that is replaced with no change of size and time to the
// nanosecond is not noticed.
//
// What the job gives up goes to ErrorDir. Before anything is removed from the source it is
// renamed within it and compared again, so that what was put in its place meanwhile stays. A
// directory that holds hidden names is moved to ErrorDir instead of being removed, for they
// were not taken; one in which a file is being written stays until that is over.
// A file system that hangs cannot be interrupted; otherwise every call honours its context.
//
// Its methods are safe for concurrent use; the fields must not change meanwhile.
type Folder struct {
	Path      string        `key:"path" required:"true"`
	Unit      Unit          `key:"unit" default:"files" enum:"files,directories"`
	Recursive bool          `key:"recursive"` // with UnitFiles: sub-directories too
	ErrorDir  string        `key:"error_dir" required:"true"`
	EndMarker string        `key:"end_marker"`                                                                   // a file name; what lies beside it and is not newer than it is complete
	StableFor time.Duration `key:"stable_for" default:"5s" min:"1ms" max:"24h"`                                  // 0 is the default
	Ignore    []string      `key:"ignore" default:".part,.tmp,.crdownload,.filepart,.partial,~" advanced:"true"` // endings of names, without regard to case; nil is the default
	Poll      time.Duration `key:"poll" default:"30s" min:"1s" max:"24h" advanced:"true"`                        // of Wait; 0 is the default

	mu     sync.Mutex
	sights map[string]sight // what was not complete or was refused when it was listed last, by path below Path

	now func() time.Time // of tests
}

var (
	_ cold.Launcher          = (*Folder)(nil)
	_ vaguemestre.Checker    = (*Folder)(nil)
	_ vaguemestre.Endpointer = (*Folder)(nil)
	_ settings.Validator     = (*Folder)(nil)
)

// Kind is the name of this launcher in settings: "folder".
func (l *Folder) Kind() string { return "folder" }

// String names the launcher in logs: "folder /srv/depot".
func (l *Folder) String() string {
	if l == nil {
		return "<nil>"
	}
	return "folder " + l.Path
}

// Format writes the same as String, whatever the verb and flags.
func (l *Folder) Format(f fmt.State, _ rune) { io.WriteString(f, l.String()) }

// Labels gives the texts of a form.
func (l *Folder) Labels() map[string]settings.Label { return folderLabels }

// Endpoints implements [vaguemestre.Endpointer]: there are none, a share is mounted by the system.
func (l *Folder) Endpoints() []vaguemestre.Endpoint { return nil }

func (l *Folder) stableFor() time.Duration {
	if l.StableFor <= 0 {
		return 5 * time.Second
	}
	return l.StableFor
}

func (l *Folder) ignore() []string {
	if l.Ignore == nil {
		return []string{".part", ".tmp", ".crdownload", ".filepart", ".partial", "~"}
	}
	return l.Ignore
}

func (l *Folder) clock() time.Time {
	if l.now != nil {
		return l.now()
	}
	return time.Now()
}

// directories tells whether sub-directories are items.
func (l *Folder) directories() bool { return l.Unit == UnitDirectories }

// place is where a directory named in settings lies: relative to the parent of root.
func place(root, dir string) string {
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return filepath.Join(filepath.Dir(root), filepath.FromSlash(dir))
}

// watched tells whether what lies in dir would be listed, or dir itself: both are clean and
// absolute, or relative to the same directory.
func (l *Folder) watched(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return false
	}
	if rel == "." {
		return true
	}
	for _, name := range strings.Split(rel, string(filepath.Separator)) {
		if hidden(name) {
			return false
		}
	}
	return l.Recursive || l.directories()
}

// ValidateSettings implements [settings.Validator].
func (l *Folder) ValidateSettings() []settings.Issue {
	var is []settings.Issue
	add := func(path, en, fr string) {
		is = append(is, settings.Issue{Path: path, Code: settings.CodeBadFormat, Message: settings.Text{EN: en, FR: fr}})
	}
	if l.Path != "" && l.ErrorDir != "" && l.watched(filepath.Clean(l.Path), place(filepath.Clean(l.Path), l.ErrorDir)) {
		add("error_dir", "lies in the watched directory: choose one outside, such as ../errors",
			"se trouve dans le répertoire surveillé : en choisir un au dehors, par exemple ../erreurs")
	}
	if strings.ContainsAny(l.Path, "\x00\r\n") {
		add("path", "holds a line end: enter it again", "contient un saut de ligne : à saisir de nouveau")
	}
	if strings.ContainsAny(l.ErrorDir, "\x00\r\n") {
		add("error_dir", "holds a line end: enter it again", "contient un saut de ligne : à saisir de nouveau")
	}
	if strings.ContainsAny(l.EndMarker, "/\\\x00\r\n") {
		add("end_marker", "is no file name: enter it without a directory", "n'est pas un nom de fichier : à saisir sans répertoire")
	}
	for _, end := range l.Ignore {
		if end == "" || strings.ContainsAny(end, "/\\\x00\r\n") {
			add("ignore", "holds an ending that no file name can have: remove it", "contient une terminaison impossible : à retirer")
			break
		}
	}
	return is
}

func (l *Folder) valid() error {
	switch {
	case l.Path == "":
		return errFolder("settings", vaguemestre.ClassConfig, "no path is set: name the directory to watch")
	case l.ErrorDir == "":
		return errFolder("settings", vaguemestre.ClassConfig, "no error_dir is set: name a directory for what cannot be read")
	case l.Unit != "" && l.Unit != UnitFiles && !l.directories():
		return errFolder("settings", vaguemestre.ClassConfig, "unit is %q: use files or directories", l.Unit)
	}
	for _, i := range l.ValidateSettings() {
		return errFolder("settings", vaguemestre.ClassConfig, "%s %s", i.Path, i.Message.EN)
	}
	return nil
}

// Supports implements [cold.Launcher].
func (l *Folder) Supports(a cold.After) error {
	bad := func(format string, args ...any) error {
		return errFolder("after", vaguemestre.ClassConfig, format, args...)
	}
	switch a.Do {
	case "", cold.DoLeave, cold.DoDelete:
		return nil
	case cold.DoMove:
	case cold.DoSeen, cold.DoTag:
		return bad("files cannot be marked: use leave, move or delete")
	default:
		return bad("%q is unknown: use leave, move or delete", a.Do)
	}
	switch {
	case strings.TrimSpace(a.Target) == "":
		return bad("move needs a target: name the directory")
	case strings.ContainsAny(a.Target, "\x00\r\n"):
		return bad("the target %s holds a line end: enter it again", quote(a.Target))
	case l.Path != "" && l.watched(filepath.Clean(l.Path), place(filepath.Clean(l.Path), a.Target)):
		return bad("the target %s lies in the watched directory and would be collected again: choose one outside", quote(a.Target))
	}
	return nil
}

// Connect implements [cold.Launcher].
func (l *Folder) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, canceledFolder(ctx, "connect")
	}
	if err := l.valid(); err != nil {
		return nil, err
	}
	s, err := l.open()
	if err != nil {
		return nil, err
	}
	if o != nil {
		s.readOnly = o.ReadOnly
		if o.Logger != nil {
			s.log = o.Logger
		}
	}
	return s, nil
}

// open opens the directory.
func (l *Folder) open() (*folderSession, error) {
	abs, err := filepath.Abs(l.Path)
	if err != nil {
		return nil, folderError("connect", l.Path, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			if fi, serr := os.Stat(abs); serr == nil && !fi.IsDir() {
				return nil, errFolder("connect", vaguemestre.ClassConfig, "%s is no directory: name the directory to watch", quote(l.Path))
			}
		}
		return nil, folderError("connect", l.Path, err)
	}
	return &folderSession{l: l, root: root, path: abs, prefix: folderURL(abs), log: discard}, nil
}

// folderSession is a directory held open. One goroutine owns it.
type folderSession struct {
	l        *Folder
	root     *os.Root
	path     string // absolute
	prefix   string // of keys
	log      *slog.Logger
	readOnly bool
	ended    error // why later calls fail

	listing string      // names items in cursors
	items   []cold.Item // what the last listing found, oldest first
}

// Close implements [cold.Session].
func (s *folderSession) Close() error {
	if s.ended == nil {
		s.ended = errFolder("session", vaguemestre.ClassSource, "the session is closed")
	}
	return s.root.Close()
}

// ready refuses calls of a session that is over.
func (s *folderSession) ready(ctx context.Context, op string) error {
	if s.ended == nil && ctx.Err() != nil {
		s.ended = canceledFolder(ctx, op)
		s.root.Close()
	}
	return s.ended
}
