package settings

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"unicode/utf8"
)

// Encode writes v, a settings struct, as JSON for storage: keys in the order of the
// struct, what is not given left out, secrets sealed by s and bound to id and their
// path. It is the only way out for a secret; with a nil Sealer a secret that is not
// empty is an error. What Encode writes, [Decode] with the same id reads back equal.
//
// Encode does not validate: incomplete settings can be stored too.
func Encode(v any, s Sealer, id string) ([]byte, error) {
	const op = "settings: encode"
	t, wrongs := targetOf(v)
	if len(wrongs) > 0 {
		return nil, configError(op, wrongs)
	}
	e := encoder{sealer: s, id: id}
	e.object(t.object, t.rv, "")
	if e.err != nil {
		return nil, configError(op, e.err)
	}
	return e.b.Bytes(), nil
}

// encoder writes JSON until the first error.
type encoder struct {
	b      bytes.Buffer
	sealer Sealer
	id     string
	err    error
}

func (e *encoder) fail(path, format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("%s: %w", path, fmt.Errorf(format, args...))
	}
}

func (e *encoder) put(path string, v any) {
	b, err := marshal(v)
	if err != nil {
		e.fail(path, "%w", err)
		return
	}
	e.b.Write(b)
}

func (e *encoder) object(o *object, rv reflect.Value, path string) {
	e.b.WriteByte('{')
	first := true
	for _, f := range o.fields {
		v := rv.FieldByIndex(f.index)
		if f.omits(v) {
			continue
		}
		mark := e.b.Len()
		if !first {
			e.b.WriteByte(',')
		}
		e.put(path, f.key)
		e.b.WriteByte(':')
		start := e.b.Len()
		e.value(f.node, v, join(path, f.key))
		if f.shape == shapeObject && string(e.b.Bytes()[start:]) == "{}" {
			e.b.Truncate(mark)
			continue
		}
		first = false
	}
	e.b.WriteByte('}')
}

// omits tells whether the key can be left out: nothing is lost since [Decode] makes the
// same of it, or the value means "not given" since it would not be taken if written.
func (f *field) omits(v reflect.Value) bool {
	if f.shape == shapeObject || !f.empty(v) {
		return false
	}
	if !f.def.IsValid() || f.empty(f.def) {
		return true
	}
	switch f.shape {
	case shapeText:
		return true
	case shapeBool:
		return v.Kind() == reflect.Pointer // nil
	case shapeMarshal:
		s, err := marshalText(v)
		return err != nil || s == ""
	}
	return len(f.check(v, "")) > 0
}

func (e *encoder) value(n *node, v reflect.Value, path string) {
	switch n.shape {
	case shapeText:
		e.text(v.String(), path)
	case shapeSecret:
		e.secret(v.String(), path)
	case shapeMarshal:
		s := ""
		if !v.IsZero() || n.zeroHasText(v) {
			var err error
			if s, err = marshalText(v); err != nil {
				e.fail(path, "%w", err)
			}
		}
		e.text(s, path)
	case shapeDuration:
		e.put(path, plainText(n, v))
	case shapeRaw:
		if v.Len() == 0 {
			e.fail(path, "no JSON value")
		} else if err := json.Compact(&e.b, v.Bytes()); err != nil {
			e.fail(path, "not JSON")
		}
	case shapeList:
		e.b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				e.b.WriteByte(',')
			}
			e.value(n.elem, v.Index(i), index(path, i))
		}
		e.b.WriteByte(']')
	case shapeMap:
		e.b.WriteByte('{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				e.b.WriteByte(',')
			}
			e.text(k.String(), path)
			e.b.WriteByte(':')
			x := reflect.New(n.elem.typ).Elem()
			x.Set(v.MapIndex(k))
			e.value(n.elem, x, child(path, k.String()))
		}
		e.b.WriteByte('}')
	case shapeObject:
		e.object(n.obj, v, path)
	default:
		e.put(path, v.Interface())
	}
}

// zeroHasText tells whether a zero value has a text, which then must be written.
func (n *node) zeroHasText(v reflect.Value) bool {
	s, err := marshalText(v)
	return err == nil && s != ""
}

func (e *encoder) text(s, path string) {
	if !utf8.ValidString(s) { // package encoding/json would replace the bytes
		e.fail(path, "the text is not UTF-8")
		return
	}
	e.put(path, s)
}

func (e *encoder) secret(s, path string) {
	if s == "" {
		e.b.WriteString(`""`)
		return
	}
	if e.sealer == nil {
		e.fail(path, "%w", errors.New("a secret cannot be stored without a key: give a Keyring"))
		return
	}
	sealed, err := e.sealer.Seal([]byte(s), secretID(e.id, path))
	if err != nil {
		e.fail(path, "%w", err)
		return
	}
	e.put(path, map[string]string{"sealed": base64.StdEncoding.EncodeToString(sealed)})
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	return keys
}
