package xmlscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre"
)

// Kind is what [Scanner.Next] came to.
type Kind byte

const (
	None  Kind = iota // before the first Next
	Start             // a start tag; an empty element gives a Start and an End
	End               //
	Text              // something other than white space stands between two tags
)

// Limits bound a scan; 0 is the default.
type Limits struct {
	Depth int // of elements; 100
	Attrs int // of one tag; 256
	Tag   int // bytes of one tag, values included; 1 MiB
	Text  int // bytes that Scanner.String gathers; 1 MiB
}

func (l Limits) orDefault() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Depth, 100)
	set(&l.Attrs, 256)
	set(&l.Tag, 1<<20)
	set(&l.Text, 1<<20)
	return l
}

// Attr is an attribute by its local name; which namespace it is in does not matter to
// the formats that are read here, and prefixes vary.
type Attr struct{ Local, Value string }

// Error is a document that cannot be read further. It holds no text of the document.
type Error struct {
	Offset int64 // in the bytes that were read, after a change of UTF-16 to UTF-8
	Path   string
	What   string
}

func (e *Error) Error() string {
	at := fmt.Sprintf("at byte %d", e.Offset)
	if e.Path != "" {
		at += " in " + e.Path
	}
	return e.What + " " + at
}

// Scanner reads one document. It is made by [New]; one goroutine owns it.
type Scanner struct {
	src  io.Reader
	lim  Limits
	buf  []byte
	r, w int   // buf[r:w] is unread
	off  int64 // of buf[0] in the stream
	eof  bool
	err  error

	decode *charset // nil is UTF-8
	begun  bool
	rooted bool // the root was closed

	kind  Kind
	empty bool // the Start is an empty element: its End comes next
	name  name
	attrs []Attr
	stack []name
	ns    []binding
	text  textReader

	notes   []string
	scratch []byte
	strings map[string]string
}

// name is an element's name, local part and namespace.
type name struct {
	raw, local, space string
	bindings          int // of the scanner's ns that were there before it
}

type binding struct{ prefix, uri string }

// New returns a scanner of r; l may be nil. Nothing is read yet.
func New(r io.Reader, l *Limits) *Scanner {
	s := &Scanner{src: r, buf: make([]byte, 64<<10)}
	if l != nil {
		s.lim = *l
	}
	s.lim = s.lim.orDefault()
	return s
}

// Kind tells what Next came to.
func (s *Scanner) Kind() Kind { return s.kind }

// Local is the local name of the element of a Start or End, and of the element that a Text
// is in.
func (s *Scanner) Local() string { return s.name.local }

// Space is the namespace of that element, "" for none.
func (s *Scanner) Space() string { return s.name.space }

// Attrs are the attributes of a Start in their order, namespace declarations left out.
// They stay valid.
func (s *Scanner) Attrs() []Attr { return s.attrs }

// Attr returns the first attribute of that local name, "" if there is none.
func (s *Scanner) Attr(local string) string {
	for i := range s.attrs {
		if s.attrs[i].Local == local {
			return s.attrs[i].Value
		}
	}
	return ""
}

// Depth is how many elements are open, that of a Start included, that of an End not.
func (s *Scanner) Depth() int { return len(s.stack) }

// Offset is how far the stream was read.
func (s *Scanner) Offset() int64 { return s.off + int64(s.r) }

// Path names the open elements: "PES_Aller/EnTetePES/CodCol".
func (s *Scanner) Path() string {
	var b strings.Builder
	for i, n := range s.stack {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(n.local)
	}
	return b.String()
}

// place is Path for an error: bounded, and names of strangers made harmless.
func (s *Scanner) place() string {
	names := make([]string, 0, 8)
	for i, n := range s.stack {
		if i == 5 && len(s.stack) > 6 {
			names = append(names, "…")
			break
		}
		name := n.local
		if len(name) > 24 {
			name = name[:24] + "…"
		}
		names = append(names, strings.Trim(strconv.QuoteToGraphic(name), `"`))
	}
	return strings.Join(names, "/")
}

// Err is why Next returned false: nil at the end of a whole document, else an [*Error]
// within a *vaguemestre.Error of class poison, or the error of the reader as it is.
func (s *Scanner) Err() error {
	if s.err == io.EOF {
		return nil
	}
	return s.err
}

func (s *Scanner) fail(what string) bool {
	if s.err == nil {
		s.err = &vaguemestre.Error{Op: "xml", Class: vaguemestre.ClassPoison, Err: &Error{Offset: s.Offset(), Path: s.place(), What: what}}
	}
	return false
}

var errShort = errors.New("xml: short")

// fill reads more behind what is unread, moving it to the front first.
func (s *Scanner) fill() error {
	if s.eof {
		return io.EOF
	}
	if s.r > 0 {
		copy(s.buf, s.buf[s.r:s.w])
		s.off += int64(s.r)
		s.w -= s.r
		s.r = 0
	}
	if s.w == len(s.buf) {
		if len(s.buf) >= s.lim.Tag+64 {
			return errShort
		}
		s.buf = append(s.buf, make([]byte, min(len(s.buf), s.lim.Tag+64-len(s.buf)))...)
	}
	for range 100 {
		n, err := s.src.Read(s.buf[s.w:])
		s.w += n
		if err == io.EOF {
			s.eof = true
		} else if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
		if s.eof {
			return io.EOF
		}
	}
	return io.ErrNoProgress
}

// need makes n bytes available, if there are so many.
func (s *Scanner) need(n int) bool {
	for s.w-s.r < n {
		if err := s.fill(); err != nil {
			if err != io.EOF {
				s.broken(err)
			}
			return false
		}
	}
	return true
}

func (s *Scanner) broken(err error) bool {
	if err == errShort {
		return s.fail("a tag is too long")
	}
	if s.err == nil {
		s.err = err
	}
	return false
}

// Next goes to the next tag or text. Text that was not read is passed over.
func (s *Scanner) Next() bool {
	if s.err != nil {
		return false
	}
	if !s.begun {
		if !s.begin() {
			return false
		}
	}
	s.text.gone = true
	switch {
	case s.kind == Start && s.empty:
		s.kind, s.attrs = End, nil
		s.pop()
		return true
	}
	for {
		// To the next tag, through text.
		if len(s.stack) == 0 {
			if !s.skipSpace() {
				return false
			}
		} else if s.kind != Text {
			if text, ok := s.textAhead(); !ok {
				return false
			} else if text {
				s.kind, s.attrs = Text, nil
				s.name = s.stack[len(s.stack)-1]
				return true
			}
		} else if !s.skipText() {
			return false
		}
		if !s.need(2) {
			return s.fail("it ends within the document")
		}
		switch s.buf[s.r+1] {
		case '!':
			if s.looksAt("<!--") {
				if !s.passTo("-->", 4) {
					return false
				}
				continue
			}
			if s.looksAt("<![CDATA[") && len(s.stack) > 0 {
				s.kind, s.attrs = Text, nil
				s.name = s.stack[len(s.stack)-1]
				return true
			}
			return s.fail("a document type declaration is refused")
		case '?':
			if !s.passTo("?>", 2) {
				return false
			}
			continue
		case '/':
			return s.endTag()
		}
		return s.startTag()
	}
}

func (s *Scanner) looksAt(mark string) bool {
	return s.need(len(mark)) && string(s.buf[s.r:s.r+len(mark)]) == mark
}

// passTo skips a comment or an instruction.
func (s *Scanner) passTo(end string, from int) bool {
	s.r += from
	for {
		if i := bytes.Index(s.buf[s.r:s.w], []byte(end)); i >= 0 {
			s.r += i + len(end)
			return true
		}
		s.r = max(s.r, s.w-len(end)+1)
		if err := s.fill(); err == io.EOF {
			return s.fail("it ends within a comment or an instruction")
		} else if err != nil {
			return s.broken(err)
		}
	}
}

// skipSpace goes to the next tag outside of the root.
func (s *Scanner) skipSpace() bool {
	for {
		for s.r < s.w {
			switch c := s.buf[s.r]; c {
			case ' ', '\t', '\r', '\n':
				s.r++
				continue
			case '<':
				return true
			case 0:
				if s.rooted { // QUIRK: files that were padded with zero bytes
					s.r++
					continue
				}
			}
			if s.rooted {
				return s.fail("something stands after the document")
			}
			return s.fail("it is not XML")
		}
		err := s.fill()
		if err == io.EOF {
			if s.rooted {
				s.err = io.EOF
				return false
			}
			return s.fail("it holds no element")
		}
		if err != nil {
			return s.broken(err)
		}
	}
}

// textAhead tells whether something other than white space comes before the next '<'. White
// space alone is passed over.
func (s *Scanner) textAhead() (text, ok bool) {
	for {
		for i := s.r; i < s.w; i++ {
			switch s.buf[i] {
			case ' ', '\t', '\r', '\n':
				continue
			case '<':
				s.r = i
				return false, true
			}
			return true, true // the white space before it belongs to it
		}
		if s.w-s.r > 4<<10 {
			s.r = s.w // nobody wants so much white space
		}
		err := s.fill()
		if err == io.EOF {
			return false, s.fail("it ends within the document")
		}
		if err != nil {
			return false, s.broken(err)
		}
	}
}

// tagEnd finds the '>' of the tag at r, which quotes may hold too.
func (s *Scanner) tagEnd() (int, bool) {
	i, quote := s.r+1, byte(0)
	for {
		for i < s.w {
			if quote != 0 {
				k := bytes.IndexByte(s.buf[i:s.w], quote)
				if k < 0 {
					i = s.w
					break
				}
				i += k + 1
				quote = 0
				continue
			}
			switch s.buf[i] {
			case '"', '\'':
				quote = s.buf[i]
			case '>':
				if i-s.r > s.lim.Tag {
					return 0, s.fail("a tag is too long")
				}
				return i, true
			case '<':
				return 0, s.fail("a tag begins within a tag")
			}
			i++
		}
		i -= s.r
		if err := s.fill(); err == io.EOF {
			return 0, s.fail("it ends within a tag")
		} else if err != nil {
			return 0, s.broken(err)
		}
		i += s.r
	}
}

func (s *Scanner) endTag() bool {
	end, ok := s.tagEnd()
	if !ok {
		return false
	}
	raw := bytes.TrimRight(s.buf[s.r+2:end], " \t\r\n")
	if len(s.stack) == 0 || string(raw) != s.stack[len(s.stack)-1].raw {
		return s.fail("an end tag does not fit")
	}
	s.r = end + 1
	s.kind, s.attrs = End, nil
	s.pop()
	return true
}

func (s *Scanner) pop() {
	n := len(s.stack) - 1
	s.name = s.stack[n]
	s.ns = s.ns[:s.name.bindings]
	s.stack = s.stack[:n]
	s.empty = false
	if n == 0 {
		s.rooted = true
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (s *Scanner) startTag() bool {
	if s.rooted && len(s.stack) == 0 {
		return s.fail("a second root begins")
	}
	if len(s.stack) >= s.lim.Depth {
		return s.fail(fmt.Sprintf("elements lie more than %d deep", s.lim.Depth))
	}
	end, ok := s.tagEnd()
	if !ok {
		return false
	}
	tag := s.buf[s.r+1 : end]
	s.empty = len(tag) > 0 && tag[len(tag)-1] == '/'
	if s.empty {
		tag = tag[:len(tag)-1]
	}
	i := 0
	for i < len(tag) && !isSpace(tag[i]) {
		i++
	}
	n := name{raw: s.intern(tag[:i]), bindings: len(s.ns)}
	if n.raw == "" || !nameStart(n.raw[0]) {
		return s.fail("a tag has no name")
	}
	s.attrs = nil
	for {
		for i < len(tag) && isSpace(tag[i]) {
			i++
		}
		if i == len(tag) {
			break
		}
		eq := bytes.IndexByte(tag[i:], '=')
		if eq < 0 {
			return s.fail("an attribute has no value")
		}
		key := bytes.TrimRight(tag[i:i+eq], " \t\r\n")
		i += eq + 1
		for i < len(tag) && isSpace(tag[i]) {
			i++
		}
		if i == len(tag) || tag[i] != '"' && tag[i] != '\'' {
			return s.fail("the value of an attribute has no quotes")
		}
		q := tag[i]
		i++
		k := bytes.IndexByte(tag[i:], q)
		if k < 0 {
			return s.fail("the value of an attribute does not end")
		}
		if len(key) == 0 || !nameStart(key[0]) || bytes.ContainsAny(key, " \t\r\n\"'<&") {
			return s.fail("an attribute has no name")
		}
		value, err := s.value(tag[i : i+k])
		if err != "" {
			return s.fail(err)
		}
		i += k + 1
		prefix, local, found := bytes.Cut(key, colon)
		switch {
		case !found && string(key) == "xmlns":
			s.ns = append(s.ns, binding{"", value})
			continue
		case found && string(prefix) == "xmlns":
			s.ns = append(s.ns, binding{string(local), value})
			continue
		case !found:
			local = key
		}
		if len(s.attrs) == s.lim.Attrs || len(s.ns) > s.lim.Attrs+s.lim.Depth*8 {
			return s.fail("a tag has too many attributes")
		}
		s.attrs = append(s.attrs, Attr{s.intern(local), value})
	}
	if len(s.ns)-n.bindings > s.lim.Attrs {
		return s.fail("a tag has too many attributes")
	}
	prefix, local, found := strings.Cut(n.raw, ":")
	if !found {
		prefix, local = "", n.raw
	}
	n.local = local
	for k := len(s.ns) - 1; k >= 0; k-- {
		if s.ns[k].prefix == prefix {
			n.space = s.ns[k].uri
			break
		}
	}
	s.r = end + 1
	s.stack = append(s.stack, n)
	s.name, s.kind = n, Start
	return true
}

var colon = []byte(":")

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
}
