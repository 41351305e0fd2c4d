package connector

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/vaguemestre/vaguemestre/settings"
)

func TestKindsOpenSMTP(t *testing.T) {
	t.Parallel()
	kinds, err := Kinds(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kinds.Open(settings.Instance{Name: "main", Kind: "smtp", Settings: json.RawMessage(
		`{"host":"smtp.mondaine.fr","port":587,"tls":"starttls","account":"admin","password":"pw","sender":"Admin <admin@mondaine.fr>","timeout":"30s"}`)},
		&settings.DecodeOptions{Literal: true})
	if err != nil {
		t.Fatal(err)
	}
	s := c.(*SMTP)
	if s.Host != "smtp.mondaine.fr" || s.port() != 587 || s.TLS != TLSStartTLS || s.Password.Reveal() != "pw" || s.MaxConnections != 2 || s.Partial != PartialAllow {
		t.Errorf("%+v", s)
	}
}

// The form of version 1 had two boxes. Golden: what each combination becomes.
func TestMigrateTwoBoxes(t *testing.T) {
	t.Parallel()
	kinds, err := Kinds(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want string }{
		{`{"host":"h.fr","port":465,"ssl_tls":true,"starttls":false,"account":"a","password":"p","sender":"s@h.fr"}`,
			`{"host":"h.fr","port":465,"tls":"implicit","account":"a","password":"p","sender":"s@h.fr"}`},
		{`{"host":"h.fr","port":587,"ssl_tls":false,"starttls":true}`, `{"host":"h.fr","port":587,"tls":"starttls"}`},
		{`{"host":"h.fr","port":587,"ssl_tls":true,"starttls":true}`, `{"host":"h.fr","port":587,"tls":"starttls"}`},
		{`{"host":"h.fr","port":25,"ssl_tls":true,"starttls":true}`, `{"host":"h.fr","port":25,"tls":"starttls"}`},
		{`{"host":"h.fr","port":465,"ssl_tls":true,"starttls":true}`, `{"host":"h.fr","port":465,"tls":"implicit"}`},
		{`{"host":"h.fr","ssl_tls":true,"starttls":true}`, `{"host":"h.fr","tls":"implicit"}`},
		{`{"host":"h.fr","port":25,"ssl_tls":false,"starttls":false}`, `{"host":"h.fr","port":25,"tls":"none"}`},
		{`{"host":"h.fr"}`, `{"host":"h.fr","tls":"none"}`},
		{`{"host":"h.fr","ssl_tls":"true"}`, `{"host":"h.fr","tls":"implicit"}`},
	} {
		got, err := kinds.Migrate(settings.Instance{Name: "n", Kind: "smtp", Version: 1, Settings: json.RawMessage(c.in)})
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		var g, w any
		if json.Unmarshal(got.Settings, &g) != nil || json.Unmarshal([]byte(c.want), &w) != nil || !reflect.DeepEqual(g, w) {
			t.Errorf("%s becomes %s, want %s", c.in, got.Settings, c.want)
		}
	}
	if _, err := kinds.Migrate(settings.Instance{Kind: "smtp", Version: 1, Settings: json.RawMessage(`{"ssl_tls":3}`)}); err == nil {
		t.Error("3 is taken for a box")
	}
	if _, err := kinds.Migrate(settings.Instance{Kind: "smtp", Version: 3, Settings: json.RawMessage(`{}`)}); !errors.Is(err, settings.ErrNewerVersion) {
		t.Errorf("a newer version: %v", err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    *SMTP
		path string // of the first issue; "" is none
	}{
		{&SMTP{Host: "h.fr"}, ""},
		{&SMTP{Host: "127.0.0.1", Port: 2525, TLS: TLSNone}, ""},
		{&SMTP{}, "host"},
		{&SMTP{Host: "h.fr", Port: 70000}, "port"},
		{&SMTP{Host: "h.fr", TLS: "ssl"}, "tls"},
		{&SMTP{Host: "h.fr", Account: "a"}, "password"},
		{&SMTP{Host: "h.fr", Password: "a"}, "account"},
		{&SMTP{Host: "h.fr", Sender: "nobody"}, "sender"},
		{&SMTP{Host: "h.fr", Auth: "ntlm"}, "auth"},
		{&SMTP{Host: "h.fr", TLS: TLSNone, Auth: "plain", Account: "a", Password: "b"}, "tls"},
		{&SMTP{Host: "h.fr", TLS: TLSNone, Auth: "plain", Account: "a", Password: "b", AllowInsecureAuth: true}, ""},
		{&SMTP{Host: "h.fr", MaxConnections: 1000}, "max_connections"},
	} {
		is := settings.Validate(c.s)
		if (c.path == "") != (len(is) == 0) || len(is) > 0 && is[0].Path != c.path {
			t.Errorf("%+v: %v, want %q", c.s, is, c.path)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for mode, port := range map[TLSMode]int{"": 465, TLSImplicit: 465, TLSStartTLS: 587, TLSNone: 25} {
		if s := (&SMTP{TLS: mode}); s.port() != port {
			t.Errorf("%q: %d", mode, s.port())
		}
	}
	for want, s := range map[string]*SMTP{"a@b.fr": {Account: "a@b.fr"}, "": {Account: "admin"}, "c@b.fr": {Account: "a@b.fr", Sender: "c@b.fr"}} {
		if s.DefaultSender() != want {
			t.Errorf("%q, want %q", s.DefaultSender(), want)
		}
	}
}
