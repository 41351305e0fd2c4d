package settings

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// mask is what is shown in place of a secret.
const mask = "•••"

// Secret is a password, key or token. Through fmt (all verbs), slog, JSON and every
// encoder that knows encoding.TextMarshaler it prints as •••, or as nothing when it is
// empty. [Secret.Reveal] gives the secret itself and [Encode] alone stores it, sealed.
//
// Keep it in exported fields: package fmt cannot call the methods of an unexported one
// and prints the plain text. The same is true of the verb %p, which go vet refuses.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns ••• or, for an empty secret, "".
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString returns the same as String.
func (s Secret) GoString() string { return s.String() }

// Format writes the same as String, whatever the verb and flags: %x of a secret would
// be the secret.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText returns the same as String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns String as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue returns the same as String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
