package graphtest

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailClock is a clock that a test owns.
type mailClock struct {
	mu sync.Mutex
	t  time.Time
}

func newMailClock() *mailClock { return &mailClock{t: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)} }

func (c *mailClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *mailClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// office is a server with compta (whose mailbox is French) and florian, seen by plain
// net/http with a token of compta.
type office struct {
	t               *testing.T
	srv             *Server
	clock           *mailClock
	compta, florian *Mailbox
	http            *http.Client
	token           string
}

func newOffice(t *testing.T, o *Options) *office {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	w := &office{t: t, clock: newMailClock()}
	o.Now, o.TokenLife = w.clock.now, 24*time.Hour
	if o.Concurrency == 0 {
		o.Concurrency = 100
	}
	srv, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	w.srv = srv
	w.compta = srv.AddUser(User{Address: "compta@mondaine.fr", Name: "Comptabilité", Language: "fr"})
	w.florian = srv.AddUser(User{Address: "florian@mondaine.fr", Name: "Florian"})
	w.http = clientOf(srv)
	t.Cleanup(w.http.CloseIdleConnections)
	w.token = srv.Token("compta@mondaine.fr")
	return w
}

// answered is an answer that was read.
type answered struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

func (a *answered) code() string {
	e, _ := a.json["error"].(map[string]any)
	s, _ := e["code"].(string)
	return s
}

func (a *answered) str(name string) string {
	s, _ := a.json[name].(string)
	return s
}

func (a *answered) list(name string) []map[string]any {
	var out []map[string]any
	l, _ := a.json[name].([]any)
	for _, v := range l {
		m, _ := v.(map[string]any)
		out = append(out, m)
	}
	return out
}

const immutable = `Prefer: IdType="ImmutableId"`

// do sends one request. target is below /v1.0, or a whole URL; body is a string, bytes, or
// what becomes JSON. Header lines follow; an empty one of Authorization leaves it out.
func (w *office) do(method, target string, body any, lines ...string) *answered {
	w.t.Helper()
	kind, data := "application/json", []byte(nil)
	switch b := body.(type) {
	case nil:
		kind = ""
	case string:
		data = []byte(b)
	case []byte:
		data = b
	default:
		data, _ = json.Marshal(b)
	}
	if !strings.HasPrefix(target, "https:") {
		target = w.srv.URL + "/v1.0" + target
	}
	r, err := http.NewRequest(method, target, bytes.NewReader(data))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.HasPrefix(target, w.srv.UploadURL) {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Set(name, value)
	}
	res, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	a := &answered{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		w.t.Fatal(err)
	}
	json.Unmarshal(a.body, &a.json)
	return a
}

// must is do for an answer of that status.
func (w *office) must(status int, method, target string, body any, lines ...string) *answered {
	w.t.Helper()
	a := w.do(method, target, body, lines...)
	if a.status != status {
		w.t.Fatalf("%s %s: %d %.300s, want %d", method, target, a.status, a.body, status)
	}
	return a
}

// refused is do for an error.
func (w *office) refused(status int, code, method, target string, body any, lines ...string) {
	w.t.Helper()
	if a := w.must(status, method, target, body, lines...); a.code() != code {
		w.t.Errorf("%s %s: code %q, want %q: %.300s", method, target, a.code(), code, a.body)
	}
}

type m = map[string]any

func to(list ...string) []m {
	out := []m{}
	for _, a := range list {
		out = append(out, m{"emailAddress": m{"address": a}})
	}
	return out
}

func esc(id string) string { return url.PathEscape(id) }

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// eml is a received mail with one attachment.
func eml(n int) []byte {
	return []byte(strings.ReplaceAll(fmt.Sprintf(`Received: from mx.example.org by mail.mondaine.fr
From: Mairie <mairie@example.org>
To: compta@mondaine.fr
Subject: =?utf-8?q?Facture_n=C2=B0_%d?=
Date: Fri, 20 Nov 2026 09:00:00 +0100
Message-ID: <facture-%d@example.org>
X-Dossier: %d
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

Bonjour, voici la facture %d.
--b
Content-Type: application/pdf; name="facture.pdf"
Content-Disposition: attachment; filename="facture.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjQK
--b--
`, n, n, n, n), "\n", "\r\n"))
}

func TestMe(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	a := w.must(200, "GET", "/me", nil)
	if a.str("userPrincipalName") != "compta@mondaine.fr" || a.str("preferredLanguage") != "fr-FR" || a.str("displayName") != "Comptabilité" {
		t.Errorf("%s", a.body)
	}
	if v, ok := a.json["jobTitle"]; !ok || v != nil {
		t.Error("jobTitle is not null")
	}
}

// What Deliver was given is what $value gives, and the properties are read from it.
func TestDeliveredMail(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	id := w.compta.Deliver("inbox", eml(7))
	if a := w.must(200, "GET", "/me/messages/"+esc(id)+"/$value", nil); !bytes.Equal(a.body, eml(7)) || a.header.Get("Content-Type") != "text/plain" {
		t.Errorf("%q %s", a.header.Get("Content-Type"), a.body)
	}
	a := w.must(200, "GET", "/me/mailFolders/inbox/messages/"+esc(id), nil, immutable)
	for name, want := range (m{"id": id, "subject": "Facture n° 7", "internetMessageId": "<facture-7@example.org>", "isRead": false, "isDraft": false,
		"hasAttachments": true, "importance": "normal", "bodyPreview": "Bonjour, voici la facture 7.", "receivedDateTime": "2026-11-21T10:00:00Z", "sentDateTime": "2026-11-20T08:00:00Z"}) {
		if a.json[name] != want {
			t.Errorf("%s: %v, want %v", name, a.json[name], want)
		}
	}
	if v, ok := a.json["isDeliveryReceiptRequested"]; !ok || v != nil {
		t.Error("isDeliveryReceiptRequested is not null")
	}
	if a.json["internetMessageHeaders"] != nil {
		t.Error("headers without $select")
	}
	if !strings.HasPrefix(a.str("@odata.etag"), `W/"`) || !strings.Contains(a.str("@odata.etag"), a.str("changeKey")) {
		t.Error(a.str("@odata.etag"))
	}
	b := w.must(200, "GET", "/me/messages/"+esc(id)+"?$select=internetMessageHeaders", nil)
	if l := b.list("internetMessageHeaders"); len(l) != 9 || l[6]["name"] != "X-Dossier" || l[6]["value"] != "7" {
		t.Errorf("%v", l)
	}
	if len(b.json) != 4 { // @odata.context, @odata.etag, id and what was asked
		t.Errorf("%v", b.json)
	}
	w.refused(400, "RequestBroker--ParseUri", "GET", "/me/messages/"+esc(id)+"?$select=colour", nil)
}

// Ordinary ids change on each move, immutable ones do not; both are found, in their own case.
func TestIDs(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	id := w.compta.Deliver("inbox", eml(1))
	ordinary := w.must(200, "GET", "/me/messages/"+esc(id), nil).str("id")
	if ordinary == id {
		t.Fatal("one form of id")
	}
	for _, x := range []string{id, ordinary} {
		if len(x) < 120 || len(x) > 152 || !strings.Contains(x, "-") || !strings.Contains(x, "_") || !strings.HasSuffix(x, "=") {
			t.Errorf("id %q", x)
		}
	}
	moved := w.must(201, "POST", "/me/messages/"+esc(ordinary)+"/move", m{"destinationId": "archive"})
	if moved.str("id") == ordinary || moved.str("id") == id {
		t.Error("the id did not change")
	}
	w.refused(404, "ErrorItemNotFound", "GET", "/me/messages/"+esc(ordinary), nil)
	w.refused(404, "ErrorItemNotFound", "GET", "/me/mailFolders/inbox/messages/"+esc(id), nil)
	if a := w.must(201, "POST", "/me/messages/"+esc(id)+"/move", m{"destinationId": "DeletedItems"}, immutable); a.str("id") != id {
		t.Error("the immutable id changed")
	}
	w.refused(404, "ErrorItemNotFound", "GET", "/me/messages/"+esc(strings.ToLower(id)), nil)
	w.refused(400, "ErrorInvalidIdMalformed", "GET", "/me/messages/abc", nil)
	w.refused(400, "ErrorInvalidIdMalformed", "GET", "/me/messages/"+esc(id[:len(id)-3]), nil)
	w.refused(400, "ErrorInvalidIdMalformed", "POST", "/me/messages/"+esc(id)+"/move", m{"destinationId": "nowhere"})
	w.refused(404, "ErrorFolderNotFound", "POST", "/me/messages/"+esc(id)+"/move", m{"destinationId": "clutter"})
	copied := w.must(201, "POST", "/me/messages/"+esc(id)+"/copy", m{"destinationId": "inbox"}, immutable).str("id")
	if copied == id || len(w.compta.Messages("")) != 2 {
		t.Error("copy")
	}
	a := w.must(200, "POST", "/me/translateExchangeIds", m{"inputIds": []string{id}, "sourceIdType": "restImmutableEntryId", "targetIdType": "restId"})
	back := w.must(200, "GET", "/me/messages/"+esc(a.list("value")[0]["targetId"].(string)), nil, immutable)
	if back.str("id") != id {
		t.Error("translated to another message")
	}
}

func TestPatchAndDelete(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	id := w.compta.Deliver("inbox", eml(1))
	path := "/me/messages/" + esc(id)
	tag := w.must(200, "GET", path, nil).str("@odata.etag")
	a := w.must(200, "PATCH", path, m{"isRead": true, "categories": []string{"EzGED"}, "flag": m{"flagStatus": "Complete"}, "importance": "HIGH"}, "If-Match: "+tag)
	if a.json["isRead"] != true || fmt.Sprint(a.json["categories"]) != "[EzGED]" || a.json["flag"].(m)["flagStatus"] != "complete" || a.str("importance") != "high" {
		t.Errorf("%s", a.body)
	}
	if got := w.compta.Messages("inbox")[0]; !got.Read || len(got.Categories) != 1 {
		t.Errorf("%+v", got)
	}
	w.refused(412, "ErrorIrresolvableConflict", "PATCH", path, m{"isRead": false}, "If-Match: "+tag)
	w.refused(400, "ErrorInvalidPropertySet", "PATCH", path, m{"subject": "x"})
	w.refused(400, "RequestBodyRead", "PATCH", path, m{"colour": "x"})
	w.must(204, "DELETE", path, nil)
	if got := w.compta.Messages("deleteditems"); len(got) != 1 || got[0].Folder != "Éléments supprimés" {
		t.Errorf("%+v", got)
	}
	if a := w.must(204, "DELETE", path, nil); len(a.body) != 0 || a.header.Get("Content-Type") != "" {
		t.Error("204 with a body")
	}
	w.refused(404, "ErrorItemNotFound", "DELETE", path, nil)
}

func TestListing(t *testing.T) {
	t.Parallel()
	w := newOffice(t, &Options{PageSize: 4})
	for i := range 10 {
		w.compta.Deliver("inbox", eml(i))
		w.clock.add(time.Minute)
	}
	w.compta.Deliver("archive", eml(99))
	subjects := func(target string) (out []string, pages int) {
		for target != "" {
			a := w.must(200, "GET", target, nil)
			for _, v := range a.list("value") {
				out = append(out, strings.TrimPrefix(v["subject"].(string), "Facture n° "))
			}
			target = a.str("@odata.nextLink")
			pages++
		}
		return out, pages
	}
	for _, c := range []struct {
		query string
		want  string
		pages int
	}{
		{"", "9 8 7 6 5 4 3 2 1 0", 3},
		{"$orderby=receivedDateTime asc&$top=100", "0 1 2 3 4 5 6 7 8 9", 3},
		{"$orderby=receivedDateTime&$top=3&$select=subject", "0 1 2 3 4 5 6 7 8 9", 4},
		{"$filter=receivedDateTime ge 2026-11-21T10:07:00Z and isRead eq false&$orderby=receivedDateTime", "7 8 9", 1},
		{"$filter=receivedDateTime gt 2026-11-21T10:07:00Z", "9 8", 1},
		{"$filter=internetMessageId eq '<facture-4@example.org>'", "4", 1},
		{"$filter=isRead eq true", "", 1},
		{"$filter=from/emailAddress/address eq 'mairie@example.org' and (endswith(subject,'3') or contains(subject,'n° 5'))", "5 3", 1},
		{"$filter=not(receivedDateTime lt 2026-11-21T10:09:00Z)", "9", 1},
		{"$filter=categories/any(c:c eq 'x')", "", 1},
	} {
		got, pages := subjects("/me/mailFolders/inbox/messages?" + strings.NewReplacer(" ", "%20", "<", "%3C", ">", "%3E", "°", "%C2%B0").Replace(c.query))
		if strings.Join(got, " ") != c.want || pages != c.pages {
			t.Errorf("%s: %s in %d pages, want %s in %d", c.query, got, pages, c.want, c.pages)
		}
	}
	if all, _ := subjects("/me/messages"); len(all) != 11 {
		t.Errorf("whole mailbox: %s", all)
	}
	if a := w.must(200, "GET", "/me/mailFolders/inbox/messages?$count=true&$top=1", nil); a.json["@odata.count"] != 10.0 {
		t.Errorf("%v", a.json["@odata.count"])
	}
	for _, c := range []struct{ code, query string }{
		{"InefficientFilter", "$filter=isRead%20eq%20false&$orderby=receivedDateTime"},
		{"InefficientFilter", "$filter=isRead%20eq%20false%20and%20receivedDateTime%20ge%202026-11-21&$orderby=receivedDateTime"},
		{"BadRequest", "$filter=isRead%20eq"},
		{"BadRequest", "$filter=((((("},
		{"BadRequest", "$filter=subject%20eq%20'x"},
		{"BadRequest", "$filter=subject%20is%20'x'"},
		{"BadRequest", "$top=0"},
		{"BadRequest", "$top=1001"},
		{"BadRequest", "$skip=-1"},
		{"RequestBroker--ParseUri", "$filter=colour%20eq%20'x'"},
		{"BadRequest", "$search=x"},
	} {
		w.refused(400, c.code, "GET", "/me/messages?"+c.query, nil)
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	w.compta.AddFolder("inbox/Factures")
	w.compta.Deliver("Boîte de réception/Factures", eml(1))
	for _, known := range []string{"inbox", "Inbox", "SENTITEMS", "drafts", "archive", "msgfolderroot"} {
		w.must(200, "GET", "/me/mailFolders/"+known, nil)
	}
	inbox := w.must(200, "GET", "/me/mailFolders('Inbox')", nil)
	if inbox.str("displayName") != "Boîte de réception" || inbox.json["childFolderCount"] != 1.0 {
		t.Errorf("%s", inbox.body)
	}
	a := w.must(200, "GET", "/me/mailFolders/"+esc(inbox.str("id"))+"/childFolders?$filter=displayName%20eq%20'factures'", nil)
	if l := a.list("value"); len(l) != 1 || l[0]["displayName"] != "Factures" || l[0]["totalItemCount"] != 1.0 || l[0]["unreadItemCount"] != 1.0 || l[0]["parentFolderId"] != inbox.str("id") {
		t.Fatalf("%s", a.body)
	}
	top := w.must(200, "GET", "/me/mailFolders?$top=100", nil).list("value")
	hidden := w.must(200, "GET", "/me/mailFolders?$top=100&includeHiddenFolders=true", nil).list("value")
	if len(top) != 8 || len(hidden) != 9 {
		t.Errorf("%d and %d folders", len(top), len(hidden))
	}
	made := w.must(201, "POST", "/me/mailFolders/inbox/childFolders", m{"displayName": "L'été"})
	w.refused(409, "ErrorFolderExists", "POST", "/me/mailFolders/inbox/childFolders", m{"displayName": "L'Été"})
	w.refused(400, "ErrorInvalidRequest", "POST", "/me/mailFolders", m{"displayName": " "})
	got := w.must(200, "GET", "/me/mailFolders/inbox/childFolders?$filter=displayName%20eq%20'L''%C3%A9t%C3%A9'", nil).list("value")
	if len(got) != 1 || got[0]["id"] != made.str("id") {
		t.Errorf("%v", got)
	}
	w.must(201, "POST", "/me/mailFolders", m{"displayName": "Traités"})
	if l := w.compta.Folders(); !strings.Contains(strings.Join(l, "|"), "Boîte de réception/L'été|") || l[len(l)-1] != "Traités" {
		t.Errorf("%q", l)
	}
	w.refused(404, "ErrorItemNotFound", "GET", "/me/mailFolders/"+esc(newID(folderID)), nil)
	w.refused(400, "ErrorInvalidIdMalformed", "GET", "/me/mailFolders/Factures/messages", nil)
	// The default page is 10.
	for i := range 12 {
		w.compta.AddFolder(fmt.Sprintf("archive/%d", i))
	}
	p := w.must(200, "GET", "/me/mailFolders/archive/childFolders", nil)
	if rest := w.must(200, "GET", p.str("@odata.nextLink"), nil); len(p.list("value")) != 10 || len(rest.list("value")) != 2 || rest.str("@odata.nextLink") != "" {
		t.Error("pages")
	}
}

func clientOf(s *Server) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CA}, MaxIdleConnsPerHost: 20}}
}
