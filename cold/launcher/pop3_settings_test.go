package launcher

import (
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// The kind "pop3" is there, its form is labelled in both languages, and its settings are read
// under the names that files use.
func TestPOP3Kind(t *testing.T) {
	t.Parallel()
	r, err := Kinds(nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.Open(settings.Instance{Kind: "pop3", Settings: []byte(`{"host":"127.0.0.1","port":10110,"tls":"none","account":"a@mondaine.fr",` +
		`"password":"b","auth":"user","allow_insecure_auth":true,"min_interval":"2m","timeout":"5s"}`)}, &settings.DecodeOptions{Literal: true})
	if err != nil {
		t.Fatal(err)
	}
	p, ok := l.(*POP3)
	if !ok || p.Port != 10110 || p.TLS != TLSNone || p.MinInterval != 2*time.Minute || p.Timeout != 5*time.Second || !p.AllowInsecureAuth {
		t.Errorf("%v", l)
	}
	for key, label := range pop3Labels {
		if label.Name.EN == "" || label.Name.FR == "" || label.Help.EN == "" || label.Help.FR == "" {
			t.Errorf("%s lacks a text", key)
		}
	}
	for _, bad := range []string{`"min_interval":"0.1us"`, `"auth":"digest-md5"`, `"tls":"ssl"`, `"source":"INBOX"`} {
		if _, err := r.Open(settings.Instance{Kind: "pop3", Settings: []byte(`{"host":"h.example.org","account":"a","password":"b",` + bad + `}`)}, &settings.DecodeOptions{Literal: true}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if issues := (&POP3{Host: "h.example.org", Account: "a"}).ValidateSettings(); len(issues) != 1 || !strings.Contains(issues[0].Message.FR, "mot de passe") {
		t.Errorf("%+v", issues)
	}
}
