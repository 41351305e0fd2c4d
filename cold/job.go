package cold

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Job collects one source into one sink, through filters, with a ledger. The zero
// value of every field but Name, Launcher, Sink and Ledger is a sensible default.
//
// A Job must not be changed while it runs; copies share nothing but what their
// fields point to.
type Job struct {
	Name     string // names the job in the ledger; changing it makes the job forget what it took
	Launcher Launcher
	Select   Select    // which mails are looked at
	Take     Take      // which of their parts are documents
	Decoders []Decoder // tried in order on every document; the first that knows it takes it apart
	Filters  Filters   // which documents are wanted
	Sink     Sink
	Ledger   Ledger

	// After is done to an item once at least one of its documents is safe and none is held.
	// What an earlier run had no time for is done as After and AfterRefused say now.
	After        After
	AfterRefused After // done to an item whose documents were all refused, or that has none; default leave

	Limits  Limits
	Scratch string       // directory for items too large for memory; "" is os.TempDir()
	Logger  *slog.Logger // nil discards

	// OnEvent is told of progress, OnDecision of every document once its fate is in the
	// ledger (of a dry run: at once). They are called from one goroutine at a time, hold
	// the run up as long as they take, and must not use the Job.
	OnEvent    func(Event)
	OnDecision func(Decided)

	// Now replaces time.Now in tests.
	Now func() time.Time
}

// Limits bound one run and each item. 0 means the default.
type Limits struct {
	Items    int           // items read in one run; default no bound
	Bytes    int64         // begins no new item once that many bytes were read in this run (items whose size the source does not tell are then opened one by one); default no bound
	Time     time.Duration // begins no new item after that; default no bound
	ItemSize int64         // bytes; a larger item is never read, but recorded as held; decoders and containers may give four times that out of one, no single document more than it; default 256 MiB
	Depth    int           // nesting of parts and of what decoders give; default 50; of containers never more than 5
	Parts    int           // parts of one mail, files of a directory, documents of one item; default 1,000
	Header   int           // bytes of one header block; default 1 MiB
}

func (l Limits) withDefaults() Limits {
	if l.ItemSize == 0 {
		l.ItemSize = 256 << 20
	}
	if l.Depth == 0 {
		l.Depth = 50
	}
	if l.Parts == 0 {
		l.Parts = 1000
	}
	if l.Header == 0 {
		l.Header = 1 << 20
	}
	return l
}

// Event tells of progress.
type Event struct {
	Time  time.Time
	Job   string
	Item  string // Item.Key; "" for the job as a whole
	Step  string // "connect", "list", "open", "put", "settle", "done", "error"
	N     int    // items so far
	Total int    // items known to wait; 0 when unknown
	Err   error  // with "error"
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

func (s *Summary) count(d Decision, size int64) {
	switch d {
	case Delivered:
		s.Delivered++
		s.Bytes += size
	case Refused:
		s.Refused++
	case Held:
		s.Held++
	case Quarantined:
		s.Quarantined++
	}
}

// Run makes one pass: it settles what an earlier run left, takes what is new, and
// returns when nothing more waits or a limit is reached. The Summary counts what was
// done also when err is not nil.
//
// Nothing at the source is changed before the documents of the item are safe in the
// sink and that is in the ledger. A run that ends early, by an error, by ctx or by a
// crash, leaves a state from which the next run comes to the same end.
//
// Errors: class config when the job is not wired soundly (nothing was done), busy when
// another run holds the job, auth and source from the launcher, sink when the sink takes
// nothing now or the scratch directory is full, canceled when ctx ended. Failures that
// concern one item are no errors of Run: they are told by OnEvent, counted against the
// item, and after three runs the item is quarantined.
func (j *Job) Run(ctx context.Context) (Summary, error) {
	sel, err := j.check()
	if err != nil {
		return Summary{}, err
	}
	if j.Sink == nil || j.Ledger == nil {
		return Summary{}, j.wrong("Sink and Ledger must be set")
	}
	r := newRun(j, sel)
	err = r.run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = &vaguemestre.Error{Op: "cold: run " + j.Name, Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
		}
		r.event(Event{Step: "error", Err: err})
		return r.summary, err
	}
	r.event(Event{Step: "done", N: r.summary.Items})
	return r.summary, nil
}

// DryRun shows what Run would do with everything that waits: one Decided per document,
// wanted ones as [Accepted]. It opens the source read-only, writes nothing to the
// ledger (which may be nil: then all counts as new), takes no lock and calls no sink.
// OnDecision is called as well, and Limits hold.
//
// Keys of documents are made by a Run, so those of the answer are empty, and an item that
// a Run would know again after its source was reset is shown as new.
func (j *Job) DryRun(ctx context.Context) ([]Decided, error) {
	sel, err := j.check()
	if err != nil {
		return nil, err
	}
	r := newRun(j, sel)
	r.dry = true
	err = r.run(ctx)
	if err != nil && ctx.Err() != nil {
		err = &vaguemestre.Error{Op: "cold: dry run " + j.Name, Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
	}
	return r.trace, err
}

// Check proves that the job is wired soundly, as Run does first. It does no I/O.
func (j *Job) Check() error {
	_, err := j.check()
	return err
}

func (j *Job) wrong(format string, a ...any) error {
	return &vaguemestre.Error{Op: "cold: job " + j.Name, Class: vaguemestre.ClassConfig, Err: fmt.Errorf(format, a...)}
}

func (j *Job) check() (*selector, error) {
	if j.Name == "" {
		return nil, j.wrong("Name must be set: it names the job in the ledger")
	}
	if j.Launcher == nil {
		return nil, j.wrong("Launcher must be set")
	}
	for _, v := range []any{j.Launcher, j.Sink} {
		if v == nil || reflect.ValueOf(v).Kind() != reflect.Pointer {
			continue
		}
		if issues := settings.Validate(v); len(issues) > 0 {
			return nil, j.wrong("%w", issues)
		}
	}
	for _, a := range []After{j.after(), j.afterRefused()} {
		if (a.Do == DoTag || a.Do == DoMove) && a.Target == "" {
			return nil, j.wrong("after-action %s needs a target", a.Do)
		}
		if err := j.Launcher.Supports(a); err != nil {
			return nil, j.wrong("%w", err)
		}
	}
	switch j.Take.Nested {
	case "", NestedExpand, NestedKeep, NestedBoth, NestedNone:
	default:
		return nil, j.wrong("Take.Nested is %q: use expand, keep, both or none", j.Take.Nested)
	}
	for _, c := range j.Take.Containers {
		if !slices.Contains(AllContainers(), c) {
			return nil, j.wrong("Take.Containers has %q: use zip, tar, gzip, tnef or p7m", c)
		}
	}
	switch j.Take.Bodies {
	case "", BodiesNone, BodiesText, BodiesHTML, BodiesAll:
	default:
		return nil, j.wrong("Take.Bodies is %q: use none, text, html or all", j.Take.Bodies)
	}
	if err := j.Filters.check(); err != nil {
		return nil, j.wrong("%w", err)
	}
	sel, err := j.Select.compile()
	if err != nil {
		return nil, j.wrong("%w", err)
	}
	return sel, nil
}

func (j *Job) after() After        { return orLeave(j.After) }
func (j *Job) afterRefused() After { return orLeave(j.AfterRefused) }

func orLeave(a After) After {
	if a.Do == "" {
		return Leave()
	}
	return a
}

func (j *Job) take() Take {
	t := j.Take
	if !t.Attachments && !t.Inline && !t.EML && t.Nested == "" && t.Bodies == "" {
		t = DefaultTake
		if len(j.Take.Containers) > 0 {
			t.Containers = j.Take.Containers
		}
	}
	t.Containers = slices.Compact(slices.Sorted(slices.Values(t.Containers))) // one fingerprint for one set
	if t.Nested == "" {
		t.Nested = NestedExpand
	}
	if t.Bodies == "" {
		t.Bodies = BodiesNone
	}
	return t
}

func (j *Job) now() time.Time {
	if j.Now != nil {
		return j.Now()
	}
	return time.Now()
}

// rules is the fingerprint of everything that decides about an item, the same in every
// process.
func (j *Job) rules() string {
	texts := func(l []Filter) []string {
		var s []string
		for _, f := range l {
			s = append(s, f.String())
		}
		return s
	}
	var decoders []string
	for _, d := range j.Decoders {
		set, _ := json.Marshal(d) // what cannot be written down is not compared
		decoders = append(decoders, fmt.Sprintf("%T %s", d, set))
	}
	lim := j.Limits.withDefaults()
	b, err := json.Marshal([]any{j.Select, j.take(), texts(j.Filters.Include), texts(j.Filters.Exclude), j.Filters.MediaTypes,
		j.Filters.MinSize, j.Filters.MaxSize, decoders, lim.ItemSize, lim.Depth, lim.Parts, lim.Header})
	if err != nil {
		return ""
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}
