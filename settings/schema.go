package settings

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
)

// Schema returns the JSON Schema (draft 2020-12) of v, a pointer to a settings struct,
// as such a document stands in a file: secrets are writeOnly and a text, {"env":"NAME"}
// or {"file":"PATH"}. Titles and descriptions are English; the French ones stand beside
// them under "x-fr".
//
// What [Decode] accepts is valid. The reverse does not hold for what a schema cannot
// say: keys that stand twice, bounds of durations, formats, rules of a [Validator], and
// secrets that cannot be read.
func Schema(v any) (json.RawMessage, error) {
	const op = "settings: schema"
	t, wrongs := targetOf(v)
	if len(wrongs) > 0 {
		return nil, configError(op, wrongs)
	}
	s := ordered{{"$schema", "https://json-schema.org/draft/2020-12/schema"}}
	b, err := append(s, t.schema()...).MarshalJSON()
	if err != nil {
		return nil, configError(op, err)
	}
	return b, nil
}

// ordered is a JSON object that keeps the order of its keys.
type ordered []entry

type entry struct {
	key   string
	value any
}

func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := marshal(e.key)
		if err != nil {
			return nil, err
		}
		value, err := marshal(e.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (o *ordered) add(key string, value any) { *o = append(*o, entry{key, value}) }

const (
	patternLine     = `^[^\x00-\x1f\x7f]*$` // the same as hasControl; ECMA-262 and Go both read \x
	patternDuration = `^([0-9]+d|([0-9]+d|[+-]?)(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)|)$`
	patternNotZero  = `[1-9]`
)

func (o *object) schema() ordered {
	s := ordered{{"type", "object"}}
	var properties ordered
	required := []string{}
	var rules []any
	for _, f := range o.fields {
		properties.add(f.key, f.schema(o.labels))
		if !f.needed() {
			continue
		}
		given := ordered{{"required", []string{f.key}}, {"properties", ordered{{f.key, f.notEmpty()}}}}
		switch {
		case f.when != nil:
			rules = append(rules, ordered{{"if", o.condition(f.when)}, {"then", given}})
		default:
			required = append(required, f.key)
			if f.shape != shapeObject {
				rules = append(rules, ordered{{"properties", ordered{{f.key, f.notEmpty()}}}})
			}
		}
	}
	s.add("properties", properties)
	if properties == nil {
		s[len(s)-1].value = ordered{}
	}
	if len(required) > 0 {
		s.add("required", required)
	}
	s.add("additionalProperties", false)
	if len(rules) > 0 {
		s.add("allOf", rules)
	}
	return s
}

// needed tells whether the key must stand in a document. An object must when something
// in it must: absent it is the empty object.
func (f *field) needed() bool {
	if f.shape != shapeObject || f.required {
		return f.required && !f.def.IsValid()
	}
	var d decoder
	v := reflect.New(f.typ).Elem()
	d.object(f.obj, &tree{kind: '{'}, v, "")
	for _, i := range f.obj.validate(v, "") {
		if i.Code == CodeRequired {
			return true
		}
	}
	return false
}

// notEmpty says that a required value is not merely there.
func (f *field) notEmpty() ordered {
	switch f.shape {
	case shapeText, shapeMarshal:
		return ordered{{"minLength", 1}}
	case shapeSecret:
		return ordered{{"not", ordered{{"const", ""}}}}
	case shapeInt, shapeFloat:
		return ordered{{"not", ordered{{"const", 0}}}}
	case shapeDuration:
		return ordered{{"pattern", patternNotZero}}
	case shapeList:
		return ordered{{"minItems", 1}}
	case shapeMap:
		return ordered{{"minProperties", 1}}
	}
	return ordered{}
}

// condition says that w holds, also by a default.
func (o *object) condition(w *When) ordered {
	c := o.lookup(w.Key)
	values := make([]any, len(w.Values))
	for i, text := range w.Values {
		v := reflect.New(c.typ).Elem()
		setText(c.node, v, text) // checked when the tags were read
		values[i] = v.Interface()
	}
	absent := reflect.Zero(c.typ)
	if c.def.IsValid() {
		absent = c.def
	}
	if w.holds(plainText(c.node, absent)) {
		if c.shape == shapeText && len(c.enum) == 0 { // an empty text gives the default
			values = append(values, "")
		}
		return ordered{{"properties", ordered{{c.key, ordered{{"enum", values}}}}}}
	}
	return ordered{{"properties", ordered{{c.key, ordered{{"enum", values}}}}}, {"required", []string{c.key}}}
}

func (f *field) schema(labels map[string]Label) ordered {
	var s ordered
	label := labels[f.key]
	if label.Name.EN != "" {
		s.add("title", label.Name.EN)
	}
	if label.Help.EN != "" {
		s.add("description", label.Help.EN)
	}
	var fr ordered
	if label.Name.FR != "" {
		fr.add("title", label.Name.FR)
	}
	if label.Help.FR != "" {
		fr.add("description", label.Help.FR)
	}
	if fr != nil {
		s.add("x-fr", fr)
	}
	s = append(s, f.schemaNode(f.node)...)
	if f.def.IsValid() {
		s.add("default", f.jsonValue(f.def))
	}
	return s
}

// schemaNode describes a value or an element of it.
func (f *field) schemaNode(n *node) ordered {
	var s ordered
	switch n.shape {
	case shapeText:
		s.add("type", "string")
		if len(f.enum) > 0 {
			s.add("enum", f.enum)
		} else if f.format != "text" {
			s.add("pattern", patternLine)
		}
		if format := map[string]string{"email": "email", "url": "uri"}[f.format]; format != "" {
			s.add("format", format)
		}
		f.bounds(&s, n, "minLength", "maxLength")
	case shapeBool:
		s.add("type", "boolean")
	case shapeInt:
		s.add("type", "integer")
		if len(f.enum) > 0 {
			values := make([]json.Number, len(f.enum))
			for i, v := range f.enum {
				values[i] = json.Number(v)
			}
			s.add("enum", values)
		}
		f.bounds(&s, n, "minimum", "maximum")
	case shapeFloat:
		s.add("type", "number")
		f.bounds(&s, n, "minimum", "maximum")
	case shapeDuration:
		s.add("type", "string")
		s.add("pattern", patternDuration)
	case shapeSecret:
		text := ordered{{"type", "string"}, {"not", ordered{{"const", mask}}}}
		f.bounds(&text, n, "minLength", "maxLength")
		from := func(key string) ordered {
			return ordered{{"type", "object"}, {"properties", ordered{{key, ordered{{"type", "string"}}}}},
				{"required", []string{key}}, {"additionalProperties", false}}
		}
		s.add("writeOnly", true)
		s.add("oneOf", []any{text, from("env"), from("file")})
	case shapeMarshal:
		s.add("type", "string")
	case shapeRaw:
		s.add("not", ordered{{"type", "null"}})
	case shapeList:
		s.add("type", "array")
		s.add("items", f.schemaNode(n.elem))
		f.bounds(&s, n, "minItems", "maxItems")
	case shapeMap:
		s.add("type", "object")
		s.add("propertyNames", ordered{{"minLength", 1}, {"maxLength", maxMapKey}, {"pattern", patternLine}})
		s.add("additionalProperties", f.schemaNode(n.elem))
		f.bounds(&s, n, "minProperties", "maxProperties")
	case shapeObject:
		s = append(s, n.obj.schema()...)
	}
	return s
}

// bounds adds min and max, which are those of the field and not of its elements.
func (f *field) bounds(s *ordered, n *node, low, high string) {
	if n != f.node {
		return
	}
	if f.min != nil {
		s.add(low, json.Number(strconv.FormatFloat(f.min.num, 'f', -1, 64)))
	}
	if f.max != nil {
		s.add(high, json.Number(strconv.FormatFloat(f.max.num, 'f', -1, 64)))
	}
}
