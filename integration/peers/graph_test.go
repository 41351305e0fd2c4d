package peers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/connector/graphtest"
)

const large = 10<<20 + 4321

// TestMicrosoftClients: what Microsoft's clients do at the fake works as they expect it of
// Microsoft 365, and what they did is there afterwards, byte for byte.
func TestMicrosoftClients(t *testing.T) {
	t.Parallel()
	srv, err := graphtest.Start(&graphtest.Options{PageSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	box := srv.AddUser(graphtest.User{Address: "compta@mondaine.fr", Name: "Compta", Language: "fr"})
	maire := srv.AddUser(graphtest.User{Address: "maire@mondaine.fr", Name: "Maire"})
	var raws [][]byte
	for i := range 10 {
		raws = append(raws, fmt.Appendf(nil, "From: a@example.org\r\nTo: compta@mondaine.fr\r\nSubject: mail %d\r\nMessage-ID: <%d@example.org>\r\n"+
			"Date: Mon, 05 Jan 2026 09:30:00 +0100\r\n\r\nBonjour %d\r\n", i, i, i))
	}
	box.DeliverAll("inbox", raws)
	srv.Script(func(c *graphtest.Call) *graphtest.Reply {
		if c.Op == "sendMail" && c.N == 1 {
			return &graphtest.Reply{Status: 429, Code: "ApplicationThrottled", RetryAfter: "1"}
		}
		return nil
	})

	n := start(t, []string{"GRAPH=" + srv.URL, "CLIENT=" + srv.ClientID, "TO=maire@mondaine.fr", fmt.Sprint("LARGE=", large),
		"NODE_EXTRA_CA_CERTS=" + srv.CAFile}, "graph.mjs")
	code := n.step("code")
	if err := srv.Approve(code["code"].(string), graphtest.Consent{User: "compta@mondaine.fr"}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(code["page"].(string), srv.URL) || code["seconds"].(float64) != 900 {
		t.Errorf("the code is for %v, %v s", code["page"], code["seconds"])
	}
	in := n.step("signed in")
	if in["user"] != "compta@mondaine.fr" || in["tenant"] != srv.Tenant || !strings.Contains(fmt.Sprint(in["scopes"]), "Mail.Send") {
		t.Errorf("signed in: %v", in)
	}
	if r := n.step("refreshed"); r["other"] != true || r["user"] != "compta@mondaine.fr" {
		t.Errorf("refreshed: %v", r)
	}
	if me := n.step("me"); me["address"] != "compta@mondaine.fr" || me["name"] != "Compta" {
		t.Errorf("me: %v", me)
	}
	small := n.step("sent")
	up := n.step("uploaded")
	if up["ranges"].(float64) != 4 || up["location"] != true {
		t.Errorf("uploaded: %v", up)
	}
	n.step("sent large")
	list := n.step("listed")
	var subjects []string
	for i := range 10 {
		subjects = append(subjects, fmt.Sprint("mail ", 9-i)) // newest first
	}
	if got := fmt.Sprint(list["subjects"]); list["first"].(float64) != 3 || got != fmt.Sprint(subjects) {
		t.Errorf("listed: %v", list)
	}
	if f := fmt.Sprint(n.step("folders")["names"]); !strings.Contains(f, "Boîte de réception") || !strings.Contains(f, "Éléments envoyés") {
		t.Errorf("folders: %s", f)
	}
	source := n.step("source")
	if !slices.ContainsFunc(raws, func(raw []byte) bool {
		return strings.Contains(string(raw), fmt.Sprintf("Subject: %s\r\n", source["subject"])) && sum(raw) == source["sha256"]
	}) {
		t.Errorf("source: %v is not what was delivered", source)
	}
	if m := n.step("missing"); m["status"].(float64) != 404 || m["code"] != "ErrorItemNotFound" || m["request"] != true {
		t.Errorf("missing: %v", m)
	}

	// what arrived
	out := srv.Outbox()
	if len(out) != 2 || len(maire.Messages("inbox")) != 2 || len(box.Messages("sentitems")) != 2 {
		t.Fatalf("%d mails were sent, %d arrived, %d are kept", len(out), len(maire.Messages("inbox")), len(box.Messages("sentitems")))
	}
	for i, want := range []struct{ name, sum string }{{"Facture été.pdf", small["sha256"].(string)}, {"Plan n°3.tif", up["sha256"].(string)}} {
		if got := attachments(t, out[i].Raw); got[want.name] != want.sum || len(got) != 1 {
			t.Errorf("mail %d has the attachments %v, want %v", i, got, want)
		}
	}

	// how it was asked
	var sends []time.Time
	for _, c := range srv.Calls() {
		switch {
		case c.Op == "sendMail":
			sends = append(sends, c.Time)
		case c.Upload && c.Header.Get("Authorization") != "":
			t.Error("the upload carried a token")
		}
	}
	if len(sends) != 2 || sends[1].Sub(sends[0]) < time.Second {
		t.Errorf("sendMail was asked at %v: the client did not honour Retry-After", sends)
	}
	if srv.Count("upload.put") != 4 || srv.Over() != 0 {
		t.Errorf("%d ranges, %d requests over the budget", srv.Count("upload.put"), srv.Over())
	}
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// attachments reads the files of a mail with the standard library: name and SHA-256.
func attachments(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var walk func(kind string, body io.Reader)
	walk = func(kind string, body io.Reader) {
		media, params, err := mime.ParseMediaType(kind)
		if err != nil || !strings.HasPrefix(media, "multipart/") {
			return
		}
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextRawPart()
			if err != nil {
				return
			}
			disposition, params, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
			if disposition != "attachment" {
				walk(p.Header.Get("Content-Type"), p)
				continue
			}
			name, _ := new(mime.WordDecoder).DecodeHeader(params["filename"])
			b, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			out[name] = sum(b)
		}
	}
	walk(m.Header.Get("Content-Type"), m.Body)
	return out
}
