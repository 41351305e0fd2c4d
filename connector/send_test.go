package connector

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

func TestSend(t *testing.T) {
	t.Parallel()
	for _, pipelining := range []string{"PIPELINING", "X-NONE"} {
		f := newFake(t, func(f *fake) { f.ext[0] = pipelining })
		s := f.smtp(nil)
		m := message("a@b.fr", "Zoé <z@b.fr>", "a@B.FR")
		m.Bcc = []string{"secret@b.fr"}
		r, err := send(s, m)
		if err != nil || r.State != router.Accepted || len(r.Recipients) != 3 || r.MessageID != "m1@mondaine.fr" {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, x := range r.Recipients {
			if x.State != router.Accepted || x.Code != "250 2.0.0" || !strings.Contains(x.Text, "4ABC") {
				t.Errorf("%+v", x)
			}
		}
		got := f.sent()
		if len(got) != 1 || got[0].from != "marie@mondaine.fr" || fmt.Sprint(got[0].rcpts) != "[a@b.fr z@b.fr secret@b.fr]" {
			t.Fatalf("%v", got)
		}
		data := string(got[0].data)
		if strings.Contains(strings.ToLower(data), "secret") || strings.Contains(data, "Bcc") {
			t.Error("Bcc stands in the mail")
		}
		for _, want := range []string{"Message-ID: <m1@mondaine.fr>\r\n", "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n", "\r\n=2E\r\nvoici"} {
			if !strings.Contains(data, want) {
				t.Errorf("no %q in\n%s", want, data)
			}
		}
		if strings.Contains(data, "User-Agent") || strings.Contains(data, "X-Mailer") {
			t.Error("tells the library's name")
		}
		if cmd := f.commands(); !strings.HasSuffix(cmd[1], fmt.Sprintf(" SIZE=%d", len(data))) || strings.Contains(cmd[1], "SMTPUTF8") {
			t.Errorf("MAIL is %q, the mail has %d bytes", cmd[1], len(data))
		}
	}
}

func TestOneRefusedRecipientDoesNotCostTheOthersTheirMail(t *testing.T) {
	t.Parallel()
	refuse := func(f *fake) {
		f.on = func(_ *fake, verb, arg string) *action {
			if (verb == "RCPT" || verb == "TAKES") && strings.HasPrefix(arg, "bad") {
				return &action{say: "550 5.1.1 no such user"}
			}
			if (verb == "RCPT" || verb == "TAKES") && strings.HasPrefix(arg, "later") {
				return &action{say: "451 4.7.1 greylisted"}
			}
			return nil
		}
	}
	f := newFake(t, refuse)
	r, err := send(f.smtp(nil), message("a@b.fr", "bad@b.fr", "later@b.fr", "c@b.fr"))
	if err != nil {
		t.Fatal(err)
	}
	want := []router.State{router.Accepted, router.Rejected, router.Deferred, router.Accepted}
	for i, x := range r.Recipients {
		if x.State != want[i] {
			t.Errorf("%+v, want %s", x, want[i])
		}
	}
	if r.Recipients[1].Code != "550 5.1.1" || r.Recipients[1].Text != "no such user" || len(f.sent()) != 1 {
		t.Errorf("%+v", r.Recipients[1])
	}

	f = newFake(t, refuse)
	s := f.smtp(func(s *SMTP) { s.Partial = PartialRefuse })
	r, err = send(s, message("a@b.fr", "bad@b.fr"))
	if class(err) != vaguemestre.ClassDeferred || r.State != router.Deferred || len(f.sent()) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err = send(s, message("a@b.fr", "c@b.fr")); err != nil || len(f.sent()) != 1 || f.connections() != 1 {
		t.Errorf("after a refusal: %+v, %v, %d connections", r, err, f.connections())
	}

	// All refused, while DATA was pipelined and accepted: a single dot.
	f = newFake(t, func(f *fake) {
		refuse(f)
		old := f.on
		f.on = func(f *fake, verb, arg string) *action {
			if verb == "TAKES" || verb == "KEEPS" {
				return map[string]*action{"KEEPS": {}}[verb] // answers 354 all the same, keeps nothing
			}
			return old(f, verb, arg)
		}
	})
	s = f.smtp(nil)
	r, err = send(s, message("bad@b.fr", "bad2@b.fr"))
	if class(err) != vaguemestre.ClassRejected || r.State != router.Rejected {
		t.Fatalf("%+v, %v", r, err)
	}
	cmd := f.commands()
	if last := cmd[len(cmd)-1]; last != "RSET" {
		t.Errorf("ends with %q", last)
	}
	if _, err := send(s, message("bad@b.fr")); class(err) != vaguemestre.ClassRejected || f.connections() != 1 {
		t.Errorf("the connection is out of step: %v, %d connections", err, f.connections())
	}
}

// TestEveryRefusalAtEveryStage: nine codes at nine places.
func TestEveryRefusalAtEveryStage(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT", "RSET", "QUIT"} {
		for _, code := range []string{"421 4.3.2", "450 4.2.0", "451 4.7.1", "452 4.3.1", "454 4.7.0", "530 5.7.0", "550 5.7.1", "552 5.3.4", "554 5.0.0"} {
			t.Run(verb+" "+code, func(t *testing.T) {
				t.Parallel()
				f := newFake(t, func(f *fake) {
					f.password = "pw"
					f.ext = append(f.ext, "AUTH PLAIN")
					f.on = func(_ *fake, v, _ string) *action {
						if v == verb || v == "TAKES" && verb == "RCPT" || v == "KEEPS" && verb == "DOT" {
							return &action{say: code + " refused"}
						}
						return nil
					}
				})
				s := f.smtp(func(s *SMTP) { s.Account, s.Password, s.AllowInsecureAuth = "u", "pw", true })
				r, err := send(s, message("a@b.fr", "c@b.fr"))
				if verb == "RSET" || verb == "QUIT" {
					if err != nil {
						t.Fatalf("refused after success: %v", err)
					}
					return
				}
				if err == nil || len(f.sent()) != 0 {
					t.Fatalf("%v, %d sent", err, len(f.sent()))
				}
				if r == nil || len(r.Recipients) != 2 {
					t.Fatalf("receipt %+v", r)
				}
				c := class(err)
				temporary := code[0] == '4'
				switch {
				case temporary && c != vaguemestre.ClassDeferred && c != vaguemestre.ClassSource:
					t.Errorf("class %s: %v", c, err)
				case !temporary && c != vaguemestre.ClassRejected && c != vaguemestre.ClassConfig && c != vaguemestre.ClassAuth:
					t.Errorf("class %s: %v", c, err)
				}
				if !strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), `"refused"`) {
					t.Errorf("error %q", err)
				}
				if (r.State == router.Rejected) != (c == vaguemestre.ClassRejected) {
					t.Errorf("state %s, class %s", r.State, c)
				}
			})
		}
	}
}

// TestEveryFaultAtEveryStage: cut, silence, nonsense, and answers in pieces.
func TestEveryFaultAtEveryStage(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT"} {
		for name, a := range map[string]action{
			"cut": {cut: true}, "stall": {stall: true}, "garbage": {say: "HTTP/1.1 400 Bad Request"},
			"mixed": {say: "250-a\r\n354 b"}, "endless": {say: strings.Repeat("x", 70000)},
			"half": {say: "25", cut: true}, "split": {split: true},
		} {
			t.Run(verb+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFake(t, func(f *fake) {
					f.password = "pw"
					f.ext = append(f.ext, "AUTH PLAIN")
					f.on = func(_ *fake, v, _ string) *action {
						if v == verb {
							return &a
						}
						return nil
					}
				})
				s := f.smtp(func(s *SMTP) {
					s.Account, s.Password, s.AllowInsecureAuth = "u", "pw", true
					s.Timeout, s.waits.dot = 300*time.Millisecond, 300*time.Millisecond
				})
				start := time.Now()
				r, err := send(s, message("a@b.fr"))
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("took %v", d)
				}
				if name == "split" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				if err == nil {
					t.Fatalf("%+v", r)
				}
				want := vaguemestre.ClassSource
				switch verb {
				case "MAIL", "RCPT", "DATA":
					want = vaguemestre.ClassDeferred
				case "DOT":
					want = vaguemestre.ClassInDoubt
				}
				if class(err) != want || r.State != stateOf(want) {
					t.Errorf("class %s, state %s, want %s: %v", class(err), r.State, want, err)
				}
				if n := f.connections(); n != 1 {
					t.Errorf("%d connections", n)
				}
			})
		}
	}
}

func TestCutAtEveryByteOfTheContent(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	m := message("a@b.fr")
	if _, err := send(f.smtp(nil), m); err != nil {
		t.Fatal(err)
	}
	whole := len(f.sent()[0].data) + len(".") + len(".\r\n") // one doubled dot, and the final one
	for n := 1; n < whole; n++ {
		f := newFake(t, func(f *fake) { f.cutAfter = n })
		r, err := send(f.smtp(nil), m)
		// The client cannot know how much the server read: it has written all of it.
		if class(err) != vaguemestre.ClassInDoubt && class(err) != vaguemestre.ClassDeferred || r.State == router.Accepted || r.State == router.Rejected {
			t.Fatalf("cut after %d of %d: %+v, %v", n, whole, r, err)
		}
		if f.connections() != 1 {
			t.Fatalf("cut after %d: sent again", n)
		}
	}
}

func TestTooManyRecipientsAreSplit(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"452 4.5.3 too many", "452 too many", "552 too many"} {
		n := 0
		limit := func(f *fake) {
			f.on = func(f *fake, verb, _ string) *action {
				f.mu.Lock()
				defer f.mu.Unlock()
				switch verb {
				case "MAIL":
					n = 0
				case "RCPT":
					n++
					if n > 3 {
						return &action{say: code}
					}
				case "TAKES":
					if n > 3 {
						return &action{}
					}
				}
				return nil
			}
		}
		f := newFake(t, limit)
		var to []string
		for i := range 8 {
			to = append(to, fmt.Sprintf("r%d@b.fr", i))
		}
		r, err := send(f.smtp(nil), message(to...))
		if err != nil || len(f.sent()) != 3 {
			t.Fatalf("%s: %v, %d mails", code, err, len(f.sent()))
		}
		for _, x := range r.Recipients {
			if x.State != router.Accepted {
				t.Errorf("%+v", x)
			}
		}
	}
}

func TestManyRecipients(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	var to []string
	for i := range 1000 {
		to = append(to, fmt.Sprintf("recipient-%d@a-rather-long-domain-name.example", i))
	}
	m := message("a@b.fr")
	m.Envelope = to
	r, err := send(f.smtp(nil), m)
	if err != nil || len(r.Recipients) != 1000 || len(f.sent()) != 1 || len(f.sent()[0].rcpts) != 1000 {
		t.Fatalf("%v", err)
	}
}

func TestSizeIsKnownBeforehand(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(f *fake) { f.ext[1] = "SIZE 2000" })
	s := f.smtp(nil)
	m := message("a@b.fr")
	m.Attachments = []router.Attachment{router.Bytes("x.bin", "", make([]byte, 3000))}
	r, err := send(s, m)
	if class(err) != vaguemestre.ClassRejected || r.State != router.Rejected || !strings.Contains(err.Error(), "2000") {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, c := range f.commands() {
		if strings.HasPrefix(c, "MAIL") {
			t.Error("asked all the same")
		}
	}
}

func TestSMTPUTF8OnlyWhenNeeded(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	if _, err := send(f.smtp(nil), message("rené@b.fr")); err != nil {
		t.Fatal(err)
	}
	if c := f.commands()[1]; !strings.Contains(c, " SMTPUTF8 BODY=8BITMIME") {
		t.Errorf("%q", c)
	}
	f = newFake(t, func(f *fake) { f.ext = f.ext[:3] })
	r, err := send(f.smtp(nil), message("rené@b.fr"))
	if class(err) != vaguemestre.ClassRejected || r == nil || !strings.Contains(err.Error(), "SMTPUTF8") || len(f.sent()) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestCancelReturnsWithinASecond(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"CONNECT", "EHLO", "MAIL", "RCPT", "DOT"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, func(f *fake) {
				f.on = func(_ *fake, v, _ string) *action {
					if v == verb {
						return &action{stall: true}
					}
					return nil
				}
			})
			s := f.smtp(func(s *SMTP) { s.Timeout = time.Minute })
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			r, err := s.SendMail(ctx, message("a@b.fr"))
			want := vaguemestre.ClassCanceled
			if verb == "DOT" {
				want = vaguemestre.ClassInDoubt
			}
			if d := time.Since(start); class(err) != want || d > time.Second {
				t.Fatalf("%v after %v", err, d)
			}
			if r != nil && r.State != stateOf(want) {
				t.Errorf("state %s", r.State)
			}
		})
	}
}

func TestAnAnswerTooManyIsNotTakenForTheLast(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(f *fake) {
		f.on = func(_ *fake, v, _ string) *action {
			switch v {
			case "RCPT":
				return &action{say: "250 2.1.5 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok"}
			case "DOT":
				return &action{say: "550 5.7.1 refused"}
			case "KEEPS":
				return &action{}
			}
			return nil
		}
	})
	r, err := send(f.smtp(nil), message("a@b.fr"))
	if err == nil || r.State == router.Accepted {
		t.Fatalf("%+v, %v", r, err)
	}
}
