package graphtest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// round is one pass of a delta query: what has changed in a folder since another pass. It is
// kept by the token that leads to its next page, or, once it is read, by its delta token,
// where a new round begins.
type round struct {
	folder *folder
	query  *query
	types  []string // changeType; nil is all

	since uint64        // what had changed by then is known
	upTo  uint64        // the counter when the round began
	list  []deltaChange // what is left of it
	last  *deltaChange  // told on the page before: comes twice
	page  int
	done  bool // the token is a delta token
}

// deltaChange is one entry: an item, or the id under which it was here.
type deltaChange struct {
	it      *item
	id      string
	removed bool
}

// maxRounds bounds what is kept: the oldest tokens are not worth finding, all are forgotten.
const maxRounds = 100_000

// begin starts a round at what has changed since then.
func (b *Mailbox) begin(r *round) *round {
	r.upTo = b.seq
	for _, it := range r.folder.items {
		if it.changed > r.since && r.tells(it) {
			r.list = append(r.list, deltaChange{it: it, id: it.id})
		}
	}
	if strings.EqualFold(r.query.values.Get("$orderby"), "receivedDateTime desc") {
		slices.SortStableFunc(r.list, func(x, y deltaChange) int { return y.it.received.Compare(x.it.received) })
	}
	if r.since > 0 && (r.types == nil || slices.Contains(r.types, "deleted")) {
		for _, g := range r.folder.gone {
			// What came and left within the round was never told, but Graph tells that it is gone.
			if g.seq > r.since && g.it.folder != r.folder {
				r.list = append(r.list, deltaChange{it: g.it, id: g.id, removed: true})
			}
		}
	}
	return r
}

// tells reports whether the round's filter and types let an item through.
func (r *round) tells(it *item) bool {
	if r.query.filter != nil && !r.query.filter.match(it.get) {
		return false
	}
	if r.types == nil || r.since == 0 {
		return true
	}
	if it.arrived > r.since {
		return slices.Contains(r.types, "created")
	}
	return slices.Contains(r.types, "updated")
}

// next returns the next page of at most size entries and the token of what follows.
//
// It is as awkward as Graph may be: a round of more than one page has an empty page with a
// nextLink, and an entry that comes twice (delta-query-messages; message-delta).
func (b *Mailbox) next(r *round, size int) (entries []deltaChange, token string, n *round) {
	if r.done {
		r = b.begin(&round{folder: r.folder, query: r.query, types: r.types, since: r.upTo})
	}
	n = &round{folder: r.folder, query: r.query, types: r.types, since: r.since, upTo: r.upTo, page: r.page + 1}
	if r.page == 1 {
		n.list, n.last = r.list, r.last
		return nil, b.keep(n), n
	}
	if r.last != nil {
		entries = append(entries, *r.last)
	}
	k := min(max(size, 1), len(r.list))
	entries = append(entries, r.list[:k]...)
	if n.list = r.list[k:]; len(n.list) > 0 {
		if r.page == 0 {
			n.last = &entries[len(entries)-1]
		}
	} else {
		n.done = true
	}
	// What went since the round began is told by the next one.
	entries = slices.DeleteFunc(slices.Clone(entries), func(e deltaChange) bool { return !e.removed && e.it.folder != r.folder })
	return entries, b.keep(n), n
}

// keep remembers a round by a new token.
func (b *Mailbox) keep(r *round) string {
	if len(b.rounds) >= maxRounds {
		clear(b.rounds)
	}
	token := strings.ReplaceAll(newID("AAAAAA"), "=", "") + newGUID()
	b.rounds[token] = r
	return token
}

// object is an entry as Graph shows it.
func (e *deltaChange) object(s *shown) object {
	if !e.removed {
		o := e.it.object(s)
		if _, ok := o["@odata.type"]; !ok {
			o["@odata.type"] = "#microsoft.graph.message"
		}
		return o
	}
	id := e.id
	if s.immutable {
		id = e.it.immutable
	}
	return object{"@odata.type": "#microsoft.graph.message", "id": id, "@removed": object{"reason": "deleted"}}
}

// delta answers a page of a round (message-delta).
func (s *Server) delta(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	q, f := parseQuery(r.URL.Query(), knownProperty)
	if f != nil {
		return 0, nil, f
	}
	id, ok := c.vars["folder"]
	if !ok {
		return 0, nil, bad("BadRequest", "Change tracking is not supported against 'microsoft.graph.message' of a whole mailbox: name a folder.")
	}
	b := c.mailbox
	b.lock()
	defer b.mu.Unlock()
	in, f := b.folderOf(id)
	if f != nil {
		return 0, nil, f
	}
	var now *round
	skip, delta := q.values.Get("$skiptoken"), q.values.Get("$deltatoken")
	if token := skip + delta; token == "" {
		if now, f = b.firstRound(in, q); f != nil {
			return 0, nil, f
		}
	} else if now = b.rounds[token]; now == nil || now.done != (skip == "") || now.folder != in {
		return 0, nil, &fault{http.StatusGone, "SyncStateNotFound", "The sync state generation is not found; generation=149;[highest=157][157][155][156]."}
	}
	size := defaultPage
	if q.values.Has("$top") {
		size = q.top
	}
	if n, err := strconv.Atoi(prefers(r)["odata.maxpagesize"]); err == nil && n > 0 {
		size = n
		w.Header().Add("Preference-Applied", "odata.maxpagesize="+strconv.Itoa(n))
	}
	show := showing(w, r, now.query.fields)
	entries, token, next := b.next(now, min(size, s.o.PageSize))
	value := make([]object, len(entries))
	for i := range entries {
		value[i] = entries[i].object(show)
	}
	out := object{"@odata.context": s.context(b, "messages") + "/$delta", "value": value}
	if next.done {
		out["@odata.deltaLink"] = s.link(r, url.Values{"$deltatoken": {token}})
	} else {
		out["@odata.nextLink"] = s.link(r, url.Values{"$skiptoken": {token}})
	}
	return http.StatusOK, out, nil
}

// firstRound begins without a token. Delta takes few options: a filter on receivedDateTime
// with ge or gt, which also bounds it to 5,000 messages, and one order.
func (b *Mailbox) firstRound(in *folder, q *query) (*round, *fault) {
	if f := q.values.Get("$filter"); f != "" && !deltaFilter.MatchString(f) {
		return nil, bad("BadRequest", "Delta takes $filter on receivedDateTime with ge or gt only.")
	}
	if o := q.values.Get("$orderby"); o != "" && !strings.EqualFold(strings.Join(strings.Fields(o), " "), "receivedDateTime desc") {
		return nil, bad("BadRequest", "Delta takes $orderby=receivedDateTime desc only.")
	}
	r := &round{folder: in, query: q}
	for _, name := range strings.Split(strings.ToLower(q.values.Get("changetype")), ",") {
		switch name {
		case "":
		case "created", "updated", "deleted":
			r.types = append(r.types, name)
		default:
			return nil, bad("BadRequest", "The changeType %q is not known.", cutText(name))
		}
	}
	r = b.begin(r)
	if q.filter != nil && len(r.list) > 5000 {
		r.list = r.list[len(r.list)-5000:]
	}
	return r, nil
}

var deltaFilter = regexp.MustCompile(`(?i)^\s*receivedDateTime\s+(ge|gt)\s+\S+\s*$`)
