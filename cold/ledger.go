package cold

import (
	"context"
	"errors"
	"time"
)

// ErrNotMine is returned by a [Decoder] for a document of another kind.
var ErrNotMine = errors.New("cold: not of this decoder's kind")

// ErrStale is returned by a [Lease] that another run has taken over: its fence is
// older than the ledger's. Nothing was written; the run must end.
var ErrStale = errors.New("cold: the lease on this source was taken over by a newer run")

// Ledger remembers every item and every document of every job: what was taken, what
// was refused and why, and what was done at the source. It is the truth that makes
// a second run take nothing and a crashed run go on.
//
// Its methods are safe for concurrent use. job is a [Job].Name.
type Ledger interface {
	// Lock takes the job for this run. If another goroutine or process holds it, Lock
	// fails at once with an error that matches [vaguemestre.ErrBusy]. A holder that
	// crashed holds nothing. ctx bounds Lock alone.
	Lock(ctx context.Context, job string) (Lease, error)

	// Standing tells what is known of items, one answer per item in order; an unknown
	// item has the zero Standing. It needs no lease and changes nothing.
	Standing(ctx context.Context, job string, items []Item) ([]Standing, error)

	// Explain returns all that is known of one item, nil if nothing is.
	Explain(ctx context.Context, job, itemKey string) (*Entry, error)
}

// Lease is the right to write for one job, until Close. One goroutine owns it.
//
// Every write carries the lease's fence, a number that rises with each Lock; a
// write with an older fence fails with [ErrStale] and changes nothing. A method
// that returns nil has made its write durable: it survives a power cut.
type Lease interface {
	// Scope is the identity of the ledger and job, part of every [Document].Key. It is
	// the same for the life of the ledger.
	Scope() string

	// Record writes entries in one transaction, all or none. An entry replaces what was
	// known of its item; Docs nil keeps the documents recorded before.
	Record(ctx context.Context, entries []Entry) error

	// Unsettled returns up to limit entries (without Docs) whose State is not terminal,
	// in the order of Item.Key, beginning after the key after ("" for the first).
	Unsettled(ctx context.Context, after string, limit int) ([]Entry, error)

	// Twin finds, for an item of epoch with the content key twin, an entry of another
	// epoch with the same twin that no item of epoch was matched with, and returns it
	// with its Docs; nil if there is none. Recording an entry whose Origin is that
	// item's key makes the match. It never matches two items of one epoch.
	Twin(ctx context.Context, epoch, twin string) (*Entry, error)

	// Cursor returns what SaveCursor saved last, "" at first.
	Cursor(ctx context.Context) (string, error)
	SaveCursor(ctx context.Context, cursor string) error

	// Close gives the job free. It is safe to call twice.
	Close() error
}

// State is where an item stands.
type State string

const (
	StatePending     State = "pending"     // known; nothing was handed over
	StatePlanned     State = "planned"     // its documents and decisions are recorded; they may be on their way into the sink
	StateDelivered   State = "delivered"   // all accepted documents are safe; the after-action is due
	StateActing      State = "acting"      // the after-action was begun
	StateDone        State = "done"        // terminal: nothing is left to do
	StateHeld        State = "held"        // terminal while the job's rules stay the same: a part needs a person; the item stays at its source
	StateDeselected  State = "deselected"  // terminal while the job's rules stay the same: the job's Select passed it over
	StateQuarantined State = "quarantined" // terminal: given up after three runs; the item stays at its source, or goes where a [Quarantiner] puts it
	StateVanished    State = "vanished"    // terminal until it is listed again: gone from the source, or named anew, before it was handed over
)

// Terminal reports whether nothing more is done for an item in this state.
func (s State) Terminal() bool {
	switch s {
	case StateDone, StateHeld, StateDeselected, StateQuarantined, StateVanished:
		return true
	}
	return false
}

// Standing is what the ledger knows of an item, in short.
type Standing struct {
	State    State  // "" for an item that is not known
	Attempts int    // runs that blamed this item
	Rules    string // fingerprint of the job's rules when it was decided
}

// Entry is all that the ledger knows of an item.
type Entry struct {
	Item  Item
	State State

	// Attempts counts the runs that blamed this item. A failure of the source or of the
	// sink blames nobody.
	Attempts int
	Reason   string    // why it stands there: the last error, or why it is held or was passed over
	Time     time.Time // of the last change

	Rules  string // fingerprint of Select, Take, Filters, Decoders and Limits that decided it
	Twin   string // content key: SHA-256 in hex over Message-ID (without one: date, addresses and subject, or the file's name) and ordered document hashes; "" before it was read
	Origin string // Item.Key that document keys are made of; "" means Item.Key itself

	Action  After  // what is or was done at the source
	Receipt string // the source's answer: "done Traités;UIDVALIDITY=3;UID=7"

	Docs []Entered // the manifest: every part of the item, refusals included
}

// Decision is what became of one document.
type Decision string

const (
	Delivered   Decision = "delivered"   // safe in the sink
	Accepted    Decision = "accepted"    // to be delivered: the decision of a dry run, or of a run that did not get there
	Refused     Decision = "refused"     // the job's filters do not want it
	Held        Decision = "held"        // undecided, or the sink will not take it: needs a person
	Quarantined Decision = "quarantined" // its item was given up
	Passed      Decision = "passed"      // no document for this job: its Take passes it over
)

// Entered is one document of an item's manifest.
type Entered struct {
	Key       string   `json:"key"`
	Name      string   `json:"name"`
	MediaType string   `json:"media_type"`
	Size      int64    `json:"size"`
	SHA256    string   `json:"sha256"`
	Path      []string `json:"path"`
	Decision  Decision `json:"decision"`
	Reason    string   `json:"reason"` // always says why
	Ref       string   `json:"ref,omitempty"`
	Repairs   []string `json:"repairs,omitempty"`
}
