package dirstore

import (
	"context"
	"errors"
	"io"

	"github.com/vaguemestre/vaguemestre/internal/step"
)

// File is one document to store.
type File struct {
	Key    string // one file per key, for ever
	Name   string // a safe path element; another is chosen if it is taken
	Size   int64  // 0 without SHA256: not known
	SHA256 string // hex; "" not known
	Open   func() (io.ReadSeekCloser, error)

	// Group is shared by files that are shown at once, in a directory Dir, a safe path
	// element as well. "" for one alone.
	Group, Dir string

	// Side, unless nil, gives the content of a file "<name>.json" beside it.
	Side func(name string, size int64, sha256 string) ([]byte, error)
}

// SideSuffix ends the name of a file that File.Side made.
const SideSuffix = ".json"

// FileError blames one file: its content is not what was announced, or cannot be read.
type FileError struct {
	File int // its place in what Put got
	Err  error
}

func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *FileError) Unwrap() error { return e.Err }

// unit is what one rename shows: a file, or a group in its directory.
type unit struct {
	files []int // places in what Put got
	rec   *record
	side  bool // a file beside it is staged
}

// Put stores files durably and returns where each is, relative to the target. ctx is
// asked until the names are announced. After an error the store must be closed: what
// was left half done is finished or removed when it is opened again.
func (s *Store) Put(ctx context.Context, files []File) ([]string, error) {
	refs := make([]string, len(files))
	units, again, err := s.plan(files, refs)
	if err == nil && len(units) == 0 && len(files) > 0 {
		// All are known, but the run that showed them may have died before it synced their names.
		err = s.syncNames()
	}
	if err != nil {
		return nil, err
	}
	for len(units) > 0 {
		n, open := 0, 0
		for n < len(units) {
			more := len(units[n].files)
			if files[units[n].files[0]].Side != nil {
				more *= 2
			}
			if files[units[n].files[0]].Group != "" {
				more++ // its directory
			}
			if n > 0 && open+more > stageFiles {
				break
			}
			open += more
			n++
		}
		if err := s.put(ctx, files, units[:n], refs); err != nil {
			s.numbers = nil // names that were picked may be free again
			return nil, err
		}
		units = units[n:]
	}
	for i, first := range again {
		refs[i] = refs[first]
	}
	return refs, nil
}

// plan looks keys up: refs gets what is stored already, the result holds the rest.
// again leads from a key that came twice to where it came first.
func (s *Store) plan(files []File, refs []string) (units []*unit, again map[int]int, err error) {
	all := make([]unit, 0, len(files)) // never grows: pointers into it stay
	var groups map[string]*unit
	first := make(map[string]int, len(files))
	for i := range files {
		f := &files[i]
		if at, ok := first[f.Key]; ok {
			if again == nil {
				again = map[int]int{}
			}
			again[i] = at // the same key again in this call is the same document
			continue
		}
		first[f.Key] = i
		rec, err := s.j.lookup(keyHash(f.Key), func(r *record) bool { return r.find(f.Key) >= 0 })
		if err != nil {
			return nil, nil, err
		}
		if rec != nil {
			refs[i] = rec.ref(rec.find(f.Key))
			continue
		}
		u := groups[f.Group]
		if f.Group == "" || u == nil {
			all = append(all, unit{})
			u = &all[len(all)-1]
			units = append(units, u)
			if f.Group != "" {
				if groups == nil {
					groups = map[string]*unit{}
				}
				groups[f.Group] = u
			}
		}
		u.files = append(u.files, i)
	}
	return units, again, nil
}

// put makes one batch of units durable and shows it.
func (s *Store) put(ctx context.Context, files []File, units []*unit, refs []string) (err error) {
	g := &stager{s: s, files: files}
	announced := false
	defer func() {
		// Once announced, only the next one may touch it: it finds out what became of it.
		if err != nil && !announced {
			g.discard(units)
		}
	}()
	step.Before(step.DirWrite)
	taken := make(map[string]bool, 2*len(units))
	recs := make([]*record, 0, len(units))
	for _, u := range units {
		if err := g.stage(ctx, u); err != nil {
			return err
		}
		f := &files[u.files[0]]
		if f.Group != "" {
			u.rec.Dir, err = s.pickName(f.Dir, nothingBeside, taken)
			taken[u.rec.Dir] = true
		} else {
			beside := nothingBeside
			if f.Side != nil {
				u.side, beside = true, SideSuffix
			}
			e := &u.rec.Docs[0]
			e.Name, err = s.pickName(f.Name, beside, taken)
			taken[e.Name] = true
			if u.side {
				taken[e.Name+SideSuffix] = true
				if err == nil {
					err = g.writeSide(f, *e, u.rec.Temp+SideSuffix)
				}
			}
		}
		if err != nil {
			return err
		}
		recs = append(recs, u.rec)
	}
	step.After(step.DirWrite)
	if err := g.sync(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}

	// From here on ctx is not asked: what follows is short, and half of it is worse.
	announced = true
	step.Before(step.DirSync)
	err = s.j.append(recs)
	step.After(step.DirSync)
	if err != nil {
		return err
	}
	for _, u := range units {
		if err := s.show(u.rec, u.side); err != nil {
			return err
		}
	}
	if err := s.syncNames(); err != nil {
		return err
	}
	for _, u := range units {
		for i, at := range u.files {
			refs[at] = u.rec.ref(i)
		}
	}
	return nil
}

// syncNames makes the names durable, and that the temporary ones are gone.
func (s *Store) syncNames() error {
	step.Before(step.DirSyncDir)
	defer step.After(step.DirSyncDir)
	other := make(chan error, 1)
	go func() { other <- syncDir(s.tmpDir) }() // both wait for the same commit
	err := syncDir(s.rootDir)
	return errors.Join(err, <-other)
}
