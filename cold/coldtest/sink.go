package coldtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
)

// SinkHarness gives [TestSink] a sink that is empty at first. What must be closed is the
// harness's, by t.Cleanup.
type SinkHarness struct {
	// Sink returns the sink under test. Calls may give several values on the same place.
	Sink func() cold.Sink

	// Stored returns what a user of the sink sees now, in any order. It is also called
	// while Put runs, from another place of the same goroutine.
	Stored func() ([]StoredFile, error)

	// Reopen makes what a restart of the process does, after which Sink gives the sink
	// anew. nil says that the sink does not outlive its process.
	Reopen func()

	// Concurrent says that the sink's documentation allows concurrent calls of Put.
	Concurrent bool
}

// StoredFile is one document as the user of a sink sees it.
type StoredFile struct {
	Name  string
	Group string // the same for the documents of one group, "" for one alone
	Data  []byte
}

// TestSink proves that a sink keeps the contract of [cold.Sink] and of the documents it
// is given. newHarness is called for every case; each case logs the sentence it checks.
func TestSink(t *testing.T, newHarness func(t *testing.T) SinkHarness) {
	for _, c := range sinkCases {
		t.Run(c.name, func(t *testing.T) {
			t.Logf("contract: %q", c.quote)
			h := newHarness(t)
			switch {
			case h.Sink == nil || h.Stored == nil:
				t.Fatal("coldtest: the harness has no Sink or no Stored")
			case c.reopen && h.Reopen == nil:
				t.Skip("the sink does not outlive its process")
			case c.concurrent && !h.Concurrent:
				t.Skip("the sink does not claim to be safe for concurrent use")
			}
			c.run(&sinkTest{T: t, h: h})
		})
	}
}

type sinkCase struct {
	name, quote        string
	run                func(*sinkTest)
	reopen, concurrent bool // what the case needs of the harness
}

var sinkCases = []sinkCase{
	{name: "bytes", quote: "Document is one file to hand over, exactly as its sender encoded it.", run: sinkBytes},
	{name: "no documents", quote: "With a nil error there is one Stored per document, in order", run: sinkNone},
	{name: "answers in order", quote: "With a nil error there is one Stored per document, in order", run: sinkOrder},
	{name: "many", quote: "every document that is not skipped is safe", run: sinkMany},
	{name: "repeat", quote: "Put must be safe to repeat", run: sinkRepeat},
	{name: "repeat after a restart", quote: "after a crash or an error the same documents come again under the same keys.", run: sinkReopen, reopen: true},
	{name: "repeat after an error", quote: "after a crash or an error the same documents come again under the same keys.", run: sinkRepeatAfterError},
	{name: "repeat in part", quote: "a sink that honours Key stores it once.", run: sinkRepeatPart},
	{name: "group", quote: "Group is shared by documents that belong together", run: sinkGroup},
	{name: "group appears together", quote: "become visible together or not at all.", run: sinkGroupTogether},
	{name: "group or nothing", quote: "become visible together or not at all.", run: sinkGroupNothing},
	{name: "same name", quote: "Key names this document for ever", run: sinkSameName},
	{name: "same content", quote: "Key names this document for ever", run: sinkSameContent},
	{name: "hostile names", quote: "never a path, possibly hostile.", run: sinkHostileNames},
	{name: "empty document", quote: "Put stores documents for good.", run: sinkEmpty},
	{name: "large document", quote: "Put stores documents for good.", run: sinkLarge},
	{name: "open fails", quote: "every document that is not skipped is safe", run: sinkOpenFails},
	{name: "read fails", quote: "every document that is not skipped is safe", run: sinkReadFails},
	{name: "never half", quote: "become visible together or not at all.", run: sinkNeverHalf},
	{name: "closes", quote: "the caller closes.", run: sinkCloses},
	{name: "done on return", quote: "A Document and what Open returned are valid until the call that got it returns.", run: sinkDoneOnReturn},
	{name: "documents unchanged", quote: "the same documents come again under the same keys.", run: sinkUnchanged},
	{name: "context ended", quote: "Put honours ctx: when it ends, Put returns within a second.", run: sinkContextEnded},
	{name: "context ends", quote: "Put honours ctx: when it ends, Put returns within a second.", run: sinkContextEnds},
	{name: "concurrent", quote: "a sink that honours Key stores it once.", run: sinkConcurrent, concurrent: true},
}

// sinkTest is one case with its harness and a few words of its own.
type sinkTest struct {
	*testing.T
	h    SinkHarness
	open atomic.Int64 // contents that are open
}

// doc is a document of that content.
func (t *sinkTest) doc(key, name, content string) *cold.Document {
	sum := sha256.Sum256([]byte(content))
	return &cold.Document{Key: longKey(key), Name: name, MediaType: "application/octet-stream", Size: int64(len(content)),
		SHA256: hex.EncodeToString(sum[:]), Path: []string{"imap://a@example.test/INBOX;UIDVALIDITY=1/;UID=7", name},
		Fields: map[string]string{"subject": "Été"}, Repairs: []string{"base64: 3 stray characters dropped"}, Reason: "included by *",
		Open: func() (io.ReadSeekCloser, error) {
			t.open.Add(1)
			return &sinkContent{Reader: bytes.NewReader([]byte(content)), t: t}, nil
		}}
}

// longKey is as long as a real one.
func longKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// sinkContent is the content of a document. at is called once, when half is read, and
// may end the reading with an error.
type sinkContent struct {
	*bytes.Reader
	t    *sinkTest
	at   func() error
	once sync.Once
}

func (c *sinkContent) Read(p []byte) (int, error) {
	if half := int(c.Size() / 2); c.at != nil && len(p) > 0 {
		if read := int(c.Size()) - c.Len(); read < half {
			p = p[:min(len(p), half-read)]
		} else {
			var err error
			c.once.Do(func() { err = c.at() })
			if err != nil {
				return 0, err
			}
		}
	}
	return c.Reader.Read(p)
}

// WriteTo would let a copy pass Read by.
func (c *sinkContent) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{c}) }

func (c *sinkContent) Close() error {
	c.t.open.Add(-1)
	return nil
}

// halfway makes d call at when half of it is read.
func (t *sinkTest) halfway(d *cold.Document, at func() error) *cold.Document {
	open := d.Open
	d.Open = func() (io.ReadSeekCloser, error) {
		r, err := open()
		if err == nil {
			r.(*sinkContent).at = at
		}
		return r, err
	}
	return d
}

func (t *sinkTest) group(name string, docs ...*cold.Document) []*cold.Document {
	for _, d := range docs {
		d.Group = name
	}
	return docs
}

// put stores documents; the case fails if it cannot, or if one is skipped.
func (t *sinkTest) put(docs ...*cold.Document) []cold.Stored {
	t.Helper()
	got, err := t.h.Sink().Put(t.Context(), docs)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	if len(got) != len(docs) {
		t.Fatalf("Put gave %d answers for %d documents", len(got), len(docs))
	}
	for i, s := range got {
		if s.Skip != "" {
			t.Fatalf("document %d was skipped: %s", i, s.Skip)
		}
	}
	return got
}

func (t *sinkTest) stored() []StoredFile {
	t.Helper()
	got, err := t.h.Stored()
	if err != nil {
		t.Fatalf("coldtest: the harness's Stored: %v", err)
	}
	return got
}

// want compares what is seen with contents, whatever the order.
func (t *sinkTest) want(contents ...string) {
	t.Helper()
	left := map[string]int{}
	for _, c := range contents {
		left[c]++
	}
	for _, s := range t.stored() {
		if left[string(s.Data)]--; left[string(s.Data)] < 0 {
			t.Errorf("%q is stored once too often, or is no document: %d bytes, %.40q", s.Name, len(s.Data), s.Data)
		}
	}
	for c, n := range left {
		if n > 0 {
			t.Errorf("%d documents of %d bytes are missing: %.40q", n, len(c), c)
		}
	}
}

// awkwardContents are what a careless sink damages.
func awkwardContents() []string {
	var every strings.Builder
	for i := range 256 {
		every.WriteByte(byte(i))
	}
	return []string{every.String(), "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<a>d\xe9lib\xe9r\xe9</a>", "un\r\n.\r\ndeux\n..\rtrois\n\n",
		"\xef\xbb\xbfavec marque", "sans fin de ligne", "\x00", " espaces \t", "x"}
}
