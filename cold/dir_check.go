package cold

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/dirstore"
)

var _ vaguemestre.Checker = (*DirSink)(nil)

// lowSpace is where Check begins to warn.
const lowSpace = 1 << 30

// Check proves that the directory can be opened, written and synced, that a file can
// be renamed into it without replacing another, and tells the free space. It removes
// what it wrote, but for .vaguemestre. Steps: "folder", "write", "rename", "space".
func (d *DirSink) Check(ctx context.Context, step func(vaguemestre.Step)) error {
	if d.Path == "" {
		_, err := d.Put(ctx, nil)
		step(vaguemestre.Step{Name: "folder", Status: vaguemestre.StatusFailed, Help: "give the directory to store documents in", Err: err})
		return err
	}
	var first error
	do := func(name string, f func() (detail, help string, err error)) {
		s := vaguemestre.Step{Name: name, Status: vaguemestre.StatusSkipped}
		if first == nil {
			start := time.Now()
			detail, help, err := f()
			s.Status, s.Detail, s.Help, s.Took = vaguemestre.StatusOK, detail, help, time.Since(start)
			switch {
			case err != nil:
				first = d.error(err)
				s.Status, s.Err, s.Help = vaguemestre.StatusFailed, first, "see the error: it says what to do, mostly for the administrator of this machine"
			case help != "":
				s.Status = vaguemestre.StatusWarning
			}
		}
		step(s)
	}
	var s *dirstore.Store
	do("folder", func() (string, string, error) {
		var err error
		s, err = dirstore.Open(ctx, d.Path)
		return "opened and locked", "", err
	})
	if s != nil {
		defer s.Close()
	}
	do("write", func() (string, string, error) { return "a file was written and synced", "", s.Probe() })
	do("rename", func() (string, string, error) {
		return "a file was renamed into place and removed", "", s.ProbeRename()
	})
	do("space", func() (string, string, error) {
		free, err := dirstore.FreeSpace(d.Path)
		if errors.Is(err, errors.ErrUnsupported) {
			return "not known on this system", "", nil
		}
		if err != nil {
			return "", "", err
		}
		detail := fmt.Sprintf("%d MiB free", free>>20)
		if free < lowSpace {
			return detail, "less than 1 GiB is free: make room before the disk is full", nil
		}
		return detail, "", nil
	})
	if s != nil {
		if err := s.ProbeEnd(); err != nil && first == nil {
			first = d.error(err)
		}
	}
	return first
}
