package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// wire is a connector that carries mail, with settings.
type wire struct {
	Host     string          `key:"host" required:"true"`
	Password settings.Secret `key:"password"`
	Mode     string          `key:"mode" enum:"a,b" default:"a"`

	closed  atomic.Int32
	failing error // of Close
	send    func(ctx context.Context, m *Message) (*Receipt, error)
}

func (*wire) Kind() string { return "wire" }

func (*wire) Labels() map[string]settings.Label {
	l := settings.Label{Name: settings.Text{EN: "x", FR: "x"}}
	return map[string]settings.Label{"host": l, "password": l, "mode": l, "mode=a": l, "mode=b": l}
}

func (w *wire) Close() error {
	w.closed.Add(1)
	return w.failing
}

func (w *wire) SendMail(ctx context.Context, m *Message) (*Receipt, error) {
	if w.send != nil {
		return w.send(ctx, m)
	}
	to, _ := m.Recipients()
	rc := &Receipt{}
	for _, a := range to {
		rc.Recipients = append(rc.Recipients, Recipient{Address: a, State: Accepted})
	}
	return rc, nil
}

// pigeon is a connector without settings that carries no mail.
type pigeon struct{ name string }

func (*pigeon) Kind() string { return "pigeon" }

type empty struct{}

func (*empty) Kind() string { return "empty" }

// post is a service for pigeons only.
type post struct{ name string }

func (p post) Name() string {
	if p.name == "" {
		return "post"
	}
	return p.name
}
func (post) Compatible(c Connector) bool { _, ok := c.(*pigeon); return ok }

// wantConfig checks the class, the beginning and words of an error.
func wantConfig(t *testing.T, err error, words ...string) {
	t.Helper()
	if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("want an error of class config, got %v", err)
		return
	}
	if !strings.HasPrefix(err.Error(), "router: ") {
		t.Errorf("the error does not begin with its operation: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestResolveOrder(t *testing.T) {
	t.Parallel()
	var r Router
	mail := Mail{Router: &r}
	must(t, r.AddConnector("main", &wire{Host: "a"}), r.AddConnector("compta", &wire{Host: "b"}), r.AddConnector("autre", &wire{Host: "c"}),
		r.SetDefault(mail, "main"), r.AddInstance(mail, "relances", Instance{Connector: "compta"}), r.AddInstance(mail, "avis", Instance{}))
	for _, c := range []struct {
		o      *ResolveOptions
		name   string
		reason Reason
		trace  string
	}{
		{nil, "main", ReasonDefault, `the call names no connector; the service's default is "main"`},
		{&ResolveOptions{}, "main", ReasonDefault, `the call names no connector; the service's default is "main"`},
		{&ResolveOptions{Instance: "relances"}, "compta", ReasonInstance, `the call names no connector; instance "relances" names "compta"`},
		{&ResolveOptions{Instance: "avis"}, "main", ReasonDefault, `the call names no connector; instance "avis" names no connector; the service's default is "main"`},
		{&ResolveOptions{Connector: "autre"}, "autre", ReasonExplicit, `the call names "autre"`},
		{&ResolveOptions{Connector: "autre", Instance: "relances"}, "autre", ReasonExplicit, `the call names "autre"`},
	} {
		res, err := r.Resolve(mail, c.o)
		if err != nil || res.Name != c.name || res.Reason != c.reason || res.Connector == nil {
			t.Errorf("%+v: got %+v, %v", c.o, res, err)
		}
		var trace []string
		for _, x := range res.Trace {
			trace = append(trace, x.Text().EN)
			if fr := x.Text().FR; fr == "" || fr == x.Text().EN {
				t.Errorf("no French for %v", x)
			}
		}
		if got := strings.Join(trace, "; "); got != c.trace {
			t.Errorf("%+v: trace %s\nwant %s", c.o, got, c.trace)
		}
		res.Release()
	}
	res, err := r.Resolve(mail, &ResolveOptions{Instance: "relance"})
	wantConfig(t, err, `no instance "relance"`, `"avis", "relances"`)
	if res.Connector != nil || len(res.Trace) != 1 {
		t.Errorf("with an error: %+v", res)
	}
	_, err = r.Resolve(mail, &ResolveOptions{Connector: "main", Instance: "relance"})
	wantConfig(t, err, `no instance "relance"`)
	_, err = r.Resolve(mail, &ResolveOptions{Connector: "mian"})
	wantConfig(t, err, `no connector is called "mian"`, `"autre", "compta", "main"`)
	must(t, r.SetDefault(mail, ""))
	_, err = r.Resolve(mail, nil)
	wantConfig(t, err, "no default connector", `"main"`)
	_, err = r.Resolve(mail, &ResolveOptions{Instance: "avis"})
	wantConfig(t, err, "no default connector")
	if _, err = r.Resolve(nil, nil); err == nil {
		t.Error("a nil service was resolved")
	}
	var none *Mail
	if _, err = r.Resolve(none, nil); err == nil {
		t.Error("a nil pointer was resolved")
	}
	Resolution{}.Release()
}

func TestZeroRouter(t *testing.T) {
	t.Parallel()
	var r Router
	_, err := r.Resolve(Mail{}, nil)
	wantConfig(t, err, "no default connector", "there are no connectors yet")
	wantConfig(t, r.RemoveConnector("x"), `"x"`)
	wantConfig(t, r.ReplaceConnector("x", &pigeon{}), `"x"`)
	wantConfig(t, r.RemoveInstance(Mail{}, "x"), `"x"`)
	wantConfig(t, r.ReplaceInstance(Mail{}, "x", Instance{}), `"x"`)
	if c, s, p := r.Connectors(), r.Services(), r.Problems(); len(c)+len(s)+len(p) != 0 {
		t.Errorf("a zero router lists %v %v %v", c, s, p)
	}
	must(t, r.Close())
}

func TestAddConnectorRefuses(t *testing.T) {
	t.Parallel()
	var r Router
	w := &wire{Host: "a"}
	must(t, r.AddConnector("main", w))
	wantConfig(t, r.AddConnector("main", &wire{Host: "b"}), `"main" is taken`)
	wantConfig(t, r.AddConnector("other", w), `already, called "main"`)
	wantConfig(t, r.AddConnector("nil", nil), "nil")
	wantConfig(t, r.AddConnector("nil", (*wire)(nil)), "nil")
	wantConfig(t, r.AddConnector("bad", &wire{Host: "a", Mode: "z"}), "mode")
	for _, name := range []string{"", " a", "a ", "a\nb", "a\xff", strings.Repeat("x", 101)} {
		wantConfig(t, r.AddConnector(name, &wire{Host: "a"}))
		wantConfig(t, r.AddInstance(Mail{}, name, Instance{}))
	}
	// Values without a size may share an address, and are not the same for it.
	must(t, r.AddConnector("été à Nîmes", &wire{Host: "a"}), r.AddConnector("empty", &empty{}), r.AddConnector("empty too", &empty{}))
	if got := len(r.Connectors()); got != 4 {
		t.Errorf("%d connectors, want 4", got)
	}
}

func TestIncompatible(t *testing.T) {
	t.Parallel()
	var r Router
	mail := &Mail{Router: &r}
	must(t, r.AddConnector("pigeon", &pigeon{"a"}), r.AddConnector("main", &wire{Host: "a"}))
	wantConfig(t, r.SetDefault(mail, "pigeon"), `"pigeon"`, "router.MailSender", "mail")
	wantConfig(t, r.AddInstance(mail, "x", Instance{Connector: "pigeon"}), "router.MailSender")
	wantConfig(t, r.SetDefault(mail, "absent"), `"absent"`, `"main", "pigeon"`)
	wantConfig(t, r.AddInstance(mail, "x", Instance{Connector: "absent"}), `"absent"`)
	wantConfig(t, r.SetDefault(post{}, "main"), "what the service asks for")
	if s := r.Services(); len(s) != 0 {
		t.Errorf("refused wiring left %+v", s)
	}
	must(t, r.SetDefault(post{}, "pigeon"), r.SetDefault(mail, "main"))
	_, err := r.Resolve(mail, &ResolveOptions{Connector: "pigeon"})
	wantConfig(t, err, "router.MailSender")
	_, err = mail.Send(context.Background(), valid(), &SendOptions{Connector: "pigeon"})
	wantConfig(t, err, "router.MailSender")
	// The value and the pointer are one service; another type of that name is not.
	must(t, r.SetDefault(Mail{}, "main"))
	wantConfig(t, r.SetDefault(post{"mail"}, "pigeon"), "router.Mail", "router.post")
	_, err = r.Resolve(post{"mail"}, nil)
	wantConfig(t, err, "router.post")
	if r.SetDefault(nil, "main") == nil {
		t.Error("a nil service was wired")
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	var r Router
	mail := Mail{Router: &r}
	must(t, r.AddConnector("main", &wire{}), r.SetDefault(mail, "main"))
	_, err := r.Resolve(mail, nil)
	wantConfig(t, err, "incomplete", "host")
	var inc *settings.Incomplete
	if !errors.As(err, &inc) || len(inc.Missing) != 1 {
		t.Errorf("no *settings.Incomplete in %v", err)
	}
	if info := r.Connectors(); len(info) != 1 || info[0].Err == nil || info[0].Connector == nil || info[0].Kind != "wire" {
		t.Errorf("listed as %+v", info)
	}
	if p := r.Problems(); len(p) != 2 || p[0].Path != "connectors.main" || p[1].Path != "services.mail.default" {
		t.Errorf("problems: %v", p)
	}
	must(t, r.ReplaceConnector("main", &wire{Host: "a"}))
	res, err := r.Resolve(mail, nil)
	must(t, err)
	res.Release()
	if p := r.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
}

func TestRemoveConnector(t *testing.T) {
	t.Parallel()
	var r Router
	mail := Mail{Router: &r}
	w := &wire{Host: "a"}
	must(t, r.AddConnector("main", w), r.SetDefault(mail, "main"), r.AddInstance(mail, "relances", Instance{Connector: "main"}), r.AddInstance(mail, "avis", Instance{}))
	wantConfig(t, r.RemoveConnector("main"), `the default of service "mail"`, `instance "relances" of service "mail"`)
	wantConfig(t, r.AddInstance(mail, "relances", Instance{}), `"relances"`)
	must(t, r.SetDefault(mail, ""))
	wantConfig(t, r.RemoveConnector("main"), `instance "relances"`)
	if got := r.Connectors()[0].References; len(got) != 1 || got[0] != `instance "relances" of service "mail"` {
		t.Errorf("references %q", got)
	}
	must(t, r.ReplaceInstance(mail, "relances", Instance{}))
	must(t, r.RemoveInstance(mail, "relances"))
	wantConfig(t, r.RemoveInstance(mail, "relances"), `"avis"`)
	if w.closed.Load() != 0 {
		t.Error("closed too early")
	}
	must(t, r.RemoveConnector("main"))
	if w.closed.Load() != 1 {
		t.Errorf("closed %d times", w.closed.Load())
	}
	wantConfig(t, r.RemoveConnector("main"))
}

func TestReplaceConnector(t *testing.T) {
	t.Parallel()
	var r Router
	mail := Mail{Router: &r}
	old, next := &wire{Host: "a"}, &wire{Host: "b"}
	must(t, r.AddConnector("main", old), r.AddInstance(mail, "relances", Instance{Connector: "main"}))
	wantConfig(t, r.ReplaceConnector("main", &pigeon{}), "router.MailSender")
	wantConfig(t, r.ReplaceConnector("main", &wire{Host: "a", Mode: "z"}), "mode")
	wantConfig(t, r.ReplaceConnector("main", old), "already")
	wantConfig(t, r.ReplaceConnector("main", nil), "nil")
	res, err := r.Resolve(mail, &ResolveOptions{Instance: "relances"})
	must(t, err)
	res2, err := r.Resolve(mail, &ResolveOptions{Instance: "relances"})
	must(t, err)
	must(t, r.ReplaceConnector("main", next))
	if old.closed.Load() != 0 {
		t.Error("closed while in use")
	}
	now, err := r.Resolve(mail, &ResolveOptions{Instance: "relances"})
	if err != nil || now.Connector != Connector(next) {
		t.Errorf("after replacing: %+v, %v", now, err)
	}
	res.Release()
	res.Release() // counts once
	if old.closed.Load() != 0 {
		t.Error("closed while still in use")
	}
	res2.Release()
	if old.closed.Load() != 1 {
		t.Errorf("closed %d times", old.closed.Load())
	}
	now.Release()
	if next.closed.Load() != 0 {
		t.Error("the new one was closed")
	}
	next.failing = errors.New("no")
	err = r.ReplaceConnector("main", &wire{Host: "c"})
	if vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Errorf("a failing close: %v", err)
	}
	if c := r.Connectors()[0].Connector.(*wire); c.Host != "c" {
		t.Errorf("it was not replaced: %+v", c)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	var r Router
	mail := Mail{Router: &r}
	idle, busy, failing := &wire{Host: "a"}, &wire{Host: "b"}, &wire{Host: "c", failing: errors.New("torn wire")}
	must(t, r.AddConnector("idle", idle), r.AddConnector("busy", busy), r.AddConnector("failing", failing), r.AddConnector("pigeon", &pigeon{}), r.SetDefault(mail, "busy"))
	res, err := r.Resolve(mail, nil)
	must(t, err)
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "torn wire") {
		t.Errorf("Close: %v", err)
	}
	if idle.closed.Load() != 1 || busy.closed.Load() != 0 {
		t.Errorf("idle closed %d times, busy %d times", idle.closed.Load(), busy.closed.Load())
	}
	res.Release()
	if busy.closed.Load() != 1 {
		t.Error("the last release did not close")
	}
	must(t, r.Close())
	if idle.closed.Load() != 1 {
		t.Error("closed twice")
	}
	_, rerr := r.Resolve(mail, nil)
	_, serr := mail.Send(context.Background(), valid(), nil)
	for i, err := range []error{rerr, serr, r.AddConnector("x", &wire{Host: "a"}), r.ReplaceConnector("x", &wire{Host: "a"}), r.RemoveConnector("x"),
		r.SetDefault(mail, ""), r.AddInstance(mail, "x", Instance{}), r.RemoveInstance(mail, "x"),
		r.Load(context.Background(), &MemoryStore{}, &settings.Registry[Connector]{}), r.Save(context.Background(), &MemoryStore{}, &settings.Registry[Connector]{})} {
		if !errors.Is(err, ErrClosed) || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("call %d after Close: %v", i, err)
		}
	}
}

// A connector is never closed while it carries a mail, whatever is rewired meanwhile.
func TestConcurrentRewiring(t *testing.T) {
	t.Parallel()
	var r Router
	mail := Mail{Router: &r}
	var all []*wire
	fresh := func(i int) *wire {
		w := &wire{Host: fmt.Sprint(i)}
		w.send = func(context.Context, *Message) (*Receipt, error) {
			if w.closed.Load() != 0 {
				t.Error("a closed connector carries mail")
			}
			return &Receipt{Recipients: []Recipient{{State: Accepted}}}, nil
		}
		all = append(all, w)
		return w
	}
	must(t, r.AddConnector("main", fresh(0)), r.SetDefault(mail, "main"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, err := mail.Send(context.Background(), valid(), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			if err := r.ReplaceConnector("main", fresh(i+1)); err != nil {
				t.Error(err)
			}
			_ = r.AddInstance(mail, fmt.Sprint(i), Instance{Connector: "main"})
			r.Connectors()
			r.Services()
			r.Problems()
		}
	})
	wg.Wait()
	must(t, r.Close())
	for i, w := range all {
		if w.closed.Load() != 1 {
			t.Errorf("connector %d was closed %d times", i, w.closed.Load())
		}
	}
}
