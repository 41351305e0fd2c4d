package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// TestOffice365Ways: what a message asks for decides how it goes out, and what cannot be
// carried stands in the notes.
func TestOffice365Ways(t *testing.T) {
	t.Parallel()
	no := false
	both := func(m *router.Message) { m.HTML = "<p>Bonjour</p>" }
	large := func(m *router.Message) { m.Attachments = letterOf("", 3_000_000).Attachments }
	header := func(name, value string) func(*router.Message) {
		return func(m *router.Message) { m.Headers = map[string]string{name: value} }
	}
	report := func(d router.DSN) func(*router.Message) { return func(m *router.Message) { m.DSN = &d } }
	for _, c := range []struct {
		name   string
		change []func(*router.Message)
		saves  *bool
		way    way
		note   string // in the notes; "" is none
		lines  string // a header that arrives
	}{
		{name: "text", way: byJSON},
		{name: "html", change: []func(*router.Message){func(m *router.Message) { m.Text, m.HTML = "", "<p>é</p>" }}, way: byJSON},
		{name: "both", change: []func(*router.Message){both}, way: byMIME},
		{name: "both, no copy", change: []func(*router.Message){both}, saves: &no, way: byJSON, note: "plain text"},
		{name: "both, large", change: []func(*router.Message){both, large}, way: byDraft, note: "plain text"},
		{name: "large, no copy", change: []func(*router.Message){large}, saves: &no, way: byDraft, note: "a copy is kept"},
		{name: "x-header", change: []func(*router.Message){header("X-Dossier", "2026/12")}, way: byJSON, lines: "X-Dossier: 2026/12"},
		{name: "list-unsubscribe", change: []func(*router.Message){header("List-Unsubscribe", "<mailto:non@mondaine.fr>")}, way: byJSON, lines: "List-Unsubscribe: <mailto:non@mondaine.fr>"},
		{name: "in-reply-to", change: []func(*router.Message){header("In-Reply-To", "<a@mondaine.fr>")}, way: byJSON, lines: "In-Reply-To: <a@mondaine.fr>"},
		{name: "references", change: []func(*router.Message){header("References", "<a@mondaine.fr> <b@mondaine.fr>")}, way: byJSON, lines: "References: <a@mondaine.fr> <b@mondaine.fr>"},
		{name: "list-id", change: []func(*router.Message){header("List-Id", "<a.mondaine.fr>")}, way: byMIME, lines: "List-Id: <a.mondaine.fr>"},
		{name: "list-id, no copy", change: []func(*router.Message){header("List-Id", "<a.mondaine.fr>")}, saves: &no, way: byMIME, note: "a copy is kept", lines: "List-Id: <a.mondaine.fr>"},
		{name: "auto-submitted", change: []func(*router.Message){header("Auto-Submitted", "auto-generated")}, way: byJSON, note: "Auto-Submitted"},
		{name: "six x-headers", change: []func(*router.Message){func(m *router.Message) {
			m.Headers = map[string]string{"X-A": "1", "X-B": "2", "X-C": "3", "X-D": "4", "X-E": "5", "X-F": "6"}
		}}, way: byMIME, lines: "X-F: 6"},
		{name: "report of success", change: []func(*router.Message){report(router.DSN{Notify: []router.Notify{router.NotifySuccess}})}, way: byJSON},
		{name: "report of failure", change: []func(*router.Message){report(router.DSN{Notify: []router.Notify{router.NotifyFailure}})}, way: byJSON, note: "failure"},
		{name: "report of success, MIME", change: []func(*router.Message){both, report(router.DSN{Notify: []router.Notify{router.NotifySuccess}})}, way: byMIME, note: "success"},
		{name: "what a report returns", change: []func(*router.Message){report(router.DSN{Notify: []router.Notify{router.NotifySuccess}, Return: router.ReturnFull})}, way: byJSON, note: "give back"},
		{name: "dots and Bcc in MIME", change: []func(*router.Message){both, func(m *router.Message) {
			m.Subject, m.Bcc = ". .", []string{`"Cachée, Très" <cachee@example.org>`}
		}}, way: byMIME},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			o := w.connector()
			o.SaveToSentItems = c.saves
			m := letterOf("facon@mondaine.fr")
			for _, f := range c.change {
				f(m)
			}
			rc, err := o.SendMail(t.Context(), m)
			if err != nil || rc.State != router.Accepted {
				t.Fatalf("%+v, %v", rc, err)
			}
			if notes := strings.Join(rc.Notes, "\n"); c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("the notes are %q, want %q", rc.Notes, c.note)
			}
			kind := ""
			for _, call := range w.Calls() {
				if call.Op == "sendMail" {
					kind = call.Header.Get("Content-Type")
				}
			}
			if want := map[way]string{byJSON: "application/json", byMIME: "text/plain", byDraft: ""}[c.way]; kind != want {
				t.Errorf("sendMail had the type %q, want %q", kind, want)
			}
			out := w.Outbox()[0]
			if c.lines != "" {
				msg, err := mail.ReadMessage(bytes.NewReader(out.Raw))
				name, value, _ := strings.Cut(c.lines, ": ")
				if err != nil || msg.Header.Get(name) != value {
					t.Errorf("%s arrived as %q", name, msg.Header.Get(name))
				}
			}
			if want := 1 + len(m.Bcc); len(out.To) != want || bytes.Contains(out.Raw, []byte("cachee@")) {
				t.Errorf("it went to %q", out.To)
			}
			kept := len(w.box.Messages("sentitems"))
			if want := c.way != byJSON || c.saves == nil; (kept == 1) != want {
				t.Errorf("%d copies are kept", kept)
			}
			w.mustArrive(t, m)
		})
	}
}

// TestOffice365MessageID: a Message-ID of the server's own is told.
func TestOffice365MessageID(t *testing.T) {
	t.Parallel()
	w := newTown(t, nil)
	w.Script(func(c *graphtest.Call) *graphtest.Reply {
		if c.Op == "messages.create" {
			return &graphtest.Reply{Status: 201, Body: []byte(`{"id":"AAMkAGQ=","isDraft":true,"internetMessageId":"<autre@prod.outlook.com>"}`)}
		}
		if strings.HasPrefix(c.Op, "messages.send") || c.Op == "attachments.create" {
			return &graphtest.Reply{Status: 202}
		}
		return nil
	})
	rc, err := w.connector().SendMail(t.Context(), letterOf("mien@mondaine.fr", 3_000_000))
	if err != nil || rc.MessageID != "mien@mondaine.fr" || !strings.Contains(strings.Join(rc.Notes, " "), "autre@prod.outlook.com") {
		t.Errorf("%+v, %v", rc, err)
	}
}

// TestOffice365Shared: who may what decides from which mailbox a mail goes out, and where its
// copy lies.
func TestOffice365Shared(t *testing.T) {
	t.Parallel()
	const shared = "accueil@mondaine.fr"
	everything := []string{"User.Read", "Mail.Send", "Mail.ReadWrite", "Mail.Send.Shared", "Mail.ReadWrite.Shared"}
	for _, c := range []struct {
		name   string
		user   graphtest.User
		scopes []string
		size   int
		from   string // of the message
		state  router.State
		copies string // whose Sent Items have it
		say    string // in the notes or the error
	}{
		{name: "all rights", user: graphtest.User{SendAs: []string{shared}, FullAccess: []string{shared}}, state: router.Accepted, copies: shared},
		{name: "all rights, 3 MB", user: graphtest.User{SendAs: []string{shared}, FullAccess: []string{shared}}, size: 3_000_000, state: router.Accepted, copies: shared},
		{name: "all rights, large", user: graphtest.User{SendAs: []string{shared}, FullAccess: []string{shared}}, size: 4 << 20, state: router.Accepted, copies: "florian@mondaine.fr", say: "Sent Items of the account"},
		{name: "send as only", user: graphtest.User{SendAs: []string{shared}}, state: router.Accepted, copies: "florian@mondaine.fr", say: "Full Access"},
		{name: "send as only, large", user: graphtest.User{SendAs: []string{shared}}, size: 4 << 20, state: router.Accepted, copies: "florian@mondaine.fr", say: "Sent Items of the account"},
		{name: "full access only", user: graphtest.User{FullAccess: []string{shared}}, state: router.Deferred, say: `"Send As"`},
		{name: "nothing", state: router.Deferred, say: `"Send As"`},
		{name: "no .Shared", user: graphtest.User{SendAs: []string{shared}, FullAccess: []string{shared}}, scopes: []string{"User.Read", "Mail.Send", "Mail.ReadWrite"}, state: router.Deferred, say: "Mail.Send.Shared"},
		{name: "no right to drafts", user: graphtest.User{SendAs: []string{shared}, FullAccess: []string{shared}}, scopes: []string{"User.Read", "Mail.Send", "Mail.Send.Shared"}, size: 3_000_000, state: router.Deferred, say: "Mail.ReadWrite"},
		{name: "another sender", user: graphtest.User{SendAs: []string{shared}, FullAccess: []string{shared}}, from: "pirate@example.org", state: router.Deferred, say: `"Send As"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, nil)
			boxes := map[string]*graphtest.Mailbox{shared: w.AddUser(graphtest.User{Address: shared, Shared: true})}
			c.user.Address = "florian@mondaine.fr"
			boxes[c.user.Address] = w.AddUser(c.user)
			if c.scopes == nil {
				c.scopes = everything
			}
			o := w.over(&Office365{Account: w.person(t, c.user.Address, c.scopes...), Mailbox: shared})
			m := letterOf("partagee@mondaine.fr")
			if c.size > 0 {
				m = letterOf("partagee@mondaine.fr", c.size)
			}
			m.From = c.from
			rc, err := o.SendMail(t.Context(), m)
			if rc == nil || rc.State != c.state || c.state == router.Deferred && vaguemestre.ClassOf(err) != vaguemestre.ClassAuth {
				t.Fatalf("%+v, %v, want %s", rc, err, c.state)
			}
			if told := fmt.Sprint(rc.Notes, err); !strings.Contains(told, c.say) {
				t.Errorf("it says %s, want %q", told, c.say)
			}
			for address, box := range boxes {
				want := 0
				if address == c.copies {
					want = 1
				}
				if n := len(box.Messages("sentitems")); n != want {
					t.Errorf("%s keeps %d copies, want %d", address, n, want)
				}
				if n := len(box.Messages("drafts")); n != 0 {
					t.Errorf("%s keeps %d drafts", address, n)
				}
			}
			if c.state != router.Accepted {
				return
			}
			if out := w.Outbox(); len(out) != 1 || out[0].From != shared {
				t.Errorf("it went out as %+v", out)
			}
			if st, err := o.ResolveMail(t.Context(), m); err != nil && c.name != "send as only" || err == nil && st != router.Accepted {
				t.Errorf("ResolveMail says %s, %v", st, err)
			}
			// The next one knows the way.
			before := w.Count("sendMail")
			if _, err := o.SendMail(t.Context(), letterOf("suivant@mondaine.fr")); err != nil || w.Count("sendMail") != before+1 && c.size == 0 {
				t.Errorf("the next one took %d requests (%v)", w.Count("sendMail")-before, err)
			}
		})
	}
}

// TestOffice365Check: each step tells what is wrong and who can mend it, and nothing is sent.
func TestOffice365Check(t *testing.T) {
	t.Parallel()
	const shared = "accueil@mondaine.fr"
	steps := func(o *Office365) (string, string, error) {
		var line, help []string
		err := o.Check(context.Background(), func(s vaguemestre.Step) {
			line = append(line, s.Name+"="+string(s.Status))
			help = append(help, s.Help)
			if s.Status == vaguemestre.StatusFailed && s.Err == nil {
				line = append(line, "no error")
			}
		})
		return strings.Join(line, " "), strings.Join(help, " "), err
	}
	w := newTown(t, nil)
	w.AddUser(graphtest.User{Address: shared, Shared: true})
	w.AddUser(graphtest.User{Address: "vide@mondaine.fr", NoMailbox: true})
	w.AddUser(graphtest.User{Address: "florian@mondaine.fr", SendAs: []string{shared}})
	app := func(mailbox string) *Office365 { return w.over(&Office365{Account: w.app, Mailbox: mailbox}) }
	unknown := (&auth.Microsoft{ClientID: w.ClientID, Tenant: w.Tenant, Authority: w.URL, GraphURL: w.URL, CAFile: w.CAFile, Tokens: &auth.Memory{}}).Account("personne")
	person := w.person(t, "florian@mondaine.fr")
	small := w.person(t, "florian@mondaine.fr", "User.Read", "Mail.Send")
	bare := w.person(t, "florian@mondaine.fr", "Mail.ReadWrite")
	for _, c := range []struct {
		name, want, say string
		o               *Office365
		class           vaguemestre.Class // of the error; "" is none
	}{
		{"application", "token=ok scopes=skipped me=skipped mailbox=ok", "", app("mairie@mondaine.fr"), ""},
		{"application without a mailbox", "token=ok scopes=skipped me=skipped mailbox=failed", "name the mailbox", app(""), vaguemestre.ClassConfig},
		{"nobody's mailbox", "token=ok scopes=skipped me=skipped mailbox=failed", "does not exist", app("personne@mondaine.fr"), vaguemestre.ClassConfig},
		{"no licence", "token=ok scopes=skipped me=skipped mailbox=failed", "licence", app("vide@mondaine.fr"), vaguemestre.ClassConfig},
		{"not associated", "token=failed scopes=skipped me=skipped mailbox=skipped", "associate", w.over(&Office365{Account: unknown}), vaguemestre.ClassAuth},
		{"no account", "token=failed scopes=skipped me=skipped mailbox=skipped", "choose one", w.over(&Office365{}), vaguemestre.ClassConfig},
		{"person", "token=ok scopes=ok me=ok mailbox=ok", "", w.over(&Office365{Account: person}), ""},
		{"person, own address", "token=ok scopes=ok me=ok mailbox=ok", "", w.over(&Office365{Account: person, Mailbox: "Florian@mondaine.fr"}), ""},
		{"send as", "token=ok scopes=ok me=ok mailbox=warning", "Full Access", w.over(&Office365{Account: person, Mailbox: shared}), ""},
		{"small mails", "token=ok scopes=warning me=ok mailbox=warning", "3.5 MB", w.over(&Office365{Account: small}), ""},
		{"may not send", "token=ok scopes=failed me=skipped mailbox=skipped", "Mail.Send", w.over(&Office365{Account: bare}), vaguemestre.ClassAuth},
	} {
		got, help, err := steps(c.o)
		if got != c.want || vaguemestre.ClassOf(err) != c.class || !strings.Contains(help, c.say) {
			t.Errorf("%s: got %s, %v, help %q\nwant %s, class %q, help with %q", c.name, got, err, help, c.want, c.class, c.say)
		}
	}
	if n := len(w.Outbox()) + w.drafts(); n != 0 {
		t.Errorf("%d mails were made", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := app("mairie@mondaine.fr").Check(ctx, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("got %v", err)
	}
	if n := w.Count("sendMail") + w.Count("messages.create"); n != 0 {
		t.Errorf("%d requests would send", n)
	}
}

// TestOffice365Settings: a connector is stored before its account is there, and is complete as
// soon as that is added.
func TestOffice365Settings(t *testing.T) {
	t.Parallel()
	accounts := &auth.Accounts{}
	kinds, err := Kinds(accounts)
	if err != nil {
		t.Fatal(err)
	}
	in := settings.Instance{Name: "compta", Kind: "office365", Settings: []byte(`{"account":"compta","mailbox":"accueil@mondaine.fr"}`)}
	c, err := kinds.Open(in, nil)
	var incomplete *settings.Incomplete
	if c == nil || !errors.As(err, &incomplete) || incomplete.Missing[0].Path != "account" {
		t.Fatalf("got %v, %v", c, err)
	}
	if rc, err := c.(*Office365).SendMail(t.Context(), letterOf("")); rc != nil || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), `"compta"`) {
		t.Errorf("got %+v, %v", rc, err)
	}
	if err := accounts.Add("compta", &auth.Microsoft{ClientID: "11111111-2222-4333-8444-555555555555", Tokens: &auth.Memory{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := kinds.Open(in, nil); err != nil {
		t.Errorf("got %v", err)
	}
	for _, s := range []string{`{"account":"compta","mailbox":"accueil"}`, `{"account":"compta","mailbox":"A <a@b.fr>"}`, `{"account":"compta","sender":"x\ny@b.fr"}`} {
		in.Settings = []byte(s)
		if _, err := kinds.Open(in, nil); err == nil || errors.As(err, &incomplete) && vaguemestre.ClassOf(err) == "" {
			t.Errorf("%s was taken: %v", s, err)
		}
	}
	form, err := settings.Describe(&Office365{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range form.Fields {
		if f.Label.FR == "" || f.Help.EN == "" || f.Help.FR == "" {
			t.Errorf("%s has no label or help", f.Key)
		}
	}
}

// TestOffice365Endpoints: the hosts follow the account's provider.
func TestOffice365Endpoints(t *testing.T) {
	t.Parallel()
	hosts := func(o *Office365) string {
		var out []string
		for _, e := range o.Endpoints() {
			if e.Reason == "" {
				t.Errorf("%s has no reason", e.Host)
			}
			out = append(out, fmt.Sprintf("%s:%d", e.Host, e.Port))
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct{ got, want string }{
		{hosts(&Office365{}), "login.microsoftonline.com:443 graph.microsoft.com:443 outlook.office.com:443"},
		{hosts(&Office365{Account: (&auth.Microsoft{Cloud: auth.CloudUSGov}).Account("a")}), "login.microsoftonline.us:443 graph.microsoft.us:443 outlook.office365.us:443"},
		{hosts(&Office365{Account: (&auth.Microsoft{Authority: "https://127.0.0.1:8443", GraphURL: "https://graph.example.org"}).Account("a")}), "127.0.0.1:8443 graph.example.org:443 outlook.office.com:443"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// TestOffice365Canaries: no token, secret or upload address is told to anybody.
func TestOffice365Canaries(t *testing.T) {
	t.Parallel()
	var told strings.Builder
	w := newTown(t, nil)
	person := w.person(t, "mairie@mondaine.fr")
	token, err := person.Token(t.Context(), auth.Graph)
	if err != nil {
		t.Fatal(err)
	}
	canaries := []string{token.AccessToken, "canary", "authtoken"}
	for _, o := range []*Office365{w.connector(), w.over(&Office365{Account: person})} {
		for _, reply := range []graphtest.Reply{{Status: 400}, {Status: 403, Message: "no"}, {Status: 500}, {Drop: true}, {Status: 404}, {Body: []byte("<html>")}} {
			for _, op := range []string{"sendMail", "messages.create", "upload.create", "upload.put", "messages.send"} {
				w.Script(func(c *graphtest.Call) *graphtest.Reply {
					if c.Op == op {
						r := reply
						return &r
					}
					return nil
				})
				m := letterOf("canari@mondaine.fr")
				send := o.SendMail
				if strings.HasPrefix(op, "upload.") {
					m = letterOf("canari@mondaine.fr", 3<<20)
				} else if op != "sendMail" {
					send = func(ctx context.Context, m *router.Message) (*router.Receipt, error) { return drafted(ctx, o, m) }
				}
				rc, err := send(t.Context(), m)
				fmt.Fprintf(&told, "%+v %+v %#v %v\n", rc, err, err, err)
				slog.New(slog.NewJSONHandler(&told, nil)).Error("send", "connector", o, "receipt", rc, "err", err)
			}
		}
		fmt.Fprintf(&told, "%v %+v %#v %d %s", o, o, o, o, o)
		w.Script(nil)
		err := o.Check(t.Context(), func(s vaguemestre.Step) { fmt.Fprintf(&told, "%+v", s) })
		fmt.Fprintf(&told, "%+v", err)
		form, err := settings.Encode(o, nil, "x")
		told.WriteString(string(form) + fmt.Sprint(err))
	}
	for _, canary := range canaries {
		if i := strings.Index(told.String(), canary); i >= 0 {
			t.Errorf("%.20q… is told: …%s…", canary, told.String()[max(0, i-200):min(told.Len(), i+100)])
		}
	}
}
