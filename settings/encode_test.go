package settings_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

func TestEncodeKeepsWhatIsGiven(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ v, want string }{
		{`{"host":"h"}`, `{"host":"h","tls":"implicit","timeout":"1m","folder":"INBOX","keep":true,"retries":3,"types":["a","b"],"reply":{"wait":"30s"}}`},
		{`{"retries":0,"keep":false,"timeout":"0s","types":[],"host":"h","account":"<&é>","reply":{"lang":"fr"},"replies":[{}],"headers":{"b":"","a":"x"}}`,
			`{"host":"h","tls":"implicit","account":"<&é>","timeout":"0s","folder":"INBOX","keep":false,"retries":0,"types":[],"headers":{"a":"x","b":""},"reply":{"wait":"30s","lang":"fr"},"replies":[{"wait":"30s"}]}`},
	} {
		var v sample
		if err := settings.Decode([]byte(c.v), &v, nil); err != nil {
			t.Fatal(err)
		}
		got, err := settings.Encode(&v, nil, "id")
		if err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
	// What Go code leaves zero is not given, and comes back as the default.
	got, err := settings.Encode(&sample{Host: "h", Keep: true}, nil, "")
	if err != nil || string(got) != `{"host":"h","timeout":"0s","keep":true,"retries":0,"types":[]}` {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := settings.Encode(&struct{ A int }{1}, nil, ""); err != nil || string(got) != "{}" {
		t.Errorf("no settings struct: %s, %v", got, err)
	}
}

func TestEncodeRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]*sample{
		"secret without a key": {Password: canary},
		"secret in a list":     {Replies: []reply{{Token: canary}}},
		"not UTF-8":            {Account: "\xff"},
		"no number":            {Rate: math.Inf(1)},
		"not JSON":             {Extra: []settings.Instance{{Settings: []byte("{")}}},
	} {
		got, err := settings.Encode(v, nil, "id")
		if got != nil || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || leaks(err.Error()) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestSecretsAreSealedAndBound(t *testing.T) {
	t.Parallel()
	r := keyring(t, 1)
	v := sample{Host: "h", Password: canary, Reply: reply{Token: canary + "1"}, Replies: []reply{{Token: canary + "2"}, {Token: canary + "3"}},
		Named: map[string]reply{"é.x": {Token: canary + "4"}}}
	b, err := settings.Encode(&v, r, "smtp/main")
	if err != nil || leaks(string(b)) || bytes.Count(b, []byte(`{"sealed":"`)) != 5 {
		t.Fatalf("%s, %v", b, err)
	}
	var got sample
	if err := settings.Decode(b, &got, &settings.DecodeOptions{Opener: r, ID: "smtp/main"}); err != nil {
		t.Fatal(err)
	}
	if got.Password != v.Password || got.Reply.Token != v.Reply.Token || !reflect.DeepEqual(tokens(got), tokens(v)) || got.Named["é.x"].Token != canary+"4" {
		t.Error("the secrets came back different")
	}

	fails := func(what string, doc []byte, o *settings.DecodeOptions, want error) {
		t.Helper()
		err := settings.Decode(doc, new(sample), o)
		if !errors.Is(err, want) || leaks(err.Error()) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		for _, c := range issuesOf(t, err) {
			if !strings.HasSuffix(c, " secret") {
				t.Errorf("%s: issue %s", what, c)
			}
		}
	}
	fails("another id", b, &settings.DecodeOptions{Opener: r, ID: "smtp/other"}, settings.ErrTampered)
	fails("another key", b, &settings.DecodeOptions{Opener: keyring(t, 9), ID: "smtp/main"}, settings.ErrWrongKey)

	var doc struct {
		Password json.RawMessage   `json:"password"`
		Replies  []json.RawMessage `json:"replies"`
		Host     string            `json:"host"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	doc.Replies[0], doc.Replies[1] = doc.Replies[1], doc.Replies[0]
	swapped, _ := json.Marshal(doc)
	fails("swapped in a list", swapped, &settings.DecodeOptions{Opener: r, ID: "smtp/main"}, settings.ErrTampered)

	var first struct{ Token json.RawMessage }
	if err := json.Unmarshal(doc.Replies[1], &first); err != nil {
		t.Fatal(err)
	}
	moved := []byte(`{"host":"h","password":` + string(first.Token) + `}`)
	fails("moved to another key", moved, &settings.DecodeOptions{Opener: r, ID: "smtp/main"}, settings.ErrTampered)
	claimed := bytes.Replace(moved, []byte(`{"sealed"`), []byte(`{"at":"replies[0].token","sealed"`), 1)
	if err := settings.Decode(claimed, new(sample), &settings.DecodeOptions{Opener: r, ID: "smtp/main"}); err == nil {
		t.Error("a document may not claim where a secret was sealed")
	}
	bad := []byte(`{"host":"h","password":{"sealed":"%%%"}}`)
	fails("not base64", bad, &settings.DecodeOptions{Opener: r}, settings.ErrTampered)
}

func tokens(v sample) []settings.Secret {
	var out []settings.Secret
	for _, r := range v.Replies {
		out = append(out, r.Token)
	}
	return out
}

func FuzzDecode(f *testing.F) {
	for _, c := range documents {
		f.Add([]byte(c.doc))
	}
	f.Add([]byte(`{"host":"h","password":"x","level":"**","levels":[""],"named":{"a.b[0]":{"token":"y"}},"extra":[{"kind":"k","settings":{"a":[1e5,"\u2028<"]}}]}`))
	f.Add([]byte(`{"host":"h","rate":-0.0,"timeout":"1h0.000000001s","types":[],"retries":-0,"note":"\ud800"}`))
	r := keyring(f, 1)
	f.Fuzz(func(t *testing.T, doc []byte) {
		var v sample
		err := settings.Decode(doc, &v, &settings.DecodeOptions{Literal: true, ID: "fuzz", Opener: r})
		if err != nil {
			issuesOf(t, err)
			return
		}
		if is := settings.Validate(&v); is != nil {
			t.Fatalf("decoded, yet not valid: %v", is)
		}
		b, err := settings.Encode(&v, r, "fuzz")
		if err != nil {
			t.Fatalf("decoded, yet not encoded: %v", err)
		}
		var again sample
		if err := settings.Decode(b, &again, &settings.DecodeOptions{ID: "fuzz", Opener: r}); err != nil {
			t.Fatalf("encoded, yet not decoded: %v in %s", err, b)
		}
		if !reflect.DeepEqual(v, again) {
			t.Fatalf("not equal:\n%#v\n%#v", v, again)
		}
	})
}

func TestDurationsAreShort(t *testing.T) {
	t.Parallel()
	type one struct {
		D time.Duration `key:"d"`
	}
	for d, want := range map[time.Duration]string{time.Hour: "1h", 90 * time.Minute: "1h30m", time.Minute + time.Second: "1m1s", 10 * time.Second: "10s", 1500 * time.Millisecond: "1.5s", time.Hour + time.Second: "1h0m1s"} {
		b, err := settings.Encode(&one{d}, nil, "")
		var back one
		if err != nil || string(b) != `{"d":"`+want+`"}` || settings.Decode(b, &back, nil) != nil || back.D != d {
			t.Errorf("%v: %s, %v", d, b, err)
		}
	}
}
