package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Box is a launcher of our own: a directory in which each file is an item. Who fills it
// writes under a name that begins with a dot or ends in .tmp, and renames once all is
// written. It can leave an item, move it into a directory inside, and delete it.
type Box struct {
	Dir string `key:"dir" required:"true" format:"path"`
}

var _ cold.Launcher = (*Box)(nil)

// Labels gives the texts of its form.
func (*Box) Labels() map[string]settings.Label {
	return map[string]settings.Label{"dir": {
		Name: settings.Text{EN: "Directory", FR: "Répertoire"},
		Help: settings.Text{EN: "Each of its files is collected.", FR: "Chacun de ses fichiers est collecté."},
	}}
}

var boxKind = settings.Kind[cold.Launcher]{
	Name:  "box",
	Title: settings.Text{EN: "Letter box", FR: "Boîte de dépôt"},
	New:   func() cold.Launcher { return new(Box) },
}

// Supports is asked when wiring.
func (*Box) Supports(a cold.After) error {
	switch {
	case a.Do == cold.DoLeave, a.Do == cold.DoDelete, a.Do == cold.DoMove && a.Target != "." && filepath.IsLocal(a.Target):
		return nil
	}
	return boxError("after", vaguemestre.ClassConfig, fmt.Errorf("cannot %s to %q: it can leave, delete, and move to a directory inside", a.Do, a.Target))
}

// Connect opens the directory.
func (b *Box) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, boxError("connect", vaguemestre.ClassCanceled, err)
	}
	dir, err := filepath.Abs(b.Dir)
	if err != nil {
		return nil, boxError("connect", vaguemestre.ClassConfig, err)
	}
	root, err := os.OpenRoot(dir) // nothing outside is ever touched
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, boxError("connect", vaguemestre.ClassConfig, fmt.Errorf("make the directory, or correct dir: %w", err))
	case err != nil:
		return nil, boxError("connect", vaguemestre.ClassSource, err)
	}
	s := &boxSession{root: root, epoch: "box:" + (&url.URL{Path: filepath.ToSlash(dir)}).EscapedPath()}
	s.readOnly = o != nil && o.ReadOnly
	return s, nil
}

type boxSession struct {
	root     *os.Root
	epoch    string // names the directory
	readOnly bool
	ended    bool
}

// use begins a call. A session whose ctx ended is of no use any more.
func (s *boxSession) use(ctx context.Context, op string) error {
	if s.ended {
		return boxError(op, vaguemestre.ClassSource, errors.New("the session has ended; connect again"))
	}
	if err := ctx.Err(); err != nil {
		s.ended = true
		return boxError(op, vaguemestre.ClassCanceled, err)
	}
	return nil
}

// List gives everything in one page: the ledger knows what was taken before.
func (s *boxSession) List(ctx context.Context, _ string) (cold.Page, error) {
	if err := s.use(ctx, "list"); err != nil {
		return cold.Page{}, err
	}
	entries, err := fs.ReadDir(s.root.FS(), ".") // in the order of names
	if err != nil {
		return cold.Page{}, boxError("list", vaguemestre.ClassSource, err)
	}
	var p cold.Page
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if info, err := e.Info(); err == nil { // else it is gone
			p.Items = append(p.Items, cold.Item{Key: s.key(info), Epoch: s.epoch, Size: info.Size(), Time: info.ModTime()})
		}
	}
	return p, nil
}

// key names this content for ever: another file under the same name has another time.
func (s *boxSession) key(info os.FileInfo) string {
	return fmt.Sprintf("%s/%s?size=%d&time=%s", s.epoch, url.PathEscape(info.Name()), info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

// find returns the name of an item's file, "" if it is gone.
func (s *boxSession) find(it cold.Item) string {
	rest, ok := strings.CutPrefix(it.Key, s.epoch+"/")
	escaped, _, _ := strings.Cut(rest, "?")
	name, err := url.PathUnescape(escaped)
	if !ok || err != nil {
		return ""
	}
	if info, err := s.root.Lstat(name); err != nil || !info.Mode().IsRegular() || s.key(info) != it.Key {
		return ""
	}
	return name
}

// Open opens one file after the other.
func (s *boxSession) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	seen := map[string]bool{}
	for _, it := range items {
		if err := s.use(ctx, "open"); err != nil {
			return err
		}
		name := s.find(it)
		if name == "" || seen[it.Key] {
			continue
		}
		seen[it.Key] = true
		if err := s.openOne(name, it, got); err != nil {
			return err
		}
	}
	return nil
}

func (s *boxSession) openOne(name string, it cold.Item, got func(cold.Item, *cold.Content) error) error {
	f, err := s.root.Open(name)
	if err != nil { // this one only: the others may be readable
		return got(it, &cold.Content{Name: name, Err: boxError("open", vaguemestre.ClassSource, err)})
	}
	defer f.Close()
	c := &cold.Content{Name: name, Size: it.Size, Body: f}
	if strings.EqualFold(path.Ext(name), ".eml") {
		c.MediaType = "message/rfc822"
	}
	if err := got(it, c); err != nil {
		return err
	}
	return got(it, nil) // a file is confirmed as soon as it was read
}

// Settle moves or deletes. Items may be of an earlier session: their key says it all.
func (s *boxSession) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	if s.readOnly {
		return nil, boxError("settle", vaguemestre.ClassConfig, errors.New("the session is read-only"))
	}
	if err := (*Box)(nil).Supports(do); err != nil {
		return nil, err
	}
	var out []cold.Receipt
	for _, it := range items {
		if err := s.use(ctx, "settle"); err != nil {
			return out, err
		}
		rc := cold.Receipt{Outcome: cold.SettleDone}
		name := s.find(it)
		var err error
		switch {
		case name == "":
			rc.Outcome = cold.SettleGone
		case do.Do == cold.DoDelete:
			err = s.root.Remove(name)
		case do.Do == cold.DoMove:
			rc.Ref, err = s.move(name, do.Target)
		}
		if err != nil {
			rc.Outcome, rc.Err = cold.SettleFailed, boxError("settle", vaguemestre.ClassSource, err)
		}
		out = append(out, rc)
	}
	return out, nil
}

// move renames a file into a directory inside the box, and replaces nothing there. A
// power cut may undo it: then the ledger has it done again.
func (s *boxSession) move(name, dir string) (string, error) {
	if err := s.root.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	ext := path.Ext(name)
	for n := 1; ; n++ {
		to := path.Join(filepath.ToSlash(dir), name)
		if n > 1 {
			to = path.Join(filepath.ToSlash(dir), fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext))
		}
		if _, err := s.root.Lstat(to); errors.Is(err, os.ErrNotExist) {
			return to, s.root.Rename(name, to)
		} else if err != nil {
			return "", err
		}
	}
}

// Close leaves the directory as it is.
func (s *boxSession) Close() error {
	s.ended = true
	return s.root.Close()
}

func boxError(op string, c vaguemestre.Class, err error) error {
	return &vaguemestre.Error{Op: "box: " + op, Class: c, Err: err}
}
