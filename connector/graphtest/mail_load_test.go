package graphtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	id := w.compta.Deliver("inbox", eml(1))
	url := "/me/messages/" + esc(id)
	json := m{"Content-Type": "application/json"}
	a := w.must(200, "POST", "/$batch", m{"requests": []m{
		{"id": "1", "method": "PATCH", "url": url, "headers": json, "body": m{"isRead": true}},
		{"id": "2", "dependsOn": []string{"1"}, "method": "POST", "url": url + "/move", "headers": m{"Content-Type": "application/json", "Prefer": `IdType="ImmutableId"`}, "body": m{"destinationId": "archive"}},
		{"id": "3", "method": "GET", "url": "/me/messages/" + esc(newID(ordinaryID))},
		{"id": "4", "dependsOn": []string{"3"}, "method": "DELETE", "url": url},
		{"id": "5", "method": "GET", "url": url + "/$value"},
	}})
	var got []string
	for _, r := range a.list("responses") {
		got = append(got, fmt.Sprint(r["id"], ":", r["status"]))
	}
	if strings.Join(got, " ") != "1:200 2:201 3:404 4:424 5:200" {
		t.Fatalf("%s", a.body)
	}
	if r := a.list("responses"); r[1]["body"].(m)["id"] != id || r[4]["body"] != b64(string(eml(1))) {
		t.Errorf("%s", a.body)
	}
	if l := w.compta.Messages("archive"); len(l) != 1 || !l[0].Read {
		t.Errorf("%+v", l)
	}
	get := func(id string) m { return m{"id": id, "method": "GET", "url": "/me"} }
	var many []m
	for i := range 21 {
		many = append(many, get(fmt.Sprint(i)))
	}
	for _, bad := range [][]m{nil, many, {get("1"), get("1")}, {get("")}, {{"id": "1", "dependsOn": []string{"2"}, "method": "GET", "url": "/me"}}} {
		w.refused(400, "BadRequest", "POST", "/$batch", m{"requests": bad})
	}
}

// A mailbox of 5,000 is listed and followed in time that a test does not notice.
func TestFiveThousand(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	raws := make([][]byte, 5000)
	for i := range raws {
		raws[i] = eml(i)
	}
	w.compta.DeliverAll("inbox", raws)
	began := time.Now()
	seen := map[string]bool{}
	for target := "/me/mailFolders/inbox/messages?$select=id,receivedDateTime,hasAttachments&$top=500"; target != ""; {
		a := w.must(200, "GET", target, nil, immutable)
		for _, v := range a.list("value") {
			seen[v["id"].(string)] = true
		}
		target = a.str("@odata.nextLink")
	}
	there, _, _, _, _ := w.follow("/me/mailFolders/inbox/messages/delta?$select=id&$top=500")
	if len(seen) != 5000 || len(there) != 5000 {
		t.Errorf("%d listed, %d followed", len(seen), len(there))
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("took %v", d)
	} else {
		t.Logf("took %v", d)
	}
}

// Many clients at once leave a mailbox in which every message is in one folder.
func TestManyClients(t *testing.T) {
	t.Parallel()
	w := newOffice(t, &Options{SendDelay: 2 * time.Second})
	ids := w.compta.DeliverAll("inbox", [][]byte{eml(1), eml(2), eml(3), eml(4), eml(5), eml(6), eml(7), eml(8)})
	places := []string{"inbox", "archive", "junkemail"}
	var wg sync.WaitGroup
	for g := range 12 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 20 {
				path := "/me/messages/" + esc(ids[r.IntN(len(ids))])
				switch r.IntN(7) {
				case 0:
					w.do("POST", path+"/move", m{"destinationId": places[r.IntN(3)]})
				case 1:
					w.do("PATCH", path, m{"isRead": r.IntN(2) == 0, "categories": []string{"a"}})
				case 2:
					w.do("GET", "/me/messages?$expand=attachments", nil)
				case 3:
					w.do("GET", "/me/mailFolders/inbox/messages/delta", nil)
				case 4:
					draft := w.draft("florian@mondaine.fr")
					w.do("POST", draft+"/attachments", m{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "YQ=="})
					w.do("POST", draft+"/send", nil)
				case 5:
					w.clock.add(100 * time.Millisecond)
					w.compta.Messages("")
				case 6:
					w.do("GET", path+"/$value", nil)
				}
			}
		})
	}
	wg.Wait()
	w.clock.add(time.Minute)
	at := map[string]int{}
	for _, x := range w.compta.Messages("") {
		at[x.ID]++
	}
	for _, id := range ids {
		if at[id] != 1 {
			t.Errorf("%s is in %d folders", id[:12], at[id])
		}
	}
	out, kept, in := len(w.srv.Outbox()), len(w.compta.Messages("sentitems")), len(w.florian.Messages("inbox"))
	if out != kept || out != in || len(w.compta.Messages("drafts")) != 0 {
		t.Errorf("%d went out, %d copies, %d came", out, kept, in)
	}
}

// Nothing that a client sends or that is delivered makes the server fail (500) or panic.
func TestMalformed(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	for _, raw := range []string{"", "\r\n", ":", "a", "Subject: x", " folded\r\n", "From: <<<\r\n\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b",
		"Content-Type: message/rfc822\r\n\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n--b--",
		"Subject: \xff\xfe\r\n\r\n\xff", "Content-Transfer-Encoding: base64\r\n\r\n***", strings.Repeat("A: b\r\n", 20000), strings.Repeat("x", 1<<20)} {
		id := w.compta.Deliver("inbox", []byte(raw))
		path := "/me/messages/" + esc(id)
		w.must(200, "GET", path+"?$expand=attachments", nil)
		w.must(200, "GET", path+"?$select=internetMessageHeaders,uniqueBody", nil)
		for _, a := range w.must(200, "GET", path+"/attachments", nil).list("value") {
			w.must(200, "GET", path+"/attachments/"+esc(a["id"].(string))+"/$value", nil)
		}
		if a := w.must(200, "GET", path+"/$value", nil); string(a.body) != raw {
			t.Errorf("%.60q changed", raw)
		}
		if raw != "" {
			draft := w.must(201, "POST", "/me/messages", b64(raw), "Content-Type: text/plain")
			path = "/me/messages/" + esc(draft.str("id"))
			w.must(200, "PATCH", path, m{"toRecipients": to("x@example.org"), "subject": "a\r\nBcc: y@example.org"})
			w.must(202, "POST", path+"/send", nil)
		}
	}
	for _, o := range w.srv.Outbox() {
		if got := take(t, o.Raw); got.header.Get("Bcc") != "" {
			t.Errorf("%.300q", o.Raw)
		}
	}
	draft := w.draft("x@example.org")
	folder := "/me/mailFolders/inbox"
	for _, target := range []string{"/me/sendMail", "/me/messages", draft, draft + "/send", draft + "/move", draft + "/copy", draft + "/attachments",
		draft + "/attachments/createUploadSession", "/me/mailFolders", folder + "/childFolders", "/me/translateExchangeIds", "/$batch"} {
		for _, body := range []string{"", "null", "[]", "0", `""`, "{}", "{", `{"a":`, `{"message":null}`, `{"message":[]}`, `{"message":{"toRecipients":[null,{}]}}`,
			`{"message":{"attachments":[null,{},[]]}}`, `{"requests":[null]}`, `{"requests":[{"id":"1"}]}`, `{"requests":[{"id":"1","url":"%zz","method":"GET"}]}`,
			`{"attachments":[null]}`, `{"toRecipients":null,"flag":{},"categories":null}`, `{"flag":{"flagStatus":1}}`, `{"AttachmentItem":null}`, `{"AttachmentItem":{"size":-1}}`,
			`{"AttachmentItem":{"attachmentType":"file","name":"a","size":9223372036854775807}}`, `{"@odata.type":"#microsoft.graph.itemAttachment","name":"a"}`,
			`{"inputIds":[null,""],"targetIdType":"restId"}`, `{"displayName":null}`, `{"displayName":"a/b"}`, "\xff\xfe", strings.Repeat("[", 20000), `{"message":` + strings.Repeat(`{"attachments":[`, 5000)} {
			method := "POST"
			if target == draft {
				method = "PATCH"
			}
			if a := w.do(method, target, body); a.status >= 500 {
				t.Errorf("%s %.80s %.60q: %d %.200s", method, target, body, a.status, a.body)
			}
		}
	}
	for _, query := range []string{"$filter=" + strings.Repeat("(", 9000), "$filter=" + strings.Repeat("not%20", 1000), "$filter=''", "$filter=a%20eq%20''''", "$filter=subject(", "$filter=categories/any(",
		"$filter=categories/any(a:b%20eq%20'c')", "$filter=contains(subject,5)", "$filter=from/x/y%20eq%20null", "$filter=body%20eq%20'x'", "$orderby=body", "$orderby=,", "$select=,", "$select=*", "$top=x",
		"$skip=99999999999999", "$skiptoken=", "$expand=", "$orderby=from/emailAddress/address%20desc", "%zz=1", "$filter=%ff"} {
		for _, target := range []string{"/me/messages", folder + "/messages", folder + "/messages/delta", "/me/mailFolders", draft, draft + "/attachments"} {
			if a := w.do("GET", target+"?"+query, nil); a.status >= 500 {
				t.Errorf("%s?%.60s: %d %.200s", target, query, a.status, a.body)
			}
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"isRead eq false and receivedDateTime ge 2026-01-01T00:00:00Z", "startswith(subject,'a') or not (isDraft eq true)", "categories/any(c:c eq 'x''y')"} {
		f.Add(s)
	}
	it := &item{mail: mailOf(blobOf(eml(1))), folder: &folder{}}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseFilter(s); err == nil {
			p.match(it.get)
		}
	})
}

// What is delivered can be shown, and a draft made of it goes out without its Bcc.
func FuzzMail(f *testing.F) {
	f.Add(eml(1))
	f.Add([]byte("Bcc: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		files := &tempFiles{}
		defer files.close()
		x := mailOf(blobOf(raw))
		it := &item{mail: x, folder: &folder{}}
		it.object(&shown{})
		for _, a := range it.attachments() {
			if _, err := a.object(nil, true); err != nil {
				t.Fatal(err)
			}
		}
		made, err := files.build(x.editable())
		if err != nil {
			t.Fatal(err)
		}
		again, err := files.rewrite(x.raw, []header{{"Message-ID", "<a@example.org>"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []*blob{made, again} {
			if c := parseContent(b); len(c.bcc) != 0 {
				t.Fatalf("Bcc %v in %q", c.bcc, b.whole())
			}
		}
	})
}
