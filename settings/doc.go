// Package settings makes one Go struct the only description of one settings form: what
// Go code writes is what the form shows, what a file says and what a store keeps.
//
// # A settings struct
//
// The tag "key" makes an exported field a setting; other fields are left alone.
//
//	type Printer struct {
//		Host     string          `key:"host" required:"true" format:"host"`
//		Port     int             `key:"port" default:"631" min:"1" max:"65535"`
//		TLS      string          `key:"tls" enum:"implicit,starttls,none" default:"implicit"`
//		CAFile   string          `key:"ca_file" when:"tls=implicit|starttls" advanced:"true"`
//		Password settings.Secret `key:"password"`
//		Timeout  time.Duration   `key:"timeout" default:"30s" min:"1s"`
//	}
//
//	func (*Printer) Labels() map[string]settings.Label { … } // English and French
//
// A field may be a string, bool, *bool, number, [time.Duration] (written "30s"), [Secret],
// json.RawMessage, a type with MarshalText and UnmarshalText, another settings struct,
// and lists and maps (with string keys) of these. An embedded struct counts as if its
// fields were the outer struct's own. The tags are
//
//   - key: a-z, 0-9 and _;
//   - required:"true": must be given, unless it is not visible or has a default;
//   - default: what an absent key gives; of a list of scalars, separated by commas;
//   - enum: the possible values of a text or whole number, separated by commas;
//   - when:"key=value|value": visible only while another key of the same struct has one of the values;
//   - min, max: bounds of a number or duration, else of the length in characters or entries.
//     Without min a duration is at least 0;
//   - advanced:"true": a form may fold it away;
//   - format: host, email and url are checked; text may hold line breaks, which other texts
//     may not; anything else (file, path) is a hint for the form.
//
// A zero value counts as not given: a struct written in Go need not repeat the defaults,
// and whoever uses it must take zero for the default. A bool has no third value: false is
// false, also where the default is true. A *bool has: nil is its default, which its tags
// must give, and false is false.
//
// # From it follow
//
//   - [Validate]: all that is wrong, as path, code and message in both languages. A struct
//     adds rules over several keys as a [Validator];
//   - [Describe]: the form that a console draws; [Schema]: the JSON Schema of 2020-12;
//   - [Decode] and [Encode]: strict JSON in, stored JSON out.
//
// # Secrets
//
// A [Secret] prints as •••. In a configuration file it is a text, {"env":"NAME"} or
// {"file":"PATH"}; in a store it is {"sealed":"…"}, encrypted by a [Keyring] under a [Key]
// that the host provides, and bound to its place: moved elsewhere it does not open.
//
//	key, err := settings.ParseKey(os.Getenv("VAGUEMESTRE_KEY")) // openssl rand -base64 32
//	keys, err := settings.NewKeyring(key)
//	stored, err := settings.Encode(printer, keys, "printer/main")
//	err = settings.Decode(stored, printer, &settings.DecodeOptions{Opener: keys, ID: "printer/main"})
//
// # Kinds
//
// A [Registry] opens values from their stored form, an [Instance]: name, kind, version,
// settings. It migrates older versions, refuses newer ones without touching them, and
// gives a value that merely lacks something together with an [Incomplete]. It is a value
// that the host owns; there is no global one.
//
//	var printers settings.Registry[Device]
//	err := printers.Register(settings.Kind[Device]{Name: "printer", Title: …, New: func() Device { return new(Printer) }})
//	device, err := printers.Open(instance, &settings.DecodeOptions{Opener: keys})
package settings
