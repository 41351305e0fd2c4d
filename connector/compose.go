package connector

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// smallMail is the size up to which a mail is composed once, in memory. A larger one is
// composed twice, counted first and then streamed, in memory that does not grow with it.
const smallMail = 1 << 20

// composed is a mail ready to be written, as often as needed, always with the same bytes.
type composed struct {
	from  string   // envelope sender
	rcpts []string // envelope recipients, each once
	utf8  bool     // SMTPUTF8 is needed (RFC 6531)
	dsn   *router.DSN
	id    string // Message-ID
	size  int64  // bytes of the mail for SIZE= (RFC 1870 section 5: without doubled dots)

	texts int64  // about the bytes of the encoded bodies
	ready []byte // the whole of a small mail, dots doubled; nil for a large one
	msg   *gomail.Msg
	job   *composing
}

// composing is what the attachment callbacks of go-mail see of the pass that runs.
type composing struct {
	out   *wire
	count *counter // not nil: only count
	alive func() error
	err   error // of an attachment; go-mail may lose it
}

// counter counts a pass.
type counter struct{ wire }

// compose validates m and builds it. It opens every attachment and reads it to its end,
// so that what cannot be read is found before a connection is opened.
func compose(ctx context.Context, m *router.Message, sender string) (*composed, error) {
	fail := func(err error) error {
		if ctx.Err() != nil {
			return canceled("smtp: compose", ctx.Err())
		}
		return &vaguemestre.Error{Op: "smtp: compose", Class: vaguemestre.ClassPoison, Err: err}
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	c := &composed{dsn: m.DSN, job: &composing{alive: ctx.Err}}
	if err := c.build(m, sender); err != nil {
		return nil, fail(err)
	}
	guess := c.texts + 4096
	for _, list := range [2][]router.Attachment{m.Inline, m.Attachments} {
		for _, a := range list {
			if a.Size < 0 || guess > smallMail {
				guess = smallMail + 1
				break
			}
			guess += b64Size(a.Size) + 1024
		}
	}
	if guess <= smallMail {
		w := &wire{buf: make([]byte, 0, guess)} // no dst: it only grows
		if err := c.pass(&composing{out: w, alive: ctx.Err}); err != nil {
			return nil, fail(err)
		}
		if err := w.finish(); err != nil {
			return nil, fail(err)
		}
		c.ready, c.size = w.buf, w.n
		return c, nil
	}
	n := &counter{}
	n.dst = io.Discard
	if err := c.pass(&composing{out: &n.wire, count: n, alive: ctx.Err}); err != nil {
		return nil, fail(err)
	}
	if err := n.finish(); err != nil {
		return nil, fail(err)
	}
	c.size = n.n
	return c, nil
}

// pass runs go-mail once.
func (c *composed) pass(job *composing) error {
	*c.job = *job
	_, err := c.msg.WriteTo(job.out)
	if c.job.err != nil {
		return c.job.err
	}
	if err == nil {
		err = job.out.err
	}
	return err
}

// writeTo writes the mail, dots doubled, without the final dot. What it returns is its end,
// which is not written yet: it goes out together with the dot. It is valid until w or c is
// used again, and may be appended to.
func (c *composed) writeTo(ctx context.Context, w *wire) ([]byte, error) {
	if c.ready != nil {
		return c.ready, nil
	}
	if err := c.pass(&composing{out: w, alive: ctx.Err}); err != nil {
		return nil, err
	}
	if err := w.finish(); err != nil {
		return nil, err
	}
	if w.n != c.size {
		return nil, &readError{fmt.Errorf("the mail has %d bytes now and had %d when it was counted: an attachment changed meanwhile", w.n, c.size)}
	}
	return w.buf, nil
}

// build gives go-mail everything but the content of the attachments.
func (c *composed) build(m *router.Message, sender string) error {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP), gomail.WithCharset(gomail.CharsetUTF8))
	c.msg = msg
	f, err := m.Sender(sender)
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	if f.Address == "" {
		return errors.New("no sender: set From in the message or sender in the connector")
	}
	c.from = f.Address
	c.need8(f.Address)
	msg.FromMailAddress(&f)
	for _, h := range []struct {
		list []string
		set  func(...*mail.Address)
		name string
	}{{m.To, msg.ToMailAddress, "To"}, {m.Cc, msg.CcMailAddress, "Cc"}, {m.ReplyTo, msg.ReplyToMailAddress, "ReplyTo"}, {m.Bcc, nil, "Bcc"}} {
		list, err := router.ParseAddresses(h.list)
		if err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		if len(list) == 0 || h.set == nil {
			continue // Bcc stands in no header
		}
		ptrs := make([]*mail.Address, len(list))
		for i := range list {
			ptrs[i] = &list[i]
			c.need8(list[i].Address)
		}
		h.set(ptrs...)
	}
	if c.rcpts, err = m.Recipients(); err != nil {
		return fmt.Errorf("recipients: %w", err)
	}
	for _, r := range c.rcpts {
		c.need8(r)
	}

	// Mail.Send sets both; who calls SendMail without it gets what holds for this attempt.
	c.id = m.MessageID
	if c.id == "" {
		c.id = rand.Text() + f.Address[strings.LastIndexByte(f.Address, '@'):]
	}
	msg.SetMessageIDWithValue(c.id)
	date := m.Date
	if date.IsZero() {
		date = time.Now()
	}
	msg.SetDateWithValue(date)
	subject, err := headerText(m.Subject, true)
	if err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	msg.SetGenHeader(gomail.HeaderSubject, subject)
	for k, v := range m.Headers {
		text, err := headerText(v, len(k) > 2 && strings.EqualFold(k[:2], "X-"))
		if err != nil {
			return fmt.Errorf("header %q: %w", k, err)
		}
		msg.SetGenHeader(gomail.Header(k), text)
	}
	switch m.Importance {
	case router.ImportanceHigh:
		msg.SetImportance(gomail.ImportanceHigh)
	case router.ImportanceLow:
		msg.SetImportance(gomail.ImportanceLow)
	}
	if m.ReadReceipt {
		if err := msg.RequestMDNTo(f.String()); err != nil {
			return fmt.Errorf("read receipt: %w", err)
		}
	}

	// Without any body an attachment would become the mail itself; an empty text keeps it one.
	if m.Text != "" || m.HTML == "" {
		msg.SetBodyWriter(gomail.TypeTextPlain, c.text(m.Text))
		if m.HTML != "" {
			msg.AddAlternativeWriter(gomail.TypeTextHTML, c.text(m.HTML))
		}
	} else {
		msg.SetBodyWriter(gomail.TypeTextHTML, c.text(m.HTML))
	}
	var inline, attached []*gomail.File
	for _, a := range m.Inline {
		file, err := c.file(a, "inline")
		if err != nil {
			return err
		}
		inline = append(inline, file)
	}
	for _, a := range m.Attachments {
		file, err := c.file(a, "attachment")
		if err != nil {
			return err
		}
		attached = append(attached, file)
	}
	msg.SetEmbeds(inline)
	msg.SetAttachments(attached)
	return nil
}

// need8 notes that an address outside ASCII needs SMTPUTF8.
func (c *composed) need8(addr string) {
	for i := 0; i < len(addr); i++ {
		if addr[i] >= utf8.RuneSelf {
			c.utf8 = true
		}
	}
}

// text writes a body past go-mail, which would hold it in memory encoded: see file.
func (c *composed) text(s string) func(io.Writer) (int64, error) {
	c.texts += int64(quotedGuess(s))
	return func(io.Writer) (int64, error) { return 0, c.job.out.quoted(s) }
}

// file describes an attachment to go-mail. All headers are ours; go-mail would write the
// name as an encoded word inside quotes, which RFC 2047 section 5 forbids.
func (c *composed) file(a router.Attachment, disposition string) (*gomail.File, error) {
	if a.Open == nil {
		return nil, fmt.Errorf("attachment %q has no content: make it with router.File, router.Bytes or router.Reader", clean(a.Name, 80))
	}
	typ := a.Type()
	if len(typ) > 500 {
		return nil, fmt.Errorf("attachment %q: its media type is too long", clean(a.Name, 80))
	}
	name := fileName(a.Name)
	file := &gomail.File{Name: "attachment", Enc: gomail.EncodingB64, Header: map[string][]string{
		"Content-Type":              {typ + nameParam("name", name)},
		"Content-Transfer-Encoding": {"base64"},
		"Content-Disposition":       {disposition + nameParam("filename", name)},
	}}
	if a.ContentID != "" {
		file.Header["Content-Id"] = []string{"<" + a.ContentID + ">"}
	}
	// go-mail would hold the whole encoded attachment in memory. It has written all that
	// comes before when it calls back, so the content is written past it, right to the wire.
	file.Writer = func(io.Writer) (int64, error) {
		if err := c.job.attach(a); err != nil {
			c.job.err = fmt.Errorf("attachment %q: %w", clean(a.Name, 80), err)
			return 0, c.job.err
		}
		return 0, nil
	}
	return file, nil
}

// attach writes, or counts, the content of one attachment.
func (j *composing) attach(a router.Attachment) (err error) {
	rc, err := a.Open()
	if err != nil {
		return &readError{fmt.Errorf("cannot be opened: %w", err)}
	}
	defer rc.Close()
	var n int64
	if j.count != nil {
		if n, err = io.Copy(io.Discard, alive{rc, j.alive}); err != nil {
			return &readError{fmt.Errorf("cannot be read: %w", err)}
		}
		j.count.n += b64Size(n)
	} else if n, err = b64Copy(j.out, rc, j.alive); err != nil {
		return err
	}
	if a.Size >= 0 && n != a.Size {
		return &readError{fmt.Errorf("has %d bytes, not the %d that were announced", n, a.Size)}
	}
	return nil
}

// alive is a reader that stops when its question is answered with an error.
type alive struct {
	r   io.Reader
	ask func() error
}

func (a alive) Read(p []byte) (int, error) {
	if err := a.ask(); err != nil {
		return 0, err
	}
	return a.r.Read(p)
}

// fileName makes a name fit for a header: valid UTF-8, no controls, no folder.
func fileName(s string) string {
	s = clean(strings.ToValidUTF8(s, "_"), 512)
	s = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "attachment"
	}
	return s
}

// nameParam is a parameter of a MIME header, folded: quoted if plain, else as RFC 2231
// says, in pieces if long.
func nameParam(key, name string) string {
	plain := len(name) <= 60
	for i := 0; i < len(name) && plain; i++ {
		plain = name[i] >= ' ' && name[i] <= '~' && name[i] != '"' && name[i] != '\\'
	}
	if plain && !strings.Contains(name, "=?") {
		return ";\r\n " + key + "=\"" + name + "\""
	}
	var pieces []string
	var b strings.Builder
	for _, r := range name {
		e := percent(string(r))
		if b.Len()+len(e) > 50 {
			pieces = append(pieces, b.String())
			b.Reset()
		}
		b.WriteString(e)
	}
	pieces = append(pieces, b.String())
	if len(pieces) == 1 {
		return ";\r\n " + key + "*=UTF-8''" + pieces[0]
	}
	var out strings.Builder
	for i, p := range pieces { // RFC 2231 section 4.1
		lead := ""
		if i == 0 {
			lead = "UTF-8''"
		}
		fmt.Fprintf(&out, ";\r\n %s*%d*=%s%s", key, i, lead, p)
	}
	return out.String()
}

// percent: attribute-char of RFC 2231 section 7.
func percent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digit(c) || strings.IndexByte("!#$&+-.^_`{|}~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// headerText makes a header value that go-mail writes as it is. free text is encoded also
// where folding or a reader's decoding would change it.
func headerText(s string, free bool) (string, error) {
	if strings.ContainsAny(s, "\r\n\x00") {
		return "", errors.New("it holds a line end or a NUL: remove it")
	}
	encode := false
	for _, r := range s {
		encode = encode || r < ' ' || r > '~'
	}
	long := false
	for _, w := range strings.Split(s, " ") {
		long = long || len(w) > 200
	}
	if free {
		encode = encode || long || strings.Contains(s, "=?") || strings.Contains(s, "  ") || strings.TrimSpace(s) != s
	} else if !encode {
		for _, w := range strings.Split(s, " ") {
			if len(w) > 900 {
				return "", errors.New("it holds a word of more than 900 bytes")
			}
		}
		s = strings.TrimSpace(s)
		for strings.Contains(s, "  ") { // folding white space stands for one space
			s = strings.ReplaceAll(s, "  ", " ")
		}
	}
	if !encode {
		return s, nil
	}
	// RFC 2047 section 2: words of at most 75 bytes, no character split.
	var words []string
	for s = strings.ToValidUTF8(s, "\uFFFD"); s != ""; {
		n := min(len(s), 42)
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " "), nil
}
