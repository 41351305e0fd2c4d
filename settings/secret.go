package settings

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// mask is what is shown in place of a secret.
const mask = "•••"

// Secret is a password, key or token. Through fmt, slog, JSON and every encoder that
// knows encoding.TextMarshaler it prints as •••, or as nothing when it is empty.
// [Secret.Reveal] gives the secret itself and [Encode] alone stores it, sealed.
//
// Package fmt asks a value how to print itself only where it can, so three things are
// left to the caller: keep a Secret in exported fields; print structs that hold one
// with %v, since a verb that does not go with a pointer (%s of a []*T, %p) makes fmt
// print what it points to without asking; and do not use a Secret as the key of a map.
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
