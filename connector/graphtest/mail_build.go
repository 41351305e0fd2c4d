package graphtest

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
)

// build writes the mail of c, without Bcc, as its recipients get it.
func (t *tempFiles) build(c *content) (*blob, error) {
	out := &blobWriter{files: t}
	w := &mimeWriter{w: bufio.NewWriterSize(out, 64<<10)}
	w.mail(c)
	if err := w.w.Flush(); err != nil {
		return nil, err
	}
	return out.blob()
}

// mimeWriter writes MIME. Errors stay in w and show when it is flushed.
type mimeWriter struct{ w *bufio.Writer }

func (w *mimeWriter) field(name, value string) {
	if value != "" {
		fmt.Fprintf(w.w, "%s: %s\r\n", name, value)
	}
}

func (w *mimeWriter) mail(c *content) {
	w.field("From", formatAddress(c.from))
	if c.sender != nil && c.from != nil && !strings.EqualFold(c.sender.addr, c.from.addr) {
		w.field("Sender", formatAddress(c.sender))
	}
	w.field("To", formatAddresses(c.to))
	w.field("Cc", formatAddresses(c.cc))
	w.field("Reply-To", formatAddresses(c.replyTo))
	w.field("Subject", words(c.subject))
	if !c.date.IsZero() {
		w.field("Date", c.date.UTC().Format(time.RFC1123Z))
	}
	w.field("Message-ID", oneLine(c.messageID))
	if c.importance != "normal" {
		w.field("Importance", c.importance)
	}
	if c.readReceipt != nil && *c.readReceipt {
		w.field("Disposition-Notification-To", formatAddress(c.from))
	}
	if c.deliveryReceipt != nil && *c.deliveryReceipt {
		w.field("Return-Receipt-To", formatAddress(c.from))
	}
	for _, p := range mapiHeaders {
		w.field(p.name, oneLine(c.extended[p.id]))
	}
	for _, h := range c.headers {
		w.field(h.name, words(oneLine(h.value)))
	}
	w.field("MIME-Version", "1.0")
	w.body(c)
}

// mapiHeaders are the MAPI properties that become header fields when a mail goes out
// (MS-OXPROPS: PidTagListUnsubscribe, PidTagInReplyToId, PidTagInternetReferences).
var mapiHeaders = []struct{ id, name string }{
	{"String 0x1045", "List-Unsubscribe"},
	{"String 0x1042", "In-Reply-To"},
	{"String 0x1039", "References"},
}

// body writes what follows the header: text, in multipart/related with what is inline, in
// multipart/mixed with the rest.
func (w *mimeWriter) body(c *content) {
	var inline, rest []*attachment
	for _, a := range c.attachments {
		switch {
		case a.kind == referenceKind:
		case a.inline && c.html:
			inline = append(inline, a)
		default:
			rest = append(rest, a)
		}
	}
	text := func() { w.text(c) }
	related := text
	if len(inline) > 0 {
		related = func() { w.multipart("related", text, inline) }
	}
	if len(rest) > 0 {
		w.multipart("mixed", related, rest)
		return
	}
	related()
}

func (w *mimeWriter) multipart(kind string, first func(), parts []*attachment) {
	boundary := "_" + strings.ReplaceAll(newGUID(), "-", "") + "_"
	fmt.Fprintf(w.w, "Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n--%s\r\n", kind, boundary, boundary)
	first()
	for _, a := range parts {
		fmt.Fprintf(w.w, "\r\n--%s\r\n", boundary)
		w.attachment(a)
	}
	fmt.Fprintf(w.w, "\r\n--%s--\r\n", boundary)
}

func (w *mimeWriter) text(c *content) {
	kind := "plain"
	if c.html {
		kind = "html"
	}
	fmt.Fprintf(w.w, "Content-Type: text/%s; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", kind)
	w.base64(strings.NewReader(c.text()))
}

func (w *mimeWriter) attachment(a *attachment) {
	if a.kind == itemKind {
		fmt.Fprint(w.w, "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n")
		w.copy(a)
		return
	}
	kind := a.contentType
	if media, _, err := mime.ParseMediaType(kind); err != nil || strings.HasPrefix(media, "multipart/") || strings.HasPrefix(media, "message/") {
		kind = "application/octet-stream"
	}
	disposition := "attachment"
	if a.inline {
		disposition = "inline"
	}
	w.field("Content-Type", oneLine(kind))
	w.field("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": oneLine(a.name)}))
	if a.contentID != "" {
		w.field("Content-ID", "<"+oneLine(a.contentID)+">")
	}
	w.field("Content-Location", oneLine(a.location))
	w.field("Content-Transfer-Encoding", "base64")
	w.w.WriteString("\r\n")
	r := a.open()
	defer r.Close()
	w.base64(r)
}

func (w *mimeWriter) copy(a *attachment) {
	r := a.open()
	defer r.Close()
	io.Copy(w.w, r)
}

// base64 writes r in lines of 76 characters (RFC 2045 section 6.8).
func (w *mimeWriter) base64(r io.Reader) {
	in := make([]byte, 57*1024)
	line := make([]byte, 78)
	for {
		n, err := io.ReadFull(r, in)
		for chunk := range slices.Chunk(in[:n], 57) {
			base64.StdEncoding.Encode(line, chunk)
			k := base64.StdEncoding.EncodedLen(len(chunk))
			copy(line[k:], "\r\n")
			if _, werr := w.w.Write(line[:k+2]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// formatAddress writes one address as RFC 5322 has it.
func formatAddress(a *address) string {
	if a == nil {
		return ""
	}
	return (&netmail.Address{Name: oneLine(a.name), Address: oneLine(a.addr)}).String()
}

func formatAddresses(list []address) string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = formatAddress(&list[i])
	}
	return strings.Join(out, ",\r\n ")
}

// words encodes what is not ASCII (RFC 2047).
func words(s string) string {
	return strings.ReplaceAll(mime.BEncoding.Encode("utf-8", oneLine(s)), "?= =?", "?=\r\n =?")
}

// oneLine keeps a value from beginning a field of its own.
func oneLine(s string) string { return lineEnds.Replace(s) }

var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")
