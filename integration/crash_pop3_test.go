//go:build crash

package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// newPopScene is a scene whose mails are collected by POP3; what is delivered is deleted,
// what is refused is left.
func newPopScene(t *testing.T, bin, user string, mails [][]byte) *scene {
	t.Helper()
	s := &scene{t: t, bin: bin, user: user, dir: t.TempDir()}
	if err := servers.Append(user, "INBOX", mails...); err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(s.dir, "config.json")
	b, _ := json.Marshal(map[string]any{"jobs": []any{map[string]any{
		"name": "crash",
		"launcher": map[string]any{"kind": "pop3", "settings": map[string]any{"host": servers.Host(mailstack.Good), "port": servers.POP3, "tls": "none",
			"allow_insecure_auth": true, "account": servers.Address(user), "password": mailstack.Password}},
		"filters": map[string]any{"include": []string{`/.*\.(?!db).*/`}},
		"after":   map[string]any{"do": "delete"},
		"sink":    map[string]any{"kind": "dir", "settings": map[string]any{"path": "in", "sidecar": true}},
	}}})
	if err := os.WriteFile(s.config, b, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(s.dir, "in"), 0o755)
	se, err := popOf(user).Connect(testContext(t), &cold.ConnectOptions{ReadOnly: true})
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

var mailFlags = regexp.MustCompile(` flags=\S*`)

// popEnd is the end without the flags of the mails that are left: Dovecot marks what was
// read, by itself, when QUIT comes.
func (s *scene) popEnd() []string {
	lines := s.end()
	for i, l := range lines {
		if strings.HasPrefix(l, "mail ") {
			lines[i] = mailFlags.ReplaceAllString(l, "")
		}
	}
	return lines
}

func TestCrashPOP3AtEveryStep(t *testing.T) {
	stack(t)
	bin := program(t)
	mails := crashMails(12)
	n := 0
	name := func() string { n++; return fmt.Sprintf("crash-pop3-%d", n) }
	log := filepath.Join(t.TempDir(), "steps")
	calm := newPopScene(t, bin, name(), mails)
	calm.run("", log, 0)
	want := calm.popEnd()
	calm.run("", "", 0)
	compare(t, "a second run", calm.popEnd(), want)
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	kills := 0
	for _, l := range strings.Fields(string(b)) {
		count[l]++
		if count[l] > 4 && os.Getenv("VAGUEMESTRE_LONG") == "" && count[l]%5 != 0 {
			continue // a step that is hit per document: its first times, then some
		}
		at := fmt.Sprintf("%s:%d", l, count[l])
		s := newPopScene(t, bin, name(), mails)
		if !s.run(at, "", 0) {
			t.Fatalf("%s: the run was not killed", at)
		}
		kills++
		s.run("", "", 0)
		s.run("", "", 0) // what the first run after a crash leaves to the next
		compare(t, at, s.popEnd(), want)
	}
	for _, st := range []step.Name{step.POP3Dele, step.POP3Quit, step.Settle, step.SinkPut, step.LedgerRecord} {
		for _, when := range []string{"before", "after"} {
			if count[string(st)+":"+when] == 0 {
				t.Errorf("step %s was never hit %s", st, when)
			}
		}
	}
	t.Logf("%d kills at %d steps: 0 lost, 0 duplicates", kills, len(count))
}

func TestCrashPOP3AtRandom(t *testing.T) {
	stack(t)
	bin := program(t)
	mails := crashMails(60)
	calm := newPopScene(t, bin, "crash-pop3-random-calm", mails)
	begun := time.Now()
	calm.run("", "", 0)
	took := time.Since(begun)
	want := calm.popEnd()
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	kills, scenes := 0, 0
	for kills < 100 {
		scenes++
		s := newPopScene(t, bin, fmt.Sprintf("crash-pop3-random-%d", scenes), mails)
		// a mailbox is killed again and again until a run gets through
		for try := 0; try < 10; try++ {
			if !s.run("", "", time.Duration(random.Int64N(int64(took)))+time.Millisecond) {
				break
			}
			kills++
		}
		s.run("", "", 0)
		s.run("", "", 0)
		compare(t, fmt.Sprintf("mailbox %d after %d kills", scenes, kills), s.popEnd(), want)
		servers.Clear(s.user)
	}
	t.Logf("%d kills over %d mailboxes: 0 lost, 0 duplicates", kills, scenes)
}
