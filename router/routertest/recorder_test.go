package routertest

import (
	"context"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// recorderHarness shows everything but a count of connections.
func recorderHarness(rec *Recorder, sender router.MailSender) Harness {
	return Harness{
		Sender: sender,
		Received: func() []Received {
			var out []Received
			for _, s := range rec.Sent() {
				rec := Received{From: s.From, To: s.To, Raw: s.Raw}
				if d := s.Message.DSN; d != nil {
					rec.Notify = d.Notify
				}
				out = append(out, rec)
			}
			return out
		},
		RefuseForGood: func(a string) { rec.Refuse(a, router.Rejected, "550 5.1.1", "no such user") },
		RefuseForNow:  func(a string) { rec.Refuse(a, router.Deferred, "451 4.7.1", "greylisted") },
		DropAtEnd:     func() { rec.Next(Doubtful) },
		Stall:         func() { rec.Always(Stalled) },
		Down:          func() { rec.Always(Down) },
	}
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	TestMailSender(t, func(*testing.T) Harness {
		rec := &Recorder{}
		return recorderHarness(rec, rec)
	})
}

func TestRecorderKeeps(t *testing.T) {
	t.Parallel()
	rec := &Recorder{From: "maison@example.org"}
	rec.Refuse("parti@example.org", router.Rejected, "550 5.1.1", "no such user")
	m := &router.Message{To: []string{"a@example.org", "parti@example.org"}, Subject: "Été", Text: "x", MessageID: "1@example.org",
		Attachments: []router.Attachment{router.Bytes("b.txt", "", []byte("contenu"))}}
	rc, err := rec.SendMail(context.Background(), m)
	if err != nil || rc.State != router.Accepted || rc.Recipients[1].Code != "550 5.1.1" {
		t.Fatalf("got %+v, %v", rc, err)
	}
	m.Subject, m.To[0] = "changed", "changed@example.org"
	sent := rec.Sent()
	if len(sent) != 1 {
		t.Fatalf("%d sent", len(sent))
	}
	s := sent[0]
	if s.Message.Subject != "Été" || s.Message.To[0] != "a@example.org" || s.From != "maison@example.org" ||
		len(s.To) != 1 || len(s.Files) != 1 || string(s.Files[0].Data) != "contenu" {
		t.Errorf("kept %+v", s)
	}
	if got := s.String(); !strings.Contains(got, `"b.txt" (7 bytes)`) {
		t.Errorf("String: %s", got)
	}
	if h, err := s.Header(); err != nil || h.Get("Message-Id") != "<1@example.org>" {
		t.Errorf("Header: %v, %v", h, err)
	}
	if st, err := rec.ResolveMail(context.Background(), m); st != router.Accepted || err != nil {
		t.Errorf("ResolveMail: %s, %v", st, err)
	}
	rec.Reset()
	if st, _ := rec.ResolveMail(context.Background(), m); st != router.Deferred || len(rec.Sent()) != 0 {
		t.Errorf("after Reset: %s, %d sent", st, len(rec.Sent()))
	}
}

func TestRecorderNext(t *testing.T) {
	t.Parallel()
	rec := &Recorder{}
	rec.Next(Down, Normal)
	rec.Always(Doubtful)
	m := &router.Message{From: "b@example.org", To: []string{"a@example.org"}}
	for i, want := range []vaguemestre.Class{vaguemestre.ClassSource, "", vaguemestre.ClassInDoubt, vaguemestre.ClassInDoubt} {
		if _, err := rec.SendMail(context.Background(), m); vaguemestre.ClassOf(err) != want {
			t.Errorf("message %d: class %q, want %q", i+1, vaguemestre.ClassOf(err), want)
		}
	}
}
