package launcher

import (
	"io"
	"log"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
	"github.com/vaguemestre/vaguemestre/settings"
)

// imapHarness looks at a server with another client than the launcher.
type imapHarness struct {
	addr     string
	launcher *IMAP
}

func (h *imapHarness) Launcher() cold.Launcher { return h.launcher }

func (h *imapHarness) client(t *testing.T) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(h.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login(h.launcher.Account, h.launcher.Password.Reveal()).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (h *imapHarness) Add(t *testing.T, raw []byte) {
	t.Helper()
	c := h.client(t)
	defer c.Close()
	appendMail(t, c, h.launcher.source(), raw)
}

func appendMail(t testing.TB, c *imapclient.Client, folder string, raw []byte) {
	t.Helper()
	cmd := c.Append(folder, int64(len(raw)), nil)
	if _, err := cmd.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (h *imapHarness) Contents(t *testing.T, folder string) []coldtest.Kept {
	t.Helper()
	if folder == "" {
		folder = h.launcher.source()
	}
	c := h.client(t)
	defer c.Close()
	data, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || data.NumMessages == 0 {
		return nil
	}
	rows, err := c.Fetch(imap.UIDSet{{Start: 1}}, &imap.FetchOptions{UID: true, Flags: true,
		BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var out []coldtest.Kept
	for _, r := range rows {
		k := coldtest.Kept{}
		gone := false
		for _, f := range r.Flags {
			switch {
			case strings.EqualFold(string(f), `\Seen`):
				k.Seen = true
			case strings.EqualFold(string(f), `\Deleted`):
				gone = true
			case !strings.HasPrefix(string(f), `\`):
				k.Tags = append(k.Tags, string(f))
			}
		}
		if len(r.BodySection) == 1 {
			k.Data = r.BodySection[0].Bytes
		}
		if !gone { // without UIDPLUS it stays, marked
			out = append(out, k)
		}
	}
	return out
}

// memServer starts an IMAP server in this process and returns its harness.
func memServer(t testing.TB, caps ...imap.Cap) *imapHarness {
	t.Helper()
	user := imapmemserver.NewUser("alice@example.test", "geheim")
	for _, f := range []string{"INBOX", "Boîte", "Factures/2026"} {
		if err := user.Create(f, nil); err != nil {
			t.Fatal(err)
		}
	}
	back := imapmemserver.New()
	back.AddUser(user)
	set := imap.CapSet{imap.CapIMAP4rev1: {}}
	for _, c := range caps {
		set[c] = struct{}{}
	}
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return back.NewSession(), nil, nil
		},
		Caps: set, InsecureAuth: true, Logger: log.New(io.Discard, "", 0),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close() })
	return &imapHarness{addr: ln.Addr().String(), launcher: &IMAP{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port,
		TLS: TLSNone, AllowInsecureAuth: true, Account: "alice@example.test", Password: settings.Secret("geheim"), Timeout: 5 * time.Second}}
}

func TestIMAPKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, caps := range map[string][]imap.Cap{
		"with MOVE":    {imap.CapMove, imap.CapUIDPlus, imap.CapNamespace},
		"with UIDPLUS": {imap.CapUIDPlus},
		"with nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			coldtest.TestLauncher(t, func(t *testing.T) coldtest.LauncherHarness { return memServer(t, caps...) })
		})
	}
}
