package cold

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/step"
)

// metaName is the directory inside the target where a sink keeps its journal and
// prepares what it will show. SafeName never gives it.
const metaName = ".vaguemestre"

// dirPlace is a target, open and locked for one Put.
type dirPlace struct {
	root *os.Root
	meta *os.Root
	tmp  *os.Root
	lock *os.File
	j    *dirJournal

	rootDir, tmpDir *os.File // root and tmp themselves, for renames
}

// openPlace opens the target, waits for its lock and finishes what a crash left.
func openPlace(ctx context.Context, path string) (*dirPlace, error) {
	p := &dirPlace{}
	if err := p.open(ctx, path); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *dirPlace) open(ctx context.Context, path string) (err error) {
	p.root, err = os.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		// The last element only: a file system that is not mounted must not be replaced
		// by a directory of the same name with all above it.
		if err = os.Mkdir(path, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if up, uerr := os.OpenRoot(filepath.Dir(filepath.Clean(path))); uerr == nil {
			_ = syncDir(up)
			up.Close()
		}
		p.root, err = os.OpenRoot(path)
	}
	if err != nil {
		return err
	}
	created, err := subRoot(p.root, metaName, &p.meta)
	if err != nil {
		return err
	}
	if p.lock, err = p.meta.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err = waitLock(ctx, p.lock); err != nil {
		return err
	}
	made, err := subRoot(p.meta, "tmp", &p.tmp)
	if err != nil {
		return err
	}
	if p.rootDir, err = p.root.Open("."); err != nil {
		return err
	}
	if p.tmpDir, err = p.tmp.Open("."); err != nil {
		return err
	}
	_, noJournal := p.meta.Lstat(journalName)
	if p.j, err = openJournal(p.meta); err != nil {
		return err
	}
	if created || made || noJournal != nil {
		if err = errors.Join(syncDir(p.meta), syncDir(p.root)); err != nil {
			return err
		}
	}
	return p.recover()
}

func (p *dirPlace) close() {
	if p.j != nil {
		p.j.close()
	}
	if p.lock != nil {
		p.lock.Close() // and with it the lock
	}
	for _, f := range []*os.File{p.rootDir, p.tmpDir} {
		if f != nil {
			f.Close()
		}
	}
	for _, r := range []*os.Root{p.tmp, p.meta, p.root} {
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

// recover finishes what an earlier Put left: what the journal announced gets its
// name, the rest is removed.
func (p *dirPlace) recover() error {
	d, err := p.tmp.Open(".")
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil || len(names) == 0 {
		return err
	}
	shown := false
	for _, n := range names {
		if strings.HasSuffix(n, sideSuffix) {
			continue // goes with its document
		}
		hash, _, _ := strings.Cut(n, ".")
		var rec *dirRecord
		if len(hash) == 2*sha256.Size {
			if _, err := hex.DecodeString(hash); err == nil {
				rec, err = p.j.lookup(hash, func(r *dirRecord) bool { return r.Temp == n })
				if err != nil {
					return err
				}
			}
		}
		if rec == nil {
			if err := p.tmp.RemoveAll(n); err != nil {
				return err
			}
			continue
		}
		if err := p.show(rec); err != nil {
			return err
		}
		shown = true
	}
	// Sidecars whose document is gone belong to nothing.
	for _, n := range names {
		if strings.HasSuffix(n, sideSuffix) {
			if err := p.tmp.RemoveAll(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if shown {
		return p.syncNames()
	}
	return nil
}

// sideSuffix ends the name of a sidecar, and of its temporary file.
const sideSuffix = ".json"

// show renames what rec announces. If somebody took the name in the meantime, it
// takes another and announces that first.
func (p *dirPlace) show(rec *dirRecord) error {
	for range 100 {
		err := p.showAs(rec)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if p.alreadyShown(rec) {
			return p.tmp.RemoveAll(rec.Temp)
		}
		next := *rec
		next.Docs = append([]dirEntry(nil), rec.Docs...)
		if rec.Dir != "" {
			next.Dir, err = p.pickName(rec.Dir, false, nil)
		} else {
			_, serr := p.tmp.Lstat(rec.Temp + sideSuffix)
			next.Docs[0].Name, err = p.pickName(rec.Docs[0].Name, serr == nil, nil)
		}
		if err != nil {
			return err
		}
		if err := p.j.append([]*dirRecord{&next}); err != nil {
			return err
		}
		*rec = next
	}
	return errors.New("somebody else takes every name that is free: stop the program that writes into it")
}

func (p *dirPlace) showAs(rec *dirRecord) error {
	step.Before(step.DirRename)
	defer step.After(step.DirRename)
	if rec.Dir != "" {
		return p.move(rec.Temp, rec.Dir)
	}
	name := rec.Docs[0].Name
	// The sidecar first: whoever waits for documents finds it there.
	side := false
	if _, err := p.tmp.Lstat(rec.Temp + sideSuffix); err == nil {
		if err := p.move(rec.Temp+sideSuffix, name+sideSuffix); err != nil {
			return err
		}
		side = true
	}
	err := p.move(rec.Temp, name)
	if err != nil && side {
		_ = p.root.Rename(name+sideSuffix, metaName+"/tmp/"+rec.Temp+sideSuffix)
	}
	return err
}

// alreadyShown reports whether the name holds the very document: a file system without
// atomic renames may show both names after a power cut.
func (p *dirPlace) alreadyShown(rec *dirRecord) bool {
	if rec.Dir != "" || rec.Docs[0].SHA256 == "" {
		return false
	}
	e := rec.Docs[0]
	st, err := p.root.Lstat(e.Name)
	if err != nil || !st.Mode().IsRegular() || st.Size() != e.Size {
		return false
	}
	f, err := p.root.Open(e.Name)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false
	}
	return hex.EncodeToString(h.Sum(nil)) == e.SHA256
}

// move gives a prepared file or directory its name in the target, and fails with
// fs.ErrExist rather than replace anything.
func (p *dirPlace) move(temp, name string) error {
	err := renameNew(p.tmpDir, temp, p.rootDir, name)
	if errors.Is(err, errors.ErrUnsupported) {
		return p.moveByHand(temp, name)
	}
	return err
}

// moveByHand is move where no system call does it.
func (p *dirPlace) moveByHand(temp, name string) error {
	from := metaName + "/tmp/" + temp
	st, err := p.root.Lstat(from)
	if err != nil {
		return err
	}
	if st.Mode().IsRegular() {
		// A second name, then the first one away: link(2) replaces nothing.
		err = p.root.Link(from, name)
		if errors.Is(err, fs.ErrExist) {
			if there, terr := p.root.Lstat(name); terr == nil && os.SameFile(st, there) {
				err = nil // a crash came between the two
			}
		}
		if err == nil {
			return p.root.Remove(from)
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	// Directories, and file systems without hard links (FAT): looking first is the best
	// there is. The lock keeps other sinks away.
	if _, err := p.root.Lstat(name); err == nil {
		return &fs.PathError{Op: "rename", Path: name, Err: fs.ErrExist}
	}
	return p.root.Rename(from, name)
}

// pickName finds a name that is free: name itself, else "name (2).ext" and so on. A
// sidecar needs its own beside it.
func (p *dirPlace) pickName(name string, side bool, taken map[string]bool) (string, error) {
	var failed error
	free := func(n string) bool {
		need := []string{n}
		if side {
			need = append(need, n+sideSuffix)
		}
		for _, x := range need {
			if taken[x] {
				return false
			}
			switch _, err := p.root.Lstat(x); {
			case err == nil:
				return false
			case !errors.Is(err, fs.ErrNotExist):
				failed = err
				return true
			}
		}
		return true
	}
	if free(name) {
		return name, failed
	}
	// Double until one is free, then close in: names are taken from below.
	stem, ext := splitExt(name)
	nth := func(n int) string { return fmt.Sprintf("%s (%d)%s", stem, n, ext) }
	lo, hi := 1, 2
	for !free(nth(hi)) {
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; free(nth(mid)) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return nth(hi), failed
}

// syncNames makes the names durable, and that the temporary ones are gone.
func (p *dirPlace) syncNames() error {
	step.Before(step.DirSyncDir)
	defer step.After(step.DirSyncDir)
	return errors.Join(syncDir(p.root), syncDir(p.tmp))
}
