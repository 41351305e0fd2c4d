package settings_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vaguemestre/vaguemestre/settings"
)

// third has bools whose nil means something.
type third struct {
	Keep  *bool  `key:"keep" default:"true"`
	Mark  *bool  `key:"mark" default:"false" advanced:"true"`
	Where string `key:"where" required:"true" when:"keep=true"`
	Why   string `key:"why" required:"true" when:"keep=false"`
}

func (*third) Labels() map[string]settings.Label {
	return map[string]settings.Label{"keep": name("Keep", "Garder"), "mark": name("Mark", "Marquer"), "where": name("Where", "Où"), "why": name("Why", "Pourquoi")}
}

func TestAPointerToABoolKnowsWhetherItWasGiven(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for doc, want := range map[string]third{
		`{"where":"a"}`:                             {&yes, &no, "a", ""}, // what nil means is filled in
		`{"where":"a","keep":true}`:                 {&yes, &no, "a", ""},
		`{"why":"b","keep":false}`:                  {&no, &no, "", "b"},
		`{"where":"a","mark":true}`:                 {&yes, &yes, "a", ""},
		`{"why":"b","keep":false,"mark":false}`:     {&no, &no, "", "b"},
		`{"keep":false,"why":"b","where":"hidden"}`: {&no, &no, "hidden", "b"},
	} {
		got := third{Mark: &yes} // what was there before counts for nothing
		if err := settings.Decode([]byte(doc), &got, nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: keep %v, mark %v, %q, %q: %v", doc, *got.Keep, *got.Mark, got.Where, got.Why, err)
		}
	}
	for doc, want := range map[string]string{
		`{"where":"a","keep":"true"}`: "keep wrong_type",
		`{"where":"a","keep":1}`:      "keep wrong_type",
		`{"where":"a","keep":null}`:   "keep wrong_type",
		`{"keep":false}`:              "why required",
		`{}`:                          "where required", // the default of keep decides what is visible
	} {
		var got third
		if is := issuesOf(t, settings.Decode([]byte(doc), &got, nil)); strings.Join(is, " ") != want {
			t.Errorf("%s: %q, want %q", doc, is, want)
		}
	}
}

// A struct written in Go need not repeat a default of true, and false is not lost.
func TestEncodeTellsNilFromFalse(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for want, v := range map[string]third{
		`{"where":"a"}`:                           {Where: "a"},
		`{"keep":true,"mark":true,"where":"a"}`:   {Keep: &yes, Mark: &yes, Where: "a"},
		`{"keep":false,"mark":false,"why":"b"}`:   {Keep: &no, Mark: &no, Why: "b"},
		`{"mark":false,"where":"a"}`:              {Mark: &no, Where: "a"},
		`{"keep":true,"where":"a","why":"stays"}`: {Keep: &yes, Where: "a", Why: "stays"},
	} {
		b, err := settings.Encode(&v, nil, "")
		if err != nil || string(b) != want {
			t.Errorf("%s, %v, want %s", b, err, want)
			continue
		}
		var got third
		if err := settings.Decode(b, &got, nil); err != nil {
			t.Fatal(err)
		}
		if v.Keep != nil && *got.Keep != *v.Keep || v.Keep == nil && !*got.Keep || v.Mark != nil && *got.Mark != *v.Mark || v.Mark == nil && *got.Mark {
			t.Errorf("%s comes back as %v, %v", want, *got.Keep, *got.Mark)
		}
	}
}

func TestValidateTakesNilForTheDefault(t *testing.T) {
	t.Parallel()
	no := false
	for want, v := range map[string]*third{
		"where required": {},
		"why required":   {Keep: &no},
	} {
		if is := codes(t, settings.Validate(v)); strings.Join(is, " ") != want {
			t.Errorf("%q, want %q", is, want)
		}
	}
}

func TestTwoStructsNeverShareAPointer(t *testing.T) {
	t.Parallel()
	var a, b third
	for _, v := range []*third{&a, &b} {
		if err := settings.Decode([]byte(`{"where":"x"}`), v, nil); err != nil {
			t.Fatal(err)
		}
	}
	*a.Keep = false
	var c third
	if err := settings.Decode([]byte(`{"where":"x"}`), &c, nil); err != nil {
		t.Fatal(err)
	}
	if !*b.Keep || !*c.Keep {
		t.Error("a default is shared: one struct's change shows in another")
	}
}

func TestFormAndSchemaOfAPointerAreThoseOfABool(t *testing.T) {
	t.Parallel()
	form, err := settings.Describe(new(third))
	if err != nil {
		t.Fatal(err)
	}
	keep, mark := form.Fields[0], form.Fields[1]
	if keep.Type != "bool" || keep.Default != true || mark.Default != false && mark.Default != nil || keep.Required || !mark.Advanced {
		t.Errorf("%+v, %+v", keep, mark)
	}
	s, raw := compile(t, new(third))
	if !strings.Contains(raw, `"default":true`) {
		t.Errorf("the schema has no default: %s", raw)
	}
	for doc, good := range map[string]bool{
		`{"where":"a"}`: true, `{"keep":false,"why":"b"}`: true, `{"keep":true,"where":"a"}`: true,
		`{"where":"a","keep":null}`: false, `{"where":"a","keep":"no"}`: false, `{}`: false, `{"keep":false,"where":"a"}`: false,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		var got third
		if err, derr := s.Validate(v), settings.Decode([]byte(doc), &got, nil); (err == nil) != good || (derr == nil) != good {
			t.Errorf("%s: schema %v, decode %v", doc, err, derr)
		}
	}
}

func TestAPointerIsDeclaredWithItsDefault(t *testing.T) {
	t.Parallel()
	for why, v := range map[string]any{
		"needs a tag default": &struct {
			A *bool `key:"a"`
		}{},
		"never missing": &struct {
			A *bool `key:"a" required:"true" default:"true"`
		}{},
		"invalid syntax": &struct {
			A *bool `key:"a" default:"perhaps"`
		}{},
		"cannot be a setting": &struct {
			A **bool `key:"a" default:"true"`
		}{},
		"type *int": &struct {
			A *int `key:"a" default:"1"`
		}{},
	} {
		is := settings.Validate(v)
		if len(is) == 0 || is[0].Code != settings.CodeDeclaration || !strings.Contains(is.Error(), why) {
			t.Errorf("%s: %v", why, is)
		}
		var all settings.Issues
		if err := settings.Decode([]byte(`{}`), v, nil); !errors.As(err, &all) {
			t.Errorf("%s: decode gives %v", why, err)
		}
	}
}
