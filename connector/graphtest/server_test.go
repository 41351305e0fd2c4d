package graphtest

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is a running server with a client and a clock of its own.
type site struct {
	*Server
	t      testing.TB
	client *http.Client
	mu     sync.Mutex
	time   time.Time
}

func begin(t testing.TB, o Options) *site {
	t.Helper()
	x := &site{t: t, time: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	if o.Now == nil {
		o.Now = x.clock
	}
	s, err := Start(&o)
	if err != nil {
		t.Fatal(err)
	}
	x.Server = s
	x.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CA}, MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		x.client.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func (x *site) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.time
}

func (x *site) pass(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.time = x.time.Add(d)
}

// got is an answer.
type got struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// word is the OAuth2 error, or Graph's code.
func (g got) word() string {
	switch e := g.json["error"].(type) {
	case string:
		return e
	case map[string]any:
		s, _ := e["code"].(string)
		return s
	}
	return ""
}

// aadsts is the first of error_codes.
func (g got) aadsts() int {
	if list, ok := g.json["error_codes"].([]any); ok && len(list) > 0 {
		n, _ := list[0].(float64)
		return int(n)
	}
	return 0
}

func (g got) str(name string) string {
	s, _ := g.json[name].(string)
	return s
}

// ask does one request; path may be a whole address. err is of the line.
func (x *site) ask(method, path string, header http.Header, body string) (got, error) {
	x.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = x.URL + path
	}
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	resp, err := x.client.Do(r)
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	g := got{status: resp.StatusCode, header: resp.Header, body: b}
	json.Unmarshal(b, &g.json)
	return g, err
}

func (x *site) must(method, path string, header http.Header, body string) got {
	x.t.Helper()
	g, err := x.ask(method, path, header, body)
	if err != nil {
		x.t.Fatalf("%s %s: %v", method, path, err)
	}
	return g
}

// get asks Graph with a token.
func (x *site) get(token, path string) got {
	x.t.Helper()
	return x.must("GET", path, bearer(token), "")
}

func bearer(token string) http.Header {
	if token == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

// form posts to the authority.
func (x *site) form(path string, pairs ...string) got {
	x.t.Helper()
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return x.must("POST", path, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, f.Encode())
}

func TestServerTrustsItsOwnAuthority(t *testing.T) {
	t.Parallel()
	x := begin(t, Options{})
	pem, err := os.ReadFile(x.CAFile)
	if err != nil || !strings.Contains(string(pem), "BEGIN CERTIFICATE") {
		t.Fatalf("CAFile: %v", err)
	}
	port := x.URL[strings.LastIndexByte(x.URL, ':'):]
	for _, base := range []string{x.URL, x.UploadURL, "https://localhost" + port} {
		x.must("GET", base+"/v1.0/me", nil, "")
	}
	if _, err := http.Get(x.URL); err == nil {
		t.Error("a client without the authority was served")
	}
	a, _ := url.Parse(x.URL)
	b, _ := url.Parse(x.UploadURL)
	if a.Hostname() == b.Hostname() || a.Port() == b.Port() {
		t.Errorf("the origins %s and %s are not apart in host and port", a.Host, b.Host)
	}
}

func TestServerCloseDropsWhatHangs(t *testing.T) {
	t.Parallel()
	x := begin(t, Options{})
	x.Script(func(*Call) *Reply { return &Reply{Hang: true} })
	failed := make(chan error)
	go func() {
		_, err := x.ask("GET", "/v1.0/me", nil, "")
		failed <- err
	}()
	for x.Count("me") == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("a call that hangs was answered")
	}
	if _, err := os.Stat(x.CAFile); !os.IsNotExist(err) {
		t.Errorf("CAFile is still there: %v", err)
	}
	if _, err := x.ask("GET", "/v1.0/me", nil, ""); err == nil {
		t.Error("a closed server answers")
	}
}

func TestServerLogsCalls(t *testing.T) {
	t.Parallel()
	x := begin(t, Options{})
	long := strings.Repeat("x", 100<<10)
	x.must("POST", "/v1.0/users('a%2Fb@example.org')/MESSAGES?$top=3", http.Header{"X-Test": {"1"}}, long)
	x.must("GET", "/v1.0/me", nil, "")
	x.must("GET", "/v1.0/me", nil, "")
	x.must("PUT", x.UploadURL+"/x", nil, "abc")
	list := x.Calls()
	if len(list) != 4 {
		t.Fatalf("%d calls", len(list))
	}
	c := list[0]
	if c.Op != "messages.create" || c.Query != "$top=3" || c.Path != "/v1.0/users('a/b@example.org')/MESSAGES" || c.Size != int64(len(long)) ||
		len(c.Body) != 64<<10 || c.Header.Get("X-Test") != "1" || c.Status != 401 || c.N != 1 || c.Why == "" || !c.Time.Equal(x.clock()) {
		c.Body = nil
		t.Errorf("%+v", c)
	}
	if c := list[2]; c.N != 2 || c.Op != "me" || x.Count("me") != 2 {
		t.Errorf("second me: %+v", c)
	}
	if c := list[3]; !c.Upload || c.Op != "upload.put" {
		t.Errorf("upload: %+v", c)
	}
	x.ResetCalls()
	if len(x.Calls()) != 0 || x.Count("me") != 0 {
		t.Error("ResetCalls left something")
	}
}

func TestServerTellsRequestIDs(t *testing.T) {
	t.Parallel()
	x := begin(t, Options{})
	g := x.must("GET", "/v1.0/me", http.Header{"Client-Request-Id": {"mine"}}, "")
	id := g.header.Get("Request-Id")
	inner := g.json["error"].(map[string]any)["innerError"].(map[string]any)
	if id == "" || g.header.Get("Client-Request-Id") != "mine" || inner["request-id"] != id || inner["client-request-id"] != "mine" ||
		inner["date"] != "2026-11-21T10:00:00" || !strings.Contains(g.header.Get("X-Ms-Ags-Diagnostic"), "DataCenter") {
		t.Errorf("%v %s", g.header, g.body)
	}
}
