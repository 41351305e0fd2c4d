package router

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// wired returns a mail service with w as its default, called main.
func wired(t *testing.T, w Connector) (Mail, *Router) {
	t.Helper()
	r := &Router{}
	mail := Mail{Router: r}
	must(t, r.AddConnector("main", w), r.SetDefault(mail, "main"), r.AddInstance(mail, "relances", Instance{Connector: "main"}))
	t.Cleanup(func() { must(t, r.Close()) })
	return mail, r
}

func TestSend(t *testing.T) {
	t.Parallel()
	mail, _ := wired(t, &wire{Host: "h"})
	m := &Message{From: "A <a@Mairie.EXAMPLE>", To: []string{"b@example.org"}, Subject: "x"}
	before := time.Now()
	rc, err := mail.Send(context.Background(), m, &SendOptions{Instance: "relances"})
	must(t, err)
	if rc.Connector != "main" || rc.Reason != ReasonInstance || rc.State != Accepted || rc.MessageID != m.MessageID {
		t.Errorf("receipt %+v", rc)
	}
	if !regexp.MustCompile(`^[a-z0-9]{20,}@mairie\.example$`).MatchString(m.MessageID) {
		t.Errorf("Message-ID %q", m.MessageID)
	}
	if m.Date.Before(before) || m.Date.After(time.Now()) {
		t.Errorf("Date %v", m.Date)
	}
	id, date := m.MessageID, m.Date
	rc, err = mail.Send(context.Background(), m, nil)
	must(t, err)
	if m.MessageID != id || !m.Date.Equal(date) || rc.MessageID != id || rc.Reason != ReasonDefault {
		t.Errorf("the second attempt has %q %v, %+v", m.MessageID, m.Date, rc)
	}
	rc, err = (&mail).Send(context.Background(), m, &SendOptions{Connector: "main"})
	must(t, err)
	if rc.Reason != ReasonExplicit {
		t.Errorf("reason %s", rc.Reason)
	}
}

// named tells a default sender.
type named struct {
	wire
	sender string
}

func (n *named) DefaultSender() string { return n.sender }

func TestMessageIDDomain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, sender, want string }{
		{"a@from.example", "b@sender.example", "from.example"},
		{"", "B <b@sender.example>", "sender.example"},
		{"", "", "vaguemestre.invalid"},
		{"", "no address", "vaguemestre.invalid"},
		{"a@école.example", "b@sender.example", "vaguemestre.invalid"},
		{"a@[192.0.2.1]", "", "[192.0.2.1]"},
	} {
		mail, _ := wired(t, &named{wire: wire{Host: "h"}, sender: c.sender})
		m := &Message{From: c.from, To: []string{"b@example.org"}}
		_, err := mail.Send(context.Background(), m, nil)
		must(t, err)
		if !strings.HasSuffix(m.MessageID, "@"+c.want) {
			t.Errorf("%+v: %q", c, m.MessageID)
		}
		must(t, m.Check())
	}
}

func TestSendRefusesBeforeTheConnector(t *testing.T) {
	t.Parallel()
	w := &wire{Host: "h", send: func(context.Context, *Message) (*Receipt, error) {
		t.Error("the connector was reached")
		return nil, nil
	}}
	mail, r := wired(t, w)
	dir := t.TempDir()
	gone := File(filepath.Join(dir, "absent.pdf"))
	for _, c := range []struct {
		name   string
		class  vaguemestre.Class
		change func(m *Message)
		o      *SendOptions
		limit  int64
	}{
		{"invalid", vaguemestre.ClassPoison, func(m *Message) { m.Subject = "a\r\nBcc: x@y.fr" }, nil, 0},
		{"nobody", vaguemestre.ClassPoison, func(m *Message) { m.To, m.Cc, m.Bcc, m.Envelope = nil, nil, nil, nil }, nil, 0},
		{"missing file", vaguemestre.ClassPoison, func(m *Message) { m.Attachments = []Attachment{gone} }, nil, 0},
		{"directory", vaguemestre.ClassPoison, func(m *Message) { m.Attachments = []Attachment{File(dir)} }, nil, 0},
		{"too large", vaguemestre.ClassPoison, func(m *Message) { m.Attachments = []Attachment{Bytes("a", "", make([]byte, 1000))} }, nil, 999},
		{"too large, unknown size", vaguemestre.ClassPoison, func(m *Message) {
			m.Attachments = []Attachment{{Name: "a", Size: -1, Open: func() (io.ReadCloser, error) {
				return io.NopCloser(iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 1000)))), nil
			}}}
		}, nil, 999},
		{"unknown instance", vaguemestre.ClassConfig, nil, &SendOptions{Instance: "x"}, 0},
		{"unknown connector", vaguemestre.ClassConfig, nil, &SendOptions{Connector: "x"}, 0},
	} {
		m := valid()
		m.MessageID, m.Date = "", time.Time{}
		if c.change != nil {
			c.change(m)
		}
		mail.MaxSize = c.limit
		rc, err := mail.Send(context.Background(), m, c.o)
		if rc != nil || vaguemestre.ClassOf(err) != c.class {
			t.Errorf("%s: %+v, %v", c.name, rc, err)
		}
		if m.MessageID != "" || !m.Date.IsZero() {
			t.Errorf("%s: a refused message was stamped", c.name)
		}
	}
	mail.MaxSize = 0
	m := valid()
	m.Attachments = []Attachment{gone}
	if _, err := mail.Send(context.Background(), m, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"absent.pdf"`) {
		t.Errorf("missing file: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := mail.Send(ctx, valid(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := (Mail{}).Send(context.Background(), valid(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("no router: %v", err)
	}
	if _, err := mail.Send(context.Background(), nil, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
		t.Errorf("nil message: %v", err)
	}
	must(t, r.SetDefault(mail, ""))
	if _, err := mail.Send(context.Background(), valid(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("no default: %v", err)
	}
}

func TestSendMaxSizeExact(t *testing.T) {
	t.Parallel()
	mail, _ := wired(t, &wire{Host: "h"})
	path := filepath.Join(t.TempDir(), "a.bin")
	must(t, os.WriteFile(path, make([]byte, 100), 0o600))
	m := &Message{From: "a@b.fr", To: []string{"b@b.fr"}, Text: strings.Repeat("x", 50), Attachments: []Attachment{File(path)}}
	mail.MaxSize = 150
	_, err := mail.Send(context.Background(), m, nil)
	must(t, err)
	mail.MaxSize = 149
	if _, err = mail.Send(context.Background(), m, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
		t.Errorf("one byte too many: %v", err)
	}
}

// A check of sizes ends with its context.
func TestSendMaxSizeCanceled(t *testing.T) {
	t.Parallel()
	mail, _ := wired(t, &wire{Host: "h"})
	mail.MaxSize = 1 << 40
	ctx, cancel := context.WithCancel(context.Background())
	endless := readerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	m := &Message{From: "a@b.fr", To: []string{"b@b.fr"}, Attachments: []Attachment{{Name: "a", Size: -1,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(endless), nil }}}}
	if _, err := mail.Send(ctx, m, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestSendReceipt(t *testing.T) {
	t.Parallel()
	refused := &vaguemestre.Error{Op: "wire: rcpt", Class: vaguemestre.ClassRejected, Code: "550 5.1.1"}
	w := &wire{Host: "h"}
	mail, _ := wired(t, w)
	answer := func(rc *Receipt, err error) (*Receipt, error) {
		w.send = func(context.Context, *Message) (*Receipt, error) { return rc, err }
		return mail.Send(context.Background(), valid(), nil)
	}
	rc, err := answer(&Receipt{Recipients: []Recipient{{Address: "a@b.fr", State: Rejected, Code: "550 5.1.1", Text: "no"}}}, refused)
	if err != error(refused) || rc == nil || rc.State != Rejected || rc.Connector != "main" {
		t.Errorf("refused: %+v, %v", rc, err)
	}
	data, err := json.Marshal(rc)
	const want = `{"message_id":"x.1@example.org","connector":"main","reason":"default","state":"rejected","recipients":[{"address":"a@b.fr","state":"rejected","code":"550 5.1.1","text":"no"}]}`
	if err != nil || string(data) != want {
		t.Errorf("JSON %s\nwant %s", data, want)
	}
	if rc, err = answer(&Receipt{}, refused); err == nil || rc.Recipients == nil || rc.State != Deferred {
		t.Errorf("empty: %+v, %v", rc, err)
	}
	if rc, err = answer(nil, refused); rc != nil || err != error(refused) {
		t.Errorf("no dialogue: %+v, %v", rc, err)
	}
	if rc, err = answer(nil, nil); rc != nil || vaguemestre.ClassOf(err) != vaguemestre.ClassInDoubt {
		t.Errorf("a connector that says nothing: %+v, %v", rc, err)
	}
}

// A connector that panics is not in use any more, and its panic is the caller's.
func TestSendPanics(t *testing.T) {
	t.Parallel()
	w := &wire{Host: "h", send: func(context.Context, *Message) (*Receipt, error) { panic("boom") }}
	mail, r := wired(t, w)
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = mail.Send(context.Background(), valid(), nil)
	}()
	must(t, r.ReplaceConnector("main", &wire{Host: "b"}))
	if w.closed.Load() != 1 {
		t.Error("it is still held")
	}
}

func TestStateOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   []State
		want State
	}{
		{nil, Deferred}, {[]State{Accepted}, Accepted}, {[]State{Rejected, InDoubt, Accepted}, Accepted}, {[]State{Rejected, Deferred, InDoubt}, InDoubt},
		{[]State{Rejected, Deferred}, Deferred}, {[]State{Deferred, Rejected}, Deferred}, {[]State{Rejected, Rejected}, Rejected}, {[]State{"?"}, Deferred},
	} {
		var rs []Recipient
		for _, s := range c.in {
			rs = append(rs, Recipient{State: s})
		}
		if got := StateOf(rs); got != c.want {
			t.Errorf("StateOf(%v) = %s, want %s", c.in, got, c.want)
		}
	}
}
