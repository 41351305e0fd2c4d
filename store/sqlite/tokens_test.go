package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/auth/authtest"
	"github.com/vaguemestre/vaguemestre/settings"
)

// ring is a keyring of one key, the same for the same letter.
func ring(t testing.TB, letter string) *settings.Keyring {
	t.Helper()
	k, err := settings.NewKey([]byte("0123456789abcdef0123456789abcde" + letter))
	if err != nil {
		t.Fatal(err)
	}
	r, err := settings.NewKeyring(k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealedStore(t testing.TB) *Store {
	t.Helper()
	return mustOpen(t, filepath.Join(t.TempDir(), "state.db"), &Options{Key: ring(t, "f")})
}

func save(t testing.TB, s auth.Store, name, value string, rev int64) int64 {
	t.Helper()
	var b []byte
	if value != "" {
		b = []byte(value)
	}
	next, err := s.Save(t.Context(), name, b, rev)
	if err != nil {
		t.Fatalf("save %q over revision %d: %v", name, rev, err)
	}
	return next
}

func TestTokensKeepTheContract(t *testing.T) {
	t.Parallel()
	authtest.TestStore(t, func(t *testing.T) func() auth.Store {
		path := filepath.Join(t.TempDir(), "state.db")
		return func() auth.Store { return mustOpen(t, path, &Options{Key: ring(t, "f")}).Tokens() }
	})
}

func TestATokenComesBackAndAnOldRevisionChangesNothing(t *testing.T) {
	t.Parallel()
	st := sealedStore(t)
	s := st.Tokens()
	if v, rev, err := s.Load(t.Context(), "compta"); v != nil || rev != 0 || err != nil {
		t.Fatalf("an empty store gives %q, %d, %v", v, rev, err)
	}
	first := save(t, s, "compta", "one", 0)
	second := save(t, s, "compta", "two", first)
	for _, stale := range []int64{0, first, second + 1, -1} {
		rev, err := s.Save(t.Context(), "compta", []byte("three"), stale)
		if !errors.Is(err, auth.ErrConflict) || rev != 0 || vaguemestre.ClassOf(err) != vaguemestre.ClassBusy {
			t.Errorf("save over %d gives %d, %v (class %s)", stale, rev, err, vaguemestre.ClassOf(err))
		}
	}
	for _, name := range []string{"Compta", "compta ", "compta/2", "été"} { // names are told apart byte by byte
		if v, _, _ := s.Load(t.Context(), name); v != nil {
			t.Errorf("%q gives %q", name, v)
		}
	}
	again := mustOpen(t, st.path, &Options{Key: ring(t, "f")})
	if v, rev, err := again.Tokens().Load(t.Context(), "compta"); string(v) != "two" || rev != second || err != nil {
		t.Errorf("opened again there is %q, %d, %v", v, rev, err)
	}
}

func TestANumberNeverComesTwiceForAName(t *testing.T) {
	t.Parallel()
	s := sealedStore(t).Tokens()
	seen := map[int64]bool{0: true}
	for i := range 5 {
		rev := int64(0)
		for range i {
			rev = save(t, s, "compta", "value", rev)
			if seen[rev] {
				t.Fatalf("revision %d came twice", rev)
			}
			seen[rev] = true
		}
		if i == 0 {
			continue
		}
		save(t, s, "compta", "", rev) // removes
		if v, now, err := s.Load(t.Context(), "compta"); v != nil || now != 0 || err != nil {
			t.Fatalf("removed, it gives %q, %d, %v", v, now, err)
		}
		if _, err := s.Save(t.Context(), "compta", []byte("late"), rev); !errors.Is(err, auth.ErrConflict) {
			t.Fatalf("who holds the removed revision may save: %v", err)
		}
	}
}

// A row that was moved, put back or sealed under another key is an error of class config,
// never a value; its revision is told, so that it can be replaced.
func TestAChangedRowDoesNotOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string
		key    string
		want   error
	}{
		"another account's":        {`UPDATE token SET value = (SELECT value FROM token WHERE name = 'mairie'), rev = 1 WHERE name = 'compta'`, "f", settings.ErrTampered},
		"an older value put back":  {`UPDATE token SET value = (SELECT value FROM old) WHERE name = 'compta'`, "f", settings.ErrTampered},
		"a bit changed":            {`UPDATE token SET value = CAST(substr(value, 1, length(value) - 1) || x'00' AS BLOB) WHERE name = 'compta'`, "f", settings.ErrTampered},
		"cut":                      {`UPDATE token SET value = substr(value, 1, 12) WHERE name = 'compta'`, "f", settings.ErrTampered},
		"empty":                    {`UPDATE token SET value = x'' WHERE name = 'compta'`, "f", settings.ErrTampered},
		"a store with another key": {``, "g", settings.ErrWrongKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := sealedStore(t)
			s := st.Tokens()
			save(t, s, "mairie", "canari-of-mairie", 0)
			rev := save(t, s, "compta", "canari-one", 0)
			run(t, st.path, `CREATE TABLE old AS SELECT value FROM token WHERE name = 'compta'`)
			save(t, s, "compta", "canari-two", rev)
			st.Close()
			run(t, st.path, c.change)
			s = mustOpen(t, st.path, &Options{Key: ring(t, c.key)}).Tokens()
			v, rev, err := s.Load(t.Context(), "compta")
			if v != nil || rev == 0 || !errors.Is(err, c.want) || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || strings.Contains(err.Error(), "canari") {
				t.Fatalf("load gives %q, %v", v, err)
			}
			save(t, s, "compta", "new", rev)
			if v, _, err := s.Load(t.Context(), "compta"); string(v) != "new" || err != nil {
				t.Errorf("replaced, it gives %q, %v", v, err)
			}
		})
	}
}

func run(t *testing.T, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAKeyNoTokenIsKept(t *testing.T) {
	t.Parallel()
	st := mustOpen(t, filepath.Join(t.TempDir(), "state.db"), nil)
	_, _, lerr := st.Tokens().Load(t.Context(), "compta")
	_, serr := st.Tokens().Save(t.Context(), "compta", []byte("canari"), 0)
	for _, err := range []error{lerr, serr} {
		if !errors.Is(err, errNoKey) || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("without a key: %v", err)
		}
	}
	st = sealedStore(t)
	st.Close()
	_, _, lerr = st.Tokens().Load(t.Context(), "compta")
	_, serr = st.Tokens().Save(t.Context(), "compta", []byte("canari"), 0)
	_, kerr := st.Tokens().Lock(t.Context(), "compta")
	for _, err := range []error{lerr, serr, kerr} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	}
}

// The bytes of a token stand in no file of the store, log included, at any time.
func TestTokensAreSealed(t *testing.T) {
	t.Parallel()
	const canary = "canari-jeton-4711"
	st := sealedStore(t)
	value := strings.Repeat(canary, 2000) // several pages, and some of them overflow pages
	check := func(when string) {
		t.Helper()
		files, _ := filepath.Glob(st.path + "*")
		named := false
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(canary)) {
				t.Errorf("%s: %s holds the token", when, filepath.Base(f))
			}
			named = named || bytes.Contains(data, []byte("compta@mondaine.fr"))
		}
		if !named {
			t.Errorf("%s: the row is not in the files at all: %q", when, files)
		}
	}
	rev := int64(0)
	for range 4 {
		rev = save(t, st.Tokens(), "compta@mondaine.fr", value, rev)
		check("open")
	}
	unlock, err := st.Tokens().Lock(t.Context(), canary) // names of files tell nothing either
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	save(t, st.Tokens(), "compta@mondaine.fr", "", rev)
	check("removed")
	st.Close()
	check("closed")
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(st.path), "*canari*")); len(names) > 0 {
		t.Errorf("a file is called %q", names)
	}
}

func TestALockWaitsUntilItIsFreeOrTheContextEnds(t *testing.T) {
	t.Parallel()
	st := sealedStore(t)
	s := st.Tokens()
	other := mustOpen(t, st.path, &Options{Key: ring(t, "f")}).Tokens() // stands for another process
	unlock, err := s.Lock(t.Context(), "compta")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]auth.Store{"the same store": s, "another": other} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := s.Lock(ctx, "compta")
		cancel()
		if vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a lock that is held gives %v", name, err)
		}
	}
	free, err := other.Lock(t.Context(), "mairie")
	if err != nil {
		t.Fatalf("another account waits: %v", err)
	}
	free()
	lease, err := st.Ledger().Lock(t.Context(), "compta")
	if err != nil {
		t.Fatalf("a job of that name waits: %v", err)
	}
	lease.Close()
	got := make(chan error, 1)
	go func() {
		unlock, err := other.Lock(t.Context(), "compta")
		if err == nil {
			unlock()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Errorf("freed, it gives %v", err)
	}
	again, err := s.Lock(t.Context(), "compta")
	if err != nil {
		t.Fatal(err)
	}
	unlock() // the second time: it must not free what somebody else holds now
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := other.Lock(ctx, "compta"); err == nil {
		t.Error("a second unlock freed another's lock")
	}
	again()
}

const countTo = 25

// playTokens adds one to a stored number, under the lock, so that an addition that is lost
// or done twice shows in the sum.
func playTokens() {
	ctx := context.Background()
	k, err := settings.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		die(err)
	}
	keys, err := settings.NewKeyring(k)
	if err != nil {
		die(err)
	}
	st, err := Open(ctx, os.Getenv("VAGUEMESTRE_PLAY_PATH"), &Options{Key: keys})
	if err != nil {
		die(err)
	}
	s := st.Tokens()
	if os.Args[1] == "renew" {
		playRenew(s)
	}
	if os.Args[1] == "hold" {
		if _, err := s.Lock(ctx, "compta"); err != nil {
			die(err)
		}
		fmt.Println("held")
		select {} // until it is killed
	}
	for range countTo {
		unlock, err := s.Lock(ctx, "compta")
		if err != nil {
			die(err)
		}
		v, rev, err := s.Load(ctx, "compta")
		if err != nil {
			die(err)
		}
		n, _ := strconv.Atoi(string(v))
		if _, err := s.Save(ctx, "compta", []byte(strconv.Itoa(n+1)), rev); err != nil {
			die(err) // a conflict under the lock too
		}
		unlock()
	}
	os.Exit(0)
}

func TestTheLockKeepsProcessesApart(t *testing.T) {
	t.Parallel()
	st := sealedStore(t)
	const processes = 4
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if out, err := play("tokens", st.path, "count").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if v, _, err := st.Tokens().Load(t.Context(), "compta"); string(v) != strconv.Itoa(processes*countTo) || err != nil {
		t.Errorf("%d additions make %s, %v", processes*countTo, v, err)
	}
}

func TestALockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	st := sealedStore(t)
	cmd := play("tokens", st.path, "hold")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAtLeast(out, make([]byte, 5), 5); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := st.Tokens().Lock(ctx, "compta"); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("the lock of another process gives %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := st.Tokens().Lock(ctx, "compta"); err != nil {
		t.Errorf("after the death of its holder: %v", err)
	}
}
