package settings_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		v    sample
		want []string
	}{
		{"zero counts as not given", sample{Host: "h"}, nil},
		{"missing", sample{}, []string{"host required"}},
		{"bounds", sample{Host: "h", Port: 70000, Rate: 2, Reply: reply{Wait: time.Hour}}, []string{"port out_of_range", "rate out_of_range", "reply.wait out_of_range"}},
		{"enum", sample{Host: "h", TLS: "ssl"}, []string{"tls not_one_of"}},
		{"visible by value", sample{Host: "h", TLS: "none"}, []string{"ca_file required"}},
		{"not visible by default", sample{Host: "h", TLS: ""}, nil},
		{"no number", sample{Host: "h", Rate: math.NaN()}, []string{"rate bad_format"}},
		{"not UTF-8", sample{Host: "h", Account: "\xff"}, []string{"account bad_format"}},
		{"entries", sample{Host: "h", Replies: []reply{{}, {Lang: "de"}}, Named: map[string]reply{"x": {Lang: "de"}}}, []string{"replies[1].lang not_one_of", "named.x.lang not_one_of"}},
		{"map name", sample{Host: "h", Headers: map[string]string{"a\nb": ""}}, []string{`headers["a\nb"] bad_format`}},
		{"raw", sample{Host: "h", Extra: []settings.Instance{{Kind: "x", Settings: []byte("{")}}}, []string{"extra[0].settings syntax"}},
		{"version", sample{Host: "h", Extra: []settings.Instance{{Kind: "x", Version: -1}}}, []string{"extra[0].version out_of_range"}},
	} {
		if got := codes(t, settings.Validate(&c.v)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := codes(t, settings.Validate(c.v)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, by value: %q, want %q", c.name, got, c.want)
		}
	}
	if is := settings.Validate(&struct{ Host string }{}); is != nil {
		t.Errorf("no settings struct: %v", is)
	}
	if is := settings.Validate(42); is != nil {
		t.Errorf("no struct at all: %v", is)
	}
}

func TestRequiredObject(t *testing.T) {
	t.Parallel()
	type job struct {
		On       bool              `key:"on"`
		Launcher settings.Instance `key:"launcher" required:"true"`
		Reply    reply             `key:"reply" required:"true" when:"on=true"`
	}
	for doc, want := range map[string][]string{
		`{}`:                                     {"launcher required"},
		`{"launcher":{}}`:                        {"launcher required"},
		`{"launcher":{"name":"x"}}`:              {"launcher.kind required"},
		`{"launcher":{"kind":"imap"}}`:           nil,
		`{"launcher":{"kind":"imap"},"on":true}`: {"reply required"},
		`{"launcher":{"kind":"imap"},"on":true,"reply":{}}`: nil,
	} {
		if got := issuesOf(t, settings.Decode([]byte(doc), new(job), nil)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
	}
	if got := codes(t, settings.Validate(&job{On: true})); !reflect.DeepEqual(got, []string{"launcher required", "reply required"}) {
		t.Errorf("%q", got)
	}
}

// pair has a rule over two keys.
type pair struct {
	Account  string          `key:"account" max:"3"`
	Password settings.Secret `key:"password"`
	Inner    []pairInner     `key:"inner"`
}

func (p *pair) ValidateSettings() []settings.Issue {
	var is []settings.Issue
	if p.Account != "" && p.Password == "" {
		is = append(is, settings.Issue{Path: "password", Code: settings.CodeRequired, Message: settings.Text{EN: "needs a password", FR: "mot de passe requis"}})
	}
	if len(p.Account) > 3 {
		is = append(is, settings.Issue{Path: "account", Code: "own", Message: settings.Text{EN: "again", FR: "encore"}})
	}
	return is
}

type pairInner struct {
	A int `key:"a"`
}

func (p *pairInner) ValidateSettings() []settings.Issue {
	if p.A == 7 {
		return []settings.Issue{{Path: "a", Code: "seven", Message: settings.Text{EN: "no seven", FR: "pas de sept"}}}
	}
	return nil
}

func TestRulesOverSeveralKeys(t *testing.T) {
	t.Parallel()
	got := codes(t, settings.Validate(&pair{Account: "a", Inner: []pairInner{{1}, {7}}}))
	if want := []string{"inner[1].a seven", "password required"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if is := settings.Validate(&pair{Account: "abcd", Password: "x"}); len(is) != 1 || is[0].Code != settings.CodeOutOfRange {
		t.Errorf("an issue is told twice: %v", is)
	}
	err := settings.Decode([]byte(`{"account":"a"}`), new(pair), &settings.DecodeOptions{Path: "x"})
	if got := issuesOf(t, err); !reflect.DeepEqual(got, []string{"x.password required"}) {
		t.Errorf("%q", got)
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	type formats struct {
		Host string `key:"host" format:"host"`
		Mail string `key:"mail" format:"email"`
		URL  string `key:"url" format:"url"`
	}
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		good, bad []string
		set       func(string) formats
	}{
		{[]string{"localhost", "smtp.gmail.com", "smtp.mondaine.fr.", "127.0.0.1", "::1", "[2001:db8::1]", "mairie-évry.fr", "a_b.example", "xn--vry-9la.fr"},
			[]string{"a b", "a..b", ".a", "-a.b", "a-.b", "host:25", "http://x", "a/b", "u@h", long + ".fr", "a\nb", "<x>"},
			func(s string) formats { return formats{Host: s} }},
		{[]string{"admin@mondaine.fr", "a.b+c@x.y", "élu@mairie-évry.fr", "x@[127.0.0.1]"},
			[]string{"admin", "@x", "a@", "a b@c", "A <a@b.c>", "a@b@c", "a@b.c,d@e.f", "a@b\r\nBcc:x@y", long + "a@b.c"},
			func(s string) formats { return formats{Mail: s} }},
		{[]string{"https://example.org/x?y=1", "http://localhost:8080"},
			[]string{"example.org", "/x", "https://", "http://[::1"},
			func(s string) formats { return formats{URL: s} }},
	} {
		for _, s := range c.good {
			v := c.set(s)
			if is := settings.Validate(&v); is != nil {
				t.Errorf("%q: %v", s, is)
			}
		}
		for _, s := range c.bad {
			v := c.set(s)
			if is := settings.Validate(&v); len(is) != 1 || is[0].Code != settings.CodeBadFormat {
				t.Errorf("%q: %v", s, is)
			}
		}
	}
	v := formats{URL: "https://user:" + canary + "@[bad"}
	if is := settings.Validate(&v); len(is) != 1 || leaks(is.Error()) {
		t.Errorf("a password in an address is told: %v", is)
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	need, bad := settings.Issue{Code: settings.CodeRequired}, settings.Issue{Code: settings.CodeNotOneOf}
	for _, c := range []struct {
		is   settings.Issues
		want bool
	}{{nil, false}, {settings.Issues{need}, true}, {settings.Issues{need, bad}, false}, {settings.Issues{bad}, false}} {
		if c.is.Incomplete() != c.want {
			t.Errorf("%v: %v", c.is, !c.want)
		}
	}
}
