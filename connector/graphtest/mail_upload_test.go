package graphtest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// contentOf is n bytes that repeat nowhere.
func contentOf(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func (w *office) draft(recipients ...string) string {
	w.t.Helper()
	return "/me/messages/" + esc(w.must(201, "POST", "/me/messages", m{"subject": "s", "toRecipients": to(recipients...)}, immutable).str("id"))
}

func (w *office) session(draft string, size int) string {
	w.t.Helper()
	a := w.must(201, "POST", draft+"/attachments/createUploadSession", m{"AttachmentItem": m{"attachmentType": "file", "name": "plan.pdf", "contentType": "application/pdf", "size": size}})
	if !strings.HasPrefix(a.str("uploadUrl"), w.srv.UploadURL+"/") || fmt.Sprint(a.json["nextExpectedRanges"]) != "[0-]" || a.str("expirationDateTime") == "" {
		w.t.Fatalf("%s", a.body)
	}
	return a.str("uploadUrl")
}

func (w *office) put(url string, from, size int, data []byte, lines ...string) *answered {
	w.t.Helper()
	return w.do("PUT", url, data, append([]string{"Content-Type: application/octet-stream", fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, from+len(data)-1, size)}, lines...)...)
}

// Large attachments go through an upload session and arrive byte for byte, in the mail that
// goes out, in the copy and at a recipient of the same server.
func TestUpload(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3 << 20, 3_250_586, 35 << 20} {
		w := newOffice(t, nil)
		data := contentOf(size)
		draft := w.draft("florian@mondaine.fr")
		url := w.session(draft, size)
		for at := 0; at < size; {
			n := min(4<<20, size-at)
			a := w.put(url, at, size, data[at:at+n])
			if at += n; at < size {
				if a.status != 200 || fmt.Sprint(a.json["nextExpectedRanges"]) != fmt.Sprintf("[%d]", at) || a.str("ExpirationDateTime") == "" {
					t.Fatalf("%d %s", a.status, a.body)
				}
			} else if a.status != 201 || len(a.body) != 0 || !strings.Contains(a.header.Get("Location"), "/Attachments('") {
				t.Fatalf("%d %s %v", a.status, a.body, a.header)
			}
		}
		if a := w.put(url, 0, size, data[:10]); a.status != 404 {
			t.Errorf("a session that has ended: %d", a.status)
		}
		list := w.must(200, "GET", draft+"/attachments?$select=id,name,size", nil).list("value")
		if len(list) != 1 || list[0]["size"].(float64) < float64(size) {
			t.Fatalf("%v", list)
		}
		w.must(202, "POST", draft+"/send", nil)
		out := w.srv.Outbox()
		got := take(t, out[0].Raw).parts[1]
		if sha256.Sum256(got.data) != sha256.Sum256(data) || got.name != "plan.pdf" || got.kind != "application/pdf" {
			t.Errorf("%d bytes: %d came, %s", size, len(got.data), got.name)
		}
		a := w.must(200, "GET", draft+"/attachments/"+esc(list[0]["id"].(string))+"/$value", nil)
		if !bytes.Equal(a.body, data) || a.header.Get("Content-Type") != "application/pdf" {
			t.Error("the copy differs")
		}
		if in := w.florian.Messages("inbox"); len(in) != 1 || !bytes.Equal(in[0].Raw, out[0].Raw) {
			t.Error("the recipient's mail differs")
		}
		if size > 25<<20 {
			w.refused(413, "ErrorMessageSizeExceeded", "GET", draft+"/$value", nil)
		}
	}
}

func TestUploadRefused(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	draft := w.draft("x@example.org")
	for _, c := range []struct {
		item   m
		status int
		code   string
	}{
		{m{"attachmentType": "file", "name": "a", "size": 2_999_999}, 400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"},
		{m{"attachmentType": "file", "name": "a", "size": 150<<20 + 1}, 413, "ErrorMessageSizeExceeded"},
		{m{"attachmentType": "file", "size": 4 << 20}, 400, "ErrorInvalidRequest"},
		{m{"attachmentType": "item", "name": "a", "size": 4 << 20}, 400, "ErrorInvalidRequest"},
	} {
		w.refused(c.status, c.code, "POST", draft+"/attachments/createUploadSession", m{"AttachmentItem": c.item})
	}
	received := "/me/messages/" + esc(w.compta.Deliver("inbox", eml(1)))
	w.refused(400, "ErrorInvalidRequest", "POST", received+"/attachments/createUploadSession", m{"AttachmentItem": m{"attachmentType": "file", "name": "a", "size": 4 << 20}})

	const size = 6 << 20
	data := contentOf(size)
	url := w.session(draft, size)
	for _, c := range []struct {
		name        string
		from, total int
		data        []byte
		line        string
		status      int
	}{
		{"not from the beginning", 1 << 20, size, data[1<<20 : 2<<20], "", 416},
		{"another size", 0, size + 1, data[:1<<20], "", 400},
		{"beyond the end", 0, size, data[:1<<20], "Content-Range: bytes 0-99999999/6291456", 400},
		{"another length", 0, size, data[:1<<20], "Content-Range: bytes 0-1/6291456", 400},
		{"no range", 0, size, data[:1<<20], "Content-Range: 0-1048575", 400},
		{"a range of more than 4 MB", 0, size, data[:4<<20+1], "", 413},
		{"with a token", 0, size, data[:1<<20], "Authorization: Bearer " + w.token, 401},
	} {
		var lines []string
		if c.line != "" {
			lines = []string{c.line}
		}
		if a := w.put(url, c.from, c.total, c.data, lines...); a.status != c.status {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if a := w.put(url, 0, size, data[:2<<20]); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.put(url, 0, size, data[:2<<20]); a.status != 416 {
		t.Errorf("twice: %d", a.status)
	}
	w.must(405, "GET", url, nil)
	w.must(401, "DELETE", url, nil, "Authorization: Bearer x")
	w.must(404, "PUT", strings.Replace(url, "authtoken=", "authtoken=x", 1), nil)
	w.must(404, "PUT", strings.Replace(url, "/Messages", "/Messagex", 1), nil)
	if a := w.must(204, "DELETE", url, nil); len(a.body) != 0 {
		t.Error("204 with a body")
	}
	w.must(404, "DELETE", url, nil)

	url = w.session(draft, size)
	w.clock.add(2 * time.Hour)
	if a := w.put(url, 0, size, data[:1<<20]); a.status != 404 {
		t.Errorf("expired: %d", a.status)
	}
	if l := w.must(200, "GET", draft+"/attachments", nil).list("value"); len(l) != 0 {
		t.Errorf("%v", l)
	}
}

// The mailbox's limit counts for what is posted, for what is announced and for what is sent.
func TestMessageSize(t *testing.T) {
	t.Parallel()
	w := newOffice(t, &Options{MessageSize: 4 << 20})
	draft := w.draft("x@example.org")
	w.refused(413, "ErrorMessageSizeExceeded", "POST", draft+"/attachments/createUploadSession", m{"AttachmentItem": m{"attachmentType": "file", "name": "a", "size": 5 << 20}})
	part := m{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": b64(strings.Repeat("x", 2<<20))}
	w.must(201, "POST", draft+"/attachments", part)
	w.refused(413, "ErrorMessageSizeExceeded", "POST", draft+"/attachments", part)
	w.must(202, "POST", draft+"/send", nil)
}

// Known issue: no upload session in a shared mailbox with a person's token; an application
// may.
func TestUploadShared(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	w.srv.AddUser(User{Address: "florian@mondaine.fr", FullAccess: []string{"compta@mondaine.fr"}})
	item := m{"AttachmentItem": m{"attachmentType": "file", "name": "a", "size": 4 << 20}}
	draft := strings.Replace(w.draft("x@example.org"), "/me", "/users/compta@mondaine.fr", 1)
	w.token = w.srv.Token("florian@mondaine.fr")
	w.must(200, "GET", draft, nil)
	w.refused(403, "ErrorAccessDenied", "POST", draft+"/attachments/createUploadSession", item)
	w.token = w.srv.Token("", "Mail.ReadWrite")
	w.must(201, "POST", draft+"/attachments/createUploadSession", item)
}

func TestRequestCap(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	draft := w.draft("x@example.org")
	big := m{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": b64(strings.Repeat("x", 3<<20))}
	w.refused(400, "BadRequest", "POST", draft+"/attachments", big)
	w.must(413, "POST", "/me/sendMail", b64(strings.Repeat("x", 3<<20+10)), "Content-Type: text/plain")
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	raw := strings.ReplaceAll(`From: a@example.org
To: compta@mondaine.fr
Subject: tout
Content-Type: multipart/mixed; boundary="x"

--x
Content-Type: multipart/related; boundary="y"

--y
Content-Type: text/html

<img src="cid:l">
--y
Content-Type: image/gif; name="l.gif"
Content-ID: <l>
Content-Disposition: inline
Content-Transfer-Encoding: base64

R0lG
--y--
--x
Content-Type: message/rfc822

From: b@example.org
Subject: dedans
Content-Type: multipart/mixed; boundary="z"

--z
Content-Type: text/plain

corps
--z
Content-Type: application/pdf; name="in.pdf"

x
--z--
--x
Content-Type: text/csv; name="a.csv"
Content-Disposition: attachment; filename*=utf-8''d%C3%A9tail.csv

a;b
--x--
`, "\n", "\r\n")
	id := w.compta.Deliver("inbox", []byte(raw))
	w.compta.AddReference(id, "plan.dwg")
	path := "/me/messages/" + esc(id) + "/attachments"
	l := w.must(200, "GET", path, nil).list("value")
	if len(l) != 4 {
		t.Fatalf("%v", l)
	}
	for i, want := range []struct {
		kind, name, value string
		inline            bool
		status            int
	}{
		{"fileAttachment", "l.gif", "GIF", true, 200},
		{"itemAttachment", "dedans", "", false, 200},
		{"fileAttachment", "détail.csv", "a;b", false, 200},
		{"referenceAttachment", "plan.dwg", "", false, 405},
	} {
		g := l[i]
		if g["@odata.type"] != "#microsoft.graph."+want.kind || g["name"] != want.name || g["isInline"] != want.inline {
			t.Errorf("%d: %v", i, g)
		}
		one := path + "/" + esc(g["id"].(string))
		a := w.must(want.status, "GET", one+"/$value", nil)
		if want.value != "" && (string(a.body) != want.value || g["contentBytes"] != b64(want.value)) {
			t.Errorf("%d: %q %v", i, a.body, g["contentBytes"])
		}
		if want.kind == "itemAttachment" && (!strings.HasPrefix(string(a.body), "From: b@example.org\r\n") || !strings.HasSuffix(string(a.body), "--z--") || g["contentType"] != nil) {
			t.Errorf("%q", a.body)
		}
		if b := w.must(200, "GET", one, nil); b.str("name") != want.name {
			t.Errorf("%s", b.body)
		}
	}
	if l[0]["contentId"] != "l" {
		t.Errorf("%v", l[0])
	}
	item := w.must(200, "GET", path+"/"+esc(l[1]["id"].(string))+"?$expand=microsoft.graph.itemattachment/item", nil)
	if in, _ := item.json["item"].(m); in["subject"] != "dedans" || in["hasAttachments"] != true {
		t.Errorf("%v", item.json["item"])
	}
	s := w.must(200, "GET", path+"?$select=id,name,isInline&$filter=name%20eq%20'x'", nil).list("value")
	if len(s) != 4 || s[0]["contentBytes"] != nil || s[0]["size"] != nil || s[0]["isInline"] != true {
		t.Errorf("%v", s)
	}
	w.refused(400, "RequestBroker--ParseUri", "GET", path+"?$select=contentBytes", nil)
	w.refused(404, "ErrorItemNotFound", "GET", path+"/"+esc(newID(attachmentID)), nil)
	w.refused(400, "ErrorInvalidIdMalformed", "GET", path+"/1", nil)
	w.refused(400, "ErrorInvalidRequest", "POST", path, m{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "YQ=="})

	only := w.compta.Deliver("inbox", []byte(strings.ReplaceAll(raw[:strings.Index(raw, "--x\r\nContent-Type: message")]+"--x--\r\n", "mixed", "related")))
	if a := w.must(200, "GET", "/me/messages/"+esc(only), nil); a.json["hasAttachments"] != false {
		t.Error("inline attachments count")
	}
	if a := w.must(200, "GET", "/me/messages/"+esc(only)+"?$expand=attachments", nil); len(a.list("attachments")) != 1 {
		t.Errorf("%s", a.body)
	}
}

func TestAttachmentDelete(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	draft := w.draft("x@example.org")
	a := w.must(201, "POST", draft+"/attachments", m{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "YQ=="})
	w.must(204, "DELETE", draft+"/attachments/"+esc(a.str("id")), nil)
	if b := w.must(200, "GET", draft, nil); b.json["hasAttachments"] != false {
		t.Error("still there")
	}
}
