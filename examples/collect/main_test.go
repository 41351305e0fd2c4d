package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// site is a mailbox and a configuration file that collects it.
type site struct {
	t    *testing.T
	dir  string
	srv  *demo.Server
	file demo.Object
	job  demo.Object // the one job of file
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	srv, err := demo.Start(dir, demo.Mails())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	job := demo.Object{"name": "factures", "launcher": srv.Launcher(), "filters": demo.Object{"include": []string{`/.*\.(?!db).*/`}},
		"after": demo.Object{"do": "move", "target": "Traités"}, "sink": demo.Object{"kind": "dir", "settings": demo.Object{"path": "in"}}}
	return &site{t: t, dir: dir, srv: srv, job: job, file: demo.Object{"jobs": []any{job}}}
}

// launcher is the settings of the job's launcher.
func (s *site) launcher() demo.Object {
	return s.job["launcher"].(demo.Object)["settings"].(demo.Object)
}

// result is what a run of the program left.
type result struct {
	code           int
	stdout, stderr string
}

func (s *site) config() string {
	s.t.Helper()
	path, err := demo.Write(s.dir, s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *site) run(args ...string) result {
	s.t.Helper()
	return program(s.t.Context(), append([]string{"-config", s.config()}, args...)...)
}

func program(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	code := run(ctx, args, &out, &errs)
	return result{code, out.String(), errs.String()}
}

// files lists what a person sees in a directory.
func (s *site) files(name string) []string {
	entries, err := os.ReadDir(filepath.Join(s.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out
}

// wanted are the documents that the filter takes.
var wanted = []string{"Bon de commande n°77.pdf", "Devis toiture école Noël.docx", "Délibération du 12 mai.pdf",
	"Facture été n°114.pdf", "PES_ALLER_cantine_été.xml", "debut_nom_fichier_0001.pdf"}

func TestOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.run("-once")
	if r.code != 0 {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	if got := s.files("in"); !slices.Equal(got, wanted) {
		t.Errorf("the sink holds %q, want %q", got, wanted)
	}
	if in, done := s.srv.Folder("INBOX"), s.srv.Folder("Traités"); in != 1 || done != 5 {
		t.Errorf("INBOX has %d mails and Traités %d, want 1 and 5", in, done)
	}
	last := "6 items read: 6 documents delivered (287 bytes), 1 refused, 0 held, 0 quarantined\n"
	if !strings.HasSuffix(r.stdout, last) || strings.Count(r.stdout, "\n") != 8 {
		t.Errorf("printed\n%s\nwant a line for each of 7 documents and then\n%s", r.stdout, last)
	}
	// a second pass takes nothing
	if r = s.run("-once"); r.code != 0 || r.stdout != "0 items read: 0 documents delivered (0 bytes), 0 refused, 0 held, 0 quarantined\n" {
		t.Errorf("second pass: exit %d, %s", r.code, r.stdout)
	}
	if got := s.files("in"); !slices.Equal(got, wanted) {
		t.Errorf("after a second pass the sink holds %q", got)
	}
}

// jsonLines checks that every line is an object with exactly these keys in this order.
func jsonLines(t *testing.T, out string) (docs []map[string]any, summary map[string]any) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, line := range lines {
		want := []string{"job", "item", "document", "name", "size", "sha256", "decision", "reason"}
		of := []byte(line)
		if i == len(lines)-1 {
			var last map[string]json.RawMessage
			if err := json.Unmarshal(of, &last); err != nil || len(last) != 1 || last["summary"] == nil {
				t.Fatalf("the last line is %s", line)
			}
			of, want = last["summary"], []string{"items", "delivered", "refused", "held", "quarantined", "bytes"}
		}
		if got := keys(t, of); !slices.Equal(got, want) {
			t.Errorf("line %d has the keys %q, want %q", i+1, got, want)
		}
		var v map[string]any
		if err := json.Unmarshal(of, &v); err != nil {
			t.Fatal(err)
		}
		if i == len(lines)-1 {
			return docs, v
		}
		docs = append(docs, v)
	}
	return nil, nil
}

// keys lists the keys of a flat JSON object in their order.
func keys(t *testing.T, object []byte) []string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	var out []string
	for i := 0; ; i++ {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if k, ok := tok.(string); ok && i%2 == 1 { // after the brace, keys and values in turns
			out = append(out, k)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dry := s.run("-dry-run", "-json")
	real := s.run("-once", "-json")
	for name, r := range map[string]result{"dry run": dry, "run": real} {
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%s: exit %d, %s", name, r.code, r.stderr)
		}
		docs, sum := jsonLines(t, r.stdout)
		var got []string
		for _, d := range docs {
			switch d["decision"] {
			case "delivered":
				got = append(got, d["name"].(string))
			case "refused":
				if d["name"] != "Thumbs.db" || d["reason"] != `not included by /.*\.(?!db).*/` {
					t.Errorf("%s: %v", name, d)
				}
			default:
				t.Errorf("%s: decision %v", name, d["decision"])
			}
			if d["job"] != "factures" || !strings.HasPrefix(d["item"].(string), "imap://") || len(d["sha256"].(string)) != 64 {
				t.Errorf("%s: %v", name, d)
			}
			if key := d["document"].(string); name == "run" && len(key) != 64 { // a dry run without a ledger has none
				t.Errorf("document key %q", key)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s delivers %q, want %q", name, got, wanted)
		}
		for k, want := range map[string]float64{"items": 6, "delivered": 6, "refused": 1, "held": 0, "quarantined": 0, "bytes": 287} {
			if sum[k] != want {
				t.Errorf("%s: the summary says %s %v, want %v", name, k, sum[k], want)
			}
		}
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.srv.Unseen("INBOX")
	r := s.run("-dry-run")
	if r.code != 0 || !strings.Contains(r.stdout, "would be delivered") || !strings.Contains(r.stdout, "nothing was changed; a run would come to: 6 items read: 6 documents delivered") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if n, unseen, done := s.srv.Folder("INBOX"), s.srv.Unseen("INBOX"), s.srv.Folder("Traités"); n != 6 || unseen != before || done != 0 {
		t.Errorf("INBOX has %d mails, %d of them unread (before %d), Traités %d", n, unseen, before, done)
	}
	if got := s.files("."); !slices.Equal(got, []string{"ca.pem", "config.json"}) {
		t.Errorf("a dry run left %q", got)
	}
	// once there is a ledger, a dry run knows what was taken and writes nothing there either
	if r := s.run("-once"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if err := s.srv.Deliver(demo.Mails()[0]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, sum := jsonLines(t, s.run("-dry-run", "-json").stdout); sum["items"] != 1.0 || sum["delivered"] != 1.0 {
			t.Errorf("the dry run after a run says %v, want the one new mail", sum)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	docs, _ := jsonLines(t, s.run("-once", "-json").stdout)
	item := docs[0]["item"].(string)
	r := s.run("-explain", item)
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	for _, want := range []string{item, "factures", "done", "move Traités: done", `"Facture été n°114.pdf"`, `"Thumbs.db"`,
		"not included by", "included by", "this text of the mail is not taken"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("it does not tell %q:\n%s", want, r.stdout)
		}
	}
	var e struct {
		Job, Item, State string
		Documents        []struct{ Name, Decision, Reason string }
	}
	if err := json.Unmarshal([]byte(s.run("-explain", item, "-json").stdout), &e); err != nil {
		t.Fatal(err)
	}
	if e.Job != "factures" || e.Item != item || e.State != "done" || len(e.Documents) != 3 {
		t.Errorf("as JSON: %+v", e)
	}
}

// loopOutput tells when a line was printed.
type loopOutput struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *loopOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *loopOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestLoop(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.job["every"] = "1s"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs loopOutput
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-config", s.config(), "-json"}, &out, &errs) }()
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come\n%s%s", what, out.String(), errs.String())
			}
		}
	}
	until("the first pass", func() bool { return s.srv.Folder("Traités") == 5 })
	if err := s.srv.Deliver(demo.Mails()[1]); err != nil {
		t.Fatal(err)
	}
	until("the next pass", func() bool { return s.srv.Folder("Traités") == 6 })
	stopped := time.Now()
	cancel() // as Ctrl-C does
	select {
	case code := <-ended:
		if took := time.Since(stopped); code != 0 || took > 2*time.Second {
			t.Errorf("exit %d after %v: %s", code, took, errs.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loop does not end")
	}
	docs, sum := jsonLines(t, out.String())
	if len(docs) != 9 || sum["delivered"] != 8.0 || sum["refused"] != 1.0 {
		t.Errorf("%d documents and the summary %v", len(docs), sum)
	}
	if errs.String() != "" {
		t.Errorf("standard error: %s", errs.String())
	}
}

func TestLoopGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.job["every"] = "1s"
	s.srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs loopOutput
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-config", s.config()}, &out, &errs) }()
	for deadline := time.Now().Add(20 * time.Second); strings.Count(errs.String(), "next try in 1s") < 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not try again: %s", errs.String())
		}
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.config()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := program(ctx, "-config", path, "-once"); r.code != 1 || !strings.Contains(r.stderr, "run it again") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}
