package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

func mustOpen(t testing.TB, path string, o *Options) *Store {
	t.Helper()
	st, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// filled makes a closed store with n items and returns its path and what it holds.
func filled(t testing.TB, n int) (string, []cold.Entry) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	st := mustOpen(t, path, nil)
	l, err := st.Ledger().Lock(context.Background(), "factures")
	if err != nil {
		t.Fatal(err)
	}
	entries := cohort(n)
	if err := l.Record(context.Background(), entries); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return path, entries
}

func TestOpenRefusesWhatIsNoStore(t *testing.T) {
	t.Parallel()
	other := func(t *testing.T, path string) {
		db, err := connect(path, false)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(`CREATE TABLE customer (name TEXT)`); err != nil {
			t.Fatal(err)
		}
	}
	newer := func(t *testing.T, path string) {
		mustOpen(t, path, nil).Close()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(`INSERT INTO migration (version_id, is_applied) VALUES (999, 1)`); err != nil {
			t.Fatal(err)
		}
	}
	write := func(data string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want error
	}{
		"a text":               {write("Chère cliente, cher client, voici votre facture.\n"), ErrForeign},
		"a long text":          {write(strings.Repeat("facture ", 1000)), ErrForeign},
		"another database":     {other, ErrForeign},
		"an empty file":        {write(""), ErrCorrupt},
		"a header cut short":   {write("SQLite format 3\x00\x10\x00"), ErrCorrupt},
		"a newer version":      {newer, ErrNewer},
		"a directory":          {func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, ErrForeign},
		"a log without a file": {func(t *testing.T, path string) { write("log")(t, path+"-wal") }, ErrCorrupt},
		"no directory":         {func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "state.db")
			c.make(t, path)
			before, berr := os.ReadFile(path)
			st, err := Open(t.Context(), path, nil)
			if err == nil {
				st.Close()
			}
			if !errors.Is(err, c.want) || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
				t.Errorf("open gives %v, want class config and %v", err, c.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "sqlite: open: ") {
				t.Errorf("the error does not begin with its operation: %v", err)
			}
			after, aerr := os.ReadFile(path)
			if !bytes.Equal(before, after) || (berr == nil) != (aerr == nil) {
				t.Error("the file was changed")
			}
		})
	}
	if _, err := Open(t.Context(), ":memory:", nil); !errors.Is(err, ErrForeign) {
		t.Errorf("a store without a file: %v", err)
	}
}

func TestACrashWhileTheStoreIsMadeLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	for _, end := range []string{".new", ".new-wal", ".new-shm", ".lock"} {
		if err := os.WriteFile(path+end, []byte("left by a crash"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustOpen(t, path, nil).Close()
	left, _ := filepath.Glob(path + ".new*")
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := filepath.Join(t.TempDir(), "state.db")
	st := mustOpen(t, path, nil)
	l, err := st.Ledger().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	_, lockErr := st.Ledger().Lock(t.Context(), "b")
	_, standErr := st.Ledger().Standing(t.Context(), "a", nil)
	_, loadErr := st.LoadRouter(t.Context())
	for name, err := range map[string]error{"record": l.Record(t.Context(), cohort(1)), "lock": lockErr, "standing": standErr,
		"load": loadErr, "save": st.SaveRouter(t.Context(), &router.Saved{})} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("the log was not folded into the file")
	}
	again := mustOpen(t, path, nil)
	if _, err := again.Ledger().Lock(t.Context(), "a"); err != nil {
		t.Errorf("the job is not free: %v", err)
	}
	again.Close()
}

// A damaged file gives right answers or errors of class config, never a panic, never
// a new empty store.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	path, entries := filled(t, 30)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	items := make([]cold.Item, len(entries))
	for i := range entries {
		items[i] = entries[i].Item
	}
	try := func(name string, data []byte) (refused bool) {
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		bad := func(op string, err error) bool {
			if err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
				t.Errorf("%s: %s: class %q: %v", name, op, vaguemestre.ClassOf(err), err)
			}
			return err != nil
		}
		ctx := context.Background()
		st, err := Open(ctx, path, nil)
		if bad("open", err) {
			now, _ := os.ReadFile(path)
			if !bytes.Equal(now, data) {
				t.Errorf("%s: open changed a file that it refused", name)
			}
			return true
		}
		defer st.Close()
		l, err := st.Ledger().Lock(ctx, "factures")
		if bad("lock", err) {
			return true
		}
		_, err = st.Ledger().Standing(ctx, "factures", items)
		refused = bad("standing", err)
		for i := range 3 {
			_, err = st.Ledger().Explain(ctx, "factures", items[i*10].Key)
			refused = bad("explain", err) || refused
		}
		_, err = l.Unsettled(ctx, "", 100)
		refused = bad("unsettled", err) || refused
		_, err = l.Twin(ctx, "new", entries[4].Twin)
		refused = bad("twin", err) || refused
		return bad("record", l.Record(ctx, entries[:3])) || refused
	}
	for i := range 40 {
		cut := len(whole) * i / 40
		if !try(fmt.Sprintf("cut at %d", cut), whole[:cut]) {
			t.Errorf("a file cut at %d of %d is taken for whole", cut, len(whole))
		}
	}
	r := rand.New(rand.NewPCG(7, 7))
	refused := 0
	for range 120 {
		data := slices.Clone(whole)
		at := r.IntN(len(data))
		if r.IntN(3) == 0 {
			at = r.IntN(200) // the header and the first page's head
		}
		data[at] ^= byte(1 + r.IntN(255))
		if try(fmt.Sprintf("flip at %d", at), data) {
			refused++
		}
	}
	for range 20 {
		data := slices.Clone(whole)
		at := r.IntN(len(data)/4096) * 4096
		clear(data[at : at+4096])
		if try(fmt.Sprintf("page at %d cleared", at), data) {
			refused++
		}
	}
	t.Logf("%d of 140 damaged files were refused; in the others it lay in a text, in free room or in a page that nobody read", refused)
	if refused < 10 {
		t.Error("damage is hardly ever noticed")
	}
}

// mailbox is a connector with a secret.
type mailbox struct {
	Host     string          `key:"host"`
	Password settings.Secret `key:"password"`
}

func (*mailbox) Kind() string { return "mailbox" }
func (*mailbox) Labels() map[string]settings.Label {
	l := settings.Label{Name: settings.Text{EN: "Field", FR: "Champ"}, Help: settings.Text{EN: "A field.", FR: "Un champ."}}
	return map[string]settings.Label{"host": l, "password": l}
}

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	const canary = "canari-Secret-4711"
	key, err := settings.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := settings.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "state.db")
	st := mustOpen(t, path, &Options{Key: ring})
	for range 3 { // rows and free pages
		raw, err := settings.Encode(&mailbox{Host: "smtp.mondaine.example", Password: canary}, st, "main")
		if err != nil {
			t.Fatal(err)
		}
		if err := st.SaveRouter(t.Context(), &router.Saved{Connectors: []settings.Instance{{Name: "main", Kind: "mailbox", Settings: raw}}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.Ledger().Lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		files, _ := filepath.Glob(path + "*")
		host := false
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(canary)) {
				t.Errorf("%s: %s holds the secret", when, filepath.Base(f))
			}
			host = host || bytes.Contains(data, []byte("smtp.mondaine.example"))
			if fi, err := os.Stat(f); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s has mode %v, want 0600", when, filepath.Base(f), fi.Mode())
			}
		}
		if !host {
			t.Errorf("%s: the settings are not in the files at all: %q", when, files)
		}
	}
	check("open")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed")

	st = mustOpen(t, path, &Options{Key: ring})
	saved, err := st.LoadRouter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got mailbox
	if err := settings.Decode(saved.Connectors[0].Settings, &got, &settings.DecodeOptions{Opener: st, ID: "main"}); err != nil || got.Password != canary {
		t.Errorf("the secret does not come back: %v", err)
	}
	st.Close()

	st = mustOpen(t, path, nil) // no key: no secret, neither way
	if _, err := st.Seal([]byte(canary), "x"); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("a store without a key seals: %v", err)
	}
	if err := settings.Decode(saved.Connectors[0].Settings, &got, &settings.DecodeOptions{Opener: st, ID: "main"}); err == nil {
		t.Error("a store without a key opens a secret")
	}
}

func TestRouterIsKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	st := mustOpen(t, path, nil)
	if got, err := st.LoadRouter(t.Context()); err != nil || !reflect.DeepEqual(got, &router.Saved{}) {
		t.Errorf("at first there is %+v, %v", got, err)
	}
	want := &router.Saved{
		Connectors: []settings.Instance{
			{Name: "é", Kind: "smtp", Version: 2, Settings: json.RawMessage("{ \"b\": 1,\n \"a\":\"<&>\\u00e9\" }")}, // byte for byte
			{Name: "Main", Kind: "office365", Settings: json.RawMessage(`{}`)},
			{Name: "main", Kind: "smtp", Settings: json.RawMessage(`{}`)},
		},
		Services: map[string]router.SavedService{
			"mail":  {Default: "main", Instances: map[string]router.Instance{"relances": {Connector: "Main"}, "Relances": {}}},
			"other": {},
		},
	}
	if err := st.SaveRouter(t.Context(), &router.Saved{Connectors: want.Connectors[:1], Services: map[string]router.SavedService{"old": {Default: "é"}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := st.SaveRouter(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	st.Close()
	st = mustOpen(t, path, nil)
	got, err := st.LoadRouter(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("load gives\n%+v, %v, want\n%+v", got, err, want)
	}
	// all of it or nothing
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := st.SaveRouter(ctx, &router.Saved{}); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("canceled save: %v", err)
	}
	twice := slices.Concat(want.Connectors, want.Connectors[:1])
	if err := st.SaveRouter(t.Context(), &router.Saved{Connectors: twice}); err == nil {
		t.Error("a name given twice is stored")
	}
	if got, _ := st.LoadRouter(t.Context()); !reflect.DeepEqual(got, want) {
		t.Errorf("after a failed save there is %+v", got)
	}
}
