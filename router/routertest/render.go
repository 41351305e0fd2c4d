package routertest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre/router"
)

// render writes m as the mail that a server would get: small and plain, for tests only.
func render(m *router.Message, from mail.Address, files []File) ([]byte, error) {
	var b bytes.Buffer
	head := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	head("From", from.String())
	for _, h := range []struct {
		name string
		list []string
	}{{"Reply-To", m.ReplyTo}, {"To", m.To}, {"Cc", m.Cc}} { // never Bcc
		as, err := router.ParseAddresses(h.list)
		if err != nil {
			return nil, err
		}
		var out []string
		for _, a := range as {
			out = append(out, a.String())
		}
		head(h.name, strings.Join(out, ",\r\n "))
	}
	head("Subject", encodeWords(m.Subject))
	if !m.Date.IsZero() {
		head("Date", m.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	}
	if m.MessageID != "" {
		head("Message-ID", "<"+m.MessageID+">")
	}
	head("Importance", string(m.Importance))
	if m.ReadReceipt {
		head("Disposition-Notification-To", from.String()) // RFC 8098 section 2.1
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		head(name, encodeWords(m.Headers[name]))
	}
	head("MIME-Version", "1.0")

	mixed := multipart.NewWriter(&b)
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%q\r\n\r\n", mixed.Boundary())
	for _, body := range [][2]string{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		if body[1] == "" {
			continue
		}
		w, err := mixed.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {body[0] + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return nil, err
		}
		qp := quotedprintable.NewWriter(w)
		if _, err = qp.Write([]byte(body[1])); err == nil {
			err = qp.Close()
		}
		if err != nil {
			return nil, err
		}
	}
	for i, f := range files {
		var a router.Attachment
		disposition := "inline"
		if i < len(m.Inline) {
			a = m.Inline[i]
		} else {
			a, disposition = m.Attachments[i-len(m.Inline)], "attachment"
		}
		h := textproto.MIMEHeader{
			"Content-Type":              {a.Type()},
			"Content-Transfer-Encoding": {"base64"},
			"Content-Disposition":       {mime.FormatMediaType(disposition, map[string]string{"filename": a.Name})},
		}
		if a.ContentID != "" {
			h.Set("Content-Id", "<"+a.ContentID+">")
		}
		w, err := mixed.CreatePart(h)
		if err != nil {
			return nil, err
		}
		for data := base64.StdEncoding.EncodeToString(f.Data); data != ""; {
			n := min(76, len(data))
			fmt.Fprintf(w, "%s\r\n", data[:n])
			data = data[n:]
		}
	}
	if err := mixed.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// encodeWords folds between the encoded words that mime makes of long text.
func encodeWords(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}
