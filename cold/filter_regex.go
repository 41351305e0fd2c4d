package cold

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// matchTimeout is what one match may take. QUIRK: regexp2's clock has a step of
// 100 ms and a deadline is rounded up by one, so a match ends within 300 ms.
const matchTimeout = 100 * time.Millisecond

// regex is a compiled /…/flags. It is safe for concurrent use.
type regex struct {
	src   string // between the slashes, composed
	flags string
	whole *regexp2.Regexp
}

// compileRegex compiles src so that it must match a whole name.
func compileRegex(src, flags string) (*regex, error) {
	// The bare pattern first: "a)|(b" is an error and must not become sound by being wrapped.
	if _, err := compile2(src, flags); err != nil {
		return nil, err
	}
	whole, err := compile2(`\A(?:`+src+`)\z`, flags)
	if err != nil {
		// Under flag x, also an inline (?x), a comment at the end has swallowed the closing
		// parenthesis. A line end closes the comment and means nothing there.
		whole, err = compile2(`\A(?:`+src+"\n"+`)\z`, flags)
	}
	if err != nil {
		return nil, err
	}
	return &regex{src: src, flags: flags, whole: whole}, nil
}

// compile2 compiles an expression as it stands.
func compile2(expr, flags string) (re *regexp2.Regexp, err error) {
	defer func() {
		if r := recover(); r != nil {
			re, err = nil, errors.New("it cannot be compiled: write it in a simpler way")
		}
	}()
	opts := regexp2.None
	for _, c := range flags {
		switch c {
		case 'i':
			opts |= regexp2.IgnoreCase
		case 's':
			opts |= regexp2.Singleline
		case 'x':
			opts |= regexp2.IgnorePatternWhitespace
		}
	}
	re, err = regexp2.Compile(expr, regexp2.RegexOptions(opts))
	if err != nil {
		// "error parsing regexp: missing closing ) in `…`": what is wrong, without the repeated pattern.
		what, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "error parsing regexp: "), " in `")
		return nil, fmt.Errorf("%s: mend the pattern", what)
	}
	re.MatchTimeout = matchTimeout
	return re, nil
}

// matchWhole reports whether the whole of name matches; errSlow when undecided.
func (r *regex) matchWhole(name []rune) (bool, error) { return match2(r.whole, name) }

func match2(re *regexp2.Regexp, name []rune) (bool, error) {
	return bounded(func() (bool, error) { return re.MatchRunes(name) }, time.Now)
}

// find2 is match2 with the places of the match; nil for none.
func find2(re *regexp2.Regexp, name []rune) (*regexp2.Match, error) {
	return bounded(func() (*regexp2.Match, error) { return re.FindRunesMatch(name) }, time.Now)
}

// bounded calls match, and once more if it gave up long before its time.
//
// QUIRK: on a starved machine regexp2's clock may jump over a deadline that was only
// just set (dlclark/regexp2 #86), and the match times out at once.
func bounded[T any](match func() (T, error), now func() time.Time) (T, error) {
	var none T
	try := func() (m T, err error) {
		defer func() {
			if r := recover(); r != nil {
				m, err = none, errSlow
			}
		}()
		return match()
	}
	start := now()
	m, err := try()
	if err != nil && now().Sub(start) < matchTimeout/2 {
		m, err = try()
	}
	if err != nil {
		// The library's error holds the whole input, so it goes no further.
		return none, errSlow
	}
	return m, nil
}
