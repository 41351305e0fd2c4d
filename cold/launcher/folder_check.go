package launcher

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// Check implements [vaguemestre.Checker]. Its steps are folder, list, errors and write. It
// changes nothing: the right to write is read from the directory's mode, not tried.
func (l *Folder) Check(ctx context.Context, tell func(vaguemestre.Step)) error {
	if tell == nil {
		tell = func(vaguemestre.Step) {}
	}
	r := &reporter{start: time.Now(), step: tell}
	s, err := l.Connect(ctx, &cold.ConnectOptions{ReadOnly: true})
	if err != nil {
		return r.done("folder", "", err)
	}
	defer s.Close()
	r.done("folder", quote(l.Path)+" can be opened", nil)
	first := l.checkList(ctx, r, s)
	l.checkDirs(r, s.(*folderSession))
	return first
}

func (l *Folder) checkList(ctx context.Context, r *reporter, s cold.Session) error {
	r.begin()
	if _, err := s.List(ctx, ""); err != nil {
		return r.done("list", "", err)
	}
	l.mu.Lock()
	waiting, refused := 0, 0
	for _, s := range l.sights {
		if s.due.IsZero() {
			refused++
		} else {
			waiting++
		}
	}
	l.mu.Unlock()
	return r.done("list", fmt.Sprintf("%d items are complete, %d are not yet, %d are refused: the log says why",
		len(s.(*folderSession).items), waiting, refused), nil)
}

// checkDirs tells whether items can be moved or removed.
func (l *Folder) checkDirs(r *reporter, s *folderSession) {
	warn := func(name, dir, help string) {
		r.begin()
		st := vaguemestre.Step{Name: name, Status: vaguemestre.StatusOK, Detail: quote(dir) + " is there"}
		fi, err := os.Stat(dir)
		switch {
		case err != nil:
			st.Status, st.Detail, st.Help = vaguemestre.StatusWarning, quote(dir)+" is not there yet", "it is made when it is needed: see that this program may write into the directory above it"
		case !fi.IsDir():
			st.Status, st.Detail, st.Help = vaguemestre.StatusWarning, quote(dir)+" is no directory", "choose another name"
		case fi.Mode().Perm()&0o222 == 0:
			st.Status, st.Detail, st.Help = vaguemestre.StatusWarning, quote(dir)+" cannot be written: "+fi.Mode().String(), help
		}
		st.Took = time.Since(r.start)
		r.step(st)
	}
	warn("errors", place(s.path, l.ErrorDir), "give this program's user the right to write into it")
	warn("write", s.path, "use the after-action leave, or give this program's user the right to write into it")
}
