package launcher

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"strings"
	"time"
)

// selected are the properties that a message is put together from.
const selected = "internetMessageHeaders,internetMessageId,subject,from,sender,toRecipients,ccRecipients,replyTo,sentDateTime,receivedDateTime,hasAttachments,body"

type recipient struct {
	Address struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	} `json:"emailAddress"`
}

type properties struct {
	Headers []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"internetMessageHeaders"`
	MessageID string      `json:"internetMessageId"`
	Subject   string      `json:"subject"`
	From      *recipient  `json:"from"`
	Sender    *recipient  `json:"sender"`
	To        []recipient `json:"toRecipients"`
	Cc        []recipient `json:"ccRecipients"`
	ReplyTo   []recipient `json:"replyTo"`
	Sent      string      `json:"sentDateTime"`
	Received  string      `json:"receivedDateTime"`
	Attached  looseBool   `json:"hasAttachments"`
	Body      struct {
		Type    string `json:"contentType"`
		Content string `json:"content"`
	} `json:"body"`
}

func newBoundary() string { return "vaguemestre-" + rand.Text() }

// head is the mail from its first header to the end of its text. The headers are those that
// came with it; of a mail that has none (QUIRK: mail that was sent from here, see
// microsoft-graph-docs issue 3066) they are made of its properties.
func (p *properties) head(boundary string) string {
	var b strings.Builder
	have := map[string]bool{}
	for _, h := range p.Headers {
		name := strings.ToLower(h.Name)
		if strings.HasPrefix(name, "content-") || name == "mime-version" || !isFieldName(h.Name) {
			continue // of the MIME that is not there
		}
		have[name] = true
		writeField(&b, h.Name, h.Value)
	}
	add := func(name, value string) {
		if !have[strings.ToLower(name)] && value != "" {
			writeField(&b, name, value)
		}
	}
	sent := p.Sent
	if sent == "" {
		sent = p.Received
	}
	if t, err := time.Parse(time.RFC3339Nano, sent); err == nil {
		add("Date", t.UTC().Format(time.RFC1123Z))
	}
	from := p.From
	if from == nil {
		from = p.Sender
	}
	if from != nil {
		add("From", addressList([]recipient{*from}))
	}
	add("To", addressList(p.To))
	add("Cc", addressList(p.Cc))
	add("Reply-To", addressList(p.ReplyTo))
	add("Subject", mime.QEncoding.Encode("utf-8", oneLine(p.Subject))) // RFC 2047
	add("Message-ID", p.MessageID)
	kind := "plain"
	if strings.EqualFold(p.Body.Type, "html") {
		kind = "html"
	}
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%q\r\n\r\n--%s\r\n"+
		"Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, boundary, kind)
	_, _ = io.Copy(&b, &base64Lines{src: strings.NewReader(p.Body.Content)}) // a reader in memory
	return b.String()
}

func addressList(list []recipient) string {
	var out []string
	for _, r := range list {
		address := oneLine(r.Address.Address)
		if address == "" {
			continue
		}
		name := oneLine(r.Address.Name)
		if strings.EqualFold(name, address) {
			name = ""
		}
		out = append(out, (&mail.Address{Name: name, Address: address}).String())
	}
	return strings.Join(out, ", ")
}

// isFieldName tells whether s can be the name of a header field (RFC 5322 section 3.6.8).
func isFieldName(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == ':' })
}

// oneLine takes line ends and NUL out of a value.
func oneLine(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\x00", "").Replace(s))
}

// writeField folds a field at its blanks: RFC 5322 section 2.1.1 allows 998 bytes a line.
func writeField(b *strings.Builder, name, value string) {
	b.WriteString(name)
	b.WriteByte(':')
	column := len(name) + 1
	for word := range strings.FieldsSeq(oneLine(value)) {
		if column > 1 && column+1+len(word) > 200 && column > len(name)+1 {
			b.WriteString("\r\n")
			column = 0
		}
		b.WriteByte(' ')
		b.WriteString(word)
		column += 1 + len(word)
	}
	b.WriteString("\r\n")
}

// header is that of an attachment's part; raw says that its content follows as it is.
func (a *attachment) header() (text string, raw bool) {
	var b strings.Builder
	kind, params, err := mime.ParseMediaType(a.ContentType)
	if err != nil || !strings.Contains(kind, "/") || strings.HasPrefix(kind, "multipart/") {
		kind, params = "application/octet-stream", nil
	}
	delete(params, "name")
	if text := mime.FormatMediaType(kind, params); text != "" && len(text) < 500 {
		kind = text
	}
	writeField(&b, "Content-Type", kind)
	disposition := "attachment"
	if a.Inline {
		disposition = "inline"
	}
	b.WriteString("Content-Disposition: " + disposition + fileName(oneLine(a.Name)) + "\r\n")
	if id := strings.Trim(oneLine(a.contentID), "<> "); id != "" {
		writeField(&b, "Content-ID", "<"+id+">")
	}
	raw = strings.HasPrefix(kind, "message/rfc822") // RFC 2046 section 5.2.1: base64 is not allowed
	encoding := "base64"
	if raw {
		encoding = "8bit"
	}
	b.WriteString("Content-Transfer-Encoding: " + encoding + "\r\n\r\n")
	return b.String(), raw
}

// fileName is the filename parameter: quoted where it is plain ASCII, else as RFC 2231
// sections 3 and 4 say, in pieces that keep lines short.
func fileName(name string) string {
	if name == "" {
		return ""
	}
	if len(name) <= 60 && !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c >= 0x7f || c == '"' || c == '\\' }) {
		return ";\r\n filename=\"" + name + "\""
	}
	var out, piece strings.Builder
	n := 0
	flush := func() {
		first := ""
		if n == 0 {
			first = "utf-8''"
		}
		fmt.Fprintf(&out, ";\r\n filename*%d*=%s%s", n, first, piece.String())
		piece.Reset()
		n++
	}
	for _, c := range []byte(strings.ToValidUTF8(name, "\uFFFD")) {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._", c) >= 0 {
			piece.WriteByte(c)
		} else {
			fmt.Fprintf(&piece, "%%%02X", c)
		}
		if piece.Len() >= 60 {
			flush()
		}
	}
	if piece.Len() > 0 {
		flush()
	}
	return out.String()
}

// sniff finds what an item attachment is: graph/api/attachment-get gives a mail as MIME, a
// contact as vCard and an event as iCalendar, and its contentType is null.
func (a *attachment) sniff(body io.Reader) (io.Reader, error) {
	head := make([]byte, 15)
	n := 0
	for n < len(head) {
		k, err := body.Read(head[n:])
		if n += k; err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	head = head[:n]
	suffix := ".eml"
	switch {
	case bytes.HasPrefix(bytes.ToUpper(head), []byte("BEGIN:VCARD")):
		a.ContentType, suffix = "text/vcard", ".vcf"
	case bytes.HasPrefix(bytes.ToUpper(head), []byte("BEGIN:VCALENDAR")):
		a.ContentType, suffix = "text/calendar", ".ics"
	default:
		a.ContentType = "message/rfc822"
	}
	a.Inline = false
	if !strings.HasSuffix(strings.ToLower(a.Name), suffix) {
		a.Name += suffix
	}
	return io.MultiReader(bytes.NewReader(head), body), nil
}

// base64Lines encodes src in lines of 76 (RFC 2045 section 6.8).
type base64Lines struct {
	src io.Reader
	in  [57 * 64]byte
	buf [78 * 64]byte
	out []byte // of buf, to be given
	err error
}

func (b *base64Lines) Read(p []byte) (int, error) {
	if len(b.out) == 0 && b.err == nil {
		b.fill()
	}
	if len(b.out) == 0 {
		return 0, b.err
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

func (b *base64Lines) fill() {
	n := 0
	for n < len(b.in) && b.err == nil {
		var k int
		k, b.err = b.src.Read(b.in[n:])
		n += k
	}
	b.out = b.buf[:0]
	if b.err != nil && b.err != io.EOF {
		return // what was cut is not given: it would look whole
	}
	for in := b.in[:n]; len(in) > 0; {
		line := in[:min(57, len(in))]
		in = in[len(line):]
		b.out = base64.StdEncoding.AppendEncode(b.out, line)
		b.out = append(b.out, "\r\n"...)
	}
}
