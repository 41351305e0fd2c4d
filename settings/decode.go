package settings

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// DecodeOptions are the options of [Decode] and [Registry.Open]. The zero value takes
// no secret in any form.
type DecodeOptions struct {
	// Opener opens stored secrets, {"sealed":"…"}; nil refuses them. ID is what was given
	// to [Encode]; [Registry.Open] fills it from the instance when it is "".
	Opener Opener
	ID     string

	// Literal takes a secret as it is, in a JSON string: what a form sends. Files takes
	// besides {"env":"NAME"} and {"file":"PATH"}: what stands in a configuration file. Do
	// not set Files for a document that comes over a network: it reads files.
	Literal bool
	Files   bool

	Env  func(name string) (string, bool) // nil is os.LookupEnv
	Dir  string                           // base of a relative {"file"}; "" is the working directory
	Path string                           // put before the path of every issue: "connectors[0].settings"
}

// Decode reads settings from JSON into v, a pointer to a settings struct, and then
// validates it as [Validate] does. It is strict: an unknown key is refused and the
// nearest known one is named, a key may stand once only, null is no value. A key that
// is absent, or an empty text, gives the default. Fields without a tag "key" are not
// touched.
//
// The error is a *vaguemestre.Error of class config over [Issues], which tells all
// that is wrong at once; it matches [ErrWrongKey] or [ErrTampered] when a secret could
// not be opened. After an error v holds what could be read.
func Decode(data []byte, v any, o *DecodeOptions) error {
	return decode("settings: decode", data, v, o, false)
}

// decode is Decode. With moved, a sealed secret may tell the path that it was sealed for.
func decode(op string, data []byte, v any, o *DecodeOptions, moved bool) error {
	d := decoder{moved: moved}
	if o != nil {
		d.o = *o
	}
	t, wrongs := targetOf(v)
	if len(wrongs) == 0 && t.rv.IsValid() && reflect.ValueOf(v).Kind() != reflect.Pointer {
		wrongs = Issues{issueDeclaration("", "give a pointer to a "+t.typ.String())}
	}
	if len(wrongs) > 0 {
		return d.fail(op, wrongs)
	}
	doc, wrongs := parse(data)
	d.issues = wrongs
	if doc == nil {
		return d.fail(op, wrongs)
	}
	if doc.kind != '{' {
		d.add(issueWrongType("", &node{shape: shapeObject}, doc))
		return d.fail(op, d.issues)
	}
	d.object(t.object, doc, t.rv, "")
	if t.rv.IsValid() {
		for _, i := range t.validate(t.rv, "") {
			if !d.issues.covers(i.Path) {
				d.add(i)
			}
		}
	}
	if len(d.issues) > 0 {
		return d.fail(op, d.issues)
	}
	return nil
}

// decoder puts a document into a struct and collects what is wrong.
type decoder struct {
	o      DecodeOptions
	moved  bool
	issues Issues
	causes []error
}

func (d *decoder) add(i Issue) {
	if len(d.issues) < maxIssues {
		d.issues = append(d.issues, i)
	}
}

func (d *decoder) fail(op string, is Issues) error {
	return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: &failure{is.under(d.o.Path), d.causes}}
}

func (d *decoder) object(o *object, t *tree, rv reflect.Value, path string) {
	given := map[string]bool{}
	refused := map[*field]Issues{} // given, but empty: Validate would take it for not given
	for _, m := range t.members {
		f := o.lookup(m.key)
		if f == nil {
			d.add(issueUnknownKey(child(path, m.key), m.key, o.keys()))
			continue
		}
		given[f.key] = true
		v := rv.FieldByIndex(f.index)
		v.SetZero()
		p := join(path, f.key)
		if !d.value(f.node, m.value, v, p) || !f.empty(v) || f.shape == shapeObject {
			continue
		}
		if is := f.check(v, p); len(is) > 0 {
			refused[f] = is
		} else if m.value.kind == '"' && (f.shape != shapeDuration || m.value.text == "") && f.def.IsValid() {
			f.setDefault(v)
		}
	}
	for _, f := range o.fields {
		if given[f.key] {
			continue
		}
		v := rv.FieldByIndex(f.index)
		v.SetZero()
		switch {
		case f.shape == shapeObject:
			d.object(f.obj, &tree{kind: '{'}, v, join(path, f.key))
		case f.def.IsValid():
			f.setDefault(v)
		}
	}
	for _, f := range o.fields {
		if f.shape == shapeObject && f.required && !given[f.key] && o.visible(f, rv) {
			d.add(issueRequired(join(path, f.key))) // its defaults make it look given
			continue
		}
		if is := refused[f]; len(is) > 0 && (!f.required || f.def.IsValid() || !o.visible(f, rv)) {
			d.add(is[0])
		}
	}
}

// setDefault copies the default, so that two structs never share a list or a pointer.
func (f *field) setDefault(v reflect.Value) {
	if f.shape == shapeList {
		v.Set(reflect.AppendSlice(reflect.MakeSlice(f.typ, 0, f.def.Len()), f.def))
		return
	}
	if f.shape == shapeBool {
		setBool(v, boolOf(f.def))
		return
	}
	v.Set(f.def)
}

// value sets v and reports whether the document had a value of the right type.
func (d *decoder) value(n *node, t *tree, v reflect.Value, path string) bool {
	wrong := func() bool {
		d.add(issueWrongType(path, n, t))
		return false
	}
	switch n.shape {
	case shapeText:
		if t.kind != '"' {
			return wrong()
		}
		v.SetString(t.text)
	case shapeBool:
		if t.kind != 't' {
			return wrong()
		}
		setBool(v, t.yes)
	case shapeInt:
		if t.kind != '0' {
			return wrong()
		}
		text, whole := wholeNumber(t.text)
		if !whole {
			return wrong()
		}
		if setInt(v, text) != nil {
			d.add(issue(path, CodeOutOfRange, "is too large or too small a number", "nombre trop grand ou trop petit"))
			return false
		}
	case shapeFloat:
		if t.kind != '0' {
			return wrong()
		}
		x, err := strconv.ParseFloat(t.text, v.Type().Bits())
		if err != nil {
			d.add(issue(path, CodeOutOfRange, "is too large or too small a number", "nombre trop grand ou trop petit"))
			return false
		}
		v.SetFloat(x)
	case shapeDuration:
		if t.kind != '"' {
			return wrong()
		}
		if t.text == "" {
			return true
		}
		x, err := parseDuration(t.text)
		if err != nil {
			d.add(issueFormat(path, quote(t.text)+` is no duration: write "30s", "5m", "1h30m" or "30d"`,
				quote(t.text)+` n'est pas une durée : écrivez "30s", "5m", "1h30m" ou "30d"`))
			return false
		}
		v.SetInt(int64(x))
	case shapeSecret:
		return d.secret(n, t, v, path)
	case shapeMarshal:
		if t.kind != '"' {
			return wrong()
		}
		if t.text == "" {
			return true
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(t.text)); err != nil {
			d.add(issueOf(path, err))
			return false
		}
	case shapeRaw:
		if t.kind == 'n' {
			return wrong()
		}
		var b bytes.Buffer
		if err := json.Compact(&b, t.raw); err != nil {
			return wrong()
		}
		v.SetBytes(b.Bytes())
	case shapeList:
		if t.kind != '[' {
			return wrong()
		}
		return d.list(n, t, v, path)
	case shapeMap:
		if t.kind != '{' {
			return wrong()
		}
		return d.entries(n, t, v, path)
	case shapeObject:
		if t.kind != '{' {
			return wrong()
		}
		d.object(n.obj, t, v, path)
	}
	return true
}

func (d *decoder) list(n *node, t *tree, v reflect.Value, path string) bool {
	ok := true
	list := reflect.MakeSlice(n.typ, 0, len(t.elems))
	for i, e := range t.elems {
		x := reflect.New(n.elem.typ).Elem()
		ok = d.value(n.elem, e, x, index(path, i)) && ok
		list = reflect.Append(list, x)
	}
	if len(t.elems) > 0 {
		v.Set(list)
	}
	return ok
}

func (d *decoder) entries(n *node, t *tree, v reflect.Value, path string) bool {
	ok := true
	if len(t.members) > 0 {
		v.Set(reflect.MakeMap(n.typ))
	}
	for _, m := range t.members {
		x := reflect.New(n.elem.typ).Elem()
		ok = d.value(n.elem, m.value, x, child(path, m.key)) && ok
		v.SetMapIndex(reflect.ValueOf(m.key).Convert(n.typ.Key()), x)
	}
	return ok
}

// wholeNumber takes 465 and, as JSON Schema does (2020-12 core section 4.2.3), 465.0.
func wholeNumber(s string) (string, bool) {
	if s == "-0" || s == "-0.0" {
		return "0", true
	}
	if _, err := strconv.ParseInt(s, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return s, true
	}
	x, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		return s, true
	}
	if err != nil || x != math.Trunc(x) {
		return s, false
	}
	return strconv.FormatFloat(x, 'f', 0, 64), true
}

// parseDuration is time.ParseDuration with days before the rest: "30d", "1d12h".
func parseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err == nil && more < 0 {
		err = strconv.ErrSyntax
	}
	return d + more, err
}
