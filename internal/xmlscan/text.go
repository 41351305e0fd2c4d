package xmlscan

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// textReader gives the text that the scanner stands at.
type textReader struct {
	s     *Scanner
	cdata bool
	gone  bool // the scanner went on
	rest  []byte
	room  [utf8.UTFMax]byte
}

// TextReader gives the text of a Text up to the next tag, entities resolved and in UTF-8,
// CDATA sections and what stands between comments joined. It is good until the next call of
// a method that goes on; only one is used at a time.
func (s *Scanner) TextReader() io.Reader {
	s.text = textReader{s: s}
	if s.kind != Text {
		s.text.gone = true
	}
	return &s.text
}

func (t *textReader) Read(p []byte) (int, error) {
	s := t.s
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(t.rest) > 0 {
			n := copy(p, t.rest)
			t.rest = t.rest[n:]
			return n, nil
		}
		if t.gone {
			return 0, io.EOF
		}
		if s.err != nil {
			return 0, s.err
		}
		run, ok := t.run()
		if !ok {
			if s.err != nil {
				return 0, s.err
			}
			return 0, io.EOF
		}
		if len(run) == 0 {
			continue
		}
		if s.decode == nil || ascii(run[:min(len(run), len(p))]) {
			n := copy(p, run)
			s.r += n
			return n, nil
		}
		// One byte is one character of one to three bytes.
		n, k := 0, 0
		for k < len(run) && n+utf8.UTFMax <= len(p) {
			n += utf8.EncodeRune(p[n:n+utf8.UTFMax], s.decode[run[k]])
			k++
		}
		if k == 0 {
			m := utf8.EncodeRune(t.room[:], s.decode[run[0]])
			t.rest = t.room[:m]
			k = 1
		}
		s.r += k
		if n > 0 {
			return n, nil
		}
	}
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// run returns bytes of text that need no more than a change of charset; none after it went
// over a mark. ok is false at the end of the text.
func (t *textReader) run() (run []byte, ok bool) {
	s := t.s
	if s.r == s.w {
		if err := s.fill(); err != nil {
			if err == io.EOF {
				return nil, s.fail("it ends within the document")
			}
			return nil, s.broken(err)
		}
	}
	b := s.buf[s.r:s.w]
	if t.cdata {
		i := bytes.IndexByte(b, ']')
		switch {
		case i < 0:
			return b, true
		case i > 0:
			return b[:i], true
		case s.looksAt("]]>"):
			s.r += 3
			t.cdata = false
			return nil, true
		case s.err != nil:
			return nil, false
		}
		return s.buf[s.r : s.r+1], true
	}
	i := bytes.IndexByte(b, '<')
	if i < 0 {
		i = len(b)
	}
	if k := bytes.IndexByte(b[:i], '&'); k >= 0 {
		i = k
	}
	if i > 0 {
		return b[:i], true
	}
	if b[0] == '&' {
		s.need(12) // there may be fewer
		if s.err != nil {
			return nil, false
		}
		ch, n := entity(s.buf[s.r:s.w])
		if n == 0 {
			return nil, s.fail("an entity is not one of XML's own")
		}
		s.r += n
		t.rest = t.room[:utf8.EncodeRune(t.room[:], ch)]
		return nil, true
	}
	switch {
	case s.looksAt("<!--"):
		return nil, s.passTo("-->", 4)
	case s.looksAt("<![CDATA["):
		s.r += len("<![CDATA[")
		t.cdata = true
		return nil, true
	case s.looksAt("<?"):
		return nil, s.passTo("?>", 2)
	}
	return nil, false
}

// skipText passes over the rest of a text.
func (s *Scanner) skipText() bool {
	t := &s.text
	if t.s == nil {
		*t = textReader{s: s}
	}
	t.gone, t.rest = false, nil
	for {
		run, ok := t.run()
		if !ok {
			t.gone = true
			t.s = nil
			return s.err == nil
		}
		s.r += len(run)
		t.rest = nil
	}
}

// entity reads the reference at the beginning of b: the character and its length, 0 if it
// is none of XML's own.
func entity(b []byte) (rune, int) {
	end := bytes.IndexByte(b[:min(len(b), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	word := string(b[1:end])
	switch word {
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "amp":
		return '&', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	}
	if word[0] != '#' || len(word) < 2 {
		return 0, 0
	}
	digits, base := word[1:], 10
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune {
		return 0, 0
	}
	if n == 0 || n >= 0xd800 && n < 0xe000 {
		return utf8.RuneError, end + 1
	}
	return rune(n), end + 1
}

// value resolves an attribute's value. what is what is wrong, "" for nothing.
func (s *Scanner) value(raw []byte) (value, what string) {
	if bytes.IndexByte(raw, '&') < 0 {
		return s.utf8(raw), ""
	}
	var b strings.Builder
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			b.WriteString(s.utf8(raw))
			break
		}
		b.WriteString(s.utf8(raw[:i]))
		ch, n := entity(raw[i:])
		if n == 0 {
			return "", "an entity is not one of XML's own"
		}
		b.WriteRune(ch)
		raw = raw[i+n:]
	}
	return b.String(), ""
}

// Gather returns a Text whole, in UTF-8; after a Start it gathers the texts of the element,
// those of elements within it left out, and goes to its End. What is longer than the limit
// ends the scan.
func (s *Scanner) Gather() string {
	var b strings.Builder
	switch s.kind {
	case Text:
		s.gather(&b)
	case Start:
		for depth := s.Depth(); s.Next() && (s.kind != End || s.Depth() != depth-1); {
			if s.kind == Text && s.Depth() == depth && !s.gather(&b) {
				return ""
			}
		}
	}
	return b.String()
}

func (s *Scanner) gather(b *strings.Builder) bool {
	t := textReader{s: s}
	raw := s.scratch[:0] // up to an entity: a character may lie across two reads
	defer func() { s.scratch = raw[:0] }()
	for {
		run, ok := t.run()
		if !ok {
			break
		}
		if len(t.rest) > 0 {
			b.WriteString(s.utf8(raw))
			b.Write(t.rest)
			raw, t.rest = raw[:0], nil
		}
		raw = append(raw, run...)
		s.r += len(run)
		if len(raw)+b.Len() > s.lim.Text {
			return s.fail("a text is too long")
		}
	}
	b.WriteString(s.utf8(raw))
	s.kind, s.text = None, textReader{gone: true}
	return s.err == nil
}

// Skip goes from a Start to its End.
func (s *Scanner) Skip() bool {
	if s.kind != Start {
		return s.err == nil
	}
	for depth := s.Depth(); s.Next(); {
		if s.kind == End && s.Depth() == depth-1 {
			return true
		}
	}
	return false
}
