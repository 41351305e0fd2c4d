package settings_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// carrier is the interface of a registry's values.
type carrier interface{ Carry() string }

type box struct {
	Host   string          `key:"host" required:"true"`
	TLS    string          `key:"tls" enum:"implicit,starttls,none" default:"implicit"`
	Port   int             `key:"port"`
	Secret settings.Secret `key:"secret"`
}

func (b *box) Carry() string { return b.Host }

func (*box) Labels() map[string]settings.Label {
	return map[string]settings.Label{"host": name("Address", "Adresse"), "tls": name("Security", "Sécurité"), "port": name("Port", "Port"), "secret": name("Password", "Mot de passe")}
}

// bare is a kind without settings.
type bare struct{}

func (bare) Carry() string { return "bare" }

func boxKind() settings.Kind[carrier] {
	return settings.Kind[carrier]{
		Name: "box", Title: settings.Text{EN: "Box", FR: "Boîte"}, New: func() carrier { return new(box) }, Version: 3,
		Migrations: []settings.Migration{
			func(m map[string]any) (map[string]any, error) { // two booleans become one choice
				ssl, _ := m["ssl"].(bool)
				start, _ := m["starttls"].(bool)
				delete(m, "ssl")
				delete(m, "starttls")
				switch {
				case ssl && start:
					return nil, errors.New("both ssl and starttls: choose one")
				case ssl:
					m["tls"] = "implicit"
				case start:
					m["tls"] = "starttls"
				default:
					m["tls"] = "none"
				}
				return m, nil
			},
			func(m map[string]any) (map[string]any, error) { // the secret gets another name
				if p, ok := m["pass"]; ok {
					m["secret"] = p
					delete(m, "pass")
				}
				return m, nil
			},
		},
	}
}

func boxes(t *testing.T) *settings.Registry[carrier] {
	t.Helper()
	var r settings.Registry[carrier]
	if err := r.Register(boxKind(), settings.Kind[carrier]{Name: "bare", Title: settings.Text{EN: "Bare", FR: "Nu"}, New: func() carrier { return bare{} }}); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestRegisterRefusesWrongKinds(t *testing.T) {
	t.Parallel()
	type noLabels struct {
		bare
		A string `key:"a"`
	}
	for want, change := range map[string]func(*settings.Kind[carrier]){
		"registered already":               func(*settings.Kind[carrier]) {},
		"the name must be of":              func(k *settings.Kind[carrier]) { k.Name = "Box" },
		"Title must be in English":         func(k *settings.Kind[carrier]) { k.Name, k.Title.FR = "b", "" },
		"Help must be in both":             func(k *settings.Kind[carrier]) { k.Name, k.Help.FR = "b", "aide" },
		"New is nil":                       func(k *settings.Kind[carrier]) { k.Name, k.New = "b", nil },
		"needs 3 migrations, from 1 to 4":  func(k *settings.Kind[carrier]) { k.Name, k.Version = "b", 4 },
		"version 1 needs 0 migrations":     func(k *settings.Kind[carrier]) { k.Name, k.Version = "b", 0 },
		"from version 2 to 3 is nil":       func(k *settings.Kind[carrier]) { k.Name, k.Migrations[1] = "b", nil },
		"must not be negative":             func(k *settings.Kind[carrier]) { k.Name, k.Version = "b", -1 },
		"the value is nil":                 func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return nil } },
		"a: Labels must give a name":       func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return new(noLabels) } },
		"New must return a new value":      func(k *settings.Kind[carrier]) { one := new(box); k.Name, k.New = "b", func() carrier { return one } },
		"New must return a pointer":        func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return noLabels{} } },
		"b: Labels has a text for a key":   func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return new(wrongLabels) } },
		"help in both languages":           func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return new(wrongLabels) } },
		"a=y: Labels must give a name":     func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return new(wrongLabels) } },
		"c: the Go declaration is wrong":   func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return new(wrongTags) } },
		"in.a: Labels must give a name in": func(k *settings.Kind[carrier]) { k.Name, k.New = "b", func() carrier { return new(wrongNested) } },
	} {
		r := boxes(t)
		k := boxKind()
		change(&k)
		err := r.Register(settings.Kind[carrier]{Name: "good", Title: settings.Text{EN: "x", FR: "x"}, New: func() carrier { return bare{} }}, k)
		if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if _, ok := r.Lookup("good"); ok || len(r.Kinds()) != 2 {
			t.Errorf("%q: part of the kinds was registered", want)
		}
	}
}

type wrongLabels struct {
	bare
	A string `key:"a" enum:"x,y"`
}

func (*wrongLabels) Labels() map[string]settings.Label {
	return map[string]settings.Label{
		"a":   {Name: settings.Text{EN: "A", FR: "A"}, Help: settings.Text{EN: "only English"}},
		"a=y": {Name: settings.Text{FR: "seul"}},
		"b":   name("B", "B"),
	}
}

type wrongTags struct {
	bare
	C int `key:"c" min:"x"`
}

type wrongNested struct {
	bare
	In []struct {
		A string `key:"a"`
	} `key:"in"`
}

func (*wrongNested) Labels() map[string]settings.Label {
	return map[string]settings.Label{"in": name("In", "Dans")}
}

func TestKindsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	r := boxes(t)
	kinds := r.Kinds()
	if len(kinds) != 2 || kinds[0].Name != "box" || kinds[1].Name != "bare" {
		t.Fatalf("kinds: %v", kinds)
	}
	kinds[0].Name = "changed"
	if _, ok := r.Lookup("box"); !ok {
		t.Error("the caller can change the registry")
	}
	if _, ok := new(settings.Registry[carrier]).Lookup("box"); ok {
		t.Error("an empty registry knows a kind")
	}
}

func TestOpenUnknownKindListsTheKnown(t *testing.T) {
	t.Parallel()
	_, err := boxes(t).Open(settings.Instance{Name: "main", Kind: "bok"}, nil)
	if !errors.Is(err, settings.ErrUnknownKind) || !strings.Contains(err.Error(), `did you mean "box"?`) || !strings.Contains(err.Error(), "use one of box, bare") {
		t.Error(err)
	}
	_, err = new(settings.Registry[carrier]).Open(settings.Instance{Kind: "box"}, nil)
	if !errors.Is(err, settings.ErrUnknownKind) || !strings.Contains(err.Error(), "no kind is registered") {
		t.Error(err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	r := boxes(t)
	for _, c := range []struct {
		version    int
		from, want string
		err        string
	}{
		{1, `{"host":"h","ssl":true,"port":12345678901234567}`, `{"host":"h","port":12345678901234567,"tls":"implicit"}`, ""},
		{1, `{"host":"h","ssl":false,"starttls":true,"pass":{"env":"PW"}}`, `{"host":"h","secret":{"env":"PW"},"tls":"starttls"}`, ""},
		{2, `{"host":"<h>"}`, `{"host":"<h>"}`, ""},
		{3, "{ \"host\" : 1 }", "{ \"host\" : 1 }", ""},
		{0, `{"x":1}`, `{"x":1}`, ""},
		{1, "", `{"tls":"none"}`, ""},
		{1, `{"ssl":true,"starttls":true}`, "", "from version 1 to 2: both ssl and starttls"},
		{1, `{"a":1,"a":2}`, "", "stands twice"},
		{1, `[]`, "", "must be an object"},
		{1, `{`, "", "not JSON"},
		{-1, `{}`, "", "version -1 does not exist"},
	} {
		in := settings.Instance{Name: "main", Kind: "box", Version: c.version, Settings: json.RawMessage(c.from)}
		got, err := r.Migrate(in)
		if c.err != "" {
			if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), c.err) || !reflect.DeepEqual(got, in) {
				t.Errorf("%s: %v, %v", c.from, got, err)
			}
			continue
		}
		if err != nil || string(got.Settings) != c.want || got.Version != 3 || got.Name != "main" {
			t.Errorf("%s: %+v %s, %v", c.from, got, got.Settings, err)
		}
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	in := settings.Instance{Name: "main", Kind: "box", Version: 4, Settings: json.RawMessage(`{"hostess": 1 }`)}
	v, err := boxes(t).Open(in, nil)
	if !errors.Is(err, settings.ErrNewerVersion) || v != nil || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("%v, %v", v, err)
	}
	got, err := boxes(t).Migrate(in)
	if !errors.Is(err, settings.ErrNewerVersion) || !reflect.DeepEqual(got, in) || string(got.Settings) != `{"hostess": 1 }` {
		t.Errorf("the bytes were touched: %s, %v", got.Settings, err)
	}
}

func TestOpenIncomplete(t *testing.T) {
	t.Parallel()
	r := boxes(t)
	v, err := r.Open(settings.Instance{Name: "main", Kind: "box", Settings: json.RawMessage(`{"port":25}`)}, nil)
	var missing *settings.Incomplete
	if !errors.As(err, &missing) || len(missing.Missing) != 1 || missing.Missing[0].Path != "host" {
		t.Fatalf("%v", err)
	}
	if b, ok := v.(*box); !ok || b.Port != 25 || b.TLS != "implicit" {
		t.Errorf("value: %+v", v)
	}
	if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || issuesOf(t, err)[0] != "host required" {
		t.Errorf("%v", err)
	}
	in, err := r.Pack("main", "box", v, nil)
	if err != nil || string(in.Settings) != `{"tls":"implicit","port":25}` {
		t.Errorf("an incomplete value must be stored: %s, %v", in.Settings, err)
	}
	// Something else is wrong too: no value.
	v, err = r.Open(settings.Instance{Kind: "box", Settings: json.RawMessage(`{"tls":"x"}`)}, nil)
	if errors.As(err, &missing) || v != nil || len(issuesOf(t, err)) != 2 {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := r.Open(settings.Instance{Kind: "bare"}, nil); err != nil || v.Carry() != "bare" {
		t.Errorf("a kind without settings: %v, %v", v, err)
	}
	if in, err := r.Pack("x", "bare", bare{}, nil); err != nil || string(in.Settings) != "{}" || in.Version != 1 {
		t.Errorf("a kind without settings: %+v, %v", in, err)
	}
}

func TestPackOpen(t *testing.T) {
	t.Parallel()
	r, keys := boxes(t), keyring(t, 1)
	want := &box{Host: "h", TLS: "none", Secret: canary}
	in, err := r.Pack("main", "box", want, keys)
	if err != nil || in.Version != 3 || in.Name != "main" || in.Kind != "box" || leaks(string(in.Settings)) {
		t.Fatalf("%+v, %v", in, err)
	}
	got, err := r.Open(in, &settings.DecodeOptions{Opener: keys})
	if err != nil || !reflect.DeepEqual(got, carrier(want)) {
		t.Errorf("%+v, %v", got, err)
	}
	for what, other := range map[string]settings.Instance{
		"another name": {Name: "other", Kind: "box", Version: 3, Settings: in.Settings},
		"renamed key":  {Name: "main", Kind: "box", Version: 2, Settings: json.RawMessage(strings.Replace(string(in.Settings), `"secret"`, `"pass"`, 1))},
	} {
		if _, err := r.Open(other, &settings.DecodeOptions{Opener: keys}); !errors.Is(err, settings.ErrTampered) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := r.Open(in, &settings.DecodeOptions{Opener: keyring(t, 5)}); !errors.Is(err, settings.ErrWrongKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := r.Pack("main", "box", want, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || leaks(err.Error()) {
		t.Errorf("no sealer: %v", err)
	}
	if _, err := r.Pack("main", "box", &box{Host: "h", TLS: "x"}, keys); issuesOf(t, err)[0] != "tls not_one_of" {
		t.Errorf("wrong settings are packed: %v", err)
	}
	if _, err := r.Pack("main", "box", bare{}, keys); err == nil || !strings.Contains(err.Error(), "give a *settings_test.box") {
		t.Errorf("a value of another kind: %v", err)
	}
	if _, err := r.Pack("main", "bocks", want, keys); !errors.Is(err, settings.ErrUnknownKind) {
		t.Errorf("%v", err)
	}
}

// TestMigratedSecretsOpen: a migration may move a sealed secret to another key.
func TestMigratedSecretsOpen(t *testing.T) {
	t.Parallel()
	type old struct {
		Host string          `key:"host"`
		Pass settings.Secret `key:"pass"`
	}
	r, keys := boxes(t), keyring(t, 1)
	b, err := settings.Encode(&old{"h", canary}, keys, "box/main")
	if err != nil {
		t.Fatal(err)
	}
	in := settings.Instance{Name: "main", Kind: "box", Version: 2, Settings: b}
	v, err := r.Open(in, &settings.DecodeOptions{Opener: keys})
	if err != nil || v.(*box).Secret.Reveal() != canary {
		t.Fatalf("%v", err)
	}
	// What the document claims about the place of a secret is not believed.
	in.Settings = json.RawMessage(strings.Replace(strings.Replace(string(b), `"pass"`, `"secret"`, 1), `{"sealed"`, `{"at":"pass","sealed"`, 1))
	if _, err := r.Open(in, &settings.DecodeOptions{Opener: keys}); !errors.Is(err, settings.ErrTampered) {
		t.Errorf("%v", err)
	}
	again, err := r.Pack("main", "box", v, keys)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Open(again, &settings.DecodeOptions{Opener: keys}); err != nil || v.(*box).Secret.Reveal() != canary {
		t.Errorf("%v", err)
	}
}

func TestRegistryIsSafeForReaders(t *testing.T) {
	t.Parallel()
	r := boxes(t)
	done := make(chan error)
	for range 8 {
		go func() {
			for range 20 {
				if _, err := r.Open(settings.Instance{Kind: "box", Version: 1, Settings: json.RawMessage(`{"host":"h"}`)}, nil); err != nil {
					done <- err
					return
				}
				r.Kinds()
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
