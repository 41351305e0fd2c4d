package connector

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
)

// TestOffice365Faults shows, for each call and each status that answers it every time, the
// class of the error; nothing goes out, and no draft is left.
func TestOffice365Faults(t *testing.T) {
	t.Parallel()
	const (
		auth  = vaguemestre.ClassAuth
		doubt = vaguemestre.ClassInDoubt
	)
	for _, s := range []struct {
		status int
		retry  string
		class  vaguemestre.Class
		plain  vaguemestre.Class // of sendMail, if it is another one
	}{
		{status: 302, class: config}, {status: 400, class: rejected}, {status: 401, class: auth}, {status: 403, class: auth},
		{status: 404, class: deferred}, {status: 405, class: config}, {status: 409, class: deferred}, {status: 410, class: deferred},
		{status: 412, class: deferred}, {status: 413, class: rejected}, {status: 415, class: rejected}, {status: 423, class: deferred},
		{status: 429, retry: "600", class: deferred}, {status: 500, class: deferred, plain: doubt}, {status: 501, class: config},
		{status: 502, class: deferred, plain: doubt}, {status: 503, class: deferred, plain: doubt}, {status: 503, retry: "600", class: deferred},
		{status: 504, class: deferred, plain: doubt}, {status: 507, class: deferred}, {status: 0, class: deferred, plain: doubt},
	} {
		for _, op := range []string{"sendMail", "messages.create", "attachments.create", "upload.create", "upload.put", "messages.send"} {
			t.Run(fmt.Sprint(op, "/", s.status, s.retry), func(t *testing.T) {
				t.Parallel()
				w := newTown(t, nil)
				w.Script(func(c *graphtest.Call) *graphtest.Reply {
					if c.Op != op {
						return nil
					}
					return &graphtest.Reply{Status: s.status, RetryAfter: s.retry, Drop: s.status == 0}
				})
				o := w.connector()
				m, send := letterOf("faute@mondaine.fr", 10), o.SendMail
				if strings.HasPrefix(op, "upload.") {
					m = letterOf("faute@mondaine.fr", 3<<20)
				} else if op != "sendMail" {
					send = func(ctx context.Context, m *router.Message) (*router.Receipt, error) { return drafted(ctx, o, m) }
				}
				rc, err := send(t.Context(), m)
				want := s.class
				if op == "sendMail" && s.plain != "" {
					want = s.plain
				}
				switch {
				case op != "upload.put":
				case s.status == 400, s.status == 401: // an order that a session does not take; a session that has ended
					want = deferred
				}
				if vaguemestre.ClassOf(err) != want || rc == nil || rc.State != stateOf(want) {
					t.Fatalf("%+v, %v; want class %s", rc, err, want)
				}
				if s.retry != "" && op != "upload.put" {
					// Nobody may ask for ten minutes: the draft goes with the next large mail.
					w.Script(nil)
					w.slept.Add(int64(10 * time.Minute))
					o.sweep(t.Context())
				}
				if len(w.Outbox()) != 0 || w.drafts() != 0 {
					t.Errorf("%d mails went out, %d drafts are left", len(w.Outbox()), w.drafts())
				}
				if e := err.(*vaguemestre.Error); s.retry != "" && (e.RetryAfter < 590*time.Second || e.RetryAfter > 600*time.Second) {
					t.Errorf("RetryAfter is %v, want 10 minutes", e.RetryAfter)
				}
				text := err.Error()
				if !strings.HasPrefix(text, "office365: send: ") || len(text) > 1000 || strings.Contains(text, "127.0.0.1:") || strings.Contains(text, "authtoken") {
					t.Errorf("the text is %s", text)
				}
			})
		}
	}
}

// TestOffice365Ambiguous: an ambiguous answer to what was done all the same, and one to what
// was not, both end with exactly one mail, whole.
func TestOffice365Ambiguous(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"sendMail", "messages.create", "attachments.create", "upload.create", "messages.send"} {
		for name, r := range map[string]graphtest.Reply{
			"504 after": {Status: 504, After: true}, "500 after": {Status: 500, After: true}, "cut after": {Drop: true, After: true}, "HTML after": {Status: 502, Body: []byte("<html>"), After: true},
			"half an answer": {Cut: 40}, "empty 200": {Status: 200, Body: []byte{}, After: true},
			"504": {Status: 504}, "cut": {Drop: true}, "429": {Status: 429}, "503 with Retry-After": {Status: 503, RetryAfter: "2"},
		} {
			if op == "sendMail" && (name == "504" || name == "cut") || name == "half an answer" && (op == "sendMail" || op == "messages.send") {
				continue // in doubt: TestOffice365PlainDoubt; those answers have no body
			}
			t.Run(op+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newTown(t, nil)
				w.Script(func(c *graphtest.Call) *graphtest.Reply {
					if c.Op == op && c.N == 1 {
						return &r
					}
					return nil
				})
				o := w.connector()
				m, send := letterOf("ambigu@mondaine.fr", 10, 20), o.SendMail
				if strings.HasPrefix(op, "upload.") {
					m = letterOf("ambigu@mondaine.fr", 10, 3<<20)
				} else if op != "sendMail" {
					send = func(ctx context.Context, m *router.Message) (*router.Receipt, error) { return drafted(ctx, o, m) }
				}
				rc, err := send(t.Context(), m)
				if err != nil || rc.State != router.Accepted {
					t.Fatalf("%+v, %v", rc, err)
				}
				w.mustArrive(t, m)
			})
		}
	}
}

// TestOffice365Sentences: what somebody has to do is said, by code.
func TestOffice365Sentences(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		class  vaguemestre.Class
		say    string
	}{
		"ErrorSendAsDenied":           {403, denied, `"Send As"`},
		"ErrorAccessDenied":           {403, denied, "Mail.Send"},
		"MailboxNotEnabledForRESTAPI": {404, config, "licence"},
		"ErrorInvalidRecipients":      {400, rejected, "recipients"},
		"ErrorMessageSizeExceeded":    {400, rejected, "10 bytes"},
		"ErrorQuotaExceeded":          {403, deferred, "full"},
		"ErrorExceededMessageLimit":   {400, deferred, "try later"},
	} {
		w := newTown(t, nil)
		w.Script(func(call *graphtest.Call) *graphtest.Reply {
			if call.Op == "sendMail" {
				return &graphtest.Reply{Status: c.status, Code: code, Message: "Words\r\nof the server."}
			}
			return nil
		})
		rc, err := w.connector().SendMail(t.Context(), letterOf("phrase@mondaine.fr", 10))
		if vaguemestre.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), `"Words  of the server."`) ||
			!strings.Contains(err.Error(), "request-id ") || !strings.Contains(rc.Recipients[0].Code, code) || rc.Ref == "" {
			t.Errorf("%s: got class %s, %v", code, vaguemestre.ClassOf(err), err)
		}
	}
}
