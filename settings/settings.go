package settings

import (
	"encoding/json"
)

// Text is what an end user reads, in English and French.
type Text struct {
	EN string `json:"en"`
	FR string `json:"fr"`
}

// Secret is a password, key or token. It prints as ••• everywhere; Reveal gives it.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Issue is one thing that is wrong with settings.
type Issue struct {
	Path    string `json:"path"` // JSON path of the key: "port", "connectors[0].settings.port"
	Code    string `json:"code"` // stable: "required", "unknown_key", "out_of_range", "not_one_of", "wrong_type", …
	Message Text   `json:"message"`
}

// Issues is the error of settings that are not valid.
type Issues []Issue

// Labeler gives the texts of a settings struct, by key. Every key has one.
type Labeler interface{ Labels() map[string]Label }

// Label is what a form shows for a key.
type Label struct{ Name, Help Text }

// Validator is an optional ability of a settings struct: rules over several keys.
type Validator interface{ ValidateSettings() []Issue }

// Validate returns what is wrong with v, a pointer to a settings struct. A value that is no
// settings struct (no exported field has a tag "key") has no issues.
func Validate(v any) Issues { panic("to come") }

// Instance is a stored or written instance of a kind.
type Instance struct {
	Name     string          `json:"name"`
	Kind     string          `json:"kind"`
	Version  int             `json:"version,omitempty"` // 0 is the current one
	Settings json.RawMessage `json:"settings"`
}

// Sealer encrypts a secret for storage; id binds the result to its place.
type Sealer interface {
	Seal(plain []byte, id string) ([]byte, error)
}

// Opener is the reverse of [Sealer].
type Opener interface {
	Open(sealed []byte, id string) ([]byte, error)
}

// Kind describes one kind of instance to a [Registry].
type Kind[T any] struct {
	Name       string // stable, as written in files: "smtp"
	Title      Text
	Help       Text
	New        func() T    // a pointer to a zero settings struct
	Version    int         // current version; 0 is 1
	Migrations []Migration // Migrations[i] leads from version i+1 to i+2
}

// Migration turns the settings of one version into the next. It is pure.
type Migration func(map[string]any) (map[string]any, error)

// Registry knows kinds by name. The zero value is empty and ready.
type Registry[T any] struct{ kinds []Kind[T] }
