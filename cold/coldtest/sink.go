package coldtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	{name: "context ended", quote: "With an error any of them may be stored.", run: sinkContextEnded},
	{name: "context ends", quote: "With an error any of them may be stored.", run: sinkContextEnds},
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

func sinkBytes(t *sinkTest) {
	var docs []*cold.Document
	for i, c := range awkwardContents() {
		docs = append(docs, t.doc(fmt.Sprint(i), fmt.Sprintf("document %d.bin", i), c))
	}
	t.put(docs...)
	t.want(awkwardContents()...)
}

func sinkNone(t *sinkTest) {
	for _, docs := range [][]*cold.Document{nil, {}} {
		if got, err := t.h.Sink().Put(t.Context(), docs); err != nil || len(got) != 0 {
			t.Errorf("Put of nothing: %v, %v", got, err)
		}
	}
	t.want()
}

func sinkOrder(t *sinkTest) {
	docs := []*cold.Document{t.doc("1", "c.pdf", "1"), t.doc("2", "a.pdf", "2"), t.doc("3", "b.pdf", "3")}
	first := t.put(docs...)
	second := t.put(docs[2], docs[0], docs[1])
	for i, j := range []int{2, 0, 1} {
		if second[i].Ref != first[j].Ref {
			t.Errorf("%s is at %q, and at %q when it comes again in another order", docs[j].Name, first[j].Ref, second[i].Ref)
		}
	}
}

func sinkMany(t *sinkTest) {
	var docs []*cold.Document
	var want []string
	for i := range 600 {
		c := fmt.Sprintf("content %d", i)
		docs, want = append(docs, t.doc(c, fmt.Sprintf("facture %d.pdf", i%100), c)), append(want, c)
	}
	t.put(docs...)
	t.want(want...)
}

func sinkRepeat(t *sinkTest) {
	docs := append(t.group("g", t.doc("3", "a.xml", "3"), t.doc("4", "b.xml", "4")), t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "2"))
	first := t.put(docs...)
	for range 2 {
		if again := t.put(docs...); !reflect.DeepEqual(again, first) {
			t.Errorf("answers of the repetition: %v, want %v", again, first)
		}
		t.want("1", "2", "3", "4")
	}
}

func sinkReopen(t *sinkTest) {
	docs := append(t.group("g", t.doc("3", "a.xml", "3"), t.doc("4", "b.xml", "4")), t.doc("1", "a.pdf", "1"))
	first := t.put(docs...)
	t.h.Reopen()
	t.want("1", "3", "4")
	if again := t.put(docs...); !reflect.DeepEqual(again, first) {
		t.Errorf("answers after a restart: %v, want %v", again, first)
	}
	t.want("1", "3", "4")
}

func (t *sinkTest) failing(key, name, content string) *cold.Document {
	return t.halfway(t.doc(key, name, content), func() error { return errors.New("coldtest: the content ends here") })
}

func sinkRepeatAfterError(t *sinkTest) {
	bad := t.failing("2", "b.pdf", "second document")
	if _, err := t.h.Sink().Put(t.Context(), []*cold.Document{t.doc("1", "a.pdf", "1"), bad, t.doc("3", "c.pdf", "3")}); err == nil {
		t.Fatal("no error for a document that cannot be read")
	}
	t.put(t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "second document"), t.doc("3", "c.pdf", "3"))
	t.want("1", "second document", "3")
}

func sinkRepeatPart(t *sinkTest) {
	t.put(t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "2"))
	t.put(t.doc("2", "b.pdf", "2"), t.doc("3", "c.pdf", "3"))
	t.want("1", "2", "3")
}

func sinkGroup(t *sinkTest) {
	docs := append(t.group("dépôt 1", t.doc("1", "a.xml", "g1 a"), t.doc("2", "b.xml", "g1 b")), t.doc("5", "a.xml", "alone"))
	docs = append(docs, t.group("dépôt 2", t.doc("3", "a.xml", "g2 a"), t.doc("4", "b.xml", "g2 b"))...)
	t.put(docs...)
	t.want("g1 a", "g1 b", "g2 a", "g2 b", "alone")
	groups := map[string]string{}
	for _, s := range t.stored() {
		groups[string(s.Data)] = s.Group
	}
	if groups["g1 a"] == "" || groups["g1 a"] != groups["g1 b"] || groups["g2 a"] != groups["g2 b"] || groups["g1 a"] == groups["g2 a"] || groups["alone"] != "" {
		t.Errorf("documents by group: %q", groups)
	}
}

func sinkGroupTogether(t *sinkTest) {
	a := t.doc("1", "a.xml", "first of the group")
	b := t.halfway(t.doc("2", "b.xml", "second of the group"), func() error {
		t.want()
		return nil
	})
	t.put(t.group("g", a, b)...)
	t.want("first of the group", "second of the group")
}

func sinkGroupNothing(t *sinkTest) {
	g := t.group("g", t.doc("1", "a.xml", "first of the group"), t.failing("2", "b.xml", "second of the group"), t.doc("3", "c.xml", "third of the group"))
	if _, err := t.h.Sink().Put(t.Context(), g); err == nil {
		t.Error("no error for a document that cannot be read")
	}
	t.want()
	t.put(t.group("g", t.doc("1", "a.xml", "first of the group"), t.doc("2", "b.xml", "second of the group"), t.doc("3", "c.xml", "third of the group"))...)
	t.want("first of the group", "second of the group", "third of the group")
}

func sinkSameName(t *sinkTest) {
	t.put(t.doc("1", "facture.pdf", "1"), t.doc("2", "facture.pdf", "2"), t.doc("3", "FACTURE.pdf", "3"))
	t.put(t.doc("4", "facture.pdf", "4"))
	t.put(t.group("g", t.doc("5", "facture.pdf", "5"), t.doc("6", "facture.pdf", "6"), t.doc("7", "Facture.PDF", "7"))...)
	t.want("1", "2", "3", "4", "5", "6", "7")
}

func sinkSameContent(t *sinkTest) {
	t.put(t.doc("1", "a.pdf", "same"), t.doc("2", "a.pdf", "same"), t.doc("3", "b.pdf", "same"))
	t.put(t.doc("4", "a.pdf", "same"))
	t.want("same", "same", "same", "same")
}

func sinkHostileNames(t *sinkTest) {
	names := []string{"../../etc/passwd", `..\..\boot.ini`, "/etc/passwd", `C:\a.pdf`, "a\x00.pdf", ".", "..", "/", " ", "CON", "nul.txt", "a.txt:flux", "a.",
		"facture\u202efdp.exe", "\u200b", strings.Repeat("é", 300) + ".pdf", strings.Repeat("a/", 300), "\xff\xfe", "a\r\nb.pdf", "-rf", ".hidden", "%00", "$(x)", "a\tb"}
	var docs []*cold.Document
	for i, n := range names {
		docs = append(docs, t.doc(fmt.Sprint("h", i), n, fmt.Sprint("content ", i)))
	}
	got, err := t.h.Sink().Put(t.Context(), docs)
	if err != nil || len(got) != len(docs) {
		t.Fatalf("Put: %d answers, %v", len(got), err)
	}
	var want []string
	for i, s := range got {
		if s.Skip == "" { // a sink may say that it will not
			want = append(want, fmt.Sprint("content ", i))
		}
	}
	t.want(want...)
}

func sinkEmpty(t *sinkTest) {
	t.put(t.doc("1", "vide.txt", ""), t.doc("2", "vide.txt", ""))
	t.want("", "")
}

func sinkLarge(t *sinkTest) {
	c := strings.Repeat("0123456789abcde\n", 5<<16) // 5 MiB
	t.put(t.doc("1", "grand.bin", c), t.doc("2", "petit.bin", "x"))
	t.want(c, "x")
}

func sinkOpenFails(t *sinkTest) {
	d := t.doc("1", "a.pdf", "1")
	d.Open = func() (io.ReadSeekCloser, error) { return nil, errors.New("coldtest: cannot be opened") }
	if _, err := t.h.Sink().Put(t.Context(), []*cold.Document{d}); err == nil {
		t.Error("no error")
	}
	t.want()
}

func sinkReadFails(t *sinkTest) {
	if _, err := t.h.Sink().Put(t.Context(), []*cold.Document{t.failing("1", "a.pdf", strings.Repeat("long ", 100_000))}); err == nil {
		t.Error("no error")
	}
	t.want()
}

func sinkNeverHalf(t *sinkTest) {
	c := strings.Repeat("long ", 100_000)
	t.put(t.halfway(t.doc("1", "a.pdf", c), func() error {
		t.want()
		return nil
	}))
	t.want(c)
}

func sinkCloses(t *sinkTest) {
	t.put(t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "2"))
	_, _ = t.h.Sink().Put(t.Context(), []*cold.Document{t.doc("3", "c.pdf", "3"), t.failing("4", "d.pdf", "4 and more")})
	if n := t.open.Load(); n != 0 {
		t.Errorf("%d contents are still open", n)
	}
}

func sinkDoneOnReturn(t *sinkTest) {
	var returned, late atomic.Bool
	buf := []byte("what was handed over")
	d := t.doc("1", "a.pdf", string(buf))
	d.Open = func() (io.ReadSeekCloser, error) {
		if returned.Load() {
			late.Store(true)
		}
		t.open.Add(1)
		return &sinkContent{Reader: bytes.NewReader(buf), t: t}, nil
	}
	t.put(d)
	returned.Store(true)
	clear(buf)
	t.want("what was handed over")
	if late.Load() {
		t.Error("Open was called after Put had returned")
	}
}

func sinkUnchanged(t *sinkTest) {
	d := t.group("g", t.doc("1", "../a.pdf", "1"))[0]
	before := *t.group("g", t.doc("1", "../a.pdf", "1"))[0]
	t.put(d)
	after := *d
	before.Open, after.Open = nil, nil
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the document was changed:\n from %+v\n to %+v", before, after)
	}
}

func sinkContextEnded(t *sinkTest) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	docs := t.group("g", t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "2"))
	if _, err := t.h.Sink().Put(ctx, docs); err == nil {
		t.want("1", "2") // it may be quicker than it asks, but then all is there
	} else if n := len(t.stored()); n != 0 && n != 2 {
		t.Errorf("%d of 2 documents of a group are seen", n)
	}
	t.put(docs...)
	t.want("1", "2")
}

func sinkContextEnds(t *sinkTest) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended atomic.Int64
	d := t.doc("1", "a.pdf", "")
	d.Size, d.SHA256 = 1<<40, strings.Repeat("0", 64)
	d.Open = func() (io.ReadSeekCloser, error) {
		return &endless{cancel: func() { ended.CompareAndSwap(0, time.Now().UnixNano()); cancel() }}, nil
	}
	if _, err := t.h.Sink().Put(ctx, []*cold.Document{d}); err == nil {
		t.Error("no error, though the content has no end")
	}
	if took := time.Since(time.Unix(0, ended.Load())); took > 2*time.Second {
		t.Errorf("Put returned %v after its context ended", took)
	}
	t.want()
}

// endless is a slow content that ends the context as soon as it is read, and stops
// only after four seconds.
type endless struct {
	cancel func()
	start  time.Time
}

func (e *endless) Read(p []byte) (int, error) {
	if e.start.IsZero() {
		e.start = time.Now()
	}
	e.cancel()
	if time.Since(e.start) > 4*time.Second {
		return 0, errors.New("coldtest: nobody stopped reading")
	}
	time.Sleep(10 * time.Millisecond)
	return copy(p, "x"), nil
}

func (e *endless) Seek(int64, int) (int64, error) { return 0, nil }
func (e *endless) Close() error                   { return nil }

func sinkConcurrent(t *sinkTest) {
	var wg sync.WaitGroup
	var want []string
	for i := range 4 {
		for j := range 4 {
			want = append(want, fmt.Sprintf("own %d %d", i, j))
		}
		want = append(want, fmt.Sprintf("common %d", i))
	}
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := t.h.Sink()
			for j := range 4 {
				own, common := fmt.Sprintf("own %d %d", i, j), fmt.Sprintf("common %d", j)
				if _, err := s.Put(t.Context(), []*cold.Document{t.doc(own, "a.pdf", own), t.doc(common, "b.pdf", common)}); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
		}()
	}
	wg.Wait()
	t.want(want...)
}
