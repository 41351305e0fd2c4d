package connector

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
)

// town is a Microsoft 365 with the mailbox of a town hall, an application that sends from it,
// and waiting that takes no time.
type town struct {
	*graphtest.Server
	box   *graphtest.Mailbox
	app   auth.Account
	slept atomic.Int64
}

func newTown(t testing.TB, o *graphtest.Options) *town {
	t.Helper()
	srv, err := graphtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	w := &town{Server: srv}
	w.box = srv.AddUser(graphtest.User{Address: "mairie@mondaine.fr", Name: "Mairie", Language: "fr"})
	srv.AddApp(graphtest.App{ID: "11111111-2222-4333-8444-555555555555", Secret: "canary-secret", Permissions: []string{"Mail.ReadWrite", "Mail.Send"}})
	w.app = (&auth.Microsoft{ClientID: "11111111-2222-4333-8444-555555555555", ClientSecret: "canary-secret", Grant: auth.Application,
		Tenant: srv.Tenant, Authority: srv.URL, GraphURL: srv.URL, CAFile: srv.CAFile}).Account("compta")
	return w
}

// connector is one of the application, from the town hall's mailbox.
func (w *town) connector() *Office365 {
	return w.over(&Office365{Account: w.app, Mailbox: "mairie@mondaine.fr"})
}

// over gives o a clock that waiting moves on.
func (w *town) over(o *Office365) *Office365 {
	start := time.Now()
	o.Timeout, o.sleep = 20*time.Second, w.sleep
	o.now = func() time.Time { return start.Add(time.Duration(w.slept.Load())) }
	return o
}

func (w *town) sleep(ctx context.Context, d time.Duration) error {
	w.slept.Add(int64(d))
	return ctx.Err()
}

// person signs somebody in, as a device flow does.
func (w *town) person(t testing.TB, address string, grants ...string) auth.Account {
	t.Helper()
	a := w.Provider(&auth.Memory{}).Account("personne")
	flow, err := a.Begin(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Approve(flow.Progress().UserCode.Reveal(), graphtest.Consent{User: address, Scopes: grants}); err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Wait(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return a
}

// drafted sends m as a large mail goes out, whatever its size: so that tests of drafts need
// not move megabytes.
func drafted(ctx context.Context, o *Office365, m *router.Message) (*router.Receipt, error) {
	who, err := o.who(ctx)
	if err != nil {
		return nil, err
	}
	l, err := o.letter(ctx, m, who)
	if err != nil {
		return nil, err
	}
	l.way = byDraft
	d := &delivery{o: o, l: l, who: who}
	return d.receipt(d.deliver(ctx, who.mailbox))
}

// letterOf is a small mail with files of these sizes.
func letterOf(id string, sizes ...int) *router.Message {
	m := &router.Message{To: []string{"destinataire@example.org"}, Subject: "Facture", Text: "Bonjour", MessageID: id}
	for _, n := range sizes {
		m.Attachments = append(m.Attachments, router.Bytes("piece.pdf", "", grain(n)))
	}
	return m
}

// grain is content in which every block differs from the others.
func grain(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += copy(b[i:], noise) {
		if i > 0 {
			binary.BigEndian.PutUint32(b[max(0, i-4):], uint32(i))
		}
	}
	return b
}

var noise = func() []byte {
	b := make([]byte, 4093)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}()

// drafts are what lies in Drafts.
func (w *town) drafts() int { return len(w.box.Messages("drafts")) }

// attached reads the files of a mail with the standard library alone.
func attached(t testing.TB, raw []byte) [][]byte {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	var visit func(kind string, get func(string) string, r io.Reader)
	visit = func(kind string, get func(string) string, r io.Reader) {
		mt, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(mt, "multipart/") {
			for mr := multipart.NewReader(r, params["boundary"]); ; {
				p, err := mr.NextRawPart()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				visit(p.Header.Get("Content-Type"), p.Header.Get, p)
			}
		}
		if !strings.HasPrefix(get("Content-Disposition"), "attachment") {
			return
		}
		b, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, r))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	visit(m.Header.Get("Content-Type"), m.Header.Get, m.Body)
	return out
}
