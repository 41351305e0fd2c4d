package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
)

// Instance is a stored or written instance of a kind. As a field of a settings struct
// it is the object {"name","kind","version","settings"}.
type Instance struct {
	Name     string          `json:"name,omitempty" key:"name"`
	Kind     string          `json:"kind" key:"kind" required:"true"`
	Version  int             `json:"version,omitempty" key:"version" min:"0"` // 0 is the current one
	Settings json.RawMessage `json:"settings,omitempty" key:"settings"`       // an object; absent is {}
}

// String names the instance and its kind. The settings, which may hold a secret of a
// configuration file, are not shown by fmt and slog; JSON shows them.
func (in Instance) String() string { return in.named() }

// Format writes String, whatever the verb.
func (in Instance) Format(f fmt.State, _ rune) { io.WriteString(f, in.named()) }

// LogValue returns String.
func (in Instance) LogValue() slog.Value { return slog.StringValue(in.named()) }

// Labels are the texts of an instance as part of other settings.
func (Instance) Labels() map[string]Label {
	return map[string]Label{
		"name":     {Name: Text{"Name", "Nom"}},
		"kind":     {Name: Text{"Kind", "Type"}},
		"version":  {Name: Text{"Version", "Version"}},
		"settings": {Name: Text{"Settings", "Paramètres"}},
	}
}

// Kind describes one kind of instance to a [Registry].
type Kind[T any] struct {
	Name       string      // stable, as written in files: "smtp"
	Title      Text        // both languages
	Help       Text        // both languages, or neither
	New        func() T    // a pointer to a new, zero settings struct
	Version    int         // current version of the settings; 0 is 1
	Migrations []Migration // Migrations[i] leads from version i+1 to i+2
}

// Migration turns the settings of one version into those of the next. It is pure: it
// may change and return its argument, and does nothing else.
//
// The map is as package encoding/json makes it, but numbers are [json.Number]. The
// value of a secret may be a text or an object; a migration may move it to another key
// but never looks into it.
type Migration func(map[string]any) (map[string]any, error)

var (
	// ErrUnknownKind means that no kind of that name was registered.
	ErrUnknownKind = errors.New("unknown kind")

	// ErrNewerVersion means that settings were written by a newer program. Their bytes
	// are not touched; a newer program can read them.
	ErrNewerVersion = errors.New("settings are of a newer version")
)

// Incomplete is the error, reached with [errors.As], of settings that lack required
// values and are right otherwise. They may be stored, not run.
type Incomplete struct {
	Missing Issues // what is missing, all of code "required"
}

func (e *Incomplete) Error() string { return "incomplete: " + e.Missing.Error() }

// Unwrap returns Missing.
func (e *Incomplete) Unwrap() error { return e.Missing }

var kindForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Registry knows kinds by name: it exists to open an instance from its stored
// settings. The zero value is empty and ready. Once all kinds are registered it is
// safe for concurrent use.
type Registry[T any] struct{ kinds []Kind[T] }

// Register adds kinds, all or, on an error, none. The error, of class config, names
// everything that is wrong with the declaration of a kind: a name that is taken, tags
// that contradict each other, a text that lacks a language, a migration that is missing.
func (r *Registry[T]) Register(kinds ...Kind[T]) error {
	const op = "settings: register"
	all := append([]Kind[T](nil), r.kinds...)
	var errs []error
	for _, k := range kinds {
		for _, known := range all {
			if known.Name == k.Name {
				errs = append(errs, fmt.Errorf("kind %q is registered already", k.Name))
			}
		}
		for _, err := range k.wrongs() {
			errs = append(errs, fmt.Errorf("kind %q: %w", k.Name, err))
		}
		all = append(all, k)
	}
	if len(errs) > 0 {
		return configError(op, errors.Join(errs...))
	}
	r.kinds = all
	return nil
}

// wrongs lists what is wrong with the declaration of a kind.
func (k Kind[T]) wrongs() []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !kindForm.MatchString(k.Name) {
		wrong("the name must be of a-z, 0-9, _ and -")
	}
	if k.Title.EN == "" || k.Title.FR == "" {
		wrong("Title must be in English and French")
	}
	if (k.Help.EN == "") != (k.Help.FR == "") {
		wrong("Help must be in both languages or none")
	}
	if k.Version < 0 {
		wrong("Version must not be negative")
	} else if n := k.current() - 1; len(k.Migrations) != n {
		wrong("version %d needs %d migrations, from 1 to %d: there are %d", k.current(), n, k.current(), len(k.Migrations))
	}
	for i, m := range k.Migrations {
		if m == nil {
			wrong("the migration from version %d to %d is nil", i+1, i+2)
		}
	}
	if k.New == nil {
		wrong("New is nil")
		return errs
	}
	v := any(k.New())
	t, wrongs := targetOf(v)
	for _, i := range wrongs {
		wrong("%s", Issues{i}.Error())
	}
	if len(wrongs) > 0 || len(t.fields) == 0 {
		return errs
	}
	if reflect.ValueOf(v).Kind() != reflect.Pointer {
		wrong("New must return a pointer to %s", t.typ)
	} else if v == any(k.New()) {
		wrong("New must return a new value each time")
	}
	return append(errs, t.missingLabels("")...)
}

func (k Kind[T]) current() int { return max(k.Version, 1) }

// Kinds returns the kinds in the order of their registration.
func (r *Registry[T]) Kinds() []Kind[T] { return append([]Kind[T](nil), r.kinds...) }

// Lookup returns the kind of that name.
func (r *Registry[T]) Lookup(kind string) (Kind[T], bool) {
	for _, k := range r.kinds {
		if k.Name == kind {
			return k, true
		}
	}
	return Kind[T]{}, false
}

// find is Lookup with an error that helps.
func (r *Registry[T]) find(op, kind string) (Kind[T], error) {
	if k, ok := r.Lookup(kind); ok {
		return k, nil
	}
	names := make([]string, len(r.kinds))
	for i, k := range r.kinds {
		names[i] = k.Name
	}
	known := "no kind is registered"
	if len(names) > 0 {
		known = "use one of " + strings.Join(names, ", ")
	}
	if near := nearest(kind, names); near != "" {
		known = fmt.Sprintf("did you mean %q? %s", near, known)
	}
	return Kind[T]{}, configError(op, fmt.Errorf("%w %s: %s", ErrUnknownKind, quote(kind), known))
}

// Migrate returns in with its settings brought to the current version of its kind, and
// that version. Settings of the current version, or of none, keep their bytes. A sealed
// secret stays sealed for the key it had: to store migrated settings, Open and Pack them.
func (r *Registry[T]) Migrate(in Instance) (Instance, error) {
	op := "settings: migrate " + in.named()
	k, err := r.find(op, in.Kind)
	if err != nil {
		return in, err
	}
	out, _, err := k.migrate(op, in, false)
	return out, err
}

// migrate runs the migrations that in needs. With mark, sealed secrets are first told
// the path that they were sealed for; moved reports that this was done.
func (k Kind[T]) migrate(op string, in Instance, mark bool) (out Instance, moved bool, err error) {
	switch {
	case in.Version < 0:
		return in, false, configError(op, fmt.Errorf("version %d does not exist: use 1 to %d", in.Version, k.current()))
	case in.Version > k.current():
		return in, false, configError(op, fmt.Errorf("%w: version %d, this program knows up to %d: use a newer program; nothing was changed", ErrNewerVersion, in.Version, k.current()))
	case in.Version == 0 || in.Version == k.current():
		in.Version = k.current()
		return in, false, nil
	}
	doc, wrongs := parse(in.document())
	if len(wrongs) == 0 && doc.kind != '{' {
		wrongs = Issues{issueWrongType("", &node{shape: shapeObject}, doc)}
	}
	if len(wrongs) > 0 {
		return in, false, configError(op, wrongs)
	}
	values := doc.plain("", mark).(map[string]any)
	for v := in.Version; v < k.current(); v++ {
		if values, err = k.Migrations[v-1](values); err == nil && values == nil {
			err = errors.New("the migration gave nothing")
		}
		if err != nil {
			return in, false, configError(op, fmt.Errorf("from version %d to %d: %w", v, v+1, err))
		}
	}
	b, err := marshal(values)
	if err != nil {
		return in, false, configError(op, err)
	}
	in.Version, in.Settings = k.current(), b
	return in, mark, nil
}

// plain is the tree as package encoding/json gives it. With mark, each object with a
// key "sealed" gets the path where it stands, whatever it said before.
func (t *tree) plain(path string, mark bool) any {
	switch t.kind {
	case '"':
		return t.text
	case '0':
		return json.Number(t.text)
	case 't':
		return t.yes
	case '[':
		list := make([]any, len(t.elems))
		for i, e := range t.elems {
			list[i] = e.plain(index(path, i), mark)
		}
		return list
	case '{':
		m := make(map[string]any, len(t.members))
		for _, e := range t.members {
			m[e.key] = e.value.plain(child(path, e.key), mark)
		}
		if _, ok := m["sealed"]; ok && mark {
			m["at"] = path
		}
		return m
	}
	return nil
}

// Open makes a new value from the settings of in: it migrates those of an older
// version, decodes and validates them. o says which forms of secrets are taken; with an
// empty o.ID a sealed secret must be the one that Pack sealed for the name and kind of in.
//
// If all that is wrong is that values are missing, the value is returned together with
// an error that holds [*Incomplete]; with any other error the value is zero. The errors
// are of class config and match [ErrUnknownKind], [ErrNewerVersion] or hold [Issues].
func (r *Registry[T]) Open(in Instance, o *DecodeOptions) (T, error) {
	var none T
	op := "settings: open " + in.named()
	k, err := r.find(op, in.Kind)
	if err != nil {
		return none, err
	}
	in, moved, err := k.migrate(op, in, true)
	if err != nil {
		return none, err
	}
	var opts DecodeOptions
	if o != nil {
		opts = *o
	}
	if opts.ID == "" {
		opts.ID = in.place()
	}
	v := k.New()
	err = decode(op, in.document(), v, &opts, moved)
	var is Issues
	switch {
	case err == nil:
		return v, nil
	case errors.As(err, &is) && is.Incomplete():
		return v, configError(op, &Incomplete{Missing: is})
	}
	return none, err
}

// Pack is the reverse of [Registry.Open]: it returns v as an instance of the current
// version, its secrets sealed by s for name and kind, so that a renamed instance must
// be packed again. Settings that lack values are packed too; any other [Issues] are an
// error.
func (r *Registry[T]) Pack(name, kind string, v T, s Sealer) (Instance, error) {
	in := Instance{Name: name, Kind: kind}
	op := "settings: pack " + in.named()
	k, err := r.find(op, kind)
	if err != nil {
		return Instance{}, err
	}
	if got, want := reflect.TypeOf(v), reflect.TypeOf(k.New()); got != want {
		return Instance{}, configError(op, fmt.Errorf("the value is a %v: give a %v", got, want))
	}
	if is := Validate(v); len(is) > 0 && !is.Incomplete() {
		return Instance{}, configError(op, is)
	}
	b, err := Encode(v, s, in.place())
	if err != nil {
		return Instance{}, configError(op, err)
	}
	in.Version, in.Settings = k.current(), b
	return in, nil
}

// place is what the secrets of an instance are bound to.
func (in Instance) place() string { return in.Kind + "/" + in.Name }

// document is the settings, which may be absent.
func (in Instance) document() []byte {
	if len(in.Settings) == 0 {
		return []byte("{}")
	}
	return in.Settings
}

// named names an instance in an error.
func (in Instance) named() string {
	if in.Name == "" {
		return quote(in.Kind)
	}
	return quote(in.Name) + " (" + quote(in.Kind) + ")"
}
