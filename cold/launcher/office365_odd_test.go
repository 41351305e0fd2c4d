package launcher

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
)

// oddGraph is a Graph that knows no more than it must, and answers as others than
// Microsoft's might: no immutable ids, no $select, answers in small pieces.
type oddGraph struct {
	srv *httptest.Server

	mu    sync.Mutex
	asked []string                                                    // "GET /messages/…"
	odd   func(w http.ResponseWriter, r *http.Request, p string) bool // has the first word; p lies below the mailbox
	mails map[string]string                                           // by id
	trash []string                                                    // what was deleted
}

func newOddGraph(t *testing.T, mails map[string]string) (*oddGraph, *Office365) {
	g := &oddGraph{mails: mails}
	g.srv = httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
	g.srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	g.srv.StartTLS()
	t.Cleanup(g.srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ms := &auth.Microsoft{ClientID: "odd", ClientSecret: "odd-secret", Tenant: "mondaine.fr", Grant: auth.Application,
		Authority: g.srv.URL, GraphURL: g.srv.URL, CAFile: ca}
	c := &cloud{}
	return g, c.launcher(ms.Account("odd"), "accueil@mondaine.fr")
}

func (g *oddGraph) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"token_type":"bearer","access_token":"odd-token","expires_in":"3599"}`)
		return
	}
	p, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1.0/users/accueil@mondaine.fr")
	if !ok || r.Header.Get("Authorization") != "Bearer odd-token" {
		http.Error(w, "where?", 404)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, r.Method+" "+p)
	if g.odd != nil && g.odd(w, r, p) {
		return
	}
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v1.0/users/accueil@mondaine.fr/messages/"), "/$value")
	mail, known := g.mails[id]
	switch {
	case p == "/mailFolders/inbox":
		g.say(w, map[string]any{"id": "in/b+x=", "displayName": "Boîte de réception"})
	case strings.HasPrefix(p, "/mailFolders/in%2Fb+x=/messages"):
		list := []any{}
		for id := range g.mails {
			list = append(list, map[string]any{"id": id, "subject": "all of it", "parentFolderId": "in/b+x=", "body": map[string]any{"content": "x"}})
		}
		g.say(w, map[string]any{"value": list, "@odata.nextLink": "", "@odata.deltaLink": g.srv.URL + "/v1.0/users/accueil@mondaine.fr/mailFolders/in%2Fb+x=/messages/delta?$deltatoken=same"})
	case strings.HasSuffix(p, "/attachments"):
		g.say(w, map[string]any{"value": nil})
	case !known:
		http.Error(w, `{"error":{"code":"ErrorItemNotFound"}}`, 404)
	case r.Method == "DELETE":
		delete(g.mails, id)
		g.trash = append(g.trash, id)
		w.WriteHeader(204)
	case strings.HasSuffix(p, "/$value"):
		w.Header().Set("Content-Type", "text/plain")
		for b := mail; b != ""; { // in pieces of 1000 bytes
			n := min(1000, len(b))
			io.WriteString(w, b[:n])
			w.(http.Flusher).Flush()
			b = b[n:]
		}
	default:
		g.say(w, map[string]any{"id": id, "parentFolderId": "in/b+x=", "isRead": "false", "subject": "Reconstruit", "internetMessageId": nil,
			"body": map[string]any{"contentType": "text", "content": "Bonjour"}, "from": nil, "toRecipients": nil, "receivedDateTime": nil})
	}
}

func (g *oddGraph) say(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func (g *oddGraph) says(f func(w http.ResponseWriter, r *http.Request, p string) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.odd = f
}

// TestOffice365OfAnotherMake: nothing that Graph does beyond what is asked of it is needed.
func TestOffice365OfAnotherMake(t *testing.T) {
	t.Parallel()
	mails := map[string]string{"AA/+=": string(invoice(1)), "aa/+=": string(invoice(2)), "a//b": string(large(3, 1<<20+5000))}
	want := map[string]string{}
	for id, m := range mails {
		want[id] = m
	}
	g, l := newOddGraph(t, mails)
	s := connect(t, l)
	items, cursor := listAll(t, s, "")
	if len(items) != 3 {
		t.Fatalf("%v", items)
	}
	got, err := openEach(t, s, items)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if o := got[it.Key]; o == nil || !o.confirmed || string(o.data) != want[s.idOf(it.Key)] {
			t.Errorf("%s: %v", it.Key, o)
		}
	}
	// The link that ends the listing is the same as long as nothing changes.
	for range 3 {
		var again []cold.Item
		if again, cursor = listAll(t, s, cursor); len(again) > 3 {
			t.Errorf("%v", again)
		}
	}
	rcs, err := s.Settle(t.Context(), items, cold.After{Do: cold.DoDelete})
	if err != nil || len(g.trash) != 3 {
		t.Errorf("%v, %v; deleted: %q", rcs, err, g.trash)
	}
}

// TestOffice365TakesNoEmptyAnswerForAMail: what would be confirmed may be deleted next. An
// empty answer is put together from its parts; a page of a proxy is no mail at all.
func TestOffice365TakesNoEmptyAnswerForAMail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		built  bool
	}{
		"empty 200": {func(http.ResponseWriter) {}, true},
		"204":       {func(w http.ResponseWriter) { w.WriteHeader(204) }, true},
		"empty, typed": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "0")
		}, true},
		"a page": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<html>Sign in to the network</html>")
		}, false},
		"json": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json;odata.metadata=minimal")
			io.WriteString(w, `{"id":"A"}`)
		}, false},
	} {
		g, l := newOddGraph(t, map[string]string{"A": string(invoice(1))})
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		g.says(func(w http.ResponseWriter, _ *http.Request, p string) bool {
			if strings.HasSuffix(p, "/$value") {
				c.answer(w)
				return true
			}
			return false
		})
		got, err := openEach(t, s, items)
		o := got[items[0].Key]
		switch {
		case err != nil || o == nil:
			t.Errorf("%s: %v, %v", name, o, err)
		case c.built && (!o.confirmed || !strings.Contains(string(o.data), "Subject: Reconstruit")):
			t.Errorf("%s: %v %q", name, o, o.data)
		case !c.built && (o.confirmed || vaguemestre.ClassOf(o.err) != vaguemestre.ClassSource):
			t.Errorf("%s: %v %q", name, o, o.data)
		}
	}
}

// TestOffice365LosesNoAttachmentWhenItPutsTogether: a message whose attachments do not come
// is not confirmed without them, whatever Graph answers.
func TestOffice365LosesNoAttachmentWhenItPutsTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list, value string // what is answered; a number is a status
		want        string // in the message; "" is that it is not confirmed
	}{
		"all of it":        {`{"value":[{"@odata.type":"#microsoft.graph.fileAttachment","id":"1","name":"a.pdf","size":400}]}`, "UERG", "VUVSRw=="},
		"an empty file":    {`{"value":[{"@odata.type":"#microsoft.graph.fileAttachment","id":"1","name":"vide.pdf","size":400}]}`, "", "vide.pdf"},
		"a link":           {`{"value":[{"@odata.type":"#microsoft.graph.referenceAttachment","id":"1","name":"nuage.pdf"}]}`, "405", "nuage.pdf.link.json"},
		"of no known kind": {`{"value":[{"id":"1","name":"nuage.pdf"}]}`, "405", "nuage.pdf.link.json"},
		"no list":          {`{}`, "", ""},
		"a list of null":   {`{"value":null}`, "", ""},
		"a blocked file":   {`{"value":[{"@odata.type":"#microsoft.graph.fileAttachment","id":"1","name":"a.pdf","size":400}]}`, "405", ""},
		"a blocked mail":   {`{"value":[{"@odata.type":"#microsoft.graph.itemAttachment","id":"1","name":"a","size":400}]}`, "405", ""},
		"a file is gone":   {`{"value":[{"@odata.type":"#microsoft.graph.fileAttachment","id":"1","name":"a.pdf","size":400}]}`, "404", ""},
		"an emptied file":  {`{"value":[{"@odata.type":"#microsoft.graph.fileAttachment","id":"1","name":"a.pdf","size":30000}]}`, "", ""},
	} {
		g, l := newOddGraph(t, map[string]string{"A": string(invoice(1))})
		s := connect(t, l)
		items, _ := listAll(t, s, "")
		g.says(func(w http.ResponseWriter, _ *http.Request, p string) bool {
			say := ""
			switch p {
			case "/messages/A/$value":
				say = "413"
			case "/messages/A/attachments":
				say = c.list
			case "/messages/A/attachments/1/$value":
				say = c.value
			case "/messages/A":
				say = `{"id":"A","parentFolderId":"in/b+x=","hasAttachments":true,"body":{"contentType":"text","content":"Bonjour"}}`
			default:
				return false
			}
			var status int
			if n, err := fmt.Sscanf(say, "%d", &status); n == 1 && err == nil {
				w.WriteHeader(status)
			} else {
				io.WriteString(w, say)
			}
			return true
		})
		got, err := openEach(t, s, items)
		o := got[items[0].Key]
		if done := o != nil && o.confirmed; done != (c.want != "") || done && !strings.Contains(string(o.data), c.want) {
			t.Errorf("%s: %v, %v", name, o, err)
		}
	}
}
