package graphtest

import (
	"bytes"
	"io"
	netmail "net/mail"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre/internal/mime"
)

// Bounds of reading a mail.
const (
	maxHeader  = 1 << 20
	maxBody    = 8 << 20 // of a text shown as body
	previewLen = 255     // characters (message resource type, bodyPreview)
)

// parseContent reads a mail. It never fails: what cannot be read is empty.
func parseContent(raw *blob) *content {
	c := newContent()
	if m, _ := mime.Parse(raw, raw.size, nil); m != nil && m.Root != nil {
		c.readHeader(m.Root.Header)
		c.take(m.Root)
	}
	c.headers = headersOf(raw)
	return c
}

func newContent() *content {
	return &content{importance: "normal", text: func() string { return "" }}
}

func (c *content) readHeader(h mime.Header) {
	c.subject = h.Text("Subject")
	if c.messageID = strings.TrimSpace(h.Get("Message-Id")); c.messageID == "" {
		c.messageID = newMessageID()
	}
	c.from = firstAddress(h.Addresses("From"))
	if c.sender = firstAddress(h.Addresses("Sender")); c.sender == nil {
		c.sender = c.from
	}
	c.to, c.cc, c.bcc = addresses(h.Addresses("To")), addresses(h.Addresses("Cc")), addresses(h.Addresses("Bcc"))
	c.replyTo = addresses(h.Addresses("Reply-To"))
	c.date, _ = h.Date()
	if i := strings.ToLower(strings.TrimSpace(h.Get("Importance"))); i == "high" || i == "low" {
		c.importance = i
	}
	if refs := strings.Fields(h.Get("References")); len(refs) > 0 {
		c.thread = refs[0]
	} else if c.thread = strings.TrimSpace(h.Get("In-Reply-To")); c.thread == "" {
		c.thread = c.messageID
	}
	if h.Get("Disposition-Notification-To") != "" {
		yes := true
		c.readReceipt = &yes
	}
}

// take goes through the parts and sorts them into body and attachments.
func (c *content) take(root *mime.Part) {
	var body *mime.Part
	var visit func(p *mime.Part)
	visit = func(p *mime.Part) {
		switch {
		case p.Role == mime.RoleMessage && p != root:
			c.attachments = append(c.attachments, itemOf(p))
			return
		case p.Role == mime.RoleBody:
			if body == nil || body.MediaType != "text/html" && p.MediaType == "text/html" {
				body = p
			}
			if p.MediaType == "text/calendar" && strings.EqualFold(p.Params["method"], "request") {
				c.kind = "eventMessageRequest"
			}
		case p.Role == mime.RoleInline, p.Role == mime.RoleAttachment:
			c.attachments = append(c.attachments, partOf(p))
		}
		for _, child := range p.Children {
			visit(child)
		}
	}
	visit(root)
	if body == nil {
		return
	}
	c.html = body.MediaType == "text/html"
	charset := body.Params["charset"]
	c.text = func() string { return readText(body, charset, maxBody) }
	c.preview = preview(readText(body, charset, 8<<10), c.html)
}

// partOf makes a file attachment of a part.
func partOf(p *mime.Part) *attachment {
	n := p.End - p.Start
	if p.Encoding == "base64" {
		n = n * 3 / 4
	}
	return &attachment{id: newID(attachmentID), kind: fileKind, name: p.FileName(""), contentType: p.MediaType,
		inline: p.Role == mime.RoleInline, contentID: p.ContentID, location: strings.TrimSpace(p.Header.Get("Content-Location")),
		size: n + overhead, open: func() io.ReadCloser { return p.Open() }}
}

// itemOf makes an item attachment of an attached mail.
func itemOf(p *mime.Part) *attachment {
	a := partOf(p)
	a.kind, a.inline = itemKind, false
	c := newContent()
	if len(p.Children) > 0 {
		c.readHeader(p.Children[0].Header)
		c.take(p.Children[0])
	}
	a.name, a.item = c.subject, draftOf(c)
	return a
}

func firstAddress(list []netmail.Address) *address {
	if len(list) == 0 {
		return nil
	}
	return &address{list[0].Name, list[0].Address}
}

func addresses(list []netmail.Address) []address {
	out := make([]address, len(list))
	for i, a := range list {
		out[i] = address{a.Name, a.Address}
	}
	return out
}

var folds = strings.NewReplacer("\r\n", "", "\n", "")

// headersOf returns the header fields in order, unfolded.
func headersOf(raw *blob) []header {
	list, _ := splitHeader(raw)
	out := make([]header, 0, len(list))
	for _, f := range list {
		name, value, ok := strings.Cut(f, ":")
		if !ok {
			continue
		}
		value = folds.Replace(strings.TrimSpace(value))
		out = append(out, header{strings.TrimSpace(name), strings.ToValidUTF8(value, "\uFFFD")})
	}
	return out
}

// splitHeader cuts a mail's header into fields with their folding and line ends, and tells
// where the body begins, its empty line included.
func splitHeader(raw *blob) (fields []string, body int64) {
	head := make([]byte, min(raw.size, maxHeader))
	n, _ := raw.ReadAt(head, 0)
	head = head[:n]
	for len(head) > 0 {
		line := head
		if i := bytes.IndexByte(head, '\n'); i >= 0 {
			line = head[:i+1]
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			fields[len(fields)-1] += string(line)
		} else {
			fields = append(fields, string(line))
		}
		body += int64(len(line))
		head = head[len(line):]
	}
	return fields, body
}

// readText reads a text part, converted to UTF-8 as far as this server knows its charset.
func readText(p *mime.Part, charset string, limit int64) string {
	r := p.Open()
	defer r.Close()
	b, _ := io.ReadAll(io.LimitReader(r, limit))
	if strings.EqualFold(charset, "iso-8859-1") || strings.EqualFold(charset, "windows-1252") || strings.EqualFold(charset, "iso-8859-15") {
		out := make([]rune, len(b))
		for i, c := range b {
			out[i] = rune(c)
		}
		return string(out)
	}
	if !utf8.Valid(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(b)
}

var tags = regexp.MustCompile(`(?s)<(style|script|head).*?</(style|script|head)>|<[^>]*>`)

// preview is the beginning of a text in one line.
func preview(text string, html bool) string {
	if html {
		text = tags.ReplaceAllString(text, " ")
	}
	r := []rune(strings.Join(strings.Fields(text), " "))
	return string(r[:min(len(r), previewLen)])
}
