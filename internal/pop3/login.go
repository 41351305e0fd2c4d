package pop3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/emersion/go-sasl"
)

// User logs in with USER and PASS (RFC 1939 section 7). Both go out in clear.
func (c *Conn) User(account, password string) (Reply, error) {
	r, err := c.Do("USER " + account)
	if err != nil || !r.OK {
		return r, err
	}
	return c.Do("PASS " + password)
}

// Timestamp is what the greeting offers for APOP, "" if nothing (RFC 1939 section 7).
func (c *Conn) Timestamp() string {
	i := strings.IndexByte(c.Greeting.Text, '<')
	if i < 0 {
		return ""
	}
	j := strings.IndexByte(c.Greeting.Text[i:], '>')
	stamp := c.Greeting.Text[i:][:j+1]
	// An attacker who chooses the timestamp learns about the password from the digest if it
	// need not look like a message id (CVE-2007-1558): so it must, in plain characters.
	if !strings.Contains(stamp, "@") || strings.ContainsFunc(stamp, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return ""
	}
	return stamp
}

// APOP logs in with a digest of password and timestamp.
func (c *Conn) APOP(account, password string) (Reply, error) {
	sum := md5.Sum([]byte(c.Timestamp() + password))
	return c.Do("APOP " + account + " " + hex.EncodeToString(sum[:]))
}

// mostRounds bounds an exchange.
const mostRounds = 10

// Auth runs a SASL mechanism (RFC 5034 section 4). The first answer always waits for the
// server's prompt: a line of AUTH may have 255 bytes only, a token has more, and Microsoft
// refuses it there. failed is what the mechanism itself has against the server.
func (c *Conn) Auth(name string, client sasl.Client) (r Reply, failed, err error) {
	_, initial, failed := client.Start()
	if failed != nil {
		return Reply{}, failed, nil
	}
	if err := c.Send("AUTH " + name); err != nil {
		return Reply{}, nil, err
	}
	first := initial != nil
	for range mostRounds {
		line, err := c.s.line()
		if err != nil {
			return Reply{}, failed, err
		}
		if len(line) == 0 || line[0] != '+' || len(line) > 2 && strings.EqualFold(string(line[:3]), "+OK") {
			r, ok := parseReply(line)
			if !ok {
				return r, failed, c.s.fail(&NoReply{cut(line)})
			}
			return r, failed, nil
		}
		var answer []byte
		switch {
		case failed != nil:
		case first:
			answer, first = initial, false
		default:
			var challenge []byte
			if challenge, failed = base64.StdEncoding.DecodeString(strings.TrimSpace(string(line[1:]))); failed == nil {
				answer, failed = client.Next(challenge)
			}
		}
		out := "*" // RFC 5034 section 4: gives up
		if failed == nil {
			out = base64.StdEncoding.EncodeToString(answer)
		}
		if err := c.Send(out); err != nil {
			return Reply{}, failed, err
		}
	}
	return Reply{}, nil, c.s.fail(errors.New("the server does not end the login"))
}
