package launcher

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Wait returns when another run may find something: when the system tells of a change in
// the directory, when a file that was not complete can be, and after Poll or max at the
// latest, whichever is shorter; max 0 is Poll. Its error is that of ctx.
//
// A change that the system does not tell of, as on most network shares, and changes deeper
// than the first level of sub-directories are found by the next look: Wait only makes it
// sooner.
func (l *Folder) Wait(ctx context.Context, max time.Duration) error {
	poll := l.Poll
	if poll <= 0 {
		poll = 30 * time.Second
	}
	if max <= 0 || max > poll {
		max = poll
	}
	if due := l.nextDue(); !due.IsZero() {
		max = min(max, due.Sub(l.clock()))
	}
	timer := time.NewTimer(max)
	defer timer.Stop()
	var changes chan fsnotify.Event
	var faults chan error
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close()
		if l.watch(w) == nil {
			changes, faults = w.Events, w.Errors
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case e := <-changes:
			if e.Op != fsnotify.Chmod && !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Rename) {
				return nil
			}
		case <-faults: // an overflow: something changed
			return nil
		}
	}
}

// nextDue is when the first file that was seen incomplete can be complete.
func (l *Folder) nextDue() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first time.Time
	for _, s := range l.sights {
		if !s.due.IsZero() && (first.IsZero() || s.due.Before(first)) {
			first = s.due
		}
	}
	return first
}

// watchedDirs is how many sub-directories Wait asks the system about.
const watchedDirs = 256

// watch asks the system to tell of changes in the directory and, if they matter, in its
// sub-directories.
func (l *Folder) watch(w *fsnotify.Watcher) error {
	if err := w.Add(l.Path); err != nil {
		return err
	}
	if !l.Recursive && !l.directories() {
		return nil
	}
	d, err := os.Open(l.Path)
	if err != nil {
		return err
	}
	defer d.Close()
	list, _ := d.ReadDir(10 * watchedDirs)
	n := 0
	for _, e := range list {
		if n < watchedDirs && e.IsDir() && !hidden(e.Name()) && w.Add(filepath.Join(l.Path, e.Name())) == nil {
			n++
		}
	}
	return nil
}
