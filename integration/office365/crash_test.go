//go:build crash

package office365

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/internal/mailgen"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// The method is that of the crash tests of IMAP: a run that is left alone says which steps
// there are and how the end looks; then every step is a fresh mailbox, a killed run, another
// one, and the same end.

// program builds an example, so that it kills itself where it is told to.
func program(t testing.TB, name string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-tags", "crash", "-o", bin, "../../examples/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// person is who has signed in; she may open every shared mailbox of these tests.
const person = "greffe@mondaine.fr"

// world is a server with a person who has signed in, and what her grant looks like in a store.
type world struct {
	srv    *graphtest.Server
	bin    string
	grant  []byte
	reader auth.Account // for the test's own looks
	own    *graphtest.Mailbox
	n      int
}

const mailboxes = 600

func address(i int) string { return fmt.Sprintf("service%d@mondaine.fr", i) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{srv: start(t, nil), bin: program(t, "collect")}
	u := graphtest.User{Address: person, Language: "fr"}
	for i := range mailboxes {
		u.FullAccess = append(u.FullAccess, address(i))
	}
	w.own = w.srv.AddUser(u)
	p := w.srv.Provider(&auth.Memory{})
	w.reader = p.Account("compta")
	if err := w.srv.SignIn(testContext(t), w.reader, person); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.grant, _, err = p.Tokens.Load(testContext(t), "grant/compta"); err != nil || w.grant == nil {
		t.Fatalf("no grant in the store: %v", err)
	}
	// Without its access tokens: whoever finds it has to refresh first.
	var grant map[string]any
	if err := json.Unmarshal(w.grant, &grant); err != nil || grant["tokens"] == nil {
		t.Fatalf("the grant has no tokens: %v", err)
	}
	delete(grant, "tokens")
	if w.grant, err = json.Marshal(grant); err != nil {
		t.Fatal(err)
	}
	return w
}

// scene is one mailbox with its directory and store.
type scene struct {
	*world
	t      *testing.T
	box    *graphtest.Mailbox
	dir    string
	config string
	keys   []string
}

func crashMails(n int) [][]byte {
	var raws [][]byte
	for i := range n {
		raw, _ := mailgen.Mail(11, i)
		if len(raw) > 200_000 {
			raw, _ = mailgen.Mail(11, i+10_000)
		}
		raws = append(raws, raw)
	}
	return raws
}

// scene is one in a new shared mailbox.
func (w *world) scene(t *testing.T, listing, after string, mails [][]byte) *scene {
	t.Helper()
	if w.n == mailboxes {
		t.Fatal("out of mailboxes")
	}
	addr := address(w.n)
	w.n++
	return w.sceneIn(t, w.srv.AddUser(graphtest.User{Address: addr, Language: "fr", Shared: true}), addr+":inbox", listing, after, mails)
}

// sceneIn is one in box; mailbox is how the settings name it.
func (w *world) sceneIn(t *testing.T, box *graphtest.Mailbox, mailbox, listing, after string, mails [][]byte) *scene {
	t.Helper()
	s := &scene{world: w, t: t, dir: t.TempDir(), box: box}
	ids := s.box.DeliverAll("inbox", mails)
	s.config = filepath.Join(s.dir, "config.json")
	c := map[string]any{
		"store": "state.db", "key": map[string]any{"env": "VAGUEMESTRE_KEY"},
		"accounts": []any{map[string]any{"name": "compta", "kind": "microsoft", "settings": map[string]any{"client_id": w.srv.ClientID,
			"tenant": w.srv.Tenant, "authority": w.srv.URL, "graph_url": w.srv.URL, "ca_file": w.srv.CAFile,
			"roles": []string{"send", "send_large", "collect", "shared"}}}},
		"jobs": []any{map[string]any{
			"name":          "crash",
			"launcher":      map[string]any{"kind": "office365", "settings": map[string]any{"account": "compta", "mailbox": mailbox, "listing": listing}},
			"filters":       map[string]any{"include": []string{`/.*\.(?!db).*/`}},
			"after":         map[string]any{"do": after, "target": "Traités"},
			"after_refused": map[string]any{"do": "seen"},
			"sink":          map[string]any{"kind": "dir", "settings": map[string]any{"path": "in", "sidecar": true}},
		}}}
	b, _ := json.Marshal(c)
	if err := os.WriteFile(s.config, b, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(s.dir, "in"), 0o755)
	ctx := testContext(t)
	st, err := openStore(ctx, filepath.Join(s.dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Tokens().Save(ctx, "grant/compta", w.grant, 0); err != nil {
		t.Fatal(err)
	}
	l := &launcher.Office365{Account: w.reader, Mailbox: mailbox}
	se, err := l.Connect(ctx, &cold.ConnectOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer se.Close()
	for cursor := ""; ; {
		page, err := se.List(ctx, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			s.keys = append(s.keys, it.Key)
		}
		if cursor = page.Cursor; !page.More {
			break
		}
	}
	if len(s.keys) != len(mails) {
		t.Fatalf("%d items of %d mails", len(s.keys), len(mails))
	}
	// in the order of the mails
	place := map[string]int{}
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(s.keys, func(a, b string) int { return order(place, a) - order(place, b) })
	return s
}

// order finds the place of the message that a key names: its id is the end of it.
func order(place map[string]int, key string) int {
	for id, i := range place {
		if strings.Contains(key, strings.TrimRight(id, "=")) {
			return i
		}
	}
	return -1
}

func (s *scene) run(crash, stepLog string, kill time.Duration) (killed bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, "-config", s.config, "-once", "-json")
	cmd.Env = append(os.Environ(), "VAGUEMESTRE_CRASH="+crash, "VAGUEMESTRE_STEPS="+stepLog, "VAGUEMESTRE_KEY="+keyText)
	var out bytes.Buffer
	cmd.Stderr = &out // its report of documents is long
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	if kill > 0 {
		time.AfterFunc(kill, func() { cmd.Process.Kill() })
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 && ctx.Err() == nil {
		return true
	}
	if err != nil {
		s.t.Fatalf("collect: %v\n%.3000s", err, out.String())
	}
	return false
}

// end is all that can be seen afterwards, in an order of its own.
func (s *scene) end() []string {
	s.t.Helper()
	var lines []string
	in := filepath.Join(s.dir, "in")
	err := filepath.WalkDir(in, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(in, p)
		if d.IsDir() && rel == ".vaguemestre" {
			return fs.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(p)
		if strings.HasSuffix(rel, ".json") {
			lines = append(lines, "sidecar "+s.sidecar(data))
			return err
		}
		lines = append(lines, "file "+hash(data))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.box.Messages("") {
		lines = append(lines, fmt.Sprintf("mail %s %s read=%v %v %s", m.Folder, m.MessageID, m.Read, m.Categories, hash(m.Raw)))
	}
	for _, f := range s.box.Folders() {
		lines = append(lines, "folder "+f)
	}
	st, err := openStore(testContext(s.t), filepath.Join(s.dir, "state.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	for i, k := range s.keys {
		e, err := st.Ledger().Explain(testContext(s.t), "crash", k)
		if err != nil || e == nil {
			s.t.Fatalf("explain %s: %v, %v", k, e, err)
		}
		lines = append(lines, fmt.Sprintf("item %d %s attempts=%d %s", i, e.State, e.Attempts, e.Action.Do))
		for _, d := range e.Docs {
			lines = append(lines, fmt.Sprintf("document %d %q %s %d %s %s", i, d.Name, d.SHA256, d.Size, d.Decision, d.Reason))
		}
	}
	slices.Sort(lines)
	return lines
}

// sidecar drops from a sidecar what differs between two mailboxes: the item's key, what is
// made of it, and the number that a name gets when another of that name came first: mails
// are fetched side by side.
func (s *scene) sidecar(data []byte) string {
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		s.t.Errorf("sidecar: %v", err)
	}
	delete(v, "key")
	delete(v, "name") // original_name stays
	b, _ := json.Marshal(v)
	text := string(b)
	for i, k := range s.keys {
		q, _ := json.Marshal(k)
		text = strings.ReplaceAll(text, string(q), fmt.Sprintf("%q", fmt.Sprint("item ", i)))
	}
	return text
}

func compare(t *testing.T, where string, got, want []string) {
	t.Helper()
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	for _, l := range got {
		count[l]--
	}
	shown := 0
	for l, n := range count {
		if n != 0 && shown < 8 {
			shown++
			t.Errorf("%s: %d missing (negative: too many) of %q", where, n, l)
		}
	}
	if shown > 0 {
		t.FailNow()
	}
}

func TestCrashAtEveryStep(t *testing.T) {
	w := newWorld(t)
	mails := crashMails(8)
	hit := map[string]bool{}
	kills := 0
	for _, sc := range []struct{ listing, after string }{{"delta", "move"}, {"full", "delete"}, {"delta", "tag"}, {"full", "seen"}} {
		name := sc.listing + " " + sc.after
		log := filepath.Join(t.TempDir(), "steps")
		calm := w.scene(t, sc.listing, sc.after, mails)
		calm.run("", log, 0)
		want := calm.end()
		calm.run("", "", 0)
		compare(t, name+": a second run", calm.end(), want)
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, l := range strings.Fields(string(b)) {
			count[l]++
			hit[l] = true
			if count[l] > 3 && os.Getenv("VAGUEMESTRE_LONG") == "" && count[l]%5 != 0 {
				continue
			}
			at := fmt.Sprintf("%s:%d", l, count[l])
			s := w.scene(t, sc.listing, sc.after, mails)
			if !s.run(at, "", 0) {
				t.Fatalf("%s %s: the run was not killed", name, at)
			}
			kills++
			s.run("", "", 0)
			s.run("", "", 0) // what the first run after a crash leaves to the next
			compare(t, name+" "+at, s.end(), want)
		}
	}
	for _, st := range step.All {
		kind, _, _ := strings.Cut(string(st), ".")
		if !slices.Contains([]string{"ledger", "dir", "sink", "settle", "graph", "token"}, kind) {
			continue
		}
		for _, when := range []string{"before", "after"} {
			if !hit[string(st)+":"+when] {
				t.Errorf("step %s was never hit %s", st, when)
			}
		}
	}
	t.Logf("%d kills at %d steps: 0 lost, 0 duplicates", kills, len(hit))
}

func TestCrashAtRandom(t *testing.T) {
	w := newWorld(t)
	mails := crashMails(60)
	w.scene(t, "delta", "move", mails).run("", "", 0) // the first run of a program takes longer
	calm := w.scene(t, "delta", "move", mails)
	begun := time.Now()
	calm.run("", "", 0)
	took := time.Since(begun)
	want := calm.end()
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	kills, scenes := 0, 0
	for kills < 100 {
		scenes++
		s := w.scene(t, []string{"delta", "full"}[scenes%2], "move", mails)
		for range 10 {
			if !s.run("", "", time.Duration(random.Int64N(int64(took)))+time.Millisecond) {
				break
			}
			kills++
		}
		s.run("", "", 0)
		s.run("", "", 0)
		compare(t, fmt.Sprintf("mailbox %d after %d kills", scenes, kills), s.end(), want)
	}
	t.Logf("%d kills over %d mailboxes: 0 lost, 0 duplicates", kills, scenes)
}

// TestCrashFiveThousand: a long mailbox, shared or the person's own, whose run is killed over
// and over.
func TestCrashFiveThousand(t *testing.T) {
	w := newWorld(t)
	var mails [][]byte
	for i := range 5000 {
		mails = append(mails, fmt.Appendf(nil, "From: a@example.org\r\nTo: b@example.org\r\nSubject: %d\r\nMessage-ID: <m%d@example.org>\r\nMIME-Version: 1.0\r\n"+
			"Content-Type: text/plain; name=\"facture-%d.txt\"\r\nContent-Disposition: attachment; filename=\"facture-%d.txt\"\r\n\r\nfacture %d\r\n", i, i, i, i, i))
	}
	for _, listing := range []string{"delta", "full"} {
		t.Run(listing, func(t *testing.T) {
			var s *scene
			if listing == "delta" {
				s = w.scene(t, listing, "leave", mails)
			} else {
				s = w.sceneIn(t, w.own, "", listing, "leave", mails)
			}
			kills := 0
			for s.run("", "", 400*time.Millisecond+time.Duration(rand.Int64N(int64(2*time.Second)))) {
				if kills++; kills == 8 && os.Getenv("VAGUEMESTRE_LONG") == "" || kills == 50 {
					break
				}
			}
			s.run("", "", 0)
			got := map[string]int{}
			filepath.WalkDir(filepath.Join(s.dir, "in"), func(p string, d fs.DirEntry, err error) error {
				if err == nil && strings.HasSuffix(p, ".txt") {
					b, _ := os.ReadFile(p)
					got[string(b)]++
				}
				return nil
			})
			twice := 0
			for _, n := range got {
				if n > 1 {
					twice++
				}
			}
			t.Logf("%d kills: %d of 5000 documents, %d twice", kills, len(got), twice)
			if len(got) != 5000 || twice > 0 {
				t.Errorf("%d documents, %d twice", len(got), twice)
			}
			s.srv.ResetCalls()
			s.run("", "", 0)
			if n := s.srv.Count("messages.value"); n > 0 {
				t.Errorf("a further run fetched %d mails again", n)
			}
		})
	}
}
