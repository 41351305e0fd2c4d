package connector

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
	for len(text) > 0 {
		end, next := 0, 0
		for end < len(text) && text[end] != '\n' && text[end] != '\r' {
			end++
		}
		next = end
		if end < len(text) {
			if next++; text[end] == '\r' && next < len(text) && text[next] == '\n' {
				next++
			}
		}
		dst = quotedLine(dst, text[:end])
		if next > end {
			dst = append(dst, '\r', '\n')
		}
		text = text[next:]
	}
	return dst
}

func quotedLine(dst []byte, l string) []byte {
	plain := len(l) <= qpLine
	for i := 0; plain && i < len(l); i++ {
		plain = qpPlain[l[i]]
	}
	if plain && (l == "" || l[len(l)-1] > ' ') {
		return append(dst, l...)
	}
	const hex = "0123456789ABCDEF"
	col := 0
	for i := 0; i < len(l); i++ {
		b, last := l[i], i == len(l)-1
		need := 1
		if !qpPlain[b] || last && b <= ' ' { // rule 3: no white space at the end of a line
			need = 3
		}
		room := qpLine - 1 // rule 5: the soft line break needs a byte
		if last {
			room = qpLine
		}
		if col+need > room {
			dst = append(dst, "=\r\n"...)
			col = 0
		}
		if need == 1 {
			dst = append(dst, b)
		} else {
			dst = append(dst, '=', hex[b>>4], hex[b&15])
		}
		col += need
	}
	return dst
}
