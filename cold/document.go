package cold

import (
	"context"
	"io"
)

// Document is one file to hand over, exactly as its sender encoded it.
//
// A Document and what Open returned are valid until the call that got it returns.
type Document struct {
	// Key names this document for ever: SHA-256 in hex over the ledger, the item's key,
	// the kinds of the containers it came out of, its content and its ordinal among
	// identical ones. The same document comes again under the same key after a crash,
	// so a sink that honours Key stores it once.
	Key string

	// Name is the sender's file name, decoded and otherwise untouched: never a path,
	// possibly hostile. It is never empty; a part without a name gets one.
	Name      string
	MediaType string // lower case, without parameters
	Size      int64  // bytes
	SHA256    string // hex, of the content

	// Path tells where the document came from, outermost first: the item's key, then a
	// step per container ("message/rfc822:Devis.eml"), the document's own name last.
	Path []string

	// Group is shared by documents that belong together, "" for one alone. Once the filters
	// accept one of them, all are handed over. What a
	// decoder gave as Group comes with a suffix, for two items may use one name.
	Group string

	// Fields are metadata: of a mail "message_id", "from", "to", "cc", "subject", "date"
	// (RFC 3339), and what decoders add.
	Fields map[string]string

	// Repairs tell what had to be mended to read the document ("base64: 3 stray
	// characters dropped"). Empty for a sound one.
	Repairs []string

	// Reason says why it was accepted, in words for a log: the filter that took it.
	Reason string

	// Open gives the content from its beginning. It may be called any number of times
	// while the Document is valid; the caller closes.
	Open func() (io.ReadSeekCloser, error)
}

// Sink takes documents over. Its doc comment states its guarantee.
type Sink interface {
	// Put stores documents for good. Those of one Group come in one call and become
	// visible together or not at all. Put must be safe to repeat: after a crash or an
	// error the same documents come again under the same keys.
	//
	// With a nil error there is one Stored per document, in order, and every document
	// that is not skipped is safe: it survives a power cut. With an error any of them
	// may be stored. An error of class poison blames the documents: the job then tries
	// them group by group, delivers the others and gives up the guilty one after three
	// runs. Every other error means that the sink takes nothing now: the run stops and
	// blames no document. Put honours ctx: when it ends, Put returns within a second.
	Put(ctx context.Context, docs []*Document) ([]Stored, error)
}

// Stored is a sink's answer for one document.
type Stored struct {
	Ref string // where it is now, in the sink's words: a path, an id; may be ""

	// Skip, when not empty, says why the sink will not take this document. It is then
	// held: its item stays at the source.
	Skip string
}

// SinkFunc makes a sink of a function that stores one document at a time.
//
// Guarantee: at least once. After a crash a document may come again under the same
// Key; a function that keeps Key under a unique index makes it once in effect.
// Documents of one group are stored one after the other.
func SinkFunc(f func(ctx context.Context, d *Document) error) Sink { return sinkFunc(f) }

type sinkFunc func(context.Context, *Document) error

func (f sinkFunc) Put(ctx context.Context, docs []*Document) ([]Stored, error) {
	out := make([]Stored, len(docs))
	for _, d := range docs {
		if err := f(ctx, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Decoder takes one document apart into those it contains: an archive, an envelope.
type Decoder interface {
	// Decode calls out for every document found in d, with Name, MediaType, Size, Group,
	// Fields and Open set; the Job fills the rest. It returns [ErrNotMine] if d is not
	// of its kind, and then out has not been called; an error of class sink means that there
	// is no room to work in, and stops the run; any other error means that d is
	// damaged: what came out before is kept, and d itself is delivered with the reason. A d
	// that gave nothing stays a document.
	// What out receives must stay readable until Decode returns. An error of out ends the
	// work: Decode returns it. Documents of a document that has a Group belong to that one.
	Decode(ctx context.Context, d *Document, out func(*Document) error) error
}

// GroupDecoder is an optional ability of a [Decoder]: it reads the files of a directory
// together.
type GroupDecoder interface {
	Decoder

	// DecodeGroup gets all documents of a directory, before Decode gets each. It may set
	// their Fields, and nothing else of them; they are handed over in any case. It calls out
	// for what it found beside them, which joins the group and comes before docs in it. [ErrNotMine] and other errors are
	// as in Decode; after another error all of docs are delivered with the reason, no Decoder
	// is asked about them, and their Fields are as before.
	DecodeGroup(ctx context.Context, docs []*Document, out func(*Document) error) error
}
