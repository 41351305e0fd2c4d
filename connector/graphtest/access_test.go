package graphtest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{TokenLife: time.Minute})
	expired := x.Token(someone)
	x.ExpireTokens()
	old := x.Token(someone)
	x.pass(time.Minute)
	good := x.Token(someone)
	for name, c := range map[string]struct {
		header  string
		status  int
		message string
	}{
		"none":    {"", 401, "Access token is empty."},
		"basic":   {"Basic eDp5", 401, "Access token is empty."},
		"unknown": {"Bearer abc", 401, "CompactToken parsing failed"},
		"expired": {"Bearer " + expired, 401, "the token is expired"},
		"old":     {"Bearer " + old, 401, "the token is expired"},
		"good":    {"bearer " + good, 200, ""},
	} {
		g := x.must("GET", "/v1.0/me", http.Header{"Authorization": {c.header}}, "")
		if g.status != c.status || !strings.Contains(string(g.body), c.message) {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
		if www := g.header.Get("Www-Authenticate"); c.status == 401 && (g.word() != "InvalidAuthenticationToken" || !strings.HasPrefix(www, `Bearer realm="", authorization_uri="`)) {
			t.Errorf("%s: %s %s", name, www, g.body)
		}
	}
	if x.Token("nobody@example.org") != "" {
		t.Error("a token for nobody")
	}
}

// Who may do what where: the scopes of the token, the rights in Exchange, the mailboxes.
func TestRights(t *testing.T) {
	t.Parallel()
	x := begin(t, Options{})
	x.AddUser(User{Address: someone, FullAccess: []string{"Factures@mondaine.fr"}})
	x.AddUser(User{Address: "factures@mondaine.fr", Shared: true})
	x.AddUser(User{Address: "maire@mondaine.fr"})
	x.AddUser(User{Address: "agent@mondaine.fr", NoMailbox: true})
	if x.AddUser(User{Address: "agent2@mondaine.fr", NoMailbox: true}) != nil {
		t.Error("a mailbox without a licence")
	}
	const app = ""
	for _, c := range []struct {
		user, scopes string
		call         string
		status       int
		code, why    string
	}{
		{someone, "Mail.Read", "GET /me/messages", 200, "", ""},
		{someone, "Mail.ReadWrite", "GET /me/messages", 200, "", ""},
		{someone, "Mail.Read.Shared", "GET /me/messages", 200, "", ""},
		{someone, "mail.read", "GET /me/MAILFOLDERS('Inbox')/messages", 200, "", ""},
		{someone, "Mail.Send User.Read", "GET /me/messages", 403, "ErrorAccessDenied", "lacks Mail.Read"},
		{someone, "Mail.Read", "DELETE /me/messages/x", 403, "ErrorAccessDenied", "lacks Mail.ReadWrite"},
		{someone, "Mail.ReadWrite", "POST /me/sendMail", 403, "ErrorAccessDenied", "lacks Mail.Send"},
		{someone, "Mail.Read", "GET /users/" + someone + "/messages", 200, "", ""},
		{someone, "Mail.Read", "GET /users/factures@mondaine.fr/messages", 403, "ErrorAccessDenied", "lacks Mail.Read.Shared"},
		{someone, "Mail.Read.Shared", "GET /users/factures@mondaine.fr/messages", 200, "", ""},
		{someone, "Mail.Read.Shared", "GET /users('FACTURES@mondaine.fr')/messages", 200, "", ""},
		{someone, "Mail.Read.Shared", "GET /users/maire@mondaine.fr/messages", 403, "ErrorAccessDenied", "no full access to maire@mondaine.fr"},
		{someone, "Mail.Read.Shared", "GET /users/nobody@mondaine.fr/messages", 404, "ErrorInvalidUser", ""},
		{someone, "Mail.Read.Shared", "GET /users/agent@mondaine.fr/messages", 404, "MailboxNotEnabledForRESTAPI", ""},
		{"agent@mondaine.fr", "Mail.Read User.Read", "GET /me/messages", 404, "MailboxNotEnabledForRESTAPI", ""},
		{"agent@mondaine.fr", "Mail.Read User.Read", "GET /me", 200, "", ""},
		{someone, "Mail.Read", "GET /me", 403, "Authorization_RequestDenied", "lacks User.Read"},
		{someone, "User.Read", "GET /users/" + someone, 200, "", ""},
		{someone, "User.Read", "GET /users/maire@mondaine.fr", 403, "Authorization_RequestDenied", "lacks User.ReadBasic.All"},
		{someone, "User.ReadBasic.All", "GET /users/maire@mondaine.fr", 200, "", ""},
		{someone, "User.ReadBasic.All", "GET /users/nobody@mondaine.fr", 404, "Request_ResourceNotFound", ""},
		{app, "Mail.ReadWrite", "GET /me", 400, "BadRequest", "no /me"},
		{app, "Mail.ReadWrite", "GET /me/messages", 400, "BadRequest", "no /me"},
		{app, "Mail.ReadWrite", "GET /users/maire@mondaine.fr/messages", 200, "", ""},
		{app, "Mail.ReadWrite.Shared", "GET /users/maire@mondaine.fr/messages", 403, "ErrorAccessDenied", "lacks Mail.Read"},
		{app, "Mail.Send", "GET /users/maire@mondaine.fr/messages", 403, "ErrorAccessDenied", "lacks Mail.Read"},
		{app, "Mail.ReadWrite", "GET /users/maire@mondaine.fr", 403, "Authorization_RequestDenied", ""},
		{app, "User.Read.All", "GET /users/maire@mondaine.fr", 200, "", ""},
		{someone, "User.Read", "GET /users/me", 403, "Authorization_RequestDenied", ""},
		{someone, "Mail.Read", "PUT /me/messages", 405, "Request_BadRequest", ""},
		{someone, "Mail.Read", "GET /me/calendar", 400, "BadRequest", ""},
		{someone, "Mail.Read", "GET /me/messages/a/b/c/d/e", 400, "BadRequest", ""},
		{someone, "Mail.Read", "GET /groups", 400, "BadRequest", ""},
		{someone, "Mail.Read", "GET /../beta/me", 400, "BadRequest", ""},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		g := x.must(method, "/v1.0"+path, bearer(x.Token(c.user, strings.Fields(c.scopes)...)), "")
		calls := x.Calls()
		if g.status != c.status || g.word() != c.code || !strings.Contains(calls[len(calls)-1].Why, c.why) {
			t.Errorf("%s %s %s: %d %s (%s)", c.user, c.scopes, c.call, g.status, g.body, calls[len(calls)-1].Why)
		}
	}
}

// The route of a call, with what stands in its path.
func TestRoutes(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"GET /v1.0/me":                                             "me me",
		"GET /V1.0/Users/a@b.c/":                                   "users.get a@b.c",
		"GET /v1.0/users('$x@y.com')/messages":                     "messages.list $x@y.com",
		"GET /v1.0/users/g%23EXT%23@b.c":                           "users.get g#EXT#@b.c",
		"POST /v1.0/me/sendmail":                                   "sendMail me",
		"GET /v1.0/me/messages/A%2Fb%2B%3D/$value":                 "messages.value me message=A/b+=",
		"GET /v1.0/me/messages('A')/attachments('B')/$value":       "attachments.value me attachment=B message=A",
		"GET /v1.0/me/mailFolders('in''box')":                      "folders.get me folder=in'box",
		"GET /v1.0/me/mailfolders/inbox/messages/delta":            "messages.delta me folder=inbox",
		"GET /v1.0/me/mailfolders/inbox/messages/delta()":          "messages.delta me folder=inbox",
		"GET /v1.0/me/mailFolders/a/childFolders/b/messages/C":     "messages.get me folder=b message=C",
		"POST /v1.0/me/mailFolders/a/childFolders/b/childFolders":  "folders.create me folder=b",
		"GET /v1.0/me/mailFolders/a/childFolders":                  "folders.list me folder=a",
		"POST /v1.0/$batch":                                        "batch me",
		"POST /v1.0/me/messages/A/attachments/createUploadSession": "upload.create me message=A",
	} {
		method, path, _ := strings.Cut(call, " ")
		tg := targetOf(method, path)
		said := tg.op + " " + tg.user
		for _, k := range []string{"attachment", "folder", "message"} {
			if v, ok := tg.vars[k]; ok {
				said += " " + k + "=" + v
			}
		}
		if said != want {
			t.Errorf("%s: %q, not %q", call, said, want)
		}
	}
}
