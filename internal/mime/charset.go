package mime

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// toUTF8 decodes b, which is said to be in charset. ok is false if charset is unknown or
// cannot be right; the text is then a guess.
func toUTF8(b []byte, charset string) (s string, ok bool) {
	c := strings.ToLower(strings.Trim(charset, " \t\"'"))
	if i := strings.IndexByte(c, '*'); i >= 0 {
		c = c[:i] // RFC 2231 section 5: charset*language
	}
	switch c {
	case "utf-8", "utf8", "unicode-1-1-utf-8", "x-utf_8j":
		if utf8.Valid(b) {
			return string(b), true
		}
		return guess8(b), false
	case "us-ascii", "ascii", "":
		if isASCII(b) {
			return string(b), true
		}
		return guess8(b), false
	case "iso-8859-1", "iso8859-1", "latin1", "iso_8859-1", "l1":
		// QUIRK: Windows mailers say ISO-8859-1 and write windows-1252 (WHATWG Encoding,
		// section 4.2, makes them one name).
		return singleByte(b, charmap.Windows1252), true
	case "iso-8859-15", "iso8859-15", "iso_8859-15", "latin9", "latin-9", "l9":
		return singleByte(b, charmap.ISO8859_15), true // the same habit
	}
	enc := lookup(c)
	if enc == nil {
		return guess8(b), false
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return guess8(b), false
	}
	return string(out), true
}

func lookup(c string) encoding.Encoding {
	if c == "ansi_x3.110-1983" { // RFC 1345; in mails it means ISO-8859-1
		return charmap.ISO8859_1
	}
	if e, err := ianaindex.MIME.Encoding(c); err == nil && e != nil {
		return e
	}
	if e, err := ianaindex.MIME.Encoding("cs" + c); err == nil && e != nil {
		return e
	}
	if e, err := htmlindex.Get(c); err == nil {
		return e
	}
	if strings.HasPrefix(c, "cp") { // QUIRK: cp1252 and the like for windows-1252
		if e, err := ianaindex.MIME.Encoding("windows-" + c[2:]); err == nil && e != nil {
			return e
		}
		if e, err := ianaindex.MIME.Encoding("IBM" + c[2:]); err == nil && e != nil {
			return e
		}
	}
	return nil
}

// guess8 reads raw 8-bit text: UTF-8 if it is valid, else windows-1252.
func guess8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return windows1252(b)
}

// raw8 reads raw 8-bit text of a header whose mail names charset.
func raw8(s, charset string) string {
	if utf8.ValidString(s) {
		return s
	}
	if t, ok := toUTF8([]byte(s), charset); ok && !strings.ContainsRune(t, utf8.RuneError) {
		return t
	}
	return windows1252([]byte(s))
}

func windows1252(b []byte) string { return singleByte(b, charmap.Windows1252) }

// singleByte never fails: what m leaves open is read as windows-1252, and its five
// undefined bytes as ISO-8859-1 has them.
func singleByte(b []byte, m *charmap.Charmap) string {
	if isASCII(b) {
		return string(b)
	}
	var s strings.Builder
	s.Grow(len(b) + 8)
	for _, c := range b {
		r := m.DecodeByte(c)
		if r == utf8.RuneError || r >= 0x80 && r < 0xa0 {
			r = charmap.Windows1252.DecodeByte(c)
		}
		if r == utf8.RuneError {
			r = rune(c)
		}
		s.WriteRune(r)
	}
	return s.String()
}

func isASCII[T []byte | string](b T) bool {
	for i := 0; i < len(b); i++ {
		if b[i] >= 0x80 {
			return false
		}
	}
	return true
}

// indexFold is strings.Index without regard to the case of ASCII letters; sub is lower case.
func indexFold(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i]|0x20 == sub[0] && strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}
