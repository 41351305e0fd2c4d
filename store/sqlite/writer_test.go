package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// Writes that come while another commit runs share the next one; one that fails among
// them is undone alone.
func TestWritesShareACommit(t *testing.T) {
	t.Parallel()
	st := mustOpen(t, filepath.Join(t.TempDir(), "state.db"), nil)
	const runs = 6
	leases := make([]cold.Lease, runs)
	for i := range leases {
		l, err := st.Ledger().Lock(t.Context(), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		leases[i] = l
	}
	<-st.w.turn // as if a commit were running
	var wg sync.WaitGroup
	errs := make([]error, runs+1)
	for i, l := range leases {
		wg.Go(func() { errs[i] = l.Record(t.Context(), cohort(3)) })
	}
	boom := errors.New("boom")
	wg.Go(func() {
		errs[runs] = st.w.do(t.Context(), "", func(w *writer) error {
			if _, err := w.conn.ExecContext(context.Background(), `UPDATE job SET cursor = 'half'`); err != nil {
				return err
			}
			return boom
		})
	})
	queued := func() int {
		st.w.mu.Lock()
		defer st.w.mu.Unlock()
		return len(st.w.wait)
	}
	for queued() < runs+1 {
		time.Sleep(time.Millisecond)
	}
	st.w.turn <- struct{}{}
	wg.Wait()
	for i, err := range errs[:runs] {
		if err != nil {
			t.Errorf("run %d: %v", i, err)
		}
		if e, err := st.Ledger().Explain(t.Context(), fmt.Sprint(i), cohort(1)[0].Item.Key); e == nil || err != nil {
			t.Errorf("run %d is not recorded: %v", i, err)
		}
		if c, _ := leases[i].Cursor(t.Context()); c != "" {
			t.Errorf("what failed was kept: cursor %q", c)
		}
	}
	if !errors.Is(errs[runs], boom) {
		t.Errorf("the failed one gives %v", errs[runs])
	}
	if n := st.w.commits; n != runs+1 { // the locks, and one for all
		t.Errorf("%d commits, want %d", n, runs+1)
	}
}

// ctx ends the wait for the writer, and for another process, within a second.
func TestBusyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	st := mustOpen(t, path, &Options{BusyTimeout: 300 * time.Millisecond})
	l, err := st.Ledger().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other := mustOpen(t, path, nil)
	<-other.w.turn
	if _, err := other.w.conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), cohort(1)); vaguemestre.ClassOf(err) != vaguemestre.ClassBusy {
		t.Errorf("record beside another writer: %v, want class busy", err)
	}
	st.w.timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := l.Record(ctx, cohort(1)); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("record with a context that ended: %v, want class canceled", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v to see that", d)
	}
	if _, err := other.w.conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	other.w.turn <- struct{}{}
	if err := l.Record(t.Context(), cohort(1)); err != nil {
		t.Errorf("record after the other writer ended: %v", err)
	}
	// within one process
	<-st.w.turn
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Record(ctx, cohort(2)); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("record while another run writes: %v, want class canceled", err)
	}
	st.w.turn <- struct{}{}
	if e, _ := st.Ledger().Explain(t.Context(), "a", cohort(2)[1].Item.Key); e != nil {
		t.Error("a canceled record was written")
	}
}

// A full disk is nobody's fault: class sink, nothing written, and all is well once
// there is room, also for those whose commit it was to share.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	st := mustOpen(t, filepath.Join(t.TempDir(), "state.db"), nil)
	a, err := st.Ledger().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := st.Ledger().Lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	pages := func(n int) {
		t.Helper()
		<-st.w.turn
		defer func() { st.w.turn <- struct{}{} }()
		if _, err := st.w.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	pages(40)
	big, small := cohort(500), cohort(1)
	<-st.w.turn
	var wg sync.WaitGroup
	var errA, errB error
	wg.Go(func() { errA = a.Record(t.Context(), big) })
	wg.Go(func() { errB = b.Record(t.Context(), small) })
	for {
		st.w.mu.Lock()
		n := len(st.w.wait)
		st.w.mu.Unlock()
		if n == 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	st.w.turn <- struct{}{}
	wg.Wait()
	if vaguemestre.ClassOf(errA) != vaguemestre.ClassSink {
		t.Errorf("record on a full disk: %v, want class sink", errA)
	}
	for name, job := range map[string]error{"a": errA, "b": errB} {
		e, err := st.Ledger().Explain(t.Context(), name, small[0].Item.Key)
		if err != nil || (e == nil) != (job != nil) {
			t.Errorf("job %s: record gave %v, and there is %v, %v", name, job, e, err)
		}
	}
	pages(1 << 20)
	for name, l := range map[string]cold.Lease{"a": a, "b": b} {
		if err := l.Record(t.Context(), big); err != nil {
			t.Errorf("job %s after there is room again: %v", name, err)
		}
		if e, err := st.Ledger().Explain(t.Context(), name, big[499].Item.Key); e == nil || len(e.Docs) != len(big[499].Docs) {
			t.Errorf("job %s: %v, %v", name, e, err)
		}
	}
}
