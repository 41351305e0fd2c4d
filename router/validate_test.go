package router

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

func valid() *Message {
	inline := Bytes("logo.png", "image/png", []byte("x"))
	inline.ContentID = "logo"
	return &Message{
		From: "Service achats <achats@example.org>", ReplyTo: []string{"r@example.org"},
		To: []string{"a@example.org"}, Cc: []string{"B <b@example.org>"}, Bcc: []string{"c@example.org"}, Envelope: []string{"a@example.org"},
		Subject: "Facture n° 12 – été 🙂", Text: "Bonjour\r\n\x00\n.\n", HTML: `<img src="cid:logo">`,
		Inline: []Attachment{inline}, Attachments: []Attachment{Bytes("à payer.pdf", "", nil), Bytes("b.txt", "text/plain; charset=utf-8", nil)},
		Headers:    map[string]string{"X-Dossier": "été", "References": "<a@b> <c@d>", "Auto-Submitted": "auto-generated"},
		Importance: ImportanceLow, ReadReceipt: true, DSN: &DSN{Notify: []Notify{NotifySuccess, NotifyFailure, NotifyDelay}, Return: ReturnHeaders, EnvelopeID: "Lot 12+3=15 ~"}, MessageID: "x.1@example.org", Date: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC),
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if is := valid().Validate(); len(is) != 0 {
		t.Fatalf("a valid message has issues: %v", is)
	}
	if is := (&Message{To: []string{"a@b.fr"}}).Validate(); len(is) != 0 {
		t.Errorf("the smallest message has issues: %v", is)
	}
	header := func(k, v string) func(*Message) {
		return func(m *Message) { m.Headers = map[string]string{k: v} }
	}
	file := func(f func(a *Attachment)) func(*Message) {
		return func(m *Message) { f(&m.Attachments[0]) }
	}
	for _, c := range []struct {
		name, path, code string
		change           func(m *Message)
	}{
		{"dsn without notify", "dsn.notify", "required", func(m *Message) { m.DSN.Notify = nil }},
		{"dsn of another name", "dsn.notify[0]", "not_one_of", func(m *Message) { m.DSN.Notify = []Notify{"SUCCESS"} }},
		{"dsn never and more", "dsn.notify[1]", "not_one_of", func(m *Message) { m.DSN.Notify = []Notify{NotifyFailure, NotifyNever} }},
		{"dsn twice", "dsn.notify[1]", CodeDuplicate, func(m *Message) { m.DSN.Notify = []Notify{NotifyDelay, NotifyDelay} }},
		{"dsn return", "dsn.return", "not_one_of", func(m *Message) { m.DSN.Return = "hdrs" }},
		{"dsn id CR", "dsn.envelope_id", CodeControl, func(m *Message) { m.DSN.EnvelopeID = "a\r\nRCPT" }},
		{"dsn id accent", "dsn.envelope_id", "bad_format", func(m *Message) { m.DSN.EnvelopeID = "été" }},
		{"dsn id long", "dsn.envelope_id", CodeTooLong, func(m *Message) { m.DSN.EnvelopeID = strings.Repeat("x", 98) + "=" }},
		{"nobody", "to", "required", func(m *Message) { m.To, m.Cc, m.Bcc, m.Envelope = nil, nil, nil, nil }},
		{"empty envelope", "envelope", "required", func(m *Message) { m.Envelope = []string{} }},
		{"from", "from", "bad_format", func(m *Message) { m.From = "achats" }},
		{"from CR", "from", "control_character", func(m *Message) { m.From = "a@b.fr\r" }},
		{"reply to", "reply_to[0]", "bad_format", func(m *Message) { m.ReplyTo[0] = "x" }},
		{"to", "to[1]", "bad_format", func(m *Message) { m.To = append(m.To, "x") }},
		{"cc", "cc[0]", "bad_format", func(m *Message) { m.Cc[0] = "x" }},
		{"bcc", "bcc[0]", "bad_format", func(m *Message) { m.Bcc[0] = "x" }},
		{"envelope", "envelope[0]", "bad_format", func(m *Message) { m.Envelope[0] = "x" }},
		{"empty entry", "to[1]", "bad_format", func(m *Message) { m.To = append(m.To, "") }},
		{"subject LF", "subject", CodeControl, func(m *Message) { m.Subject = "a\nb" }},
		{"subject tab", "subject", CodeControl, func(m *Message) { m.Subject = "a\tb" }},
		{"subject NEL", "subject", CodeControl, func(m *Message) { m.Subject = "a\u0085b" }},
		{"subject separator", "subject", CodeControl, func(m *Message) { m.Subject = "a\u2028b" }},
		{"subject latin-1", "subject", CodeNotUTF8, func(m *Message) { m.Subject = "\xe9t\xe9" }},
		{"subject encoded", "subject", "bad_format", func(m *Message) { m.Subject = "=?utf-8?q?a?=" }},
		{"subject word", "subject", CodeTooLong, func(m *Message) { m.Subject = strings.Repeat("x", 901) }},
		{"subject long", "subject", CodeTooLong, func(m *Message) { m.Subject = strings.Repeat("x ", 20_000) }},
		{"text latin-1", "text", CodeNotUTF8, func(m *Message) { m.Text = "\xe9" }},
		{"html latin-1", "html", CodeNotUTF8, func(m *Message) { m.HTML = "\xe9" }},
		{"importance", "importance", "not_one_of", func(m *Message) { m.Importance = "urgent\r\nX: y" }},
		{"header name space", "headers", "bad_format", header("X A", "")},
		{"header name colon", "headers", "bad_format", header("X:A", "")},
		{"header name CRLF", "headers", "bad_format", header("X\r\nY", "")},
		{"header name accent", "headers", "bad_format", header("Été", "")},
		{"header name empty", "headers", "bad_format", header("", "")},
		{"header name long", "headers", "bad_format", header(strings.Repeat("x", 77), "")},
		{"header value CRLF", "headers.X-A", CodeControl, header("X-A", "a\r\n b")},
		{"header value long word", "headers.X-A", CodeTooLong, header("X-A", strings.Repeat("x", 1000))},
		{"header from", "headers.FROM", CodeReserved, header("FROM", "x")},
		{"header content", "headers.content-anything", CodeReserved, header("content-anything", "x")},
		{"header resent", "headers.Resent-To", CodeReserved, header("Resent-To", "x")},
		{"header dkim", "headers.DKIM-Signature", CodeReserved, header("DKIM-Signature", "x")},
		{"header mime", "headers.Mime-Version", CodeReserved, header("Mime-Version", "1.0")},
		{"header twice", "headers.x-a", CodeDuplicate, func(m *Message) { m.Headers = map[string]string{"X-A": "1", "x-a": "2"} }},
		{"id without at", "message_id", "bad_format", func(m *Message) { m.MessageID = "x" }},
		{"id brackets", "message_id", "bad_format", func(m *Message) { m.MessageID = "<x@y>" }},
		{"id CRLF", "message_id", "bad_format", func(m *Message) { m.MessageID = "x@y\r\n" }},
		{"id spaces", "message_id", "bad_format", func(m *Message) { m.MessageID = "x @y" }},
		{"id literal", "message_id", "bad_format", func(m *Message) { m.MessageID = "x@[y" }},
		{"id two at", "message_id", "bad_format", func(m *Message) { m.MessageID = "x@y@z" }},
		{"id long", "message_id", "bad_format", func(m *Message) { m.MessageID = strings.Repeat("x", 250) + "@y" }},
		{"date", "date", "out_of_range", func(m *Message) { m.Date = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"name missing", "attachments[0].name", "required", file(func(a *Attachment) { a.Name = "" })},
		{"name CRLF", "attachments[0].name", CodeControl, file(func(a *Attachment) { a.Name = "a\"\r\nX: y" })},
		{"name long", "attachments[0].name", CodeTooLong, file(func(a *Attachment) { a.Name = strings.Repeat("é", 128) })},
		{"type CRLF", "attachments[0].media_type", "bad_format", file(func(a *Attachment) { a.MediaType = "text/plain\r\nX: y" })},
		{"type accent", "attachments[0].media_type", "bad_format", file(func(a *Attachment) { a.MediaType = "text/é" })},
		{"type long", "attachments[0].media_type", "bad_format", file(func(a *Attachment) { a.MediaType = "text/" + strings.Repeat("x", 300) })},
		{"type half", "attachments[0].media_type", "bad_format", file(func(a *Attachment) { a.MediaType = "text" })},
		{"type multipart", "attachments[0].media_type", "bad_format", file(func(a *Attachment) { a.MediaType = "multipart/mixed" })},
		{"open nil", "attachments[0].open", "required", file(func(a *Attachment) { a.Open = nil })},
		{"cid missing", "inline[0].content_id", "required", func(m *Message) { m.Inline[0].ContentID = "" }},
		{"cid brackets", "inline[0].content_id", "bad_format", func(m *Message) { m.Inline[0].ContentID = "<a@b>" }},
		{"cid CRLF", "attachments[0].content_id", "bad_format", file(func(a *Attachment) { a.ContentID = "a\r\n" })},
		{"cid twice", "attachments[0].content_id", CodeDuplicate, file(func(a *Attachment) { a.ContentID = "logo" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := valid()
			c.change(m)
			is := m.Validate()
			if len(is) != 1 || is[0].Path != c.path || is[0].Code != c.code {
				t.Errorf("got %+v, want one issue at %s with code %s", is, c.path, c.code)
			}
			for _, i := range is {
				if i.Message.EN == "" || i.Message.FR == "" || i.Message.EN == i.Message.FR {
					t.Errorf("the message is not in both languages: %+v", i.Message)
				}
			}
			err := m.Check()
			var got settings.Issues
			if vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !errors.As(err, &got) {
				t.Errorf("Check: %v", err)
			}
		})
	}
	if err := (*Message)(nil).Check(); vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
		t.Errorf("nil: %v", err)
	}
}

// FuzzValidate: a message that validates never yields a header line or an envelope address
// that holds CR, LF or NUL.
func FuzzValidate(f *testing.F) {
	f.Add("a@b.fr", "A <a@b.fr>", "Objet", "X-A", "v", "x@y", "a.pdf", "text/plain", "cid")
	f.Add(`"t> ORCPT=x"@example.org`, "a@b.fr\r\nDATA", "a\r\nBcc: x@y", "X-A: 1\r\nBcc", "a\nb", "x@y>\r\n", "a\"\r\nX: y", "a/b\r\n", "a\r\n")
	f.Add(`"a\"b"@c.fr`, "\"\\\r\n\" <a@b.fr>", "\u2028", "été", "\x00", "x@[y]", "\x7f", "a/b; c=\"\r\n\"", "é")
	f.Add("l'été@école.fr", `"a\b" <"a.b"@[IPv6:::1]>`, "🙂", "!#$", "é", "!@!", "a\u202eb", "a/b; c*0=d", "(")
	f.Fuzz(func(t *testing.T, from, to, subject, name, value, id, file, mt, cid string) {
		m := &Message{From: from, To: []string{to}, Cc: []string{from}, ReplyTo: []string{to}, Subject: subject, MessageID: id,
			Headers: map[string]string{name: value}}
		a := Bytes(file, mt, nil)
		a.ContentID = cid
		m.Attachments = []Attachment{a}
		if len(m.Validate()) > 0 {
			return
		}
		clean := func(what, s string) {
			if strings.ContainsAny(s, "\r\n\x00") || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%s holds a control character: %q", what, s)
			}
		}
		for _, s := range []string{m.Subject, name, value, id, file, mt, cid} {
			clean("a header", s)
		}
		if strings.ContainsAny(name, ": ") || strings.ContainsAny(id+cid, "<> ") {
			t.Errorf("a name or id ends too early: %q %q %q", name, id, cid)
		}
		rcpt, err := m.Recipients()
		if err != nil || len(rcpt) == 0 {
			t.Fatalf("a valid message has no recipients: %v", err)
		}
		sender, err := m.Sender("")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(rcpt, sender.Address) {
			clean("an envelope address", s)
			if s != "" && (strings.ContainsAny(s, "<>\"\\,;() \t") || strings.Count(s, "@") != 1 || len(s) > 320) {
				t.Errorf("an envelope address is not plain: %q", s)
			}
		}
		// What is written to a header reads back as the same.
		to1, _ := ParseAddress(to)
		clean("a written address", to1.String())
		if again, err := ParseAddress(to1.Address); err != nil || again.Address != to1.Address {
			t.Errorf("%q reads back as %v, %v", to1.Address, again, err)
		}
	})
}
