package graphtest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/settings"
)

const person = "compta@mondaine.fr"

func start(t *testing.T, o *graphtest.Options) *graphtest.Server {
	t.Helper()
	srv, err := graphtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	srv.AddUser(graphtest.User{Address: person, Name: "Comptabilité"})
	return srv
}

// works asks who the token is for.
func works(t *testing.T, srv *graphtest.Server, token, path string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: srv.CA}, DisableKeepAlives: true}}
	r, err := http.NewRequest("GET", srv.URL+"/v1.0"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// The product's procedure: a code, a person, a token, and its renewal when it has ended.
func TestSignIn(t *testing.T) {
	t.Parallel()
	const life = time.Second // by the clock of the client too
	for _, rotation := range []graphtest.Rotation{graphtest.RotateEntra, graphtest.RotateStrict} {
		t.Run(string(rotation), func(t *testing.T) {
			t.Parallel()
			srv := start(t, &graphtest.Options{Rotation: rotation, DemandScope: true, EnforceSlow: true, TokenLife: life})
			account := srv.Provider(&auth.Memory{}).Account("compta")
			if err := srv.SignIn(t.Context(), account, person); err != nil {
				t.Fatal(err)
			}
			st, err := account.Status(t.Context())
			if err != nil || st.Standing != auth.StandingReady || st.User != person || len(st.Missing) > 0 {
				t.Fatalf("%+v %v", st, err)
			}
			for range 2 {
				tok, err := account.Token(t.Context(), auth.Graph)
				if err != nil || works(t, srv, tok.AccessToken, "/me") != 200 {
					t.Fatal(err)
				}
				srv.ExpireTokens()
				if works(t, srv, tok.AccessToken, "/me") != 401 {
					t.Error("an expired token works")
				}
				time.Sleep(life)
			}
			srv.Revoke(person, 50173)
			if _, err := account.Token(t.Context(), auth.Graph); !errors.Is(err, auth.ErrReauth) {
				t.Errorf("after Revoke: %v", err)
			}
			if srv.SignIn(t.Context(), account, "nobody@mondaine.fr") == nil {
				t.Error("nobody signed in")
			}
		})
	}
}

// begin begins a flow and hands it to a person.
func begin(t *testing.T, srv *graphtest.Server, p *auth.Microsoft, answer func(code string) error) (auth.Progress, error) {
	t.Helper()
	flow, err := p.Account("compta").Begin(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer(flow.Progress().UserCode.Reveal()); err != nil {
		t.Fatal(err)
	}
	return flow.Wait(t.Context(), nil)
}

func TestFlowsEnd(t *testing.T) {
	t.Parallel()
	for want, answer := range map[auth.State]func(srv *graphtest.Server, code string) error{
		auth.StateDeclined: (*graphtest.Server).Decline,
		auth.StateBlocked:  (*graphtest.Server).Block,
		auth.StateApproved: func(srv *graphtest.Server, code string) error {
			return srv.Approve(code, graphtest.Consent{User: person, Scopes: []string{"Mail.Send", "User.Read"}})
		},
	} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			srv := start(t, nil)
			got, err := begin(t, srv, srv.Provider(&auth.Memory{}), func(code string) error { return answer(srv, code) })
			if got.State != want || (err == nil) != (want == auth.StateApproved) {
				t.Errorf("%s: %v", got.State, err)
			}
			if want == auth.StateApproved && !slices.ContainsFunc(got.Missing, func(s string) bool { return strings.HasSuffix(s, "Mail.ReadWrite") }) {
				t.Errorf("missing %q", got.Missing)
			}
		})
	}
}

// Other audiences come by refreshing, if they were consented to.
func TestOtherAudiences(t *testing.T) {
	t.Parallel()
	const imap = "https://outlook.office.com/IMAP.AccessAsUser.All"
	srv := start(t, &graphtest.Options{Rotation: graphtest.RotateStrict})
	for name, extra := range map[string][]string{"consented": {"Mail.Send", "User.Read", imap}, "not": {"Mail.Send", "User.Read"}} {
		p := srv.Provider(&auth.Memory{})
		p.Roles = []auth.Role{auth.RoleSend, auth.RoleIMAP}
		if _, err := begin(t, srv, p, func(code string) error { return srv.Approve(code, graphtest.Consent{User: person, Scopes: extra}) }); err != nil {
			t.Fatal(err)
		}
		tok, err := p.Account("compta").Token(t.Context(), auth.IMAP)
		if (err == nil) != (name == "consented") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && works(t, srv, tok.AccessToken, "/me") != 401 {
			t.Error("a token of IMAP is good for Graph")
		}
		tok, err = p.Account("compta").Token(t.Context(), auth.Graph)
		if err != nil || works(t, srv, tok.AccessToken, "/me") != 200 {
			t.Errorf("%s: Graph: %v", name, err)
		}
	}
}

// A browser on the same machine: the page, the consent, and the way back to loopback.
func TestCodeFlow(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	account := srv.Provider(&auth.Memory{}).Account("compta")
	flow, err := account.Begin(t.Context(), &auth.BeginOptions{Method: auth.MethodCode, Redirect: "https://ged.example.org/back"})
	if err != nil {
		t.Fatal(err)
	}
	to, err := srv.Authorize(flow.Progress().URL, graphtest.Consent{User: person})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("GET", to, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := flow.Finish(t.Context(), r.URL.Query())
	if err != nil || got.State != auth.StateApproved || got.User != person {
		t.Fatalf("%+v %v", got, err)
	}
	tok, err := account.Token(t.Context(), auth.Graph)
	if err != nil || works(t, srv, tok.AccessToken, "/me") != 200 {
		t.Error(err)
	}
}

func TestApplication(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	const id = "0f5d3c1e-8a27-4b60-9d11-6e2f4a7c9b35"
	srv.AddApp(graphtest.App{ID: id, Secret: "s3cret", Permissions: []string{"Mail.ReadWrite"}})
	for _, c := range []struct {
		secret settings.Secret
		tenant string
		ok     bool
	}{{"s3cret", srv.Tenant, true}, {"s3cret", "mondaine.fr", true}, {"other", srv.Tenant, false}} {
		p := &auth.Microsoft{ClientID: id, Tenant: c.tenant, Authority: srv.URL, GraphURL: srv.URL, CAFile: srv.CAFile, Grant: auth.Application, ClientSecret: c.secret}
		tok, err := p.Account("app").Token(t.Context(), auth.Graph)
		if (err == nil) != c.ok {
			t.Errorf("%s at %s: %v", c.secret, c.tenant, err)
			continue
		}
		if err == nil && (works(t, srv, tok.AccessToken, "/users/"+person+"/mailFolders") != 200 || works(t, srv, tok.AccessToken, "/me") != 400) {
			t.Error("the token is not the application's")
		}
	}
}

// A certificate in place of a secret: what auth signs, the server verifies.
func TestApplicationByCertificate(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	const id = "0f5d3c1e-8a27-4b60-9d11-6e2f4a7c9b35"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(4), Subject: pkix.Name{CommonName: "ged"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ged.pem")
	b := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})...)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	srv.AddApp(graphtest.App{ID: id, Certificate: cert, Permissions: []string{"Mail.ReadWrite"}})
	p := &auth.Microsoft{ClientID: id, Tenant: srv.Tenant, Authority: srv.URL, GraphURL: srv.URL, CAFile: srv.CAFile, Grant: auth.Application, CertificateFile: file}
	tok, err := p.Account("app").Token(t.Context(), auth.Graph)
	if err != nil || works(t, srv, tok.AccessToken, "/users/"+person+"/mailFolders") != 200 {
		t.Error(err)
	}
}

func ExampleServer_SignIn() {
	srv, err := graphtest.Start(nil)
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	srv.AddUser(graphtest.User{Address: person})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	account := srv.Provider(&auth.Memory{}).Account("compta")
	if err := srv.SignIn(ctx, account, person); err != nil {
		panic(err)
	}
	st, err := account.Status(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(st.User, st.Standing)
	// Output: compta@mondaine.fr ready
}
