package launcher

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// settleSize is how many mails one command settles.
const settleSize = 200

// deed is one mail of a call of Settle.
type deed struct {
	item    cold.Item
	uid     uint32
	receipt *cold.Receipt
	now     row // its flags when it was looked at
}

func (d *deed) end(o cold.Outcome, ref string, err error) {
	*d.receipt = cold.Receipt{Outcome: o, Ref: ref, Err: err}
}

// Settle implements [cold.Session]. Mails of an earlier UIDVALIDITY are gone: their UIDs
// mean nothing any more. A mail is gone only if neither FETCH nor SEARCH shows it.
//
// move uses MOVE where the server has it; elsewhere COPY, and only after its OK STORE
// \Deleted and, under UIDPLUS, UID EXPUNGE of exactly these mails. Without MOVE a mail
// whose Message-ID and size are found in the target is taken for one that an earlier,
// interrupted run copied, and is not copied twice. EXPUNGE and CLOSE are never sent:
// they would remove what others have marked.
func (s *session) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	if s.readOnly {
		return nil, errIMAP("settle", vaguemestre.ClassConfig, "the session is read-only")
	}
	if err := s.l.Supports(do); err != nil {
		return nil, err
	}
	receipts := make([]cold.Receipt, len(items))
	if do.Do == "" || do.Do == cold.DoLeave {
		for i := range receipts {
			receipts[i].Outcome = cold.SettleDone
		}
		return receipts, nil
	}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	release := s.c.conn.Bind(ctx)
	defer release()
	var deeds []*deed
	for i, it := range items {
		d := &deed{item: it, uid: s.uidOf(it.Key), receipt: &receipts[i]}
		switch {
		case d.uid != 0:
			d.end(cold.SettleUnknown, "", errIMAP("settle", vaguemestre.ClassSource, "the connection ended before the server answered"))
			deeds = append(deeds, d)
		case s.sameFolder(it.Epoch):
			d.end(cold.SettleGone, "", nil)
		default:
			d.end(cold.SettleUnknown, "", errIMAP("settle", vaguemestre.ClassConfig, "this item is of another mailbox or folder than %s", quote(s.epoch)))
		}
	}
	slices.SortStableFunc(deeds, func(a, b *deed) int { return int(int64(a.uid) - int64(b.uid)) })
	for part := range slices.Chunk(deeds, settleSize) {
		if err := s.settle(ctx, part, do); err != nil {
			return receipts, s.canceled(ctx, err)
		}
	}
	return receipts, nil
}

// settle does one batch.
func (s *session) settle(ctx context.Context, part []*deed, do cold.After) error {
	there, err := s.look(ctx, part, do)
	if err != nil || len(there) == 0 {
		return err
	}
	if do.Do != cold.DoDelete {
		// What is marked as deleted waits no more. An interrupted move marks it too.
		live := slices.DeleteFunc(slices.Clone(there), func(d *deed) bool { return d.now.deleted })
		if len(live) < len(there) {
			marked := slices.DeleteFunc(slices.Clone(there), func(d *deed) bool { return !d.now.deleted })
			if err := s.settleMarked(ctx, marked, do); err != nil {
				return err
			}
		}
		if there = live; len(there) == 0 {
			return nil
		}
	}
	switch do.Do {
	case cold.DoSeen:
		return s.flag(ctx, there, `\Seen`, func(d *deed) bool { return d.now.seen })
	case cold.DoTag:
		return s.flag(ctx, there, do.Target, nil)
	case cold.DoDelete:
		_, err := s.remove(ctx, there)
		return err
	}
	target, err := s.target(ctx, do.Target)
	if err != nil {
		if vaguemestre.ClassOf(err) == vaguemestre.ClassConfig || s.c != nil && s.c.g.ended() == nil {
			for _, d := range there {
				d.end(cold.SettleFailed, "", err)
			}
			return nil
		}
		return err
	}
	if s.c.has("MOVE") {
		return s.move(ctx, there, do.Target, target)
	}
	return s.copyAway(ctx, there, do.Target, target)
}

// look finds which mails are there; those that are not get their receipts.
func (s *session) look(ctx context.Context, part []*deed, do cold.After) ([]*deed, error) {
	now, err := s.flagsOf(ctx, uidsOf(part))
	if err != nil {
		return nil, err
	}
	var there, missing []*deed
	for _, d := range part {
		if r, ok := now[d.uid]; ok {
			d.now = r
			there = append(there, d)
		} else {
			missing = append(missing, d)
		}
	}
	if len(missing) == 0 {
		return there, nil
	}
	found, err := s.search(ctx, "UID "+uidSet(uidsOf(missing)))
	if err != nil {
		return nil, err
	}
	var gone []*deed
	for _, d := range missing {
		if _, yes := slices.BinarySearch(found, d.uid); yes {
			d.end(cold.SettleUnknown, "", errIMAP("settle", vaguemestre.ClassSource, "the server does not show this mail now; it is tried again later"))
		} else {
			d.end(cold.SettleGone, "", nil)
			gone = append(gone, d)
		}
	}
	if do.Do == cold.DoMove {
		return there, s.movedBefore(ctx, gone, do.Target)
	}
	return there, nil
}

// settleMarked ends what is marked as deleted: gone, or, of a move that got as far as
// that, removed.
func (s *session) settleMarked(ctx context.Context, marked []*deed, do cold.After) error {
	for _, d := range marked {
		d.end(cold.SettleGone, "", nil)
	}
	if do.Do != cold.DoMove {
		return nil
	}
	if err := s.movedBefore(ctx, marked, do.Target); err != nil {
		return err
	}
	moved := slices.DeleteFunc(marked, func(d *deed) bool { return d.receipt.Outcome != cold.SettleDone })
	if len(moved) == 0 {
		return nil
	}
	return s.removeCopied(ctx, moved)
}

func uidsOf(part []*deed) []uint32 {
	uids := make([]uint32, 0, len(part))
	for _, d := range part {
		if len(uids) == 0 || uids[len(uids)-1] != d.uid {
			uids = append(uids, d.uid)
		}
	}
	return uids
}

// movedBefore turns gone into done for mails that lie in the target: an earlier run moved
// them and did not get to write it down.
func (s *session) movedBefore(ctx context.Context, gone []*deed, target string) error {
	if !slices.ContainsFunc(gone, func(d *deed) bool { return d.item.MessageID != "" }) {
		return nil
	}
	n, err := s.naming(ctx)
	if err != nil {
		return err
	}
	all, err := s.folders(ctx)
	if err != nil {
		return err
	}
	for _, c := range n.candidates(target) {
		if !slices.Contains(all, c) || c == s.folder {
			continue
		}
		copies, err := s.copies(ctx, gone, c, false)
		if err != nil {
			return err
		}
		for _, d := range gone {
			if uid := copies.of[d]; uid != 0 {
				d.end(cold.SettleDone, ref(target, copies.validity, uid), nil)
			}
		}
		return nil
	}
	return nil
}

// flag adds a flag to the mails that do not have it.
func (s *session) flag(ctx context.Context, there []*deed, flag string, has func(*deed) bool) error {
	if !s.keeps(flag) {
		err := errIMAP("settle", vaguemestre.ClassConfig, "the server does not keep the mark %s in the folder %s: "+
			"choose another after-action, or ask for the right to write there", quote(flag), quote(s.folder))
		for _, d := range there {
			d.end(cold.SettleFailed, "", err)
		}
		return nil
	}
	var todo []*deed
	for _, d := range there {
		if has != nil && has(d) {
			d.end(cold.SettleDone, "", nil)
			continue
		}
		todo = append(todo, d)
	}
	if len(todo) == 0 {
		return nil
	}
	step.Before(step.IMAPStore)
	a, err := s.c.run("UID STORE "+uidSet(uidsOf(todo))+" +FLAGS.SILENT ("+flag+")", nil)
	if err != nil {
		return s.lost(ctx, "store", err)
	}
	step.After(step.IMAPStore)
	for _, d := range todo {
		if a.ok() {
			d.end(cold.SettleDone, "", nil)
		} else {
			d.end(cold.SettleFailed, "", serverError("store", a))
		}
	}
	return nil
}

// keeps tells whether a flag stays after the session (RFC 9051 section 7.1,
// PERMANENTFLAGS; a server that sends none keeps all). QUIRK: imapmemserver lists only
// the flags in use beside \*, so \* stands for the system's flags too.
func (s *session) keeps(flag string) bool {
	st := s.c.state
	if st.readOnly {
		return false
	}
	if len(st.permanent) == 0 {
		return true
	}
	for _, f := range st.permanent {
		if strings.EqualFold(f, flag) || f == `\*` {
			return true
		}
	}
	return false
}

const markedOnly = "marked deleted; the server lacks UIDPLUS"

// remove marks mails \Deleted and, under UIDPLUS, expunges exactly these. It returns
// those that are done.
func (s *session) remove(ctx context.Context, there []*deed) ([]*deed, error) {
	var mark []*deed
	for _, d := range there {
		if !d.now.deleted {
			mark = append(mark, d)
		}
	}
	failed := func(a answer, op string) {
		for _, d := range there {
			d.end(cold.SettleFailed, d.receipt.Ref, serverError(op, a))
		}
	}
	if len(mark) > 0 {
		step.Before(step.IMAPStore)
		a, err := s.c.run("UID STORE "+uidSet(uidsOf(mark))+` +FLAGS.SILENT (\Deleted)`, nil)
		if err != nil {
			return nil, s.lost(ctx, "store", err)
		}
		step.After(step.IMAPStore)
		if !a.ok() {
			failed(a, "store")
			return nil, nil
		}
	}
	if !s.c.has("UIDPLUS") {
		for _, d := range there {
			d.end(cold.SettleDone, markedOnly, nil)
		}
		return there, nil
	}
	// RFC 4315 section 2.1: plain EXPUNGE would take the mails that others have marked.
	step.Before(step.IMAPExpunge)
	a, err := s.c.run("UID EXPUNGE "+uidSet(uidsOf(there)), nil)
	if err != nil {
		return nil, s.lost(ctx, "expunge", err)
	}
	step.After(step.IMAPExpunge)
	if !a.ok() {
		failed(a, "expunge")
		return nil, nil
	}
	for _, d := range there {
		d.end(cold.SettleDone, "", nil)
	}
	return there, nil
}

func ref(target string, validity, uid uint32) string {
	if uid == 0 {
		return target
	}
	return fmt.Sprintf("%s;UIDVALIDITY=%d;UID=%d", target, validity, uid)
}

// pairs maps source to target UIDs of COPYUID; nil if they do not fit.
func pairs(src, dst imap.NumSet) map[uint32]uint32 {
	a, ok := src.(imap.UIDSet)
	b, ok2 := dst.(imap.UIDSet)
	if !ok || !ok2 {
		return nil
	}
	from, ok := a.Nums()
	to, ok2 := b.Nums()
	if !ok || !ok2 || len(from) != len(to) {
		return nil
	}
	out := make(map[uint32]uint32, len(from))
	for i := range from {
		out[uint32(from[i])] = uint32(to[i])
	}
	return out
}

func numSet(part []*deed) imap.UIDSet {
	var set imap.UIDSet
	for _, d := range part {
		set.AddNum(imap.UID(d.uid))
	}
	return set
}

// move uses MOVE (RFC 6851). The library's Move is never called without the server's
// MOVE: it would then store \Deleted and expunge even though COPY was refused.
func (s *session) move(ctx context.Context, there []*deed, name, target string) error {
	s.patient(true)
	for try := 0; ; try++ {
		step.Before(step.IMAPMove)
		data, err := s.c.client.Move(numSet(there), target).Wait()
		a, said := libraryError(err)
		switch {
		case err == nil:
			step.After(step.IMAPMove)
			s.patient(false)
			to := pairs(data.SourceUIDs, data.DestUIDs)
			for _, d := range there {
				d.end(cold.SettleDone, ref(name, data.UIDValidity, to[d.uid]), nil)
			}
			if len(to) > 0 && len(to) < len(uidsOf(there)) {
				return s.stayed(ctx, there)
			}
			return nil
		case !said:
			return s.lost(ctx, "move", err)
		case a.codeWord() == "TRYCREATE" && try == 0: // it was removed meanwhile
			delete(s.targets, name)
			if _, err := s.create(ctx, []string{target}); err != nil {
				return err
			}
			continue
		}
		s.patient(false)
		e := serverError("move", a)
		for _, d := range there {
			d.end(cold.SettleFailed, "", e)
		}
		return nil
	}
}

// stayed looks again at what MOVE said nothing about.
func (s *session) stayed(ctx context.Context, there []*deed) error {
	still, err := s.search(ctx, "UID "+uidSet(uidsOf(there)))
	if err != nil {
		return err
	}
	for _, d := range there {
		if _, yes := slices.BinarySearch(still, d.uid); yes {
			d.end(cold.SettleFailed, "", errIMAP("move", vaguemestre.ClassSource, "the server left this mail where it was; it is tried again later"))
		}
	}
	return nil
}
