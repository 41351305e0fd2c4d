package graphtest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// filter is a $filter expression (OData 4.01 URL conventions, section 5.1.1): comparisons,
// and, or, not, parentheses, startswith, endswith, contains and categories/any(c:c eq '…').
type filter struct {
	match func(get func(path string) any) bool
	paths []string // properties, in the order in which they are named
}

// Bounds of a filter.
const (
	maxFilter      = 8 << 10
	maxFilterDepth = 20
)

var errFilter = errors.New("syntax error")

func parseFilter(s string) (f *filter, err error) {
	if len(s) > maxFilter {
		return nil, errFilter
	}
	p := &filterParser{s: s}
	m, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.s != "" {
		return nil, errFilter
	}
	return &filter{match: m, paths: p.paths}, nil
}

type test = func(get func(string) any) bool

type filterParser struct {
	s     string
	paths []string
}

func (p *filterParser) space() { p.s = strings.TrimLeft(p.s, " \t") }

// word takes a name, an operator or an unquoted literal.
func (p *filterParser) word() string {
	p.space()
	i := strings.IndexAny(p.s, " \t()',")
	if i < 0 {
		i = len(p.s)
	}
	w := p.s[:i]
	p.s = p.s[i:]
	return w
}

// keyword takes w if it comes next.
func (p *filterParser) keyword(w string) bool {
	q := *p
	if strings.EqualFold(q.word(), w) {
		p.s = q.s
		return true
	}
	return false
}

func (p *filterParser) sign(c string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.s, c)
	if ok {
		p.s = rest
	}
	return ok
}

func (p *filterParser) or(depth int) (test, error) {
	left, err := p.and(depth)
	for err == nil && p.keyword("or") {
		var right test
		if right, err = p.and(depth); err == nil {
			l := left
			left = func(get func(string) any) bool { return l(get) || right(get) }
		}
	}
	return left, err
}

func (p *filterParser) and(depth int) (test, error) {
	left, err := p.one(depth)
	for err == nil && p.keyword("and") {
		var right test
		if right, err = p.one(depth); err == nil {
			l := left
			left = func(get func(string) any) bool { return l(get) && right(get) }
		}
	}
	return left, err
}

func (p *filterParser) one(depth int) (test, error) {
	if depth++; depth > maxFilterDepth {
		return nil, errFilter
	}
	if p.keyword("not") {
		t, err := p.one(depth)
		return func(get func(string) any) bool { return !t(get) }, err
	}
	if p.sign("(") {
		t, err := p.or(depth)
		if err == nil && !p.sign(")") {
			err = errFilter
		}
		return t, err
	}
	name := p.word()
	if name == "" {
		return nil, errFilter
	}
	if p.sign("(") {
		return p.function(name)
	}
	p.paths = append(p.paths, name)
	op := strings.ToLower(p.word())
	v, err := p.literal()
	if err != nil {
		return nil, err
	}
	switch op {
	case "eq", "ne", "gt", "ge", "lt", "le":
	default:
		return nil, fmt.Errorf("%w: operator %q", errFilter, cutText(op))
	}
	return func(get func(string) any) bool { return compare(get(name), op, v) }, nil
}

// function is what stands behind the name and its parenthesis.
func (p *filterParser) function(name string) (test, error) {
	if strings.EqualFold(name, "categories/any") {
		v := p.word() // "c:c": the variable and its use
		if a, b, ok := strings.Cut(v, ":"); !ok || a != b || !p.keyword("eq") {
			return nil, errFilter
		}
		lit, err := p.literal()
		if err != nil || !p.sign(")") {
			return nil, errFilter
		}
		p.paths = append(p.paths, "categories")
		return func(get func(string) any) bool {
			list, _ := get("categories").([]string)
			for _, c := range list {
				if compare(c, "eq", lit) {
					return true
				}
			}
			return false
		}, nil
	}
	var in func(s, part string) bool
	switch strings.ToLower(name) {
	case "startswith":
		in = strings.HasPrefix
	case "endswith":
		in = strings.HasSuffix
	case "contains":
		in = strings.Contains
	default:
		return nil, fmt.Errorf("%w: function %q", errFilter, cutText(name))
	}
	path := p.word()
	if !p.sign(",") {
		return nil, errFilter
	}
	lit, err := p.literal()
	part, ok := lit.(string)
	if err != nil || !ok || !p.sign(")") {
		return nil, errFilter
	}
	p.paths = append(p.paths, path)
	return func(get func(string) any) bool {
		s, _ := get(path).(string)
		return in(strings.ToLower(s), strings.ToLower(part))
	}, nil
}

// literal takes a string in quotes (” is one quote), true, false, null or a time.
func (p *filterParser) literal() (any, error) {
	if !p.sign("'") {
		switch w := p.word(); strings.ToLower(w) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		case "null":
			return nil, nil
		default:
			t, err := time.Parse(time.RFC3339, w)
			if err != nil {
				t, err = time.Parse(time.DateOnly, w)
			}
			if err != nil {
				return nil, fmt.Errorf("%w: literal %q", errFilter, cutText(w))
			}
			return t, nil
		}
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(p.s, '\'')
		if i < 0 {
			return nil, errFilter
		}
		b.WriteString(p.s[:i])
		if p.s = p.s[i+1:]; !strings.HasPrefix(p.s, "'") {
			return b.String(), nil
		}
		b.WriteByte('\'')
		p.s = p.s[1:]
	}
}

// compare compares as Exchange does: strings without regard to case, times by the second.
// What cannot be compared is different.
func compare(have any, op string, want any) bool {
	order, ok := 0, false
	switch want := want.(type) {
	case nil:
		ok = have == nil
	case bool:
		var b bool
		if b, ok = have.(bool); ok && b != want {
			order = 1
		}
	case string:
		var s string
		if s, ok = have.(string); ok {
			order = strings.Compare(strings.ToLower(s), strings.ToLower(want))
		}
	case time.Time:
		s, _ := have.(string)
		t, err := time.Parse(time.RFC3339, s)
		if ok = err == nil; ok {
			order = t.Compare(want)
		}
	}
	switch op {
	case "eq":
		return ok && order == 0
	case "ne":
		return !ok || order != 0
	case "gt":
		return ok && order > 0
	case "ge":
		return ok && order >= 0
	case "lt":
		return ok && order < 0
	}
	return ok && order <= 0
}

// cutText keeps a stranger's text short in an error.
func cutText(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return s
}
