//go:build crash

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/mailgen"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/internal/step"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// The method is mbsync's: one run that is left alone says which steps there are and how
// the end looks; then, for every step, a fresh mailbox, a run that is killed there, a
// run that is not, and the same end.

// program is examples/collect built so that it kills itself where it is told to.
func program(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "collect")
	if out, err := exec.Command("go", "build", "-tags", "crash", "-o", bin, "../examples/collect").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// scene is one mailbox with its directory and ledger.
type scene struct {
	t      *testing.T
	bin    string
	user   string
	dir    string
	config string
	keys   []string // of the items, in the order of the mailbox
}

// crashMails are the mails of a scene.
func crashMails(n int) [][]byte {
	var raws [][]byte
	for i := range n {
		raw, _ := mailgen.Mail(11, i)
		if len(raw) > 200_000 {
			raw, _ = mailgen.Mail(11, i+10_000)
		}
		raws = append(raws, lf(raw))
	}
	return raws
}

func newScene(t *testing.T, bin, user string, v mailstack.Variant, after string, mails [][]byte) *scene {
	t.Helper()
	s := &scene{t: t, bin: bin, user: user, dir: t.TempDir()}
	if err := servers.Append(user, "INBOX", mails...); err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(s.dir, "config.json")
	c := map[string]any{"jobs": []any{map[string]any{
		"name": "crash",
		"launcher": map[string]any{"kind": "imap", "settings": map[string]any{"host": servers.Host(v), "port": servers.IMAP, "tls": "none",
			"allow_insecure_auth": true, "account": servers.Address(user), "password": mailstack.Password}},
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
	// the keys, read before anything moves
	l := imapOf(user)
	l.Host = servers.Host(v)
	se, err := l.Connect(testContext(t), &cold.ConnectOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer se.Close()
	page, err := se.List(testContext(t), "")
	if err != nil || len(page.Items) != len(mails) {
		t.Fatalf("%d items, %v", len(page.Items), err)
	}
	for _, it := range page.Items {
		s.keys = append(s.keys, it.Key)
	}
	return s
}

// run runs collect once. crash is "" or where it kills itself; kill is when it is
// killed from outside, 0 for never.
func (s *scene) run(crash, stepLog string, kill time.Duration) (killed bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, "-config", s.config, "-once", "-json")
	cmd.Env = append(os.Environ(), "VAGUEMESTRE_CRASH="+crash, "VAGUEMESTRE_STEPS="+stepLog)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
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
			lines = append(lines, "sidecar "+rel+" "+sidecar(s.t, data, s.keys))
			return err
		}
		lines = append(lines, "file "+rel+" "+hash(data))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range []string{"INBOX", "Traités"} {
		ms, err := servers.Folder(s.user, f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.t.Fatal(err)
		}
		for _, m := range ms {
			h, err := mail.ReadMessage(bytes.NewReader(m.Raw))
			id := ""
			if err == nil {
				id = h.Header.Get("Message-ID")
			}
			lines = append(lines, fmt.Sprintf("mail %s %s flags=%s %s", f, id, m.Flags, hash(lf(m.Raw))))
		}
	}
	st, err := sqlite.Open(testContext(s.t), filepath.Join(s.dir, "state.db"), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	for i, k := range s.keys {
		e, err := st.Ledger().Explain(testContext(s.t), "crash", k)
		if err != nil || e == nil {
			s.t.Fatalf("explain %s: %v, %v", k, e, err)
		}
		lines = append(lines, fmt.Sprintf("item %d %s attempts=%d %s %s", i, e.State, e.Attempts, e.Action.Do, strings.SplitN(e.Receipt, " ", 2)[0]))
		for _, d := range e.Docs {
			lines = append(lines, fmt.Sprintf("document %d %q %s %d %s %s", i, d.Name, d.SHA256, d.Size, d.Decision, d.Reason))
		}
	}
	slices.Sort(lines)
	return lines
}

// sidecar drops from a sidecar what differs between two mailboxes: the item's key and
// what is made of it.
func sidecar(t *testing.T, data []byte, keys []string) string {
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Errorf("sidecar: %v", err)
	}
	delete(v, "key")
	b, _ := json.Marshal(v)
	s := string(b)
	for i, k := range keys {
		q, _ := json.Marshal(k)
		s = strings.ReplaceAll(s, string(q), fmt.Sprintf("%q", fmt.Sprint("item ", i)))
	}
	return s
}

func compare(t *testing.T, where string, got, want []string) {
	t.Helper()
	same(t, where, got, want)
	if t.Failed() {
		t.FailNow()
	}
}

func TestCrashAtEveryStep(t *testing.T) {
	stack(t)
	bin := program(t)
	mails := crashMails(12)
	hit := map[string]bool{}
	kills := 0
	for _, sc := range []struct {
		name    string
		variant mailstack.Variant
		after   string
	}{{"move", mailstack.Good, "move"}, {"copy", mailstack.NoMove, "move"}, {"delete", mailstack.Good, "delete"}} {
		n := 0
		name := func() string { n++; return fmt.Sprintf("crash-%s-%d", sc.name, n) }
		log := filepath.Join(t.TempDir(), "steps")
		calm := newScene(t, bin, name(), sc.variant, sc.after, mails)
		calm.run("", log, 0)
		want := calm.end()
		calm.run("", "", 0)
		compare(t, sc.name+": a second run", calm.end(), want)
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, l := range strings.Fields(string(b)) {
			count[l]++
			hit[l] = true
			if count[l] > 4 && os.Getenv("VAGUEMESTRE_LONG") == "" && count[l]%5 != 0 {
				continue // a step that is hit per document: its first times, then some
			}
			at := fmt.Sprintf("%s:%d", l, count[l])
			s := newScene(t, bin, name(), sc.variant, sc.after, mails)
			if !s.run(at, "", 0) {
				t.Fatalf("%s %s: the run was not killed", sc.name, at)
			}
			kills++
			s.run("", "", 0)
			s.run("", "", 0) // what the first run after a crash leaves to the next
			compare(t, sc.name+" "+at, s.end(), want)
		}
	}
	for _, st := range step.All {
		kind, _, _ := strings.Cut(string(st), ".")
		if st == step.LedgerCursor || !slices.Contains([]string{"ledger", "dir", "sink", "settle", "imap"}, kind) {
			continue // of launchers with a lasting cursor, see TestCrashCursor; of other protocols, see their crash tests
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
	stack(t)
	bin := program(t)
	mails := crashMails(60)
	calm := newScene(t, bin, "crash-random-calm", mailstack.Good, "move", mails)
	begun := time.Now()
	calm.run("", "", 0)
	took := time.Since(begun)
	want := calm.end()
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	kills, scenes := 0, 0
	for kills < 200 {
		scenes++
		s := newScene(t, bin, fmt.Sprintf("crash-random-%d", scenes), mailstack.Good, "move", mails)
		// a mailbox is killed again and again until a run gets through
		for try := 0; try < 10; try++ {
			if !s.run("", "", time.Duration(random.Int64N(int64(took)))+time.Millisecond) {
				break
			}
			kills++
		}
		s.run("", "", 0)
		s.run("", "", 0)
		compare(t, fmt.Sprintf("mailbox %d after %d kills", scenes, kills), s.end(), want)
		servers.Clear(s.user)
	}
	t.Logf("%d kills over %d mailboxes: 0 lost, 0 duplicates", kills, scenes)
}
