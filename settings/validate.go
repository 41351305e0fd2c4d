package settings

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate returns all that is wrong with v, a pointer to a settings struct, or nil.
// A value that is no settings struct (no exported field has a tag "key") has no issues.
//
// A zero value counts as not given: it is missing if the key is required and visible
// and has no default, and right otherwise.
func Validate(v any) Issues {
	t, wrongs := targetOf(v)
	if len(wrongs) > 0 || len(t.fields) == 0 {
		return wrongs
	}
	return t.validate(t.rv, "")
}

func (o *object) validate(rv reflect.Value, path string) Issues {
	var is Issues
	for _, f := range o.fields {
		v := rv.FieldByIndex(f.index)
		p := join(path, f.key)
		switch {
		case f.shape == shapeObject && f.required && f.empty(v):
			if o.visible(f, rv) {
				is = append(is, issueRequired(p))
			}
		case f.shape == shapeObject:
			for _, i := range f.obj.validate(v, p) {
				if i.Code == CodeRequired && !o.visible(f, rv) {
					continue
				}
				is = append(is, i)
			}
		case !f.empty(v):
			is = append(is, f.check(v, p)...)
		case f.required && !f.def.IsValid() && o.visible(f, rv):
			is = append(is, issueRequired(p))
		}
	}
	if r, ok := rv.Addr().Interface().(Validator); ok {
		for _, i := range Issues(r.ValidateSettings()).under(path) {
			if !is.covers(i.Path) {
				is = append(is, i)
			}
		}
	}
	return is
}

// covers reports whether an issue of that path, or of what holds it, is known already.
func (is Issues) covers(path string) bool {
	for _, i := range is {
		if rest, ok := strings.CutPrefix(path, i.Path); ok && i.Path != "" && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// visible tells whether the tag "when" of f is satisfied.
func (o *object) visible(f *field, rv reflect.Value) bool {
	if f.when == nil {
		return true
	}
	c := o.lookup(f.when.Key)
	v := rv.FieldByIndex(c.index)
	if (c.shape != shapeBool || v.Kind() == reflect.Pointer) && c.empty(v) && c.def.IsValid() {
		v = c.def
	}
	return f.when.holds(plainText(c.node, v))
}

// check tests a value that was given against the tags of its field.
func (f *field) check(v reflect.Value, path string) Issues {
	if f.shape == shapeList || f.shape == shapeMap {
		if !f.within(float64(v.Len())) {
			return Issues{issueRange(path, "the number of entries ", "le nombre d'entrées ", f.min, f.max)}
		}
	}
	return f.checkNode(f.node, v, path)
}

// checkNode tests a value or an element of it.
func (f *field) checkNode(n *node, v reflect.Value, path string) Issues {
	var is Issues
	switch n.shape {
	case shapeText:
		return f.checkText(n, v.String(), path)
	case shapeSecret:
		if n == f.node && !f.within(float64(utf8.RuneCountInString(v.String()))) {
			return Issues{issueRange(path, "the length ", "la longueur ", f.min, f.max)}
		}
	case shapeInt:
		x := float64(0)
		if v.CanUint() {
			x = float64(v.Uint())
		} else {
			x = float64(v.Int())
		}
		return f.checkNumber(n, x, plainText(n, v), path)
	case shapeFloat:
		return f.checkNumber(n, v.Float(), "", path)
	case shapeDuration:
		return f.checkNumber(n, float64(v.Int()), "", path)
	case shapeMarshal:
		if v.IsZero() {
			return nil
		}
		s, err := marshalText(v)
		if err != nil {
			return Issues{issueOf(path, err)}
		}
		if n == f.node && !f.within(float64(utf8.RuneCountInString(s))) {
			return Issues{issueRange(path, "the length ", "la longueur ", f.min, f.max)}
		}
	case shapeRaw:
		if v.Len() == 0 {
			return nil
		}
		_, is = parse(v.Bytes())
		return is.under(path)
	case shapeList:
		for i := range v.Len() {
			is = append(is, f.checkNode(n.elem, v.Index(i), index(path, i))...)
		}
	case shapeMap:
		for _, k := range sortedKeys(v) {
			key := k.String()
			if len(key) > maxMapKey || key == "" || hasControl(key) || !utf8.ValidString(key) {
				is = append(is, issueMapKey(child(path, key)))
				continue
			}
			e := reflect.New(n.elem.typ).Elem()
			e.Set(v.MapIndex(k))
			is = append(is, f.checkNode(n.elem, e, child(path, key))...)
		}
	case shapeObject:
		return n.obj.validate(v, path)
	}
	return is
}

func (f *field) within(x float64) bool {
	return (f.min == nil || x >= f.min.num) && (f.max == nil || x <= f.max.num)
}

func (f *field) checkNumber(n *node, x float64, text, path string) Issues {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return Issues{issueFormat(path, "is no number", "n'est pas un nombre")}
	case n == f.node && len(f.enum) > 0 && !contains(f.enum, text):
		return Issues{issueNotOneOf(path, text, f.enum)}
	case n == f.node && !f.within(x):
		return Issues{issueRange(path, "", "", f.min, f.max)}
	}
	return nil
}

func (f *field) checkText(n *node, s, path string) Issues {
	switch {
	case !utf8.ValidString(s):
		return Issues{issueFormat(path, "is not UTF-8", "n'est pas en UTF-8")}
	case len(f.enum) > 0 && !contains(f.enum, s):
		return Issues{issueNotOneOf(path, s, f.enum)}
	case n == f.node && !f.within(float64(utf8.RuneCountInString(s))):
		return Issues{issueRange(path, "the length ", "la longueur ", f.min, f.max)}
	case f.format != "text" && hasControl(s):
		return Issues{issueFormat(path, "holds a line break or another control character: remove it",
			"contient un saut de ligne ou un autre caractère de contrôle : supprimez-le")}
	case s == "":
		return nil
	}
	switch f.format {
	case "host":
		if strings.Contains(s, "://") || strings.ContainsAny(s, "/@") {
			return Issues{issueFormat(path, fmt.Sprintf("%s is no host name: give the name alone, such as \"mail.example.org\"", quote(s)),
				fmt.Sprintf("%s n'est pas un nom d'hôte : indiquez le nom seul, par exemple \"mail.example.org\"", quote(s)))}
		}
		if !isHost(s) {
			return Issues{issueFormat(path, fmt.Sprintf("%s is no host name and no IP address: give it without port and spaces", quote(s)),
				fmt.Sprintf("%s n'est ni un nom d'hôte ni une adresse IP : indiquez-le sans port ni espace", quote(s)))}
		}
	case "email":
		if !isEmail(s) {
			return Issues{issueFormat(path, fmt.Sprintf("%s is no mail address: write name@example.org", quote(s)),
				fmt.Sprintf("%s n'est pas une adresse électronique : écrivez nom@example.org", quote(s)))}
		}
	case "url":
		if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" { // err repeats the text, which may hold a password
			return Issues{issueFormat(path, "is no address of the form https://example.org/", "n'est pas une adresse de la forme https://example.org/")}
		}
	}
	return nil
}

// isHost takes names (RFC 1123 section 2.1, internationalised ones too) and IP addresses.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return true
	}
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
				return false
			}
		}
	}
	return true
}

// isEmail takes an addr-spec (RFC 5321 section 4.1.2) without quotes and comments.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && len(local) <= 64 && !strings.ContainsAny(local, " \"(),:;<>[\\]") && isHost(domain)
}

// hasControl reports characters that no one-line text holds.
func hasControl(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) >= 0
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// marshalText gives the text of a type of its own.
func marshalText(v reflect.Value) (string, error) {
	if !v.CanAddr() {
		e := reflect.New(v.Type()).Elem()
		e.Set(v)
		v = e
	}
	b, err := v.Addr().Interface().(encoding.TextMarshaler).MarshalText()
	if err == nil && !utf8.Valid(b) {
		err = errors.New("its text is not UTF-8")
	}
	return string(b), err
}

// issueOf turns the error of a type of its own into an issue. An error that is itself
// Issues keeps its texts in both languages.
func issueOf(path string, err error) Issue {
	var is Issues
	if errors.As(err, &is) && len(is) > 0 {
		return Issue{Path: path, Code: is[0].Code, Message: is[0].Message}
	}
	return issueFormat(path, "is not accepted: "+err.Error(), "n'est pas accepté : "+err.Error())
}

func issueMapKey(path string) Issue {
	return issueFormat(path,
		fmt.Sprintf("the name of an entry must have 1 to %d bytes and no control character", maxMapKey),
		fmt.Sprintf("le nom d'une entrée doit avoir de 1 à %d octets et aucun caractère de contrôle", maxMapKey))
}
