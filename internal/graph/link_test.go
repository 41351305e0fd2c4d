package graph

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestHostileLinks: nothing leaves towards an origin that is not the configured one, whatever
// a link looks like.
func TestHostileLinks(t *testing.T) {
	t.Parallel()
	root, _ := url.Parse("https://graph.microsoft.com/v1.0")
	for _, link := range []string{
		"https://graph.microsoft.com.evil.example/v1.0/me",
		"https://evil.example/v1.0/me",
		"https://evil.example/https://graph.microsoft.com/v1.0/me",
		"https://graph.microsoft.com@evil.example/v1.0/me",
		"https://graph.microsoft.com:443@evil.example/v1.0/me",
		"https://user:pass@graph.microsoft.com/v1.0/me",
		"https://@graph.microsoft.com/v1.0/me",
		"https://graph.microsoft.com%40evil.example/v1.0/me",
		"https://graph.microsoft.com\\@evil.example/v1.0/me",
		"https://graph.microsoft.com\\.evil.example/v1.0/me",
		"https://evil.example\\@graph.microsoft.com/v1.0/me",
		"https:\\\\evil.example/v1.0/me",
		"https://evil.example#@graph.microsoft.com/v1.0/me",
		"https://graph.microsoft.com#@evil.example/v1.0/me",
		"https://evil.example?@graph.microsoft.com/v1.0/me",
		"https://graph.microsoft.com:444/v1.0/me",
		"https://graph.microsoft.com:0443/v1.0/me",
		"https://graph.microsoft.com:https/v1.0/me",
		"https://graph.microsoft.com./v1.0/me",
		"https://.graph.microsoft.com/v1.0/me",
		"https://graph.microsoft.com\t.evil.example/v1.0/me",
		"https://graph.microsoft.com\r\nHost: evil.example/v1.0/me",
		" https://graph.microsoft.com/v1.0/me",
		"https://graph。microsoft。com/v1.0/me",
		"https://ɡraph.microsoft.com/v1.0/me",
		"https://xn--raph-9ob.microsoft.com/v1.0/me",
		"http://graph.microsoft.com/v1.0/me",
		"ftp://graph.microsoft.com/v1.0/me",
		"javascript://graph.microsoft.com/v1.0/me",
		"//graph.microsoft.com/v1.0/me",
		"//evil.example/v1.0/me",
		"///evil.example/v1.0/me",
		"/v1.0/me",
		"v1.0/me",
		"https:graph.microsoft.com/v1.0/me",
		"https:///v1.0/me",
		"https://[::1]/v1.0/me",
		"https://2130706433/v1.0/me",
		"https://graph.microsoft.com/beta/me",
		"https://graph.microsoft.com/v1.0",
		"https://graph.microsoft.com/v1.0evil/me",
		"https://graph.microsoft.com/v1.0/../beta/me",
		"https://graph.microsoft.com/v1.0/%2e%2e/beta/me",
		"https://graph.microsoft.com/v1.0/%2E./beta/me",
		"https://graph.microsoft.com/v1.0/..%5cbeta/me",
		"https://graph.microsoft.com/v1.0/./me",
		"https://graph.microsoft.com//v1.0/me",
		"https://graph.microsoft.com/v1.0//evil.example/me",
		"https://graph.microsoft.com/v1.0/me%00",
		"https://graph.microsoft.com/%76../v1.0/me",
		"https://graph.microsoft.com/v1.0/me#fragment",
		"https://graph.microsoft.com/v1.0/" + strings.Repeat("a", maxLink),
	} {
		if u, err := pin(root, link); err != ErrLink {
			t.Errorf("%.100q leads to %v (%v)", link, u, err)
		}
	}
	for link, want := range map[string]string{
		"https://graph.microsoft.com/v1.0/me/messages?$skiptoken=a%2Bb%3D":             "",
		"https://GRAPH.microsoft.com:443/v1.0/users('a%40b.fr')/messages/delta?$x=1":   "https://graph.microsoft.com/v1.0/users('a%40b.fr')/messages/delta?$x=1",
		"https://graph.microsoft.com/v1.0/me/mailFolders/AQMk%2FxY%3D/messages?$top=1": "",
		"https://graph.microsoft.com/v1.0/me?next=https://evil.example/":               "",
	} {
		u, err := pin(root, link)
		if want == "" {
			want = link
		}
		if err != nil || u.String() != want {
			t.Errorf("%q leads to %v (%v), want %s", link, u, err, want)
		}
	}
}

// TestLinkSendsNothing: a refused link makes no request, and its text stands in no error.
func TestLinkSendsNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, fine)
	evil := newFake(t, false, fine)
	err := f.client("").JSON(t.Context(), &Request{Op: "list", Link: evil.srv.URL + "/v1.0/me?canary"}, nil)
	if !errors.Is(err, ErrLink) || strings.Contains(err.Error(), "canary") || evil.calls()+f.calls() != 0 {
		t.Errorf("got %v after %d requests", err, evil.calls()+f.calls())
	}
	if err := f.client("").JSON(t.Context(), &Request{Op: "list", Link: f.srv.URL + "/v1.0/me/x?y=%20"}, nil); err != nil || f.call(0).RequestURI != "/v1.0/me/x?y=%20" {
		t.Error(err)
	}
}

// TestRedirectNotFollowed: neither the token nor the request goes where an answer points.
func TestRedirectNotFollowed(t *testing.T) {
	t.Parallel()
	evil := newFake(t, false, fine)
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := newFake(t, false, func(_ int, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.srv.URL, status) })
		err := f.client("").JSON(t.Context(), &Request{Op: "send", Method: "POST", Path: "/sendMail", JSON: 1, Once: true}, nil)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Kind != Invalid || evil.calls() != 0 {
			t.Errorf("%d: got %v", status, err)
		}
	}
}

func TestUploadHosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		root, link string
		ok         bool
	}{
		{"https://graph.microsoft.com/v1.0", "https://outlook.office.com/api/v2.0/Users('x')?authtoken=a", true},
		{"https://graph.microsoft.com/v1.0", "https://OUTLOOK.office365.com:443/api?authtoken=a", true},
		{"https://graph.microsoft.us/v1.0", "https://outlook.office365.us/api", true},
		{"https://microsoftgraph.chinacloudapi.cn/v1.0", "https://partner.outlook.cn/api", true},
		{"https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0/upload", true},
		{"https://graph.microsoft.com/v1.0", "http://outlook.office.com/api", false},
		{"https://graph.microsoft.com/v1.0", "https://outlook.office.com:8443/api", false},
		{"https://graph.microsoft.com/v1.0", "https://outlook.office.com.evil.example/api", false},
		{"https://graph.microsoft.com/v1.0", "https://evil-office.com/api", false},
		{"https://graph.microsoft.com/v1.0", "https://office.com/api", false},
		{"https://graph.microsoft.com/v1.0", "https://outlook.office.com@evil.example/api", false},
		{"https://graph.microsoft.com/v1.0", "https://evil.example/?.office.com", false},
		{"https://graph.microsoft.com/v1.0", "https://evil.example\\.office.com", false},
		{"https://graph.microsoft.com/v1.0", "https://127.0.0.1/api", false},
		{"https://graph.microsoft.com/v1.0", "https://169.254.169.254/latest", false},
		{"https://127.0.0.1:8000/v1.0", "https://127.0.0.1:9000/up", true},
		{"https://127.0.0.1:8000/v1.0", "https://localhost:9000/up", true},
		{"https://127.0.0.1:8000/v1.0", "http://127.0.0.1:9000/up", false},
		{"https://127.0.0.1:8000/v1.0", "https://outlook.office.com/api", false},
		{"https://127.0.0.1:8000/v1.0", "https://127.0.0.1.evil.example/up", false},
	} {
		root, _ := url.Parse(c.root)
		if _, err := uploadTarget(root, c.link); (err == nil) != c.ok {
			t.Errorf("%s from %s: %v", c.link, c.root, err)
		}
	}
}

// TestUpload: another origin, without token and outside of the budget; the address is told to
// nobody.
func TestUpload(t *testing.T) {
	t.Parallel()
	up := newFake(t, false, func(n int, w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "" || r.Header.Get("Prefer") != "":
			w.WriteHeader(401)
		case n == 1:
			w.WriteHeader(503)
		case n == 2:
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(429)
		case r.Method == "DELETE":
			hangUp(w)
		default:
			io.WriteString(w, `{"nextExpectedRanges":["4-"]}`)
		}
	})
	f := newFake(t, false, fine)
	c := f.client("")
	for range Budget {
		if _, _, err := c.door(t.Context()).enter(t.Context(), &patience{now: c.o.Now}); err != nil {
			t.Fatal(err)
		}
	}
	body := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("data")), nil }
	resp, err := c.Upload(t.Context(), &Request{Op: "upload", Method: "PUT", Link: up.srv.URL + "/x?authtoken=canary", Body: body, Size: 4,
		Header: http.Header{"Content-Range": {"bytes 0-3/8"}}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if up.calls() != 3 || up.call(2).Header.Get("Content-Range") != "bytes 0-3/8" || up.bodies[2] != "data" {
		t.Errorf("%d requests; the last: %v %q", up.calls(), up.call(2).Header, up.bodies[2])
	}
	_, err = c.Upload(t.Context(), &Request{Op: "upload", Method: "DELETE", Link: up.srv.URL + "/x?authtoken=canary"})
	if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("the error tells the address: %v", err)
	}
	up.srv.Close()
	_, err = c.Upload(t.Context(), &Request{Op: "upload", Method: "DELETE", Link: up.srv.URL + "/x?authtoken=canary"})
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error tells the address: %v", err)
	}
}
