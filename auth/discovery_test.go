package auth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	doc := func(change map[string]any) func(string) (int, string) {
		return func(self string) (int, string) {
			m := map[string]any{"issuer": self, "token_endpoint": self + "/t", "authorization_endpoint": self + "/a", "device_authorization_endpoint": self + "/d"}
			for k, v := range change {
				m[k] = v
			}
			b, _ := json.Marshal(m)
			return 200, string(b)
		}
	}
	says := func(status int, body string) func(string) (int, string) {
		return func(string) (int, string) { return status, body }
	}
	tests := []struct {
		name  string
		doc   func(self string) (int, string)
		class vaguemestre.Class
	}{
		{"as it should be", doc(nil), ""},
		{"another issuer", doc(map[string]any{"issuer": "https://evil.example.org"}), config},
		{"no issuer", doc(map[string]any{"issuer": nil}), config},
		{"a token endpoint over http", doc(map[string]any{"token_endpoint": "http://login.example.org/t"}), config},
		{"an odd device endpoint", doc(map[string]any{"device_authorization_endpoint": "file:///etc/passwd"}), config},
		{"no token endpoint", doc(map[string]any{"token_endpoint": nil}), config},
		{"not there", says(404, "no"), config},
		{"sends elsewhere", says(302, ""), config},
		{"out of order", says(503, "no"), vaguemestre.ClassDeferred},
		{"HTML", says(200, "<html>"), config},
		{"endless", says(200, `{"issuer":"`+strings.Repeat("x", 1<<20)+`"}`), config},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			var srv *httptest.Server
			srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.URL.Path != "/.well-known/openid-configuration" {
					t.Errorf("asked %s", r.URL)
				}
				status, body := tt.doc(srv.URL)
				w.Header().Set("Location", "https://evil.example.org/")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}))
			defer srv.Close()
			o := &OAuth2{ClientID: "id", Issuer: srv.URL, AuthURL: "https://login.example.org/mine", Tokens: new(Memory), Timeout: 5 * time.Second}
			c, err := o.client()
			if err != nil {
				t.Fatal(err)
			}
			defer c.http.CloseIdleConnections()
			if asked.Load() != 0 {
				t.Error("the issuer was asked before it was needed")
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					ep, err := c.dialect.endpoints(t.Context())
					if vaguemestre.ClassOf(err) != tt.class {
						t.Errorf("%v", err)
					}
					if err == nil && (ep.TokenURL != srv.URL+"/t" || ep.DeviceAuthURL != srv.URL+"/d" || ep.AuthURL != "https://login.example.org/mine") {
						t.Errorf("%+v", ep)
					}
				})
			}
			wg.Wait()
			if tt.class == "" && asked.Load() != 1 {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}
