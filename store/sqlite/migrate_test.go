package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// fromSQL makes a database file of a script.
func fromSQL(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	data, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(data)); err != nil {
		t.Fatal(err)
	}
	return path
}

// schema lists tables and indexes with their columns, whatever the words they were made with.
func schema(t *testing.T, st *Store) []string {
	t.Helper()
	rows, err := st.readDB.Query(`SELECT m.type || ' ' || m.tbl_name || ' ' || m.name || ' ' || coalesce(c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk, '')
			|| coalesce(i.name || ' ' || i.seqno, '')
		FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table' LEFT JOIN pragma_index_info(m.name) i ON m.type = 'index'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// A file of every schema opens, keeps all that it held, and then has the same schema as a
// new one.
func TestMigrationFromEverySchema(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(filepath.Join("testdata", "v*.sql"))
	if err != nil || len(scripts) < 2 {
		t.Fatalf("testdata holds %q, %v", scripts, err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			testMigration(t, script)
		})
	}
}

func testMigration(t *testing.T, script string) {
	path := fromSQL(t, script)
	var wg sync.WaitGroup
	for range 4 { // starters at the same time do not get in each other's way
		wg.Go(func() {
			st, err := Open(context.Background(), path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			st.Close()
		})
	}
	wg.Wait()
	st := mustOpen(t, path, &Options{Key: ring(t, "f")})
	if got, want := schema(t, st), schema(t, mustOpen(t, filepath.Join(t.TempDir(), "new.db"), nil)); !slices.Equal(got, want) {
		t.Errorf("a migrated file has the schema\n%q, a new one\n%q", got, want)
	}
	want := cohort(9)
	want[2].Receipt, want[2].State = "done Traités;UID=3", cold.StateDone
	want[3].Docs = nil
	want[4].Origin = want[0].Item.Key
	want[5].Docs[0].Repairs = []string{"base64: 3 stray characters dropped"}
	want[5].Docs[1].Path = []string{"caf\xe9"}
	for _, w := range want {
		got, err := st.Ledger().Explain(t.Context(), "factures", w.Item.Key)
		if err != nil || got == nil {
			t.Fatalf("%s: %v, %v", w.Item.Key, got, err)
		}
		if !got.Time.Equal(w.Time) || !got.Item.Time.Equal(w.Item.Time) {
			t.Errorf("%s: times %v, %v", w.Item.Key, got.Time, got.Item.Time)
		}
		if !sameText(*got, w) {
			t.Errorf("%s is\n%+v, want\n%+v", w.Item.Key, *got, w)
		}
	}
	l, err := st.Ledger().Lock(t.Context(), "factures")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := l.Cursor(t.Context()); c != "uid:9" || err != nil {
		t.Errorf("cursor %q, %v", c, err)
	}
	if got, err := l.Unsettled(t.Context(), "", 100); len(got) != 8 || err != nil {
		t.Errorf("%d items are unsettled, want 8: %v", len(got), err)
	}
	if f := l.(*lease).fence; f != 2 {
		t.Errorf("the fence is %d, want 2", f)
	}
	if saved, err := st.LoadRouter(t.Context()); err != nil || len(saved.Connectors) != 1 || saved.Services["mail"].Instances["relances"].Connector != "main" {
		t.Errorf("the router is %+v, %v", saved, err)
	}
	if filepath.Base(script) != "v1.sql" { // that had no tokens yet
		if v, rev, err := st.Tokens().Load(t.Context(), "compta@mondaine.fr"); string(v) != `{"refresh":"two"}` || rev != 2 || err != nil {
			t.Errorf("the token is %q, %d, %v", v, rev, err)
		}
		if rev := save(t, st.Tokens(), "parti", "back", 0); rev != 3 {
			t.Errorf("a removed token comes back as %d, want 3", rev)
		}
	}
	save(t, st.Tokens(), "new", "value", 0)
	if err := st.Check(t.Context(), func(s vaguemestre.Step) { t.Log(s.Name, s.Status) }); err != nil {
		t.Error(err)
	}
}

// sameText compares entries without their times.
func sameText(a, b cold.Entry) bool {
	equal := slices.EqualFunc(a.Docs, b.Docs, func(x, y cold.Entered) bool {
		ok := slices.Equal(x.Path, y.Path) && slices.Equal(x.Repairs, y.Repairs)
		return ok && x.Key == y.Key && x.Name == y.Name && x.MediaType == y.MediaType && x.Size == y.Size &&
			x.SHA256 == y.SHA256 && x.Decision == y.Decision && x.Reason == y.Reason && x.Ref == y.Ref
	})
	return equal && a.Item.Key == b.Item.Key && a.Item.Epoch == b.Item.Epoch && a.Item.Size == b.Item.Size && a.Item.Seen == b.Item.Seen &&
		a.Item.MessageID == b.Item.MessageID && a.State == b.State && a.Attempts == b.Attempts && a.Reason == b.Reason &&
		a.Rules == b.Rules && a.Twin == b.Twin && a.Origin == b.Origin && a.Action == b.Action && a.Receipt == b.Receipt
}

// Check notices an index that does not fit its table, and rows without their owner.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"structure":  `PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = 'CREATE INDEX item_twin ON item (job, state)' WHERE name = 'item_twin'`,
		"references": `INSERT INTO action VALUES (4711, 'move', 'x', '')`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := filled(t, 5)
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(damage); err != nil {
				t.Fatal(err)
			}
			db.Close()
			st := mustOpen(t, path, nil)
			status := map[string]vaguemestre.Status{}
			err = st.Check(t.Context(), func(s vaguemestre.Step) { status[s.Name] = s.Status })
			if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || status[name] != vaguemestre.StatusFailed {
				t.Errorf("check gives %v, %v", err, status)
			}
		})
	}
}
