package launcher

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// Check implements [vaguemestre.Checker]. Its steps are dns, tcp, tls, capabilities,
// auth, folder, list, write and move. It opens the folder as a run does and changes
// nothing: the rights to write and to move are read, not tried.
func (l *IMAP) Check(ctx context.Context, tell func(vaguemestre.Step)) error {
	if tell == nil {
		tell = func(vaguemestre.Step) {}
	}
	var first error
	r := &reporter{start: time.Now()}
	r.step = func(st vaguemestre.Step) {
		if st.Status == vaguemestre.StatusFailed && first == nil {
			first = st.Err
		}
		tell(st)
	}
	if err := l.valid(); err != nil {
		return r.done("settings", "", err)
	}
	// EXAMINE would tell nothing about writing; SELECT resets \Recent at most, and nothing
	// is done with the session.
	s := &session{l: *l, log: discard}
	if err := s.connect(ctx, r); err != nil {
		return err
	}
	defer s.Close()
	release := s.c.conn.Bind(ctx)
	defer release()
	if l.mode() == "none" {
		r.step(vaguemestre.Step{Name: "tls", Status: vaguemestre.StatusWarning, Detail: "the line is not encrypted",
			Help: "everybody on the way can read the password and the mails: set tls to implicit or starttls"})
	}
	if err := s.checkList(ctx, r); err != nil {
		return err
	}
	if err := s.checkRights(ctx, r); err != nil {
		return s.canceled(ctx, err)
	}
	return first
}

// checkList lists the newest mail, as a run does.
func (s *session) checkList(ctx context.Context, r *reporter) error {
	r.begin()
	if s.c.exists == 0 {
		return r.done("list", "the folder is empty", nil)
	}
	items, err := s.rows(ctx, "*", 1)
	return r.done("list", fmt.Sprintf("the newest of %d messages can be listed (%d)", s.c.exists, len(items)), s.canceled(ctx, err))
}

// checkRights tells what may be done with a mail of this folder.
func (s *session) checkRights(ctx context.Context, r *reporter) error {
	st := s.c.state
	rights := ""
	if s.c.has("ACL") {
		data, err := s.c.client.MyRights(st.name).Wait()
		if _, said := libraryError(err); err != nil && !said {
			return s.lost(ctx, "rights", err)
		} else if err == nil {
			rights = string(data.Rights)
		}
	}
	r.begin()
	tellStep := func(name, detail, help string, fine bool) {
		status := vaguemestre.StatusOK
		if !fine {
			status = vaguemestre.StatusWarning
		} else {
			help = ""
		}
		r.step(vaguemestre.Step{Name: name, Status: status, Detail: detail, Help: help, Took: time.Since(r.start)})
		r.begin()
	}
	// RFC 4314 section 4: s for \Seen, w for other flags, t and e to delete.
	may := func(letters string) bool {
		if rights == "" {
			return true
		}
		for _, c := range letters {
			if !strings.ContainsRune(rights, c) && !(c == 't' || c == 'e') || (c == 't' || c == 'e') && !strings.ContainsAny(rights, string(c)+"d") {
				return false
			}
		}
		return true
	}
	detail := "PERMANENTFLAGS " + strings.Join(st.permanent, " ")
	if rights != "" {
		detail += ", rights " + quote(rights)
	}
	writes := !st.readOnly && s.keeps(`\Seen`) && may("s")
	tellStep("write", detail, "mails cannot be marked in this folder: use the after-action leave, or ask for the right to write there", writes)
	removes := !st.readOnly && s.keeps(`\Deleted`) && may("te")
	how := "by MOVE"
	if !s.c.has("MOVE") {
		how = "by COPY, STORE and UID EXPUNGE"
		if !s.c.has("UIDPLUS") {
			how = "by COPY and STORE; the server lacks UIDPLUS, so moved and deleted mails stay marked as deleted"
		}
	}
	help := "mails cannot be moved out of this folder or deleted: use the after-action leave or seen, or ask for the right to delete there"
	if removes && !s.c.has("MOVE") && !s.c.has("UIDPLUS") {
		tellStep("move", how, "moved and deleted mails stay in the folder, marked as deleted, until somebody expunges it", false)
		return nil
	}
	tellStep("move", how, help, removes)
	return nil
}
