package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/router"
)

// writeMail writes m as a mail, with the standard library alone. unreadable is the error
// of an attachment, err that of w.
func writeMail(w io.Writer, m *router.Message, from mail.Address) (unreadable, err error) {
	e := &eml{w: bufio.NewWriter(w)}
	e.header("Date", m.Date.Format(time.RFC1123Z))
	e.header("Message-ID", "<"+m.MessageID+">")
	e.header("From", from.String())
	e.addresses("To", m.To)
	e.addresses("Cc", m.Cc) // and never m.Bcc
	e.addresses("Reply-To", m.ReplyTo)
	e.header("Subject", words(m.Subject))
	if m.Importance != router.ImportanceNormal {
		e.header("Importance", string(m.Importance))
	}
	if m.ReadReceipt {
		e.header("Disposition-Notification-To", from.String()) // RFC 8098 section 2.1
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		e.header(name, words(m.Headers[name]))
	}
	e.header("MIME-Version", "1.0")

	// RFC 2046 section 5.1: files around images around the two forms of the text
	mixed := e.begin(nil, "mixed")
	outer := mixed
	if len(m.Inline) > 0 {
		outer = e.begin(mixed, "related")
	}
	body := e.begin(outer, "alternative")
	if m.Text != "" || m.HTML == "" {
		e.text(body, "plain", m.Text)
	}
	if m.HTML != "" {
		e.text(body, "html", m.HTML)
	}
	e.end(body)
	for _, a := range m.Inline {
		e.file(outer, "inline", a)
	}
	if outer != mixed {
		e.end(outer)
	}
	for _, a := range m.Attachments {
		e.file(mixed, "attachment", a)
	}
	e.end(mixed)
	e.keep(e.w.Flush())
	return e.unreadable, e.err
}

// eml is a mail under way. After an error it goes on in vain, and the error stays.
type eml struct {
	w               *bufio.Writer
	unreadable, err error
}

func (e *eml) keep(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *eml) header(name, value string) {
	_, err := fmt.Fprintf(e.w, "%s: %s\r\n", name, value)
	e.keep(err)
}

// words encodes text for a header and folds it: RFC 2047 section 2.
func words(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}

func (e *eml) addresses(name string, list []string) {
	as, err := router.ParseAddresses(list)
	e.keep(err)
	var out []string
	for _, a := range as {
		out = append(out, a.String())
	}
	if len(out) > 0 {
		e.header(name, strings.Join(out, ",\r\n ")) // RFC 5322 section 2.1.1: one a line
	}
}

// begin opens a multipart, in another one or as the whole mail.
func (e *eml) begin(in *multipart.Writer, kind string) *multipart.Writer {
	var out io.Writer = e.w
	inner := multipart.NewWriter(nil)
	contentType := fmt.Sprintf("multipart/%s; boundary=%q", kind, inner.Boundary())
	if in == nil {
		e.header("Content-Type", contentType)
		_, err := e.w.WriteString("\r\n")
		e.keep(err)
	} else {
		out = e.part(in, textproto.MIMEHeader{"Content-Type": {contentType}})
	}
	mw := multipart.NewWriter(out)
	e.keep(mw.SetBoundary(inner.Boundary()))
	return mw
}

func (e *eml) end(mw *multipart.Writer) { e.keep(mw.Close()) }

func (e *eml) part(in *multipart.Writer, h textproto.MIMEHeader) io.Writer {
	w, err := in.CreatePart(h)
	e.keep(err)
	if err != nil {
		return io.Discard
	}
	return w
}

func (e *eml) text(in *multipart.Writer, kind, s string) {
	w := e.part(in, textproto.MIMEHeader{"Content-Type": {"text/" + kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"base64"}})
	e.keep(encode(w, strings.NewReader(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n"))))
}

// file copies an attachment byte for byte.
func (e *eml) file(in *multipart.Writer, disposition string, a router.Attachment) {
	if e.err != nil || e.unreadable != nil {
		return
	}
	r, err := a.Open()
	if err != nil {
		e.unreadable = err
		return
	}
	defer r.Close()
	h := textproto.MIMEHeader{"Content-Type": {a.Type()}, "Content-Transfer-Encoding": {"base64"},
		"Content-Disposition": {mime.FormatMediaType(disposition, map[string]string{"filename": a.Name})}} // RFC 2231
	if a.ContentID != "" {
		h.Set("Content-ID", "<"+a.ContentID+">")
	}
	src := &source{r: r}
	e.keep(encode(e.part(in, h), src))
	e.unreadable = src.err
}

// source remembers that reading failed, and not writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// encode writes base64 in lines of 76 characters: RFC 2045 section 6.8.
func encode(w io.Writer, r io.Reader) error {
	enc := base64.NewEncoder(base64.StdEncoding, &lines{w: w})
	if _, err := io.Copy(enc, r); err != nil {
		return err
	}
	return enc.Close()
}

type lines struct {
	w  io.Writer
	at int
}

func (l *lines) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		k := min(76-l.at, len(p)-n)
		if _, err := l.w.Write(p[n : n+k]); err != nil {
			return n, err
		}
		n, l.at = n+k, l.at+k
		if l.at == 76 {
			l.at = 0
			if _, err := io.WriteString(l.w, "\r\n"); err != nil {
				return n, err
			}
		}
	}
	return len(p), nil
}
