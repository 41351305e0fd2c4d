package settings

// Text is what an end user reads, in English and French.
type Text struct {
	EN string `json:"en"`
	FR string `json:"fr"`
}

// Label is what a form shows for a key. Name is a few words; Help is a sentence, or
// empty in both languages.
type Label struct{ Name, Help Text }

// Labeler gives the texts of a settings struct, by key. Every key has a name in both
// languages; [Registry.Register] refuses a kind whose struct lacks one. The label of
// one value of an enum may be given under "key=value": "tls=starttls".
//
// Labels is called on a zero value and must not depend on its receiver.
type Labeler interface{ Labels() map[string]Label }

// Validator is an optional ability of a settings struct: rules over several keys.
//
// ValidateSettings is called after the tags were checked, also when that found
// something; its paths are relative to the struct. A rule that misses a value gives
// the code [CodeRequired], so that the settings count as incomplete and not as wrong.
// It must not change its receiver and does no I/O.
type Validator interface{ ValidateSettings() []Issue }
