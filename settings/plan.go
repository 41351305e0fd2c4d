package settings

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// shape is how a value is written.
type shape int

const (
	shapeText     shape = iota // string and named strings
	shapeBool                  // bool, or *bool: nil is its default
	shapeInt                   // signed and unsigned
	shapeFloat                 //
	shapeDuration              // "30s"
	shapeSecret                //
	shapeMarshal               // a type of its own, written as its text
	shapeRaw                   // any JSON, kept as it is
	shapeList                  //
	shapeMap                   // keys are texts
	shapeObject                // a settings struct
)

// node is a type that a field or an element may have.
type node struct {
	shape shape
	typ   reflect.Type
	elem  *node   // of lists and maps
	obj   *object // of objects
}

// object is what the tags of a settings struct say.
type object struct {
	typ    reflect.Type
	fields []*field
	labels map[string]Label
}

// field is one key of a settings struct.
type field struct {
	*node
	key      string
	index    []int
	required bool
	advanced bool
	def      reflect.Value // invalid: none
	enum     []string
	when     *When
	min, max *bound
	format   string
}

// bound is a number, a duration in nanoseconds, or a length.
type bound struct {
	text string
	num  float64
}

var (
	typeDuration    = reflect.TypeFor[time.Duration]()
	typeSecret      = reflect.TypeFor[Secret]()
	typeRaw         = reflect.TypeFor[json.RawMessage]()
	typeMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	typeUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

	keyForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// lookup returns the field of that key, or nil.
func (o *object) lookup(key string) *field {
	for _, f := range o.fields {
		if f.key == key {
			return f
		}
	}
	return nil
}

func (o *object) keys() []string {
	keys := make([]string, len(o.fields))
	for i, f := range o.fields {
		keys[i] = f.key
	}
	return keys
}

// planner reads the tags of a struct type and collects what is wrong with them.
type planner struct {
	stack  []reflect.Type
	wrongs Issues
}

func (p *planner) wrong(path, format string, args ...any) {
	p.wrongs = append(p.wrongs, issueDeclaration(path, fmt.Sprintf(format, args...)))
}

// target is a value of a settings struct with its plan. A value without any key has an
// empty plan.
type target struct {
	*object
	rv reflect.Value // the struct, addressable; invalid when the plan is empty
}

// targetOf finds the settings struct in v and reads its tags.
func targetOf(v any) (target, Issues) {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Interface {
		if rv.IsNil() {
			return target{}, Issues{issueDeclaration("", fmt.Sprintf("the value is nil: give a pointer to a settings struct, not a nil %T", v))}
		}
		rv = rv.Elem()
	}
	if !rv.IsValid() {
		return target{}, Issues{issueDeclaration("", "the value is nil: give a pointer to a settings struct")}
	}
	if rv.Kind() != reflect.Struct || !hasKeys(rv.Type()) {
		return target{object: &object{typ: rv.Type()}}, nil
	}
	if !rv.CanAddr() {
		addressable := reflect.New(rv.Type()).Elem()
		addressable.Set(rv)
		rv = addressable
	}
	var p planner
	o := p.object(rv.Type(), "")
	return target{o, rv}, p.wrongs
}

// hasKeys reports whether a struct type has a tag "key", itself or in an embedded struct.
func hasKeys(t reflect.Type) bool {
	for i := range t.NumField() {
		sf := t.Field(i)
		if _, ok := sf.Tag.Lookup("key"); ok {
			return true
		}
		if sf.Anonymous && sf.Type.Kind() == reflect.Struct && hasKeys(sf.Type) {
			return true
		}
	}
	return false
}

func (p *planner) object(t reflect.Type, path string) *object {
	o := &object{typ: t, labels: map[string]Label{}}
	for _, above := range p.stack {
		if above == t {
			p.wrong(path, "type %s contains itself", t)
			return o
		}
	}
	p.stack = append(p.stack, t)
	p.fields(o, t, nil, path)
	p.stack = p.stack[:len(p.stack)-1]
	for _, f := range o.fields {
		p.control(o, f, join(path, f.key))
	}
	return o
}

// fields adds the fields of t, and those of its embedded structs as if they were its own.
func (p *planner) fields(o *object, t reflect.Type, index []int, path string) {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(append([]int(nil), index...), i)
		key, ok := sf.Tag.Lookup("key")
		if !ok {
			if sf.Anonymous && sf.Type.Kind() == reflect.Struct && hasKeys(sf.Type) {
				p.fields(o, sf.Type, at, path)
			}
			continue
		}
		fp := join(path, key)
		switch {
		case !sf.IsExported():
			p.wrong(fp, "field %s of %s is not exported", sf.Name, t)
			continue
		case !keyForm.MatchString(key):
			p.wrong(fp, "key %q of %s: use a-z, 0-9 and _", key, t)
			continue
		case o.lookup(key) != nil:
			p.wrong(fp, "key %q stands twice in %s", key, o.typ)
			continue
		}
		if f := p.field(sf, at, fp); f != nil {
			o.fields = append(o.fields, f)
		}
	}
	if l, ok := reflect.New(t).Interface().(Labeler); ok {
		for k, label := range l.Labels() {
			o.labels[k] = label
		}
	}
}

func (p *planner) node(t reflect.Type, path string) *node {
	n := &node{typ: t}
	switch {
	case t == typeSecret:
		n.shape = shapeSecret
	case t == typeDuration:
		n.shape = shapeDuration
	case t == typeRaw:
		n.shape = shapeRaw
	case reflect.PointerTo(t).Implements(typeUnmarshaler) && reflect.PointerTo(t).Implements(typeMarshaler):
		n.shape = shapeMarshal
	default:
		switch t.Kind() {
		case reflect.String:
			n.shape = shapeText
		case reflect.Bool:
			n.shape = shapeBool
		case reflect.Pointer:
			if t.Elem().Kind() != reflect.Bool {
				p.wrong(path, "type %s cannot be a setting", t)
				return nil
			}
			n.shape = shapeBool
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			n.shape = shapeInt
		case reflect.Float32, reflect.Float64:
			n.shape = shapeFloat
		case reflect.Slice:
			n.shape = shapeList
			n.elem = p.node(t.Elem(), path)
		case reflect.Map:
			n.shape = shapeMap
			if t.Key().Kind() != reflect.String {
				p.wrong(path, "type %s: the keys of a map must be strings", t)
				return nil
			}
			n.elem = p.node(t.Elem(), path)
		case reflect.Struct:
			n.shape = shapeObject
			if !hasKeys(t) {
				p.wrong(path, "type %s has no tag \"key\" and is no encoding.TextMarshaler and TextUnmarshaler", t)
				return nil
			}
			n.obj = p.object(t, path)
		default:
			p.wrong(path, "type %s cannot be a setting", t)
			return nil
		}
	}
	if (n.shape == shapeList || n.shape == shapeMap) && n.elem == nil {
		return nil
	}
	return n
}

func (p *planner) field(sf reflect.StructField, index []int, path string) *field {
	n := p.node(sf.Type, path)
	if n == nil {
		return nil
	}
	f := &field{node: n, key: sf.Tag.Get("key"), index: index, format: sf.Tag.Get("format")}
	f.required = p.flag(sf, "required", path)
	f.advanced = p.flag(sf, "advanced", path)
	if f.required && f.shape == shapeBool {
		p.wrong(path, "tag required: a bool is never missing")
	}
	if sf.Type.Kind() == reflect.Pointer {
		if _, ok := sf.Tag.Lookup("default"); !ok {
			p.wrong(path, "a *bool needs a tag default: that is what nil means")
		}
	}
	if s, ok := sf.Tag.Lookup("enum"); ok {
		f.enum = strings.Split(s, ",")
		if f.shape != shapeText && f.shape != shapeInt && (f.shape != shapeList || f.elem.shape != shapeText) {
			p.wrong(path, "tag enum does not go with type %s", sf.Type)
		}
	}
	if s, ok := sf.Tag.Lookup("when"); ok {
		key, values, found := strings.Cut(s, "=")
		if !found || key == "" || values == "" {
			p.wrong(path, "tag when:%q: write key=value or key=value|value", s)
		} else {
			f.when = &When{Key: key, Values: strings.FieldsFunc(values, func(r rune) bool { return r == '|' || r == ',' })}
		}
	}
	f.min = p.bound(sf, "min", f.shape, path)
	f.max = p.bound(sf, "max", f.shape, path)
	switch {
	case f.min == nil && f.shape == shapeDuration:
		f.min = &bound{text: "0s"}
	case f.min == nil && f.shape == shapeInt && reflect.Zero(f.typ).CanUint():
		f.min = &bound{text: "0"}
	}
	if f.min != nil && f.max != nil && f.min.num > f.max.num {
		p.wrong(path, "tag min is above max")
	}
	if s, ok := sf.Tag.Lookup("default"); ok {
		p.defaultValue(f, s, path)
	}
	return f
}

func (p *planner) flag(sf reflect.StructField, tag, path string) bool {
	switch s := sf.Tag.Get(tag); s {
	case "", "false":
		return false
	case "true":
		return true
	default:
		p.wrong(path, "tag %s:%q: write true or leave it out", tag, s)
		return false
	}
}

func (p *planner) bound(sf reflect.StructField, tag string, s shape, path string) *bound {
	text, ok := sf.Tag.Lookup(tag)
	if !ok {
		return nil
	}
	var err error
	b := &bound{text: text}
	switch s {
	case shapeFloat:
		b.num, err = strconv.ParseFloat(text, 64)
	case shapeDuration:
		var d time.Duration
		d, err = time.ParseDuration(text)
		b.num = float64(d)
	case shapeInt, shapeText, shapeSecret, shapeList, shapeMap, shapeMarshal:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		b.num = float64(n)
	default:
		err = fmt.Errorf("does not go with type %s", sf.Type)
	}
	if err != nil {
		p.wrong(path, "tag %s:%q: %v", tag, text, err)
		return nil
	}
	return b
}

func (p *planner) defaultValue(f *field, s, path string) {
	v := reflect.New(f.typ).Elem()
	var err error
	switch {
	case f.shape == shapeSecret:
		err = fmt.Errorf("a secret has no default")
	case f.shape == shapeList && f.elem.obj == nil && f.elem.elem == nil:
		for _, part := range strings.Split(s, ",") {
			e := reflect.New(f.elem.typ).Elem()
			if err = setText(f.elem, e, part); err != nil {
				break
			}
			v = reflect.Append(v, e)
		}
	default:
		err = setText(f.node, v, s)
	}
	if err == nil {
		if is := f.check(v, path); len(is) > 0 {
			err = is
		}
	}
	if err != nil {
		p.wrong(path, "tag default:%q: %v", s, err)
		return
	}
	f.def = v
}

// control checks the tag "when" against the field it names.
func (p *planner) control(o *object, f *field, path string) {
	if f.when == nil {
		return
	}
	c := o.lookup(f.when.Key)
	if c == nil || c == f {
		p.wrong(path, "tag when: no other key %q stands beside it", f.when.Key)
		return
	}
	for _, v := range f.when.Values {
		probe := reflect.New(c.typ).Elem()
		if c.shape != shapeText && c.shape != shapeBool && c.shape != shapeInt {
			p.wrong(path, "tag when: key %q is no text, bool or whole number", c.key)
			return
		}
		if err := setText(c.node, probe, v); err != nil || len(c.check(probe, path)) > 0 {
			p.wrong(path, "tag when: key %q never is %q", c.key, v)
		}
	}
}

// setText sets a scalar from the text of a tag.
func setText(n *node, v reflect.Value, s string) error {
	switch n.shape {
	case shapeText:
		v.SetString(s)
	case shapeBool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return err
		}
		setBool(v, b)
	case shapeInt:
		return setInt(v, s)
	case shapeFloat:
		x, err := strconv.ParseFloat(s, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetFloat(x)
	case shapeDuration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
	case shapeMarshal:
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	default:
		return fmt.Errorf("does not go with type %s", n.typ)
	}
	return nil
}

// setBool sets a bool, or makes what a *bool points to.
func setBool(v reflect.Value, b bool) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	v.SetBool(b)
}

// boolOf is the bool of a bool or *bool; false for nil.
func boolOf(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return false
		}
		v = v.Elem()
	}
	return v.Bool()
}

// setInt sets a whole number of either sign.
func setInt(v reflect.Value, s string) error {
	if v.CanUint() {
		u, err := strconv.ParseUint(s, 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetUint(u)
		return nil
	}
	i, err := strconv.ParseInt(s, 10, v.Type().Bits())
	if err != nil {
		return err
	}
	v.SetInt(i)
	return nil
}

// plainText is the text of a scalar as it stands in tags.
func plainText(n *node, v reflect.Value) string {
	switch n.shape {
	case shapeText:
		return v.String()
	case shapeBool:
		return strconv.FormatBool(boolOf(v))
	case shapeInt:
		if v.CanUint() {
			return strconv.FormatUint(v.Uint(), 10)
		}
		return strconv.FormatInt(v.Int(), 10)
	case shapeFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	case shapeDuration:
		return durationText(time.Duration(v.Int()))
	}
	return ""
}

// durationText is Duration.String without its trailing zero parts: "1h", not "1h0m0s".
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// empty reports whether v counts as not given: an object does if all its fields do.
func (n *node) empty(v reflect.Value) bool {
	if n.shape == shapeObject {
		for _, f := range n.obj.fields {
			if !f.empty(v.FieldByIndex(f.index)) {
				return false
			}
		}
		return true
	}
	if n.shape == shapeList || n.shape == shapeMap || n.shape == shapeRaw {
		return v.Len() == 0
	}
	return v.IsZero()
}
