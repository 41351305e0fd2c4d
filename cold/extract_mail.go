package cold

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/mime"
)

// mail takes a mail apart. A mail that cannot be is handed over whole, with the reason.
func (x *extractor) mail(f *found, s *spool) error {
	m, err := parseMail(s.reader(), s.size, &mime.Options{Depth: x.lim.Depth, Parts: x.lim.Parts, Header: x.lim.Header})
	var h mime.Header
	if m != nil && m.Root != nil {
		h = m.Root.Header
	}
	fields := mailFields(h)
	if id := fields["message_id"]; id != "" {
		f.item.MessageID = "<" + id + ">"
	} else {
		f.alike = strings.Join([]string{fields["date"], fields["from"], fields["to"], fields["subject"]}, "\x00")
	}
	if err == nil && x.sel.needsHeaders() {
		if ok, why := x.sel.matchHeaders(addresses(h, "From"), append(addresses(h, "To"), addresses(h, "Cc")...), h.Text("Subject")); !ok {
			f.state, f.reason = StateDeselected, why
			return nil
		}
	}
	whole := Document{Name: emlName(fields["subject"]), MediaType: "message/rfc822", Size: s.size,
		Path: []string{f.item.Key}, Fields: fields, Open: s.open}
	if err != nil {
		why := "handed over whole: " + err.Error()
		whole.Repairs = []string{why}
		f.docs = append(f.docs, foundDoc{doc: whole, kinds: []string{"eml"}, whole: why, mail: true})
		return nil
	}
	if x.take.EML {
		f.docs = append(f.docs, foundDoc{doc: whole, kinds: []string{"eml"}, mail: true})
	}
	f.docs = x.parts(f.docs, m.Root, []string{f.item.Key}, []string{"mail"}, fields, m.Repairs)
	return nil
}

// parseMail keeps a fault of the parser from stopping the job: the mail is then one
// that cannot be taken apart.
func parseMail(r io.ReaderAt, size int64, o *mime.Options) (m *mime.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("mime: the parser failed on it: %v", p)
		}
	}()
	return mime.Parse(r, size, o)
}

// parts walks the tree of a mail in its order and adds every leaf to docs.
func (x *extractor) parts(docs []foundDoc, p *mime.Part, where, kinds []string, fields map[string]string, repairs []string) []foundDoc {
	if p.Role == mime.RoleContainer {
		for _, c := range p.Children {
			docs = x.parts(docs, c, where, kinds, fields, repairs)
		}
		return docs
	}
	d := Document{Name: p.FileName(fields["subject"]), MediaType: p.MediaType, Size: -1, Path: where, Fields: fields}
	if len(repairs)+len(p.Repairs) > 0 {
		d.Repairs = append(append([]string(nil), repairs...), p.Repairs...)
	}
	d.Open = func() (io.ReadSeekCloser, error) { return p.Open(), nil }
	pass := ""
	switch p.Role {
	case mime.RoleBody:
		pass = x.passBody(p.MediaType)
	case mime.RoleInline:
		if !x.take.Inline {
			pass = passInline
		}
	case mime.RoleAttachment:
		if !x.take.Attachments {
			pass = "take: attachments are not taken"
		}
	case mime.RoleMessage:
		switch x.take.Nested {
		case NestedNone:
			pass = passMail
		case NestedExpand:
			if len(p.Children) > 0 {
				pass = "take: an attached mail is taken apart"
			}
		}
	}
	docs = append(docs, foundDoc{doc: d, kinds: kinds, entry: Entered{Reason: pass}, mail: p.Role == mime.RoleMessage})
	if p.Role == mime.RoleMessage && (x.take.Nested == NestedExpand || x.take.Nested == NestedBoth) {
		inner := append(append([]string(nil), where...), "message/rfc822:"+d.Name)
		for _, c := range p.Children {
			docs = x.parts(docs, c, inner, append(append([]string(nil), kinds...), "message/rfc822"), mailFields(c.Header), p.Repairs)
		}
	}
	return docs
}

const (
	passInline = "take: inline parts are not taken"
	passMail   = "take: attached mails are not taken"
)

// passBody says why a text of a mail is not taken; "" if it is.
func (x *extractor) passBody(mediaType string) string {
	html := mediaType == "text/html"
	if b := x.take.Bodies; b != BodiesAll && (html && b != BodiesHTML || !html && b != BodiesText) {
		return "take: this text of the mail is not taken"
	}
	return ""
}

func mailFields(h mime.Header) map[string]string {
	m := map[string]string{}
	put := func(k, v string) {
		if v != "" {
			m[k] = v
		}
	}
	put("message_id", h.MessageID())
	put("subject", h.Text("Subject"))
	for _, k := range []string{"From", "To", "Cc"} {
		put(strings.ToLower(k), strings.Join(addresses(h, k), ", "))
	}
	if t, ok := h.Date(); ok {
		put("date", t.Format(time.RFC3339))
	}
	return m
}

// addresses gives each address of a field as "Name <address>".
func addresses(h mime.Header, field string) []string {
	var out []string
	for _, a := range h.Addresses(field) {
		if a.Name == "" {
			out = append(out, a.Address)
		} else {
			out = append(out, a.Name+" <"+a.Address+">")
		}
	}
	return out
}

func emlName(subject string) string {
	if subject == "" {
		subject = "mail"
	}
	return subject + ".eml"
}
