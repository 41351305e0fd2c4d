package mime

import (
	"bytes"
	"io"
	"net/mail"
	"strings"
	"time"
)

// Header is a header block. Methods look names up without regard to case.
type Header struct{ fields []field }

type field struct{ name, value string } // value as it stands in the mail, folds included

// span is a field's place in its block.
type span struct{ name, nameEnd, value, end int }

// Get returns the first field's value, unfolded but not decoded; "" if absent.
func (h Header) Get(name string) string {
	for i := range h.fields {
		if f := &h.fields[i]; len(f.name) == len(name) && strings.EqualFold(f.name, name) {
			return unfold(f.value)
		}
	}
	return ""
}

// Values returns the values of all fields of that name as Get does, in their order.
func (h Header) Values(name string) []string {
	var vs []string
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			vs = append(vs, unfold(f.value))
		}
	}
	return vs
}

// Text returns the first field's value with its RFC 2047 words decoded. Raw 8-bit text is
// taken as UTF-8, else in the charset of the header's Content-Type, else as windows-1252.
func (h Header) Text(name string) string {
	return decodeWords(h.Get(name), h.charset())
}

// charset is the one that the header's Content-Type names, for raw 8-bit text.
func (h Header) charset() string {
	v := h.Get("Content-Type")
	if i := indexFold(v, "charset"); i >= 0 {
		_, ps, _ := parseParams(v)
		for _, p := range ps {
			if p.name == "charset" {
				return p.value
			}
		}
	}
	return ""
}

// MessageID returns the Message-ID without its angle brackets; "" if absent.
func (h Header) MessageID() string {
	v := h.Get("Message-ID")
	if i := strings.IndexByte(v, '<'); i >= 0 {
		v = v[i+1:]
		if j := strings.IndexByte(v, '>'); j >= 0 {
			v = v[:j]
		}
	}
	return strings.TrimSpace(v)
}

// Date returns the Date field; false if it is absent or unreadable. A missing zone is
// taken as UTC.
func (h Header) Date() (time.Time, bool) {
	v := h.Get("Date")
	if v == "" || len(v) > 256 {
		return time.Time{}, false
	}
	if t, err := mail.ParseDate(v); err == nil {
		return t, true
	}
	if i := strings.IndexByte(v, '('); i >= 0 {
		v = v[:i]
	}
	v = strings.Join(strings.Fields(strings.NewReplacer(",", " ", "GMT", "+0000", "UTC", "+0000", "UT", "+0000").Replace(v)), " ")
	if i := strings.IndexByte(v, ' '); i > 0 && (v[0] < '0' || v[0] > '9') {
		if t, err := time.Parse("Mon Jan 2 15:04:05 2006", v); err == nil { // QUIRK: ctime, old Unix mailers
			return t, true
		}
		v = v[i+1:] // the weekday, which may be in any language or wrong
	}
	for _, l := range dateLayouts {
		if t, err := time.Parse(l, v); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

var dateLayouts = []string{
	"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05", "2 Jan 2006 15:04 -0700", "2 Jan 2006 15:04",
	"2 Jan 06 15:04:05 -0700", "2 Jan 06 15:04 -0700", "2 Jan 2006 15:04:05 MST", "2 January 2006 15:04:05 -0700",
	"2 Jan 2006 15:04:05 -07:00", "2-Jan-2006 15:04:05 -0700", "2 Jan 2006 15.04.05 -0700", "2 Jan 2006",
	time.RFC3339, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "Jan 2 15:04:05 2006 -0700",
}

// unfold takes the line breaks out of a field's value. RFC 5322 section 2.2.3.
func unfold(v string) string {
	v = strings.Trim(v, " \t\r\n")
	if strings.IndexByte(v, '\n') < 0 && strings.IndexByte(v, '\r') < 0 {
		return v
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c != '\r' && c != '\n' {
			b = append(b, c)
			continue
		}
		for i+1 < len(v) && (v[i+1] == '\r' || v[i+1] == '\n') {
			i++
		}
		if i+1 < len(v) && v[i+1] != ' ' && v[i+1] != '\t' {
			b = append(b, ' ') // a stray CR
		}
	}
	return string(b)
}

// header reads the block at start into p and returns where the body begins. If a
// delimiter cuts the header, it is returned and there is no body.
func (w *walker) header(p *Part, start int64, root bool) (body int64, cut *hit, err error) {
	for n := maxLine + longestDelimiter + 4; ; n = min(2*n, w.limits.Header+maxLine) {
		v, err := w.view(start, n)
		if err != nil {
			return start, nil, err
		}
		last := start+int64(len(v)) == w.size
		if over := w.limits.Header + maxLine; len(v) > over {
			v, last = v[:over], false
		}
		h := headerScan{w: w, v: v, last: last, root: root, p: p}
		err = h.run()
		if err == errMore && len(v) < w.limits.Header+maxLine {
			continue
		}
		if err == errMore || err == nil && h.end > w.limits.Header {
			return start, nil, &LimitError{"header", w.limits.Header}
		}
		if err != nil {
			return start, nil, err
		}
		if len(w.fields) > 0 {
			first := w.fields[0].name
			s := string(v[first:w.fields[len(w.fields)-1].end])
			p.Header.fields = make([]field, len(w.fields))
			for i, f := range w.fields {
				p.Header.fields[i] = field{s[f.name-first : f.nameEnd-first], s[f.value-first : f.end-first]}
			}
		}
		if h.cut != nil {
			at := start + int64(h.end)
			h.cut.end, h.cut.next = at, at+h.cut.next
		}
		return start + int64(h.end), h.cut, nil
	}
}

var errMore = io.ErrShortBuffer // the header goes on behind the view

// headerScan finds the fields of one header block in v.
type headerScan struct {
	w    *walker
	v    []byte
	last bool // v ends where the mail ends
	root bool // the header of a mail, not of a part in it
	p    *Part
	cr   bool // lines end with a bare CR
	end  int  // where the body begins
	cut  *hit
}

// line returns the line at i without its end, and where the next one begins.
func (h *headerScan) line(i int) (line []byte, next int, err error) {
	v := h.v[i:]
	end := byte('\n')
	if h.cr {
		end = '\r'
	}
	e := bytes.IndexByte(v, end)
	if e < 0 {
		if !h.last {
			if len(v) > maxLine {
				return nil, 0, &LimitError{"header line", maxLine}
			}
			return nil, 0, errMore
		}
		e, next = len(v), len(v)
	} else {
		next = e + 1
	}
	if e > maxLine {
		return nil, 0, &LimitError{"header line", maxLine}
	}
	return bytes.TrimRight(v[:e], "\r"), i + next, nil
}

func (h *headerScan) run() error {
	w := h.w
	w.fields = w.fields[:0]
	h.cr = crOnly(h.v)
	i, err := h.skipTop()
	if err != nil {
		return err
	}
	for junk := false; ; {
		if i >= len(h.v) {
			if !h.last {
				return errMore
			}
			h.end = len(h.v)
			return nil
		}
		if i > h.w.limits.Header {
			return &LimitError{"header", h.w.limits.Header}
		}
		line, next, err := h.line(i)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			h.end = next
			return nil
		}
		if line[0] == '-' && len(w.stack) > 0 && len(line) > 1 && line[1] == '-' {
			if level, closes, n := w.match(h.v[i:]); level >= 0 {
				h.p.repair("header cut by a boundary")
				h.end = i
				h.cut = &hit{level: level, close: closes, next: int64(n)}
				return nil
			}
		}
		switch nameEnd, colon := fieldName(line); {
		case line[0] == ' ' || line[0] == '\t':
			if len(bytes.Trim(line, " \t")) == 0 {
				// QUIRK: a line of blanks instead of the empty one, unless the header goes
				// on below; RFC 5322 section 4.2 lets an old fold be blank.
				ok, err := h.fieldAt(next)
				if err != nil {
					return err
				}
				if !ok && (next >= len(h.v) || h.v[next] != ' ' && h.v[next] != '\t') {
					h.p.repair("blanks on the line between header and body")
					h.end = next
					return nil
				}
			} else if len(w.fields) == 0 {
				ok, err := h.fieldAt(next)
				if err != nil {
					return err
				}
				if !ok {
					h.p.repair("header missing")
					h.end = i
					return nil
				}
				h.p.repair("junk in the header left out")
			}
			if n := len(w.fields); n > 0 && !junk {
				w.fields[n-1].end = next
			}
		case colon >= 0:
			if len(w.fields) == maxFields {
				return &LimitError{"header fields", maxFields}
			}
			w.fields = append(w.fields, span{i, i + nameEnd, i + colon + 1, next})
			junk = false
		default:
			skip, err := h.junk(line, next)
			if err != nil {
				return err
			}
			if !skip {
				h.end = i
				if len(w.fields) == 0 {
					h.p.repair("header missing")
				} else {
					h.p.repair("no empty line between header and body")
				}
				return nil
			}
			h.p.repair("junk in the header left out")
			junk = true
		}
		i = next
	}
}

// skipTop passes what stands above the header of a mail.
func (h *headerScan) skipTop() (int, error) {
	if !h.root {
		return 0, nil
	}
	i := 0
	if bytes.HasPrefix(h.v, []byte("\xef\xbb\xbf")) { // QUIRK: a mail that went through an editor
		h.p.repair("byte order mark above the header left out")
		i = 3
	}
	bom := i
	for i < len(h.v) && (h.v[i] == '\r' || h.v[i] == '\n') && i < maxLine {
		i++
	}
	if i > bom {
		// QUIRK: empty lines above the header, from careless forwarders.
		if ok, err := h.fieldAt(i); err != nil || !ok && !bytes.HasPrefix(h.v[i:], []byte("From ")) {
			return bom, err
		}
		h.p.repair("empty lines above the header left out")
	}
	if bytes.HasPrefix(h.v[i:], []byte("From ")) || bytes.HasPrefix(h.v[i:], []byte(">From ")) {
		// QUIRK: the separator of an mbox file came along.
		_, next, err := h.line(i)
		if err != nil {
			return 0, err
		}
		h.p.repair("mbox line above the header left out")
		i = next
	}
	return i, nil
}

// junk decides whether a line that is no field is passed over or begins the body.
func (h *headerScan) junk(line []byte, next int) (skip bool, err error) {
	if bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From ")) {
		return true, nil
	}
	if skip, err = h.fieldAt(next); skip || err != nil {
		return skip, err
	}
	// A last junk line above the empty one. Only where taking it for content would spoil a file.
	if len(h.w.fields) == 0 || next < len(h.v) && h.v[next] != '\r' && h.v[next] != '\n' {
		return false, nil
	}
	for _, f := range h.w.fields {
		if strings.EqualFold(string(h.v[f.name:f.nameEnd]), "Content-Transfer-Encoding") &&
			transferEncoding(string(h.v[f.value:f.end])) == "base64" {
			return !isBase64(line), nil
		}
	}
	return false, nil
}

// fieldAt tells whether the line at i is a field of a name that mails have.
func (h *headerScan) fieldAt(i int) (bool, error) {
	if i >= len(h.v) {
		if !h.last {
			return false, errMore
		}
		return false, nil
	}
	v := h.v[i:]
	if !h.last && len(v) < 128 {
		return false, errMore
	}
	n, colon := fieldName(v[:min(len(v), 128)])
	if colon < 0 {
		return false, nil
	}
	name := strings.ToLower(string(v[:n]))
	for _, k := range knownPrefixes {
		if strings.HasPrefix(name, k) {
			return true, nil
		}
	}
	return knownFields[name], nil
}

var knownPrefixes = []string{"content-", "x-", "mime-", "list-", "arc-", "dkim-", "resent-", "received", "thread-", "disposition-", "auto-", "original-"}

var knownFields = map[string]bool{
	"from": true, "to": true, "cc": true, "bcc": true, "subject": true, "date": true, "message-id": true, "reply-to": true,
	"sender": true, "return-path": true, "references": true, "in-reply-to": true, "delivered-to": true,
	"authentication-results": true, "importance": true, "priority": true, "user-agent": true, "organization": true,
	"organisation": true, "status": true, "errors-to": true, "precedence": true, "lines": true, "newsgroups": true,
	"sensitivity": true, "mailing-list": true, "return-receipt-to": true, "feedback-id": true, "domainkey-signature": true,
}

// fieldName returns where a field's name ends and where its colon is; -1 if line is no
// field. RFC 5322 section 2.2; QUIRK: blanks before the colon are let pass.
func fieldName(line []byte) (end, colon int) {
	for i, c := range line {
		switch {
		case c == ':':
			if i == 0 {
				return 0, -1
			}
			return i, i
		case c == ' ' || c == '\t':
			for j := i; j < len(line); j++ {
				if line[j] == ':' && i > 0 {
					return i, j
				}
				if line[j] != ' ' && line[j] != '\t' {
					return 0, -1
				}
			}
			return 0, -1
		case c < 33 || c == 127: // QUIRK: 8-bit letters occur
			return 0, -1
		}
	}
	return 0, -1
}

// crOnly tells whether the lines of v end with a bare CR, as those of old Macintosh
// mailers do: there is no LF far and wide, or the first line end is a bare CR and a
// field, a fold or the empty line follows.
func crOnly(v []byte) bool {
	v = v[:min(len(v), maxLine)]
	i := bytes.IndexByte(v, '\r')
	n := bytes.IndexByte(v, '\n')
	if i < 0 || n >= 0 && n < i {
		return false
	}
	if n < 0 {
		return len(v) > i+1
	}
	rest := v[i+1:]
	for len(rest) > 0 && rest[0] == '\r' {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return len(v) > i+1
	}
	if rest[0] == '\n' {
		return false
	}
	_, colon := fieldName(rest)
	return i == 0 || colon >= 0 || rest[0] == ' ' || rest[0] == '\t' || len(rest) < len(v)-i-1
}
