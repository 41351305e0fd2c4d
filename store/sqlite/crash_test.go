package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// What these tests show is the death of a process. A power cut is another matter: there
// we rely on SQLite (WAL, synchronous=FULL), on a disk that does what fsync asks, and on
// a file system that is not a network share.

// TestMain lets the test binary play a process of its own, told by the environment.
func TestMain(m *testing.M) {
	switch os.Getenv("VAGUEMESTRE_PLAY") {
	case "":
		os.Exit(m.Run())
	case "record":
		playRecord()
	case "count":
		playCount()
	case "tokens":
		playTokens()
	}
}

func play(name, path string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "VAGUEMESTRE_PLAY="+name, "VAGUEMESTRE_PLAY_PATH="+path)
	return cmd
}

func die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(3)
}

const batchItems = 5

// mails are enough for all batches that any of these tests records.
var mails = sync.OnceValue(func() []cold.Entry { return cohort(1100 * batchItems) })

// batch is what playRecord records in its nth call: new items, and the items of the
// call before, now delivered.
func batch(n int) []cold.Entry {
	out := slices.Clone(mails()[n*batchItems : (n+1)*batchItems])
	if n > 0 {
		for _, e := range mails()[(n-1)*batchItems : n*batchItems] {
			e.State, e.Docs = cold.StateDelivered, nil
			out = append(out, e)
		}
	}
	return out
}

// playRecord records batches from the cursor on, tells each on standard output once it
// is safe, and kills itself at the step given as "name:before:3".
func playRecord() {
	ctx := context.Background()
	name, rest, _ := strings.Cut(os.Args[1], ":")
	when, nth, _ := strings.Cut(rest, ":")
	n, _ := strconv.Atoi(nth)
	seen := 0
	step.Set(func(s step.Name, after bool) {
		if string(s) != name || after != (when == "after") {
			return
		}
		if seen++; seen == n {
			p, _ := os.FindProcess(os.Getpid())
			p.Kill() // SIGKILL: nothing is cleaned up
			select {}
		}
	})
	st, err := Open(ctx, os.Getenv("VAGUEMESTRE_PLAY_PATH"), nil)
	if err != nil {
		die(err)
	}
	l, err := st.Ledger().Lock(ctx, "factures")
	if err != nil {
		die(err)
	}
	cursor, err := l.Cursor(ctx)
	if err != nil {
		die(err)
	}
	first, _ := strconv.Atoi(cursor)
	fmt.Println("begin", first)
	for i := first; i < first+40; i++ {
		if err := l.Record(ctx, batch(i)); err != nil {
			die(err)
		}
		fmt.Println("recorded", i)
		if err := l.SaveCursor(ctx, strconv.Itoa(i+1)); err != nil {
			die(err)
		}
		fmt.Println("saved", i+1)
	}
	os.Exit(0) // without Close: what is left must be good all the same
}

// check opens path after a crash; out is what the dead process told.
func check(t *testing.T, path, out string) {
	t.Helper()
	recorded, saved := -1, 0
	for _, line := range strings.Split(out, "\n") {
		var n int
		if _, err := fmt.Sscanf(line, "recorded %d", &n); err == nil {
			recorded = max(recorded, n)
		}
		if _, err := fmt.Sscanf(line, "saved %d", &n); err == nil {
			saved = max(saved, n)
		}
	}
	ctx := context.Background()
	st := mustOpen(t, path, nil)
	defer st.Close()
	l, err := st.Ledger().Lock(ctx, "factures") // "A holder that crashed holds nothing."
	if err != nil {
		t.Fatalf("the job is not free after the crash: %v", err)
	}
	cursor, err := l.Cursor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := strconv.Atoi(cursor); n < saved {
		t.Errorf("the cursor is %q, though %d was saved", cursor, saved)
	}
	last := -1
	for i := 0; ; i++ {
		some := 0
		for _, e := range mails()[i*batchItems : (i+1)*batchItems] {
			got, err := st.Ledger().Explain(ctx, "factures", e.Item.Key)
			if err != nil {
				t.Fatal(err)
			}
			if got == nil {
				continue
			}
			some++
			if len(got.Docs) != len(e.Docs) {
				t.Fatalf("%s has %d documents, want %d", e.Item.Key, len(got.Docs), len(e.Docs))
			}
		}
		if some == 0 {
			break
		}
		if some != batchItems {
			t.Fatalf("batch %d is there in part: %d of %d", i, some, batchItems)
		}
		last = i
	}
	if last < recorded {
		t.Errorf("batch %d was recorded, but only %d are there", recorded, last)
	}
	for i := 0; i < last; i++ { // the batch after it came in one transaction with its new state
		e, err := st.Ledger().Explain(ctx, "factures", mails()[i*batchItems].Item.Key)
		if err != nil || e.State != cold.StateDelivered {
			t.Fatalf("batch %d stands at %v, %v", i, e, err)
		}
	}
	var verdict string
	if err := st.readDB.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}

func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, name := range []step.Name{step.LedgerLock, step.LedgerRecord} {
		for _, when := range []string{"before", "after"} {
			path := filepath.Join(t.TempDir(), "state.db")
			for _, nth := range []int{1, 2, 7} { // one store, crash after crash
				if name == step.LedgerLock && nth > 1 {
					continue
				}
				var out, errs bytes.Buffer
				cmd := play("record", path, fmt.Sprintf("%s:%s:%d", name, when, nth))
				cmd.Stdout, cmd.Stderr = &out, &errs
				err := cmd.Run()
				if err == nil || cmd.ProcessState.ExitCode() == 3 {
					t.Fatalf("%s %s %d was never hit: %v %s", name, when, nth, err, &errs)
				}
				check(t, path, out.String())
			}
		}
	}
}

func TestCrashAtRandomMoments(t *testing.T) {
	t.Parallel()
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	path := filepath.Join(t.TempDir(), "state.db")
	r := rand.New(rand.NewPCG(4, 1))
	all := ""
	for range rounds {
		cmd := play("record", path, "none")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(r.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
		out, _ := io.ReadAll(bufio.NewReader(pipe))
		cmd.Wait()
		kill.Stop()
		if cmd.ProcessState.ExitCode() == 3 {
			t.Fatal(errs.String())
		}
		all += string(out)
		check(t, path, all)
	}
}

// playCount adds one to the cursor under the lock, as often as its argument says.
func playCount() {
	ctx := context.Background()
	times, _ := strconv.Atoi(os.Args[1])
	st, err := Open(ctx, os.Getenv("VAGUEMESTRE_PLAY_PATH"), nil)
	if err != nil {
		die(err)
	}
	defer st.Close()
	for range times {
		l, err := st.Ledger().Lock(ctx, "factures")
		for errors.Is(err, vaguemestre.ErrBusy) {
			time.Sleep(time.Millisecond)
			l, err = st.Ledger().Lock(ctx, "factures")
		}
		if err != nil {
			die(err)
		}
		cursor, err := l.Cursor(ctx)
		if err != nil {
			die(err)
		}
		n, _ := strconv.Atoi(cursor)
		if err := l.SaveCursor(ctx, strconv.Itoa(n+1)); err != nil {
			die(err)
		}
		l.Close()
	}
}

func TestEightProcessesShareOneJob(t *testing.T) {
	t.Parallel()
	const processes, times = 8, 20
	path := filepath.Join(t.TempDir(), "state.db")
	var wg sync.WaitGroup
	for range processes { // they also make the store together
		wg.Go(func() {
			if out, err := play("count", path, strconv.Itoa(times)).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	st := mustOpen(t, path, nil)
	l, err := st.Ledger().Lock(t.Context(), "factures")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Cursor(t.Context()); got != strconv.Itoa(processes*times) || err != nil {
		t.Errorf("counted %q, %v, want %d: two runs held the job at once", got, err, processes*times)
	}
}
