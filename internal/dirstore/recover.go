package dirstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"
)

// recover finishes what an earlier Put left: what the journal announced gets its
// name, the rest is removed.
func (s *Store) recover() error {
	if _, err := s.tmpDir.Seek(0, io.SeekStart); err != nil {
		return err
	}
	names, err := s.tmpDir.Readdirnames(-1)
	if err != nil || len(names) == 0 {
		return err
	}
	shown := false
	for _, n := range names {
		if strings.HasSuffix(n, SideSuffix) {
			continue // goes with its document
		}
		hash, _, _ := strings.Cut(n, ".")
		var rec *record
		if len(hash) == 2*sha256.Size {
			if _, err := hex.DecodeString(hash); err == nil {
				rec, err = s.j.lookup(hash, func(r *record) bool { return r.Temp == n })
				if err != nil {
					return err
				}
			}
		}
		if rec == nil {
			if err := s.tmp.RemoveAll(n); err != nil {
				return err
			}
			continue
		}
		_, beside := s.tmp.Lstat(n + SideSuffix)
		if err := s.show(rec, beside == nil); err != nil {
			return err
		}
		shown = true
	}
	// Sidecars whose document is gone belong to nothing.
	for _, n := range names {
		if strings.HasSuffix(n, SideSuffix) {
			if err := s.tmp.RemoveAll(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if shown {
		return s.syncNames()
	}
	return nil
}
