package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
)

func load(t *testing.T, text string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

// TestWholeFile: every key that a file may hold reaches the job.
func TestWholeFile(t *testing.T) {
	t.Parallel()
	f, err := load(t, `{"store":"a/state.db","connectors":[{"name":"main","kind":"smtp","settings":{"host":"smtp.example.org","ca_file":"ca.pem"}}],
 "services":{"mail":{"default":"main","instances":{"relances":{"connector":"main"}}}},
 "jobs":[{"name":"factures","launcher":{"kind":"imap","settings":{"host":"imap.example.org","account":"a","password":"b","ca_file":"ca.pem"}},
   "select":{"from":["@example.org"],"to":["ged@"],"subject":"facture","max_age":"240h","min_size":1,"max_size":9,"unseen":true},
   "filters":{"include":["/.*\\.(?!db).*/"],"exclude":["*.exe"],"media_types":["application/pdf"],"min_size":2,"max_size":8},
   "take":{"attachments":true,"inline":true,"nested":"both","bodies":"text","eml":true,"containers":["zip","p7m"]},"decoders":[],
   "after":{"do":"move","target":"Traités"},"after_refused":{"do":"seen"},"sink":{"kind":"dir","settings":{"path":"in","sidecar":true}},
   "max_items":3,"max_bytes":4,"max_time":"5m","every":"6m"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := f.Router(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	jobs, err := f.Cold(nil)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	j := jobs[0]
	dir, sink := f.dir, j.Sink.(*cold.DirSink)
	got := fmt.Sprintf("%s %s %v %d %v %v %v %v %s %v %s", f.storePath(), j.Name, j.Select, len(j.Filters.Include)+len(j.Filters.Exclude), j.Filters.MediaTypes,
		j.Take, j.After, j.AfterRefused, sink.Path, sink.Sidecar, j.Launcher.(*launcher.IMAP).CAFile)
	want := fmt.Sprintf("%s factures %v 2 [application/pdf] %v %v %v %s true %s", filepath.Join(dir, "a", "state.db"),
		cold.Select{From: []string{"@example.org"}, To: []string{"ged@"}, Subject: "facture", MaxAge: 240 * time.Hour, MinSize: 1, MaxSize: 9, Unseen: true},
		cold.Take{Attachments: true, Inline: true, Nested: cold.NestedBoth, Bodies: cold.BodiesText, EML: true,
			Containers: []cold.Container{cold.ContainerZip, cold.ContainerP7M}},
		cold.MoveTo("Traités"), cold.MarkSeen(), filepath.Join(dir, "in"), filepath.Join(dir, "ca.pem"))
	if got != want {
		t.Errorf("the job is\n%s\nwant\n%s", got, want)
	}
	if l := j.Limits; l.Items != 3 || l.Bytes != 4 || l.Time != 5*time.Minute || f.Jobs[0].Every != 6*time.Minute {
		t.Errorf("limits %+v, every %v", l, f.Jobs[0].Every)
	}
	if j.Filters.MinSize != 2 || j.Filters.MaxSize != 8 {
		t.Errorf("filters %+v", j.Filters)
	}
}

// TestWrongContainer: a kind that nobody can open is refused where it stands.
func TestWrongContainer(t *testing.T) {
	t.Parallel()
	_, err := load(t, `{"jobs":[{"name":"a","launcher":{"kind":"imap","settings":{"host":"imap.example.org","account":"a","password":"b"}},
		"take":{"containers":["zip","rar"]},"sink":{"kind":"dir","settings":{"path":"in"}}}]}`)
	if err == nil || !strings.Contains(err.Error(), "jobs[0].take.containers[1]") || !strings.Contains(err.Error(), "zip, tar, gzip, tnef, p7m") {
		t.Errorf("the kind rar: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	f, err := load(t, `{"jobs":[{"name":"a","launcher":{"kind":"imap","settings":{"host":"imap.example.org","account":"a","password":"b"}},
		"sink":{"kind":"dir","settings":{"path":"in"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := f.Cold(nil)
	if err != nil {
		t.Fatal(err)
	}
	if j := jobs[0]; !j.Take.Attachments || j.Take.Nested != cold.NestedExpand || j.After != cold.Leave() || f.Jobs[0].Every != 5*time.Minute ||
		filepath.Base(f.storePath()) != "state.db" {
		t.Errorf("take %+v, after %+v, every %v, store %s", j.Take, j.After, f.Jobs[0].Every, f.storePath())
	}
	if k, err := f.keyring(); k != nil || err != nil {
		t.Errorf("without a key: %v, %v", k, err)
	}
}

func TestSentenceAndCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
		code int
	}{
		{errors.Join(errors.New("a"), errors.New("b")), "a; b", 1},
		{&vaguemestre.Error{Op: "x", Class: vaguemestre.ClassCanceled, Err: context.Canceled}, "stopped before the end; run it again to go on", 1},
		{&vaguemestre.Error{Op: "x", Class: vaguemestre.ClassConfig, Err: errors.New("y")}, "x: y", 2},
	} {
		if got := Sentence(c.err); got != c.want || Code(c.err) != c.code || strings.Contains(got, "\n") {
			t.Errorf("%v gives %q, exit %d", c.err, got, Code(c.err))
		}
	}
}
