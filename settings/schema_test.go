package settings_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vaguemestre/vaguemestre/settings"
)

func compile(t *testing.T, v any) (*jsonschema.Schema, string) {
	t.Helper()
	raw, err := settings.Schema(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("test.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("test.json") // checks it against the metaschema of draft 2020-12
	if err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return s, string(raw)
}

// TestSchemaAgreesWithDecode judges the table of documents with both.
func TestSchemaAgreesWithDecode(t *testing.T) {
	t.Parallel()
	s, _ := compile(t, new(sample))
	valid, invalid := 0, 0
	for _, c := range documents {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(c.doc))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		err = s.Validate(doc)
		switch {
		case c.only && err == nil: // as announced, a schema cannot say it
		case (err == nil) != (len(c.issues) == 0):
			t.Errorf("%s: issues %v, schema says: %v", c.name, c.issues, err)
		case err == nil:
			valid++
		default:
			invalid++
		}
	}
	if valid < 8 || invalid < 30 {
		t.Errorf("only %d valid and %d invalid documents were compared", valid, invalid)
	}
}

func TestSchemaSaysWhatAFormNeeds(t *testing.T) {
	t.Parallel()
	_, raw := compile(t, new(sample))
	var s struct {
		Schema     string `json:"$schema"`
		Additional *bool  `json:"additionalProperties"`
		Required   []string
		Properties map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" || s.Additional == nil || *s.Additional || strings.Join(s.Required, " ") != "host" {
		t.Errorf("head of %s", raw)
	}
	host, password := s.Properties["host"], s.Properties["password"]
	if host["title"] != "Address" || host["description"] != "Name of the server." || host["x-fr"].(map[string]any)["title"] != "Adresse" {
		t.Errorf("texts: %v", host)
	}
	if password["writeOnly"] != true || host["writeOnly"] != nil {
		t.Errorf("writeOnly: %v", password)
	}
	if s.Properties["timeout"]["default"] != "1m" || s.Properties["folder"]["default"] != "INBOX" {
		t.Errorf("defaults: %v %v", s.Properties["timeout"], s.Properties["folder"])
	}
	if !(strings.Index(raw, `"host"`) < strings.Index(raw, `"port"`) && strings.Index(raw, `"port"`) < strings.Index(raw, `"account"`)) {
		t.Error("the order of the struct is lost")
	}
}

// TestSchemaOfRequired covers what is required in every shape.
func TestSchemaOfRequired(t *testing.T) {
	t.Parallel()
	type inner struct {
		A string `key:"a" required:"true"`
	}
	type all struct {
		On     bool              `key:"on"`
		Int    int               `key:"int" required:"true"`
		Dur    settingsDuration  `key:"dur" required:"true"`
		List   []string          `key:"list" required:"true"`
		Map    map[string]string `key:"map" required:"true"`
		Secret settings.Secret   `key:"secret" required:"true"`
		Inner  inner             `key:"inner"`
		Hidden inner             `key:"hidden" when:"on=true"`
		Level  int               `key:"level" enum:"1,2,3"`
		Must   reply             `key:"must" required:"true"`
	}
	s, _ := compile(t, new(all))
	const full = `"int":1,"dur":"**","list":["x"],"map":{"a":"b"},"secret":"s","inner":{"a":"x"},"must":{"lang":"en"}`
	for doc, want := range map[string]bool{
		"{" + full + "}":           true,
		`{}`:                       false,
		"{" + full + `,"on":true}`: false,
		"{" + full + `,"on":true,"hidden":{"a":"x"}}`:                                  true,
		"{" + full + `,"on":false,"hidden":{"a":"x"}}`:                                 true,
		"{" + strings.Replace(full, `,"must":{"lang":"en"}`, ``, 1) + "}":              false,
		"{" + strings.Replace(full, `{"lang":"en"}`, `{}`, 1) + "}":                    true,
		"{" + full + `,"level":2}`:                                                     true,
		"{" + full + `,"level":4}`:                                                     false,
		"{" + strings.Replace(full, `:1`, `:0`, 1) + "}":                               false,
		"{" + strings.Replace(full, `"**"`, `""`, 1) + "}":                             false,
		"{" + strings.Replace(full, `["x"]`, `[]`, 1) + "}":                            false,
		"{" + strings.Replace(full, `{"a":"b"}`, `{}`, 1) + "}":                        false,
		"{" + strings.Replace(full, `"s"`, `""`, 1) + "}":                              false,
		"{" + strings.Replace(full, `"inner":{"a":"x"}`, `"inner":{}`, 1) + "}":        false,
		"{" + strings.Replace(full, `,"inner":{"a":"x"}`, ``, 1) + "}":                 false,
		"{" + strings.Replace(full, `"inner":{"a":"x"}`, `"inner":{"a":""}`, 1) + "}":  false,
		"{" + strings.Replace(full, `"secret":"s"`, `"secret":{"env":"PW"}`, 1) + "}":  true,
		"{" + strings.Replace(full, `"secret":"s"`, `"secret":{"sealed":""}`, 1) + "}": false,
	} {
		parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
		if err != nil {
			t.Fatal(doc, err)
		}
		serr := s.Validate(parsed)
		derr := settings.Decode([]byte(doc), new(all), fileOptions(""))
		if (serr == nil) != want || (derr == nil) != want {
			t.Errorf("%s\nwant valid: %v\nschema: %v\ndecode: %v", doc, want, serr, derr)
		}
	}
}

// settingsDuration is a required type of its own.
type settingsDuration = level

func TestSchemaOfNothing(t *testing.T) {
	t.Parallel()
	s, raw := compile(t, &struct{ A int }{})
	if err := s.Validate(map[string]any{}); err != nil {
		t.Error(err)
	}
	if err := s.Validate(map[string]any{"a": 1}); err == nil {
		t.Errorf("unknown keys pass %s", raw)
	}
	if _, err := settings.Schema(nil); err == nil {
		t.Error("a nil value has a schema")
	}
}
