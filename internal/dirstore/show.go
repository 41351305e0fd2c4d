package dirstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/vaguemestre/vaguemestre/internal/step"
)

// show renames what rec announces, and with side the file beside it. If somebody took
// the name in the meantime, it takes another and announces that first.
func (s *Store) show(rec *record, side bool) error {
	for range 100 {
		err := s.showAs(rec, side)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if s.alreadyShown(rec) {
			return s.tmp.RemoveAll(rec.Temp)
		}
		next := *rec
		next.Docs = append([]entry(nil), rec.Docs...)
		if rec.Dir != "" {
			next.Dir, err = s.pickName(rec.Dir, nothingBeside, nil)
		} else {
			beside := nothingBeside
			if side {
				beside = SideSuffix
			}
			next.Docs[0].Name, err = s.pickName(rec.Docs[0].Name, beside, nil)
		}
		if err != nil {
			return err
		}
		if err := s.j.append([]*record{&next}); err != nil {
			return err
		}
		*rec = next
	}
	return errors.New("somebody else takes every name that is free: stop the program that writes into it")
}

func (s *Store) showAs(rec *record, side bool) error {
	step.Before(step.DirRename)
	defer step.After(step.DirRename)
	if rec.Dir != "" {
		return s.move(rec.Temp, rec.Dir)
	}
	name := rec.Docs[0].Name
	// The sidecar first: whoever waits for documents finds it there.
	if side {
		if err := s.move(rec.Temp+SideSuffix, name+SideSuffix); err != nil {
			return err
		}
	}
	err := s.move(rec.Temp, name)
	if err != nil && side {
		_ = s.root.Rename(name+SideSuffix, MetaName+"/tmp/"+rec.Temp+SideSuffix)
	}
	return err
}

// alreadyShown reports whether the name holds the very document: a file system without
// atomic renames may show both names after a power cut.
func (s *Store) alreadyShown(rec *record) bool {
	if rec.Dir != "" || rec.Docs[0].SHA256 == "" {
		return false
	}
	e := rec.Docs[0]
	st, err := s.root.Lstat(e.Name)
	if err != nil || !st.Mode().IsRegular() || st.Size() != e.Size {
		return false
	}
	f, err := s.root.Open(e.Name)
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
func (s *Store) move(temp, name string) error {
	err := renameNew(s.tmpDir, temp, s.rootDir, name)
	if errors.Is(err, errors.ErrUnsupported) {
		return s.moveByHand(temp, name)
	}
	return err
}

// moveByHand is move where no system call does it.
func (s *Store) moveByHand(temp, name string) error {
	from := MetaName + "/tmp/" + temp
	st, err := s.root.Lstat(from)
	if err != nil {
		return err
	}
	if st.Mode().IsRegular() {
		// A second name, then the first one away: link(2) replaces nothing.
		err = s.root.Link(from, name)
		if errors.Is(err, fs.ErrExist) {
			if there, terr := s.root.Lstat(name); terr == nil && os.SameFile(st, there) {
				err = nil // a crash came between the two
			}
		}
		if err == nil {
			return s.root.Remove(from)
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	// Directories, and file systems without hard links (FAT): looking first is the best
	// there is. The lock keeps other sinks away.
	if _, err := s.root.Lstat(name); err == nil {
		return &fs.PathError{Op: "rename", Path: name, Err: fs.ErrExist}
	}
	return s.root.Rename(from, name)
}
