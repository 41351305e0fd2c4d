package launcher

import (
	"context"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// copyAway moves without MOVE: COPY, and only what COPY answered OK for is removed here.
func (s *session) copyAway(ctx context.Context, there []*deed, name, target string) error {
	done := map[*deed]uint32{}
	var validity uint32
	if slices.ContainsFunc(there, func(d *deed) bool { return d.item.MessageID != "" }) {
		before, err := s.copies(ctx, there, target, true)
		if err != nil {
			return err
		}
		done, validity = before.of, before.validity
	}
	var todo, safe []*deed
	for _, d := range there {
		if uid := done[d]; uid != 0 {
			d.receipt.Ref = ref(name, validity, uid)
			safe = append(safe, d)
		} else {
			todo = append(todo, d)
		}
	}
	if len(todo) > 0 {
		ok, err := s.copy(ctx, todo, name, target)
		if err != nil {
			return err
		}
		if ok {
			safe = append(safe, todo...)
		}
	}
	if len(safe) == 0 {
		return nil
	}
	slices.SortStableFunc(safe, func(a, b *deed) int { return int(int64(a.uid) - int64(b.uid)) })
	return s.removeCopied(ctx, safe)
}

// removeCopied removes what lies in the target, as the receipts tell.
func (s *session) removeCopied(ctx context.Context, safe []*deed) error {
	refs := map[*deed]string{}
	for _, d := range safe {
		refs[d] = d.receipt.Ref
	}
	removed, err := s.remove(ctx, safe)
	for _, d := range removed {
		r := refs[d]
		if d.receipt.Ref != "" {
			r += " (" + d.receipt.Ref + ")"
		}
		d.end(cold.SettleDone, r, nil)
	}
	return err
}

// copy sends COPY and tells whether the server said OK.
func (s *session) copy(ctx context.Context, todo []*deed, name, target string) (bool, error) {
	s.patient(true)
	for try := 0; ; try++ {
		step.Before(step.IMAPCopy)
		data, err := s.c.client.Copy(numSet(todo), target).Wait()
		a, said := libraryError(err)
		switch {
		case err == nil:
			step.After(step.IMAPCopy)
			s.patient(false)
			to := pairs(data.SourceUIDs, data.DestUIDs)
			for _, d := range todo {
				d.receipt.Ref = ref(name, data.UIDValidity, to[d.uid])
			}
			return true, nil
		case !said:
			return false, s.lost(ctx, "copy", err)
		case a.codeWord() == "TRYCREATE" && try == 0:
			delete(s.targets, name)
			if _, err := s.create(ctx, []string{target}); err != nil {
				return false, err
			}
			continue
		}
		s.patient(false)
		// RFC 9051 section 6.4.7: a refused COPY copied nothing, so nothing is removed.
		e := serverError("copy", a)
		for _, d := range todo {
			d.end(cold.SettleFailed, "", e)
		}
		return false, nil
	}
}

// found are mails of the source that lie in another folder already.
type found struct {
	validity uint32
	of       map[*deed]uint32 // their UIDs there
}

// copies looks in folder for mails with the Message-ID and size of deeds; every mail
// there counts for one deed at most. It opens folder read-only and then the source again.
func (s *session) copies(ctx context.Context, deeds []*deed, folder string, sized bool) (found, error) {
	f := found{of: map[*deed]uint32{}}
	back := s.c.state
	a, err := s.enter(ctx, folder, true)
	if err != nil {
		return f, err
	}
	if a.ok() {
		f.validity = s.c.state.validity
		if s.c.exists > 0 {
			err = s.searchCopies(ctx, deeds, sized, &f)
		}
		if err != nil {
			return f, err
		}
	}
	a, err = s.choose(ctx, back.name)
	if err != nil {
		return f, err
	}
	if !a.ok() {
		return f, s.lost(ctx, "open folder", serverError("open folder", a))
	}
	return f, s.opened()
}

func (s *session) searchCopies(ctx context.Context, deeds []*deed, sized bool, f *found) error {
	taken := map[uint32]bool{}
	for _, d := range deeds {
		id := d.item.MessageID
		if id == "" || !isQuotable(id) {
			continue
		}
		uids, err := s.search(ctx, `HEADER Message-ID "`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id)+`"`)
		if err != nil {
			return err
		}
		if len(uids) == 0 {
			continue
		}
		there, err := s.flagsOf(ctx, uids)
		if err != nil {
			return err
		}
		size := d.item.Size
		if sized {
			size = d.now.size
		}
		for _, uid := range uids {
			if r, ok := there[uid]; ok && !taken[uid] && !r.deleted && (size < 0 || r.size == size) {
				taken[uid] = true
				f.of[d] = uid
				break
			}
		}
	}
	return nil
}
