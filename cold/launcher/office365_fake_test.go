package launcher

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// clock goes on when somebody waits.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	return ctx.Err()
}

// cloud is a fake Microsoft 365 with an application that may read every mailbox.
type cloud struct {
	*graphtest.Server
	clock clock
	app   *auth.Microsoft

	mu      sync.Mutex
	scripts map[string]func(*graphtest.Call) *graphtest.Reply // by address
}

func startCloud(t testing.TB, o *graphtest.Options) *cloud {
	t.Helper()
	srv, err := graphtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	srv.AddApp(graphtest.App{ID: "collector", Secret: "app-secret", Permissions: []string{"Mail.ReadWrite"}})
	c := &cloud{Server: srv, scripts: map[string]func(*graphtest.Call) *graphtest.Reply{}}
	c.app = &auth.Microsoft{ClientID: "collector", ClientSecret: "app-secret", Tenant: srv.Tenant, Grant: auth.Application,
		Authority: srv.URL, GraphURL: srv.URL, CAFile: srv.CAFile}
	srv.Script(func(call *graphtest.Call) *graphtest.Reply {
		c.mu.Lock()
		defer c.mu.Unlock()
		for address, f := range c.scripts {
			if strings.Contains(strings.ToLower(call.Path), "/"+address+"/") || address == "" {
				return f(call)
			}
		}
		return nil
	})
	return c
}

// script decides about the calls on one mailbox; "" is all of them.
func (c *cloud) script(address string, f func(*graphtest.Call) *graphtest.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.scripts[address] = f; f == nil {
		delete(c.scripts, address)
	}
}

// mailbox adds a shared mailbox and a launcher that looks into it for the application.
func (c *cloud) mailbox(name string) (*graphtest.Mailbox, *Office365) {
	address := name + "@mondaine.fr"
	box := c.AddUser(graphtest.User{Address: address, Language: "fr", Shared: true})
	return box, c.launcher(c.app.Account("collector"), address)
}

func (c *cloud) launcher(a auth.Account, address string) *Office365 {
	return &Office365{Account: a, Mailbox: address, Timeout: 20 * time.Second, hooks: graph.Options{Sleep: c.clock.sleep, Now: c.clock.now}}
}

// signedIn adds a person and associates an account with them.
func (c *cloud) signedIn(t testing.TB, u graphtest.User) (*graphtest.Mailbox, auth.Account) {
	t.Helper()
	box := c.AddUser(u)
	ms := c.Provider(&auth.Memory{})
	ms.Roles = []auth.Role{auth.RoleCollect, auth.RoleShared}
	account := ms.Account(strings.Split(u.Address, "@")[0])
	if err := c.SignIn(t.Context(), account, u.Address); err != nil {
		t.Fatal(err)
	}
	return box, account
}

// graphHarness looks into a mailbox of the fake.
type graphHarness struct {
	box      *graphtest.Mailbox
	launcher *Office365
}

func (h *graphHarness) Launcher() cold.Launcher { return h.launcher }

func (h *graphHarness) Add(_ *testing.T, raw []byte) { h.box.Deliver(h.launcher.source(), raw) }

func (h *graphHarness) Contents(_ *testing.T, folder string) []coldtest.Kept {
	if folder == "" {
		folder = h.launcher.source()
	}
	var out []coldtest.Kept
	for _, m := range h.box.Messages(folder) {
		out = append(out, coldtest.Kept{Data: m.Raw, Seen: m.Read, Tags: m.Categories})
	}
	return out
}

// empty removes what an earlier case left.
func (h *graphHarness) empty() *graphHarness {
	for _, m := range h.box.Messages("") {
		h.box.Remove(m.ID)
	}
	return h
}

func TestOffice365KeepsTheContract(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	shared := c.AddUser(graphtest.User{Address: "accueil@mondaine.fr", Language: "fr", Shared: true})
	own, account := c.signedIn(t, graphtest.User{Address: "compta@mondaine.fr", Language: "fr", FullAccess: []string{"accueil@mondaine.fr"}})
	t.Run("own mailbox, delta", func(t *testing.T) {
		coldtest.TestLauncher(t, func(*testing.T) coldtest.LauncherHarness {
			return (&graphHarness{own, c.launcher(account, "")}).empty()
		})
	})
	t.Run("shared mailbox, full", func(t *testing.T) {
		coldtest.TestLauncher(t, func(*testing.T) coldtest.LauncherHarness {
			l := c.launcher(account, "accueil@mondaine.fr:Factures")
			l.Listing = ListingFull
			shared.AddFolder("Boîte de réception/Factures")
			l.Source = "Boîte de réception/Factures"
			return (&graphHarness{shared, l}).empty()
		})
	})
	t.Run("application, small pages", func(t *testing.T) {
		t.Parallel()
		small := startCloud(t, &graphtest.Options{PageSize: 2})
		for _, listing := range []Listing{ListingDelta, ListingFull} {
			n := 0
			coldtest.TestLauncher(t, func(*testing.T) coldtest.LauncherHarness {
				n++
				box, l := small.mailbox(fmt.Sprint(listing, n))
				l.Listing = listing
				return &graphHarness{box, l}
			})
		}
	})
}

// invoice is a mail with one document.
func invoice(n int) []byte {
	return fmt.Appendf(nil, "From: Fournisseur <f@example.org>\r\nTo: compta@mondaine.fr\r\nSubject: Facture %d\r\nMessage-ID: <facture-%d@example.org>\r\n"+
		"Date: Mon, 05 Jan 2026 08:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\nBonjour\r\n"+
		"--b1\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"facture-%d.pdf\"\r\n\r\n%%PDF facture %d\r\n--b1--\r\n", n, n, n, n)
}

func invoices(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = invoice(i)
	}
	return out
}

// counted is a sink that counts how often each document came, by key.
type counted struct {
	mu   sync.Mutex
	puts map[string]int    // by key
	name map[string]string // by key
	sums map[string]string // SHA-256 by name
}

func (s *counted) Put(_ context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.puts == nil {
		s.puts, s.name, s.sums = map[string]int{}, map[string]string{}, map[string]string{}
	}
	for _, d := range docs {
		s.puts[d.Key]++
		s.name[d.Key] = d.Name
		s.sums[d.Name] = d.SHA256
	}
	return make([]cold.Stored, len(docs)), nil
}

// want checks that n documents came, each once and none under two keys.
func (s *counted) want(t testing.TB, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]int{}
	for key, name := range s.name {
		names[name]++
		if s.puts[key] != 1 {
			t.Errorf("%s was handed over %d times", name, s.puts[key])
		}
	}
	if len(s.puts) != n || len(names) != n {
		t.Errorf("%d documents with %d names, want %d", len(s.puts), len(names), n)
	}
}

func (s *counted) job(l cold.Launcher, ledger cold.Ledger, after cold.After) *cold.Job {
	return &cold.Job{Name: "factures", Launcher: l, Ledger: ledger, Sink: s, After: after}
}

func run(t testing.TB, j *cold.Job) *cold.Summary {
	t.Helper()
	sum, err := j.Run(t.Context())
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return &sum
}
