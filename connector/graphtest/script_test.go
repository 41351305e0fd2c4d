package graphtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const draft = `{"subject":"x","body":{"contentType":"text","content":"y"}}`

// What a reply does to a call, and whether the call was done.
func TestScript(t *testing.T) {
	t.Parallel()
	html := []byte("<html><h1>502</h1></html>")
	for name, c := range map[string]struct {
		reply  *Reply
		status int // 0: no answer
		done   bool
		check  func(g got, err error) bool
	}{
		"nothing": {nil, 201, true, nil},
		"zero":    {&Reply{}, 201, true, nil},
		"header":  {&Reply{Header: http.Header{"X-Test": {"1"}}}, 201, true, func(g got, _ error) bool { return g.header.Get("X-Test") == "1" }},
		"status": {&Reply{Status: 503, RetryAfter: "7"}, 503, false, func(g got, _ error) bool {
			return g.header.Get("Retry-After") == "7" && g.word() == "serviceNotAvailable"
		}},
		"code":       {&Reply{Status: 403, Code: "ErrorSendAsDenied", Message: "no"}, 403, false, func(g got, _ error) bool { return g.word() == "ErrorSendAsDenied" }},
		"code alone": {&Reply{Code: "ErrorX"}, 400, false, func(g got, _ error) bool { return g.word() == "ErrorX" }},
		"401":        {&Reply{Status: 401}, 401, false, func(g got, _ error) bool { return g.header.Get("Www-Authenticate") != "" }},
		"claims":     {&Reply{Status: 401, Header: http.Header{"Www-Authenticate": {`Bearer claims="eyJ"`}}}, 401, false, func(g got, _ error) bool { return g.header.Get("Www-Authenticate") == `Bearer claims="eyJ"` }},
		"html": {&Reply{Status: 502, Body: html}, 502, false, func(g got, _ error) bool {
			return string(g.body) == string(html) && strings.HasPrefix(g.header.Get("Content-Type"), "text/html")
		}},
		"half json":      {&Reply{Body: []byte(`{"id":"A`)}, 200, false, func(g got, _ error) bool { return string(g.body) == `{"id":"A` }},
		"empty":          {&Reply{Status: 202}, 202, false, func(g got, _ error) bool { return len(g.body) == 0 && g.header.Get("Content-Type") == "" }},
		"no content":     {&Reply{Status: 204, Body: []byte("x")}, 204, false, func(g got, _ error) bool { return len(g.body) == 0 }},
		"nonsense":       {&Reply{Status: 7}, 500, false, nil},
		"redirect":       {&Reply{Status: 307, Header: http.Header{"Location": {"https://evil.example/"}}}, 307, false, nil},
		"done and 504":   {&Reply{Status: 504, After: true}, 504, true, func(g got, _ error) bool { return g.header.Get("Location") == "" }},
		"after alone":    {&Reply{After: true}, 201, true, nil},
		"drop":           {&Reply{Drop: true}, 0, false, nil},
		"done and drop":  {&Reply{Drop: true, After: true}, 0, true, nil},
		"cut":            {&Reply{Cut: 10}, 201, true, func(g got, err error) bool { return len(g.body) == 10 && errors.Is(err, io.ErrUnexpectedEOF) }},
		"cut of another": {&Reply{Status: 502, Body: html, Cut: 3}, 502, false, func(g got, err error) bool { return string(g.body) == "<ht" && errors.Is(err, io.ErrUnexpectedEOF) }},
		"cut too late":   {&Reply{Body: []byte("abc"), Cut: 3}, 200, false, func(g got, err error) bool { return string(g.body) == "abc" && err == nil }},
		"delay":          {&Reply{Delay: 20 * time.Millisecond}, 201, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := begin(t, Options{})
			box := x.AddUser(User{Address: someone})
			token := x.Token(someone)
			x.Script(func(call *Call) *Reply {
				if call.Op != "messages.create" || call.N != 1 || string(call.Body) != draft || call.Status != 0 {
					t.Errorf("asked about %+v", call)
				}
				return c.reply
			})
			h := bearer(token)
			h.Set("Content-Type", "application/json")
			g, err := x.ask("POST", "/v1.0/me/messages", h, draft)
			if g.status != c.status {
				t.Errorf("status %d: %v", g.status, err)
			}
			if done := len(box.Messages("drafts")) == 1; done != c.done {
				t.Errorf("done: %t", done)
			}
			if c.check == nil && c.status != 0 && err != nil || c.check != nil && !c.check(g, err) {
				t.Errorf("%v %v %q", err, g.header, g.body)
			}
			if calls := x.Calls(); calls[0].Status != c.status {
				t.Errorf("logged as %d", calls[0].Status)
			}
		})
	}
}

func TestScriptHangs(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		x := begin(t, Options{})
		box := x.AddUser(User{Address: someone})
		h := bearer(x.Token(someone))
		h.Set("Content-Type", "application/json")
		x.Script(func(*Call) *Reply { return &Reply{Hang: true, After: after} })
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "POST", x.URL+"/v1.0/me/messages", strings.NewReader(draft))
		r.Header = h
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := x.client.Do(r); !errors.Is(err, context.Canceled) {
			t.Errorf("after %t: %v", after, err)
		}
		if err := x.Close(); err != nil { // waits for the call
			t.Fatal(err)
		}
		if done := len(box.Messages("drafts")) == 1; done != after {
			t.Errorf("after %t, done %t", after, done)
		}
	}
}

// A script acts upon Entra and upon uploads too, each in its own form.
func TestScriptEverywhere(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	x.Script(func(c *Call) *Reply {
		switch c.Op {
		case "token":
			return &Reply{Status: 400, Code: "invalid_grant", AADSTS: 70043, Message: "Sign in more often."}
		case "devicecode":
			return &Reply{Status: 429, Code: "temporarily_unavailable", RetryAfter: "Sat, 21 Nov 2026 10:00:07 GMT"}
		case "upload.put":
			return &Reply{Status: 404, Code: "itemNotFound"}
		}
		return nil
	})
	if g := x.form(x.at("token"), "grant_type", "refresh_token"); g.status != 400 || g.word() != "invalid_grant" || g.aadsts() != 70043 ||
		!strings.HasPrefix(g.str("error_description"), "AADSTS70043: Sign in more often.") {
		t.Errorf("%d %s", g.status, g.body)
	}
	if g := x.form(x.at("devicecode")); g.status != 429 || g.word() != "temporarily_unavailable" || g.aadsts() != 0 || g.header.Get("Retry-After") != "Sat, 21 Nov 2026 10:00:07 GMT" {
		t.Errorf("%d %s", g.status, g.body)
	}
	if g := x.must("PUT", x.UploadURL+"/x?authtoken=y", nil, "abc"); g.status != 404 || g.word() != "itemNotFound" {
		t.Errorf("%d %s", g.status, g.body)
	}
}

// A script may use the server.
func TestScriptUsesTheServer(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	x.Script(func(c *Call) *Reply {
		x.ExpireTokens()
		x.AddUser(User{Address: "new@mondaine.fr"})
		x.Calls()
		x.Count("me")
		x.Script(nil)
		c.Header = nil // a copy
		return nil
	})
	if g := x.get(x.Token(someone), "/v1.0/me"); g.status != 401 {
		t.Errorf("%d %s", g.status, g.body)
	}
	if x.Calls()[0].Header == nil {
		t.Error("the script changed the log")
	}
}
