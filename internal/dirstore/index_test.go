package dirstore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The index is only a cache: lost, cut or grown, every key is found.
func TestIndex(t *testing.T) {
	t.Parallel()
	dir := quickDir(t)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const n = 5000 // more than half of the first table
	open := func() *journal {
		j, err := openJournal(root)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	check := func(when string) {
		j := open()
		defer j.close()
		for i := range n {
			key := fmt.Sprint("key", i)
			r, err := j.lookup(keyHash(key), func(r *record) bool { return r.find(key) >= 0 })
			if err != nil || r == nil || r.ref(r.find(key)) != fmt.Sprint("name", i) {
				t.Fatalf("%s: %s is %+v, %v", when, key, r, err)
			}
		}
		if r, err := j.lookup(keyHash("other"), func(*record) bool { return true }); r != nil || err != nil {
			t.Fatalf("%s: an unknown key is %+v, %v", when, r, err)
		}
	}
	j := open()
	for at := 0; at < n; at += 250 {
		var recs []*record
		for i := at; i < at+250; i++ {
			recs = append(recs, &record{Temp: "t", Docs: []entry{{Key: fmt.Sprint("key", i), Name: fmt.Sprint("name", i)}}})
		}
		if err := j.append(recs); err != nil {
			t.Fatal(err)
		}
	}
	if j.idx.slots <= minSlots {
		t.Errorf("the table did not grow: %d slots", j.idx.slots)
	}
	j.close()
	check("after growth")
	os.Remove(filepath.Join(dir, indexName))
	check("index lost")
	os.Truncate(filepath.Join(dir, indexName), 5000)
	check("index cut")
	os.WriteFile(filepath.Join(dir, indexName), bytes.Repeat([]byte{7}, 1<<16), 0o600)
	check("index overwritten")
}
