package graphtest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Whatever is asked, the server answers and does not panic.
func FuzzRequest(f *testing.F) {
	s, err := Start(&Options{Now: func() time.Time { return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	box := s.AddUser(User{Address: someone, FullAccess: []string{"b@mondaine.fr"}})
	s.AddUser(User{Address: "b@mondaine.fr", Shared: true})
	id := box.Deliver("inbox", []byte("Subject: x\r\n\r\ny"))
	token := s.Token(someone)
	for _, r := range oddRequests(id, s) {
		f.Add(r.method, r.path, r.kind, r.body, r.upload)
	}
	f.Fuzz(func(t *testing.T, method, path, kind, body string, upload bool) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !upper(method) {
			return
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL, r.ContentLength = method, u, int64(len(body))
		r.Header.Set("Content-Type", kind)
		if !upload {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		r.Header.Set("Content-Range", kind)
		r.Header.Set("Prefer", kind)
		w := httptest.NewRecorder()
		if upload {
			s.serveUpload(w, r)
		} else {
			s.serve(w, r)
		}
		if w.Code < 200 || w.Code >= 600 {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
		if w.Code >= 500 && w.Code != 504 {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		s.ResetCalls()
	})
}

func upper(method string) bool {
	return method != "" && strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && len(method) < 20
}

type odd struct {
	method, path, kind, body string
	upload                   bool
}

func oddRequests(id string, s *Server) []odd {
	id = url.PathEscape(id)
	var list []odd
	paths := []string{"/", "/v1.0", "/v1.0/", "/v1.0/me/", "/v1.0/users/", "/v1.0/users('", "/v1.0/users('')/messages", "/v1.0/me/messages/%00", "/v1.0/me/messages/%ff%fe",
		"/v1.0/me/messages/" + id, "/v1.0/me/messages/" + id + "/$value", "/v1.0/me/messages/" + id + "/move", "/v1.0/me/messages/" + id + "/copy", "/v1.0/me/messages/" + id + "/send",
		"/v1.0/me/messages/" + id + "/attachments", "/v1.0/me/messages/" + id + "/attachments/createUploadSession", "/v1.0/me/messages",
		"/v1.0/me/messages?$top=-1&$skip=99999999999999999999&$filter=((((&$orderby=,&$select=,,", "/v1.0/me/mailFolders/inbox/messages/delta?$deltatoken=x&$skiptoken=y",
		"/v1.0/me/mailFolders", "/v1.0/me/mailFolders/inbox/childFolders?$filter=displayName%20eq%20'", "/v1.0/me/sendMail", "/v1.0/$batch", "/v1.0/me/translateExchangeIds",
		"/devicelogin", "/devicelogin?code=%ff", "/" + s.Tenant + "/oauth2/v2.0/token", "/common/oauth2/v2.0/devicecode", "/common/oauth2/v2.0/authorize?client_id=" + s.ClientID,
		"/common/discovery/instance", "/%2F/%2F/%2F", "/v1.0/" + strings.Repeat("a/", 500)}
	bodies := []string{"", "{", "[]", "null", `"x"`, `{"message":null}`, `{"message":{"toRecipients":[null,{"emailAddress":null}],"attachments":[null,{}],"body":[],"subject":1}}`,
		`{"destinationId":null}`, `{"destinationId":{}}`, `{"AttachmentItem":null}`, `{"AttachmentItem":{"size":-1,"name":"x"}}`, `{"AttachmentItem":{"size":1e300}}`,
		`{"requests":[null]}`, `{"requests":[{"id":"1","method":"GET","url":"%zz"},{"id":"2","method":"POST","url":"/$batch","body":{}}]}`,
		`{"displayName":""}`, `{"displayName":"a/b\u0000"}`, `{"categories":[null],"isRead":"maybe","flag":7}`, `{"inputIds":[1,null]}`,
		strings.Repeat(`{"a":`, 5000), strings.Repeat("[", 20000), "grant_type=refresh_token&client_id=" + s.ClientID + "&refresh_token=%zz", "grant_type=%00&client_id=" + s.ClientID,
		"client_id=" + s.ClientID + "&scope=" + strings.Repeat("a/b/c+", 200), "\xff\xfe\x00", "AAAA\r\n"}
	for i, p := range paths {
		for j, b := range bodies {
			kind := []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "bytes 0-2/3"}[(i+j)%4]
			if strings.Contains(p, "oauth2") {
				kind = "application/x-www-form-urlencoded"
			}
			for _, m := range []string{"GET", "POST", "PATCH", "DELETE", "PUT"} {
				list = append(list, odd{method: m, path: p, kind: kind, body: b})
			}
		}
	}
	for _, kind := range []string{"", "bytes", "bytes 0-0/0", "bytes -1-2/3", "bytes 0-2/*", "bytes 9223372036854775807-9223372036854775808/9", "bytes 0-2/3"} {
		for _, m := range []string{"GET", "PUT", "DELETE", "POST"} {
			list = append(list, odd{method: m, path: "/api/v2.0/Users('x')/Messages('y')/AttachmentSessions('z')?authtoken=%zz", kind: kind, body: "abc", upload: true})
		}
	}
	return list
}

// What is no HTTP ends the line and nothing else.
func TestGarbageOnTheLine(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	for _, raw := range []string{"\x00\x01\x02", "GET\r\n\r\n", "POST /v1.0/me/sendMail HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
		"POST /v1.0/me/sendMail HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET /v1.0/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Repeat("x", 1<<20) + "\r\n\r\n"} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(x.URL, "https://"), &tls.Config{RootCAs: x.CA})
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, raw)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	plain, err := net.Dial("tcp", strings.TrimPrefix(x.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(plain, "GET / HTTP/1.0\r\n\r\n")
	plain.Close()
	if g := x.get(x.Token(someone), "/v1.0/me"); g.status != 200 {
		t.Errorf("afterwards: %d", g.status)
	}
}

// 4 MB is what a request may have; what is longer is read and refused.
func TestRequestsAreCapped(t *testing.T) {
	t.Parallel()
	x := entraSite(t, Options{})
	h := bearer(x.Token(someone))
	for _, c := range []struct {
		kind   string
		size   int
		status int
		code   string
	}{{"application/json", maxRequest, 400, ""}, {"application/json", maxRequest + 1, 400, "BadRequest"}, {"text/plain", 5 << 20, 413, "RequestEntityTooLarge"}} {
		h := h.Clone()
		h.Set("Content-Type", c.kind)
		for _, body := range []io.Reader{bytes.NewReader(make([]byte, c.size)), io.MultiReader(bytes.NewReader(make([]byte, c.size)))} {
			r, _ := http.NewRequest("POST", x.URL+"/v1.0/me/sendMail", body)
			r.Header = h
			resp, err := x.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			capped := strings.Contains(string(b), "The maximum request length supported is 4MB.") || resp.StatusCode == 413
			if resp.StatusCode != c.status || !strings.Contains(string(b), c.code) || capped != (c.size > maxRequest) {
				t.Errorf("%s of %d: %d %s", c.kind, c.size, resp.StatusCode, b)
			}
		}
		if calls := x.Calls(); calls[len(calls)-1].Size != int64(c.size) {
			t.Errorf("size %d logged as %d", c.size, calls[len(calls)-1].Size)
		}
	}
}
