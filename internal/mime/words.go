package mime

import (
	"encoding/base64"
	"strings"
)

// decodeWords decodes the RFC 2047 words of s wherever they stand; the rest is kept, raw
// 8-bit text being read in charset or guessed. A word that cannot be read stays as it is.
func decodeWords(s, charset string) string {
	i := strings.Index(s, "=?")
	if i < 0 {
		return raw8(s, charset)
	}
	var out strings.Builder
	var run []byte // decoded bytes of adjacent words in runCharset
	var runCharset string
	flush := func() {
		if len(run) > 0 {
			t, _ := toUTF8(run, runCharset)
			out.WriteString(t)
			run = run[:0]
		}
	}
	after := false // a word has just ended
	for {
		j := strings.Index(s, "=?")
		if j < 0 {
			break
		}
		cs, text, n := word(s[j:], run)
		if n == 0 {
			// Not a word. Step over "=" alone: "==?utf-8?" may hold one.
			flush()
			out.WriteString(raw8(s[:j+1], charset))
			s, after = s[j+1:], false
			continue
		}
		if gap := s[:j]; !after || strings.Trim(gap, " \t\r\n") != "" {
			flush()
			out.WriteString(raw8(gap, charset))
		} // else RFC 2047 section 6.2: white space between words is not shown
		if !strings.EqualFold(cs, runCharset) {
			flush()
			_, text, _ = word(s[j:], run)
		}
		// QUIRK: a character split over two words (RFC 2047 section 5 forbids it) is whole
		// again because adjacent words of one charset are put together before conversion.
		run, runCharset, after = text, cs, true
		s = s[j+n:]
	}
	flush()
	out.WriteString(raw8(s, charset))
	return out.String()
}

// word reads the word that s begins with: its charset, and its bytes appended to dst.
// n is its length, 0 if s does not begin with a word.
func word(s string, dst []byte) (charset string, text []byte, n int) {
	const most = 4 << 10 // RFC 2047 section 2 allows 75; QUIRK: many write a whole line as one word
	rest := s[2:]
	i := strings.IndexByte(rest[:min(len(rest), 64)], '?')
	if i <= 0 || len(rest) < i+3 || rest[i+2] != '?' || strings.ContainsAny(rest[:i], " \t\r\n\"<>") {
		return "", nil, 0
	}
	charset, rest = rest[:i], rest[i+1:]
	kind := rest[0] | 0x20
	rest = rest[2:]
	end := strings.Index(rest[:min(len(rest), most)], "?=")
	if end < 0 || kind != 'b' && kind != 'q' {
		return "", nil, 0
	}
	if kind == 'q' && end == 0 && len(rest) > 2 && rest[2] != ' ' {
		// "?q??=3D" and not an empty word: the text begins with "=".
		if e := strings.Index(rest[1:min(len(rest), most)], "?="); e >= 0 && strings.IndexByte(rest[1:e+1], '?') < 0 && isHex(rest[2]) {
			end = e + 1
		}
	}
	body := rest[:end]
	n = len(s) - len(rest) + end + 2
	if kind == 'b' {
		text = decodeB(dst, body)
		return charset, text, n
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '_':
			dst = append(dst, ' ')
		case c == '=' && i+2 < len(body) && isHex(body[i+1]) && isHex(body[i+2]):
			dst = append(dst, unhex(body[i+1])<<4|unhex(body[i+2]))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return charset, dst, n
}

// decodeB decodes base64 with or without padding, stray characters left out.
func decodeB(dst []byte, s string) []byte {
	if out, err := base64.StdEncoding.AppendDecode(dst, []byte(s)); err == nil {
		return out
	}
	var acc uint32
	q := 0
	for i := 0; i < len(s); i++ {
		v := base64Table[s[i]]
		if v == padding { // "YQ==Yg==" inside a word
			dst = appendTail(dst, acc, q)
			acc, q = 0, 0
			continue
		}
		if v > 63 {
			continue
		}
		acc = acc<<6 | uint32(v)
		if q++; q == 4 {
			dst = append(dst, byte(acc>>16), byte(acc>>8), byte(acc))
			acc, q = 0, 0
		}
	}
	return appendTail(dst, acc, q)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
