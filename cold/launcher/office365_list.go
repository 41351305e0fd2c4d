package launcher

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

const (
	graphPage    = 500       // messages in one page
	mostPages    = 20_000    // of one listing
	mostListed   = 1_000_000 // messages that ListingFull keeps in memory
	mostFresh    = 50_000    // messages that are remembered as listed
	mostRestarts = 3         // of a listing, in one session
	mostLink     = 16 << 10  // bytes of a link
)

// listedMessage is a message of a listing. All but the id may be missing: delta tells of a
// change only what has changed.
type listedMessage struct {
	ID       string          `json:"id"`
	Received string          `json:"receivedDateTime"`
	Read     looseBool       `json:"isRead"`
	Draft    looseBool       `json:"isDraft"`
	Removed  json.RawMessage `json:"@removed"`
}

// looseBool reads a boolean. QUIRK: an example of Microsoft's shows one as a text.
type looseBool bool

func (b *looseBool) UnmarshalJSON(data []byte) error {
	*b = looseBool(bytes.EqualFold(bytes.Trim(data, `"`), []byte("true")))
	return nil
}

type listedPage struct {
	Value []listedMessage `json:"value"`
	Next  string          `json:"@odata.nextLink"`
	Delta string          `json:"@odata.deltaLink"`
}

// walk is the way through a listing: the links that were followed, each with its number.
type walk struct {
	seen     map[string]int
	offered  string // the link that the last page gave
	restarts int
}

// enter notes that link is followed. One that was followed before is asked for again, and
// what came after it does not count.
func (w *walk) enter(link string) {
	n, before := w.seen[link]
	switch {
	case link == "" || w.seen == nil:
		w.seen = map[string]int{link: 0}
	case before:
		for l, k := range w.seen {
			if k > n {
				delete(w.seen, l)
			}
		}
	default:
		w.seen[link] = len(w.seen)
	}
}

// next checks a link that Graph gave before it is followed or kept. One that ends the
// listing may be the same as before, if nothing has changed.
func (w *walk) next(c *graph.Client, link string, end bool) error {
	switch _, before := w.seen[link]; {
	case link == "":
		return errors.New("graph gave neither a next page nor an end")
	case len(link) > mostLink:
		return fmt.Errorf("graph gave a link of %d bytes", len(link))
	case before && !end:
		return errors.New("graph gave a page again: its listing would not end")
	case len(w.seen) >= mostPages:
		return fmt.Errorf("graph gave more than %d pages", mostPages)
	}
	return c.Trusts(link)
}

// List implements [cold.Session]. The cursor of ListingDelta is the link to the next page,
// or to what changes from now on; it belongs to this mailbox and folder. When Graph has
// forgotten it (410, after some weeks), the listing begins anew within the same call.
//
// ListingFull reads the whole listing at the start, for messages that are moved away
// meanwhile would shift the pages, and gives it in pages that last as long as the session.
func (s *graphSession) List(ctx context.Context, cursor string) (cold.Page, error) {
	if err := s.ready(ctx); err != nil {
		return cold.Page{}, err
	}
	list := s.listDelta
	if s.listing() == ListingFull {
		list = s.listFull
	}
	rest, ok := strings.CutPrefix(cursor, s.cursorTag())
	if !ok {
		rest = ""
	}
	page, err := list(ctx, rest)
	if err = s.ended(ctx, err); err != nil {
		return cold.Page{}, err
	}
	return page, nil
}

func (s *graphSession) listDelta(ctx context.Context, link string) (cold.Page, error) {
	_, given := s.walk.seen[link]
	given = given || link == s.walk.offered
	if link != s.walk.offered || len(s.fresh) > mostFresh {
		s.fresh = nil
	}
	for {
		r := &graph.Request{Op: "list", Prefer: []string{"odata.maxpagesize=" + strconv.Itoa(graphPage)}}
		if link != "" {
			r.Link = link
		} else {
			r.Path = "/mailFolders/" + graph.Seg(s.folder.ID) + "/messages/delta"
			r.Query = url.Values{"$select": {"receivedDateTime,isRead,isDraft"}}
		}
		s.walk.enter(link)
		a, err := s.page(ctx, r)
		if err != nil && link != "" && forgotten(err, !given) {
			if s.walk.restarts++; s.walk.restarts > mostRestarts {
				return cold.Page{}, graphError("list", err)
			}
			s.log.Info("office365: Graph does not know the place in the listing any more: it begins anew", "why", err)
			link, s.fresh = "", nil
			continue
		}
		if err != nil {
			return cold.Page{}, s.denied("list", err)
		}
		next := a.Next
		if next == "" {
			next = a.Delta
		}
		if err := s.walk.next(s.client, next, a.Next == ""); err != nil {
			return cold.Page{}, errOffice("list", vaguemestre.ClassSource, "%w; it is tried again later", err)
		}
		s.walk.offered = next
		items, err := s.items(a)
		if err != nil {
			return cold.Page{}, err
		}
		// graph/delta-query-overview, "Replays": a page may tell what an earlier one told.
		items = slices.DeleteFunc(items, func(it cold.Item) bool { return s.fresh[it.Key] })
		s.listed(items)
		return cold.Page{Items: items, Cursor: s.cursorTag() + next, More: a.Next != ""}, nil
	}
}

// listed notes what lies in the folder.
func (s *graphSession) listed(items []cold.Item) {
	if s.fresh == nil {
		s.fresh = make(map[string]bool, len(items))
	}
	for i := range items {
		s.fresh[items[i].Key] = true
	}
}

// forgotten tells whether the listing must begin anew. Of a link that was kept since an
// earlier session every refusal says so: it may be of another version of Graph's, or spoilt.
func forgotten(err error, kept bool) bool {
	switch kindOf(err) {
	case graph.Gone:
		return true
	case graph.Invalid, graph.Missing:
		return kept
	}
	return kept && errors.Is(err, graph.ErrLink)
}

func (s *graphSession) page(ctx context.Context, r *graph.Request) (*listedPage, error) {
	var a listedPage
	if err := s.client.JSON(ctx, r, &a); err != nil {
		return nil, err
	}
	return &a, nil
}

// items turns a page into items, each once. What was removed, or moved out of the folder,
// is not told: the ledger needs no word of it.
func (s *graphSession) items(a *listedPage) ([]cold.Item, error) {
	out := make([]cold.Item, 0, len(a.Value))
	seen := make(map[string]bool, len(a.Value))
	drafts := strings.EqualFold(s.l.source(), "drafts")
	for i := range a.Value {
		m := &a.Value[i]
		if m.ID == "" || len(m.ID) > 2048 {
			return nil, errOffice("list", vaguemestre.ClassSource, "graph listed a message without an id; it is tried again later")
		}
		if len(m.Removed) > 0 || bool(m.Draft) && !drafts || seen[m.ID] {
			continue
		}
		seen[m.ID] = true
		it := cold.Item{Key: s.key(m.ID), Epoch: s.epoch, Size: -1, Seen: bool(m.Read)}
		if t, err := time.Parse(time.RFC3339Nano, m.Received); err == nil {
			it.Time = t
		}
		out = append(out, it)
	}
	return out, nil
}

func (s *graphSession) listFull(ctx context.Context, at string) (cold.Page, error) {
	// A cursor is of one listing: one that an earlier run left behind means nothing now, and
	// must not come again as that of the first page.
	mark, place, _ := strings.Cut(at, ":")
	from, err := strconv.Atoi(place)
	if err != nil || mark != s.fullMark || from <= 0 || from >= len(s.full) {
		from, s.fullMark = 0, rand.Text()
		if s.full, err = s.listWhole(ctx); err != nil {
			return cold.Page{}, err
		}
	}
	to := min(from+graphPage, len(s.full))
	if from == 0 || len(s.fresh) > mostFresh {
		s.fresh = nil
	}
	s.listed(s.full[from:to])
	p := cold.Page{Items: s.full[from:to:to]}
	if to < len(s.full) {
		p.More, p.Cursor = true, s.cursorTag()+s.fullMark+":"+strconv.Itoa(to)
	}
	return p, nil
}

// listWhole reads all pages, oldest messages first.
func (s *graphSession) listWhole(ctx context.Context) ([]cold.Item, error) {
	r := &graph.Request{Op: "list", Path: "/mailFolders/" + graph.Seg(s.folder.ID) + "/messages",
		Query: url.Values{"$select": {"id,receivedDateTime,isRead,isDraft"}, "$top": {strconv.Itoa(graphPage)}, "$orderby": {"receivedDateTime asc"}}}
	var out []cold.Item
	seen := map[string]bool{}
	for w := (walk{}); ; {
		w.enter(r.Link)
		a, err := s.page(ctx, r)
		if err != nil {
			return nil, s.denied("list", err)
		}
		items, err := s.items(a)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			if !seen[it.Key] { // new mail shifts the pages
				seen[it.Key] = true
				out = append(out, it)
			}
		}
		if a.Next == "" {
			return out, nil
		}
		if err := w.next(s.client, a.Next, false); err != nil {
			return nil, errOffice("list", vaguemestre.ClassSource, "%w; it is tried again later", err)
		}
		if len(out) > mostListed {
			return nil, errOffice("list", vaguemestre.ClassSource, "the folder holds more than %d messages: use the listing delta, or move what was collected", mostListed)
		}
		r = &graph.Request{Op: "list", Link: a.Next}
	}
}
