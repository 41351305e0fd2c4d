package cold_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// file is an attachment of a made mail.
type file struct{ name, data string }

// mail makes a mail with a text and files.
func mail(id string, files ...file) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Message-ID: <%s@example.org>\r\nFrom: Mairie <mairie@example.org>\r\nTo: ged@example.org\r\nSubject: Envoi %s\r\n"+
		"Date: Mon, 05 Jan 2026 08:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n"+
		"--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBonjour\r\n", id, id)
	for _, f := range files {
		fmt.Fprintf(&b, "--b1\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=%q\r\n"+
			"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", f.name, base64.StdEncoding.EncodeToString([]byte(f.data)))
	}
	b.WriteString("--b1--\r\n")
	return []byte(b.String())
}

// memSink keeps documents by key, as a sink with a unique index does.
type memSink struct {
	mu    sync.Mutex
	docs  map[string]string // key: name and content
	calls int
	fail  func([]*cold.Document) error
	skip  func(*cold.Document) string
	then  func()
}

func (s *memSink) Put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		if err := s.fail(docs); err != nil {
			return nil, err
		}
	}
	if s.docs == nil {
		s.docs = map[string]string{}
	}
	out := make([]cold.Stored, len(docs))
	for i, d := range docs {
		if s.skip != nil {
			if out[i].Skip = s.skip(d); out[i].Skip != "" {
				continue
			}
		}
		r, err := d.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return nil, err
		}
		s.docs[d.Key] = d.Name + "=" + string(data)
		out[i].Ref = d.Name
	}
	if s.then != nil {
		s.then()
	}
	return out, nil
}

func (s *memSink) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l []string
	for _, v := range s.docs {
		l = append(l, v)
	}
	slices.Sort(l)
	return l
}

func filter(t *testing.T, s string) cold.Filter {
	t.Helper()
	f, err := cold.ParseFilter(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newJob(t *testing.T) (*cold.Job, *coldtest.MemLauncher, *memSink, *cold.MemoryLedger) {
	m, s, l := &coldtest.MemLauncher{}, &memSink{}, cold.NewMemoryLedger()
	return &cold.Job{Name: "test", Launcher: m, Sink: s, Ledger: l, Scratch: t.TempDir()}, m, s, l
}

func run(t *testing.T, j *cold.Job) cold.Summary {
	t.Helper()
	s, err := j.Run(context.Background())
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return s
}

func TestJobTakesFiltersAndMoves(t *testing.T) {
	j, m, s, l := newJob(t)
	j.Filters.Include = []cold.Filter{filter(t, `/.*\.(?!db).*/`)}
	j.After, j.AfterRefused = cold.MoveTo("Traités"), cold.MarkSeen()
	first := m.AddMail(mail("1", file{"facture.pdf", "un"}, file{"Thumbs.db", "x"}))
	m.AddMail(mail("2", file{"Thumbs.db", "x"}))
	var told []cold.Decided
	j.OnDecision = func(d cold.Decided) { told = append(told, d) }

	if got, want := run(t, j), (cold.Summary{Items: 2, Delivered: 1, Refused: 2, Bytes: 2}); got != want {
		t.Errorf("summary %+v, want %+v", got, want)
	}
	if got := s.names(); !slices.Equal(got, []string{"facture.pdf=un"}) {
		t.Errorf("sink has %q", got)
	}
	if n := len(m.Contents("Traités")); n != 1 {
		t.Errorf("%d mails in Traités, want 1", n)
	}
	if left := m.Contents(""); len(left) != 1 || !left[0].Seen {
		t.Errorf("the refused mail is not where it was, marked seen: %+v", left)
	}
	if len(told) != 3 {
		t.Errorf("%d decisions told, want 3", len(told))
	}
	e, err := l.Explain(context.Background(), "test", first)
	if err != nil || e == nil {
		t.Fatalf("Explain: %v, %v", e, err)
	}
	if len(e.Docs) != 3 {
		t.Errorf("the manifest has %d parts, want 3: the text too", len(e.Docs))
	}
	for _, d := range e.Docs {
		if d.Reason == "" {
			t.Errorf("no reason for %q", d.Name)
		}
	}
	if got, want := run(t, j), (cold.Summary{}); got != want {
		t.Errorf("the second pass did %+v", got)
	}
}

// "Nothing at the source is changed before the documents of the item are safe in the
// sink and that is in the ledger."
func TestJobOrder(t *testing.T) {
	j, m, s, l := newJob(t)
	j.After = cold.Delete()
	for i := range 450 {
		m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)}))
	}
	m.OnSettle = func(it cold.Item, _ cold.After) error {
		e, _ := l.Explain(context.Background(), "test", it.Key)
		if e == nil || e.State != cold.StateActing {
			t.Errorf("after-action on %s, whose entry is %+v", it.Key, e)
			return nil
		}
		for _, d := range e.Docs {
			if d.Decision != cold.Passed && (d.Decision != cold.Delivered || s.docs[d.Key] == "") {
				t.Errorf("after-action on %s before %s was safe", it.Key, d.Name)
			}
		}
		return nil
	}
	if got := run(t, j); got.Delivered != 450 {
		t.Errorf("%+v", got)
	}
	if n := len(m.Contents("")); n != 0 {
		t.Errorf("%d mails left", n)
	}
}

// "A failure of the source or of the sink blames nobody."
func TestJobSinkOutage(t *testing.T) {
	j, m, s, l := newJob(t)
	j.After = cold.MoveTo("x")
	for i := range 5 {
		m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)}))
	}
	s.fail = func([]*cold.Document) error { return errors.New("no space left on device") }
	for range 5 {
		sum, err := j.Run(context.Background())
		if vaguemestre.ClassOf(err) != vaguemestre.ClassSink {
			t.Fatalf("error %v, want class sink", err)
		}
		if sum.Delivered != 0 || len(m.Contents("")) != 5 {
			t.Fatalf("delivered %d, %d left at the source", sum.Delivered, len(m.Contents("")))
		}
	}
	for _, it := range m.Contents("") {
		if e, _ := l.Explain(context.Background(), "test", it.Key); e != nil && e.Attempts != 0 {
			t.Errorf("attempts %d after an outage of the sink", e.Attempts)
		}
	}
	s.fail = nil
	if got := run(t, j); got.Delivered != 5 || len(m.Contents("x")) != 5 {
		t.Errorf("after the outage: %+v", got)
	}
}

// "the job then tries them group by group and gives up the guilty one after three runs"
func TestJobPoisonDocument(t *testing.T) {
	j, m, s, l := newJob(t)
	j.After = cold.Delete()
	for i := range 5 {
		m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)}))
	}
	bad := m.AddMail(mail("bad", file{"bad.pdf", "x"}))
	s.fail = func(docs []*cold.Document) error {
		for _, d := range docs {
			if d.Name == "bad.pdf" {
				return &vaguemestre.Error{Op: "sink", Class: vaguemestre.ClassPoison, Err: errors.New("virus found")}
			}
		}
		return nil
	}
	if got := run(t, j); got.Delivered != 5 || got.Quarantined != 0 {
		t.Errorf("first run %+v", got)
	}
	run(t, j)
	if got := run(t, j); got.Quarantined != 1 {
		t.Errorf("third run %+v", got)
	}
	calls := s.calls
	if got := run(t, j); got != (cold.Summary{}) || s.calls != calls {
		t.Errorf("fourth run %+v, the sink was asked again", got)
	}
	if left := m.Contents(""); len(left) != 1 || left[0].Key != bad {
		t.Errorf("the quarantined mail is not at its source: %+v", left)
	}
	e, _ := l.Explain(context.Background(), "test", bad)
	if e == nil || e.State != cold.StateQuarantined || !strings.Contains(e.Reason, "virus found") {
		t.Errorf("entry %+v", e)
	}
}

func TestJobPoisonItem(t *testing.T) {
	j, m, _, l := newJob(t)
	good, bad := m.AddMail(mail("1", file{"a.pdf", "1"})), m.AddMail(mail("2", file{"b.pdf", "2"}))
	m.OnOpen = func(it cold.Item) error {
		if it.Key == bad {
			return &vaguemestre.Error{Op: "mem", Class: vaguemestre.ClassPoison, Err: errors.New("the server dies on it")}
		}
		return nil
	}
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("%+v", got)
	}
	run(t, j)
	if got := run(t, j); got.Quarantined != 1 {
		t.Errorf("third run %+v", got)
	}
	if e, _ := l.Explain(context.Background(), "test", good); e.State != cold.StateDone {
		t.Errorf("the good one is %s", e.State)
	}
	if n := m.Opened(good); n != 1 {
		t.Errorf("the good one was opened %d times", n)
	}
}

func TestJobSkippedStaysAtItsSource(t *testing.T) {
	j, m, s, _ := newJob(t)
	j.After = cold.Delete()
	m.AddMail(mail("1", file{"a.pdf", "1"}, file{"b.exe", "2"}))
	s.skip = func(d *cold.Document) string {
		if strings.HasSuffix(d.Name, ".exe") {
			return "programs are not stored"
		}
		return ""
	}
	if got := run(t, j); got.Delivered != 1 || got.Held != 1 {
		t.Errorf("%+v", got)
	}
	if len(m.Contents("")) != 1 {
		t.Error("the mail with a held document was removed")
	}
	if got := run(t, j); got != (cold.Summary{}) {
		t.Errorf("second run %+v", got)
	}
}

// A body that breaks off is never taken for a whole one, and blames nobody.
func TestJobCutBody(t *testing.T) {
	j, m, s, _ := newJob(t)
	raw := mail("1", file{"a.pdf", "1"})
	m.AddMail(raw)
	for n := range int64(len(raw)) {
		m.CutAfter = func(cold.Item) int64 { return n }
		if _, err := j.Run(context.Background()); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
	if len(s.docs) != 0 {
		t.Fatalf("sink got %q", s.names())
	}
	m.CutAfter = nil
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("%+v", got)
	}
}

func TestJobNewEpoch(t *testing.T) {
	j, m, s, _ := newJob(t)
	same := mail("twice", file{"a.pdf", "1"})
	m.AddMail(same)
	m.AddMail(same) // two copies within one epoch are two
	m.AddMail(mail("3", file{"c.pdf", "3"}))
	if got := run(t, j); got.Delivered != 3 {
		t.Fatalf("%+v", got)
	}
	before := len(s.docs)
	m.NewEpoch()
	m.AddMail(same) // a third copy is new
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("after the new epoch %+v, want one new document", got)
	}
	if len(s.docs) != before+1 {
		t.Errorf("%d documents, want %d", len(s.docs), before+1)
	}
	if got := run(t, j); got.Delivered != 0 {
		t.Errorf("then %+v", got)
	}
}

func TestJobDryRun(t *testing.T) {
	j, m, s, l := newJob(t)
	j.After = cold.Delete()
	j.Filters.Exclude = []cold.Filter{filter(t, "*.db")}
	k := m.AddMail(mail("1", file{"a.pdf", "1"}, file{"Thumbs.db", "2"}))
	got, err := j.DryRun(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Decision != cold.Accepted || got[1].Decision != cold.Refused || got[0].Item != k {
		t.Errorf("%+v", got)
	}
	if s.calls != 0 || len(m.Contents("")) != 1 {
		t.Error("the dry run changed something")
	}
	if e, _ := l.Explain(context.Background(), "test", k); e != nil {
		t.Errorf("the ledger has %+v", e)
	}
	if _, ro := m.Sessions(); ro != 1 {
		t.Error("the source was not opened read-only")
	}
}

func TestJobLimits(t *testing.T) {
	j, m, s, _ := newJob(t)
	m.PageSize = 4
	for i := range 10 {
		m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)}))
	}
	j.Limits.Items = 3
	for i, want := range []int{3, 3, 3, 1, 0} {
		if got := run(t, j); got.Delivered != want {
			t.Errorf("run %d: %+v, want %d", i, got, want)
		}
	}
	if len(s.docs) != 10 {
		t.Errorf("%d documents", len(s.docs))
	}
	big := m.AddMail(mail("big", file{"a.pdf", strings.Repeat("x", 5000)}))
	j.Limits = cold.Limits{ItemSize: 4000}
	if got := run(t, j); got.Held != 1 || m.Opened(big) != 0 {
		t.Errorf("%+v, opened %d times", got, m.Opened(big))
	}
	j.Limits.ItemSize = 10000
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("with a higher limit: %+v", got)
	}
}

func TestJobSelect(t *testing.T) {
	j, m, _, l := newJob(t)
	j.Select.Subject = "Envoi 1"
	j.After, j.AfterRefused = cold.Delete(), cold.Delete()
	m.AddMail(mail("1", file{"a.pdf", "1"}))
	k := m.AddMail(mail("2", file{"b.pdf", "2"}))
	if got := run(t, j); got.Delivered != 1 || got.Refused != 0 {
		t.Errorf("%+v", got)
	}
	if len(m.Contents("")) != 1 {
		t.Error("a mail that was passed over was touched")
	}
	run(t, j)
	if n := m.Opened(k); n != 1 {
		t.Errorf("what was passed over was opened %d times", n)
	}
	if e, _ := l.Explain(context.Background(), "test", k); e == nil || e.State != cold.StateDeselected || e.Reason == "" {
		t.Errorf("%+v", e)
	}
	j.Select.Subject = ""
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("with other rules: %+v", got)
	}
}

// A source that confirms only at the end must not stop a run whose memory is full.
func TestJobManyUnconfirmed(t *testing.T) {
	j, m, s, _ := newJob(t)
	m.Range, m.PageSize = 1<<20, 1<<20
	for i := range 120 {
		m.AddMail(mail(fmt.Sprint(i), file{"a.bin", strings.Repeat(fmt.Sprint(i%10), 400_000)}))
	}
	m.AddMail(mail("large", file{"b.bin", strings.Repeat("z", 3<<20)}))
	done := make(chan cold.Summary, 1)
	go func() { done <- run(t, j) }()
	select {
	case got := <-done:
		if got.Delivered != 121 || len(s.docs) != 121 {
			t.Errorf("%+v", got)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the run hangs")
	}
}

func TestJobCannotTakeApart(t *testing.T) {
	j, m, s, _ := newJob(t)
	j.Filters.Include = []cold.Filter{filter(t, "*.pdf")}
	j.Limits.Parts = 3
	raw := mail("1", file{"a.pdf", "1"}, file{"b.pdf", "2"}, file{"c.pdf", "3"}, file{"d.pdf", "4"})
	m.AddMail(raw)
	var told []cold.Decided
	j.OnDecision = func(d cold.Decided) { told = append(told, d) }
	if got := run(t, j); got.Delivered != 1 {
		t.Errorf("%+v", got)
	}
	if got := s.names(); len(got) != 1 || got[0] != "Envoi 1.eml="+string(raw) {
		t.Errorf("%.200q", got)
	}
	if len(told) != 1 || !strings.Contains(told[0].Reason, "parts") {
		t.Errorf("%+v", told)
	}
}

func TestJobCanceled(t *testing.T) {
	j, m, s, _ := newJob(t)
	j.After = cold.Delete()
	for i := range 300 {
		m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.then = cancel
	if _, err := j.Run(ctx); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	s.then = nil
	run(t, j)
	if len(s.docs) != 300 || len(m.Contents("")) != 0 {
		t.Errorf("%d documents, %d mails left", len(s.docs), len(m.Contents("")))
	}
	if open, _ := m.Sessions(); open != 0 {
		t.Errorf("%d sessions left open", open)
	}
}

func TestJobBusy(t *testing.T) {
	j, _, _, l := newJob(t)
	lease, err := l.Lock(context.Background(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Run(context.Background()); !errors.Is(err, vaguemestre.ErrBusy) {
		t.Errorf("error %v, want ErrBusy", err)
	}
	lease.Close()
	run(t, j)
}

func TestJobWiring(t *testing.T) {
	j, _, _, _ := newJob(t)
	for name, change := range map[string]func(*cold.Job){
		"no name":     func(j *cold.Job) { j.Name = "" },
		"no launcher": func(j *cold.Job) { j.Launcher = nil },
		"no sink":     func(j *cold.Job) { j.Sink = nil },
		"no ledger":   func(j *cold.Job) { j.Ledger = nil },
		"no target":   func(j *cold.Job) { j.After = cold.MoveTo("") },
		"odd verb":    func(j *cold.Job) { j.After = cold.After{Do: "burn"} },
		"odd take":    func(j *cold.Job) { j.Take.Bodies = "some" },
		"odd select":  func(j *cold.Job) { j.Select.MaxAge = -1 },
	} {
		c := *j
		change(&c)
		if _, err := c.Run(context.Background()); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%s: error %v, want class config", name, err)
		}
	}
}

// splitter takes a document apart at each comma.
type splitter struct{}

func (splitter) Kind() string { return "splitter" }

func (splitter) Decode(_ context.Context, d *cold.Document, out func(*cold.Document) error) error {
	if !strings.HasSuffix(d.Name, ".split") {
		return cold.ErrNotMine
	}
	r, err := d.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for i, p := range strings.Split(string(data), ",") {
		if p == "panic" {
			panic("a fault of the decoder")
		}
		o := &cold.Document{Name: fmt.Sprintf("%d.txt", i), Group: d.Name, Open: func() (io.ReadSeekCloser, error) {
			return nopSeekCloser{bytes.NewReader([]byte(p))}, nil
		}}
		if err := out(o); err != nil {
			return err
		}
	}
	return nil
}

type nopSeekCloser struct{ *bytes.Reader }

func (nopSeekCloser) Close() error { return nil }

func TestJobDecoder(t *testing.T) {
	j, m, s, _ := newJob(t)
	j.Decoders = []cold.Decoder{splitter{}}
	m.AddMail(mail("1", file{"a.split", "x,y"}, file{"b.pdf", "1"}, file{"c.split", "z,panic"}))
	var told []cold.Decided
	j.OnDecision = func(d cold.Decided) { told = append(told, d) }
	run(t, j)
	if got, want := s.names(), []string{"0.txt=x", "0.txt=z", "1.txt=y", "b.pdf=1", "c.split=z,panic"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(told) != 5 || told[0].Path[1] != "splitter:a.split" {
		t.Errorf("%+v", told)
	}
}
