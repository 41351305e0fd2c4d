package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

func TestDecodeFillsEveryType(t *testing.T) {
	t.Parallel()
	doc := "\ufeff" + `{"note":"a\nb","host":"smtp.mondaine.fr","port":465,"tls":"none","insecure":true,"account":"admin","password":"geheim",
		"ca_file":"ca.pem","timeout":"1h30m","folder":"Boîte","keep":false,"retries":-4,"count":7,"rate":0.5,"to":["a@example.org"],
		"types":["x"],"headers":{"X-A":"1","b":"2"},"level":"**","levels":["*",""],"reply":{"wait":"5s","token":"t1","lang":"fr"},
		"replies":[{"token":"t2"},{}],"named":{"été":{"lang":"en"}},"extra":[{"kind":"smtp","settings":{"a": [1, 2]}}]}`
	var got sample
	called := false
	got.Logger = func() { called = true }
	if err := settings.Decode([]byte(doc), &got, &settings.DecodeOptions{Literal: true}); err != nil {
		t.Fatal(err)
	}
	got.Logger()
	got.Logger = nil
	want := sample{
		common: common{"a\nb"}, Host: "smtp.mondaine.fr", Port: 465, TLS: "none", Insecure: true, Account: "admin", Password: "geheim",
		CA: "ca.pem", Timeout: 90 * time.Minute, Folder: "Boîte", Retries: -4, Count: 7, Rate: .5, To: []string{"a@example.org"},
		Types: []string{"x"}, Headers: map[string]string{"X-A": "1", "b": "2"}, Level: level{2}, Levels: []level{{1}, {}},
		Reply:   reply{5 * time.Second, "t1", "fr"},
		Replies: []reply{{30 * time.Second, "t2", ""}, {Wait: 30 * time.Second}},
		Named:   map[string]reply{"été": {Wait: 30 * time.Second, Lang: "en"}},
		Extra:   []settings.Instance{{Kind: "smtp", Settings: []byte(`{"a":[1,2]}`)}},
	}
	if !called || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestDecodeAppliesDefaults(t *testing.T) {
	t.Parallel()
	want := sample{Host: "h", TLS: "implicit", Timeout: time.Minute, Folder: "INBOX", Keep: true, Retries: 3, Types: []string{"a", "b"}, Reply: reply{Wait: 30 * time.Second}}
	got := sample{Account: "old", Password: "old", Keep: false, To: []string{"old"}, Reply: reply{Lang: "fr"}}
	if err := settings.Decode([]byte(`{"host":"h","folder":"","account":""}`), &got, nil); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got.Types[0] = "changed"
	var other sample
	if err := settings.Decode([]byte(`{"host":"h"}`), &other, nil); err != nil || other.Types[0] != "a" {
		t.Errorf("a default is shared: %v %v", other.Types, err)
	}
	if err := settings.Decode([]byte(`{"host":"h","types":[],"retries":0,"keep":false,"timeout":"0s"}`), &other, nil); err != nil ||
		len(other.Types) != 0 || other.Retries != 0 || other.Keep || other.Timeout != 0 {
		t.Errorf("zero values that were given must win over defaults: %+v, %v", other, err)
	}
}

// documents is what Decode and Schema must judge alike, unless only is set.
var documents = []struct {
	name   string
	doc    string
	issues []string // path and code
	only   bool     // a schema cannot say it
}{
	{"least", `{"host":"h"}`, nil, false},
	{"empty", `{}`, []string{"host required"}, false},
	{"required but empty", `{"host":""}`, []string{"host required"}, false},
	{"no object", `[]`, []string{"wrong_type"}, false},
	{"null", `null`, []string{"wrong_type"}, false},
	{"unknown key", `{"host":"h","hsot":"x"}`, []string{"hsot unknown_key"}, false},
	{"case counts", `{"Host":"h"}`, []string{`["Host"] unknown_key`, "host required"}, false},
	{"nested unknown key", `{"host":"h","reply":{"langue":"fr"}}`, []string{"reply.langue unknown_key"}, false},
	{"unknown key in list", `{"host":"h","replies":[{},{"wiat":"1s"}]}`, []string{"replies[1].wiat unknown_key"}, false},
	{"duplicate key", `{"host":"h","host":"i"}`, []string{"host duplicate_key"}, true},
	{"nested duplicate key", `{"host":"h","replies":[{"lang":"en","lang":"fr"}]}`, []string{"replies[0].lang duplicate_key"}, true},
	{"duplicate in a map", `{"host":"h","headers":{"a":"1","a":"2"}}`, []string{"headers.a duplicate_key"}, true},
	{"number for text", `{"host":1}`, []string{"host wrong_type"}, false},
	{"text for number", `{"host":"h","port":"465"}`, []string{"port wrong_type"}, false},
	{"null value", `{"host":"h","port":null}`, []string{"port wrong_type"}, false},
	{"fraction", `{"host":"h","port":465.5}`, []string{"port wrong_type"}, false},
	{"whole number with a point", `{"host":"h","port":465.0}`, nil, false},
	{"whole number with an exponent", `{"host":"h","port":4.65e2}`, nil, false},
	{"text for bool", `{"host":"h","keep":"true"}`, []string{"keep wrong_type"}, false},
	{"number for duration", `{"host":"h","timeout":30}`, []string{"timeout wrong_type"}, false},
	{"text for duration", `{"host":"h","timeout":"soon"}`, []string{"timeout bad_format"}, false},
	{"duration without unit", `{"host":"h","timeout":"30"}`, []string{"timeout bad_format"}, false},
	{"empty duration", `{"host":"h","timeout":""}`, nil, false},
	{"duration in days", `{"host":"h","timeout":"0d1m"}`, nil, false},
	{"no days", `{"host":"h","timeout":"d"}`, []string{"timeout bad_format"}, false},
	{"days behind", `{"host":"h","timeout":"1m1d"}`, []string{"timeout bad_format"}, false},
	{"short duration", `{"host":"h","reply":{"wait":"1ms"}}`, []string{"reply.wait out_of_range"}, true},
	{"long duration", `{"host":"h","reply":{"wait":"11m"}}`, []string{"reply.wait out_of_range"}, true},
	{"negative duration", `{"host":"h","timeout":"-1s"}`, []string{"timeout out_of_range"}, true},
	{"zero below the least", `{"host":"h","port":0}`, []string{"port out_of_range"}, false},
	{"negative", `{"host":"h","port":-1}`, []string{"port out_of_range"}, false},
	{"too large", `{"host":"h","port":65536}`, []string{"port out_of_range"}, false},
	{"beyond all", `{"host":"h","port":1e400}`, []string{"port out_of_range"}, false},
	{"beyond the type", `{"host":"h","retries":128}`, []string{"retries out_of_range"}, true},
	{"negative unsigned", `{"host":"h","count":-1}`, []string{"count out_of_range"}, false},
	{"float above", `{"host":"h","rate":1.01}`, []string{"rate out_of_range"}, false},
	{"float for int shape", `{"host":"h","rate":1}`, nil, false},
	{"text too long", `{"host":"h","folder":"123456789012345678901"}`, []string{"folder out_of_range"}, false},
	{"length counts letters", `{"host":"h","folder":"éééééééééééééééééééé"}`, nil, false},
	{"enum", `{"host":"h","tls":"ssl"}`, []string{"tls not_one_of"}, false},
	{"empty enum", `{"host":"h","tls":""}`, []string{"tls not_one_of"}, false},
	{"list too long", `{"host":"h","to":["a@b","a@b","a@b","a@b"]}`, []string{"to out_of_range"}, false},
	{"list of wrong type", `{"host":"h","to":"a@b"}`, []string{"to wrong_type"}, false},
	{"list with null", `{"host":"h","to":[null]}`, []string{"to[0] wrong_type"}, false},
	{"no address", `{"host":"h","to":["a@example.org","nobody"]}`, []string{"to[1] bad_format"}, true},
	{"map of wrong type", `{"host":"h","headers":{"a":1}}`, []string{"headers.a wrong_type"}, false},
	{"map without a name", `{"host":"h","headers":{"":"1"}}`, []string{`headers[""] bad_format`}, false},
	{"line break", `{"host":"h","account":"a\r\nb"}`, []string{"account bad_format"}, false},
	{"line break allowed", `{"host":"h","note":"a\r\nb"}`, nil, false},
	{"no host", `{"host":"https://mail.example.org/"}`, []string{"host bad_format"}, true},
	{"host with port", `{"host":"mail.example.org:25"}`, []string{"host bad_format"}, true},
	{"type of its own", `{"host":"h","level":"x"}`, []string{"level bad_format"}, true},
	{"type of its own in a list", `{"host":"h","levels":["*","x"]}`, []string{"levels[1] bad_format"}, true},
	{"number for a type of its own", `{"host":"h","level":1}`, []string{"level wrong_type"}, false},
	{"required when visible", `{"host":"h","tls":"none"}`, []string{"ca_file required"}, false},
	{"required when visible, empty", `{"host":"h","tls":"starttls","ca_file":""}`, []string{"ca_file required"}, false},
	{"required when visible, given", `{"host":"h","tls":"starttls","ca_file":"x"}`, nil, false},
	{"not visible, not required", `{"host":"h","tls":"implicit"}`, nil, false},
	{"several at once", `{"host":1,"port":0,"tls":"x","x":1}`, []string{"host wrong_type", "x unknown_key", "port out_of_range", "tls not_one_of"}, false},
	{"secret", `{"host":"h","password":"geheim"}`, nil, false},
	{"secret too long", `{"host":"h","password":"` + strings.Repeat("x", 101) + `"}`, []string{"password out_of_range"}, false},
	{"secret masked", `{"host":"h","password":"•••"}`, []string{"password secret"}, false},
	{"secret as number", `{"host":"h","password":1}`, []string{"password wrong_type"}, false},
	{"secret from env", `{"host":"h","password":{"env":"PW"}}`, nil, false},
	{"secret from env, twice", `{"host":"h","password":{"env":"PW","file":"pw"}}`, []string{"password secret"}, false},
	{"secret from nowhere", `{"host":"h","password":{}}`, []string{"password wrong_type"}, false},
	{"secret from elsewhere", `{"host":"h","password":{"url":"x"}}`, []string{"password secret"}, false},
	{"secret from a number", `{"host":"h","password":{"env":1}}`, []string{"password.env wrong_type"}, false},
	{"secret env missing", `{"host":"h","reply":{"token":{"env":"NO_SUCH"}}}`, []string{"reply.token secret"}, true},
	{"secret file missing", `{"host":"h","password":{"file":"no-such"}}`, []string{"password secret"}, true},
	{"secret sealed by hand", `{"host":"h","password":{"sealed":"QUFB"}}`, []string{"password secret"}, false},
	{"instance without kind", `{"host":"h","extra":[{"name":"x"}]}`, []string{"extra[0].kind required"}, false},
	{"instance with null settings", `{"host":"h","extra":[{"kind":"x","settings":null}]}`, []string{"extra[0].settings wrong_type"}, false},
}

func fileOptions(dir string) *settings.DecodeOptions {
	return &settings.DecodeOptions{Files: true, Dir: dir, Env: func(k string) (string, bool) { return canary, k == "PW" }}
}

func TestDecodeTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range documents {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var v sample
			err := settings.Decode([]byte(c.doc), &v, fileOptions(dir))
			if got := issuesOf(t, err); !reflect.DeepEqual(got, c.issues) {
				t.Errorf("issues %q\nwant   %q\n%v", got, c.issues, err)
			}
			if err != nil && leaks(err.Error()) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestSyntaxTellsWhere(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		"":                          "line 1",
		"{\n \"host\": \"h\",\n}":   "line 3, column 1",
		"{\"host\":\"h\"} x":        "line 1, column 14",
		"{\"host\":\"\xff\"}":       "UTF-8",
		strings.Repeat("[", 100000): "not JSON",
		`{"extra":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}": "within one another",
		`{"host":"` + strings.Repeat("x", 5<<20) + `"}`:                         "too many",
	} {
		err := settings.Decode([]byte(doc), new(sample), nil)
		if got := issuesOf(t, err); len(got) != 1 || got[0] != "syntax" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", doc, err)
		}
	}
}

func TestUnknownKeyNamesTheNearest(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"hsot": `did you mean "host"?`, "passwort": `"password"`, "time_out": `"timeout"`, "ca-file": `"ca_file"`, "TLS": `"tls"`,
		"qqqqqqqqqq": "use one of note, host", "\u202e\n" + strings.Repeat("z", 1000): "use one of",
	} {
		err := settings.Decode([]byte(`{"host":"h",`+quoteJSON(key)+`:1}`), new(sample), nil)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\n\u202e") {
			t.Errorf("%.20q: %v", key, err)
		}
	}
	err := settings.Decode([]byte(`{"host":"h","reply":{"tokn":""}}`), new(sample), &settings.DecodeOptions{Path: "jobs[2].launcher"})
	if err == nil || !strings.Contains(err.Error(), `jobs[2].launcher.reply.tokn: unknown key "tokn": did you mean "token"?`) {
		t.Error(err)
	}
}

func quoteJSON(s string) string {
	return `"` + strings.NewReplacer("\n", `\n`, `"`, `\"`).Replace(s) + `"`
}

func TestSecretForms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("unix", canary+"\n")
	write("windows", canary+"\r\n")
	write("bare", canary)
	write("two", canary+"\n\n")
	write("empty", "\n")
	write("large", strings.Repeat("x", 64<<10)+"y")
	write("largest", strings.Repeat("x", 64<<10))
	type one struct {
		Secret settings.Secret `key:"secret"`
	}
	env := func(k string) (string, bool) {
		return map[string]string{"PW": canary, "E": ""}[k], k == "PW" || k == "E"
	}
	files := &settings.DecodeOptions{Files: true, Dir: dir, Env: env}
	form := &settings.DecodeOptions{Literal: true, Dir: dir, Env: env}
	for _, c := range []struct {
		o           *settings.DecodeOptions
		value, want string
		err         string
	}{
		{files, `"` + canary + `"`, canary, ""},
		{files, `{"env":"PW"}`, canary, ""},
		{files, `{"env":"E"}`, "", `environment variable "E" is empty`},
		{files, `{"env":"NONE"}`, "", `environment variable "NONE" is not set`},
		{files, `{"file":"unix"}`, canary, ""},
		{files, `{"file":"windows"}`, canary, ""},
		{files, `{"file":"bare"}`, canary, ""},
		{files, `{"file":"two"}`, canary + "\n", ""},
		{files, `{"file":"empty"}`, "", `file "empty" is empty`},
		{files, `{"file":"large"}`, "", "more than 65536 bytes"},
		{files, `{"file":"largest"}`, strings.Repeat("x", 64<<10), ""},
		{files, `{"file":"none"}`, "", `file "none" cannot be read`},
		{files, `{"file":"."}`, "", "not a regular file"},
		{files, `{"sealed":"AAAA"}`, "", "not taken here"},
		{form, `"` + canary + `"`, canary, ""},
		{form, `{"file":"unix"}`, "", "not taken here"},
		{form, `{"env":"PW"}`, "", "not taken here"},
		{nil, `"` + canary + `"`, "", "not taken here"},
		{nil, `""`, "", ""},
	} {
		var v one
		err := settings.Decode([]byte(`{"secret":`+c.value+`}`), &v, c.o)
		if v.Secret.Reveal() != c.want || (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%.40s: %d bytes, %v; want %q", c.value, len(v.Secret), err, c.err)
		}
		if err != nil && (leaks(err.Error()) || strings.Contains(err.Error(), dir)) {
			t.Errorf("%s: the error tells too much: %v", c.value, err)
		}
		issuesOf(t, err)
	}
}

func TestDecodeRefusesWrongTargets(t *testing.T) {
	t.Parallel()
	type loop struct {
		Next []loop `key:"next"`
	}
	for name, v := range map[string]any{
		"nil": nil, "nil pointer": (*sample)(nil), "value": sample{},
		"pointer field": &struct {
			P *string `key:"p"`
		}{},
		"bad default": &struct {
			P int `key:"p" default:"x"`
		}{},
		"default beyond": &struct {
			P int `key:"p" default:"9" max:"8"`
		}{},
		"secret default": &struct {
			P settings.Secret `key:"p" default:"x"`
		}{},
		"enum of bool": &struct {
			P bool `key:"p" enum:"a"`
		}{},
		"when nothing": &struct {
			P int `key:"p" when:"x=1"`
		}{},
		"when never": &struct {
			T string `key:"t" enum:"a,b"`
			P int    `key:"p" when:"t=c"`
		}{},
		"twice": &struct {
			A, B int `key:"p"`
		}{},
		"bad key": &struct {
			A int `key:"P"`
		}{},
		"unexported": &struct {
			a int `key:"p"`
		}{},
		"required bool": &struct {
			A bool `key:"p" required:"true"`
		}{},
		"bad flag": &struct {
			A int `key:"p" required:"yes"`
		}{},
		"min above max": &struct {
			A int `key:"p" min:"2" max:"1"`
		}{},
		"map of int keys": &struct {
			A map[int]string `key:"p"`
		}{},
		"struct, no keys": &struct {
			A struct{ B int } `key:"p"`
		}{},
		"contains itself": &loop{},
	} {
		err := settings.Decode([]byte(`{}`), v, nil)
		got := issuesOf(t, err)
		if len(got) == 0 || !strings.HasSuffix(got[0], "declaration") {
			t.Errorf("%s: %v", name, err)
		}
		if name != "value" {
			if is := settings.Validate(v); len(is) == 0 || is[0].Code != settings.CodeDeclaration {
				t.Errorf("%s: Validate gives %v", name, is)
			}
		}
	}
	var plain struct{ Host string }
	if err := settings.Decode([]byte(`{}`), &plain, nil); err != nil {
		t.Errorf("no settings struct: %v", err)
	}
	if err := settings.Decode([]byte(`{"host":"h"}`), &plain, nil); issuesOf(t, err)[0] != "host unknown_key" {
		t.Errorf("no settings struct: %v", err)
	}
}

func TestManyIssuesAreCut(t *testing.T) {
	t.Parallel()
	err := settings.Decode([]byte(`{"to":[`+strings.TrimSuffix(strings.Repeat("1,", 50000), ",")+`]}`), new(sample), nil)
	var is settings.Issues
	if !errors.As(err, &is) || len(is) > 100 || !strings.Contains(err.Error(), "and 80 more") {
		t.Errorf("%d issues: %.200v", len(is), err)
	}
}

func TestEntriesDoNotShareADefault(t *testing.T) {
	t.Parallel()
	type entry struct {
		Types []string `key:"types" default:"a,b"`
	}
	var v struct {
		List []entry `key:"list"`
	}
	if err := settings.Decode([]byte(`{"list":[{},{}]}`), &v, nil); err != nil {
		t.Fatal(err)
	}
	v.List[0].Types[0] = "changed"
	if v.List[1].Types[0] != "a" {
		t.Error("two entries share one default")
	}
}
