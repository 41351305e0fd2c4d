package integration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/internal/mailgen"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/settings"
)

var (
	servers *mailstack.Stack
	missing error // why there are none
)

func TestMain(m *testing.M) {
	code := func() int {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		servers, missing = mailstack.Start(ctx, &mailstack.Options{SizeLimit: 4 << 20})
		if missing != nil && (os.Getenv("CI") == "true" || !errors.Is(missing, mailstack.ErrMissing)) {
			fmt.Fprintln(os.Stderr, "integration:", missing)
			return 1
		}
		if missing != nil {
			fmt.Fprintln(os.Stderr, "integration: skipped:", missing)
		} else {
			defer servers.Stop()
		}
		code := m.Run()
		if code != 0 && servers != nil {
			l := servers.Log()
			fmt.Fprintln(os.Stderr, l[max(0, len(l)-10_000):])
		}
		return code
	}()
	os.Exit(code)
}

// stack gives the servers, or skips the test.
func stack(t testing.TB) *mailstack.Stack {
	t.Helper()
	if missing != nil {
		t.Skip(missing)
	}
	return servers
}

// user names a user of the test's own; every name is one.
func user(t testing.TB) string {
	t.Helper()
	stack(t)
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.TrimPrefix(t.Name(), "Test")))
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// imapOf is a launcher for the user's INBOX over plain IMAP.
func imapOf(user string) *launcher.IMAP {
	return &launcher.IMAP{Host: servers.Host(mailstack.Good), Port: servers.IMAP, TLS: launcher.TLSNone, AllowInsecureAuth: true,
		Account: servers.Address(user), Password: settings.Secret(mailstack.Password), CAFile: servers.CAFile, Timeout: 20 * time.Second}
}

// fill puts n generated mails into a folder, as servers store them, and returns their
// entries and their bytes as IMAP shows them.
func fill(t testing.TB, user, folder string, n int) ([]mailgen.Entry, [][]byte) {
	t.Helper()
	var es []mailgen.Entry
	var raws, stored [][]byte
	for i := range n {
		raw, e := mailgen.Mail(7, i)
		es, raws = append(es, e), append(raws, raw)
		stored = append(stored, lf(raw))
	}
	if err := stack(t).Append(user, folder, stored...); err != nil {
		t.Fatal(err)
	}
	return es, raws
}

func lf(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "\r\n", "\n")) }

// basket is a sink that notes what it gets.
type basket struct {
	mu   sync.Mutex
	keys map[string]string // key: "name sha256"
	twin int               // keys that came twice
}

func (b *basket) Put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys == nil {
		b.keys = map[string]string{}
	}
	for _, d := range docs {
		r, err := d.Open()
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		r.Close()
		if err != nil {
			return nil, err
		}
		if _, ok := b.keys[d.Key]; ok {
			b.twin++
		}
		b.keys[d.Key] = d.Name + " " + hex.EncodeToString(h.Sum(nil))
	}
	return make([]cold.Stored, len(docs)), nil
}

func (b *basket) list() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, v := range b.keys {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// wanted lists the attachments that a default job takes out of the mails, as basket does.
func wanted(es []mailgen.Entry) []string {
	var out []string
	for _, e := range es {
		for _, f := range e.Files {
			if !f.Inline {
				out = append(out, f.Name+" "+f.SHA256)
			}
		}
	}
	slices.Sort(out)
	return out
}

// same fails the test with the differences of two sorted lists.
func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	count := map[string]int{}
	for _, s := range want {
		count[s]++
	}
	for _, s := range got {
		count[s]--
	}
	shown := 0
	for s, n := range count {
		if n != 0 && shown < 8 {
			shown++
			t.Errorf("%s: %d missing (negative: too many) of %q", what, n, s)
		}
	}
}

func run(t testing.TB, j *cold.Job) cold.Summary {
	t.Helper()
	s, err := j.Run(testContext(t))
	if err != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	return s
}

// rawOf lists mails as hashes of what IMAP shows, to compare folders.
func rawOf(raws [][]byte) []string {
	var out []string
	for _, r := range raws {
		s := sha256.Sum256(lf(r))
		out = append(out, hex.EncodeToString(s[:8]))
	}
	return out
}

func folder(t testing.TB, user, name string) (mails []mailstack.Mail, hashes []string) {
	t.Helper()
	ms, err := servers.Folder(user, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		hashes = append(hashes, rawOf([][]byte{m.Raw})...)
	}
	return ms, hashes
}

func hash(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
