package mime

import (
	"sort"
	"strings"
)

// param is one parameter of a structured field, as it stands there.
type param struct {
	name   string // lower case, "*" and section number included
	value  string // quotes and escapes undone
	quoted bool
}

// parseParams splits a Content-Type or Content-Disposition value into its first word, in
// lower case, and its parameters, at most maxParams+1 of them. RFC 2045 section 5.1,
// taken leniently: mended tells that something was not as it should be.
func parseParams(v string) (first string, ps []param, mended bool) {
	i := strings.IndexAny(v, ";")
	head, rest := v, ""
	if i >= 0 {
		head, rest = v[:i], v[i+1:]
	}
	head = strings.Trim(head, " \t\r\n")
	if j := strings.IndexAny(head, " \t("); j >= 0 {
		// A comment, or QUIRK: the semicolon forgotten, "text/plain charset=utf-8".
		if k := nextParam(head[j:]); k >= 0 {
			rest, mended = head[j+k:]+";"+rest, true
		}
		head = head[:j]
	}
	first = strings.ToLower(strings.Trim(head, " \t\r\n\"'"))
	for len(ps) <= maxParams {
		rest = strings.TrimLeft(rest, "; \t\r\n")
		for strings.HasPrefix(rest, "(") { // a comment before the name
			e := strings.IndexByte(rest, ')')
			if e < 0 {
				break
			}
			rest = strings.TrimLeft(rest[e+1:], "; \t\r\n")
		}
		if rest == "" {
			break
		}
		eq := strings.IndexAny(rest, "=;")
		if eq < 0 {
			mended = true
			break
		}
		if rest[eq] == ';' {
			rest, mended = rest[eq+1:], true
			continue
		}
		p := param{name: strings.ToLower(strings.Trim(rest[:eq], " \t\r\n\"'"))}
		if j := strings.LastIndexAny(p.name, " \t"); j >= 0 {
			p.name, mended = p.name[j+1:], true
		}
		var odd bool
		p.value, p.quoted, rest, odd = paramValue(strings.TrimLeft(rest[eq+1:], " \t\r\n"))
		mended = mended || odd
		if p.name != "" {
			ps = append(ps, p)
		}
	}
	return first, ps, mended
}

// paramValue reads the value that s begins with.
func paramValue(s string) (value string, quoted bool, rest string, mended bool) {
	if !strings.HasPrefix(s, `"`) {
		e := strings.IndexByte(s, ';')
		if e < 0 {
			e = len(s)
		}
		value, rest = s[:e], s[e:]
		if k := nextParam(value); k > 0 { // QUIRK: the semicolon forgotten
			value, rest, mended = value[:k], value[k:]+rest, true
		}
		value = strings.Trim(value, " \t\r\n")
		// QUIRK: a name with blanks and no quotes, from many web mailers.
		return unescape(value), false, rest, mended || strings.ContainsAny(value, " \t")
	}
	// The closing quote is one with the end, a semicolon or another parameter behind it;
	// QUIRK: names like "the "best" file.pdf" carry quotes inside.
	firstClose := -1
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 < len(s) && s[i+1] == '"' && closes(s[i+2:]) && strings.IndexByte(s[i+2:], '"') < 0 {
				return unescape(s[1 : i+1]), true, s[i+2:], true // QUIRK: "C:\dir\"
			}
			i++
		case '"':
			if closes(s[i+1:]) {
				return unescape(s[1:i]), true, s[i+1:], firstClose >= 0
			}
			if near := s[i+1 : min(len(s), i+65)]; firstClose < 0 && nextParam(near) >= 0 {
				if k := strings.IndexAny(near, ";\""); k < 0 || strings.IndexByte(near[:k], '=') >= 0 {
					return unescape(s[1:i]), true, s[i+1:], true
				}
			}
			if firstClose < 0 {
				firstClose = i
			}
		}
		if i > maxLine {
			break
		}
	}
	if firstClose >= 0 {
		// A name that ends without its quote or has a comment behind it.
		after := s[firstClose+1:]
		if t := strings.TrimLeft(after, " \t\r\n"); strings.HasPrefix(t, "(") {
			e := strings.IndexByte(after, ';')
			if e < 0 {
				e = len(after)
			}
			return unescape(s[1:firstClose]), true, after[e:], false
		}
		e := strings.IndexByte(after, ';')
		if e < 0 {
			e = len(after)
		}
		return unescape(s[1:firstClose]) + strings.TrimRight(after[:e], " \t\r\n"), true, after[e:], true
	}
	// No closing quote at all.
	e := len(s)
	for i := 1; i < len(s); i++ {
		if s[i] == ';' && nextParam(" "+strings.TrimLeft(s[i+1:], " \t\r\n")) == 1 {
			e = i
			break
		}
		if s[i] == ';' && strings.IndexByte(s[i+1:], '=') < 0 {
			break
		}
	}
	return unescape(strings.TrimRight(s[1:e], " \t\r\n;")), true, s[e:], true
}

// closes tells whether what stands behind a quote lets it be the closing one.
func closes(after string) bool {
	after = strings.TrimLeft(after, " \t\r\n")
	return after == "" || after[0] == ';'
}

// nextParam returns where in s a known parameter begins after white space; -1 if nowhere.
func nextParam(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] != ' ' && s[i] != '\t' && s[i] != '\n' {
			continue
		}
		t := s[i+1:]
		e := strings.IndexByte(t[:min(len(t), 24)], '=')
		if e <= 0 {
			continue
		}
		name := strings.ToLower(strings.TrimRight(t[:e], " \t"))
		if j := strings.IndexByte(name, '*'); j > 0 {
			name = name[:j]
		}
		switch name {
		case "name", "filename", "charset", "boundary", "type", "size", "format", "delsp", "creation-date", "modification-date", "x-unix-mode":
			return i + 1
		}
	}
	return -1
}

// unescape undoes \" and \\ of RFC 5322 section 3.2.4. Any other backslash is kept.
// QUIRK: Windows mailers write paths without escapes. A fold inside counts as one blank.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 && strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b = append(b, s[i])
		case c == '\r' || c == '\n':
			// QUIRK: long names are folded at a blank that becomes CR LF TAB.
			for i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\t' || s[i+1] == '\r' || s[i+1] == '\n') {
				i++
			}
			for len(b) > 0 && b[len(b)-1] == '\t' {
				b = b[:len(b)-1]
			}
			if len(b) > 0 && b[len(b)-1] != ' ' {
				b = append(b, ' ')
			}
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// decodeParam returns the parameter called name, decoded. The RFC 2231 form wins over
// RFC 2047 words, these over plain text; of equals the first.
func decodeParam(ps []param, name, charset string) (value string, mended bool) {
	var parts []section
	plain, plainWords := -1, -1
	for i := range ps {
		n := ps[i].name
		if !strings.HasPrefix(n, name) {
			continue
		}
		if n == name {
			if plain < 0 {
				plain = i
			} else {
				mended = true
			}
			if plainWords < 0 && strings.Contains(ps[i].value, "=?") {
				plainWords = i
			}
			continue
		}
		if n[len(name)] != '*' {
			continue
		}
		if s, ok := sectionOf(n[len(name):], ps[i].value); ok {
			parts = append(parts, s)
		} else {
			mended = true
		}
	}
	if len(parts) > 0 {
		if v, odd := join2231(parts, charset); v != "" {
			return v, mended || odd
		}
		mended = true
	}
	if plainWords >= 0 {
		plain = plainWords
	}
	if plain < 0 {
		return "", mended
	}
	v := ps[plain].value
	if strings.Contains(v, "=?") {
		v = strings.ReplaceAll(v, `?=" "=?`, "?= =?")
		return decodeWords(v, charset), mended // QUIRK: RFC 2047 section 5 forbids it, everybody does it
	}
	if len(v) > 8 && strings.EqualFold(v[:7], "utf-8''") { // QUIRK: the star forgotten
		return raw8(string(unpercent(v[7:])), charset), true
	}
	return raw8(v, charset), mended
}

// section is one piece of a parameter. RFC 2231 sections 3 and 4.
type section struct {
	n     int // -1: the whole value in one piece
	coded bool
	value string
}

// sectionOf reads the tail of a parameter's name: "*", "*3" or "*3*".
func sectionOf(tail, value string) (section, bool) {
	if tail == "*" {
		return section{-1, true, value}, true
	}
	s := section{value: value}
	t := tail[1:]
	if strings.HasSuffix(t, "*") {
		s.coded, t = true, t[:len(t)-1]
	}
	if t == "" || len(t) > 4 {
		return s, false
	}
	for _, c := range []byte(t) {
		if c < '0' || c > '9' {
			return s, false
		}
		s.n = s.n*10 + int(c-'0')
	}
	return s, true
}

// join2231 puts the pieces together, in whatever order they came.
func join2231(parts []section, charset string) (value string, mended bool) {
	sort.SliceStable(parts, func(i, j int) bool { return parts[i].n < parts[j].n })
	if parts[0].n < 0 {
		mended = len(parts) > 1
		parts = parts[:1]
	} else {
		mended = parts[0].n > 1 // QUIRK: counting from 1
	}
	cs, known := "", false
	var out strings.Builder
	var run []byte // coded bytes not yet converted: a character may be split over pieces
	flush := func() {
		if len(run) > 0 {
			t, ok := toUTF8(run, cs)
			mended = mended || !ok
			out.WriteString(t)
			run = run[:0]
		}
	}
	plain := true
	for i, p := range parts {
		if i > 0 && p.n == parts[i-1].n {
			mended = true
			continue
		}
		if i > 0 && p.n > parts[i-1].n+1 {
			mended = true // a piece is missing
		}
		if !p.coded {
			flush()
			out.WriteString(p.value)
			continue
		}
		v := p.value
		if !known {
			known = true
			if a := strings.IndexByte(v, '\''); a >= 0 {
				if b := strings.IndexByte(v[a+1:], '\''); b >= 0 {
					cs, v = v[:a], v[a+1+b+1:]
				}
			}
			if cs == "" {
				cs = "utf-8" // QUIRK: no charset; most say UTF-8 elsewhere
			}
		}
		plain = false
		run = append(run, unpercent(v)...)
	}
	flush()
	v := out.String()
	if plain && strings.Contains(v, "=?") {
		return decodeWords(v, charset), true // QUIRK: a word cut into pieces
	}
	return raw8(v, charset), mended
}

// unpercent undoes %XX; a "%" with anything else behind it is kept.
func unpercent(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return b
}
