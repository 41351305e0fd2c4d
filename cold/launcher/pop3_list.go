package launcher

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre/cold"
)

// popPage is how many items a page has.
const popPage = 5000

// List implements [cold.Session]. The first page fixes the listing, so that what is deleted
// between two pages moves nothing; a cursor is good for this session alone. POP3 tells no
// dates.
func (s *popSession) List(ctx context.Context, cursor string) (cold.Page, error) {
	defer s.enter(ctx)()
	if err := s.ready(); err != nil {
		return cold.Page{}, s.canceled(err)
	}
	at := -1
	if rest, ok := strings.CutPrefix(cursor, s.cursor); ok && s.cursor != "" {
		if n, err := strconv.Atoi(rest); err == nil && n >= 0 && n <= len(s.shown) {
			at = n
		}
	}
	if at < 0 {
		at = 0
		s.shown, s.cursor = s.items(), rand.Text()+":"
	}
	end := min(at+popPage, len(s.shown))
	page := cold.Page{Items: s.shown[at:end:end]}
	if end < len(s.shown) {
		page.Cursor, page.More = s.cursor+strconv.Itoa(end), true
	}
	return page, nil
}

// items are the mails of this connection, of copies one.
func (s *popSession) items() []cold.Item {
	items := make([]cold.Item, 0, len(s.mails))
	for _, m := range s.mails {
		if s.numbers[m.key][0] == m.Number {
			items = append(items, cold.Item{Key: m.key, Epoch: m.epoch, Size: m.Size})
		}
	}
	return items
}
