package coldtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
)

// The cases of a sink to which something happens: a document that cannot be read, a
// context that ends, several callers.

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
