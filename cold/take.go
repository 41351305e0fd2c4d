package cold

import "time"

// Select says which mails a job looks at. What it passes over is not touched at the
// source, whatever the job's After. The zero value takes all. All tests must pass.
type Select struct {
	From    []string      // any of these in the From address or name, without regard to case
	To      []string      // the same for To and Cc
	Subject string        // a [Filter] if it has the form /…/, else a text that the subject must contain, without regard to case
	MaxAge  time.Duration // since Item.Time; 0 means no bound
	MinSize int64         // bytes of the whole mail; 0 means no bound
	MaxSize int64         // bytes of the whole mail; 0 means no bound
	Unseen  bool          // only mails that are not marked as read
}

// Take says which parts of a mail are documents. The zero value is [DefaultTake].
type Take struct {
	Attachments bool   // parts that are attached or have a file name
	Inline      bool   // images and other parts shown inside the text
	Nested      Nested // what to do with attached mails; "" is expand
	Bodies      Bodies // the mail's own text; "" is none
	EML         bool   // the whole mail, as a document "<subject>.eml"

	// Containers are the kinds that are taken apart, to five levels: what they hold is
	// filtered under its own names, and they are no documents. One that is damaged,
	// encrypted, a bomb or beyond the job's Limits stays a document, handed over with the
	// reason whatever the filters say; so does, as any other document, one that holds
	// nothing. Of a bomb, and of what is beyond a limit, nothing else comes. Mails (.eml)
	// in containers are taken apart as Nested says, and so are all documents that are
	// mails. What a decoder knows, and the files of a Group, stay as they are. Empty: none.
	//
	// What is signed (p7m) is unwrapped, not verified; the p7m itself stays a document for the
	// filters, since it alone holds the signature.
	Containers []Container `json:",omitempty"`
}

// DefaultTake takes attachments, also those of attached mails.
var DefaultTake = Take{Attachments: true}

// Container is a kind of file that holds files. It is known by its content, whatever its
// name; office documents, which are zips, are none.
type Container string

const (
	ContainerZip  Container = "zip"
	ContainerTar  Container = "tar"  // with gzip: also .tar.gz, in one step
	ContainerGzip Container = "gzip" // one compressed file
	ContainerTNEF Container = "tnef" // winmail.dat of Outlook
	ContainerP7M  Container = "p7m"  // opaque S/MIME: signed, not encrypted
)

// AllContainers returns all kinds.
func AllContainers() []Container {
	return []Container{ContainerZip, ContainerTar, ContainerGzip, ContainerTNEF, ContainerP7M}
}

// Nested says what becomes of a message/rfc822 part.
type Nested string

const (
	NestedExpand Nested = "expand" // its own parts are taken as the mail's are
	NestedKeep   Nested = "keep"   // it is one document, an .eml
	NestedBoth   Nested = "both"
	NestedNone   Nested = "none" // it is refused, with that reason
)

// Bodies says which text bodies become documents.
type Bodies string

const (
	BodiesNone Bodies = "none"
	BodiesText Bodies = "text" // text/plain
	BodiesHTML Bodies = "html" // text/html
	BodiesAll  Bodies = "all"
)
