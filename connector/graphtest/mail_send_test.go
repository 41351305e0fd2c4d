package graphtest

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"
)

// taken is a mail as net/mail and mime/multipart read it, which know nothing of this package.
type taken struct {
	header netmail.Header
	parts  []takenPart
}

type takenPart struct {
	kind, name, disposition, id string
	data                        []byte
}

func take(t *testing.T, raw []byte) *taken {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in %.500q", err, raw)
	}
	out := &taken{header: m.Header}
	var visit func(kind, encoding, disposition, id string, r io.Reader)
	visit = func(kind, encoding, disposition, id string, r io.Reader) {
		media, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(kind, err)
		}
		if strings.HasPrefix(media, "multipart/") {
			for mr := multipart.NewReader(r, params["boundary"]); ; {
				p, err := mr.NextRawPart()
				if err == io.EOF {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				h := p.Header
				visit(h.Get("Content-Type"), h.Get("Content-Transfer-Encoding"), h.Get("Content-Disposition"), h.Get("Content-Id"), p)
			}
		}
		if encoding == "base64" {
			r = base64.NewDecoder(base64.StdEncoding, r)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		d, dp, _ := mime.ParseMediaType(disposition)
		out.parts = append(out.parts, takenPart{media, dp["filename"], d, id, data})
	}
	visit(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", "", m.Body)
	return out
}

func (t *taken) text(name string) string {
	s, _ := new(mime.WordDecoder).DecodeHeader(t.header.Get(name))
	return s
}

// A JSON mail reaches its recipients with everything that it says.
func TestSendMailJSON(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	binary := make([]byte, 70_000)
	for i := range binary {
		binary[i] = byte(i * 7)
	}
	a := w.must(202, "POST", "/me/sendMail", m{"message": m{
		"subject": "Facture n° 118 " + strings.Repeat("très longue ", 20), "importance": "High",
		"body":         m{"contentType": "HTML", "content": "<p>Bonjour <img src=\"cid:logo\"></p>\r\n.\r\n"},
		"toRecipients": to("florian@mondaine.fr", "x@example.org"), "ccRecipients": to("cc@example.org"), "bccRecipients": to("secret@example.org"),
		"replyTo":                to("retour@mondaine.fr"),
		"internetMessageId":      "<118@mondaine.fr>",
		"internetMessageHeaders": []m{{"name": "x-ezged-job", "value": "4711"}},
		"singleValueExtendedProperties": []m{{"id": "String 0x1045", "value": "<mailto:stop@mondaine.fr>"},
			{"id": "String 0x1042", "value": "<117@mondaine.fr>"}, {"id": "String 0x1039", "value": "<116@mondaine.fr> <117@mondaine.fr>"}},
		"isReadReceiptRequested": true,
		"attachments": []m{
			{"@odata.type": "#microsoft.graph.fileAttachment", "name": "été.bin", "contentType": "application/octet-stream", "contentBytes": base64.StdEncoding.EncodeToString(binary)},
			{"@odata.type": "#microsoft.graph.fileAttachment", "name": "logo.png", "contentType": "image/png", "isInline": true, "contentId": "logo", "contentBytes": b64("png")},
			{"@odata.type": "#microsoft.graph.itemAttachment", "name": "lettre", "item": m{"subject": "Lettre", "body": m{"contentType": "text", "content": "dedans"}, "toRecipients": to("y@example.org")}},
		},
	}})
	if len(a.body) != 0 || a.header.Get("Content-Type") != "" {
		t.Error("202 with a body or a type")
	}
	out := w.srv.Outbox()
	if len(out) != 1 || out[0].From != "compta@mondaine.fr" || strings.Join(out[0].To, " ") != "florian@mondaine.fr x@example.org cc@example.org secret@example.org" {
		t.Fatalf("%+v", out)
	}
	got := take(t, out[0].Raw)
	for name, want := range map[string]string{"From": "Comptabilité <compta@mondaine.fr>", "To": "<florian@mondaine.fr>, <x@example.org>", "Cc": "<cc@example.org>", "Bcc": "",
		"Subject": "Facture n° 118 " + strings.Repeat("très longue ", 20), "Reply-To": "<retour@mondaine.fr>", "Message-Id": "<118@mondaine.fr>", "X-Ezged-Job": "4711",
		"List-Unsubscribe": "<mailto:stop@mondaine.fr>", "In-Reply-To": "<117@mondaine.fr>", "References": "<116@mondaine.fr> <117@mondaine.fr>", "Importance": "high",
		"Disposition-Notification-To": "Comptabilité <compta@mondaine.fr>", "Date": "Sat, 21 Nov 2026 10:00:00 +0000", "Sender": ""} {
		if v := got.text(name); strings.ReplaceAll(v, `"`, "") != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if bytes.Contains(out[0].Raw, []byte("secret@")) {
		t.Error("Bcc is in the mail")
	}
	for i, want := range []takenPart{{kind: "text/html", data: []byte("<p>Bonjour <img src=\"cid:logo\"></p>\r\n.\r\n")},
		{kind: "image/png", name: "logo.png", disposition: "inline", id: "<logo>", data: []byte("png")},
		{kind: "application/octet-stream", name: "été.bin", disposition: "attachment", data: binary}} {
		p := got.parts[i]
		if p.kind != want.kind || p.name != want.name || p.disposition != want.disposition || p.id != want.id || !bytes.Equal(p.data, want.data) {
			t.Errorf("part %d: %+v", i, p)
		}
	}
	if p := got.parts[3]; p.kind != "message/rfc822" || !bytes.Contains(p.data, []byte("Subject: Lettre")) {
		t.Errorf("%+v", p)
	}
	kept := w.compta.Messages("Éléments envoyés")
	if len(kept) != 1 || !kept[0].Sent || kept[0].Draft || !kept[0].Read || !slices.Contains(kept[0].To, "secret@example.org") {
		t.Errorf("%+v", kept)
	}
	in := w.florian.Messages("Inbox")
	if len(in) != 1 || !bytes.Equal(in[0].Raw, out[0].Raw) || in[0].Read || in[0].Sent || slices.Contains(in[0].To, "secret@example.org") {
		t.Errorf("%+v", in)
	}
}

func TestSendMailRefused(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	good := func() m { return m{"subject": "x", "toRecipients": to("x@example.org")} }
	with := func(name string, v any) m { g := good(); g[name] = v; return m{"message": g} }
	for _, c := range []struct {
		name, code string
		body       any
	}{
		{"nobody", "ErrorInvalidRecipients", with("toRecipients", []m{})},
		{"no address", "ErrorInvalidRecipients", with("toRecipients", to("x@example.org", "nobody"))},
		{"two in one", "ErrorInvalidRecipients", with("toRecipients", to("x@example.org, y@example.org"))},
		{"a header without x-", "InvalidInternetMessageHeader", with("internetMessageHeaders", []m{{"name": "List-Unsubscribe", "value": "x"}})},
		{"six headers", "InvalidInternetMessageHeaders", with("internetMessageHeaders", slices.Repeat([]m{{"name": "x-a", "value": "b"}}, 6))},
		{"a header of two lines", "InvalidInternetMessageHeader", with("internetMessageHeaders", []m{{"name": "x-a", "value": "b\r\nBcc: y@example.org"}})},
		{"an unknown property", "RequestBodyRead", with("colour", "red")},
		{"an unknown body type", "RequestBodyRead", with("body", m{"contentType": "rtf"})},
		{"an unknown importance", "RequestBodyRead", with("importance", "urgent")},
		{"an attachment without type", "RequestBodyRead", with("attachments", []m{{"name": "a", "contentBytes": "YQ=="}})},
		{"an attachment of bad base64", "RequestBodyRead", with("attachments", []m{{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "a"}})},
		{"an attachment without name", "ErrorInvalidRequest", with("attachments", []m{{"@odata.type": "#microsoft.graph.fileAttachment", "contentBytes": "YQ=="}})},
		{"an unwrapped message", "RequestBodyRead", good()},
		{"no message", "ErrorInvalidRequest", m{}},
		{"null", "ErrorInvalidRequest", "null"},
		{"an odd saveToSentItems", "RequestBodyRead", m{"message": good(), "saveToSentItems": "perhaps"}},
		{"half of JSON", "BadRequest", `{"message":`},
		{"two values", "BadRequest", `{}{}`},
		{"nothing", "BadRequest", ""},
	} {
		if a := w.do("POST", "/me/sendMail", c.body); a.status != 400 || a.code() != c.code {
			t.Errorf("%s: %d %.200s", c.name, a.status, a.body)
		}
	}
	w.must(415, "POST", "/me/sendMail", "x", "Content-Type: text/html")
	if n := len(w.srv.Outbox()); n != 0 {
		t.Errorf("%d went out", n)
	}
	if l := w.compta.Messages(""); len(l) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestSaveToSentItems(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	for _, v := range []any{false, "false", "False"} {
		w.must(202, "POST", "/me/sendMail", m{"message": m{"toRecipients": to("x@example.org")}, "saveToSentItems": v})
	}
	if l := w.compta.Messages(""); len(l) != 0 || len(w.srv.Outbox()) != 3 {
		t.Errorf("%+v", l)
	}
	w.must(202, "POST", "/me/sendMail", m{"message": m{"toRecipients": to("x@example.org")}, "saveToSentItems": "true"})
	if l := w.compta.Messages("sentitems"); len(l) != 1 {
		t.Errorf("%+v", l)
	}
}

// A mail that comes as MIME keeps its bytes below the header, and loses Bcc, its date and
// what Exchange strips.
func TestSendMailMIME(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	const body = "\r\n--b\r\nContent-Type: text/plain\r\n\r\nsigned  \r\n--b--\r\n"
	mail := "From: Compta <compta@mondaine.fr>\r\nTo: x@example.org\r\nBcc: secret@example.org,\r\n autre@example.org\r\nSubject: S/MIME\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\n" +
		"Message-ID: <mime@mondaine.fr>\r\nAuto-Submitted: auto-generated\r\nContent-Type: multipart/signed;\r\n boundary=\"b\"\r\n" + body
	code := base64.StdEncoding.EncodeToString([]byte(mail))
	w.must(202, "POST", "/me/sendMail", code[:40]+"\r\n"+code[40:], "Content-Type: text/plain")
	out := w.srv.Outbox()
	if len(out) != 1 || strings.Join(out[0].To, " ") != "x@example.org secret@example.org autre@example.org" || out[0].MessageID != "<mime@mondaine.fr>" {
		t.Fatalf("%+v", out)
	}
	raw := string(out[0].Raw)
	if !strings.HasSuffix(raw, "boundary=\"b\"\r\n"+body) || strings.Contains(raw, "secret") || strings.Contains(raw, "autre") || strings.Contains(raw, "Auto-Submitted") || strings.Contains(raw, "2001") {
		t.Errorf("%s", raw)
	}
	if kept := w.compta.Messages("sentitems"); len(kept) != 1 || len(kept[0].To) != 3 {
		t.Errorf("%+v", kept)
	}
	for _, bad := range []string{"§§§", "YQ=", ""} {
		w.refused(400, "ErrorMimeContentInvalidBase64String", "POST", "/me/sendMail", bad, "Content-Type: text/plain")
	}
	w.refused(400, "ErrorInvalidRecipients", "POST", "/me/sendMail", b64("From: compta@mondaine.fr\r\nTo: undisclosed-recipients:;\r\n\r\nx"), "Content-Type: text/plain")
	w.refused(400, "ErrorInvalidRecipients", "POST", "/me/sendMail", b64("\x00\xff"), "Content-Type: text/plain")
}

// A draft goes through its states; the immutable id stays, the ordinary one does not.
func TestDraft(t *testing.T) {
	t.Parallel()
	w := newOffice(t, &Options{SendDelay: 10 * time.Second})
	a := w.must(201, "POST", "/me/messages", m{"subject": "a", "internetMessageId": "<d1@mondaine.fr>", "toRecipients": to("florian@mondaine.fr")}, immutable)
	id := a.str("id")
	path := "/me/messages/" + esc(id)
	if a.json["isDraft"] != true || a.json["from"] != nil || a.str("internetMessageId") != "<d1@mondaine.fr>" ||
		a.str("parentFolderId") != w.must(200, "GET", "/me/mailFolders/drafts", nil).str("id") {
		t.Errorf("%s", a.body)
	}
	w.must(200, "PATCH", path, m{"subject": "b", "body": m{"contentType": "text", "content": "corps"}})
	at := w.must(201, "POST", path+"/attachments", m{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentType": "text/plain", "contentBytes": b64("contenu")})
	if at.str("contentBytes") != b64("contenu") || at.json["contentId"] != nil || at.json["size"].(float64) <= 7 {
		t.Errorf("%s", at.body)
	}
	ordinary := w.must(200, "GET", path, nil).str("id")
	w.must(202, "POST", path+"/send", nil)
	if out := w.srv.Outbox(); len(out) != 1 || out[0].MessageID != "<d1@mondaine.fr>" || string(take(t, out[0].Raw).parts[1].data) != "contenu" {
		t.Fatalf("%+v", out)
	}
	if a := w.must(200, "GET", path, nil); a.json["isDraft"] != true {
		t.Error("not a draft just after sending")
	}
	w.clock.add(5 * time.Second)
	w.refused(404, "ErrorItemNotFound", "GET", path, nil)
	w.refused(404, "ErrorItemNotFound", "POST", path+"/send", nil)
	if l := w.must(200, "GET", "/me/messages", nil).list("value"); len(l) != 0 {
		t.Errorf("%v", l)
	}
	w.clock.add(5 * time.Second)
	a = w.must(200, "GET", path, nil, immutable)
	if a.json["isDraft"] != false || a.str("id") != id || a.str("subject") != "b" || a.json["hasAttachments"] != true ||
		a.str("parentFolderId") != w.must(200, "GET", "/me/mailFolders/sentitems", nil).str("id") {
		t.Errorf("%s", a.body)
	}
	w.refused(404, "ErrorItemNotFound", "GET", "/me/messages/"+esc(ordinary), nil)
	w.refused(400, "ErrorInvalidRequest", "POST", path+"/send", nil)
	if l := w.must(200, "GET", "/me/messages?$filter=internetMessageId%20eq%20'%3Cd1@mondaine.fr%3E'", nil).list("value"); len(l) != 1 {
		t.Errorf("%v", l)
	}
	if n := len(w.srv.Outbox()); n != 1 {
		t.Errorf("%d went out", n)
	}
}

// MIME drafts keep their bytes until they are changed.
func TestDraftMIME(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	mail := "From: compta@mondaine.fr\r\nTo: x@example.org\r\nX-Dossier: 12\r\nReferences: <r@example.org>\r\nSubject: s\r\n\r\ncorps"
	id := w.must(201, "POST", "/me/messages", b64(mail), "Content-Type: text/plain").str("id")
	if a := w.must(200, "GET", "/me/messages/"+esc(id)+"/$value", nil); string(a.body) != mail {
		t.Errorf("%s", a.body)
	}
	w.must(201, "POST", "/me/messages/"+esc(id)+"/attachments", m{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": b64("joint")})
	w.must(202, "POST", "/me/messages/"+esc(id)+"/send", nil)
	got := take(t, w.srv.Outbox()[0].Raw)
	if got.header.Get("X-Dossier") != "12" || got.header.Get("References") != "<r@example.org>" || string(got.parts[0].data) != "corps" || string(got.parts[1].data) != "joint" {
		t.Errorf("%+v", got)
	}
}

// Without an immutable id a sent draft is not found again under the id that it had.
func TestSendChangesOrdinaryID(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	id := w.must(201, "POST", "/me/messages", m{"toRecipients": to("x@example.org")}).str("id")
	w.must(202, "POST", "/me/messages/"+esc(id)+"/send", nil)
	w.refused(404, "ErrorItemNotFound", "GET", "/me/messages/"+esc(id), nil)
}

func TestMessageIDDropped(t *testing.T) {
	t.Parallel()
	w := newOffice(t, &Options{DropMessageID: true})
	w.must(202, "POST", "/me/sendMail", m{"message": m{"internetMessageId": "<mine@mondaine.fr>", "toRecipients": to("x@example.org")}})
	w.must(202, "POST", "/me/sendMail", b64("From: compta@mondaine.fr\r\nTo: x@example.org\r\nMessage-ID: <mine@mondaine.fr>\r\n\r\nx"), "Content-Type: text/plain")
	for _, o := range w.srv.Outbox() {
		if o.MessageID == "<mine@mondaine.fr>" || o.MessageID == "" || bytes.Contains(o.Raw, []byte("mine@")) {
			t.Errorf("%s", o.Raw)
		}
	}
}

func TestBounce(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	w.must(202, "POST", "/me/sendMail", m{"message": m{"subject": "Avis n° 3", "internetMessageId": "<b@mondaine.fr>", "toRecipients": to("nobody@bounce.test", "x@example.org")}})
	in := w.compta.Messages("inbox")
	if len(in) != 1 || !strings.HasPrefix(in[0].From, "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@mondaine.fr") {
		t.Fatalf("%+v", in)
	}
	got := take(t, in[0].Raw)
	if got.text("Subject") != "Undeliverable: Avis n° 3" || got.header.Get("In-Reply-To") != "<b@mondaine.fr>" || !bytes.Contains(got.parts[1].data, []byte("Final-Recipient: rfc822;nobody@bounce.test")) {
		t.Errorf("%s", in[0].Raw)
	}
}

// The matrix of rights of a person (florian) on a mailbox (compta).
func TestSendAs(t *testing.T) {
	t.Parallel()
	all := []string{"compta@mondaine.fr"}
	for _, c := range []struct {
		name           string
		user           User
		path, from     string
		scopes         []string
		status         int
		code           string
		sender, copyIn string
	}{
		{name: "no right", path: "/me", from: "compta@mondaine.fr", status: 403, code: "ErrorSendAsDenied"},
		{name: "full access does not suffice", user: User{FullAccess: all}, path: "/me", from: "compta@mondaine.fr", status: 403, code: "ErrorSendAsDenied"},
		{name: "send as", user: User{SendAs: all}, path: "/me", from: "compta@mondaine.fr", status: 202, copyIn: "florian"},
		{name: "send as, scope not shared", user: User{SendAs: all}, path: "/me", from: "compta@mondaine.fr", scopes: []string{"Mail.Send"}, status: 403, code: "ErrorAccessDenied"},
		{name: "on behalf", user: User{OnBehalf: all}, path: "/me", from: "Compta@Mondaine.fr", status: 202, sender: "florian@mondaine.fr", copyIn: "florian"},
		{name: "as oneself", path: "/me", from: "florian@mondaine.fr", scopes: []string{"Mail.Send"}, status: 202, copyIn: "florian"},
		{name: "from there, no access", user: User{SendAs: all}, path: "/users/compta@mondaine.fr", status: 403, code: "ErrorAccessDenied"},
		{name: "from there, no send as", user: User{FullAccess: all}, path: "/users/compta@mondaine.fr", status: 403, code: "ErrorSendAsDenied"},
		{name: "from there", user: User{FullAccess: all, SendAs: all}, path: "/users/compta@mondaine.fr", status: 202, copyIn: "compta"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newOffice(t, nil)
			c.user.Address = "florian@mondaine.fr"
			w.florian = w.srv.AddUser(c.user)
			w.token = w.srv.Token("florian@mondaine.fr", c.scopes...)
			msg := m{"toRecipients": to("x@example.org")}
			if c.from != "" {
				msg["from"] = to(c.from)[0]
			}
			a := w.must(c.status, "POST", c.path+"/sendMail", m{"message": msg})
			if a.code() != c.code {
				t.Fatalf("%s", a.body)
			}
			if c.status != 202 {
				if len(w.srv.Outbox()) != 0 {
					t.Error("it went out")
				}
				return
			}
			got := take(t, w.srv.Outbox()[0].Raw)
			if s := got.text("Sender"); strings.Trim(s, "<>") != c.sender {
				t.Errorf("sender %q", s)
			}
			if got := len(w.florian.Messages("sentitems")); (got == 1) != (c.copyIn == "florian") {
				t.Errorf("%d copies at florian's", got)
			}
			if got := len(w.compta.Messages("sentitems")); (got == 1) != (c.copyIn == "compta") {
				t.Errorf("%d copies at compta's", got)
			}
		})
	}
}

func TestSendAsApplication(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	w.token = w.srv.Token("", "Mail.Send")
	w.must(202, "POST", "/users/florian@mondaine.fr/sendMail", m{"message": m{"toRecipients": to("x@example.org")}})
	if out := w.srv.Outbox(); out[0].From != "florian@mondaine.fr" {
		t.Errorf("%+v", out)
	}
	w.refused(403, "ErrorSendAsDenied", "POST", "/users/florian@mondaine.fr/sendMail", m{"message": m{"from": to("compta@mondaine.fr")[0], "toRecipients": to("x@example.org")}})
}
