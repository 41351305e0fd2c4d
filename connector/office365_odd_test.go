package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"reflect"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
)

// TestOffice365Around3MB: no size falls between what a post and what a session takes.
func TestOffice365Around3MB(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2_999_999, 3_000_000, mostPosted, mostPosted + 1, 3<<20 - 200, 3<<20 - 1, 3 << 20, 3<<20 + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			m := letterOf("limite@mondaine.fr", n)
			if rc, err := w.connector().SendMail(t.Context(), m); err != nil || rc.State != router.Accepted {
				t.Fatalf("%+v, %v", rc, err)
			}
			w.mustArrive(t, m)
		})
	}
}

// TestOffice365JSON: what goes out is what learn.microsoft.com/graph/api/user-sendmail shows,
// and nothing else.
func TestOffice365JSON(t *testing.T) {
	t.Parallel()
	w := newTown(t, nil)
	o := w.connector()
	o.Sender = "Comptabilité <mairie@mondaine.fr>"
	m := &router.Message{To: []string{"A <a@example.org>", "jérôme@exämple.org"}, Cc: []string{"c@example.org"}, Bcc: []string{"b@example.org", "A@example.org"},
		ReplyTo: []string{"reponse@mondaine.fr"}, Subject: "Facture n° 118 — \U0001F4CE", HTML: `<p>&amp; <img src="cid:logo"></p>`, MessageID: "forme@mondaine.fr",
		Importance: router.ImportanceHigh, ReadReceipt: true, DSN: &router.DSN{Notify: []router.Notify{router.NotifySuccess}},
		Headers:     map[string]string{"X-Job": "4711"},
		Inline:      []router.Attachment{{Name: "logo.png", MediaType: "image/png", ContentID: "logo", Size: 3, Open: router.Bytes("", "", []byte("png")).Open}},
		Attachments: []router.Attachment{router.Bytes(`../a\..\b.txt`, "text/plain", nil)}}
	if _, err := o.SendMail(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var sent []byte
	for _, c := range w.Calls() {
		if c.Op == "sendMail" {
			sent = c.Body
		}
	}
	to := func(pairs ...string) string {
		var list []string
		for i := 0; i < len(pairs); i += 2 {
			name := ""
			if pairs[i] != "" {
				name = `"name":"` + pairs[i] + `",`
			}
			list = append(list, `{"emailAddress":{`+name+`"address":"`+pairs[i+1]+`"}}`)
		}
		return strings.Join(list, ",")
	}
	want := `{"message":{"subject":"Facture n° 118 — ` + "\U0001F4CE" + `","importance":"high",
		"body":{"contentType":"html","content":"<p>&amp; <img src=\"cid:logo\"></p>"},
		"from":` + to("Comptabilité", "mairie@mondaine.fr") + `,
		"toRecipients":[` + to("A", "a@example.org", "", "jérôme@exämple.org") + `],"ccRecipients":[` + to("", "c@example.org") + `],
		"bccRecipients":[` + to("", "b@example.org") + `],"replyTo":[` + to("", "reponse@mondaine.fr") + `],
		"internetMessageId":"<forme@mondaine.fr>","isReadReceiptRequested":true,"isDeliveryReceiptRequested":true,
		"internetMessageHeaders":[{"name":"X-Job","value":"4711"}],
		"attachments":[
		{"@odata.type":"#microsoft.graph.fileAttachment","name":"logo.png","contentType":"image/png","isInline":true,"contentId":"logo","contentBytes":"cG5n"},
		{"@odata.type":"#microsoft.graph.fileAttachment","name":"NAME","contentType":"text/plain","contentBytes":""}]},
		"saveToSentItems":true}`
	var got, exp map[string]any
	if err := json.Unmarshal(sent, &got); err != nil {
		t.Fatalf("%v in %s", err, sent)
	}
	if err := json.Unmarshal([]byte(want), &exp); err != nil {
		t.Fatal(err)
	}
	files := got["message"].(map[string]any)["attachments"].([]any)
	name, _ := files[len(files)-1].(map[string]any)["name"].(string)
	if name == "" || strings.ContainsAny(name, "/\\\x00\t") {
		t.Errorf("the file is called %q", name)
	}
	files[len(files)-1].(map[string]any)["name"] = "NAME"
	if !reflect.DeepEqual(got, exp) {
		t.Errorf("it is\n%s, want\n%s", sent, want)
	}
}

// TestOffice365Extremes: mails at the edge of what there is arrive, and the receipt makes no
// noise about them.
func TestOffice365Extremes(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("d%d@example.org", i))
	}
	inner := []byte("From: a@example.org\r\nTo: b@example.org\r\nSubject: Dedans\r\n\r\n.\r\n..\r\nFin")
	for name, change := range map[string]func(*router.Message){
		"Bcc alone":                     func(m *router.Message) { m.To, m.Bcc = nil, []string{"cachee@example.org"} },
		"Bcc alone, text and html":      func(m *router.Message) { m.To, m.Bcc, m.HTML = nil, []string{"cachee@example.org"}, "<p>x</p>" },
		"500 recipients":                func(m *router.Message) { m.To = many },
		"500 recipients, text and html": func(m *router.Message) { m.To, m.Bcc, m.HTML = many[:1], many[1:], "<p>x</p>" },
		"nothing but a subject":         func(m *router.Message) { m.Text = "" },
		"no subject":                    func(m *router.Message) { m.Subject = "" },
		"mail in mail": func(m *router.Message) {
			m.Attachments = []router.Attachment{router.Bytes("courrier.eml", "message/rfc822", inner)}
		},
		"calendar": func(m *router.Message) {
			m.Attachments = []router.Attachment{router.Bytes("rdv.ics", "text/calendar; method=REQUEST", []byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"))}
		},
		"a hundred empty files": func(m *router.Message) {
			for i := range 100 {
				m.Attachments = append(m.Attachments, router.Bytes(fmt.Sprint("vide ", i, ".txt"), "", nil))
			}
		},
		"the mark of a file in the text": func(m *router.Message) {
			m.Text, m.Attachments = "content-"+strings.Repeat("A", 26), letterOf("", 5).Attachments
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			m := letterOf("extreme@mondaine.fr")
			change(m)
			rc, err := w.connector().SendMail(t.Context(), m)
			if err != nil || rc.State != router.Accepted || len(rc.Notes) > 0 {
				t.Fatalf("%+v, %v", rc, err)
			}
			out := w.Outbox()
			if all, _ := m.Recipients(); len(out) != 1 || len(out[0].To) != len(all) || len(rc.Recipients) != len(all) {
				t.Fatalf("it went to %d recipients", len(out[0].To))
			}
			if _, err := mail.ReadMessage(bytes.NewReader(out[0].Raw)); err != nil || bytes.Contains(out[0].Raw, []byte("cachee@")) {
				t.Errorf("%v: %.500s", err, out[0].Raw)
			}
		})
	}
}

// TestOffice365OddAnswers: what answers otherwise than Graph, and yet well, has taken the mail.
func TestOffice365OddAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op    string
		large bool
		reply graphtest.Reply
	}{
		"sendMail 200":                 {"sendMail", false, graphtest.Reply{Status: 200}},
		"sendMail 202 with words":      {"sendMail", false, graphtest.Reply{Status: 202, Body: []byte(`{"id":"x"}`)}},
		"sendMail 202 with half words": {"sendMail", false, graphtest.Reply{Status: 202, Body: []byte(`{"id`)}},
		"sendMail 202, cut":            {"sendMail", false, graphtest.Reply{Status: 202, Body: []byte(`{"id":"12345678"}`), Cut: 4}},
		"send 200":                     {"messages.send", true, graphtest.Reply{Status: 200}},
		"send 204":                     {"messages.send", true, graphtest.Reply{Status: 204}},
		"draft without an answer":      {"messages.create", true, graphtest.Reply{Status: 201, Body: []byte{' '}}},
		"attachment without an answer": {"attachments.create", true, graphtest.Reply{Status: 200, Body: []byte("ok")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			c.reply.After = true
			w.Script(func(call *graphtest.Call) *graphtest.Reply {
				if call.Op == c.op && call.N == 1 {
					return &c.reply
				}
				return nil
			})
			m := letterOf("bizarre@mondaine.fr", 10)
			send := w.connector().SendMail
			rc, err := (*router.Receipt)(nil), error(nil)
			if c.large {
				rc, err = drafted(t.Context(), w.connector(), m)
			} else {
				rc, err = send(t.Context(), m)
			}
			if err != nil || rc.State != router.Accepted || len(w.Outbox()) != 1 || w.drafts() != 0 {
				t.Errorf("%+v, %v; %d went out, %d drafts are left", rc, err, len(w.Outbox()), w.drafts())
			}
			w.mustArrive(t, m)
		})
	}
}

// TestOffice365UploadRefused: a refusal while a file is handed over is told as what it is, and
// is not tried for ever.
func TestOffice365UploadRefused(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]vaguemestre.Class{"ErrorMessageSizeExceeded": rejected, "ErrorQuotaExceeded": deferred, "ErrorInvalidRequest": deferred} {
		w := newTown(t, nil)
		w.Script(func(c *graphtest.Call) *graphtest.Reply {
			if c.Op == "upload.put" {
				return &graphtest.Reply{Status: 400, Code: code, Message: "Not this one."}
			}
			return nil
		})
		_, err := w.connector().SendMail(t.Context(), letterOf("refus@mondaine.fr", 3<<20))
		if vaguemestre.ClassOf(err) != want || !strings.Contains(fmt.Sprint(err), "Not this one.") || strings.Contains(fmt.Sprint(err), "authtoken") {
			t.Errorf("%s: %v", code, err)
		}
		if n := w.Count("upload.put"); want == rejected && n != 1 || n > 6 {
			t.Errorf("%s: %d ranges were sent", code, n)
		}
	}
}

// TestOffice365CheckKnowsItsOwnAddress: people often sign in with another name than the
// address of their mailbox, which needs no right to another's.
func TestOffice365CheckKnowsItsOwnAddress(t *testing.T) {
	t.Parallel()
	w := newTown(t, nil)
	w.AddUser(graphtest.User{Address: "florian@mondaine.onmicrosoft.com"})
	o := w.over(&Office365{Account: w.person(t, "florian@mondaine.onmicrosoft.com", "User.Read", "Mail.Send", "Mail.ReadWrite"), Mailbox: "Accueil@mondaine.fr"})
	w.Script(func(c *graphtest.Call) *graphtest.Reply {
		if c.Op == "me" {
			return &graphtest.Reply{Status: 200, Body: []byte(`{"displayName":"Florian","mail":"accueil@mondaine.fr","userPrincipalName":"florian@mondaine.onmicrosoft.com"}`)}
		}
		return nil
	})
	var bad []vaguemestre.Step
	err := o.Check(t.Context(), func(s vaguemestre.Step) {
		if s.Status != vaguemestre.StatusOK {
			bad = append(bad, s)
		}
	})
	if err != nil || len(bad) > 0 {
		t.Errorf("%v: %+v", err, bad)
	}
}
