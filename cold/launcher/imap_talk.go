package launcher

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/vaguemestre/vaguemestre/internal/transport"
)

// link is one live connection.
type link struct {
	conn   *transport.Conn
	g      *guard
	client *imapclient.Client // nil until the account is logged in
	caps   map[string]bool    // upper case
	tag    int
	fetch  fetcher
	exists uint32 // messages in the folder, as SELECT said
	state  folderState
}

// folderState is what SELECT or EXAMINE said about the folder.
type folderState struct {
	name      string // as the server calls it, in UTF-8
	validity  uint32
	permanent []string // PERMANENTFLAGS
	readOnly  bool
}

// has tells whether the server has an ability, alone or as a part of IMAP4rev2
// (RFC 9051 appendix E).
func (c *link) has(ability string) bool {
	if c.caps[ability] {
		return true
	}
	if !c.caps["IMAP4REV2"] {
		return false
	}
	switch ability {
	case "MOVE", "UIDPLUS", "ESEARCH", "NAMESPACE", "UNSELECT", "SASL-IR":
		return true
	}
	return false
}

// answer is how a command ended.
type answer struct {
	status string // OK, NO or BAD
	code   string // the response code with its arguments: "COPYUID 3 5 9"; "" when there is none
	text   string // a stranger's text
}

func (a answer) ok() bool { return a.status == "OK" }

// codeWord is the first word of the code.
func (a answer) codeWord() string {
	w, _, _ := strings.Cut(a.code, " ")
	return strings.ToUpper(w)
}

// parseStatus reads "OK [CODE …] text".
func parseStatus(rest []byte) answer {
	s := strings.TrimRight(string(rest), "\r\n")
	var a answer
	a.status, s, _ = strings.Cut(s, " ")
	a.status = strings.ToUpper(a.status)
	if strings.HasPrefix(s, "[") {
		if code, text, ok := strings.Cut(s[1:], "]"); ok {
			a.code, s = code, strings.TrimPrefix(text, " ")
		}
	}
	a.text = s
	return a
}

// send writes one command and returns its tag. Only who has taken the guard may call it.
func (c *link) send(command string) (string, error) {
	c.tag++
	tag := fmt.Sprintf("V%d", c.tag)
	if _, err := c.conn.Write([]byte(tag + " " + command + "\r\n")); err != nil {
		return tag, c.broken(err)
	}
	return tag, nil
}

// broken ends the connection and returns err, or the farewell that explains it.
func (c *link) broken(err error) error {
	c.g.fail(err)
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	if bye, ok := c.g.err.(*byeError); ok {
		return bye
	}
	return err
}

// line reads one line of the answer.
func (c *link) line(most int) ([]byte, error) {
	b, err := c.g.in.line(most)
	if err != nil {
		return nil, c.broken(err)
	}
	return b, nil
}

// skipRest drops the strings and further lines of an untagged answer that begins with line.
func (c *link) skipRest(line []byte) error {
	for {
		n, _, ok := literalAt(line)
		if !ok {
			return nil
		}
		if _, err := c.g.in.smallLiteral(n); err != nil {
			return c.broken(err)
		}
		var err error
		if line, err = c.line(maxLine); err != nil {
			return err
		}
	}
}

// await reads until the command tag ends. Every untagged line without its "* " goes to
// each (nil drops it), valid during the call. A continuation request is handed over as
// "+" and its text.
func (c *link) await(tag string, each func(line []byte) error) (answer, error) {
	for {
		line, err := c.line(maxText)
		if err != nil {
			return answer{}, err
		}
		word, rest, _ := bytes.Cut(line, []byte(" "))
		if string(bytes.TrimSpace(word)) == "+" {
			if each == nil {
				return answer{}, c.broken(fmt.Errorf("the server asks to go on where nothing more is to be sent: %s", quote(line)))
			}
			if err := each(append([]byte("+ "), rest...)); err != nil {
				return answer{}, err
			}
			continue
		}
		if string(word) == tag {
			a := parseStatus(rest)
			if a.status != "OK" && a.status != "NO" && a.status != "BAD" {
				return a, c.broken(fmt.Errorf("the server's answer is no IMAP: %s", quote(line)))
			}
			return a, nil
		}
		if string(word) != "*" {
			return answer{}, c.broken(fmt.Errorf("the server's answer is no IMAP: %s", quote(line)))
		}
		status := isStatus(rest)
		if status && hasPrefixFold(rest, "BYE") {
			c.g.noteBye(rest)
		}
		more := !status
		if each != nil {
			// each may not keep the line, so the strings are dropped afterwards
			n, _, ok := literalAt(line)
			if err := each(rest); err != nil {
				return answer{}, err
			}
			if more && ok {
				if _, err := c.g.in.smallLiteral(n); err != nil {
					return answer{}, c.broken(err)
				}
				if line, err = c.line(maxLine); err != nil {
					return answer{}, err
				}
				if err := c.skipRest(line); err != nil {
					return answer{}, err
				}
			}
			continue
		}
		if more {
			if err := c.skipRest(line); err != nil {
				return answer{}, err
			}
		}
	}
}

// run does one command with the guard taken for its time.
func (c *link) run(command string, each func(line []byte) error) (answer, error) {
	if err := c.g.take(); err != nil {
		return answer{}, err
	}
	defer c.g.giveBack()
	tag, err := c.send(command)
	if err != nil {
		return answer{}, err
	}
	return c.await(tag, each)
}
