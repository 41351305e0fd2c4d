package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/router/routertest"
	"github.com/vaguemestre/vaguemestre/settings"
)

// The suites: what passes here keeps the contracts of the library.

func TestPickupContract(t *testing.T) {
	routertest.TestMailSender(t, func(t *testing.T) routertest.Harness {
		dir := t.TempDir()
		return routertest.Harness{
			Sender:   &Pickup{Dir: dir, Sender: "ged@example.org"},
			Received: func() []routertest.Received { return pickedUp(t, dir) },
			Down:     func() { os.RemoveAll(dir) },
		}
	})
}

func TestBoxContract(t *testing.T) {
	coldtest.TestLauncher(t, func(t *testing.T) coldtest.LauncherHarness { return &boxHarness{dir: t.TempDir()} })
}

func TestMboxContract(t *testing.T) {
	mails := []string{
		"From: a@example.org\nSubject: Un\n\n" + strings.Repeat("Bonjour.\n", 20),
		"From: b@example.org\nSubject: =?utf-8?Q?D=C3=A9lib=C3=A9ration?=\n\nFrom nowhere\n>From here\n>>From there\n" + strings.Repeat("é\n", 40),
	}
	var file strings.Builder
	for _, m := range mails {
		file.WriteString("From x@example.org Mon Jan  5 09:30:00 2026\n" + quote(m) + "\n")
	}
	whole := file.String()
	want := map[string][]byte{"0001 Un.eml": []byte(mails[0]), "0002 Délibération.eml": []byte(mails[1])}
	broken := map[string][]byte{"0001 Un.eml": want["0001 Un.eml"], "0002 Délibération.eml": nil}
	coldtest.TestDecoder(t, &Mbox{},
		coldtest.DecoderCase{Name: "two mails", FileName: "archive.mbox", Data: []byte(whole), Want: want},
		coldtest.DecoderCase{Name: "breaks off", Data: []byte(whole[:len(whole)-30]), Want: broken, Damaged: true},
		coldtest.DecoderCase{Name: "no mails", Data: []byte("From here on there is text.\n\nFrom there, too.\n"), NotMine: true},
	)
}

func TestArchiveContract(t *testing.T) {
	coldtest.TestSink(t, func(t *testing.T) coldtest.SinkHarness {
		a := &Archive{}
		return coldtest.SinkHarness{
			Sink: func() cold.Sink { return a },
			Stored: func() ([]coldtest.StoredFile, error) {
				var out []coldtest.StoredFile
				for _, r := range a.Rows() {
					out = append(out, coldtest.StoredFile{Name: r.Name, Group: r.Group, Data: r.Data})
				}
				return out, nil
			},
			Concurrent: true,
		}
	})
}

// pickedUp reads the directory as the mail server does.
func pickedUp(t *testing.T, dir string) []routertest.Received {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	type mail struct {
		routertest.Received
		at time.Time
	}
	var all []mail
	for _, n := range names {
		info, err := os.Stat(n)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		m := mail{at: info.ModTime()}
		for {
			line, rest, _ := bytes.Cut(raw, []byte("\r\n"))
			if a, ok := bytes.CutPrefix(line, []byte("X-Sender: ")); ok {
				m.From = string(bytes.Trim(a, "<>"))
			} else if a, ok := bytes.CutPrefix(line, []byte("X-Receiver: ")); ok {
				m.To = append(m.To, string(bytes.Trim(a, "<>")))
			} else {
				break
			}
			raw = rest
		}
		m.Raw = raw
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b mail) int { return a.at.Compare(b.at) })
	var out []routertest.Received
	for _, m := range all {
		out = append(out, m.Received)
	}
	return out
}

type boxHarness struct {
	dir string
	n   int
}

func (h *boxHarness) Launcher() cold.Launcher { return &Box{Dir: h.dir} }

func (h *boxHarness) Add(t *testing.T, raw []byte) {
	h.n++
	write(t, filepath.Join(h.dir, fmt.Sprintf("%03d.eml", h.n)), string(raw))
}

func (h *boxHarness) Contents(t *testing.T, folder string) []coldtest.Kept {
	entries, err := os.ReadDir(filepath.Join(h.dir, folder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []coldtest.Kept
	for _, e := range entries {
		if e.Type().IsRegular() {
			out = append(out, coldtest.Kept{Data: []byte(read(t, filepath.Join(h.dir, folder, e.Name())))})
		}
	}
	return out
}

// What the suites cannot know.

// quote puts a mail into a mailbox file as mboxrd does.
func quote(m string) string {
	lines := strings.SplitAfter(m, "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimLeft(l, ">"), "From ") {
			lines[i] = ">" + l
		}
	}
	return strings.Join(lines, "")
}

func TestMbox(t *testing.T) {
	t.Parallel()
	const from = "From x@example.org Mon Jan  5 09:30:00 2026"
	for _, c := range []struct {
		name, data string
		max        int
		want       []string
		err        string
	}{
		{name: "crlf", data: from + "\r\nSubject: a\r\n\r\nx\r\n\r\n" + from + "\r\n\r\ny\r\n\r\n", want: []string{"Subject: a\r\n\r\nx\r\n", "\r\ny\r\n"}},
		{name: "a sentence in the middle begins no mail", data: from + "\nA: b\n\nx\n\nFrom here it goes on.\n\n", want: []string{"A: b\n\nx\n\nFrom here it goes on.\n"}},
		{name: "nor does one with a date, inside a paragraph", data: from + "\nA: b\n\nx\n" + from + "\n\n", want: []string{"A: b\n\nx\n" + from + "\n"}},
		{name: "a date zone before the year", data: "From 17@xxx Tue Jan 02 10:00:00 +0000 2024\nA: b\n\nx\n\n", want: []string{"A: b\n\nx\n"}},
		{name: "very long lines", data: from + "\nA: b\n\n" + strings.Repeat("x", 200_000) + "\n\n", want: []string{"A: b\n\n" + strings.Repeat("x", 200_000) + "\n"}},
		{name: "too many", max: 1, data: from + "\nA: b\n\n" + from + "\nA: b\n\n", err: "raise max_mails"},
		{name: "breaks off", data: from + "\nA: b\n\nx", want: []string{"A: b\n\nx"}, err: "breaks off"},
		{name: "empty mail", data: from + "\n\n", want: []string{"\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			x := &Mbox{MaxMails: c.max}
			err := x.Decode(t.Context(), textDocument(c.data), func(d *cold.Document) error {
				b, err := readAll(t.Context(), d)
				got = append(got, string(b))
				if int64(len(b)) != d.Size {
					t.Errorf("Size is %d, the content has %d bytes", d.Size, len(b))
				}
				return err
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("came out %.300q\nwant     %.300q", got, c.want)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func textDocument(s string) *cold.Document {
	return &cold.Document{Name: "archive.mbox", Size: int64(len(s)), Open: func() (io.ReadSeekCloser, error) {
		return content{bytes.NewReader([]byte(s))}, nil
	}}
}

func TestBoxLeavesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{".caché", "en cours.tmp", "a.txt"} {
		write(t, filepath.Join(dir, name), "un")
	}
	write(t, filepath.Join(dir, "Traités", "a.txt"), "déjà là")
	job := cold.Job{Name: "box", Launcher: &Box{Dir: dir}, Sink: &Archive{}, Ledger: cold.NewMemoryLedger(), After: cold.MoveTo("Traités")}
	if s, err := job.Run(t.Context()); err != nil || s.Delivered != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	// another file under the same name is another item
	write(t, filepath.Join(dir, "a.txt"), "deux, plus long")
	if s, err := job.Run(t.Context()); err != nil || s.Delivered != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, want := range map[string]string{".caché": "un", "en cours.tmp": "un", "Traités/a.txt": "déjà là",
		"Traités/a (2).txt": "un", "Traités/a (3).txt": "deux, plus long"} {
		if got := read(t, filepath.Join(dir, filepath.FromSlash(name))); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}

// A file that was replaced after it was listed is another item: it is neither taken for
// the old one nor deleted.
func TestBoxReplacedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), "un")
	s, err := (&Box{Dir: dir}).Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := s.List(t.Context(), "")
	if err != nil || len(p.Items) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	write(t, filepath.Join(dir, "a.txt"), "deux, plus long")
	if err := s.Open(t.Context(), p.Items, func(cold.Item, *cold.Content) error {
		t.Error("the old item was opened")
		return nil
	}); err != nil {
		t.Error(err)
	}
	rs, err := s.Settle(t.Context(), p.Items, cold.Delete())
	if err != nil || rs[0].Outcome != cold.SettleGone {
		t.Errorf("%+v, %v", rs, err)
	}
	if got := read(t, filepath.Join(dir, "a.txt")); got != "deux, plus long" {
		t.Errorf("the new file holds %q", got)
	}
}

func TestPickupBlamesTheAttachment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, r := range map[string]func() (io.ReadCloser, error){
		"on open": func() (io.ReadCloser, error) { return nil, errors.New("the disk is broken") },
		"half way": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(errors.New("the disk is broken")))), nil
		},
	} {
		m := &router.Message{From: "a@example.org", To: []string{"b@example.org"}, MessageID: "1@example.org", Date: time.Now(),
			Attachments: []router.Attachment{{Name: "a.pdf", Size: -1, Open: r}}}
		if _, err := (&Pickup{Dir: dir}).SendMail(t.Context(), m); vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !strings.Contains(err.Error(), "the disk is broken") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the directory holds %v", left)
	}
}

func TestBoxRefuses(t *testing.T) {
	t.Parallel()
	if _, err := (&Box{Dir: filepath.Join(t.TempDir(), "absent")}).Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("a directory that does not exist: %v", err)
	}
	for _, do := range []cold.After{cold.MoveTo("../dehors"), cold.MoveTo(""), cold.MoveTo("."), cold.MarkSeen(), cold.Tag("x")} {
		if err := new(Box).Supports(do); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%v: %v", do, err)
		}
	}
}

func TestWiring(t *testing.T) {
	t.Parallel()
	var rt router.Router
	defer rt.Close()
	sms, mail := SMS{Router: &rt}, router.Mail{Router: &rt}
	dir := t.TempDir()
	for name, c := range map[string]router.Connector{"gateway": &Gateway{Dir: dir}, "pickup": &Pickup{Dir: dir}} {
		if err := rt.AddConnector(name, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		err  error
		want string // "" is no error
	}{
		{rt.SetDefault(sms, "pickup"), "SMSSender"},
		{rt.SetDefault(mail, "gateway"), "router.MailSender"},
		{rt.AddInstance(sms, "astreinte", router.Instance{Connector: "pickup"}), "SMSSender"},
		{rt.AddInstance(sms, "astreinte", router.Instance{Connector: "gateway"}), ""},
	} {
		if c.want == "" && c.err != nil || c.want != "" && (vaguemestre.ClassOf(c.err) != vaguemestre.ClassConfig || !strings.Contains(c.err.Error(), c.want)) {
			t.Errorf("error %v, want one with %q", c.err, c.want)
		}
	}
	if _, err := sms.Send(t.Context(), "+33639980123", "Bonjour", nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("without a default: %v", err)
	}
	if _, err := sms.Send(t.Context(), "+33639980123", "Bonjour", &router.ResolveOptions{Connector: "pickup"}); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("through a mail connector: %v", err)
	}
	r, err := sms.Send(t.Context(), "+33639980123", "Été à 8 h", &router.ResolveOptions{Instance: "astreinte"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Connector != "gateway" || r.Reason != router.ReasonInstance {
		t.Errorf("receipt %+v", r)
	}
	if got, want := read(t, filepath.Join(dir, r.Ref)), "To: 33639980123\nAlphabet: UTF-8\n\nÉté à 8 h"; got != want {
		t.Errorf("the gateway finds %q, want %q", got, want)
	}
	for _, number := range []string{"", "0639980123", "+33 6 39 98 01 23", "+0123456", "+1234567890123456", "+336\n12345"} {
		if _, err := sms.Send(t.Context(), number, "x", nil); vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
			t.Errorf("number %q: %v", number, err)
		}
	}
	if _, err := (&Gateway{Dir: filepath.Join(dir, "absent")}).SendSMS(t.Context(), "+33639980123", "x"); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Errorf("without its directory: %v", err)
	}
}

// A stored router brings our own connectors back.
func TestKindsSurviveTheStore(t *testing.T) {
	t.Parallel()
	known, err := newKinds()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var st router.MemoryStore
	var first, second router.Router
	defer first.Close()
	defer second.Close()
	dir := t.TempDir()
	if err := errors.Join(first.AddConnector("gateway", &Gateway{Dir: dir}), first.AddConnector("drop", &Pickup{Dir: dir, Sender: "ged@example.org"}),
		first.SetDefault(SMS{}, "gateway"), first.SetDefault(router.Mail{}, "drop"), first.Save(ctx, &st, known.connectors)); err != nil {
		t.Fatal(err)
	}
	if err := second.Load(ctx, &st, known.connectors, SMS{}, router.Mail{}); err != nil {
		t.Fatal(err)
	}
	if p := second.Problems(); len(p) > 0 {
		t.Fatal(p)
	}
	if r, err := (SMS{Router: &second}).Send(ctx, "+33639980123", "x", nil); err != nil || r.Reason != router.ReasonDefault {
		t.Errorf("%+v, %v", r, err)
	}
	var missing *settings.Incomplete
	if _, err := known.connectors.Open(settings.Instance{Kind: "pickup"}, nil); !errors.As(err, &missing) {
		t.Errorf("settings without dir: %v", err)
	}
	if _, err := known.connectors.Open(settings.Instance{Kind: "pickupp"}, nil); !errors.Is(err, settings.ErrUnknownKind) || !strings.Contains(err.Error(), "sms-gateway") {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0001 Délibération.eml", "facture été.pdf", "3 documents stored", "cannot carry service \"sms\"",
		"cannot carry service \"mail\"", "Mail accepted by connector \"drop\" (default)", "SMS taken by connector \"gateway\" (default)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestRunStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, io.Discard); err == nil {
		t.Error("the context had ended, and the error is nil")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
