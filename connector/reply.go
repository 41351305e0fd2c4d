package connector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds on what a server may say: RFC 5321 section 4.5.3.1.5 allows 512 bytes a line.
const (
	maxReplyLine = 2 << 10
	maxReply     = 64 << 10
	maxWords     = 500 // of a reply's text that is kept
)

// reply is one answer of the server.
type reply struct {
	code  int
	enh   string   // enhanced status code (RFC 3463) such as "5.7.1"; "" if none
	lines []string // texts, without the codes; only of EHLO is more than the words looked at
}

// codes is how a reply is named in receipts and errors: "550 5.7.1".
func (r reply) codes() string {
	if r.code == 0 {
		return ""
	}
	if r.enh == "" {
		return fmt.Sprintf("%03d", r.code)
	}
	return fmt.Sprintf("%03d %s", r.code, r.enh)
}

// String is the reply as a person knows it: "250 2.1.0 Ok", cut.
func (r reply) String() string { return strings.TrimSpace(r.codes() + " " + r.words()) }

// words is the reply's text on one line, cut, without control characters.
func (r reply) words() string { return clean(strings.Join(r.lines, " "), maxWords) }

// clean makes a stranger's text fit to be shown: valid UTF-8, no controls, at most n bytes.
func clean(s string, n int) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || 0x80 <= c && c < 0xa0 || c == utf8.RuneError {
			return ' '
		}
		return c
	}, s)
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strings.TrimSpace(s)
}

var (
	errGarbage  = errors.New("the server does not answer in SMTP: check host and port")
	errTooLong  = errors.New("the server sends an answer without end")
	errMixed    = errors.New("the server changes its mind within one answer")
	errInjected = errors.New("the server sends text before the encryption that it wants to be read after it: somebody may sit in between")
)

// replies reads replies within bounds.
type replies struct {
	src        io.Reader
	buf        [4 << 10]byte
	start, end int
}

// pending reports whether bytes were received that no reply has used.
func (r *replies) pending() bool { return r.start < r.end }

// line returns the next line without its end. What it returns is valid until the next call.
func (r *replies) line() ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.start:r.end], '\n'); i >= 0 {
			l := r.buf[r.start : r.start+i]
			r.start += i + 1
			if len(l) > maxReplyLine {
				return nil, errTooLong
			}
			// QUIRK: some small servers end their lines in LF alone.
			return bytes.TrimSuffix(l, []byte("\r")), nil
		}
		if r.end-r.start > maxReplyLine {
			return nil, errTooLong
		}
		if r.start > 0 {
			r.end = copy(r.buf[:], r.buf[r.start:r.end])
			r.start = 0
		}
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// read returns the next reply: RFC 5321 section 4.2.
func (r *replies) read() (reply, error) {
	var p reply
	for total := 0; ; {
		l, err := r.line()
		if err != nil {
			return reply{}, err
		}
		if total += len(l); total > maxReply {
			return reply{}, errTooLong
		}
		if len(l) < 3 || l[0] < '2' || l[0] > '5' || !digit(l[1]) || !digit(l[2]) || len(l) > 3 && l[3] != ' ' && l[3] != '-' {
			return reply{}, errGarbage
		}
		code := int(l[0]-'0')*100 + int(l[1]-'0')*10 + int(l[2]-'0')
		if p.code != 0 && p.code != code {
			return reply{}, errMixed
		}
		p.code = code
		text := ""
		if len(l) > 4 {
			text = string(l[4:])
		}
		// RFC 2034 section 4: each line begins with the enhanced code.
		if enh, rest, ok := cutEnhanced(text, l[0]); ok {
			if p.enh == "" {
				p.enh = enh
			}
			text = rest
		}
		p.lines = append(p.lines, text)
		if len(l) == 3 || l[3] == ' ' {
			return p, nil
		}
	}
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// cutEnhanced takes "5.7.1 text" apart, if its class is that of the basic code.
func cutEnhanced(s string, class byte) (enh, rest string, ok bool) {
	if len(s) < 5 || s[0] != class || s[1] != '.' {
		return "", s, false
	}
	enh, rest, _ = strings.Cut(s, " ")
	f := strings.Split(enh, ".")
	if len(f) != 3 || len(enh) > 9 {
		return "", s, false
	}
	for _, n := range f {
		if n == "" || strings.Trim(n, "0123456789") != "" {
			return "", s, false
		}
	}
	return enh, rest, true
}
