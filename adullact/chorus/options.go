package chorus

import (
	"cmp"

	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// Options are what a decoder may be told; nil is all defaults.
type Options struct {
	// Out takes the attachments, and what [DecodeFlow] and [DecodePDF] take out of their
	// containers. Size and SHA256 are known when it is called. nil: they are read, counted
	// and described, and go nowhere.
	Out payload.Out
	// Scratch is the directory for what does not fit into memory; "" is os.TempDir.
	// Nothing stays there.
	Scratch string
	// Personal asks for account numbers and for the names and identifiers of suppliers
	// that are natural persons (TypeIdentifiant 7).
	Personal bool
	Limits   Limits

	used *tally // by all files of one lot
}

// tally is what counts against the limits.
type tally struct {
	files, invoices int
	total           int64
}

// Limits bound what one call reads and writes; 0 is the default.
type Limits struct {
	Invoices int   // and statuses; 10,000
	Files    int   // attachments and members of an archive; 10,000
	File     int64 // bytes of one of them, decoded and unpacked; 512 MiB
	Total    int64 // bytes of all of them; 2 GiB
}

func (o *Options) orDefault() Options {
	var v Options
	if o != nil {
		v = *o
	}
	v.Limits.Invoices = cmp.Or(v.Limits.Invoices, 10_000)
	v.Limits.Files = cmp.Or(v.Limits.Files, 10_000)
	v.Limits.File = cmp.Or(v.Limits.File, 512<<20)
	v.Limits.Total = cmp.Or(v.Limits.Total, 2<<30)
	if v.used == nil {
		v.used = &tally{}
	}
	return v
}

// What unpacks to more than maxRatio times its size is a bomb, once it is past freeBytes.
const (
	maxRatio  = 200
	freeBytes = 10 << 20
)
