package dirstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The journal may be torn where a crash interrupted it, and nowhere else.
func TestJournalDamage(t *testing.T) {
	t.Parallel()
	dir := quickDir(t)
	for i := range 5 {
		put(t, dir, file(fmt.Sprint(i), fmt.Sprint(i), fmt.Sprint(i)))
	}
	journal := filepath.Join(MetaName, journalName)
	sound, err := os.ReadFile(filepath.Join(dir, journal))
	if err != nil {
		t.Fatal(err)
	}
	lastLine := bytes.LastIndexByte(sound[:len(sound)-1], '\n') + 1
	for cut := 0; cut < len(sound); cut++ {
		if cut > len(journalHeader) && cut < len(sound)-12 && cut%23 != 0 {
			continue // every cut costs a few syncs
		}
		for _, index := range []string{"kept", "lost"} {
			crash := filepath.Join(quickDir(t), "x")
			copyTree(t, dir, crash)
			os.Truncate(filepath.Join(crash, journal), int64(cut))
			if index == "lost" {
				os.Remove(filepath.Join(crash, MetaName, indexName))
			}
			_, err := tryPut(crash, file("0", "0", "0"))
			switch {
			case index == "kept" && cut < len(sound), cut > 0 && cut < len(journalHeader) && index == "kept":
				// The index knows how much was synced.
				if !errors.Is(err, ErrJournal) {
					t.Errorf("cut at %d of %d, index %s: %v", cut, len(sound), index, err)
				}
			case err != nil:
				t.Errorf("cut at %d of %d, index %s: %v", cut, len(sound), index, err)
			case cut >= lastLine:
				if v := visible(t, crash); len(v) != 5 {
					t.Errorf("cut at %d of %d, index %s: %d files, 0 came again", cut, len(sound), index, len(v))
				}
			}
		}
	}
	// Damage in the middle is never passed over in silence.
	crash := filepath.Join(quickDir(t), "x")
	copyTree(t, dir, crash)
	bad := bytes.Clone(sound)
	bad[len(journalHeader)+20] ^= 1
	os.WriteFile(filepath.Join(crash, journal), bad, 0o600)
	if _, err := tryPut(crash, file("0", "0", "0")); !errors.Is(err, ErrJournal) {
		t.Errorf("damaged: %v", err)
	}
	os.Remove(filepath.Join(crash, MetaName, indexName))
	if _, err := tryPut(crash, file("9", "9", "9")); !errors.Is(err, ErrJournal) {
		t.Errorf("damaged, index lost: %v", err)
	}
	newer := append([]byte("vaguemestre-dir 2\n"), sound[len(journalHeader):]...)
	os.WriteFile(filepath.Join(crash, journal), newer, 0o600)
	if _, err := tryPut(crash); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("newer: %v", err)
	}
}

// A crash tears what was written and not synced: it is cut off, and a hole in it is
// filled. Every sound line counts, and the index can be made anew.
func TestJournalTorn(t *testing.T) {
	t.Parallel()
	line := func(key string) string {
		b, err := encodeRecord(nil, &record{Temp: keyHash(key), Docs: []entry{{Key: key, Name: key}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct{ what, tail string }{
		{"nothing", ""},
		{"half a line", line("1")[:30]},
		{"a line without its end", strings.TrimSuffix(line("1"), "\n")},
		{"zeros", strings.Repeat("\x00", 5000)},
		{"a sound line", line("1")},
		{"a hole, then a sound line", line("2")[:40] + strings.Repeat("\x00", 4096) + "\n" + line("1")},
		{"a hole of one line end", "\n" + line("1")},
		{"two holes", line("2")[9:] + line("3")[8:] + line("1") + line("2")[4:] + line("4") + "x"},
	} {
		dir := quickDir(t)
		put(t, dir, file("0", "0", "0"))
		path := filepath.Join(dir, MetaName, journalName)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(c.tail)
		f.Close()
		for _, again := range []string{"once", "twice", "without index"} {
			if again == "without index" {
				os.Remove(filepath.Join(dir, MetaName, indexName))
			}
			key := "new " + again
			refs, err := tryPut(dir, file("0", "0", "0"), file(key, key, "x"), file("1", "1", "1"))
			if err != nil || refs[0] != "0" || refs[1] != key || refs[2] != "1" {
				t.Errorf("%s, %s: %q, %v", c.what, again, refs, err)
			}
			if v := visible(t, dir); v["0"] != "0" || v[key] != "x" {
				t.Errorf("%s, %s: visible %q", c.what, again, v)
			}
		}
	}
}
