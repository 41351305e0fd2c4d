package settings_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// level is a type of its own, written as its text.
type level struct{ n int }

func (l level) MarshalText() ([]byte, error) {
	return []byte(strings.Repeat("*", l.n)), nil
}

func (l *level) UnmarshalText(b []byte) error {
	if s := strings.Trim(string(b), "*"); s != "" {
		return errors.New("only stars are allowed")
	}
	l.n = len(b)
	return nil
}

type mode string

type reply struct {
	Wait  time.Duration   `key:"wait" default:"30s" min:"1s" max:"10m"`
	Token settings.Secret `key:"token"`
	Lang  string          `key:"lang" enum:"en,fr"`
}

func (*reply) Labels() map[string]settings.Label {
	return map[string]settings.Label{
		"wait":  name("Wait", "Attente"),
		"token": name("Token", "Jeton"),
		"lang":  name("Language", "Langue"),
	}
}

type common struct {
	Note string `key:"note" format:"text"`
}

// sample has a field of every type.
type sample struct {
	common
	Host     string              `key:"host" required:"true" format:"host"`
	Port     int                 `key:"port" min:"1" max:"65535"`
	TLS      mode                `key:"tls" enum:"implicit,starttls,none" default:"implicit"`
	Insecure bool                `key:"insecure" when:"tls=none" advanced:"true"`
	Account  string              `key:"account"`
	Password settings.Secret     `key:"password" max:"100"`
	CA       string              `key:"ca_file" required:"true" when:"tls=starttls|none" format:"file"`
	Timeout  time.Duration       `key:"timeout" default:"1m"`
	Folder   string              `key:"folder" default:"INBOX" max:"20"`
	Keep     bool                `key:"keep" default:"true"`
	Retries  int8                `key:"retries" default:"3"`
	Count    uint16              `key:"count"`
	Rate     float64             `key:"rate" min:"0" max:"1"`
	To       []string            `key:"to" format:"email" max:"3"`
	Types    []string            `key:"types" default:"a,b"`
	Headers  map[string]string   `key:"headers"`
	Level    level               `key:"level"`
	Levels   []level             `key:"levels"`
	Reply    reply               `key:"reply"`
	Replies  []reply             `key:"replies"`
	Named    map[string]reply    `key:"named"`
	Extra    []settings.Instance `key:"extra"`

	Logger func() // no setting
}

func (*sample) Labels() map[string]settings.Label {
	m := map[string]settings.Label{
		"host":         {Name: settings.Text{EN: "Address", FR: "Adresse"}, Help: settings.Text{EN: "Name of the server.", FR: "Nom du serveur."}},
		"tls=implicit": name("SSL/TLS", "SSL/TLS"),
	}
	for _, k := range strings.Fields("note port tls insecure account password ca_file timeout folder keep retries count rate to types headers level levels reply replies named extra") {
		m[k] = name("The "+k, "Le "+k)
	}
	return m
}

func name(en, fr string) settings.Label {
	return settings.Label{Name: settings.Text{EN: en, FR: fr}}
}

// issuesOf returns the issues in err as "path code", and fails when err is not of the agreed form.
func issuesOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *vaguemestre.Error
	if !errors.As(err, &e) || e.Class != vaguemestre.ClassConfig {
		t.Fatalf("error %v is no *vaguemestre.Error of class config", err)
	}
	var is settings.Issues
	if !errors.As(err, &is) {
		t.Fatalf("error %v holds no Issues", err)
	}
	return codes(t, is)
}

func codes(t *testing.T, is settings.Issues) []string {
	t.Helper()
	var out []string
	for _, i := range is {
		if i.Message.EN == "" || i.Message.FR == "" {
			t.Errorf("issue %q lacks a language: %+v", i.Path, i.Message)
		}
		out = append(out, strings.TrimSpace(i.Path+" "+i.Code))
	}
	return out
}

func keyring(t testing.TB, seed byte, olds ...byte) *settings.Keyring {
	t.Helper()
	var keys []*settings.Key
	for _, s := range append([]byte{seed}, olds...) {
		raw := make([]byte, 32)
		for i := range raw {
			raw[i] = s + byte(i)
		}
		k, err := settings.NewKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	r, err := settings.NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
