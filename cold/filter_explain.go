package cold

import (
	"fmt"
	"strings"
	"unicode"
)

// Explain tells in plain English why name matches or not, naming the part of the
// pattern that decides. It does not repeat the name; it counts its characters from 1.
func (f Filter) Explain(name string) string {
	ok, err := f.Match(name)
	if err != nil {
		return "undecided: " + err.Error() + "; the document is held"
	}
	r, _ := nameRunes(name)
	var why string
	switch {
	case f.p.re == nil:
		why = explainGlob(f.p.glob, r, ok)
	case ok:
		why = f.p.re.explainMatch(r)
	default:
		why = f.p.re.explainMiss(r)
	}
	if ok {
		return "matches: " + why
	}
	return "does not match: " + why
}

func explainGlob(g []token, name []rune, ok bool) string {
	if ok {
		return "the glob fits the whole name (a glob has no regard to case)"
	}
	// The longest part that some beginning of the name fits.
	k := len(g)
	for k > 0 && !matchGlob(append(g[:k:k], token{kind: '*'}), name) {
		k--
	}
	if k == len(g) {
		return "the glob fits only the beginning of the name; end it with * to allow what follows"
	}
	end := k + 1
	for g[k].kind == 'c' && end < len(g) && g[end].kind == 'c' {
		end++
	}
	var b strings.Builder
	for _, t := range g[k:end] {
		b.WriteString(t.String())
	}
	return fmt.Sprintf("nothing in the name fits the part `%s` of the glob where it stands", b.String())
}

// String writes a token as in a glob.
func (t token) String() string {
	switch t.kind {
	case 'c':
		return string(t.c)
	case '[':
		var b strings.Builder
		b.WriteByte('[')
		if t.not {
			b.WriteByte('!')
		}
		for i := 0; i < len(t.ranges); i += 2 {
			b.WriteRune(t.ranges[i])
			if t.ranges[i+1] != t.ranges[i] {
				b.WriteByte('-')
				b.WriteRune(t.ranges[i+1])
			}
		}
		b.WriteByte(']')
		return b.String()
	}
	return string(rune(t.kind))
}

func (r *regex) explainMatch(name []rune) string {
	parts := r.parts()
	var b strings.Builder
	b.WriteString(`\A`)
	for i, p := range parts {
		// Named groups are numbered after all others, so \1 still means what it meant.
		fmt.Fprintf(&b, "(?<vaguemestre%d>%s)", i, p)
	}
	b.WriteString(`\z`)
	if re, err := compile2(b.String(), r.flags); err == nil && len(parts) > 1 && len(parts) <= 12 {
		if m, err := find2(re, name); err == nil && m != nil {
			var said []string
			for i, p := range parts {
				g := m.GroupByName(fmt.Sprintf("vaguemestre%d", i))
				switch {
				case g == nil || g.Length == 0:
					said = append(said, fmt.Sprintf("`%s` takes nothing", p))
				case g.Length == 1:
					said = append(said, fmt.Sprintf("`%s` takes character %d", p, g.Index+1))
				default:
					said = append(said, fmt.Sprintf("`%s` takes characters %d to %d", p, g.Index+1, g.Index+g.Length))
				}
			}
			return strings.Join(said, ", ")
		}
	}
	return "the pattern fits the whole name"
}

func (r *regex) explainMiss(name []rune) string {
	hint := ""
	if !strings.Contains(r.flags, "i") {
		if other, err := compileRegex(r.src, r.flags+"i"); err == nil {
			if ok, err := other.matchWhole(name); err == nil && ok {
				return "upper and lower case differ; with the flag i it would match"
			}
		}
	}
	if strings.ContainsRune(string(name), '\n') && !strings.Contains(r.flags, "s") {
		hint = "; the name holds a line end, which the dot does not take without the flag s"
	}
	parts := r.parts()
	stop := r.stopsAt(parts, name)
	if strings.HasPrefix(stop, "(?!") || strings.HasPrefix(stop, "(?<!") {
		return fmt.Sprintf("the part `%s` forbids what stands there%s", stop, hint)
	}
	if bare, err := compile2(r.src, r.flags); err == nil {
		switch m, err := find2(bare, name); {
		case err != nil || m == nil || m.Length == 0:
		case m.Index == 0 && m.Length < len(name):
			return fmt.Sprintf("the pattern fits characters 1 to %d only, and it must fit the whole name; end it with .* to allow what follows%s", m.Length, hint)
		default:
			return fmt.Sprintf("the pattern fits characters %d to %d only, and it must fit the whole name; put .* before and after it to find it anywhere%s", m.Index+1, m.Index+m.Length, hint)
		}
	}
	if n := len(splitTop(r.src, '|')); len(parts) == 1 && n > 1 {
		return fmt.Sprintf("none of the %d alternatives fits the whole name%s", n, hint)
	}
	if stop != "" {
		return fmt.Sprintf("nothing fits the part `%s` where it stands%s", stop, hint)
	}
	return "the pattern does not fit the whole name" + hint
}

// stopsAt is the part behind the longest run of parts that fit a beginning of name.
func (r *regex) stopsAt(parts []string, name []rune) string {
	for k := len(parts); k >= 0; k-- {
		re, err := compile2(`\A(?:`+strings.Join(parts[:k], "")+`)`, r.flags)
		if err != nil {
			return ""
		}
		if ok, err := match2(re, name); err != nil || ok && k == len(parts) {
			return "" // all of them fit: it is the end that is missing
		} else if ok {
			return parts[k]
		}
	}
	return ""
}

// parts cuts a pattern into its elements at the top level, each with its quantifier.
// A pattern whose elements cannot be told apart so simply is one part: alternatives,
// free spacing, options that hold from somewhere on.
func (r *regex) parts() []string {
	whole := []string{r.src}
	if strings.Contains(r.flags, "x") || inlineOption(r.src) || len(splitTop(r.src, '|')) > 1 {
		return whole
	}
	var out []string
	for i := 0; i < len(r.src); {
		end := elementEnd(r.src, i)
		end = quantifierEnd(r.src, end)
		// Plain characters belong together.
		if n := len(out); n > 0 && end-i == 1 && isPlain(r.src[i:end]) && isPlain(out[n-1]) {
			out[n-1] += r.src[i:end]
		} else {
			out = append(out, r.src[i:end])
		}
		i = end
	}
	return out
}

func isPlain(s string) bool {
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && c != '-' && c != ' ' {
			return false
		}
	}
	return true
}

// inlineOption finds (?i), (?x-s) and the like, which hold for all that follows.
func inlineOption(src string) bool {
	for i := 0; i < len(src); i++ {
		switch {
		case src[i] == '\\':
			i++
		case strings.HasPrefix(src[i:], "(?"):
			rest := strings.TrimLeft(src[i+2:], "imnsxrdeu-+")
			if len(rest) < len(src[i+2:]) && strings.HasPrefix(rest, ")") {
				return true
			}
		}
	}
	return false
}

// elementEnd is the end of the character, class, escape or group that begins at i.
func elementEnd(s string, i int) int {
	switch s[i] {
	case '\\':
		if i+2 < len(s) && s[i+2] == '{' && strings.IndexByte("pPx", s[i+1]) >= 0 {
			if n := strings.IndexByte(s[i:], '}'); n > 0 {
				return i + n + 1
			}
		}
		return min(len(s), i+2)
	case '[':
		for j := i + 1; j < len(s); j++ {
			switch {
			case s[j] == '\\':
				j++
			case s[j] == '[' && s[j-1] == '-': // subtraction
				j = elementEnd(s, j) - 1
			case s[j] == ']' && j > i+1 && !(j == i+2 && s[i+1] == '^'):
				return j + 1
			}
		}
		return len(s)
	case '(':
		for j := i + 1; j < len(s); {
			if s[j] == ')' {
				return j + 1
			}
			j = elementEnd(s, j)
		}
		return len(s)
	}
	for end := i + 1; ; end++ { // a whole rune
		if end >= len(s) || s[end]&0xC0 != 0x80 {
			return end
		}
	}
}

func quantifierEnd(s string, i int) int {
	if i >= len(s) {
		return i
	}
	switch s[i] {
	case '*', '+', '?':
		i++
	case '{':
		n := strings.IndexByte(s[i:], '}')
		if n < 2 || strings.Trim(s[i+1:i+n], "0123456789,") != "" || s[i+1] == ',' {
			return i
		}
		i += n + 1
	default:
		return i
	}
	if i < len(s) && s[i] == '?' {
		i++
	}
	return i
}

// splitTop cuts at a character that stands outside all groups and classes.
func splitTop(s string, at byte) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); {
		if s[i] == at {
			out = append(out, s[start:i])
			i++
			start = i
			continue
		}
		i = elementEnd(s, i)
	}
	return append(out, s[start:])
}
