package authtest

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vaguemestre/vaguemestre/auth"
)

var cases = slices.Concat(valueCases, lockCases)

// names are all different, and some file systems and collations would mix them up.
var names = []string{"grant/a", "grant/A", "grant/a ", " grant/a", "grant/a/", "grant//a", "grant", "../grant/a", "..", ".", "/",
	`grant\a`, "grant:a", "grant/a\x00b", "grant/a\x00", "con", "NUL", "grant/\xff\xfe", "grant/\xff", "é", "e\u0301", "😀", "a%2Fb", "a/b", "' OR 1=1 --",
	strings.Repeat("n", 200), strings.Repeat("n", 201), "grant/*", "grant/a\n", "-rf"}

var valueCases = []storeCase{
	{name: "nothing is there", quote: "or nil and 0 if there is none",
		run: func(t *storeTest) {
			for _, n := range names {
				t.holds(t.s, n, nil, 0)
			}
		}},
	{name: "a value comes back", quote: "Load returns the value under name and its revision",
		run: func(t *storeTest) {
			one := t.save(t.s, "a", []byte("one"), 0)
			if one <= 0 {
				t.Fatalf("the first revision is %d: 0 is for what is not there", one)
			}
			t.holds(t.s, "a", []byte("one"), one)
			two := t.save(t.s, "a", []byte("two"), one)
			t.holds(t.s, "a", []byte("two"), two)
			// An empty value is not none.
			t.holds(t.s, "a", []byte{}, t.save(t.s, "a", []byte{}, two))
		}},
	{name: "all bytes come back", quote: "have no bound in size",
		run: func(t *storeTest) {
			all := make([]byte, 64<<10)
			for i := range all {
				all[i] = byte(i * 7 >> (i % 5))
			}
			rev := int64(0)
			for _, v := range [][]byte{{0}, []byte("\x00\r\n\xff\xfe\x1a"), all, bytes.Repeat(all, 16), []byte("short again")} {
				rev = t.save(t.s, "a", v, rev)
				t.holds(t.s, "a", v, rev)
				t.holds(t.open(), "a", v, rev)
			}
		}},
	{name: "values are the store's own", quote: "never a wrong value",
		run: func(t *storeTest) {
			v := []byte("value")
			rev := t.save(t.s, "a", v, 0)
			copy(v, "XXXXX")
			got, _, err := t.s.Load(t.soon(), "a")
			if err != nil {
				t.Fatal(err)
			}
			copy(got, "YYYYY")
			t.holds(t.s, "a", []byte("value"), rev)
		}},
	{name: "names are kept apart", quote: "under one name each",
		run: func(t *storeTest) {
			revs := map[string]int64{}
			for _, n := range names {
				revs[n] = t.save(t.s, n, []byte("value of "+n), 0)
			}
			t.save(t.s, names[0], nil, revs[names[0]])
			t.holds(t.s, names[0], nil, 0)
			for _, n := range names[1:] {
				t.holds(t.s, n, []byte("value of "+n), revs[n])
			}
		}},
	{name: "another revision is refused", quote: "If the store holds another revision, nothing is changed and the error is [ErrConflict].",
		run: func(t *storeTest) {
			t.refused("a", []byte("x"), 1)
			t.holds(t.s, "a", nil, 0)
			one := t.save(t.s, "a", []byte("one"), 0)
			two := t.save(t.s, "a", []byte("two"), one)
			for _, rev := range []int64{0, one, two + 1, -1, two + 1<<32} {
				t.refused("a", []byte("x"), rev)
				t.refused("a", nil, rev)
				t.holds(t.s, "a", []byte("two"), two)
			}
		}},
	{name: "nil removes", quote: "nil removes the value.",
		run: func(t *storeTest) {
			one := t.save(t.s, "a", []byte("one"), 0)
			t.save(t.s, "a", nil, one)
			t.holds(t.s, "a", nil, 0)
			t.holds(t.open(), "a", nil, 0)
			t.refused("a", []byte("x"), one)
			t.holds(t.s, "a", []byte("two"), t.save(t.s, "a", []byte("two"), 0))
		}},
	{name: "a revision never comes again", quote: "which was never used for that name before",
		run: func(t *storeTest) {
			seen := map[int64]bool{0: true}
			note := func(rev int64) int64 {
				t.Helper()
				if seen[rev] {
					t.Fatalf("revision %d was used before", rev)
				}
				seen[rev] = true
				return rev
			}
			for range 3 {
				rev := note(t.save(t.s, "a", []byte("v"), 0))
				rev = note(t.save(t.s, "a", []byte("v"), rev)) // the same value is a new revision
				t.save(t.open(), "a", nil, rev)
			}
		}},
	{name: "what is saved is there for all", quote: "When it returns nil the value outlives the process and a power cut.",
		run: func(t *storeTest) {
			one := t.save(t.s, "a", []byte("one"), 0)
			other := t.open()
			t.holds(other, "a", []byte("one"), one)
			two := t.save(other, "a", []byte("two"), one)
			t.holds(t.s, "a", []byte("two"), two)
			t.refused("a", []byte("x"), one)
		}},
	{name: "one of many wins", quote: "A Store is safe for concurrent use",
		run: func(t *storeTest) {
			var wg sync.WaitGroup
			var won atomic.Int32
			var winner atomic.Pointer[string]
			for i := range 16 {
				s, v := t.s, strconv.Itoa(i)
				if i%2 == 1 {
					s = t.open()
				}
				wg.Go(func() {
					switch _, err := s.Save(t.soon(), "a", []byte(v), 0); {
					case err == nil:
						won.Add(1)
						winner.Store(&v)
					case !errors.Is(err, auth.ErrConflict):
						t.Errorf("who loses gets %v, want ErrConflict", err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d of 16 believe that they were first", won.Load())
			}
			if got, _, err := t.s.Load(t.soon(), "a"); err != nil || string(got) != *winner.Load() {
				t.Fatalf("stored is %q, %v, want what %s saved", got, err, *winner.Load())
			}
		}},
	{name: "no change is lost", quote: "Load and Save need no lock.",
		run: func(t *storeTest) {
			const workers, each = 4, 8
			t.lock(t.s, "a") // it is in nobody's way
			var wg sync.WaitGroup
			for range workers {
				s := t.open()
				wg.Go(func() {
					for done := 0; done < each; {
						old, rev, err := s.Load(t.soon(), "a")
						if err != nil {
							t.Errorf("load: %v", err)
							return
						}
						n, _ := strconv.Atoi(string(old))
						_, err = s.Save(t.soon(), "a", []byte(strconv.Itoa(n+1)), rev)
						if err == nil {
							done++
						} else if !errors.Is(err, auth.ErrConflict) {
							t.Errorf("save: %v", err)
							return
						}
					}
				})
			}
			wg.Wait()
			if got, _, err := t.s.Load(t.soon(), "a"); err != nil || string(got) != strconv.Itoa(workers*each) {
				t.Fatalf("after %d additions the value is %q, %v", workers*each, got, err)
			}
		}},
}
