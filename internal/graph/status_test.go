package graph

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestStatuses shows what becomes of each answer, for what may be repeated and what may not:
// the kind of the fault and how many requests were made.
func TestStatuses(t *testing.T) {
	t.Parallel()
	type row struct {
		kind  Kind // "" is success
		calls int
	}
	one := func(k Kind) [3]row { return [3]row{{k, 1}, {k, 1}, {k, 1}} }
	five := [3]row{{Transient, 5}, {Transient, 5}, {Unknown, 1}}
	status := func(s int, code string) func(int, http.ResponseWriter) {
		return func(_ int, w http.ResponseWriter) { graphError(w, s, code) }
	}
	text := func(s int, body string) func(int, http.ResponseWriter) {
		return func(_ int, w http.ResponseWriter) {
			w.WriteHeader(s)
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		answer func(n int, w http.ResponseWriter)
		want   [3]row // read, repeatable write, once
	}{
		"400":         {status(400, "ErrorInvalidRecipients"), one(Invalid)},
		"401":         {status(401, "InvalidAuthenticationToken"), [3]row{{Denied, 2}, {Denied, 2}, {Denied, 2}}},
		"403":         {status(403, "ErrorAccessDenied"), one(Denied)},
		"404":         {status(404, "ErrorItemNotFound"), one(Missing)},
		"405":         {status(405, ""), one(Invalid)},
		"409":         {status(409, "ErrorFolderExists"), one(Conflict)},
		"410":         {status(410, "SyncStateNotFound"), one(Gone)},
		"412":         {status(412, "ErrorIrresolvableConflict"), one(Conflict)},
		"413":         {status(413, "RequestEntityTooLarge"), one(TooLarge)},
		"400 large":   {status(400, "ErrorMessageSizeExceeded"), one(TooLarge)},
		"415":         {status(415, ""), one(Invalid)},
		"423":         {status(423, ""), one(Conflict)},
		"403 full":    {status(403, "ErrorQuotaExceeded"), one(Full)},
		"429 forever": {status(429, "ApplicationThrottled"), [3]row{{Throttled, 0}, {Throttled, 0}, {Throttled, 0}}},
		"500":         {status(500, "ErrorInternalServerError"), five},
		"501":         {status(501, ""), one(Invalid)},
		"502 html":    {text(502, "<html>Bad gateway</html>"), five},
		"503":         {status(503, "serviceNotAvailable"), five},
		"504":         {status(504, "UnknownError"), five},
		"504 empty":   {text(504, ""), five},
		"507":         {status(507, "quotaLimitReached"), one(Full)},
		"509":         {text(509, ""), five},
		"302": {func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", "/v1.0/me/elsewhere")
			w.WriteHeader(302)
		}, one(Invalid)},
		"503 with Retry-After, then done": {func(n int, w http.ResponseWriter) {
			if n < 3 {
				w.Header().Set("Retry-After", "3")
				graphError(w, 503, "")
				return
			}
			fmt.Fprint(w, "{}")
		}, [3]row{{"", 3}, {"", 3}, {"", 3}}},
		"429, then done": {func(n int, w http.ResponseWriter) {
			if n < 2 {
				graphError(w, 429, "")
				return
			}
			fmt.Fprint(w, "{}")
		}, [3]row{{"", 2}, {"", 2}, {"", 2}}},
		"401, then done": {func(n int, w http.ResponseWriter) {
			if n < 2 {
				graphError(w, 401, "")
				return
			}
			fmt.Fprint(w, "{}")
		}, [3]row{{"", 2}, {"", 2}, {"", 2}}},
		"500, then done": {func(n int, w http.ResponseWriter) {
			if n < 2 {
				graphError(w, 500, "")
				return
			}
			fmt.Fprint(w, "{}")
		}, [3]row{{"", 2}, {"", 2}, {Unknown, 1}}},
		"hung up":   {func(_ int, w http.ResponseWriter) { hangUp(w) }, five},
		"half JSON": {text(200, `{"value":[{"id":`), [3]row{{Garbage, 5}, {Garbage, 5}, {Garbage, 1}}},
		"HTML":      {text(200, `<html>Sign in to the network</html>`), [3]row{{Garbage, 5}, {Garbage, 5}, {Garbage, 1}}},
		"empty 200": {text(200, ``), [3]row{{Garbage, 5}, {Garbage, 5}, {Garbage, 1}}},
		"empty 202": {text(202, ``), one("")},
		"cut": {func(n int, w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"id":`)
			w.(http.Flusher).Flush()
			hangUp(w)
		}, [3]row{{Transient, 5}, {Transient, 5}, {Garbage, 1}}},
		"half JSON, then whole": {func(n int, w http.ResponseWriter) {
			if n < 2 {
				fmt.Fprint(w, `{"id":`)
				return
			}
			fmt.Fprint(w, `{}`)
		}, [3]row{{"", 2}, {"", 2}, {Garbage, 1}}},
	} {
		for i, way := range []string{"read", "write", "once"} {
			for _, h2 := range []bool{false, true} {
				t.Run(fmt.Sprint(name, "/", way, "/h2=", h2), func(t *testing.T) {
					t.Parallel()
					f := newFake(t, h2, func(n int, w http.ResponseWriter, _ *http.Request) { c.answer(n, w) })
					r := &Request{Op: "test", Path: "/messages"}
					if way != "read" {
						r.Method, r.JSON = "POST", map[string]string{"a": "b"}
					}
					r.Once = way == "once"
					var out map[string]any
					err := f.client("").JSON(t.Context(), r, &out)
					var fault *Fault
					if c.want[i].kind == "" {
						if err != nil {
							t.Fatal(err)
						}
					} else if !errors.As(err, &fault) || fault.Kind != c.want[i].kind {
						t.Fatalf("got %v, want kind %s", err, c.want[i].kind)
					}
					if n := c.want[i].calls; n > 0 && f.calls() != n {
						t.Errorf("%d requests, want %d", f.calls(), n)
					}
					if f.waited() > time.Minute {
						t.Errorf("waited %v", f.waited())
					}
				})
			}
		}
	}
}

// TestNotBegun: a connection that cannot be made was surely not a request.
func TestNotBegun(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, func(int, http.ResponseWriter, *http.Request) {})
	f.srv.Close()
	err := f.client("").JSON(t.Context(), &Request{Op: "send", Method: "POST", Path: "/sendMail", JSON: 1, Once: true}, nil)
	var fault *Fault
	if !errors.As(err, &fault) || fault.Kind != Transient {
		t.Errorf("got %v, want a transient fault", err)
	}
	if len(f.slept) != maxTries-1 {
		t.Errorf("tried %d times, want %d", len(f.slept)+1, maxTries)
	}
}

// TestUntrusted: a certificate that is not trusted is not asked again and again.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, func(int, http.ResponseWriter, *http.Request) {})
	c := f.client("")
	p, err := c.find()
	if err != nil {
		t.Fatal(err)
	}
	p.http = &http.Client{}
	err = c.JSON(t.Context(), &Request{Op: "me", Path: "/messages"}, nil)
	if err == nil || len(f.slept) != 0 || f.calls() != 0 {
		t.Errorf("got %v after %d pauses and %d requests", err, len(f.slept), f.calls())
	}
}
