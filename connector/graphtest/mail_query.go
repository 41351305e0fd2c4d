package graphtest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is what a listing was asked for: $top, $skip, $select, $filter, $orderby, $count.
type query struct {
	values      url.Values // by name in lower case, with "$"
	top, skip   int
	fields      []string // in lower case; nil is all
	filter      *filter
	order       []orderKey
	count       bool
	attachments bool // $expand
}

type orderKey struct {
	path string
	desc bool
}

const (
	defaultPage = 10
	maxPage     = 1000
)

// parseQuery reads the options of a listing. known says which properties there are; nil
// takes any.
func parseQuery(raw url.Values, known func(name string) bool) (*query, *fault) {
	q := &query{values: url.Values{}, top: defaultPage}
	for name, v := range raw {
		name = strings.ToLower(name)
		if !strings.HasPrefix(name, "$") && slices.Contains([]string{"top", "skip", "select", "filter", "orderby", "count", "expand", "search", "skiptoken", "deltatoken"}, name) {
			name = "$" + name
		}
		q.values[name] = v
	}
	for _, n := range []struct {
		name     string
		to       *int
		min, max int
	}{{"$top", &q.top, 1, maxPage}, {"$skip", &q.skip, 0, 1 << 30}} {
		if s := q.values.Get(n.name); s != "" {
			v, err := strconv.Atoi(s)
			if err != nil || v < n.min || v > n.max {
				return nil, bad("BadRequest", "The limit of '%d' for %s query has been exceeded, or the value %q is invalid.", n.max, n.name, cutText(s))
			}
			*n.to = v
		}
	}
	for _, s := range strings.Split(q.values.Get("$select"), ",") {
		if s = strings.ToLower(strings.TrimSpace(s)); s == "" {
			continue
		}
		if s == "*" {
			q.fields = nil
			break
		}
		if known != nil && !known(s) {
			return nil, bad("RequestBroker--ParseUri", "Could not find a property named '%s' on type 'microsoft.graph.message'.", cutText(s))
		}
		q.fields = append(q.fields, s)
	}
	if s := q.values.Get("$filter"); s != "" {
		f, err := parseFilter(s)
		if err != nil {
			return nil, bad("BadRequest", "Invalid filter clause: %v.", err)
		}
		if known != nil {
			for _, p := range f.paths {
				if name, _, _ := strings.Cut(strings.ToLower(p), "/"); !known(name) {
					return nil, bad("RequestBroker--ParseUri", "Could not find a property named '%s' on type 'microsoft.graph.message'.", cutText(p))
				}
			}
		}
		q.filter = f
	}
	for _, s := range strings.Split(q.values.Get("$orderby"), ",") {
		if f := strings.Fields(s); len(f) > 0 {
			q.order = append(q.order, orderKey{f[0], len(f) > 1 && strings.EqualFold(f[1], "desc")})
		}
	}
	if q.values.Get("$search") != "" {
		return nil, bad("BadRequest", "This server does not search: list with $filter.")
	}
	q.count = strings.EqualFold(q.values.Get("$count"), "true")
	for _, s := range strings.Split(q.values.Get("$expand"), ",") {
		q.attachments = q.attachments || strings.HasPrefix(strings.ToLower(strings.TrimSpace(s)), "attachments")
	}
	return q, q.efficient()
}

// efficient refuses what Exchange does: with a filter, what is sorted by must stand in it,
// first and in the same order (user-list-messages, "Using filter and orderby").
func (q *query) efficient() *fault {
	if q.filter == nil {
		return nil
	}
	var named []string
	for _, p := range q.filter.paths {
		if p = strings.ToLower(p); !slices.Contains(named, p) {
			named = append(named, p)
		}
	}
	for i, k := range q.order {
		if i >= len(named) || named[i] != strings.ToLower(k.path) {
			return bad("InefficientFilter", "The restriction or sort order is too complex for this operation.")
		}
	}
	return nil
}

// value finds the property that a path names: "from/emailAddress/address".
func value(o object, path string) any {
	var v any = o
	for _, name := range strings.Split(path, "/") {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = nil
		for k, x := range m {
			if strings.EqualFold(k, name) {
				v = x
			}
		}
	}
	return v
}

// knownProperty reports whether messages have a property of that name.
func knownProperty(name string) bool {
	return name == "id" || slices.ContainsFunc(messageProperties, func(p property) bool { return strings.EqualFold(p.name, name) })
}

// get returns the properties that a filter asks for, made as they are asked.
func (it *item) get(path string) any {
	name, _, _ := strings.Cut(strings.ToLower(path), "/")
	return value(it.object(&shown{fields: []string{name}}), path)
}

// find returns the items of list that the query is about, in its order; the newest come
// first without one.
func (q *query) find(list []*item) []*item {
	out := make([]*item, 0, len(list))
	for _, it := range list {
		if q.filter == nil || q.filter.match(it.get) {
			out = append(out, it)
		}
	}
	if len(q.order) == 0 {
		slices.SortStableFunc(out, func(a, b *item) int { return b.received.Compare(a.received) })
		return out
	}
	keys := make(map[*item][]any, len(out))
	for _, it := range out {
		for _, k := range q.order {
			keys[it] = append(keys[it], it.get(k.path))
		}
	}
	slices.SortStableFunc(out, func(a, b *item) int {
		for i, k := range q.order {
			if c := order(keys[a][i], keys[b][i]); c != 0 {
				if k.desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return out
}

// order sorts strings, among them times as they are shown, and booleans; null comes first.
func order(a, b any) int {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(strings.ToLower(a), strings.ToLower(b))
		}
		return 1
	case bool:
		if b, ok := b.(bool); ok && a != b {
			if a {
				return 1
			}
			return -1
		}
	case nil:
		if b != nil {
			return -1
		}
	}
	return 0
}

// paged cuts list to what $skip and $top leave, at most limit, and tells the next $skip; 0
// if nothing follows.
func paged[T any](list []T, skip, top, limit int) ([]T, int) {
	from := min(skip, len(list))
	to := min(from+min(top, limit), len(list))
	if to == len(list) {
		return list[from:to], 0
	}
	return list[from:to], to
}
