package launcher

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

const (
	folderPage    = 2000      // items in one page
	folderEntries = 1_000_000 // names in one listing; their keys lie in memory
	folderDepth   = 50
)

// sight is what is remembered of something that was not taken.
type sight struct {
	print   string
	since   time.Time // when it was first seen so
	changed bool      // it was seen to change before that
	due     time.Time // when it can be complete; zero for what is refused
	reason  string    // as it was logged
}

// hidden tells whether a name is passed over in silence. "~$" begins the lock files of
// office programs.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$")
}

// ignored tells whether a name is one of a file that is being written.
func (l *Folder) ignored(name string) bool {
	for _, end := range l.ignore() {
		if len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end) {
			return true
		}
	}
	return false
}

// List implements [cold.Session]. The first page of a listing finds all items, with nothing
// of their content; the others go on from there.
func (s *folderSession) List(ctx context.Context, cursor string) (cold.Page, error) {
	if err := s.ready(ctx, "list"); err != nil {
		return cold.Page{}, err
	}
	at := 0
	if id, n, ok := strings.Cut(cursor, ":"); ok && id == s.listing && s.items != nil {
		at, _ = strconv.Atoi(n)
	}
	if at <= 0 || at >= len(s.items) {
		at = 0
		if err := s.scan(ctx); err != nil {
			if rerr := s.ready(ctx, "list"); rerr != nil {
				err = rerr
			}
			return cold.Page{}, err
		}
	}
	end := min(at+folderPage, len(s.items))
	p := cold.Page{Items: slices.Clone(s.items[at:end])}
	if end < len(s.items) {
		p.More, p.Cursor = true, s.listing+":"+strconv.Itoa(end)
	}
	return p, nil
}

// scanner is one listing on its way.
type scanner struct {
	*folderSession
	ctx    context.Context
	now    time.Time
	before map[string]sight
	sights map[string]sight
	names  int
	items  []cold.Item
}

// scan finds all items.
func (s *folderSession) scan(ctx context.Context) error {
	s.l.mu.Lock()
	before := s.l.sights
	s.l.mu.Unlock()
	sc := &scanner{folderSession: s, ctx: ctx, now: s.l.clock(), before: before, sights: map[string]sight{}}
	if err := sc.directory(".", 0); err != nil {
		return folderError("list", s.l.Path, err)
	}
	slices.SortFunc(sc.items, func(a, b cold.Item) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	s.l.mu.Lock()
	s.l.sights = sc.sights
	s.l.mu.Unlock()
	s.items, s.listing = sc.items, rand.Text()
	return nil
}

// each calls f for everything in a directory, in no order. What vanishes meanwhile is left
// out.
func (s *folderSession) each(ctx context.Context, dir string, names *int, f func(rel string, fi fs.FileInfo) error) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := d.ReadDir(512)
		for _, e := range list {
			if *names++; *names > folderEntries {
				return errFolder("list", vaguemestre.ClassConfig,
					"%s holds more than %d names: let the job move or delete what it took, or watch its sub-directories one by one", quote(s.l.Path), folderEntries)
			}
			rel := path.Join(dir, e.Name())
			fi, err := s.root.Lstat(rel)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return err
			}
			if err := f(rel, fi); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// marker returns the end marker of a directory; nil without one.
func (s *folderSession) marker(dir string) fs.FileInfo {
	if s.l.EndMarker == "" {
		return nil
	}
	if fi, err := s.root.Lstat(path.Join(dir, s.l.EndMarker)); err == nil && fi.Mode().IsRegular() {
		return fi
	}
	return nil
}

// directory lists what lies in dir.
func (sc *scanner) directory(dir string, depth int) error {
	mark := sc.marker(dir)
	return sc.each(sc.ctx, dir, &sc.names, func(rel string, fi fs.FileInfo) error {
		switch name := fi.Name(); {
		case strings.HasPrefix(name, asidePrefix):
			sc.interrupted(rel, fi)
		case hidden(name):
		case fi.IsDir() && sc.l.directories():
			return sc.unit(rel)
		case fi.IsDir() && sc.l.Recursive && depth >= folderDepth:
			sc.refuse(rel, "it lies too deep: 50 sub-directories are the limit")
		case fi.IsDir() && sc.l.Recursive:
			err := sc.directory(rel, depth+1)
			if errors.Is(err, fs.ErrNotExist) { // it vanished
				return nil
			}
			if err == nil || sc.ctx.Err() != nil || vaguemestre.ClassOf(err) == vaguemestre.ClassConfig {
				return err
			}
			sc.refuse(rel, "it cannot be read: "+folderError("list", rel, err).Error())
		case fi.IsDir():
		case name == sc.l.EndMarker:
		case sc.l.ignored(name):
		case !fi.Mode().IsRegular():
			sc.refuse(rel, special(fi.Mode()))
		default:
			print := filePrint(fi.Size(), fi.ModTime())
			marked := sc.l.EndMarker == "" || sc.l.directories() // a file beside directories has no marker of its own
			if !marked && mark == nil {
				return nil
			}
			if mark != nil && !fi.ModTime().After(mark.ModTime()) || sc.stable(rel, print, fi.ModTime()) {
				sc.add(sc.key(rel, false, print), fi.Size(), fi.ModTime())
			}
		}
		return nil
	})
}

// interrupted lists what a removal that was cut off has left aside, under the key that it has
// for the ledger, which knows whether it is still to be removed.
func (sc *scanner) interrupted(rel string, fi fs.FileInfo) {
	_, base, ok := strings.Cut(fi.Name(), "~")
	if !ok {
		return
	}
	print, size, mtime := filePrint(fi.Size(), fi.ModTime()), fi.Size(), fi.ModTime()
	if fi.IsDir() {
		u, err := sc.tree(sc.ctx, rel, &sc.names)
		if err != nil {
			return
		}
		print, size, mtime = u.print, u.size, u.newest
	}
	name := path.Join(path.Dir(rel), base)
	if key := sc.key(name, fi.IsDir(), print); asideOf(name, key) == rel {
		sc.add(key, size, mtime)
	}
}

// unit lists a directory that is one item.
func (sc *scanner) unit(rel string) error {
	u, err := sc.tree(sc.ctx, rel, &sc.names)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && (sc.ctx.Err() != nil || vaguemestre.ClassOf(err) == vaguemestre.ClassConfig):
		return err
	case err != nil:
		sc.refuse(rel, "it cannot be read: "+folderError("list", rel, err).Error())
		return nil
	case len(u.files) == 0 && u.bad == "":
		return nil
	}
	if sc.l.EndMarker != "" {
		if u.mark == nil {
			return nil
		}
		if !u.newest.After(u.mark.ModTime()) {
			sc.add(sc.key(rel, true, u.print), u.size, u.newest)
			return nil
		}
	} else if u.writing != "" {
		sc.refuse(rel, "it waits for "+quote(u.writing)+", which is being written")
		return nil
	}
	// A copy that keeps times makes files look old, and rsync writes under a hidden name; the
	// time of the directory tells that names are still being made in it.
	if sc.stable(rel, fmt.Sprintf("%s;touched=%d", u.print, u.touched.UnixNano()), u.touched) {
		sc.add(sc.key(rel, true, u.print), u.size, u.newest)
	}
	return nil
}

func (sc *scanner) add(key string, size int64, mtime time.Time) {
	sc.items = append(sc.items, cold.Item{Key: key, Epoch: key, Size: size, Time: mtime})
}

// stable tells whether something has not changed for StableFor, and remembers it if it did.
// A clock that is ahead of ours makes a file look as if it was yet to come: it is stable
// once it was seen unchanged that long.
func (sc *scanner) stable(rel, print string, mtime time.Time) bool {
	old, known := sc.before[rel]
	now := sight{print: print, since: sc.now}
	switch {
	case known && old.print == print:
		now.since, now.changed, now.reason = old.since, old.changed, old.reason
	case known && old.print != "":
		now.changed = true
	}
	now.due = now.since.Add(sc.l.stableFor())
	if written := mtime.Add(sc.l.stableFor()); !now.changed && written.Before(now.due) {
		now.due = written
	}
	if !sc.now.Before(now.due) {
		return true
	}
	if mtime.Sub(sc.now) > time.Minute && now.reason == "" {
		now.reason = "future"
		sc.log.Warn("collect: a file's time lies in the future: it is taken once it was seen unchanged; set the clocks right",
			"path", readable(rel), "time", mtime)
	}
	sc.sights[rel] = now
	return false
}

// refuse logs why something is not taken, once.
func (sc *scanner) refuse(rel, reason string) {
	if sc.before[rel].reason != reason {
		sc.log.Warn("collect: not taken", "path", readable(rel), "reason", reason)
	}
	sc.sights[rel] = sight{reason: reason}
}

// special says what a file is that is none.
func special(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "it is a symbolic link: put the file itself there"
	case m&fs.ModeNamedPipe != 0:
		return "it is a named pipe"
	case m&fs.ModeSocket != 0:
		return "it is a socket"
	case m&fs.ModeDevice != 0:
		return "it is a device"
	}
	return "it is no regular file"
}
