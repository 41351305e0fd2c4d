package launcher

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre/cold"
)

// pageSize is how many mails one page of a listing holds.
const pageSize = 5000

// listItems never has ENVELOPE or BODYSTRUCTURE: servers get them wrong, and one wrong
// value would hide all mails behind it.
const listItems = " (UID FLAGS INTERNALDATE RFC822.SIZE)"

// List implements [cold.Session]. A folder of up to 5,000 mails costs one round trip. A
// listing that goes on at a cursor shows the mails that were there when it began.
func (s *session) List(ctx context.Context, cursor string) (cold.Page, error) {
	if err := s.ready(ctx); err != nil {
		return cold.Page{}, err
	}
	release := s.c.conn.Bind(ctx)
	defer release()
	page, err := s.list(ctx, cursor)
	return page, s.canceled(ctx, err)
}

func (s *session) list(ctx context.Context, cursor string) (cold.Page, error) {
	after := s.cursorUID(cursor)
	if after == 0 && !s.listed {
		s.listed = true
		switch n := s.c.exists; {
		case n == 0: // RFC 3501 servers may refuse 1:* of nothing
			return cold.Page{}, nil
		case n <= pageSize:
			items, err := s.rows(ctx, "1:*", 0)
			return cold.Page{Items: items}, err
		}
	}
	if after == 0 || s.uids == nil {
		uids, err := s.search(ctx, "UNDELETED")
		if err != nil {
			return cold.Page{}, err
		}
		s.uids = uids
	}
	from := sort.Search(len(s.uids), func(i int) bool { return s.uids[i] > after })
	rest := s.uids[from:]
	if len(rest) == 0 {
		s.uids = nil
		return cold.Page{}, nil
	}
	part := rest[:min(len(rest), pageSize)]
	last := part[len(part)-1]
	items, err := s.rows(ctx, fmt.Sprintf("%d:%d", part[0], last), len(part))
	if err != nil {
		return cold.Page{}, err
	}
	if len(part) == len(rest) {
		s.uids = nil
		return cold.Page{Items: items}, nil
	}
	return cold.Page{Items: items, Cursor: fmt.Sprintf("%d:%d", s.c.state.validity, last), More: true}, nil
}

// cursorUID reads "UIDVALIDITY:UID"; 0 for a cursor of somewhere else.
func (s *session) cursorUID(cursor string) uint32 {
	validity, uid, ok := strings.Cut(cursor, ":")
	if !ok || validity != strconv.FormatUint(uint64(s.c.state.validity), 10) {
		return 0
	}
	n, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// rows fetches what List tells about the mails of set.
func (s *session) rows(ctx context.Context, set string, expect int) ([]cold.Item, error) {
	items := make([]cold.Item, 0, max(expect, int(min(s.c.exists, pageSize))))
	deleted := map[string]bool{}
	at := map[uint32]int{}
	ordered, last := true, uint32(0)
	var r row
	a, err := s.fetchRows("UID FETCH "+set+listItems, func(line []byte) error {
		if err := s.c.fetch.parse(line, &r); err != nil {
			return err
		}
		if r.uid == 0 {
			return nil // about something that was not asked
		}
		i, known := at[r.uid]
		if !known {
			if r.uid < last {
				ordered = false
			}
			last = r.uid
			i = len(items)
			at[r.uid] = i
			items = append(items, cold.Item{Key: s.prefix + strconv.FormatUint(uint64(r.uid), 10), Epoch: s.epoch, Size: -1})
		}
		it := &items[i]
		if r.size >= 0 {
			it.Size = r.size
		}
		if !r.date.IsZero() {
			it.Time = r.date
		}
		if r.hasFlags {
			it.Seen = r.seen
			if r.deleted {
				deleted[it.Key] = true
			} else {
				delete(deleted, it.Key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.lost(ctx, "list", err)
	}
	if !a.ok() {
		// RFC 9051 section 6.4.5: NO means that some data could not be fetched. What came
		// is listed; what did not is unknown until the next listing.
		if a.status != "NO" || len(items) == 0 {
			return nil, serverError("list", a)
		}
		s.log.Warn("imap: the server listed a part of the folder", "answer", quote(a.text))
	}
	if len(deleted) > 0 { // about to be removed by somebody: nothing that waits
		items = slices.DeleteFunc(items, func(it cold.Item) bool { return deleted[it.Key] })
	}
	if !ordered {
		sort.Slice(items, func(i, j int) bool { return s.uidOf(items[i].Key) < s.uidOf(items[j].Key) })
	}
	return items, nil
}

// fetchRows does one command whose FETCH answers go to each, behind "* n FETCH ".
func (s *session) fetchRows(command string, each func(line []byte) error) (answer, error) {
	c := s.c
	if err := c.g.take(); err != nil {
		return answer{}, err
	}
	defer c.g.giveBack()
	tag, err := c.send(command)
	if err != nil {
		return answer{}, err
	}
	for {
		a, done, err := c.step(tag, each)
		if err != nil || done {
			return a, err
		}
	}
}

// step reads one answer: a FETCH goes to each, another untagged one is passed over. done
// tells that the command tag ended; with tag "" the end of any command ends it, and its
// tag stands in code.
func (c *link) step(tag string, each func(line []byte) error) (a answer, done bool, err error) {
	line, err := c.line(maxLine)
	if err != nil {
		return a, false, err
	}
	word, rest, _ := bytes.Cut(line, []byte(" "))
	if string(word) != "*" {
		if tag != "" && string(word) != tag {
			return a, false, c.broken(fmt.Errorf("the server's answer is no IMAP: %s", quote(line)))
		}
		a = parseStatus(rest)
		if a.status != "OK" && a.status != "NO" && a.status != "BAD" {
			return a, false, c.broken(fmt.Errorf("the server's answer is no IMAP: %s", quote(line)))
		}
		if tag == "" {
			a.code = string(word) + " " + a.code
		}
		return a, true, nil
	}
	if n, after, ok := bytes.Cut(rest, []byte(" ")); ok && isNumber(n) && hasPrefixFold(after, "FETCH ") {
		if err := each(after[len("FETCH "):]); err != nil {
			return a, false, c.broken(err)
		}
		return a, false, nil
	}
	if isStatus(rest) {
		if hasPrefixFold(rest, "BYE") {
			c.g.noteBye(rest)
		}
		return a, false, nil
	}
	return a, false, c.skipRest(line)
}

func isNumber(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// search returns the UIDs that a criterion finds, ascending.
func (s *session) search(ctx context.Context, what string) ([]uint32, error) {
	s.patient(true)
	command := "UID SEARCH "
	if s.c.has("ESEARCH") { // RFC 4731: ranges instead of a number a mail
		command += "RETURN (ALL) "
	}
	var uids []uint32
	a, err := s.c.run(command+what, func(line []byte) error {
		switch {
		case hasPrefixFold(line, "SEARCH"):
			uids = appendSet(uids, strings.ReplaceAll(strings.TrimSpace(string(line[len("SEARCH"):])), " ", ","))
		case hasPrefixFold(line, "ESEARCH"):
			fields := strings.Fields(string(line))
			for i := 0; i+1 < len(fields); i++ {
				if strings.EqualFold(fields[i], "ALL") {
					uids = appendSet(uids, fields[i+1])
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.lost(ctx, "search", err)
	}
	s.patient(false)
	if !a.ok() {
		return nil, serverError("search", a)
	}
	slices.Sort(uids)
	return slices.Compact(uids), nil
}

// mostUIDs bounds what a range in an answer may claim to hold.
const mostUIDs = 4 << 20

// appendSet reads "1:3,7"; what is no number is passed over.
func appendSet(uids []uint32, set string) []uint32 {
	for part := range strings.SplitSeq(set, ",") {
		first, last, isRange := strings.Cut(part, ":")
		a, err := strconv.ParseUint(first, 10, 32)
		if err != nil || a == 0 {
			continue
		}
		b := a
		if isRange {
			if b, err = strconv.ParseUint(last, 10, 32); err != nil || b == 0 {
				continue
			}
		}
		if a > b {
			a, b = b, a
		}
		for n := a; n <= b && len(uids) < mostUIDs; n++ {
			uids = append(uids, uint32(n))
		}
	}
	return uids
}

// flagsOf asks which of uids are there, with their flags. A mail that is missing here
// may still be there: see present.
func (s *session) flagsOf(ctx context.Context, uids []uint32) (map[uint32]row, error) {
	out := make(map[uint32]row, len(uids))
	var r row
	a, err := s.fetchRows("UID FETCH "+uidSet(uids)+" (UID FLAGS RFC822.SIZE)", func(line []byte) error {
		if err := s.c.fetch.parse(line, &r); err != nil {
			return err
		}
		if r.uid != 0 && r.hasFlags {
			if old, ok := out[r.uid]; ok && r.size < 0 {
				r.size = old.size
			}
			r.small = nil
			out[r.uid] = r
		}
		return nil
	})
	if err != nil {
		return nil, s.lost(ctx, "look", err)
	}
	if !a.ok() && (a.status != "NO" || len(out) == 0) {
		return nil, serverError("look", a)
	}
	return out, nil
}
