package connector

import "strings"

// quoted-printable: RFC 2045 section 6.7. Lines are at most 76 bytes; every line end of
// the text, CRLF, LF or a lone CR, becomes CRLF; nothing outside printable ASCII passes.

// qpPlain tells bytes that may stand for themselves; space and tab only within a line.
var qpPlain = func() (t [256]bool) {
	for b := 33; b <= 126; b++ {
		t[b] = b != '='
	}
	t[' '], t['\t'] = true, true
	return t
}()

const qpLine = 76

// appendQuoted appends text to dst.
func appendQuoted(dst []byte, text string) []byte {
	lf, cr := -1, -1 // the next of each, not searched for again before it is passed
	for pos := 0; pos < len(text); {
		if lf < pos {
			lf = indexFrom(text, pos, '\n')
		}
		if cr < pos {
			cr = indexFrom(text, pos, '\r')
		}
		end := min(lf, cr)
		dst = quotedLine(dst, text[pos:end])
		if end == len(text) {
			break
		}
		dst = append(dst, '\r', '\n')
		if pos = end + 1; cr+1 == lf {
			pos++
		}
	}
	return dst
}

// indexFrom returns where b is from pos on, the length of s if nowhere.
func indexFrom(s string, pos int, b byte) int {
	if i := strings.IndexByte(s[pos:], b); i >= 0 {
		return pos + i
	}
	return len(s)
}

// quotedLine appends one line without its end. All bytes but the last leave room for the
// soft line break, a "=" (rule 5). No line of the result begins with a dot, so that none
// has to be doubled.
func quotedLine(dst []byte, l string) []byte {
	if l == "" {
		return dst
	}
	const room = qpLine - 1
	col, last := 0, len(l)-1
	for i := 0; i < last; {
		if b := l[i]; !qpPlain[b] || col == 0 && b == '.' {
			if col+3 > room {
				dst, col = append(dst, "=\r\n"...), 0
			}
			dst, col = appendHex(dst, b), col+3
			i++
			continue
		}
		if col == room {
			dst, col = append(dst, "=\r\n"...), 0
			continue // it may be a dot
		}
		j := i
		for end := min(last, i+room-col); j < end && qpPlain[l[j]]; {
			j++
		}
		dst = append(dst, l[i:j]...)
		col += j - i
		i = j
	}
	b := l[last]
	plain := qpPlain[b] && b > ' ' // rule 3: no white space at the end of a line
	if col+1 > qpLine || !plain && col+3 > qpLine {
		dst, col = append(dst, "=\r\n"...), 0
	}
	if plain && !(col == 0 && b == '.') {
		return append(dst, b)
	}
	return appendHex(dst, b)
}

// quotedGuess is about how long text becomes, judged by a sample of its bytes.
func quotedGuess(text string) int {
	n, step := len(text), 1+len(text)/4096
	for i := 0; i < len(text); i += step {
		if !qpPlain[text[i]] {
			n += 2 * step
		}
	}
	return n + n/20 + 64
}

func appendHex(dst []byte, b byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '=', hex[b>>4], hex[b&15])
}
