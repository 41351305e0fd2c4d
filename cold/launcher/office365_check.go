package launcher

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// Check implements [vaguemestre.Checker]. Its steps are token, mailbox, folder, scopes and
// list. It reads what a run reads and changes nothing: the right to write is read from what
// was granted, not tried.
func (l *Office365) Check(ctx context.Context, tell func(vaguemestre.Step)) error {
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
	s := &graphSession{l: *l, log: discard, readOnly: true}
	if err := s.connect(ctx, r); err != nil {
		if first == nil {
			return r.done("connect", "", err)
		}
		return err
	}
	r.begin()
	r.step(s.checkScopes(ctx, r.start))
	r.begin()
	err := s.checkList(ctx)
	if err = s.ended(ctx, err); err != nil {
		return r.done("list", "", err)
	}
	r.done("list", "messages of the folder can be listed", nil)
	return first
}

func folderDetail(f graph.Folder) string {
	return fmt.Sprintf("%s holds %d messages", quote(f.Name), f.Total)
}

// checkList lists one message.
func (s *graphSession) checkList(ctx context.Context) error {
	_, err := s.page(ctx, &graph.Request{Op: "list", Path: "/mailFolders/" + graph.Seg(s.folder.ID) + "/messages",
		Query: url.Values{"$select": {"id"}, "$top": {"1"}}})
	if err != nil {
		return s.denied("list", err)
	}
	return nil
}

// checkScopes compares what was granted with what after-actions need.
func (s *graphSession) checkScopes(ctx context.Context, start time.Time) vaguemestre.Step {
	st := vaguemestre.Step{Name: "scopes", Status: vaguemestre.StatusOK}
	defer func() { st.Took = time.Since(start) }()
	if isApplication(s.account) {
		st.Status, st.Detail = vaguemestre.StatusSkipped, "what an application may do is not told"
		return st
	}
	status, err := s.account.Status(ctx)
	if err != nil || len(status.Granted) == 0 {
		st.Status, st.Detail = vaguemestre.StatusSkipped, "what was granted is not known"
		return st
	}
	needed := "Mail.ReadWrite"
	if s.address != "" {
		needed = "Mail.ReadWrite.Shared"
	}
	st.Detail = "granted: " + strings.Join(status.Granted, " ")
	for _, g := range status.Granted {
		if i := strings.LastIndexByte(g, '/'); i >= 0 {
			g = g[i+1:] // "https://graph.microsoft.com/Mail.ReadWrite"
		}
		if strings.EqualFold(g, needed) {
			return st
		}
	}
	role := auth.RoleCollect
	if s.address != "" {
		role = auth.RoleShared
	}
	st.Status = vaguemestre.StatusWarning
	st.Help = fmt.Sprintf("%s was not granted: only the after-action leave can work; associate the account again with the role %s", needed, role)
	return st
}
