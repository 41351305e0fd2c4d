package launcher

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/pop3"
)

// popMail is a mail of this connection with its name.
type popMail struct {
	pop3.Message
	epoch string // the mailbox and the way in which its mails are named
	key   string
}

const (
	mostID    = 70  // RFC 1939 section 7: an id has at most 70 characters
	weakID    = 8   // shorter ids are counters, which begin anew when a mailbox is rebuilt
	topsAhead = 100 // TOPs in flight
	mostHead  = 256 << 10
	mostWhole = 1 << 30 // of a mail that is read for nothing but its name
	mostKept  = 100_000 // ids of deleted mails that are remembered
)

// mailbox is what keys begin with: the port belongs to it, since behind a tunnel it alone
// tells two servers apart.
func (l *POP3) mailbox() string {
	return "pop3://" + escapeURL(l.Account, "") + "@" + net.JoinHostPort(strings.ToLower(l.Host), strconv.Itoa(l.port())) + "/"
}

// index lists the mails of this connection and names them.
//
// A mail is named by its id. A short id comes with the size, and where there is no id, or
// none that is the mail's own, the name is a hash of the header; of mails that have that in
// common too, or whose header says nothing that is theirs alone, a hash of the body is added,
// so that what is left are copies. Each way of
// naming has an epoch of its own: a mail that comes to be named otherwise, since its twin is
// gone, is recognised by its content.
func (s *popSession) index() error {
	all, r, err := s.c.List()
	if err != nil {
		return s.lost("list", err)
	}
	if !r.OK {
		return s.l.refused("list", r)
	}
	count := map[string]int{}
	counted := len(all) > 0 // QUIRK: servers that give the mail's number for an id
	for _, m := range all {
		count[m.ID]++
		counted = counted && m.ID == strconv.Itoa(m.Number)
	}
	base := s.l.mailbox()
	mails := make([]popMail, len(all))
	var poor []int
	for i, m := range all {
		if len(m.ID) > mostID { // QUIRK: over-long ids are as good as others, but no key
			sum := sha256.Sum256([]byte(m.ID))
			m.ID = hex.EncodeToString(sum[:])
		}
		mails[i] = popMail{Message: m, epoch: base, key: base + escapeURL(m.ID, "")}
		switch {
		case m.ID == "", counted, count[all[i].ID] > 1, s.reused(m):
			if counted {
				mails[i].ID = ""
			}
			poor = append(poor, i)
		case len(m.ID) < weakID && m.Size >= 0:
			mails[i].epoch += ";by=size"
			mails[i].key += ";size=" + strconv.FormatInt(m.Size, 10)
		}
	}
	if mails, err = s.nameByContent(mails, poor); err != nil {
		return err
	}
	s.mails, s.numbers = mails, map[string][]int{}
	for _, m := range mails {
		s.numbers[m.key] = append(s.numbers[m.key], m.Number)
	}
	return nil
}

// reused tells whether a mail has the id of one that this launcher deleted: its content tells
// whether it is another, or that one still.
func (s *popSession) reused(m pop3.Message) bool {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.l.erased[m.ID]
}

// erased notes the ids of mails that were deleted.
func (s *popSession) erased(numbers map[int]bool) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.l.erased == nil || len(s.l.erased) > mostKept {
		s.l.erased = map[string]bool{}
	}
	for _, m := range s.mails {
		if numbers[m.Number] && m.ID != "" {
			s.l.erased[m.ID] = true
		}
	}
}

// nameByContent names the mails at the positions poor by their content. Those that the
// server does not show are left out: they are listed once it does.
func (s *popSession) nameByContent(mails []popMail, poor []int) ([]popMail, error) {
	if len(poor) == 0 {
		return mails, nil
	}
	heads := make([]popHash, len(mails))
	width := 1
	if s.c.Has("PIPELINING") {
		width = topsAhead
	}
	for part := range slices.Chunk(poor, width) {
		if err := s.heads(mails, part, heads); err != nil {
			return nil, err
		}
	}
	twins := map[string]int{}
	for _, i := range poor {
		twins[mails[i].ID+" "+heads[i].head]++
	}
	hidden := map[int]bool{}
	for _, i := range poor {
		m := &mails[i]
		m.epoch = s.l.mailbox() + ";by=header"
		m.key = s.l.mailbox() + escapeURL(m.ID, "") + ";header=" + heads[i].head
		if heads[i].head == "" {
			hidden[m.Number] = true
		} else if twins[m.ID+" "+heads[i].head] > 1 || !heads[i].own {
			whole, err := s.hash("RETR " + strconv.Itoa(m.Number))
			if err != nil {
				return nil, err
			}
			if whole.body == "" {
				hidden[m.Number] = true
			}
			m.key += ";body=" + whole.body
		}
	}
	if len(hidden) > 0 {
		s.log.Warn("pop3: the server shows no content of mails without an id of their own; they are left out of this listing", "mails", len(hidden))
	}
	return slices.DeleteFunc(mails, func(m popMail) bool { return hidden[m.Number] }), nil
}

// heads fills in the hashes of the headers of part: by TOP, or RETR where there is no TOP.
func (s *popSession) heads(mails []popMail, part []int, heads []popHash) error {
	if !s.noTop {
		commands := make([]string, len(part))
		for k, i := range part {
			commands[k] = "TOP " + strconv.Itoa(mails[i].Number) + " 0"
		}
		if err := s.c.Send(commands...); err != nil {
			return s.lost("top", err)
		}
		for _, i := range part {
			head, err := s.answerHash()
			if err != nil {
				return err
			}
			heads[i] = head
		}
	}
	for _, i := range part {
		if heads[i].head != "" {
			continue
		}
		head, err := s.hash("RETR " + strconv.Itoa(mails[i].Number))
		if err != nil {
			return err
		}
		heads[i] = head
		s.noTop = s.noTop || head.head != "" // what TOP refuses comes by RETR: TOP is not asked for any more
	}
	return nil
}

// popHash are the hashes of a mail; "" when the server does not show it.
type popHash struct {
	head, body string
	own        bool // the header holds what no other mail's does
}

// hash sends a command and returns the hashes of what it brings.
func (s *popSession) hash(command string) (popHash, error) {
	if err := s.c.Send(command); err != nil {
		return popHash{}, s.lost("read", err)
	}
	return s.answerHash()
}

// answerHash reads one answer.
func (s *popSession) answerHash() (popHash, error) {
	r, err := s.c.Reply()
	if err != nil {
		return popHash{}, s.lost("read", err)
	}
	if !r.OK {
		if r.Code == "SYS/TEMP" {
			return popHash{}, s.l.refused("read", r)
		}
		return popHash{}, nil
	}
	b := s.c.Body()
	first, err := io.ReadAll(io.LimitReader(b, mostHead))
	if err != nil {
		return popHash{}, s.lost("read", err)
	}
	header, rest, _ := bytes.Cut(first, []byte("\r\n\r\n"))
	sum := sha256.New()
	sum.Write(rest)
	if _, err := io.Copy(sum, io.LimitReader(b, mostWhole)); err != nil {
		return popHash{}, s.lost("read", err)
	}
	if !b.Ended() {
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			return popHash{}, s.lost("read", errPOP3("read", vaguemestre.ClassSource, "a mail without an id of its own is larger than 1 GiB: remove it with a mail program"))
		}
	}
	return popHash{hashHeader(header), hex.EncodeToString(sum.Sum(nil)), ownHeader(header)}, nil
}

// ownHeader tells whether a header has a Message-ID or a trace with the time and number of the
// mail (RFC 5322 sections 3.6.4 and 3.6.7).
//
// QUIRK: scanners and fax gateways that a server takes mails from directly send neither, and
// every mail of theirs has the same header.
func ownHeader(header []byte) bool {
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if name := string(name); strings.EqualFold(name, "message-id") || strings.EqualFold(name, "received") {
			return true
		}
	}
	return false
}

// hashHeader leaves out the lines that servers with mbox files write themselves, and change.
func hashHeader(header []byte) string {
	sum := sha256.New()
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch strings.ToLower(string(name)) {
		case "status", "x-status", "x-uidl", "x-uid", "x-keywords", "x-imap", "x-imapbase", "":
			continue
		}
		sum.Write(line)
		sum.Write([]byte("\n"))
	}
	return hex.EncodeToString(sum.Sum(nil))
}
