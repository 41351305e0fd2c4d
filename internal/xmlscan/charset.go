package xmlscan

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// charset is one in which a byte is a character.
type charset [256]rune

func tableOf(c *charmap.Charmap) *charset {
	var t charset
	for i := range t {
		t[i] = c.DecodeByte(byte(i))
	}
	return &t
}

var (
	windows1252 = tableOf(charmap.Windows1252)
	latin9      = tableOf(charmap.ISO8859_15)
)

// begin finds out the charset and passes over the declaration.
func (s *Scanner) begin() bool {
	s.begun = true
	s.need(4)
	if s.err != nil {
		return false
	}
	head := s.buf[s.r:s.w]
	for mark, order := range map[string]unicode.Endianness{"\xfe\xff": unicode.BigEndian, "\xff\xfe": unicode.LittleEndian,
		"\x00<": unicode.BigEndian, "<\x00": unicode.LittleEndian} {
		if bytes.HasPrefix(head, []byte(mark)) {
			whole := io.MultiReader(bytes.NewReader(bytes.Clone(head)), s.src)
			s.src = unicode.UTF16(order, unicode.UseBOM).NewDecoder().Reader(whole)
			s.r, s.w, s.eof = 0, 0, false
			s.need(4)
			if s.err != nil {
				return false
			}
			break
		}
	}
	if bytes.HasPrefix(s.buf[s.r:s.w], []byte("\xef\xbb\xbf")) {
		s.r += 3
	}
	// QUIRK: blank lines before the declaration.
	for s.need(1) && isSpace(s.buf[s.r]) {
		s.r++
	}
	if s.err != nil || !s.looksAt("<?xml") {
		return s.err == nil
	}
	s.need(1024) // there may be less
	if s.err != nil {
		return false
	}
	head = s.buf[s.r:min(s.w, s.r+1024)]
	end := bytes.Index(head, []byte("?>"))
	if end < 0 {
		return s.fail("its declaration does not end")
	}
	decl := string(head[:end])
	s.r += end + 2
	_, rest, ok := strings.Cut(decl, "encoding")
	if !ok {
		return true
	}
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if rest == "" {
		return true
	}
	name, _, _ := strings.Cut(rest[1:], rest[:1])
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "iso-8859-1", "iso_8859-1", "latin1", "latin-1", "iso8859-1", "windows-1252", "cp1252":
		// What says ISO-8859-1 and uses 0x80 to 0x9F is windows-1252 (WHATWG Encoding, "latin1").
		s.decode = windows1252
	case "iso-8859-15", "iso8859-15", "latin9", "latin-9":
		s.decode = latin9
	case "us-ascii", "ascii", "utf-8", "utf8", "utf-16", "utf16", "":
	default:
		s.note("the charset that it declares is unknown")
	}
	return true
}

// Notes tell what the document says of itself and is not so.
func (s *Scanner) Notes() []string { return s.notes }

func (s *Scanner) note(text string) {
	for _, n := range s.notes {
		if n == text {
			return
		}
	}
	s.notes = append(s.notes, text)
}

// utf8 turns bytes of the document into text. A declaration that is wrong is overruled: what
// is UTF-8 is taken for it, what cannot be is taken for windows-1252.
func (s *Scanner) utf8(b []byte) string {
	if ascii(b) {
		return s.small(b)
	}
	table := s.decode
	switch valid := utf8.Valid(b); {
	case valid && table == nil:
		return string(b)
	case valid:
		s.note("it is UTF-8, whatever it declares")
		return string(b)
	case table == nil:
		s.note("it is not UTF-8: read as windows-1252")
		table = windows1252
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for _, c := range b {
		out = utf8.AppendRune(out, table[c])
	}
	return string(out)
}

// small keeps the strings that come again and again, names and codes, once.
func (s *Scanner) small(b []byte) string {
	if len(b) > 32 {
		return string(b)
	}
	if v, ok := s.strings[string(b)]; ok {
		return v
	}
	v := string(b)
	if len(s.strings) < 2000 {
		if s.strings == nil {
			s.strings = map[string]string{}
		}
		s.strings[v] = v
	}
	return v
}

func (s *Scanner) intern(b []byte) string { return s.small(b) }
