package pop3

import (
	"bytes"
	"fmt"
	"strings"
)

// Reply is the first line of an answer.
type Reply struct {
	OK   bool
	Code string // of the response code in brackets, in upper case: "IN-USE", "SYS/TEMP" (RFC 2449 section 8)
	Text string // what follows, a stranger's words
}

// parseReply reads a status line. ok is false for what is none.
func parseReply(line []byte) (r Reply, ok bool) {
	word, text, _ := bytes.Cut(line, []byte(" "))
	switch strings.ToUpper(string(word)) {
	case "+OK":
		r.OK = true
	case "-ERR":
	default:
		return r, false
	}
	rest := strings.TrimSpace(string(text))
	if strings.HasPrefix(rest, "[") { // RFC 2449 section 8
		if code, after, found := strings.Cut(rest[1:], "]"); found && len(code) < 64 {
			code, _, _ = strings.Cut(code, " ")
			r.Code, rest = strings.ToUpper(code), strings.TrimSpace(after)
		}
	}
	r.Text = rest
	return r, true
}

// Temporary tells whether a refusal may pass by itself: by its code or, where servers send
// none, by the words that they are known for.
func (r Reply) Temporary() bool {
	switch r.Code {
	case "IN-USE", "LOGIN-DELAY", "SYS/TEMP": // RFC 2449 section 8.1, RFC 3206 section 4
		return true
	case "AUTH", "SYS/PERM":
		return false
	}
	low := strings.ToLower(r.Text)
	for _, w := range []string{"lock", "in use", "busy", "try again", "later", "temporar", "too many", "unavailable"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// NoReply is the error of a line that is no answer: the peer speaks, and something else.
type NoReply struct{ line string }

func (e *NoReply) Error() string { return fmt.Sprintf("the server's answer is no POP3: %q", e.line) }

func cut(b []byte) string {
	const most = 200
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}
