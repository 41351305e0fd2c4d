package router

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

func testKinds(t *testing.T) *settings.Registry[Connector] {
	t.Helper()
	title := settings.Text{EN: "x", FR: "x"}
	var kinds settings.Registry[Connector]
	must(t, kinds.Register(
		settings.Kind[Connector]{Name: "wire", Title: title, New: func() Connector { return &wire{} }},
		settings.Kind[Connector]{Name: "pigeon", Title: title, New: func() Connector { return &pigeon{} }}))
	return &kinds
}

func TestSaveLoad(t *testing.T) {
	t.Parallel()
	ctx, kinds, st := context.Background(), testKinds(t), &MemoryStore{}
	const canary = "canary-4711"
	var a Router
	mail := Mail{Router: &a}
	must(t, a.AddConnector("main", &wire{Host: "h", Password: canary, Mode: "b"}), a.AddConnector("half", &wire{}), a.AddConnector("tauben", &pigeon{}),
		a.SetDefault(mail, "main"), a.AddInstance(mail, "relances", Instance{Connector: "half"}), a.AddInstance(mail, "avis", Instance{}), a.SetDefault(post{}, "tauben"),
		a.Save(ctx, st, kinds))
	saved, err := st.LoadRouter(ctx)
	must(t, err)
	data, err := json.Marshal(saved)
	must(t, err)
	if bytes.Contains(data, []byte(canary)) {
		t.Errorf("the password is stored in clear: %s", data)
	}
	var b Router
	must(t, b.Load(ctx, st, kinds, Mail{}, post{}))
	mail.Router = &b
	res, err := b.Resolve(mail, nil)
	must(t, err)
	if w := res.Connector.(*wire); w.Host != "h" || w.Password != canary || w.Mode != "b" {
		t.Errorf("loaded %q %q", w.Host, w.Mode)
	}
	_, err = b.Resolve(mail, &ResolveOptions{Instance: "relances"})
	wantConfig(t, err, "incomplete", "host")
	if _, err = b.Resolve(post{}, nil); err != nil {
		t.Error(err)
	}
	if p := b.Problems(); len(p) != 2 || p[0].Path != "connectors.half" || p[1].Path != "services.mail.instances.relances" {
		t.Errorf("problems %v", p)
	}
	must(t, b.Save(ctx, st, kinds))
	again, err := st.LoadRouter(ctx)
	must(t, err)
	if fmt.Sprint(again.Services) != fmt.Sprint(saved.Services) || len(again.Connectors) != 3 {
		t.Errorf("saved again: %v\nbefore: %v", again.Services, saved.Services)
	}
	must(t, b.Save(ctx, st, kinds), a.Close(), b.Close())
}

// storedWires is what a store may hold that this program cannot use.
func storedWires(t *testing.T, st *MemoryStore) (*Saved, map[string]string) {
	t.Helper()
	foreign := &MemoryStore{}
	sealed, err := testKinds(t).Pack("foreign", "wire", &wire{Host: "h", Password: "p"}, foreign)
	must(t, err)
	sealed.Name = "foreign"
	raw := map[string]string{
		"newer":   `{ "host": "h",  "beam": "laser" }`,
		"unknown": `{"frequency":  42}`,
		"partial": `{"password": "",   "mode":"a"}`,
		"broken":  `{"host": 12 , "mode":"zzz"}`,
		"foreign": string(sealed.Settings),
	}
	saved := &Saved{
		Connectors: []settings.Instance{
			{Name: "broken", Kind: "wire", Settings: json.RawMessage(raw["broken"])},
			sealed,
			{Name: "good", Kind: "wire", Settings: json.RawMessage(`{"host":"h"}`)},
			{Name: "newer", Kind: "wire", Version: 99, Settings: json.RawMessage(raw["newer"])},
			{Name: "partial", Kind: "wire", Settings: json.RawMessage(raw["partial"])},
			{Name: "unknown", Kind: "telepathy", Version: 3, Settings: json.RawMessage(raw["unknown"])},
		},
		Services: map[string]SavedService{
			"mail": {Default: "newer", Instances: map[string]Instance{"a": {Connector: "good"}, "b": {Connector: "absent"}, "c": {}, "d": {Connector: "unknown"}}},
			"post": {Default: "good"},
			"fax":  {Default: "good", Instances: map[string]Instance{"x": {}}},
		},
	}
	must(t, st.SaveRouter(context.Background(), saved))
	return saved, raw
}

func TestLoadKeepsWhatItCannotUse(t *testing.T) {
	t.Parallel()
	ctx, kinds, st := context.Background(), testKinds(t), &MemoryStore{}
	saved, raw := storedWires(t, st)
	var r Router
	mail := Mail{Router: &r}
	must(t, r.Load(ctx, st, kinds, mail, post{}))
	var paths []string
	for _, p := range r.Problems() {
		paths = append(paths, p.Path)
		if vaguemestre.ClassOf(p.Err) != vaguemestre.ClassConfig {
			t.Errorf("%s: %v", p.Path, p.Err)
		}
	}
	if got, want := strings.Join(paths, " "), "connectors.broken connectors.foreign connectors.newer connectors.partial connectors.unknown "+
		"services.mail.default services.mail.instances.b services.mail.instances.d services.post.default"; got != want {
		t.Errorf("problems at %s\nwant %s", got, want)
	}
	for _, c := range []struct {
		o    ResolveOptions
		want string // of the error; "" is none
	}{
		{ResolveOptions{}, "newer"}, {ResolveOptions{Instance: "a"}, ""}, {ResolveOptions{Instance: "b"}, `"absent"`}, {ResolveOptions{Instance: "c"}, "newer"},
		{ResolveOptions{Instance: "d"}, "telepathy"}, {ResolveOptions{Connector: "partial"}, "incomplete"}, {ResolveOptions{Connector: "broken"}, "host"},
		{ResolveOptions{Connector: "foreign"}, "password"}, {ResolveOptions{Connector: "good"}, ""},
	} {
		res, err := r.Resolve(mail, &c.o)
		res.Release()
		if c.want == "" {
			must(t, err)
			continue
		}
		wantConfig(t, err, c.want)
	}
	_, err := r.Resolve(mail, nil)
	if !errors.Is(err, settings.ErrNewerVersion) {
		t.Errorf("not settings.ErrNewerVersion: %v", err)
	}
	wantConfig(t, r.SetDefault(mail, "unknown"), "telepathy")

	must(t, r.AddConnector("added", &wire{Host: "x"}), r.Save(ctx, st, kinds))
	again, err := st.LoadRouter(ctx)
	must(t, err)
	found := map[string]settings.Instance{}
	for _, in := range again.Connectors {
		found[in.Name] = in
	}
	if len(found) != 7 {
		t.Errorf("%d connectors after saving, want 7", len(found))
	}
	for _, before := range saved.Connectors {
		in := found[before.Name]
		if want, ok := raw[before.Name]; ok && (string(in.Settings) != want || in.Version != before.Version || in.Kind != before.Kind) {
			t.Errorf("%s was stored as %+v %s\nand is now %+v %s", before.Name, before, before.Settings, in, in.Settings)
		}
	}
	if fmt.Sprint(again.Services) != fmt.Sprint(saved.Services) {
		t.Errorf("services were %v and are %v", saved.Services, again.Services)
	}
	// One that was mended is written anew.
	must(t, r.ReplaceConnector("newer", &wire{Host: "mended"}), r.Save(ctx, st, kinds), r.Load(ctx, st, kinds))
	// Services that were known stay known over a Load that does not name them.
	wantConfig(t, r.ReplaceConnector("newer", &pigeon{}), "router.MailSender")
	res, err := r.Resolve(mail, nil)
	must(t, err)
	if res.Connector.(*wire).Host != "mended" {
		t.Errorf("loaded %v", res.Name)
	}
}

// failingStore fails as it is told.
type failingStore struct {
	MemoryStore
	load, save error
	saved      *Saved
}

func (s *failingStore) LoadRouter(ctx context.Context) (*Saved, error) { return s.saved, s.load }
func (s *failingStore) SaveRouter(context.Context, *Saved) error       { return s.save }

func TestLoadReplacesAtOnce(t *testing.T) {
	t.Parallel()
	ctx, kinds := context.Background(), testKinds(t)
	var r Router
	mail := Mail{Router: &r}
	idle, busy := &wire{Host: "a"}, &wire{Host: "b"}
	must(t, r.AddConnector("idle", idle), r.AddConnector("busy", busy), r.SetDefault(mail, "busy"))
	res, err := r.Resolve(mail, nil)
	must(t, err)

	broken := errors.New("no disk")
	if err := r.Load(ctx, &failingStore{load: broken}, kinds); !errors.Is(err, broken) {
		t.Errorf("Load: %v", err)
	}
	twice := &Saved{Connectors: []settings.Instance{{Name: "x", Kind: "pigeon"}, {Name: "x", Kind: "pigeon"}}}
	wantConfig(t, r.Load(ctx, &failingStore{saved: twice}, kinds), `"x"`)
	wantConfig(t, r.Load(ctx, &MemoryStore{}, kinds, mail, post{"mail"}), "router.post")
	wantConfig(t, r.Load(ctx, &MemoryStore{}, kinds, nil), "nil")
	if c := r.Connectors(); len(c) != 2 || idle.closed.Load() != 0 {
		t.Fatalf("a failed Load changed the router: %+v", c)
	}
	if err := r.Save(ctx, &failingStore{save: broken}, kinds); !errors.Is(err, broken) {
		t.Errorf("Save: %v", err)
	}
	wantConfig(t, r.Save(ctx, &MemoryStore{}, &settings.Registry[Connector]{}), `"busy"`)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if err := r.Load(canceled, &MemoryStore{}, kinds); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("a canceled Load: %v", err)
	}
	if err := r.Save(canceled, &MemoryStore{}, kinds); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("a canceled Save: %v", err)
	}

	must(t, r.Load(ctx, &failingStore{}, kinds))
	if c := r.Connectors(); len(c) != 0 || idle.closed.Load() != 1 || busy.closed.Load() != 0 {
		t.Errorf("after Load: %+v, idle closed %d, busy closed %d", c, idle.closed.Load(), busy.closed.Load())
	}
	res.Release()
	if busy.closed.Load() != 1 {
		t.Error("the last release did not close")
	}
}

// The stored form is that of the configuration file.
func TestSavedJSON(t *testing.T) {
	t.Parallel()
	const file = `{"connectors":[{"name":"main","kind":"smtp","settings":{"host":"h"}}],"services":{"mail":{"default":"main","instances":{"relances":{"connector":"main"}}}}}`
	var s Saved
	must(t, json.Unmarshal([]byte(file), &s))
	out, err := json.Marshal(&s)
	if err != nil || string(out) != file {
		t.Errorf("got %s, %v", out, err)
	}
}
