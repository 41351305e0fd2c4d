package adullact

import (
	"io"

	"github.com/vaguemestre/vaguemestre/adullact/actes"
	"github.com/vaguemestre/vaguemestre/adullact/chorus"
	"github.com/vaguemestre/vaguemestre/adullact/helios"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// Kind is the protocol that an envelope is of.
type Kind string

const (
	KindActes   Kind = "actes"   // local authority and prefecture; "acte_nature" in a product's list
	KindHelios  Kind = "helios"  // local authority and accountant: PES V2
	KindChorus  Kind = "chorus"  // local authority and suppliers: Chorus Pro; "chorus_fact"
	KindUnknown Kind = "unknown" // nothing told; all files are there all the same
)

// What told the kind of an [Envelope].
const (
	SourceMetadata = "pastell-metadata" // a deposit's metadata file
	SourceManifest = "pastell-manifest" // the same grammar on its way into Pastell, with the type of flow
	SourcePayload  = "payload"          // what a file holds
	SourceNames    = "names"            // names of files
)

// Envelope is what belongs together.
type Envelope struct {
	Kind   Kind
	Type   string  // of flow, as a manifest writes it: "actes-automatique"; else "" or the root element of the message
	Source string  // one of the Source constants; "" when nothing was recognized
	Title  string  // the objet, or the number of the invoice
	Fields []Field // of the metadata, in their order
	Params []Field // of a manifest
	Files  []*File // those that were given, in their order, then those found in messages
	Pieces []Piece // what the messages are about

	Actes      []*actes.Message
	Helios     []*helios.Flow
	Chorus     []*chorus.Flow
	Deviations []payload.Deviation

	index   map[string]string
	scratch scratch
}

// Field is one entry of the metadata, named as it was written.
type Field struct {
	Name   string
	Values []string // scalars as written; of files their names
	IsFile bool

	original []string // name_original of each file
}

// File is one file of an envelope.
type File struct {
	payload.File
	Index        int      // among those of its Role
	Also         []string // further roles of the same file
	NameOriginal string   // where the file has Pastell's name for it; else ""
	From         string   // name of the file that it was found in; "" for those that were given
	Pieces       []string // IDs of the pieces that it belongs to

	// Open gives the content from its beginning, until [Envelope.Close].
	Open func() (io.ReadSeekCloser, error)
}

// Roles that are no field of the metadata.
const (
	RoleMetadata = "metadata"
	RoleMarker   = "marker"  // says that the deposit is complete
	RoleArchive  = "archive" // of ACTES, as it was transmitted
	RolePJ       = "pj"      // found in a message
)

// Piece is one thing that a message is about: an act, an invoice, a voucher of a PES.
type Piece struct {
	Kind   string         `json:"kind"` // "acte", "facture", "statut"; of a PES its part: "PES_DepenseAller"
	ID     string         `json:"id,omitempty"`
	In     string         `json:"in,omitempty"` // the bordereau of a voucher
	Date   string         `json:"date,omitempty"`
	Object string         `json:"object,omitempty"`
	Amount payload.Amount `json:"amount,omitempty"`
	Tiers  []string       `json:"tiers,omitempty"` // only with Options.Personal
	Files  []string       `json:"files,omitempty"` // ID, else name, of its documents
}

// Close removes what Decode unpacked. Files that were given stay.
func (e *Envelope) Close() error { return e.scratch.close() }

func (e *Envelope) deviate(path, reason string) {
	const most = 1000
	if len(e.Deviations) < most {
		e.Deviations = append(e.Deviations, payload.Deviation{Path: path, Reason: reason})
	}
}
