package settings_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/settings"
)

const canary = "c4n4ry-Épée"

type holder struct {
	Name     string
	Password settings.Secret
	List     []settings.Secret
	Map      map[string]settings.Secret
	Any      any
	Pointer  *settings.Secret
	Inner    struct{ Token settings.Secret }
}

func held() *holder {
	s := settings.Secret(canary)
	h := &holder{Name: "main", Password: s, List: []settings.Secret{s}, Map: map[string]settings.Secret{"k": s}, Any: s, Pointer: &s}
	h.Inner.Token = s
	return h
}

// leaks looks for the canary as it is, in hexadecimal, as numbers and quoted.
func leaks(out string) bool {
	for _, form := range []string{canary, "c4n4ry", fmt.Sprintf("%x", canary)[:12], fmt.Sprintf("%X", canary)[:12], fmt.Sprintf("% x", canary)[:12],
		strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]")[:12], fmt.Sprintf("%U", []rune(canary))[1:12]} {
		if strings.Contains(out, form) {
			return true
		}
	}
	return false
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	if !leaks(fmt.Sprintf("%x", canary)) || !leaks(fmt.Sprintf("%+q", canary)) || !leaks(fmt.Sprintf("%d", []byte(canary))) {
		t.Fatal("the test cannot see a leak")
	}
	s := settings.Secret(canary)
	h := held()
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "+q", "#q", "x", "X", "# x", "#X", "d", "t", "c", "U", "b", "o", "e", "g", "z", "20s", "-20v", "020d", ".3s", ".100s"} {
		for what, v := range map[string]any{"secret": s, "pointer": &s, "struct": *h, "struct pointer": h, "slice": []any{s, *h}, "map": map[settings.Secret]settings.Secret{s: s}} {
			if out := fmt.Sprintf("%"+verb, v); leaks(out) {
				t.Errorf("%%%s of %s: %s", verb, what, out)
			}
		}
		if out := fmt.Sprintf("%"+verb, s); out != "•••" {
			t.Errorf("%%%s = %q", verb, out)
		}
	}
	for _, verb := range []string{"v", "+v", "#v"} { // pointers further down are printed as addresses or by these verbs
		if out := fmt.Sprintf("%"+verb, []*holder{h}); leaks(out) {
			t.Errorf("%%%s of pointers: %s", verb, out)
		}
	}
	for _, format := range []string{"x", "%[3]d", "%!", "%d %[1]*d"} { // what fmt says of a wrong call
		if out := fmt.Sprintf(format, s, *h); leaks(out) {
			t.Errorf("leak: %s", out)
		}
	}
	for _, out := range []string{fmt.Sprint(s, h), fmt.Sprintln(*h), fmt.Errorf("no: %v", s).Error(), s.GoString()} {
		if leaks(out) {
			t.Errorf("leak: %s", out)
		}
	}
	if settings.Secret("").String() != "" || fmt.Sprintf("%q", settings.Secret("")) != "" {
		t.Error("an empty secret must print as nothing")
	}
	if s.Reveal() != canary {
		t.Error("Reveal must give the secret")
	}
}

func TestSecretNeverLogs(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		l := slog.New(h).With("with", settings.Secret(canary))
		l.Info("one", "secret", settings.Secret(canary), "struct", held(), "value", *held(), "list", held().List, "map", held().Map)
		l.Info("two", slog.Group("g", "secret", settings.Secret(canary)), slog.Any("any", held().Any))
	}
	if leaks(b.String()) || !strings.Contains(b.String(), "•••") {
		t.Errorf("log: %s", b.String())
	}
}

func TestSecretNeverMarshals(t *testing.T) {
	t.Parallel()
	j, err := json.Marshal(held())
	if err != nil || leaks(string(j)) || !bytes.Contains(j, []byte(`"Password":"•••"`)) {
		t.Errorf("json: %s, %v", j, err)
	}
	type element struct {
		Password settings.Secret
		Attr     settings.Secret `xml:"attr,attr"`
	}
	x, err := xml.Marshal(element{canary, canary})
	if err != nil || leaks(string(x)) {
		t.Errorf("xml: %s, %v", x, err)
	}
	j, _ = json.Marshal(struct{ P settings.Secret }{})
	if string(j) != `{"P":""}` {
		t.Errorf("empty: %s", j)
	}
}

func TestKeysNeverPrint(t *testing.T) {
	t.Parallel()
	raw := []byte("0123456789abcdef0123456789abcdef")
	k, err := settings.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	r, err := settings.NewKeyring(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{k, r} {
		for _, verb := range []string{"v", "+v", "#v", "x", "s", "d"} {
			out := fmt.Sprintf("%"+verb, v)
			if !strings.Contains(out, "key ") || len(out) > 60 {
				t.Errorf("%%%s: %s", verb, out)
			}
		}
	}
}

func TestInstancesNeverPrintTheirSettings(t *testing.T) {
	t.Parallel()
	in := settings.Instance{Name: "main", Kind: "smtp", Settings: []byte(`{"password":"` + canary + `"}`)}
	for _, verb := range []string{"v", "+v", "#v", "s", "x", "d"} {
		for _, v := range []any{in, &in, []settings.Instance{in}, struct{ In settings.Instance }{in}} {
			if out := fmt.Sprintf("%"+verb, v); leaks(out) || !strings.Contains(out, `"main"`) {
				t.Errorf("%%%s: %s", verb, out)
			}
		}
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "in", in)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "in", in)
	if leaks(b.String()) {
		t.Error(b.String())
	}
}
