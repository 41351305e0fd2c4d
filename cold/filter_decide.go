package cold

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vaguemestre/vaguemestre"
)

// Filters decide by name, media type and size which documents are wanted. The zero
// value wants all.
type Filters struct {
	Include    []Filter // any match takes; empty takes all
	Exclude    []Filter // then any match refuses
	MediaTypes []string // "application/pdf", "image/*"; empty takes all
	MinSize    int64    // bytes; 0 means no bound
	MaxSize    int64    // bytes; 0 means no bound
}

// Decide says what becomes of a document: [Accepted], [Refused] or [Held], and why.
// The reason names the rule, never the document.
//
// A rule that refuses for sure refuses, whatever else is undecided. Otherwise a
// document is held as soon as an undecided rule could have refused it: an include
// that is undecided while no other include takes, an exclude that is undecided, a
// media type or a size (below 0) that is unknown while there is a rule on it.
func (f Filters) Decide(name, mediaType string, size int64) (Decision, string) {
	taken := "no filter is set on names"
	held := ""
	undecided := func(rule string, err error) {
		if held == "" {
			held = rule + " is undecided: " + err.Error()
		}
	}

	if len(f.Include) > 0 {
		taken = ""
		var doubt Filter
		var doubtErr error
		for _, in := range f.Include {
			ok, err := in.Match(name)
			if ok {
				taken = "included by " + in.String()
				break
			}
			if err != nil && doubtErr == nil {
				doubt, doubtErr = in, err
			}
		}
		switch {
		case taken != "":
		case doubtErr != nil:
			undecided("include "+doubt.String(), doubtErr)
		case len(f.Include) == 1:
			return Refused, "not included by " + f.Include[0].String()
		default:
			return Refused, fmt.Sprintf("not included by any of the %d include filters", len(f.Include))
		}
	}
	for _, ex := range f.Exclude {
		ok, err := ex.Match(name)
		if ok {
			return Refused, "excluded by " + ex.String()
		}
		if err != nil {
			undecided("exclude "+ex.String(), err)
		}
	}
	if len(f.MediaTypes) > 0 {
		mt := cleanType(mediaType)
		switch {
		case mt == "":
			undecided("the rule on media types", errors.New("the media type is not known"))
		case !typeListed(f.MediaTypes, mt):
			return Refused, "its media type is none of " + strings.Join(f.MediaTypes, ", ")
		}
	}
	if f.MinSize > 0 || f.MaxSize > 0 {
		switch {
		case size < 0:
			undecided("the rule on sizes", errors.New("the size is not known"))
		case f.MinSize > 0 && size < f.MinSize:
			return Refused, fmt.Sprintf("smaller than %d bytes", f.MinSize)
		case f.MaxSize > 0 && size > f.MaxSize:
			return Refused, fmt.Sprintf("larger than %d bytes", f.MaxSize)
		}
	}
	if held != "" {
		return Held, held
	}
	return Accepted, taken
}

// check is asked when wiring: it finds rules that can never do what they say.
func (f Filters) check() error {
	fail := func(format string, args ...any) error {
		return &vaguemestre.Error{Op: "cold: filters", Class: vaguemestre.ClassConfig, Err: fmt.Errorf(format, args...)}
	}
	for _, list := range [][]Filter{f.Include, f.Exclude} {
		for i, x := range list {
			if x.p == nil {
				return fail("filter %d of its list is empty: make it with ParseFilter, or leave it out", i+1)
			}
		}
	}
	for _, t := range f.MediaTypes {
		a, b, ok := strings.Cut(cleanType(t), "/")
		if !ok || a == "" || b == "" || (a == "*" && b != "*") || strings.ContainsAny(a+b, "/ \t") {
			return fail("%q is no media type: write it as application/pdf or image/*", t)
		}
	}
	if f.MinSize < 0 || f.MaxSize < 0 {
		return fail("a size below 0: write a number of bytes, 0 for no bound")
	}
	if f.MaxSize > 0 && f.MinSize > f.MaxSize {
		return fail("the smallest size %d is above the largest %d: no document can pass", f.MinSize, f.MaxSize)
	}
	return nil
}

// cleanType is a media type in lower case without its parameters.
func cleanType(t string) string {
	t, _, _ = strings.Cut(t, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

func typeListed(list []string, t string) bool {
	for _, want := range list {
		want = cleanType(want)
		if want == t || want == "*/*" {
			return true
		}
		if major, ok := strings.CutSuffix(want, "/*"); ok && strings.HasPrefix(t, major+"/") {
			return true
		}
	}
	return false
}
