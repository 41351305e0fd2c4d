package settings

import "encoding/json"

// Validate returns what is wrong with v, a pointer to a settings struct.
func Validate(v any) Issues { panic("to come") }

// DecodeOptions are the options of [Decode] and [Registry.Open].
type DecodeOptions struct {
	Opener  Opener
	ID      string
	Literal bool
	Files   bool
	Env     func(string) (string, bool)
	Dir     string
	Path    string
}

// Decode reads settings from JSON into v.
func Decode(data []byte, v any, o *DecodeOptions) error { panic("to come") }

// Encode writes v as JSON with its secrets sealed.
func Encode(v any, s Sealer, id string) ([]byte, error) { panic("to come") }

// Schema returns the JSON Schema of v.
func Schema(v any) (json.RawMessage, error) { panic("to come") }
