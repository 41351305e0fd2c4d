package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Load replaces the whole state of r by what st holds; kinds opens the stored connectors. The
// new state is complete before the old one goes, whose connectors are closed as soon as
// nothing uses them. After an error nothing changed.
//
// A stored connector that is incomplete, of an unknown kind or a newer version, or whose
// secrets cannot be opened, does not hinder the others: it is kept as it was stored, byte for
// byte, is listed with its error and cannot be resolved. So is wiring that refers to a
// connector which does not exist or cannot carry its service. [Router.Problems] tells them
// all; a host asks for it after Load.
//
// Services are stored by name. Those given here are known from now on: their wiring is
// checked in Problems and by [Router.ReplaceConnector]; the wiring of others is kept, and
// checked when they first show up. ctx bounds the store's work.
func (r *Router) Load(ctx context.Context, st Store, kinds *settings.Registry[Connector], services ...Service) error {
	const op = "load"
	r.saving.Lock()
	defer r.saving.Unlock()
	saved, err := st.LoadRouter(ctx)
	if err != nil {
		return fmt.Errorf("router: load: %w", err)
	}
	if saved == nil {
		saved = &Saved{}
	}
	connectors := map[string]*entry{}
	for _, in := range saved.Connectors {
		if _, ok := connectors[in.Name]; ok {
			err = configError(op, fmt.Errorf("the store holds two connectors called %s", cut(in.Name)))
			break
		}
		connectors[in.Name] = openStored(in, st, kinds)
	}
	wirings := map[string]*wiring{}
	for name, ss := range saved.Services {
		wirings[name] = &wiring{preset: ss.Default, instances: maps.Clone(ss.Instances)}
	}
	for _, s := range services {
		if err != nil {
			break
		}
		if isNil(s) {
			err = configError(op, errors.New("service is nil"))
			break
		}
		w := wirings[s.Name()]
		if w == nil {
			w = &wiring{}
			wirings[s.Name()] = w
		}
		err = w.know(op, s)
	}

	r.mu.Lock()
	if err == nil && r.closed {
		err = configError(op, ErrClosed)
	}
	leaving := r.connectors
	if err != nil {
		leaving = connectors // what was opened for nothing
	} else {
		for name, old := range r.services {
			if w := wirings[name]; w == nil {
				wirings[name] = &wiring{service: old.service}
			} else if w.service == nil {
				w.service = old.service
			}
		}
		r.connectors, r.services = connectors, wirings
	}
	var idle []Connector
	for _, name := range sortedKeys(leaving) {
		idle = append(idle, leaving[name].leave()...)
	}
	r.mu.Unlock()
	_ = closeConnectors(op, idle) // the new state is in place: this is no failed Load
	return err
}

func openStored(in settings.Instance, st Store, kinds *settings.Registry[Connector]) *entry {
	e := &entry{raw: in, stored: true}
	if e.err = checkName("load", "connector", in.Name); e.err != nil {
		return e
	}
	c, err := kinds.Open(in, &settings.DecodeOptions{Opener: st})
	e.err = err
	var incomplete *settings.Incomplete
	if err == nil || errors.As(err, &incomplete) {
		if isNil(c) {
			e.err = errors.Join(err, fmt.Errorf("kind %s opened no connector", cut(in.Kind)))
			return e
		}
		e.connector = c
		return e
	}
	if cl, ok := c.(io.Closer); ok && !isNil(c) {
		_ = cl.Close()
	}
	return e
}

// Save stores the whole state of r in st. Connectors are written by their kind, in its
// current version, with secrets sealed anew; one that Load could not use is written as it was
// read. A connector whose kind is not in kinds is an error, and nothing is stored: it could
// not be loaded again. ctx bounds the store's work.
func (r *Router) Save(ctx context.Context, st Store, kinds *settings.Registry[Connector]) error {
	const op = "save"
	r.saving.Lock()
	defer r.saving.Unlock()
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return configError(op, ErrClosed)
	}
	out := &Saved{Connectors: []settings.Instance{}, Services: map[string]SavedService{}}
	entries := maps.Clone(r.connectors)
	for name, w := range r.services {
		if w.preset != "" || len(w.instances) > 0 {
			out.Services[name] = SavedService{Default: w.preset, Instances: maps.Clone(w.instances)}
		}
	}
	r.mu.Unlock()
	for _, name := range sortedKeys(entries) {
		e := entries[name] // connector, err and raw do not change
		if e.stored && e.err != nil {
			out.Connectors = append(out.Connectors, e.raw)
			continue
		}
		in, err := kinds.Pack(name, e.connector.Kind(), e.connector, st)
		if err != nil {
			return configError(op, fmt.Errorf("connector %s: %w", cut(name), err))
		}
		out.Connectors = append(out.Connectors, in)
	}
	if err := st.SaveRouter(ctx, out); err != nil {
		return fmt.Errorf("router: save: %w", err)
	}
	return nil
}

// Problem is one thing in a router that will fail when it is used.
type Problem struct {
	Path string // "connectors.main", "services.mail.default", "services.mail.instances.relances"
	Err  error  // what, and what to do
}

// Problems lists what cannot be used as it stands: connectors that are incomplete or cannot
// be read, and wiring to a connector that is missing, unusable or unable to carry the
// service. It is in a stable order, and empty when all is well.
func (r *Router) Problems() []Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	const op = "check wiring"
	var out []Problem
	for _, name := range sortedKeys(r.connectors) {
		if e := r.connectors[name]; e.err != nil {
			out = append(out, Problem{"connectors." + name, configError(op, fmt.Errorf("connector %s cannot be used: %w", cut(name), e.err))})
		}
	}
	for _, sn := range sortedKeys(r.services) {
		w := r.services[sn]
		check := func(path, connector string) {
			if connector == "" {
				return
			}
			e, err := r.lookup(op, connector)
			switch {
			case err != nil:
			case e.err != nil:
				err = configError(op, fmt.Errorf("connector %s cannot be used: %w", cut(connector), e.err))
			case w.service != nil:
				err = compatible(op, w.service, connector, e.connector)
			}
			if err != nil {
				out = append(out, Problem{path, err})
			}
		}
		check("services."+sn+".default", w.preset)
		for _, in := range sortedKeys(w.instances) {
			check("services."+sn+".instances."+in, w.instances[in].Connector)
		}
	}
	return out
}

// ConnectorInfo is a connector as [Router.Connectors] lists it.
type ConnectorInfo struct {
	Name       string
	Kind       string
	Connector  Connector // nil if its stored settings cannot be read; to look at, not to use
	Err        error     // why it cannot be resolved; a *settings.Incomplete says what is missing
	References []string  // who uses it, in English
}

// Connectors lists the connectors by name.
func (r *Router) Connectors() []ConnectorInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]ConnectorInfo, 0, len(r.connectors))
	for _, name := range sortedKeys(r.connectors) {
		e := r.connectors[name]
		info := ConnectorInfo{Name: name, Kind: e.raw.Kind, Connector: e.connector, Err: e.err, References: r.references(name)}
		if e.connector != nil {
			info.Kind = e.connector.Kind()
		}
		out = append(out, info)
	}
	return out
}

// ServiceInfo is a service as [Router.Services] lists it.
type ServiceInfo struct {
	Name      string
	Service   Service // nil while only its stored wiring is known
	Default   string  // "" is none
	Instances map[string]Instance
}

// Services lists, by name, the services that are wired or were given to Load.
func (r *Router) Services() []ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]ServiceInfo, 0, len(r.services))
	for _, name := range sortedKeys(r.services) {
		w := r.services[name]
		out = append(out, ServiceInfo{name, w.service, w.preset, maps.Clone(w.instances)})
	}
	return out
}
