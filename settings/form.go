package settings

import (
	"errors"
	"reflect"
)

// Form is what a console needs to draw the form of a settings struct.
type Form struct {
	Fields []Field `json:"fields"`
}

// Field is one entry of a [Form].
type Field struct {
	Key      string   `json:"key"`
	Type     string   `json:"type"`            // text, bool, integer, number, duration, secret, list, map, object, json
	Items    string   `json:"items,omitempty"` // of a list or map: the type of its entries
	Label    Text     `json:"label"`           // the key itself where the struct gives no label
	Help     Text     `json:"help"`
	Required bool     `json:"required,omitempty"`
	Advanced bool     `json:"advanced,omitempty"` // may be folded away
	Default  any      `json:"default,omitempty"`  // as in JSON; a duration as "30s"
	Enum     []Choice `json:"enum,omitempty"`
	When     *When    `json:"when,omitempty"` // nil: always visible
	Min      string   `json:"min,omitempty"`  // of a number or duration, or of the length of a text or list
	Max      string   `json:"max,omitempty"`
	Format   string   `json:"format,omitempty"` // a hint: host, email, url, file, path, text (several lines) …
	Secret   bool     `json:"secret,omitempty"` // never send its value to a browser
	Fields   []Field  `json:"fields,omitempty"` // of an object, and of the objects of a list or map
}

// Choice is one value of an enum.
type Choice struct {
	Value string `json:"value"`
	Label Text   `json:"label"` // the value itself where the struct gives no label
}

// When says that a field is visible only while another key of the same object has one
// of some values. A field that is not visible is never required.
type When struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

func (w *When) holds(value string) bool { return contains(w.Values, value) }

// Describe returns the form of v, a pointer to a settings struct. It looks at the type
// alone. A value that is no settings struct has a form without fields.
func Describe(v any) (*Form, error) {
	t, wrongs := targetOf(v)
	if len(wrongs) > 0 {
		return nil, configError("settings: describe", wrongs)
	}
	return &Form{Fields: t.describe()}, nil
}

func (o *object) describe() []Field {
	fields := make([]Field, 0, len(o.fields))
	for _, f := range o.fields {
		label := o.labels[f.key]
		d := Field{
			Key: f.key, Type: f.word(), Label: label.Name.or(f.key), Help: label.Help,
			Required: f.required, Advanced: f.advanced, When: f.when, Format: f.format,
			Secret: f.shape == shapeSecret,
		}
		for _, v := range f.enum {
			d.Enum = append(d.Enum, Choice{v, o.labels[f.key+"="+v].Name.or(v)})
		}
		if f.min != nil {
			d.Min = f.min.text
		}
		if f.max != nil {
			d.Max = f.max.text
		}
		if f.def.IsValid() {
			d.Default = f.jsonValue(f.def)
		}
		n := f.node
		if n.elem != nil {
			n = n.elem
			d.Items = n.word()
			d.Secret = n.shape == shapeSecret
		}
		if n.obj != nil {
			d.Fields = n.obj.describe()
		}
		fields = append(fields, d)
	}
	return fields
}

// or fills what is missing with a fallback.
func (t Text) or(s string) Text {
	if t.EN == "" {
		t.EN = s
	}
	if t.FR == "" {
		t.FR = s
	}
	return t
}

// word names the type in a Form.
func (n *node) word() string {
	switch n.shape {
	case shapeBool:
		return "bool"
	case shapeInt:
		return "integer"
	case shapeFloat:
		return "number"
	case shapeDuration:
		return "duration"
	case shapeSecret:
		return "secret"
	case shapeRaw:
		return "json"
	case shapeList:
		return "list"
	case shapeMap:
		return "map"
	case shapeObject:
		return "object"
	}
	return "text"
}

// jsonValue is a default as it stands in JSON.
func (n *node) jsonValue(v reflect.Value) any {
	switch n.shape {
	case shapeDuration:
		return plainText(n, v)
	case shapeMarshal:
		s, _ := marshalText(v)
		return s
	case shapeList:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = n.elem.jsonValue(v.Index(i))
		}
		return list
	case shapeText:
		return v.String()
	case shapeBool:
		return boolOf(v)
	}
	return v.Interface()
}

// missingLabels checks that every key has its texts in both languages and that no
// label is for a key that does not exist.
func (o *object) missingLabels(path string) []error {
	var errs []error
	allowed := map[string]bool{}
	for _, f := range o.fields {
		p := join(path, f.key)
		l := o.labels[f.key]
		if l.Name.EN == "" || l.Name.FR == "" {
			errs = append(errs, errors.New(p+": Labels must give a name in English and French"))
		} else if (l.Help.EN == "") != (l.Help.FR == "") {
			errs = append(errs, errors.New(p+": Labels must give a help in both languages or none"))
		}
		allowed[f.key] = true
		for _, v := range f.enum {
			name := f.key + "=" + v
			allowed[name] = true
			if l, ok := o.labels[name]; ok && (l.Name.EN == "" || l.Name.FR == "") {
				errs = append(errs, errors.New(join(path, name)+": Labels must give a name in English and French"))
			}
		}
		n := f.node
		for n.elem != nil {
			n = n.elem
		}
		if n.obj != nil {
			errs = append(errs, n.obj.missingLabels(p)...)
		}
	}
	for key := range o.labels {
		if !allowed[key] {
			errs = append(errs, errors.New(join(path, key)+": Labels has a text for a key that does not exist"))
		}
	}
	return errs
}
