package routertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// wrong is a mail sender with one fault, and the cases that must notice it.
type wrong struct {
	name  string
	cases []string // as in the names of subtests, all of which must fail
	send  func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error)
}

// change sends a changed copy of m.
func change(f func(m *router.Message)) func(*Recorder, context.Context, *router.Message) (*router.Receipt, error) {
	return func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
		c := copyMessage(m)
		f(&c)
		return rec.SendMail(ctx, &c)
	}
}

// after changes what comes back.
func after(f func(rc *router.Receipt, err error) (*router.Receipt, error)) func(*Recorder, context.Context, *router.Message) (*router.Receipt, error) {
	return func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
		rc, err := rec.SendMail(ctx, m)
		if rc == nil {
			return rc, err
		}
		return f(rc, err)
	}
}

// contents replaces what attachments give.
func contents(f func([]byte) []byte) func(m *router.Message) {
	return func(m *router.Message) {
		for i, a := range m.Attachments {
			if a.Open == nil {
				continue
			}
			if data, err := readAttachment(a); err == nil {
				m.Attachments[i] = router.Bytes(a.Name, a.MediaType, f(data))
			}
		}
	}
}

var wrongs = []wrong{
	{name: "normalises line ends", cases: []string{"attachment_bytes"},
		send: change(contents(func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		}))},
	{name: "converts to UTF-8", cases: []string{"attachment_bytes"},
		send: change(contents(func(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("?")) }))},
	{name: "loses an empty file", cases: []string{"attachment_bytes"},
		send: change(func(m *router.Message) {
			m.Attachments = slices.DeleteFunc(m.Attachments, func(a router.Attachment) bool { return a.Size == 0 && a.Open != nil })
		})},
	{name: "opens an attachment once", cases: []string{"attachment_opened_anew"}, send: openOnce()},
	{name: "leaves attachments open", cases: []string{"attachment_closed"},
		send: change(func(m *router.Message) {
			for i, a := range m.Attachments {
				if a.Open != nil {
					m.Attachments[i].Open = func() (io.ReadCloser, error) {
						rc, err := a.Open()
						return io.NopCloser(rc), err
					}
				}
			}
		})},
	{name: "sends what it could read", cases: []string{"attachment_fails"},
		send: change(func(m *router.Message) {
			for i, a := range m.Attachments {
				if a.Open == nil {
					continue
				}
				m.Attachments[i].Open = func() (io.ReadCloser, error) {
					rc, err := a.Open()
					if err != nil {
						return io.NopCloser(strings.NewReader("")), nil
					}
					defer rc.Close()
					data, _ := io.ReadAll(rc)
					return io.NopCloser(bytes.NewReader(data)), nil
				}
			}
		})},
	{name: "attaches inline images", cases: []string{"inline_by_content_id"},
		send: change(func(m *router.Message) {
			if m.Check() != nil {
				return
			}
			for _, a := range m.Inline {
				a.ContentID = ""
				m.Attachments = append(m.Attachments, a)
			}
			m.Inline = nil
		})},
	{name: "writes ASCII only", cases: []string{"any_script"},
		send: change(func(m *router.Message) {
			m.Subject = strings.Map(func(r rune) rune {
				if r > 126 {
					return '?'
				}
				return r
			}, m.Subject)
		})},
	{name: "loses lines that are a dot", cases: []string{"any_script"},
		send: change(func(m *router.Message) { m.Text = strings.ReplaceAll(m.Text, "\n.\n", "\n") })},
	{name: "forgets further headers", cases: []string{"further_headers"},
		send: change(func(m *router.Message) {
			if m.Check() == nil {
				m.Headers = nil
			}
		})},
	{name: "shows Bcc", cases: []string{"bcc_hidden"},
		send: change(func(m *router.Message) {
			if m.Check() != nil || m.Bcc == nil {
				return
			}
			m.Envelope, _ = m.Recipients()
			m.Cc = append(m.Cc, m.Bcc...)
		})},
	{name: "forgets Bcc", cases: []string{"bcc_hidden", "everybody_once"},
		send: change(func(m *router.Message) { m.Bcc = nil })},
	{name: "makes its own Message-ID", cases: []string{"message_id_and_date", "message_id_again"},
		send: change(func(m *router.Message) {
			if m.Check() == nil {
				m.MessageID = time.Now().Format("150405.000000000") + "@example.org"
			}
		})},
	{name: "sets its own date", cases: []string{"message_id_and_date"},
		send: change(func(m *router.Message) { m.Date = time.Now() })},
	{name: "ignores From's absence", cases: []string{"default_sender"},
		send: change(func(m *router.Message) {
			if m.From == "" {
				m.From = "personne@example.org"
			}
		})},
	{name: "sorts the recipients of m", cases: []string{"message_unchanged"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			slices.Sort(m.To)
			return rec.SendMail(ctx, m)
		}},
	{name: "sends to duplicates twice", cases: []string{"everybody_once"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			rc, err := rec.SendMail(ctx, m)
			if to, _ := m.Recipients(); err == nil && len(to) < len(m.To)+len(m.Cc)+len(m.Bcc) && m.Envelope == nil {
				c := copyMessage(m)
				c.Envelope = to[:1]
				_, _ = rec.SendMail(ctx, &c)
			}
			return rc, err
		}},
	{name: "ignores Envelope", cases: []string{"envelope"},
		send: change(func(m *router.Message) {
			if m.Check() == nil {
				m.Envelope = nil
			}
		})},
	{name: "writes Envelope to headers", cases: []string{"envelope"},
		send: change(func(m *router.Message) {
			if m.Check() == nil && m.Envelope != nil {
				m.To, m.Cc, m.Bcc = m.Envelope, nil, nil
			}
		})},
	{name: "forgets the reports", cases: []string{"reports"},
		send: change(func(m *router.Message) {
			if m.Check() == nil {
				m.DSN = nil
			}
		})},
	{name: "tells of the accepted only", cases: []string{"receipt_complete", "one_refused", "states_told_apart"},
		send: after(func(rc *router.Receipt, err error) (*router.Receipt, error) {
			rc.Recipients = slices.DeleteFunc(rc.Recipients, func(p router.Recipient) bool { return p.State == router.Rejected })
			return rc, err
		})},
	{name: "gives all up for one", cases: []string{"one_refused", "no_error_beside_success", "states_told_apart"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			rec.mu.Lock()
			to, _ := m.Recipients()
			for _, a := range to {
				if _, refused := rec.answers[a]; refused && len(to) > 1 {
					for _, b := range to {
						if _, ok := rec.answers[b]; !ok {
							rec.answers[b] = router.Recipient{Address: b, State: router.Rejected}
						}
					}
				}
			}
			rec.mu.Unlock()
			return rec.SendMail(ctx, m)
		}},
	{name: "errors beside success", cases: []string{"no_error_beside_success"},
		send: after(func(rc *router.Receipt, err error) (*router.Receipt, error) {
			for _, p := range rc.Recipients {
				if p.State != router.Accepted && err == nil {
					err = recorderError("send", vaguemestre.ClassRejected, p.Code, errors.New("a recipient was refused"))
				}
			}
			return rc, err
		})},
	{name: "calls later never", cases: []string{"states_told_apart", "class_of_the_error", "state_of_the_whole"},
		send: after(func(rc *router.Receipt, err error) (*router.Receipt, error) {
			for i, p := range rc.Recipients {
				if p.State == router.Deferred {
					rc.Recipients[i].State = router.Rejected
				}
			}
			rc.State = router.StateOf(rc.Recipients)
			return rc, receiptError(rc)
		})},
	{name: "has no receipt when refused", cases: []string{"receipt_when_refused", "in_doubt"},
		send: after(func(rc *router.Receipt, err error) (*router.Receipt, error) {
			if err != nil {
				return nil, err
			}
			return rc, err
		})},
	{name: "swallows the error", cases: []string{"error_when_refused", "class_of_the_error", "in_doubt"},
		send: after(func(rc *router.Receipt, err error) (*router.Receipt, error) { return rc, nil })},
	{name: "takes the last recipient's state", cases: []string{"state_of_the_whole"},
		send: after(func(rc *router.Receipt, err error) (*router.Receipt, error) {
			rc.State = rc.Recipients[len(rc.Recipients)-1].State
			return rc, err
		})},
	{name: "calls doubt deferred", cases: []string{"in_doubt"},
		send: after(func(rc *router.Receipt, err error) (*router.Receipt, error) {
			if rc.State == router.InDoubt {
				rc.Recipients = all([]string{rc.Recipients[0].Address}, router.Deferred, "", "")
				rc.State = router.Deferred
				err = recorderError("send", vaguemestre.ClassDeferred, "", errors.New("connection lost"))
			}
			return rc, err
		})},
	{name: "sends again in doubt", cases: []string{"doubt_not_sent_again"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			rc, err := rec.SendMail(ctx, m)
			if vaguemestre.ClassOf(err) == vaguemestre.ClassInDoubt {
				return rec.SendMail(ctx, m)
			}
			return rc, err
		}},
	{name: "ignores the context's end", cases: []string{"context_ends"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			rc, err := rec.SendMail(ctx, m)
			if ctx.Err() != nil {
				time.Sleep(1500 * time.Millisecond) // as one that drains the connection first
			}
			return rc, err
		}},
	{name: "does not look at the context", cases: []string{"context_ended_before"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			if rec.behaviourAlways() == Stalled {
				return rec.SendMail(ctx, m)
			}
			return rec.SendMail(context.WithoutCancel(ctx), m)
		}},
	{name: "gives bare errors", cases: []string{"down", "error_when_refused"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			rc, err := rec.SendMail(ctx, m)
			if err != nil {
				err = errors.New(err.Error())
			}
			return rc, err
		}},
	{name: "calls an outage final", cases: []string{"down"},
		send: func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
			rc, err := rec.SendMail(ctx, m)
			if vaguemestre.ClassOf(err) == vaguemestre.ClassSource {
				err = recorderError("connect", vaguemestre.ClassRejected, "", err)
			}
			return rc, err
		}},
	{name: "cleans instead of refusing", cases: []string{"invalid_refused"},
		send: change(func(m *router.Message) {
			m.Subject = strings.Map(func(r rune) rune {
				if r < ' ' {
					return -1
				}
				return r
			}, m.Subject)
		})},
	{name: "keeps one message at a time", cases: []string{"concurrent"}, send: shared()},
}

// behaviourAlways is for the wrong ones only.
func (r *Recorder) behaviourAlways() Behaviour {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.always
}

// openOnce reads an attachment the first time, and what is left of it ever after.
func openOnce() func(*Recorder, context.Context, *router.Message) (*router.Receipt, error) {
	var mu sync.Mutex
	opened := map[string]io.Reader{}
	return change(func(m *router.Message) {
		mu.Lock()
		defer mu.Unlock()
		for i, a := range m.Attachments {
			if a.Open == nil {
				continue
			}
			key := m.MessageID + a.Name
			r := opened[key]
			if r == nil {
				rc, err := a.Open()
				if err != nil {
					continue
				}
				r = rc
				opened[key] = r
			}
			m.Attachments[i].Open = func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
		}
	})
}

// shared has one place for the message that is being sent.
func shared() func(*Recorder, context.Context, *router.Message) (*router.Receipt, error) {
	var mu sync.Mutex
	var current *router.Message
	return func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error) {
		mu.Lock()
		current = m
		mu.Unlock()
		if strings.HasPrefix(m.Subject, "Envoi") {
			time.Sleep(20 * time.Millisecond)
		}
		mu.Lock()
		m = current
		mu.Unlock()
		return rec.SendMail(ctx, m)
	}
}

type wrongSender struct {
	*Recorder
	send func(rec *Recorder, ctx context.Context, m *router.Message) (*router.Receipt, error)
}

func (w *wrongSender) SendMail(ctx context.Context, m *router.Message) (*router.Receipt, error) {
	return w.send(w.Recorder, ctx, m)
}

// inner is set in the process in which the suite is expected to fail.
const inner = "ROUTERTEST_WRONG_SENDERS"

// TestWrongSenders runs only in a process of its own, started by TestSuiteNoticesFaults.
func TestWrongSenders(t *testing.T) {
	if os.Getenv(inner) == "" {
		t.Skip("run by TestSuiteNoticesFaults, since it is meant to fail")
	}
	for _, w := range wrongs {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			TestMailSender(t, func(*testing.T) Harness {
				rec := &Recorder{}
				return recorderHarness(rec, &wrongSender{rec, w.send})
			})
		})
	}
}

// Each wrong sender fails in the cases that are there for its fault. How many other cases it
// fails is not limited, but most pass: a suite that fails everybody notices nothing.
func TestSuiteNoticesFaults(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestWrongSenders$", "-test.v", "-test.timeout=300s", "-test.parallel=16")
	cmd.Env = append(os.Environ(), inner+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("the wrong senders passed: %v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("panic:")) {
		t.Fatalf("the suite panicked:\n%s", out)
	}
	failed := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s+--- FAIL: TestWrongSenders/([^/\s]+)/(\S+)`).FindAllSubmatch(out, -1) {
		failed[string(m[1])] = append(failed[string(m[1])], string(m[2]))
	}
	for _, w := range wrongs {
		got := failed[strings.ReplaceAll(w.name, " ", "_")]
		for _, want := range w.cases {
			if !slices.Contains(got, want) {
				t.Errorf("%q passes the case %q; it failed %q", w.name, want, got)
			}
		}
		if len(got) > len(cases)/2 {
			t.Errorf("%q fails %d of %d cases: %q", w.name, len(got), len(cases), got)
		}
	}
	// Each case is there for something.
	for _, c := range cases {
		name := strings.ReplaceAll(c.name, " ", "_")
		if !slices.ContainsFunc(wrongs, func(w wrong) bool { return slices.Contains(w.cases, name) }) {
			t.Errorf("no wrong sender is there for the case %q", c.name)
		}
	}
	if len(wrongs) < 10 {
		t.Errorf("only %d wrong senders", len(wrongs))
	}
}
