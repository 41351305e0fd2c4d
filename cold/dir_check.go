package cold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/vaguemestre/vaguemestre"
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
	var p *dirPlace
	do("folder", func() (string, string, error) {
		var err error
		p, err = openPlace(ctx, d.Path)
		return "opened and locked", "", err
	})
	if p != nil {
		defer p.close()
	}
	const probe = "check"
	do("write", func() (string, string, error) {
		f, err := p.tmp.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return "", "", err
		}
		_, err = f.WriteString("vaguemestre\n")
		return "a file was written and synced", "", errors.Join(err, f.Sync(), f.Close(), syncDir(p.tmp))
	})
	do("rename", func() (string, string, error) {
		name, err := p.pickName("vaguemestre-check", false, nil)
		if err != nil {
			return "", "", err
		}
		if err := p.move(probe, name); err != nil {
			return "", "", err
		}
		return "a file was renamed into place and removed", "", errors.Join(p.root.Remove(name), syncDir(p.root))
	})
	do("space", func() (string, string, error) {
		free, err := freeSpace(d.Path)
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
	if p != nil && p.tmp != nil {
		if err := p.tmp.Remove(probe); err != nil && !errors.Is(err, fs.ErrNotExist) && first == nil {
			first = d.error(err)
		}
	}
	return first
}
