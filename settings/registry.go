package settings

import (
	"encoding/json"
	"errors"
)

// Instance is a stored or written instance of a kind. As a field of a settings struct
// it is the object {"name","kind","version","settings"}.
type Instance struct {
	Name     string          `json:"name,omitempty" key:"name"`
	Kind     string          `json:"kind" key:"kind" required:"true"`
	Version  int             `json:"version,omitempty" key:"version" min:"0"` // 0 is the current one
	Settings json.RawMessage `json:"settings,omitempty" key:"settings"`       // an object; absent is {}
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

// Registry knows kinds by name: it exists to open an instance from its stored
// settings. The zero value is empty and ready. Once all kinds are registered it is
// safe for concurrent use.
type Registry[T any] struct{ kinds []Kind[T] }

// Register adds kinds, all or, on an error, none.
func (r *Registry[T]) Register(kinds ...Kind[T]) error { panic("to come") }

// Kinds returns the kinds in the order of their registration.
func (r *Registry[T]) Kinds() []Kind[T] { panic("to come") }

// Lookup returns the kind of that name.
func (r *Registry[T]) Lookup(kind string) (Kind[T], bool) { panic("to come") }

// Migrate brings the settings of in to the current version, with secrets as they are.
func (r *Registry[T]) Migrate(in Instance) (Instance, error) { panic("to come") }

// Open makes the value that in describes.
func (r *Registry[T]) Open(in Instance, o *DecodeOptions) (T, error) { panic("to come") }

// Pack is the reverse of Open.
func (r *Registry[T]) Pack(name, kind string, v T, s Sealer) (Instance, error) { panic("to come") }
