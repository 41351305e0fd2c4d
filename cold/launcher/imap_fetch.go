package launcher

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// row is one FETCH answer, as far as it is used here.
type row struct {
	uid      uint32
	size     int64 // RFC822.SIZE; -1 when it was not told
	date     time.Time
	seen     bool
	deleted  bool
	hasFlags bool

	body  bodyKind
	small []byte // of bodySmall; valid until the next row
	bytes int64  // of the body
	from  int64  // the octet that the body begins at: BODY[]<from>
}

type bodyKind int

const (
	bodyNone  bodyKind = iota // the answer held no body: it is about something else
	bodyNil                   // BODY[] NIL
	bodySmall                 // it lies in row.small
	bodyLarge                 // it went through the large function
	bodyLost                  // it came before the UID and was dropped
)

// errLargeLeft ends a connection rather than read the rest of a huge body for nothing.
var errLargeLeft = errors.New("the rest of a large mail was not wanted")

// maxWaste is how much of an unwanted body is read to keep the connection.
const maxWaste = 32 << 20

// fetcher reads FETCH answers. It is lenient where real servers are: the order of the
// attributes, unknown attributes, blanks, a lone LF. The zero value needs s.
type fetcher struct {
	s       *stream
	scratch []byte

	// large is called for a body above smallBody once its UID is known. Its reader
	// gives io.EOF only when the whole answer was read and is well formed.
	large func(r *row, body *largeBody) error

	// alone is the UID of the only mail that was asked for, 0 with several: a body that
	// comes before its UID can only be of this one.
	alone uint32

	line []byte
	p    int
}

// errNoRow is wrapped by every error of a FETCH answer that cannot be read.
var errNoRow = errors.New("the server's FETCH answer cannot be read")

func (f *fetcher) bad() error {
	line := f.line[min(f.p, len(f.line)):]
	return f.s.fail(fmt.Errorf("%w at %s", errNoRow, quote(line[:min(len(line), 60)])))
}

// parse reads the answer that begins in line, which is behind "* n FETCH ".
func (f *fetcher) parse(line []byte, r *row) error {
	*r = row{size: -1}
	f.line, f.p = line, 0
	f.blanks()
	if f.peek() != '(' {
		return f.bad()
	}
	f.p++
	return f.items(r)
}

func (f *fetcher) peek() byte {
	if f.p < len(f.line) {
		return f.line[f.p]
	}
	return 0
}

func (f *fetcher) blanks() {
	for f.peek() == ' ' {
		f.p++
	}
}

// items reads attributes up to the closing parenthesis and the end of the line.
func (f *fetcher) items(r *row) error {
	for {
		f.blanks()
		if f.peek() == ')' {
			f.p++
			if len(bytes.Trim(f.line[f.p:], " \r\n")) > 0 {
				return f.bad()
			}
			return nil
		}
		from := f.p
		for c := f.peek(); c > ' ' && c != '[' && c != '(' && c != ')'; c = f.peek() {
			f.p++
		}
		name := f.line[from:f.p]
		if len(name) == 0 {
			return f.bad()
		}
		section, hasSection := []byte(nil), false
		if f.peek() == '[' {
			end := bytes.IndexByte(f.line[f.p:], ']')
			if end < 0 {
				return f.bad()
			}
			section, hasSection = f.line[f.p+1:f.p+end], true
			f.p += end + 1
			at := f.p
			for c := f.peek(); c > ' ' && c != '(' && c != ')'; c = f.peek() {
				f.p++
			}
			if origin := f.line[at:f.p]; len(origin) > 2 && origin[0] == '<' {
				r.from, _ = strconv.ParseInt(string(bytes.Trim(origin, "<>")), 10, 64)
			}
		}
		f.blanks()
		var err error
		switch {
		case hasSection && strings.EqualFold(string(name), "BODY") && len(section) == 0:
			err = f.bodyValue(r)
		case hasSection:
			err = f.skipValue()
		case strings.EqualFold(string(name), "UID"):
			var n int64
			if n, err = f.number(); err == nil {
				if n < 1 || n > 1<<32-1 || r.uid != 0 && r.uid != uint32(n) {
					return f.bad()
				}
				r.uid = uint32(n)
			}
		case strings.EqualFold(string(name), "RFC822.SIZE"):
			r.size, err = f.number()
		case strings.EqualFold(string(name), "FLAGS"):
			err = f.flags(r)
		case strings.EqualFold(string(name), "INTERNALDATE"):
			err = f.date(r)
		default:
			err = f.skipValue()
		}
		if err != nil {
			return err
		}
	}
}

func (f *fetcher) number() (int64, error) {
	from := f.p
	for c := f.peek(); c >= '0' && c <= '9'; c = f.peek() {
		f.p++
	}
	n, err := strconv.ParseInt(string(f.line[from:f.p]), 10, 64)
	if err != nil {
		return 0, f.bad()
	}
	return n, nil
}

func (f *fetcher) flags(r *row) error {
	end := bytes.IndexByte(f.line[f.p:], ')')
	if f.peek() != '(' || end < 0 {
		return f.skipValue()
	}
	r.hasFlags, r.seen, r.deleted = true, false, false
	for rest := f.line[f.p+1 : f.p+end]; len(rest) > 0; {
		var flag []byte
		flag, rest, _ = bytes.Cut(rest, []byte(" "))
		switch {
		case len(flag) == 5 && strings.EqualFold(string(flag), `\Seen`):
			r.seen = true
		case len(flag) == 8 && strings.EqualFold(string(flag), `\Deleted`):
			r.deleted = true
		}
	}
	f.p += end + 1
	return nil
}

// date reads INTERNALDATE; one that cannot be read is no date (QUIRK: some servers leave
// the zone out, go-imap ends the connection over it).
func (f *fetcher) date(r *row) error {
	end := -1
	if f.peek() == '"' {
		end = bytes.IndexByte(f.line[f.p+1:], '"')
	}
	if end < 0 {
		return f.skipValue()
	}
	text := string(f.line[f.p+1 : f.p+1+end])
	f.p += end + 2
	if t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", text); err == nil { // RFC 9051 section 9, date-time
		r.date = t
	}
	return nil
}

// announced reads "{n}" at the end of the line.
func (f *fetcher) announced() (int64, error) {
	if f.peek() == '~' {
		f.p++
	}
	n, at, ok := literalAt(f.line)
	if !ok || at != f.p {
		return 0, f.bad()
	}
	return n, nil
}

// nextLine goes on behind a literal.
func (f *fetcher) nextLine() error {
	line, err := f.s.line(maxLine)
	if err != nil {
		return err
	}
	f.line, f.p = line, 0
	return nil
}

func (f *fetcher) quoted() ([]byte, error) {
	f.p++
	from, escaped := f.p, false
	for f.p < len(f.line) {
		switch f.line[f.p] {
		case '\\':
			escaped = true
			f.p++
		case '"':
			b := f.line[from:f.p]
			f.p++
			if escaped {
				b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte(`\"`), []byte(`"`)), []byte(`\\`), []byte(`\`))
			}
			return b, nil
		}
		f.p++
	}
	return nil, f.bad()
}

// skipValue passes over a value of any shape.
func (f *fetcher) skipValue() error {
	for depth := 0; ; {
		switch c := f.peek(); c {
		case 0, '\r', '\n':
			return f.bad()
		case '"':
			if _, err := f.quoted(); err != nil {
				return err
			}
		case '(':
			depth++
			f.p++
		case ')':
			if depth == 0 {
				return nil // a value that is missing
			}
			depth--
			f.p++
		case ' ':
			f.p++
			continue
		case '{', '~':
			n, err := f.announced()
			if err != nil {
				return err
			}
			if _, err := f.s.smallLiteral(n); err != nil {
				return err
			}
			if err := f.nextLine(); err != nil {
				return err
			}
		default:
			for c := f.peek(); c > ' ' && c != '(' && c != ')' && c != '"'; c = f.peek() {
				f.p++
			}
		}
		if depth == 0 {
			return nil
		}
	}
}

// bodyValue reads the value of BODY[].
func (f *fetcher) bodyValue(r *row) error {
	switch f.peek() {
	case '"':
		b, err := f.quoted()
		if err != nil {
			return err
		}
		f.scratch = append(f.scratch[:0], b...)
		r.body, r.small, r.bytes = bodySmall, f.scratch, int64(len(b))
		return nil
	case '{', '~':
	default:
		if !hasPrefixFold(f.line[f.p:], "NIL") {
			return f.bad()
		}
		f.p += 3
		r.body = bodyNil
		return nil
	}
	n, err := f.announced()
	if err != nil {
		return err
	}
	f.s.bodyBegins()
	r.bytes = n
	if n <= smallBody {
		if int64(cap(f.scratch)) < n {
			f.scratch = make([]byte, smallBody)
		}
		r.body, r.small = bodySmall, f.scratch[:n]
		if err := f.s.readFull(r.small); err != nil {
			return err
		}
		return f.nextLine()
	}
	if r.uid == 0 && f.alone == 0 || f.large == nil {
		// QUIRK: BODY[] before UID. It is asked for again, alone.
		r.body = bodyLost
		if n > maxWaste {
			return f.s.fail(errLargeLeft)
		}
		if err := f.s.skip(n); err != nil {
			return err
		}
		return f.nextLine()
	}
	r.body = bodyLarge
	body := &largeBody{f: f, r: r, size: n, left: n}
	if err := f.large(r, body); err != nil {
		return err
	}
	return body.drain()
}

// largeBody streams a body from the connection. When the connection is lost while
// somebody reads, mend brings the rest over a new one, a piece at a time.
type largeBody struct {
	f        *fetcher
	r        *row
	size     int64
	left     int64
	next     bool // the line behind the literal was read
	finished bool // the whole answer was read
	err      error

	mend   func(from int64) ([]byte, error) // nil breaks off instead
	mended bool
	piece  []byte
}

// Read gives io.EOF only when the announced bytes and the end of the answer were read.
// What else went wrong matches io.ErrUnexpectedEOF.
func (b *largeBody) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.finished:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case b.mended && len(b.piece) == 0 && b.left > 0:
		if b.repair(nil); b.err != nil {
			return 0, b.err
		}
	case !b.mended && b.left == 0:
		if err := b.finish(); err != nil {
			b.repair(err)
		}
		return b.Read(p)
	case !b.mended:
		n, err := b.f.s.read(p[:min(int64(len(p)), b.left)])
		if b.left -= int64(n); n > 0 {
			return n, nil
		}
		b.repair(err)
		return b.Read(p)
	}
	n := copy(p, b.piece)
	b.piece = b.piece[n:]
	if b.left -= int64(n); b.left == 0 {
		b.finished = true
	}
	return n, nil
}

// repair goes on over another connection.
func (b *largeBody) repair(why error) {
	if b.mend == nil {
		b.err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, why)
		return
	}
	b.mended = true
	if b.piece, b.err = b.mend(b.size - b.left); b.err == nil && b.left == 0 {
		b.finished = true
	}
}

// finish reads what follows the literal, up to the closing parenthesis.
func (b *largeBody) finish() error {
	if b.next {
		return nil
	}
	b.next = true
	want := b.r.uid
	if want == 0 {
		want = b.f.alone
	}
	if err := b.f.nextLine(); err != nil {
		return err
	}
	if err := b.f.items(b.r); err != nil {
		return err
	}
	if b.r.uid == 0 {
		b.r.uid = want
	}
	if b.r.uid != want {
		return b.f.s.fail(fmt.Errorf("%w: it changes its UID from %d to %d", errNoRow, want, b.r.uid))
	}
	b.finished = true
	return nil
}

// drain reads what got left over. Afterwards the parser stands behind the body; if the
// answer was finished already it stands at its end, and items has nothing left to do.
func (b *largeBody) drain() error {
	if !b.finished {
		if b.left > maxWaste {
			return b.f.s.fail(errLargeLeft)
		}
		if err := b.f.s.skip(b.left); err != nil {
			return err
		}
		b.left = 0
		if err := b.finish(); err != nil {
			return err
		}
	}
	b.f.line, b.f.p = []byte(")\r\n"), 0 // what items reads next
	return nil
}
