package arrows

// Module is the import path of the module.
const Module = "github.com/vaguemestre/vaguemestre"

// Row is what a package may import. Patterns are as in the table below.
type Row struct {
	Package string
	Ours    []string // packages of this module it may import directly, itself and those below it not needed
	Others  []string // third-party modules it may import directly
	Never   []string // what it must not even reach through others
	Suite   bool     // helps tests: may import testing
}

// everything allows everything of that kind.
var everything = []string{"..."}

// Table lists all packages, relative to the module; "" is the root. A name that ends
// in "/..." matches the package and those below it; the longest match counts.
var Table = []Row{
	{Package: "", Never: []string{"..."}},
	{Package: "settings", Ours: []string{""}},
	{Package: "auth", Ours: []string{"", "settings", "internal/step"}, Others: []string{"golang.org/x/oauth2", "github.com/gofrs/flock"},
		Never: []string{"router/...", "cold/...", "store/...", "connector"}},
	{Package: "auth/authtest", Suite: true, Ours: []string{"", "auth", "internal/suite"}},
	{Package: "durable"},

	// Sending. It must not link collecting, a database or IMAP.
	{Package: "router", Ours: []string{"", "settings", "internal/step"}, Others: []string{"golang.org/x/net/idna", "golang.org/x/text"},
		Never: []string{"cold/...", "store/...", "connector", "auth", "github.com/emersion/...", "modernc.org/sqlite"}},
	{Package: "router/routertest", Suite: true, Ours: []string{"", "router", "internal/suite"}, Others: []string{"github.com/emersion/go-smtp"}},
	{Package: "connector", Ours: []string{"", "router", "settings", "auth", "internal/graph", "internal/sasl", "internal/transport"},
		Others: []string{"github.com/wneessen/go-mail", "github.com/emersion/go-smtp", "github.com/emersion/go-sasl", "golang.org/x/net/idna"},
		Never:  []string{"cold/...", "store/...", "github.com/emersion/go-imap/v2", "modernc.org/sqlite"}},
	{Package: "connector/graphtest", Ours: []string{"", "auth", "internal/mime"}},

	// Collecting. cold knows no protocol, a launcher no other launcher's.
	{Package: "cold", Ours: []string{"", "settings", "internal/dirstore", "internal/mime", "internal/step", "internal/unpack"},
		Others: []string{"github.com/dlclark/regexp2", "golang.org/x/sys", "golang.org/x/text"},
		Never:  []string{"router/...", "store/...", "connector", "auth", "cold/launcher", "internal/transport", "github.com/emersion/...", "modernc.org/sqlite"}},
	{Package: "cold/coldtest", Suite: true, Ours: []string{"", "cold", "internal/suite"}},
	{Package: "cold/launcher", Ours: []string{"", "cold", "settings", "auth", "internal/graph", "internal/pop3", "internal/sasl", "internal/step", "internal/transport"},
		Others: []string{"github.com/emersion/go-imap/v2", "github.com/emersion/go-sasl", "github.com/fsnotify/fsnotify", "golang.org/x/text"},
		Never:  []string{"router/...", "store/...", "connector", "modernc.org/sqlite", "github.com/wneessen/go-mail"}},

	// Envelopes. A payload decoder knows no job: it may be used alone on a bare file.
	{Package: "adullact", Ours: []string{"", "cold", "cold/launcher", "settings", "adullact/payload", "adullact/actes", "adullact/helios", "adullact/chorus", "internal/step", "internal/unpack", "internal/xmlscan"},
		Others: []string{"golang.org/x/text"},
		Never:  []string{"router/...", "store/...", "connector", "modernc.org/sqlite"}},
	{Package: "adullact/payload", Never: []string{"..."}},
	{Package: "adullact/actes", Ours: []string{"", "adullact/payload", "internal/xmlscan"}, Never: []string{"cold", "router/...", "store/..."}},
	{Package: "adullact/helios", Ours: []string{"", "adullact/payload", "internal/xmlscan"}, Never: []string{"cold", "router/...", "store/..."}},
	{Package: "adullact/chorus", Ours: []string{"", "adullact/payload", "internal/xmlscan"}, Never: []string{"cold", "router/...", "store/..."}},

	// Keeping. The stores implement other packages' interfaces; only they know SQL.
	{Package: "store", Ours: []string{"", "auth", "cold", "durable", "router", "settings", "internal/step"},
		Never: []string{"connector", "cold/launcher", "modernc.org/sqlite"}},
	{Package: "store/sqlite", Ours: []string{"", "auth", "cold", "durable", "router", "settings", "store", "internal/step"},
		Others: []string{"modernc.org/sqlite", "github.com/pressly/goose/v3", "github.com/gofrs/flock"},
		Never:  []string{"connector", "cold/launcher", "github.com/emersion/...", "github.com/jackc/pgx/v5"}},

	// What two packages share.
	{Package: "internal/dirstore", Ours: []string{"", "internal/step"}, Others: []string{"golang.org/x/sys"}},
	{Package: "internal/graph", Ours: []string{"", "auth"}, Others: []string{"golang.org/x/text"}, Never: []string{"router/...", "cold/...", "store/...", "connector"}},
	{Package: "internal/mime", Others: []string{"github.com/segmentio/asm", "golang.org/x/text"}},
	{Package: "internal/pop3", Ours: []string{"", "internal/sasl", "internal/transport"}, Others: []string{"github.com/emersion/go-sasl"}},
	{Package: "internal/p7m", Ours: []string{""}},
	{Package: "internal/tnef", Ours: []string{""}, Others: []string{"golang.org/x/text"}},
	{Package: "internal/unpack", Ours: []string{"", "internal/mime", "internal/p7m", "internal/tnef"}},
	{Package: "internal/xmlscan", Ours: []string{""}, Others: []string{"golang.org/x/text"}},
	{Package: "internal/sasl", Ours: []string{""}, Others: []string{"github.com/emersion/go-sasl", "github.com/wneessen/go-mail", "golang.org/x/text"}},
	{Package: "internal/step"},
	{Package: "internal/transport", Ours: []string{""}},

	// Tests, measurements, examples.
	{Package: "internal/arrows"},
	{Package: "internal/mailgen"},
	{Package: "internal/mailstack"},
	{Package: "internal/suite", Suite: true, Ours: []string{""}},
	{Package: "internal/transport/certtest", Suite: true},
	{Package: "integration/...", Suite: true, Ours: everything, Others: everything},
	{Package: "examples/...", Ours: everything, Others: everything},
}
