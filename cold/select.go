package cold

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/vaguemestre/vaguemestre"
)

// selector is a [Select] made ready. It is safe for concurrent use.
//
// In doubt a mail is looked at: a size or a time that the source does not tell and a
// subject that cannot be decided pass their tests, since a mail that is passed over
// is not seen by anybody.
type selector struct {
	s        Select
	from, to []string // folded
	pattern  *Filter  // of Subject, or nil
	subject  string   // folded
}

// compile checks s; errors are of class config.
func (s Select) compile() (*selector, error) {
	fail := func(format string, args ...any) (*selector, error) {
		return nil, &vaguemestre.Error{Op: "cold: select", Class: vaguemestre.ClassConfig, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case s.MaxAge < 0:
		return fail("the age %s is below 0: write 0 for no bound", s.MaxAge)
	case s.MinSize < 0 || s.MaxSize < 0:
		return fail("a size below 0: write a number of bytes, 0 for no bound")
	case s.MaxSize > 0 && s.MinSize > s.MaxSize:
		return fail("the smallest size %d is above the largest %d: no mail can pass", s.MinSize, s.MaxSize)
	}
	c := &selector{s: s}
	for _, l := range []struct {
		key  string
		in   []string
		into *[]string
	}{{"from", s.From, &c.from}, {"to", s.To, &c.to}} {
		for _, v := range l.in {
			if v = fold(v); v == "" {
				return fail("%s holds an empty text, which is in every address: leave it out", l.key)
			}
			*l.into = append(*l.into, v)
		}
	}
	if len(s.Subject) > 1 && s.Subject[0] == '/' && strings.LastIndexByte(s.Subject, '/') > 0 {
		f, err := ParseFilter(s.Subject)
		if err != nil {
			return nil, err
		}
		c.pattern = &f
	} else {
		c.subject = fold(s.Subject)
	}
	return c, nil
}

// matchItem tests what a listing tells, before any content is fetched. The reason is
// empty when ok.
func (c *selector) matchItem(it Item, now time.Time) (ok bool, reason string) {
	switch {
	case c.s.Unseen && it.Seen:
		return false, "select: it is marked as read"
	case c.s.MaxAge > 0 && !it.Time.IsZero() && now.Sub(it.Time) > c.s.MaxAge:
		return false, fmt.Sprintf("select: older than %s", c.s.MaxAge)
	case c.s.MinSize > 0 && it.Size >= 0 && it.Size < c.s.MinSize:
		return false, fmt.Sprintf("select: smaller than %d bytes", c.s.MinSize)
	case c.s.MaxSize > 0 && it.Size > c.s.MaxSize:
		return false, fmt.Sprintf("select: larger than %d bytes", c.s.MaxSize)
	}
	return true, ""
}

// needsHeaders reports whether matchHeaders can refuse anything.
func (c *selector) needsHeaders() bool {
	return len(c.from) > 0 || len(c.to) > 0 || c.subject != "" || c.pattern != nil
}

// matchHeaders tests decoded names and addresses, to holding those of To and Cc, and
// the decoded subject. The reason is empty when ok, but for a subject that could not
// be decided.
func (c *selector) matchHeaders(from, to []string, subject string) (ok bool, reason string) {
	if len(c.from) > 0 && !anyHolds(from, c.from) {
		return false, "select: from is none of those wanted"
	}
	if len(c.to) > 0 && !anyHolds(to, c.to) {
		return false, "select: to and cc are none of those wanted"
	}
	if c.subject != "" && !strings.Contains(fold(subject), c.subject) {
		return false, "select: the subject does not hold the text wanted"
	}
	if c.pattern != nil {
		switch ok, err := c.pattern.Match(strings.TrimSpace(subject)); {
		case err != nil:
			return true, "select: subject " + c.pattern.String() + " is undecided: " + err.Error()
		case !ok:
			return false, "select: the subject does not match " + c.pattern.String()
		}
	}
	return true, ""
}

func anyHolds(have, want []string) bool {
	for _, h := range have {
		h = fold(h)
		for _, w := range want {
			if strings.Contains(h, w) {
				return true
			}
		}
	}
	return false
}

// fold makes texts comparable without regard to case and to how accents are written.
func fold(s string) string {
	return strings.ToLower(norm.NFC.String(strings.TrimSpace(s)))
}
