package cold

import (
	"context"
	"log/slog"
	"time"
)

// Job collects one source into one sink, through filters, with a ledger. The zero
// value of every field but Name, Launcher, Sink and Ledger is a sensible default.
//
// A Job must not be changed while it runs; copies share nothing but what their
// fields point to.
type Job struct {
	Name     string // names the job in the ledger; changing it makes the job forget what it took
	Launcher Launcher
	Select   Select // which mails are looked at
	Take     Take   // which of their parts are documents
	Decoders []Decoder
	Filters  Filters // which documents are wanted
	Sink     Sink
	Ledger   Ledger

	After        After // done to an item once at least one of its documents is safe and none is held
	AfterRefused After // done to an item whose documents were all refused; default leave

	Limits  Limits
	Scratch string       // directory for items too large for memory; "" is os.TempDir()
	Logger  *slog.Logger // nil discards

	// OnEvent is told of progress, OnDecision of every document once its fate is in the
	// ledger. Both are called from one goroutine at a time and must not block for long.
	OnEvent    func(Event)
	OnDecision func(Decided)

	// Now replaces time.Now in tests.
	Now func() time.Time
}

// Limits bound one run and each item. 0 means the default.
type Limits struct {
	Items    int           // items read in one run; default no bound
	Bytes    int64         // bytes read in one run; default no bound
	Time     time.Duration // begins no new item after that; default no bound
	ItemSize int64         // a larger item is never read, but reported as held; default 256 MiB
	Depth    int           // nesting of parts and containers; default 50
	Parts    int           // parts of one mail; default 1,000
	Header   int           // bytes of one header block; default 1 MiB
}

// Event tells of progress.
type Event struct {
	Time  time.Time
	Job   string
	Item  string // Item.Key; "" for the job as a whole
	Step  string // "connect", "list", "open", "put", "settle", "done", "error"
	N     int    // items so far
	Total int    // items known to wait; 0 when unknown
	Err   error
}

// Decided is the fate of one document.
type Decided struct {
	Job  string
	Item string // Item.Key
	Entered
}

// Summary counts what one run did. Items counts items read, the others documents.
type Summary struct {
	Items       int   `json:"items"`
	Delivered   int   `json:"delivered"`
	Refused     int   `json:"refused"`
	Held        int   `json:"held"`
	Quarantined int   `json:"quarantined"`
	Bytes       int64 `json:"bytes"` // of delivered documents
}

// Run makes one pass: it settles what an earlier run left, takes what is new, and
// returns when nothing more waits or a limit is reached. The Summary counts what was
// done also when err is not nil.
func (j *Job) Run(ctx context.Context) (Summary, error) { panic("to come") }

// DryRun shows what Run would do. It opens the source read-only, writes nothing to
// the ledger and calls no sink.
func (j *Job) DryRun(ctx context.Context) ([]Decided, error) { panic("to come") }
