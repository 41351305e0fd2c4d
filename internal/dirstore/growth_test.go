package dirstore

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// growing is a journal with its index that is opened anew at will.
type growing struct {
	t    *testing.T
	dir  string
	root *os.Root
	j    *journal
	n    int // keys 0 to n-1 are in it
}

func newGrowing(t *testing.T) *growing {
	g := &growing{t: t, dir: quickDir(t)}
	var err error
	if g.root, err = os.OpenRoot(g.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if g.j != nil {
			g.j.close()
		}
		g.root.Close()
	})
	g.reopen()
	return g
}

func (g *growing) reopen() {
	g.t.Helper()
	if g.j != nil {
		g.j.close()
	}
	var err error
	if g.j, err = openJournal(g.root); err != nil {
		g.t.Fatalf("with %d documents: %v", g.n, err)
	}
}

func (g *growing) records(n, group int) []*record {
	var recs []*record
	for i := 0; i < n; i += group {
		r := &record{Temp: "t", Dir: "d"}
		for k := i; k < min(i+group, n); k++ {
			r.Docs = append(r.Docs, entry{Key: fmt.Sprint("key", g.n), Name: fmt.Sprint("name", g.n)})
			g.n++
		}
		recs = append(recs, r)
	}
	return recs
}

func (g *growing) append(n, group int) {
	g.t.Helper()
	if err := g.j.append(g.records(n, group)); err != nil {
		g.t.Fatalf("up to %d documents: %v", g.n, err)
	}
	if err := g.j.syncIndex(); err != nil {
		g.t.Fatal(err)
	}
}

// check looks for every step-th key and for one that is not there.
func (g *growing) check(when string, step int) {
	g.t.Helper()
	for i := 0; i < g.n; i += step {
		key := fmt.Sprint("key", i)
		r, err := g.j.lookup(keyHash(key), func(r *record) bool { return r.find(key) >= 0 })
		if err != nil || r == nil || r.Docs[r.find(key)].Name != fmt.Sprint("name", i) {
			g.t.Fatalf("%s, %d documents: %s is %+v, %v", when, g.n, key, r, err)
		}
	}
	if r, err := g.j.lookup(keyHash("other"), func(*record) bool { return true }); r != nil || err != nil {
		g.t.Fatalf("%s: an unknown key is %+v, %v", when, r, err)
	}
	if g.j.idx.used < int64(g.n) || g.j.idx.used > g.j.idx.slots/2 {
		g.t.Fatalf("%s: %d of %d slots are said to be used by %d documents", when, g.j.idx.used, g.j.idx.slots, g.n)
	}
}

// However the documents come, opened anew between or not, each is found.
func TestIndexGrowth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what                string
		total, batch, group int
		reopenEvery         int
	}{
		{"opened anew for each", 4_800, 150, 1, 1},
		{"opened anew now and then", 4_500, 7, 1, 300},
		{"never opened anew", 100_000, 1_000, 1, 0},
		{"a batch that crosses the limit", 6_000, 2_000, 1, 1},
		{"a batch larger than the table", 10_000, 5_000, 1, 1},
		{"a group larger than the table", 12_000, 6_000, 6_000, 1},
		{"groups across the limit", 9_000, 900, 300, 2},
	} {
		g := newGrowing(t)
		for i := 1; g.n < c.total; i++ {
			g.append(min(c.batch, c.total-g.n), c.group)
			if c.reopenEvery > 0 && i%c.reopenEvery == 0 {
				g.reopen()
			}
			if i%20 == 0 {
				g.check(c.what, 1+g.n/20)
			}
		}
		step := 1 + c.total/1000
		if c.group > 1000 {
			step = 1_997 // a lookup reads its whole line
		}
		g.check(c.what, step)
		g.reopen()
		g.check(c.what+", opened anew", step)
		if c.total == 100_000 && g.j.idx.slots != 262_144 {
			t.Errorf("%d slots for %d documents", g.j.idx.slots, g.n)
		}
	}
}

// A power cut loses of the index what was not synced, and a crash may come at any
// moment of a rebuild: the journal makes it good.
func TestIndexCrash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		crash func(g *growing, old []byte)
	}{
		{"nothing", func(*growing, []byte) {}},
		{"the unsynced part is lost", func(g *growing, old []byte) { g.write(indexName, old) }},
		{"a half new one is left", func(g *growing, old []byte) {
			g.write(indexName, old)
			g.write(indexName+".new", make([]byte, 10_000))
		}},
		{"the new one has no header", func(g *growing, old []byte) { g.write(indexName, make([]byte, indexHead+4*minSlots*slotSize)) }},
		{"only its header is new", func(g *growing, old []byte) {
			now, err := os.ReadFile(filepath.Join(g.dir, indexName))
			if err != nil {
				g.t.Fatal(err)
			}
			if len(now) == len(old) {
				g.write(indexName, append(now[:indexHead:indexHead], old[indexHead:]...))
			}
		}},
		{"only its table is new", func(g *growing, old []byte) {
			now, err := os.ReadFile(filepath.Join(g.dir, indexName))
			if err != nil {
				g.t.Fatal(err)
			}
			if len(now) == len(old) {
				g.write(indexName, append(old[:indexHead:indexHead], now[indexHead:]...))
			}
		}},
	} {
		for _, more := range []int{1, 1_200} { // below and beyond the first growth
			g := newGrowing(t)
			g.append(1_000, 1)
			if err := g.j.idx.f.Sync(); err != nil {
				t.Fatal(err)
			}
			if err := g.j.idx.mark(g.j.end); err != nil {
				t.Fatal(err)
			}
			old, err := os.ReadFile(filepath.Join(g.dir, indexName))
			if err != nil {
				t.Fatal(err)
			}
			for left := more; left > 0; left -= 300 { // not synced
				if err := g.j.append(g.records(min(left, 300), 1)); err != nil {
					t.Fatal(err)
				}
			}
			g.j.close()
			g.j = nil
			c.crash(g, old)
			g.reopen()
			g.check(fmt.Sprint(c.what, " ", more), 37)
			g.append(1_500, 1)
			g.reopen()
			g.check(fmt.Sprint(c.what, " ", more, ", and more"), 37)
		}
	}
}

func (g *growing) write(name string, b []byte) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), b, 0o600); err != nil {
		g.t.Fatal(err)
	}
}
