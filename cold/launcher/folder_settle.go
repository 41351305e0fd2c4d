package launcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// Settle implements [cold.Session]. An item whose size or time is no longer what its key says
// is gone. move and delete rename it first to a hidden name beside it and look again; what
// turns out to be another file is put back. A session that finds such a hidden item goes on
// from there. All names are on the disk before Settle returns.
func (s *folderSession) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	if s.readOnly {
		return nil, errFolder("settle", vaguemestre.ClassConfig, "the session is read-only")
	}
	if err := s.l.Supports(do); err != nil {
		return nil, err
	}
	if err := s.ready(ctx, "settle"); err != nil {
		return nil, err
	}
	if do.Do == "" || do.Do == cold.DoLeave {
		receipts := make([]cold.Receipt, len(items))
		for i := range receipts {
			receipts[i].Outcome = cold.SettleDone
		}
		return receipts, nil
	}
	target := ""
	if do.Do == cold.DoMove {
		target = place(s.path, do.Target)
	}
	return s.away(ctx, items, target)
}

// Quarantine implements [cold.Quarantiner]: items are moved to the error directory.
func (s *folderSession) Quarantine(ctx context.Context, items []cold.Item) ([]cold.Receipt, error) {
	if s.readOnly {
		return nil, errFolder("quarantine", vaguemestre.ClassConfig, "the session is read-only")
	}
	return s.away(ctx, items, place(s.path, s.l.ErrorDir))
}

// away takes items out of the directory, to target, or for good if that is "".
func (s *folderSession) away(ctx context.Context, items []cold.Item, target string) ([]cold.Receipt, error) {
	if err := s.ready(ctx, "settle"); err != nil {
		return nil, err
	}
	receipts := make([]cold.Receipt, 0, len(items))
	if target != "" {
		if err := s.prepare(target); err != nil {
			for range items {
				receipts = append(receipts, cold.Receipt{Outcome: cold.SettleFailed, Err: err})
			}
			return receipts, nil
		}
	}
	names := map[string]bool{} // directories whose names changed
	var err error
	for _, it := range items {
		if err = s.ready(ctx, "settle"); err != nil {
			break
		}
		a := &removal{s: s, ctx: ctx, key: it.Key, target: target, names: names}
		receipts = append(receipts, a.do())
	}
	for dir := range names {
		serr := syncDir(dir)
		if serr == nil || errors.Is(serr, fs.ErrNotExist) {
			continue
		}
		for i := range receipts {
			if receipts[i].Outcome == cold.SettleDone {
				receipts[i] = cold.Receipt{Outcome: cold.SettleUnknown, Err: folderError("settle", dir, serr)}
			}
		}
	}
	return receipts, err
}

// prepare makes the target. A link may lead it into the watched directory, where everything
// would be collected again.
func (s *folderSession) prepare(target string) error {
	if err := makeDir(target); err != nil {
		return folderError("settle", target, err)
	}
	real, err := filepath.EvalSymlinks(target)
	if err != nil {
		return folderError("settle", target, err)
	}
	root, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return folderError("settle", s.path, err)
	}
	if s.l.watched(root, real) {
		return errFolder("settle", vaguemestre.ClassConfig, "the target %s leads into the watched directory and would be collected again: choose one outside", quote(target))
	}
	return nil
}

// makeDir makes a directory and those above it, durably.
func makeDir(dir string) error {
	if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	up := filepath.Dir(dir)
	if up != dir {
		if err := makeDir(up); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(up)
}

// asideOf is where the item at rel lies while it is moved or removed.
func asideOf(rel, key string) string {
	return path.Join(path.Dir(rel), asideName(key, path.Base(rel)))
}

// removal is one item on its way out.
type removal struct {
	s      *folderSession
	ctx    context.Context
	key    string
	target string          // "" removes
	names  map[string]bool // directories to sync

	rel, print string
	dir        bool
	aside      string // its hidden name, below the root
}

func (a *removal) do() cold.Receipt {
	var ok bool
	if a.rel, a.dir, a.print, ok = a.s.parse(a.key); !ok {
		return cold.Receipt{Outcome: cold.SettleGone} // it is of another directory
	}
	a.aside = asideOf(a.rel, a.key)
	ref, found, err := a.run()
	switch {
	case err != nil && a.ctx.Err() != nil:
		return cold.Receipt{Outcome: cold.SettleUnknown, Err: canceledFolder(a.ctx, "settle")}
	case err != nil:
		return cold.Receipt{Outcome: cold.SettleFailed, Err: folderError("settle", readable(a.rel), err)}
	case !found:
		return cold.Receipt{Outcome: cold.SettleGone}
	}
	return cold.Receipt{Outcome: cold.SettleDone, Ref: ref}
}

func (a *removal) run() (ref string, found bool, err error) {
	root := a.s.root
	if _, err := root.Lstat(a.aside + ".gone"); err == nil { // a directory that was being removed
		if err := a.removeRest(); err != nil {
			return "", false, err
		}
		ref, _ := a.placed()
		return ref, true, nil
	}
	same, err := a.same(a.aside)
	if errors.Is(err, fs.ErrNotExist) {
		same, err = a.same(a.rel)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !same {
			ref, ok := a.placed()
			return ref, ok, nil
		} else if err != nil {
			return "", false, err
		}
		step.Before(step.FolderAside)
		err = root.Rename(a.rel, a.aside)
		step.After(step.FolderAside)
		if err != nil {
			return "", false, err
		}
		a.changed(a.s.abs(a.aside))
		same, err = a.same(a.aside)
	}
	if err == nil && same && a.target == "" {
		err = a.spare()
	}
	if err != nil {
		return "", false, errors.Join(err, a.putBack())
	}
	if same && a.target == "" {
		return "", true, a.remove()
	}
	if same {
		ref, same, err = a.move()
	}
	if !same || err != nil {
		return "", false, errors.Join(err, a.putBack())
	}
	return ref, true, nil
}

// same tells whether what lies at rel is what the key says.
func (a *removal) same(rel string) (bool, error) {
	fi, err := a.s.root.Lstat(rel)
	switch {
	case err != nil:
		return false, err
	case fi.IsDir() != a.dir:
		return false, nil
	case !a.dir:
		return fi.Mode().IsRegular() && filePrint(fi.Size(), fi.ModTime()) == a.print, nil
	}
	u, err := a.s.tree(a.ctx, rel, new(int))
	return err == nil && u.print == a.print, err
}

// spare keeps what is in a directory and was not taken from being removed with it: hidden
// names go with the directory to the error directory, a file that is being written is waited
// for.
func (a *removal) spare() error {
	if !a.dir {
		return nil
	}
	u, err := a.s.tree(a.ctx, a.aside, new(int))
	switch {
	case err != nil:
		return err
	case u.writing != "":
		return errFolder("settle", vaguemestre.ClassSource, "%s is not removed: %s in it is being written; the next run looks again",
			quote(readable(a.rel)), quote(u.writing))
	case u.hidden == "":
		return nil
	}
	a.target = place(a.s.path, a.s.l.ErrorDir)
	a.s.log.Warn("collect: a directory holds a hidden file, which was not taken: it is not removed but moved to the error directory",
		"path", readable(a.rel), "hidden", quote(u.hidden))
	return a.s.prepare(a.target)
}

func (s *folderSession) abs(rel string) string { return filepath.Join(s.path, filepath.FromSlash(rel)) }

// changed notes that a name in the directory of file was made or removed.
func (a *removal) changed(file string) { a.names[filepath.Dir(file)] = true }

// remove removes what was taken aside. A directory gets another name first: one that is half
// removed must never be put back.
func (a *removal) remove() error {
	step.Before(step.FolderRemove)
	defer step.After(step.FolderRemove)
	a.changed(a.s.abs(a.aside))
	if !a.dir {
		return a.s.root.Remove(a.aside)
	}
	if err := a.s.root.Rename(a.aside, a.aside+".gone"); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(a.s.abs(a.aside))); err != nil {
		return err
	}
	return a.removeRest()
}

func (a *removal) removeRest() error {
	a.changed(a.s.abs(a.aside))
	return a.s.root.RemoveAll(a.aside + ".gone")
}

// putBack gives what was taken aside its name again, or one beside it if that is taken.
func (a *removal) putBack() error {
	from := a.s.abs(a.aside)
	a.changed(from)
	for n := 1; n <= mostNumbers; n++ {
		err := rename(from, numbered(a.s.abs(a.rel), n, a.dir), a.dir)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return errNoName
}

// mostNumbers is how many items may have one name in a target.
const mostNumbers = 10_000

var errNoName = fmt.Errorf("%d names like this are taken: clear the directory", mostNumbers)

// numbered is the n-th choice of a name: "a (2).pdf".
func numbered(file string, n int, dir bool) string {
	if n == 1 {
		return file
	}
	ext := filepath.Ext(file)
	if dir || ext == filepath.Base(file) {
		ext = ""
	}
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(file, ext), n, ext)
}
