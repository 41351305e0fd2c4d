package settings

import (
	"fmt"
	"strings"
)

// Codes of an [Issue]. They are stable; a [Validator] may use codes of its own.
const (
	CodeRequired     = "required"      // a value that is needed is missing
	CodeUnknownKey   = "unknown_key"   // the key does not exist; the nearest one is named
	CodeDuplicateKey = "duplicate_key" // the key stands twice in one object
	CodeWrongType    = "wrong_type"    // a text where a number belongs, null, and so on
	CodeOutOfRange   = "out_of_range"  // a number, duration or length beyond its bounds
	CodeNotOneOf     = "not_one_of"    // not a value of the enum
	CodeBadFormat    = "bad_format"    // a text that is no host name, no address …
	CodeSecret       = "secret"        // a secret that cannot be read or is given in a form that is not taken here
	CodeSyntax       = "syntax"        // not JSON, or too large or too deep to be settings
	CodeDeclaration  = "declaration"   // the Go struct itself is wrong; only its author can mend it
)

// Issue is one thing that is wrong with settings.
type Issue struct {
	Path    string `json:"path"` // JSON path of the key: "port", "connectors[0].settings.port"; "" is the whole
	Code    string `json:"code"` // stable: "required", "unknown_key", …; see the constants
	Message Text   `json:"message"`
}

// Issues is the error of settings that are not valid: all that is wrong, not only the
// first. Functions that return an error wrap it in a *vaguemestre.Error of class
// config; reach it with [errors.As]. No message holds a secret.
type Issues []Issue

// maxTold bounds how many issues the text of an error tells.
const maxTold = 20

// Error lists the issues in English as "path: message".
func (is Issues) Error() string {
	var b strings.Builder
	for i, it := range is {
		if i == maxTold {
			fmt.Fprintf(&b, "; and %d more", len(is)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		if it.Path != "" {
			b.WriteString(it.Path)
			b.WriteString(": ")
		}
		b.WriteString(it.Message.EN)
	}
	if b.Len() == 0 {
		return "no issue"
	}
	return b.String()
}

// Incomplete reports whether all that is wrong is that values are missing
// ([CodeRequired]): such settings may be kept until somebody completes them. It is
// false when there is no issue.
func (is Issues) Incomplete() bool {
	for _, it := range is {
		if it.Code != CodeRequired {
			return false
		}
	}
	return len(is) > 0
}

// under returns the issues with their paths set below path.
func (is Issues) under(path string) Issues {
	if path == "" {
		return is
	}
	out := make(Issues, len(is))
	for i, it := range is {
		it.Path = join(path, it.Path)
		out[i] = it
	}
	return out
}

// join puts a relative path below another.
func join(base, rel string) string {
	switch {
	case base == "":
		return rel
	case rel == "" || rel[0] == '[':
		return base + rel
	}
	return base + "." + rel
}

// failure is what stands under the *vaguemestre.Error of a failed Decode: the issues
// and, for errors.Is, the causes that a secret could not be opened.
type failure struct {
	issues Issues
	causes []error
}

func (f *failure) Error() string { return f.issues.Error() }

func (f *failure) Unwrap() []error { return append([]error{f.issues}, f.causes...) }
