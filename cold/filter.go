package cold

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/vaguemestre/vaguemestre"
)

// Bounds of a [Filter].
const (
	maxPattern = 1 << 10 // bytes of a pattern
	maxName    = 255     // runes of a name
)

// Filter is a name filter; see [ParseFilter]. It is safe for concurrent use, and a
// copy is the same filter.
//
// The zero value decides nothing: under it every document is held.
type Filter struct{ p *pattern }

// pattern is what a Filter points to; it never changes.
type pattern struct {
	text string  // as written
	re   *regex  // of /…/flags
	glob []token // of a glob
}

// ParseFilter reads a filter in one of two forms.
//
// "/regex/flags" is a regular expression in the syntax of .NET and Perl, with
// lookaround. It must match the whole name, not a part of it. Flags: i without
// regard to case, s the dot takes line ends too, x white space and comments (# to
// the end of the line) in the pattern mean nothing.
//
// Anything else is a glob over the whole name, always without regard to case: *
// takes any run of characters, ? one, [a-z] one of a set, [!a-z] one outside it,
// and \ makes the next character an ordinary one.
//
// Filters see the name that the sender wrote, decoded, before it is made safe for a
// file system. Name and pattern are compared in Unicode's composed form (NFC), so an
// é is an é whichever way a computer writes it.
//
// A pattern has at most 1,024 bytes. A name of more than 255 characters, and a match
// that does not end within about 100 ms (the clock's step makes it 300 at most), is
// undecided: its document is held, never excluded. No error and no reason holds the name.
//
// The regular expressions share one clock goroutine in the process. It ends by itself
// a second after the last match; a test that counts goroutines ignores
// regexp2.runClock or calls regexp2.StopTimeoutClock.
//
// Errors are of class config.
func ParseFilter(s string) (Filter, error) {
	fail := func(format string, args ...any) (Filter, error) {
		return Filter{}, &vaguemestre.Error{Op: "cold: filter", Class: vaguemestre.ClassConfig, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case s == "":
		return fail("it is empty: write a glob such as *.pdf or a pattern such as /.*\\.pdf/i")
	case len(s) > maxPattern+8:
		return fail("it has %d bytes: shorten it to %d or split it in several filters", len(s), maxPattern)
	case !utf8.ValidString(s):
		return fail("it is not valid UTF-8: write it again in UTF-8")
	}
	if s[0] != '/' {
		if strings.Contains(s, "/") {
			return fail("the glob %q holds a slash, and no file name does: write a glob over the name alone, or /…/ for a pattern", s)
		}
		if len(s) > maxPattern {
			return fail("it has %d bytes: shorten it to %d or split it in several filters", len(s), maxPattern)
		}
		g, err := parseGlob(norm.NFC.String(s))
		if err != nil {
			return fail("the glob %q: %w", s, err)
		}
		return Filter{&pattern{text: s, glob: g}}, nil
	}
	end := strings.LastIndexByte(s, '/')
	if end == 0 {
		return fail("the pattern %q begins with a slash and does not end with one: write /…/", s)
	}
	src, flags := s[1:end], s[end+1:]
	if src == "" {
		return fail("the pattern is empty: write what the whole name must be, /.*/ for any")
	}
	if len(src) > maxPattern {
		return fail("the pattern has %d bytes: shorten it to %d or split it in several filters", len(src), maxPattern)
	}
	for i, c := range flags {
		if !strings.ContainsRune("isx", c) || strings.ContainsRune(flags[:i], c) {
			return fail("the flags %q after the last slash: known flags are i, s and x, each once", flags)
		}
	}
	re, err := compileRegex(norm.NFC.String(src), flags)
	if err != nil {
		return fail("the pattern %q: %w", s, err)
	}
	return Filter{&pattern{text: s, re: re}}, nil
}

// String returns the filter as [ParseFilter] read it.
func (f Filter) String() string {
	if f.p == nil {
		return ""
	}
	return f.p.text
}

// MarshalText returns String; an empty text for the zero value.
func (f Filter) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is [ParseFilter].
func (f *Filter) UnmarshalText(text []byte) error {
	g, err := ParseFilter(string(text))
	if err != nil {
		return err
	}
	*f = g
	return nil
}

// Why a filter is undecided. They never hold the name.
var (
	errZeroFilter = errors.New("the filter is empty")
	errLongName   = fmt.Errorf("the name has more than %d characters", maxName)
	errSlow       = errors.New("the match took too long")
)

// Match reports whether the whole name matches. An error means that it is undecided:
// the name is too long, or the match took too long. The error does not hold the name.
func (f Filter) Match(name string) (bool, error) {
	if f.p == nil {
		return false, errZeroFilter
	}
	r, err := nameRunes(name)
	if err != nil {
		return false, err
	}
	if f.p.re != nil {
		return f.p.re.matchWhole(r)
	}
	return matchGlob(f.p.glob, r), nil
}

// nameRunes gives the characters of a name in composed form, or errLongName.
func nameRunes(name string) ([]rune, error) {
	// Four bytes a rune at most: a name of a megabyte is not even counted.
	if len(name) > 4*maxName || utf8.RuneCountInString(name) > maxName {
		return nil, errLongName
	}
	return []rune(norm.NFC.String(name)), nil
}

// token is one element of a glob.
type token struct {
	kind   byte // '*', '?', '[' or 'c'
	c      rune // of 'c'
	not    bool // of '['
	ranges []rune
}

func parseGlob(s string) ([]token, error) {
	var out []token
	r := []rune(s)
	for i := 0; i < len(r); i++ {
		switch c := r[i]; c {
		case '*':
			if len(out) == 0 || out[len(out)-1].kind != '*' {
				out = append(out, token{kind: '*'})
			}
		case '?':
			out = append(out, token{kind: '?'})
		case '\\':
			if i++; i == len(r) {
				return nil, errors.New("it ends with a backslash: write \\\\ for the character itself")
			}
			out = append(out, token{kind: 'c', c: r[i]})
		case '[':
			t := token{kind: '['}
			if i++; i < len(r) && (r[i] == '!' || r[i] == '^') {
				t.not = true
				i++
			}
			closed := false
			for first := true; i < len(r); first = false {
				if r[i] == ']' && !first {
					closed = true
					break
				}
				lo, next, ok := globChar(r, i)
				if !ok {
					break
				}
				hi := lo
				if next+1 < len(r) && r[next] == '-' && r[next+1] != ']' {
					if hi, next, ok = globChar(r, next+1); !ok {
						break
					}
				}
				if lo > hi {
					return nil, errors.New("a set has a range that goes backwards: write it the other way round")
				}
				t.ranges = append(t.ranges, lo, hi)
				i = next
			}
			if !closed {
				return nil, errors.New("a [ is not closed: add ], or write \\[ for the character itself")
			}
			out = append(out, t)
		default:
			out = append(out, token{kind: 'c', c: c})
		}
	}
	return out, nil
}

// globChar reads one character of a set and the place after it.
func globChar(r []rune, i int) (rune, int, bool) {
	if r[i] == '\\' {
		if i++; i == len(r) {
			return 0, 0, false
		}
	}
	return r[i], i + 1, true
}

// matchGlob goes back to the last star only, so its time is at most the product of
// both lengths.
func matchGlob(g []token, name []rune) bool {
	gi, ni := 0, 0
	star, mark := -1, 0
	for ni < len(name) {
		switch {
		case gi < len(g) && g[gi].kind == '*':
			star, mark = gi, ni
			gi++
		case gi < len(g) && g[gi].takes(name[ni]):
			gi++
			ni++
		case star >= 0:
			mark++
			gi, ni = star+1, mark
		default:
			return false
		}
	}
	for gi < len(g) && g[gi].kind == '*' {
		gi++
	}
	return gi == len(g)
}

func (t token) takes(c rune) bool {
	switch t.kind {
	case '?':
		return true
	case 'c':
		return sameLetter(t.c, c)
	case '[':
		for i := 0; i < len(t.ranges); i += 2 {
			for f := c; ; {
				if t.ranges[i] <= f && f <= t.ranges[i+1] {
					return !t.not
				}
				if f = unicode.SimpleFold(f); f == c {
					break
				}
			}
		}
		return t.not
	}
	return false
}

func sameLetter(a, b rune) bool {
	for f := a; ; {
		if f == b {
			return true
		}
		if f = unicode.SimpleFold(f); f == a {
			return false
		}
	}
}
