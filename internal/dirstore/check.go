package dirstore

import (
	"errors"
	"io/fs"
	"os"
)

const probe = "check"

// Probe writes and syncs a small file that nobody sees.
func (s *Store) Probe() error {
	f, err := s.tmp.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("vaguemestre\n")
	return errors.Join(err, f.Sync(), f.Close(), syncDir(s.tmpDir))
}

// ProbeRename shows what Probe wrote under a free name, and removes it.
func (s *Store) ProbeRename() error {
	name, err := s.pickName("vaguemestre-check", nothingBeside, nil)
	if err != nil {
		return err
	}
	if err := s.move(probe, name); err != nil {
		return err
	}
	return errors.Join(s.root.Remove(name), syncDir(s.rootDir))
}

// ProbeEnd removes what is left of a probe.
func (s *Store) ProbeEnd() error {
	if err := s.tmp.Remove(probe); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
