package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // registers charsets for the reader of this test

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// postfix gives the servers, or skips the test where there is no Postfix.
func postfix(t *testing.T) *mailstack.Stack {
	t.Helper()
	if stack(t).SMTP == 0 {
		t.Skip("Postfix runs as root only")
	}
	return servers
}

// smtpOf is a connector to one of Postfix's doors.
func smtpOf(t *testing.T, mode connector.TLSMode) *connector.SMTP {
	c := &connector.SMTP{Host: servers.Host(mailstack.Good), TLS: mode, CAFile: servers.CAFile, Sender: "mairie@" + mailstack.Domain,
		Account: servers.Address("mairie"), Password: settings.Secret(mailstack.Password), Timeout: 20 * time.Second}
	switch mode {
	case connector.TLSImplicit:
		c.Port = servers.SMTPS
	case connector.TLSStartTLS:
		c.Port = servers.Submission
	default:
		c.Port, c.Account, c.Password = servers.SMTP, "", ""
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send sends m as a host does.
func send(t *testing.T, c *connector.SMTP, m *router.Message) (*router.Receipt, error) {
	t.Helper()
	var rt router.Router
	if err := rt.AddConnector("main", c); err != nil {
		t.Fatal(err)
	}
	mail := router.Mail{Router: &rt}
	if err := rt.SetDefault(mail, "main"); err != nil {
		t.Fatal(err)
	}
	return mail.Send(testContext(t), m, nil)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = src.Read(b)
	return b
}

// letter has what goes wrong on the way: dots, long lines, accents, every byte value.
func letter(to ...string) (*router.Message, map[string]string) {
	files := map[string][]byte{
		"Facture été 2026.pdf": append([]byte("%PDF-1.4\n"), randomBytes(120_000)...),
		"points.txt":           []byte(".\r\n..\r\n.x\r\nfin\n.\n"),
		"latin1.xml":           []byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<a>\xe9t\xe9</a>\n"),
		"vide.bin":             {},
	}
	m := &router.Message{To: to, Subject: "Relevé – œuvres d'été",
		Text: "Première ligne\n.\n..deux points\n.From x\nFrom un autre\n" + strings.Repeat("très long ", 200) + "\nfin sans retour",
		HTML: "<p>Bonjour à tous <img src=\"cid:logo@x.invalid\"></p>",
		Inline: []router.Attachment{{Name: "logo.png", ContentID: "logo@x.invalid", Size: 4, MediaType: "image/png",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("\x89PNG")), nil }}}}
	sums := map[string]string{}
	for n, b := range files {
		m.Attachments = append(m.Attachments, router.Bytes(n, "application/octet-stream", b))
		s := sha256.Sum256(b)
		sums[n] = hex.EncodeToString(s[:])
	}
	return m, sums
}

// await waits for n mails in a user's INBOX.
func await(t *testing.T, u string, n int) []mailstack.Mail {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		ms, _ := folder(t, u, "INBOX")
		if len(ms) >= n {
			return ms
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d mails arrived", len(ms), n)
		}
	}
}

// attached reads the attachments of a delivered mail with another reader than ours.
func attached(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	m, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	if err := m.Walk(func(_ []int, p *message.Entity, err error) error {
		if d, ps, _ := p.Header.ContentDisposition(); err == nil && d == "attachment" {
			h := sha256.New()
			if _, err := io.Copy(h, p.Body); err != nil {
				return err
			}
			out[ps["filename"]] = hex.EncodeToString(h.Sum(nil))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSMTPDoors(t *testing.T) {
	postfix(t)
	for _, c := range []struct {
		mode connector.TLSMode
		auth string
	}{
		{connector.TLSImplicit, "auto"}, {connector.TLSImplicit, "plain"}, {connector.TLSImplicit, "login"},
		{connector.TLSImplicit, "cram-md5"}, {connector.TLSImplicit, "scram-sha-256"},
		{connector.TLSStartTLS, "auto"}, {connector.TLSStartTLS, "plain"}, {connector.TLSStartTLS, "login"},
		{connector.TLSStartTLS, "cram-md5"}, {connector.TLSStartTLS, "scram-sha-256"},
		{connector.TLSNone, "auto"},
	} {
		t.Run(fmt.Sprintf("%s %s", c.mode, c.auth), func(t *testing.T) {
			t.Parallel()
			u := user(t)
			s := smtpOf(t, c.mode)
			s.Auth = c.auth
			m, sums := letter(servers.Address(u))
			m.Bcc = []string{servers.Address(u + "-bcc")}
			rec, err := send(t, s, m)
			if err != nil || rec.State != router.Accepted || len(rec.Recipients) != 2 || rec.Connector != "main" || rec.Reason != router.ReasonDefault {
				t.Fatalf("%+v, %v", rec, err)
			}
			var raws [][]byte
			for _, u := range []string{u, u + "-bcc"} {
				raw := untraced(await(t, u, 1)[0].Raw)
				raws = append(raws, raw)
				got := attached(t, raw)
				for n, sum := range sums {
					if got[n] != sum {
						t.Errorf("attachment %q arrived as %q, want %q", n, got[n], sum)
					}
				}
				if len(got) != len(sums) {
					t.Errorf("attachments %v", got)
				}
				if !bytes.Contains(raw, []byte("<"+rec.MessageID+">")) {
					t.Errorf("the mail has not the receipt's Message-ID %s", rec.MessageID)
				}
				if bytes.Contains(raw, []byte("-bcc@")) {
					t.Error("the mail names the Bcc")
				}
			}
			if !bytes.Equal(raws[0], raws[1]) {
				t.Error("the two recipients have different mails")
			}
			if c.auth != "auto" && !logged("sasl_method="+strings.ToUpper(c.auth)) {
				t.Error("Postfix saw no such mechanism")
			}
		})
	}
}

// untraced cuts off what the servers on the way put in front (RFC 5321 section 4.4).
func untraced(raw []byte) []byte {
	for {
		trace := false
		for _, h := range []string{"Return-Path:", "Delivered-To:", "Received:"} {
			trace = trace || bytes.HasPrefix(raw, []byte(h))
		}
		if !trace {
			return raw
		}
		for first := true; first || len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t'); first = false {
			_, raw, _ = bytes.Cut(raw, []byte("\n"))
		}
	}
}

// recorder is a line to a server that keeps what the client says.
type recorder struct {
	net.Listener
	mu   sync.Mutex
	said bytes.Buffer
}

func record(t *testing.T, to string) *recorder {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				return
			}
			go func() { _, _ = io.Copy(c, s); c.Close() }()
			go func() { _, _ = io.Copy(io.MultiWriter(s, r), c); s.Close() }()
		}
	}()
	return r
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

func (r *recorder) all() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.said.Bytes())
}

// TestSMTPBytes compares the delivered mail with the bytes on the line.
func TestSMTPBytes(t *testing.T) {
	st := postfix(t)
	u := user(t)
	rec := record(t, net.JoinHostPort(st.Host(mailstack.Good), fmt.Sprint(st.SMTP)))
	c := smtpOf(t, connector.TLSNone)
	c.Port = rec.Addr().(*net.TCPAddr).Port
	m, _ := letter(servers.Address(u))
	if _, err := send(t, c, m); err != nil {
		t.Fatal(err)
	}
	_, said, ok := bytes.Cut(rec.all(), []byte("DATA\r\n"))
	data, _, end := bytes.Cut(said, []byte("\r\n.\r\n"))
	if !ok || !end {
		t.Fatalf("no DATA on the line: %.300q", said)
	}
	for _, l := range bytes.Split(data, []byte("\r\n")) {
		if len(l) > 998 || bytes.ContainsAny(l, "\r\n\x00") {
			t.Errorf("line of %d bytes or with a lone line end: %.60q", len(l), l)
		}
	}
	// RFC 5321 section 4.5.2: one leading dot is taken away.
	want := lf(bytes.ReplaceAll(append([]byte("\r\n"), data...), []byte("\r\n."), []byte("\r\n")))[1:]
	got := untraced(await(t, u, 1)[0].Raw)
	if !bytes.Equal(bytes.TrimRight(got, "\n"), bytes.TrimRight(want, "\n")) {
		t.Errorf("the mail changed on its way: %d bytes were sent, %d arrived\nsent    %.400q\narrived %.400q", len(want), len(got), want, got)
	}
}

func TestSMTPRefusals(t *testing.T) {
	st := postfix(t)
	check := func(t *testing.T, err error, class vaguemestre.Class) {
		t.Helper()
		var e *vaguemestre.Error
		if !errors.As(err, &e) || e.Class != class {
			t.Errorf("class %q, error %v; want class %q", vaguemestre.ClassOf(err), err, class)
		}
		if strings.Contains(fmt.Sprint(err), mailstack.Password) {
			t.Error("the error has the password in it")
		}
	}
	t.Run("one among good ones", func(t *testing.T) {
		t.Parallel()
		a, b := user(t)+"-a", user(t)+"-b"
		m, _ := letter(servers.Address(a), mailstack.Unknown, mailstack.Later, mailstack.Full, servers.Address(b))
		rec, err := send(t, smtpOf(t, connector.TLSImplicit), m)
		if err != nil || rec.State != router.Accepted {
			t.Fatalf("%+v, %v", rec, err)
		}
		want := []struct {
			state router.State
			code  string
		}{{router.Accepted, "250"}, {router.Rejected, "550 5.1.1"}, {router.Deferred, "450 4.2.1"}, {router.Rejected, "552 5.2.2"}, {router.Accepted, "250"}}
		for i, r := range rec.Recipients {
			// RFC 5321 section 4.5.3.1.10: at RCPT 552 means "too many recipients, now"; 5.2.2 says otherwise.
			if i < len(want) && (r.State != want[i].state || !strings.HasPrefix(r.Code, want[i].code)) {
				t.Errorf("%+v, want %+v", r, want[i])
			}
		}
		if len(rec.Recipients) != len(want) {
			t.Errorf("%+v", rec.Recipients)
		}
		for _, u := range []string{a, b} {
			if n := len(await(t, u, 1)); n != 1 {
				t.Errorf("%s has %d mails", u, n)
			}
		}
	})
	t.Run("partial refuse", func(t *testing.T) {
		t.Parallel()
		u := user(t)
		c := smtpOf(t, connector.TLSImplicit)
		c.Partial = connector.PartialRefuse
		m, _ := letter(servers.Address(u), mailstack.Unknown)
		rec, err := send(t, c, m)
		if err == nil || rec == nil || rec.State == router.Accepted {
			t.Errorf("%+v, %v", rec, err)
		}
		time.Sleep(500 * time.Millisecond)
		if ms, _ := folder(t, u, "INBOX"); len(ms) != 0 {
			t.Errorf("%d mails arrived", len(ms))
		}
	})
	t.Run("all refused", func(t *testing.T) {
		t.Parallel()
		m, _ := letter(mailstack.Unknown)
		_, err := send(t, smtpOf(t, connector.TLSStartTLS), m)
		check(t, err, vaguemestre.ClassRejected)
		m, _ = letter(mailstack.Later)
		_, err = send(t, smtpOf(t, connector.TLSStartTLS), m)
		check(t, err, vaguemestre.ClassDeferred)
	})
	t.Run("size", func(t *testing.T) {
		t.Parallel()
		u := user(t)
		rec := record(t, net.JoinHostPort(st.Host(mailstack.Good), fmt.Sprint(st.SMTP)))
		c := smtpOf(t, connector.TLSNone)
		c.Port = rec.Addr().(*net.TCPAddr).Port
		m := &router.Message{To: []string{servers.Address(u)}, Subject: "trop gros", Text: "x",
			Attachments: []router.Attachment{router.Bytes("gros.bin", "", randomBytes(int(st.SizeLimit)))}}
		_, err := send(t, c, m)
		check(t, err, vaguemestre.ClassRejected)
		if n := len(rec.all()); n > 10_000 {
			t.Errorf("%d bytes were sent before the size was known to be too large", n)
		}
		m.Attachments[0] = router.Bytes("juste.bin", "", randomBytes(int(st.SizeLimit)/10*7))
		if r, err := send(t, c, m); err != nil {
			t.Errorf("%+v, %v", r, err)
		}
		await(t, u, 1)
	})
	for _, c := range []struct {
		name  string
		set   func(*connector.SMTP)
		class vaguemestre.Class
	}{
		{"wrong password", func(c *connector.SMTP) { c.Password = "wrong" }, vaguemestre.ClassAuth},
		{"untrusted", func(c *connector.SMTP) { c.Host = st.Host(mailstack.Foreign) }, vaguemestre.ClassConfig},
		{"misnamed", func(c *connector.SMTP) { c.Host = st.Host(mailstack.Misnamed) }, vaguemestre.ClassConfig},
		{"expired", func(c *connector.SMTP) { c.Host = st.Host(mailstack.Expired) }, vaguemestre.ClassConfig},
		{"sender", func(c *connector.SMTP) { c.Sender = mailstack.RefusedSender }, vaguemestre.ClassRejected},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := smtpOf(t, connector.TLSImplicit)
			c.set(s)
			m, _ := letter(servers.Address(user(t)))
			_, err := send(t, s, m)
			check(t, err, c.class)
		})
	}
	t.Run("gone server", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c := smtpOf(t, connector.TLSNone)
		c.Port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		m, _ := letter("a@" + mailstack.Domain)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err = c.SendMail(ctx, m)
		check(t, err, vaguemestre.ClassSource)
	})
}

func TestSMTPCheck(t *testing.T) {
	postfix(t)
	for _, mode := range []connector.TLSMode{connector.TLSImplicit, connector.TLSStartTLS, connector.TLSNone} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			c := smtpOf(t, mode)
			if err := c.Check(testContext(t), func(s vaguemestre.Step) {
				if s.Status == vaguemestre.StatusFailed {
					t.Errorf("%+v", s)
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
