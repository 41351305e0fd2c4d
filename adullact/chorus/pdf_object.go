package chorus

import (
	"errors"
	"strconv"
	"unicode/utf16"
)

// Objects of a PDF (ISO 32000-1, 7.3): nil, bool, int64 (a real is cut to one), pdfName,
// pdfString, []any, pdfDict, pdfRef, and pdfStream, which only a file has.
type (
	pdfName   string
	pdfString string
	pdfDict   map[pdfName]any
	pdfRef    int64 // the object's number; generations do not matter to a reader
	pdfStream struct {
		pdfDict
		at int64 // where its bytes begin in the file
	}
)

var (
	errPDFShort = errors.New("it ends within an object")
	errPDF      = errors.New("its structure is damaged")
)

// pdfLexer reads objects from bytes.
type pdfLexer struct {
	b     []byte
	i     int
	depth int
}

func pdfSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func pdfDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return pdfSpace(c)
}

// space passes over white space and comments.
func (l *pdfLexer) space() {
	for ; l.i < len(l.b); l.i++ {
		if l.b[l.i] == '%' {
			for l.i < len(l.b) && l.b[l.i] != '\n' && l.b[l.i] != '\r' {
				l.i++
			}
			l.i--
		} else if !pdfSpace(l.b[l.i]) {
			return
		}
	}
}

// word reads up to the next delimiter.
func (l *pdfLexer) word() string {
	from := l.i
	for l.i < len(l.b) && !pdfDelimiter(l.b[l.i]) {
		l.i++
	}
	return string(l.b[from:l.i])
}

// is passes over word if it comes next.
func (l *pdfLexer) is(word string) bool {
	l.space()
	if len(l.b)-l.i < len(word) || string(l.b[l.i:l.i+len(word)]) != word {
		return false
	}
	l.i += len(word)
	return true
}

// integer reads a number without sign; ok is false where there is none.
func (l *pdfLexer) integer() (int64, bool) {
	l.space()
	from := l.i
	n, err := strconv.ParseUint(l.word(), 10, 62)
	if err != nil {
		l.i = from
		return 0, false
	}
	return int64(n), true
}

// object reads the next object.
func (l *pdfLexer) object() (any, error) {
	l.space()
	if l.i >= len(l.b) {
		return nil, errPDFShort
	}
	if l.depth++; l.depth > 50 {
		return nil, errPDF
	}
	defer func() { l.depth-- }()
	switch c := l.b[l.i]; c {
	case '/':
		l.i++
		return l.name(), nil
	case '(':
		return l.literal()
	case '[':
		l.i++
		var list []any
		for !l.is("]") {
			v, err := l.object()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case '<':
		if l.i+1 < len(l.b) && l.b[l.i+1] == '<' {
			l.i += 2
			return l.dict()
		}
		return l.hex()
	}
	from := l.i
	if n, ok := l.integer(); ok {
		after := l.i
		if _, ok := l.integer(); ok && l.is("R") {
			return pdfRef(n), nil
		}
		l.i = after
		return n, nil
	}
	word := l.word()
	switch word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	case "":
		if l.i == len(l.b) {
			return nil, errPDFShort
		}
		return nil, errPDF
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil {
		return int64(f), nil
	}
	l.i = from
	return nil, errPDF
}

func (l *pdfLexer) dict() (any, error) {
	d := pdfDict{}
	for !l.is(">>") {
		if !l.is("/") {
			if l.i >= len(l.b) {
				return nil, errPDFShort
			}
			return nil, errPDF
		}
		key := l.name()
		v, err := l.object()
		if err != nil {
			return nil, err
		}
		d[key] = v
	}
	return d, nil
}

// name reads a name behind its slash; #xx is a byte of it (7.3.5).
func (l *pdfLexer) name() pdfName {
	word := l.word()
	out := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		if word[i] == '#' && i+2 < len(word) {
			if v, err := strconv.ParseUint(word[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(v))
				i += 2
				continue
			}
		}
		out = append(out, word[i])
	}
	return pdfName(out)
}

// literal reads a string in parentheses (7.3.4.2).
func (l *pdfLexer) literal() (any, error) {
	var out []byte
	open := 0
	for ; l.i < len(l.b); l.i++ {
		switch c := l.b[l.i]; c {
		case '(':
			if open++; open > 1 {
				out = append(out, c)
			}
		case ')':
			if open--; open == 0 {
				l.i++
				return pdfString(out), nil
			}
			out = append(out, c)
		case '\\':
			if l.i++; l.i < len(l.b) {
				out = l.escape(out)
			}
		default:
			out = append(out, c)
		}
	}
	return nil, errPDFShort
}

// escape reads what stands behind a backslash and stays at its last byte.
func (l *pdfLexer) escape(out []byte) []byte {
	switch c := l.b[l.i]; c {
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case '\n', '\r': // the string goes on
		return out
	default:
		if c < '0' || c > '7' {
			return append(out, c)
		}
		v, n := 0, 0
		for ; n < 3 && l.i+n < len(l.b) && l.b[l.i+n] >= '0' && l.b[l.i+n] <= '7'; n++ {
			v = v<<3 | int(l.b[l.i+n]-'0')
		}
		l.i += n - 1
		return append(out, byte(v))
	}
}

// hex reads a string in angle brackets (7.3.4.3).
func (l *pdfLexer) hex() (any, error) {
	var out []byte
	high := -1
	for l.i++; l.i < len(l.b); l.i++ {
		c := l.b[l.i]
		if c == '>' {
			l.i++
			if high >= 0 {
				out = append(out, byte(high<<4))
			}
			return pdfString(out), nil
		}
		v, err := strconv.ParseUint(string(c), 16, 8)
		switch {
		case pdfSpace(c):
		case err != nil:
			return nil, errPDF
		case high < 0:
			high = int(v)
		default:
			out = append(out, byte(high<<4|int(v)))
			high = -1
		}
	}
	return nil, errPDFShort
}

// text is a string for people: UTF-16 with its mark, or bytes of which ASCII is enough here.
func (s pdfString) text() string {
	if len(s) < 2 || s[:2] != "\xfe\xff" {
		return string(s)
	}
	var u []uint16
	for i := 2; i+1 < len(s); i += 2 {
		u = append(u, uint16(s[i])<<8|uint16(s[i+1]))
	}
	return string(utf16.Decode(u))
}
