package mime

import (
	"bytes"
	"strings"
)

// walker finds the parts of one mail in a single pass: it goes from boundary line to
// boundary line and looks into nothing but headers.
type walker struct {
	scanner
	limits  Options
	count   *int
	msg     *Message
	stack   []string // delimiters that can end the current part: "--" and the boundary
	fields  []span   // scratch of header
	guesses int      // boundaries guessed so far, bounded so that the walk stays linear
}

// hit is where the current part ends.
type hit struct {
	level int   // in the stack; -1 is the end of the mail
	close bool  // "--boundary--"
	end   int64 // of the content: the line end before a delimiter is the delimiter's
	next  int64 // behind the delimiter line
}

// entity reads header and body at start into p and returns what ended it. above is the
// part around it, nil for the root of a mail.
func (w *walker) entity(p, above *Part, start int64, depth int) (hit, error) {
	*w.count++
	p.Depth, p.src, p.Number = depth, w.source, *w.count
	if depth > w.limits.Depth {
		return hit{}, &LimitError{"depth", w.limits.Depth}
	}
	if *w.count > w.limits.Parts {
		return hit{}, &LimitError{"parts", w.limits.Parts}
	}
	root := above == nil || above.Role == RoleMessage
	body, cut, err := w.header(p, start, root)
	p.Start, p.End = body, body
	if err != nil {
		return hit{}, err
	}
	def := "text/plain"
	if above != nil && above.MediaType == "multipart/digest" {
		def = "message/rfc822" // RFC 2046 section 5.1.5
	}
	if err := p.describe(def); err != nil {
		return hit{}, err
	}
	if cut != nil {
		return *cut, nil
	}
	var h hit
	switch {
	case strings.HasPrefix(p.MediaType, "multipart/"):
		h, err = w.multipart(p, depth)
	case isMessage(p.MediaType):
		h, err = w.attached(p, depth)
	default:
		h, err = w.scan(body)
	}
	p.End = max(h.end, p.Start)
	return h, err
}

// multipart reads p's children. RFC 2046 section 5.1.
func (w *walker) multipart(p *Part, depth int) (hit, error) {
	p.Role = RoleContainer
	if p.Encoding != "" {
		// RFC 2045 section 6.4 forbids it; QUIRK: some gateways label the whole.
		p.repair("transfer encoding of a multipart ignored")
		p.Encoding = ""
	}
	boundary := strings.TrimRight(p.Params["boundary"], " \t")
	switch {
	case len(boundary) > maxBoundary:
		return hit{}, &LimitError{"boundary", maxBoundary}
	case boundary == "":
		guess, err := w.guess(p.Start)
		if err != nil {
			return hit{}, err
		}
		if guess == "" {
			p.repair("boundary missing: taken as one part")
			return w.leafOfMultipart(p)
		}
		p.repair("boundary missing: found in the text")
		boundary = guess
	case len(boundary) > 70:
		p.repair("boundary longer than 70 bytes")
	}
	h, err := w.children(p, boundary, depth)
	if err != nil || len(p.Children) > 0 {
		return h, err
	}
	if guess, err := w.guess(p.Start); err != nil || guess != "" && guess != boundary {
		if err != nil {
			return hit{}, err
		}
		p.repair("boundary never found: another one taken")
		return w.children(p, guess, depth)
	}
	p.repair("boundary never found: taken as one part")
	return w.leafOfMultipart(p)
}

func (w *walker) leafOfMultipart(p *Part) (hit, error) {
	h, err := w.scan(p.Start)
	if h.end > p.Start {
		p.Role = RoleBody
	}
	return h, err
}

func (w *walker) children(p *Part, boundary string, depth int) (hit, error) {
	level := len(w.stack)
	again := false // the same boundary is in use further out, so after our end it is not ours
	for _, s := range w.stack {
		again = again || s[2:] == boundary
	}
	w.stack = append(w.stack, "--"+boundary)
	h, err := w.scan(p.Start) // the preamble
	for err == nil && h.level == level {
		if h.close {
			p.closed = true
			if again {
				w.stack = w.stack[:level]
				return w.scanFrom(h.next, p.Start)
			}
			h, err = w.scanFrom(h.next, p.Start) // the epilogue
			if err == nil && h.level == level && !h.close {
				var yes bool
				if yes, err = w.looksLikePart(h.next); !yes {
					h.close = true
					continue
				}
				// QUIRK: the end written between parts; what follows is still theirs.
				p.repair("parts after the last boundary")
			}
			continue
		}
		c := &Part{}
		p.Children = append(p.Children, c)
		h, err = w.entity(c, p, h.next, depth+1)
	}
	w.stack = w.stack[:level]
	if err == nil && !p.closed && len(p.Children) > 0 {
		p.repair("last boundary missing")
		w.note("last boundary missing")
	}
	return h, err
}

func (w *walker) note(s string) {
	for _, have := range w.msg.Repairs {
		if have == s {
			return
		}
	}
	w.msg.Repairs = append(w.msg.Repairs, s)
}

// looksLikePart tells whether a MIME field stands at off.
func (w *walker) looksLikePart(off int64) (bool, error) {
	v, err := w.view(off, 64)
	return len(v) > 8 && strings.EqualFold(string(v[:8]), "content-"), err
}

// attached reads the mail inside p. RFC 2046 section 5.2.1.
func (w *walker) attached(p *Part, depth int) (hit, error) {
	p.Role = RoleMessage
	if p.Encoding == "" {
		c := &Part{}
		p.Children = []*Part{c}
		return w.entity(c, p, p.Start, depth+1)
	}
	// QUIRK: RFC 2046 section 5.2.1 forbids base64 here; Exchange and others use it.
	h, err := w.scan(p.Start)
	if err != nil {
		return h, err
	}
	p.End = max(h.end, p.Start)
	p.repair("attached mail was transfer encoded")
	src, err := decodedSource(p)
	if err != nil {
		return h, err
	}
	inner, err := parse(src, w.limits, depth+1, w.count)
	p.Children = []*Part{inner.Root}
	for _, s := range inner.Repairs {
		w.note(s)
	}
	return h, err
}

const longestDelimiter = maxBoundary + 1024 // with the white space behind it

// scan goes from the line that begins at off to the next delimiter in the stack.
func (w *walker) scan(off int64) (hit, error) { return w.scanFrom(off, off) }

// scanFrom is scan with the place before which no line end is the delimiter's.
func (w *walker) scanFrom(off, low int64) (hit, error) {
	if len(w.stack) == 0 {
		return hit{-1, false, w.size, w.size}, nil
	}
	fresh := true // off is the beginning of a line
	for off < w.size {
		v, err := w.view(off, 2*longestDelimiter)
		if err != nil {
			return hit{}, err
		}
		last := off+int64(len(v)) == w.size
		i := 0
		for {
			j := bytes.Index(v[i:], dashes)
			if j < 0 {
				off, fresh = off+int64(len(v))-2, false // "\n-" may be the end of v
				if last {
					off = w.size
				}
				break
			}
			k := i + j
			i = k + 2
			if k == 0 && !fresh || k > 0 && v[k-1] != '\n' && v[k-1] != '\r' {
				for i < len(v) && v[i] == '-' {
					i++
				}
				continue
			}
			if !last && len(v)-k < longestDelimiter {
				off, fresh = off+int64(k), true
				break
			}
			level, closes, n := w.match(v[k:])
			if level < 0 {
				continue
			}
			at := off + int64(k)
			eol, err := w.lineEndBefore(at, low)
			return hit{level, closes, at - eol, at + int64(n)}, err
		}
	}
	return hit{-1, false, w.size, w.size}, nil
}

var dashes = []byte("--")

// match tells which delimiter v begins with, innermost first, and how long its line is.
// The whole line counts, so a boundary that begins another is not mistaken for it.
func (w *walker) match(v []byte) (level int, closes bool, n int) {
	line, n := v, len(v)
	if len(line) > longestDelimiter {
		line = line[:longestDelimiter]
	}
	if e := bytes.IndexByte(line, '\n'); e >= 0 {
		line, n = line[:e], e+1
	} else if len(v) > longestDelimiter {
		n = -1 // unless a bare CR ends it
	}
	line = bytes.TrimRight(line, " \t\r")
	if e := bytes.IndexByte(line, '\r'); e >= 0 {
		line, n = bytes.TrimRight(line[:e], " \t"), e+1
	}
	if n < 0 {
		return -1, false, 0
	}
	loose := -1 // RFC 2046 section 5.1.1: what stands behind a boundary on its line is ignored
	for l := len(w.stack) - 1; l >= 0; l-- {
		d := w.stack[l]
		if len(line) < len(d) || string(line[:len(d)]) != d {
			continue
		}
		switch rest := line[len(d):]; {
		case len(rest) == 0:
			return l, false, n
		case len(rest) == 2 && rest[0] == '-' && rest[1] == '-':
			return l, true, n
		case loose >= 0:
		case rest[0] == ' ' || rest[0] == '\t':
			loose, closes = l, false
		case len(rest) > 2 && rest[0] == '-' && rest[1] == '-' && (rest[2] == ' ' || rest[2] == '\t'):
			loose, closes = l, true
		}
	}
	if loose >= 0 {
		return loose, closes, n
	}
	return -1, false, 0
}

// guess looks for a boundary in the text itself: the first line of "--" and a word with
// a MIME field on the next line.
func (w *walker) guess(off int64) (string, error) {
	if w.guesses++; w.guesses > 8 {
		return "", nil
	}
	v, err := w.view(off, 64<<10)
	if err != nil {
		return "", err
	}
	v = v[:min(len(v), 64<<10)]
	for len(v) > 0 {
		line, rest := v, []byte(nil)
		if e := bytes.IndexByte(v, '\n'); e >= 0 {
			line, rest = v[:e], v[e+1:]
		} else if e := bytes.IndexByte(v, '\r'); e >= 0 {
			line, rest = v[:e], v[e+1:]
		}
		line = bytes.TrimRight(line, " \t\r")
		if len(line) > 2 && len(line) <= maxBoundary && line[0] == '-' && line[1] == '-' {
			if len(rest) > 8 && strings.EqualFold(string(rest[:8]), "content-") {
				if l, _, _ := w.match(line); l < 0 {
					return string(line[2:]), nil
				}
				return "", nil // the text of the part around begins again
			}
		}
		v = rest
	}
	return "", nil
}
