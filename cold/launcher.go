package cold

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"time"
)

// Launcher looks into one source (a mail folder, a directory) and brings what
// waits there. It knows the protocol and nothing else: which items are wanted, in
// what order things happen and what was done before is the business of the [Job].
//
// A Launcher is a plain struct of settings; its methods are safe for concurrent
// use. It may also be a [vaguemestre.Checker] and a [vaguemestre.Endpointer].
type Launcher interface {
	// Connect opens the source. ctx bounds Connect alone; o may be nil.
	//
	// Credentials that are refused give class auth, a folder that does not exist class
	// config, and everything that may pass by itself class source.
	Connect(ctx context.Context, o *ConnectOptions) (Session, error)

	// Supports tells whether the launcher can do a at all: nil, or an error of class
	// config that says what it can do. It is asked when wiring and does no I/O.
	Supports(a After) error
}

// ConnectOptions are the options of [Launcher].Connect.
type ConnectOptions struct {
	// ReadOnly promises that nothing at the source is changed, not even by accident
	// (IMAP: EXAMINE). Settle of such a session fails.
	ReadOnly bool

	Logger *slog.Logger // nil discards
}

// Session is an open source. One goroutine owns it.
//
// Every method honours ctx during I/O: when ctx ends the call returns within a
// second, the connection is dropped and later calls fail.
type Session interface {
	// List returns one page of what waits, with no content. cursor is "" at the start
	// of a run or what an earlier page gave; a cursor that the source no longer knows
	// is taken for "". Listing is repeatable: it changes nothing at the source.
	List(ctx context.Context, cursor string) (Page, error)

	// Open brings the content of items, in any order, and calls got for each from its
	// own goroutine, never with two contents for one item. got must read Content before
	// it returns (it may read less: the rest is discarded). An error of got ends Open,
	// which then returns that error. The launcher splits, streams and pipelines as the
	// protocol likes: opening many items costs few round trips.
	//
	// What was given counts only once the source confirmed it: when got is called again
	// for the item with a nil Content, or when Open returns nil (IMAP: the command that
	// carried it ended OK). A launcher that opens many items confirms as early as it can.
	//
	// An item that is gone, or that the source does not show now, gets no call: it is
	// unknown, neither done nor lost. An item that the launcher cannot bring while
	// others come gets a call with Content.Err. Items may come from an earlier session,
	// read back from the ledger. got is not called after Open returned. Open returns nil
	// when it got through all items, and an error of class source when the source failed
	// as a whole.
	Open(ctx context.Context, items []Item, got func(Item, *Content) error) error

	// Settle does the after-action on items and returns one receipt per item, in the
	// order of items. It is idempotent: what is already so gives [SettleDone], what is no
	// longer there [SettleGone]. An error means that the receipts that are missing are
	// unknown. Items may come from an earlier session, read back from the ledger.
	Settle(ctx context.Context, items []Item, do After) ([]Receipt, error)

	// Close leaves the source; it never removes anything from it.
	io.Closer
}

// Quarantiner is an optional ability of a [Session]: the source has a place for items that
// were given up (a directory for errors).
type Quarantiner interface {
	// Quarantine takes items out of the listing to that place, whole and unchanged. The Job
	// calls it for items that its ledger has as [StateQuarantined], and again in later runs
	// for those that List still shows. It is idempotent, and returns receipts as
	// [Session].Settle does.
	Quarantine(ctx context.Context, items []Item) ([]Receipt, error)
}

// Page is one page of a listing.
type Page struct {
	Items []Item

	// Cursor goes into the next List. It is saved only after all Items are in the
	// ledger, and it is a hint: the ledger is the truth. "" means that the next run
	// lists from the start. After other rules of the job it is not used.
	Cursor string
	More   bool // another page waits now; Cursor is then another than before
}

// Item is one thing at the source: a mail, a file. It is plain data and is kept in
// the ledger, so Settle must work on an Item of an earlier session.
type Item struct {
	// Key is unique for this content within the job for ever, and says where the item
	// is (IMAP: an RFC 5092 URL with UIDVALIDITY and UID).
	Key string `json:"key"`

	// Epoch is the part of the source's naming that may be reset (IMAP: the URL with
	// UIDVALIDITY). An item of a new epoch is compared with those of older ones by
	// content, so that nothing is handed over twice after a reset or a migration; two
	// items of one epoch are never taken for the same.
	Epoch string `json:"epoch"`

	Size int64     `json:"size"` // bytes as the source tells them; -1 when it does not
	Time time.Time `json:"time"` // when the source got it; zero when unknown
	Seen bool      `json:"seen"` // the source marks it as read

	// MessageID is the mail's, with its angle brackets, as the Job read it. It is given to
	// Settle only when an earlier after-action on the item may have been interrupted, for
	// launchers that must find it again in another folder. "" when unknown.
	MessageID string `json:"message_id,omitempty"`
}

// Content is what an item holds: exactly one of Body, Files and Err is set.
type Content struct {
	Name      string    // file name, or its path with slashes where the source has directories; "" for a mail
	MediaType string    // "message/rfc822" for a mail; "" when unknown
	Size      int64     // bytes that Body must give; -1 when unknown. A Body that gives another number is refused, and the others go on.
	Body      io.Reader // valid until got returns; io.EOF after Size bytes, io.ErrUnexpectedEOF when the source broke off
	Files     fs.FS     // a deposit directory: all its files belong together; valid until got returns
	Err       error     // this item cannot be brought; class poison blames the item, class source does not
}

// Verb is what an after-action does.
type Verb string

const (
	DoLeave  Verb = "leave"  // nothing; the ledger remembers
	DoSeen   Verb = "seen"   // mark as read
	DoTag    Verb = "tag"    // add the keyword or category Target
	DoMove   Verb = "move"   // move to the folder Target, created if missing
	DoDelete Verb = "delete" // remove for good
)

// After is what happens to an item at its source once its documents are safe.
// The zero value leaves it where it is.
type After struct {
	Do     Verb   `json:"do"`
	Target string `json:"target,omitempty"`
}

// Leave does nothing at the source; the ledger remembers what was taken.
func Leave() After { return After{Do: DoLeave} }

// MarkSeen marks the item as read.
func MarkSeen() After { return After{Do: DoSeen} }

// Tag adds a keyword (IMAP) or category (Microsoft 365) to the item.
func Tag(name string) After { return After{Do: DoTag, Target: name} }

// MoveTo moves the item to a folder, which is created if it does not exist.
func MoveTo(folder string) After { return After{Do: DoMove, Target: folder} }

// Delete removes the item for good.
func Delete() After { return After{Do: DoDelete} }

// Outcome is what became of an after-action.
type Outcome string

const (
	SettleDone    Outcome = "done"    // it is so now, whoever did it
	SettleGone    Outcome = "gone"    // the item is no longer there
	SettleUnknown Outcome = "unknown" // nobody knows; it is tried again in the next run
	SettleFailed  Outcome = "failed"  // refused; Err says why; it is tried again in the next run
)

// Receipt is the source's answer to an after-action on one item.
type Receipt struct {
	Outcome Outcome
	Ref     string // where it is now, in the source's words (IMAP: "Traités;UIDVALIDITY=3;UID=7"); may be ""
	Err     error  // on failed and unknown
}
