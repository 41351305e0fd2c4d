package launcher

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// perQuit is how many mails are deleted before QUIT commits: what a connection marked is not
// deleted if it breaks.
const perQuit = 100

// Settle implements [cold.Session]. Mails are deleted by DELE, up to 100 in one connection,
// and the QUIT that ends it (RFC 1939 section 6); all at once where every login counts, since
// the server asks for a pause between them, or where all mails must be looked at to find one.
// done is said only after the answer to QUIT. Without it the receipts are unknown: a mail
// that is still listed is deleted when it is settled again, one that is not is gone.
func (s *popSession) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	if s.readOnly {
		return nil, errPOP3("settle", vaguemestre.ClassConfig, "the session is read-only")
	}
	if err := s.l.Supports(do); err != nil {
		return nil, err
	}
	receipts := make([]cold.Receipt, len(items))
	if do.Do != cold.DoDelete {
		for i := range receipts {
			receipts[i].Outcome = cold.SettleDone
		}
		return receipts, nil
	}
	defer s.enter(ctx)()
	var deeds []*popDeed
	for i, it := range items {
		d := &popDeed{item: it, receipt: &receipts[i]}
		if strings.HasPrefix(it.Key, s.l.mailbox()) {
			d.end(cold.SettleUnknown, errPOP3("settle", vaguemestre.ClassSource, "the connection ended before the server committed it; the next run looks again"))
			deeds = append(deeds, d)
		} else {
			d.end(cold.SettleUnknown, errPOP3("settle", vaguemestre.ClassConfig, "this item is of another mailbox than %s", quote(s.l.String())))
		}
	}
	if len(deeds) == 0 {
		return receipts, nil
	}
	if err := s.ready(); err != nil {
		return receipts, s.canceled(err)
	}
	size := perQuit
	if s.c.Param("LOGIN-DELAY") != "" || slices.ContainsFunc(s.mails, func(m popMail) bool { return m.ID == "" }) {
		size = len(deeds)
	}
	for part := range slices.Chunk(deeds, size) {
		if err := s.erase(part); err != nil {
			return receipts, s.canceled(err)
		}
	}
	return receipts, nil
}

// popDeed is one mail of a call of Settle.
type popDeed struct {
	item    cold.Item
	receipt *cold.Receipt
	numbers []int
	marked  bool
}

func (d *popDeed) end(o cold.Outcome, err error) { *d.receipt = cold.Receipt{Outcome: o, Err: err} }

// erase deletes one batch and ends the connection.
func (s *popSession) erase(part []*popDeed) error {
	if err := s.ready(); err != nil {
		return err
	}
	sizes := map[int]int64{}
	for _, m := range s.mails {
		sizes[m.Number] = m.Size
	}
	var there []*popDeed
	for _, d := range part {
		d.numbers = s.numbers[d.item.Key]
		switch {
		case len(d.numbers) == 0:
			d.end(cold.SettleGone, nil)
		case d.item.Size >= 0 && sizes[d.numbers[0]] >= 0 && sizes[d.numbers[0]] != d.item.Size && !strings.Contains(d.item.Key, ";header="):
			// It may be one that was never collected.
			d.end(cold.SettleUnknown, errPOP3("settle", vaguemestre.ClassSource,
				"the mail with this id has another size now (%d bytes, not %d), so it is not deleted: look at the mailbox with a mail program", sizes[d.numbers[0]], d.item.Size))
		default:
			there = append(there, d)
		}
	}
	if len(there) == 0 {
		return nil
	}
	step.Before(step.POP3Dele)
	numbers, err := s.dele(there)
	if err != nil {
		return s.lost("dele", err)
	}
	step.After(step.POP3Dele)
	step.Before(step.POP3Quit)
	r, err := s.c.Do("QUIT")
	if err == nil && r.OK {
		step.After(step.POP3Quit)
		s.erased(numbers)
		for _, d := range there {
			if d.marked {
				d.end(cold.SettleDone, nil)
			}
		}
		s.drop()
		return nil
	}
	if err != nil {
		return s.lost("quit", err)
	}
	// RFC 1939 section 6: some or none of them were removed.
	e := s.l.refused("quit", r)
	for _, d := range there {
		if d.marked {
			d.end(cold.SettleUnknown, e)
		}
	}
	s.drop()
	return nil
}

// dele marks mails, and returns the numbers that the server marked.
func (s *popSession) dele(there []*popDeed) (map[int]bool, error) {
	type one struct {
		d *popDeed
		n int
	}
	var todo []one
	for _, d := range there {
		d.marked = true
		for _, n := range d.numbers {
			todo = append(todo, one{d, n})
		}
	}
	width := 1
	if s.c.Has("PIPELINING") { // RFC 2449 section 6.6
		width = perQuit
	}
	numbers := map[int]bool{}
	for part := range slices.Chunk(todo, width) {
		commands := make([]string, len(part))
		for i, t := range part {
			commands[i] = "DELE " + strconv.Itoa(t.n)
		}
		if err := s.c.Send(commands...); err != nil {
			return nil, err
		}
		for _, t := range part {
			r, err := s.c.Reply()
			if err != nil {
				return nil, err
			}
			if r.OK {
				numbers[t.n] = true
				continue
			}
			t.d.marked = false
			t.d.end(cold.SettleFailed, s.l.refused("dele", r))
		}
	}
	return numbers, nil
}
