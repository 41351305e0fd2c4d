package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	store := new(Memory)
	kinds, err := Kinds(store)
	if err != nil {
		t.Fatal(err)
	}
	k, err := settings.ParseKey(base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789ABCDEF")))
	if err != nil {
		t.Fatal(err)
	}
	key, err := settings.NewKeyring(k)
	if err != nil {
		t.Fatal(err)
	}
	for kind, v := range map[string]Provider{
		"microsoft": &Microsoft{ClientID: "id", Tenant: "mondaine.fr", Grant: Application, ClientSecret: canarySecret},
		"oauth2":    &OAuth2{ClientID: "id", Preset: PresetGoogle, ClientSecret: canarySecret, Scopes: []string{gmail}},
	} {
		in, err := kinds.Pack("n", kind, v, key)
		if err != nil || strings.Contains(string(in.Settings), canarySecret) {
			t.Fatalf("%s: %v %s", kind, err, in.Settings)
		}
		got, err := kinds.Open(in, &settings.DecodeOptions{Opener: key})
		if err != nil {
			t.Fatal(err)
		}
		var tokens Store
		var secret settings.Secret
		switch p := got.(type) {
		case *Microsoft:
			tokens, secret = p.Tokens, p.ClientSecret
		case *OAuth2:
			tokens, secret = p.Tokens, p.ClientSecret
		}
		if tokens != Store(store) || secret != canarySecret {
			t.Errorf("%s: opened without its store or secret", kind)
		}
		if _, err := got.Account("a").Status(t.Context()); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	// An account whose application is not known yet can be stored.
	_, err = kinds.Open(settings.Instance{Kind: "microsoft"}, nil)
	if inc := new(settings.Incomplete); !errors.As(err, &inc) {
		t.Errorf("without client_id: %v", err)
	}
	for _, k := range kinds.Kinds() {
		form, err := settings.Describe(k.New())
		if err != nil {
			t.Fatal(err)
		}
		shown := fmt.Sprintf("%+v", form)
		if k.Name == "microsoft" && !strings.Contains(shown, "Boîtes partagées également") {
			t.Errorf("%s: the roles have no labels: %s", k.Name, shown)
		}
	}
}

func TestLabelsOfEnums(t *testing.T) {
	t.Parallel()
	for _, l := range []settings.Labeler{&Microsoft{}, &OAuth2{}} {
		labels := l.Labels()
		for key, label := range labels {
			if label.Name.EN == "" || label.Name.FR == "" || (label.Help.EN == "") != (label.Help.FR == "") {
				t.Errorf("%T %s: %+v", l, key, label)
			}
		}
	}
	for _, k := range []string{"roles=send", "roles=send_large", "roles=collect", "roles=shared", "roles=imap", "roles=pop", "roles=smtp",
		"cloud=worldwide", "cloud=usgov", "cloud=usgov_dod", "cloud=china", "grant=delegated", "grant=application"} {
		if _, ok := (&Microsoft{}).Labels()[k]; !ok {
			t.Errorf("no label for %s", k)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	store := new(Memory)
	ms := func(f func(*Microsoft)) Provider {
		m := &Microsoft{ClientID: "id", Tokens: store}
		f(m)
		return m
	}
	app := func(f func(*Microsoft)) Provider {
		return ms(func(m *Microsoft) {
			m.Grant, m.Tenant, m.ClientSecret, m.Tokens = Application, "mondaine.fr", "s", nil
			f(m)
		})
	}
	oa := func(f func(*OAuth2)) Provider {
		o := &OAuth2{ClientID: "id", TokenURL: "https://login.example.org/t", AuthURL: "https://login.example.org/a", Tokens: store}
		f(o)
		return o
	}
	noCA := filepath.Join(t.TempDir(), "no.pem")
	if err := os.WriteFile(noCA, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		p    Provider
		says string // "" is right
	}{
		"least":                           {ms(func(m *Microsoft) {}), ""},
		"no client id":                    {ms(func(m *Microsoft) { m.ClientID = "" }), "client_id"},
		"odd client id":                   {ms(func(m *Microsoft) { m.ClientID = "a/b" }), "client_id"},
		"odd tenant":                      {ms(func(m *Microsoft) { m.Tenant = "../x" }), "tenant"},
		"dots":                            {ms(func(m *Microsoft) { m.Tenant = ".." }), "tenant"},
		"unknown role":                    {ms(func(m *Microsoft) { m.Roles = []Role{"fax"} }), "roles"},
		"shared alone":                    {ms(func(m *Microsoft) { m.Roles = []Role{RoleShared} }), "roles"},
		"unknown cloud":                   {ms(func(m *Microsoft) { m.Cloud = "mars" }), "cloud"},
		"plain authority":                 {ms(func(m *Microsoft) { m.Authority = "http://login.example.org" }), "https://"},
		"authority of this machine":       {ms(func(m *Microsoft) { m.Authority = "http://127.0.0.1:8080" }), ""},
		"authority of this machine, IPv6": {ms(func(m *Microsoft) { m.Authority = "http://[::1]:8080" }), ""},
		"nearly this machine":             {ms(func(m *Microsoft) { m.Authority = "http://127.0.0.1.example.org" }), "https://"},
		"user in an address":              {ms(func(m *Microsoft) { m.GraphURL = "https://graph.microsoft.com@example.org" }), "user name"},
		"plain outlook":                   {ms(func(m *Microsoft) { m.Outlook = "http://outlook.example.org" }), "https://"},
		"a query in the authority":        {ms(func(m *Microsoft) { m.Authority = "https://login.example.org/?x=" }), "query"},
		"no store":                        {ms(func(m *Microsoft) { m.Tokens = nil }), "Tokens"},
		"secret and certificate":          {ms(func(m *Microsoft) { m.ClientSecret, m.CertificateFile = "s", "c" }), "keep one"},
		"no CA file":                      {ms(func(m *Microsoft) { m.CAFile = noCA + "x" }), "cannot be read"},
		"empty CA file":                   {ms(func(m *Microsoft) { m.CAFile = noCA }), "no certificate"},
		"application":                     {app(func(m *Microsoft) {}), ""},
		"application, no proof":           {app(func(m *Microsoft) { m.ClientSecret = "" }), "secret or certificate"},
		"application, no tenant":          {app(func(m *Microsoft) { m.Tenant = "" }), "tenant"},
		"application, common":             {app(func(m *Microsoft) { m.Tenant = "Common" }), "one tenant"},
		"application, consumers":          {app(func(m *Microsoft) { m.Tenant = "consumers" }), "one tenant"},
		"generic":                         {oa(func(o *OAuth2) {}), ""},
		"generic, no address":             {oa(func(o *OAuth2) { o.TokenURL = "" }), "token_url"},
		"generic, no way in":              {oa(func(o *OAuth2) { o.AuthURL = "" }), "auth_url"},
		"generic, plain":                  {oa(func(o *OAuth2) { o.TokenURL = "http://login.example.org/t" }), "https://"},
		"generic, issuer alone":           {oa(func(o *OAuth2) { o.TokenURL, o.AuthURL, o.Issuer = "", "", "https://login.example.org" }), ""},
		"generic, scopes in one":          {oa(func(o *OAuth2) { o.Scopes = []string{"a b"} }), "one word"},
		"generic, no store":               {oa(func(o *OAuth2) { o.Tokens = nil }), "Tokens"},
		"generic, application":            {oa(func(o *OAuth2) { o.Grant, o.AuthURL = Application, "" }), "secret"},
		"google":                          {&OAuth2{Preset: PresetGoogle, ClientID: "id", Tokens: store}, ""},
	} {
		_, err := tt.p.Account("a").Status(t.Context())
		if tt.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if vaguemestre.ClassOf(err) != config || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := tt.p.Account("a").Begin(t.Context(), nil); vaguemestre.ClassOf(err) != config {
			t.Errorf("%s: Begin: %v", name, err)
		}
	}
}

// A redirect would carry a secret to another address.
func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	var reached bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	s := newIDP(t, reply{status: 307, body: "x", header: http.Header{"Location": {other.URL}}})
	s.device = s.script[0]
	m := s.microsoft(t, new(Memory), nil)
	if _, err := m.Account("a").Begin(t.Context(), nil); err == nil || reached {
		t.Errorf("followed: %v", err)
	}
	_, h, err := m.Graph()
	if err != nil {
		t.Fatal(err)
	}
	res, err := h.Get(s.URL + "/token")
	if err != nil || res.StatusCode != 307 || reached {
		t.Errorf("%v, %v", res, err)
	}
	if err == nil {
		res.Body.Close()
	}
}
