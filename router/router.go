package router

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Router holds configured connectors by name, and which of them carries which service. The
// zero value is empty and ready. It is safe for concurrent use, and is not copied after its
// first use.
//
// A connector given to a router belongs to it: the router closes it when it was replaced or
// removed, or when the router is closed, but never while a [Resolution] uses it.
type Router struct {
	saving sync.Mutex // one Load or Save at a time, so that the newest state is stored last

	mu         sync.Mutex
	closed     bool
	connectors map[string]*entry
	services   map[string]*wiring
}

// entry is a configured connector. Its fields are guarded by Router.mu.
type entry struct {
	connector Connector         // nil if its stored settings cannot be read
	err       error             // why it cannot be resolved; nil if it can
	raw       settings.Instance // as it was stored; written back as it is while err != nil
	stored    bool              // raw is set
	uses      int               // resolutions not released yet
	gone      bool              // not in the router any more; closed at the last release
}

// wiring is how one service uses connectors.
type wiring struct {
	service   Service // nil while only stored wiring is known
	preset    string  // the default connector
	instances map[string]Instance
}

// ErrClosed is what every error of a closed [Router] matches with [errors.Is].
var ErrClosed = errors.New("router is closed; make a new one")

func configError(op string, err error) error {
	return &vaguemestre.Error{Op: "router: " + op, Class: vaguemestre.ClassConfig, Err: err}
}

// AddConnector takes c in under a new name. Its settings are validated: if only required
// values are missing, it is stored as incomplete and can be wired but not resolved until
// [Router.ReplaceConnector] brings a complete one; any other issue is an error, and so is a
// name that is taken or c being in the router already. After an error c is still the caller's.
func (r *Router) AddConnector(name string, c Connector) error {
	const op = "add connector"
	e, err := newEntry(op, name, c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return configError(op, ErrClosed)
	}
	if _, ok := r.connectors[name]; ok {
		return configError(op, fmt.Errorf("the name %s is taken; choose another, or replace that connector", cut(name)))
	}
	if err := r.isNew(op, c); err != nil {
		return err
	}
	if r.connectors == nil {
		r.connectors = map[string]*entry{}
	}
	r.connectors[name] = e
	return nil
}

// ReplaceConnector puts c in the place of the connector called name, which is then closed, as
// soon as nothing uses it any more. Before anything changes, c is validated as
// [Router.AddConnector] does, and checked against every service that refers to name.
//
// An error of class source means that c is in place and the old one, which was idle, failed
// to close; after any other error nothing changed and c is still the caller's.
func (r *Router) ReplaceConnector(name string, c Connector) error {
	const op = "replace connector"
	e, err := newEntry(op, name, c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	old, err := r.lookup(op, name)
	if err == nil {
		err = r.isNew(op, c)
	}
	if err == nil {
		for _, sn := range sortedKeys(r.services) {
			w := r.services[sn]
			if w.service == nil || len(w.references(sn, name)) == 0 {
				continue
			}
			if err = compatible(op, w.service, name, c); err != nil {
				break
			}
		}
	}
	if err != nil {
		r.mu.Unlock()
		return err
	}
	r.connectors[name] = e
	idle := old.leave()
	r.mu.Unlock()
	return closeConnectors(op, idle)
}

// RemoveConnector removes the connector called name and closes it as soon as nothing uses it
// any more. One that a service refers to is not removed: the error names the references.
//
// An error of class source means that it was removed and failed to close.
func (r *Router) RemoveConnector(name string) error {
	const op = "remove connector"
	r.mu.Lock()
	e, err := r.lookup(op, name)
	if err == nil {
		if refs := r.references(name); len(refs) > 0 {
			err = configError(op, fmt.Errorf("%s is used by %s; have them use another connector first", cut(name), strings.Join(refs, ", ")))
		}
	}
	if err != nil {
		r.mu.Unlock()
		return err
	}
	delete(r.connectors, name)
	idle := e.leave()
	r.mu.Unlock()
	return closeConnectors(op, idle)
}

// SetDefault has s use the connector of that name whenever neither the call nor the instance
// names another; "" leaves s without a default. It fails if there is no such connector, or
// if it cannot carry s. One that is incomplete may be set.
func (r *Router) SetDefault(s Service, connector string) error {
	const op = "set default"
	return r.wire(op, s, connector, func(w *wiring) error {
		w.preset = connector
		return nil
	})
}

// AddInstance adds an instance of s under a new name. Its connector is optional; one that is
// named must exist and be able to carry s.
func (r *Router) AddInstance(s Service, name string, in Instance) error {
	const op = "add instance"
	if err := checkName(op, "instance", name); err != nil {
		return err
	}
	return r.wire(op, s, in.Connector, func(w *wiring) error {
		if _, ok := w.instances[name]; ok {
			return configError(op, fmt.Errorf("service %s has an instance %s; choose another name, or replace that one", cut(s.Name()), cut(name)))
		}
		if w.instances == nil {
			w.instances = map[string]Instance{}
		}
		w.instances[name] = in
		return nil
	})
}

// ReplaceInstance gives the instance of s called name other settings, under the rules of
// [Router.AddInstance]. Calls see the one or the other.
func (r *Router) ReplaceInstance(s Service, name string, in Instance) error {
	const op = "replace instance"
	return r.wire(op, s, in.Connector, func(w *wiring) error {
		if _, ok := w.instances[name]; !ok {
			return unknownInstance(op, s, name, w)
		}
		w.instances[name] = in
		return nil
	})
}

// RemoveInstance removes the instance of s called name. Calls that name it fail from now on.
func (r *Router) RemoveInstance(s Service, name string) error {
	const op = "remove instance"
	return r.wire(op, s, "", func(w *wiring) error {
		if _, ok := w.instances[name]; !ok {
			return unknownInstance(op, s, name, w)
		}
		delete(w.instances, name)
		return nil
	})
}

// Close closes all connectors and makes every later call fail with [ErrClosed], save another
// Close, which does nothing. It does not wait: a connector in use is closed by the last
// [Resolution.Release], so that calls under way end undisturbed. The error, of class source,
// joins what closing idle connectors gave.
func (r *Router) Close() error {
	r.mu.Lock()
	var idle []Connector
	for _, name := range sortedKeys(r.connectors) {
		idle = append(idle, r.connectors[name].leave()...)
	}
	r.closed, r.connectors, r.services = true, nil, nil
	r.mu.Unlock()
	return closeConnectors("close", idle)
}

// wire runs change on the wiring of s, once the connector (if one is named) is known to exist
// and to be able to carry s.
func (r *Router) wire(op string, s Service, connector string, change func(*wiring) error) error {
	if isNil(s) {
		return configError(op, errors.New("service is nil"))
	}
	if err := checkName(op, "service", s.Name()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return configError(op, ErrClosed)
	}
	if connector != "" {
		e, err := r.lookup(op, connector)
		if err != nil {
			return err
		}
		if e.connector == nil {
			return configError(op, fmt.Errorf("connector %s cannot be used: %w", cut(connector), e.err))
		}
		if err := compatible(op, s, connector, e.connector); err != nil {
			return err
		}
	}
	w, known := r.services[s.Name()]
	if !known {
		w = &wiring{}
	}
	if err := w.know(op, s); err != nil {
		return err
	}
	if err := change(w); err != nil {
		return err
	}
	if !known {
		if r.services == nil {
			r.services = map[string]*wiring{}
		}
		r.services[s.Name()] = w
	}
	return nil
}

// know remembers s, by which later connectors are checked. Two services of one name would
// silently share their wiring.
func (w *wiring) know(op string, s Service) error {
	if w.service != nil && baseType(w.service) != baseType(s) {
		return configError(op, fmt.Errorf("the service name %s is that of %s; %s needs another", cut(s.Name()), baseType(w.service), baseType(s)))
	}
	w.service = s
	return nil
}

// references lists where service sn refers to the connector, in words.
func (w *wiring) references(sn, connector string) []string {
	var refs []string
	if w.preset == connector {
		refs = append(refs, fmt.Sprintf("the default of service %s", cut(sn)))
	}
	for _, in := range sortedKeys(w.instances) {
		if w.instances[in].Connector == connector {
			refs = append(refs, fmt.Sprintf("instance %s of service %s", cut(in), cut(sn)))
		}
	}
	return refs
}

func (r *Router) references(connector string) []string {
	var refs []string
	for _, sn := range sortedKeys(r.services) {
		refs = append(refs, r.services[sn].references(sn, connector)...)
	}
	return refs
}

func (r *Router) lookup(op, name string) (*entry, error) {
	if r.closed {
		return nil, configError(op, ErrClosed)
	}
	if e, ok := r.connectors[name]; ok {
		return e, nil
	}
	return nil, configError(op, fmt.Errorf("no connector is called %s; %s", cut(name), known("connectors", sortedKeys(r.connectors))))
}

func unknownInstance(op string, s Service, name string, w *wiring) error {
	return configError(op, fmt.Errorf("service %s has no instance %s; %s", cut(s.Name()), cut(name), known("instances", sortedKeys(w.instances))))
}

func known(what string, names []string) string {
	if len(names) == 0 {
		return "there are no " + what + " yet"
	}
	const most = 20
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = cut(n)
	}
	return "known " + what + ": " + strings.Join(quoted, ", ") + more
}

// isNew refuses a connector that is in the router already: it would be closed twice.
func (r *Router) isNew(op string, c Connector) error {
	t := reflect.TypeOf(c)
	// Pointers to different values without a size may be equal.
	if t.Kind() != reflect.Pointer || t.Elem().Size() == 0 {
		return nil
	}
	for name, e := range r.connectors {
		if e.connector == c {
			return configError(op, fmt.Errorf("this connector is in the router already, called %s; make another value", cut(name)))
		}
	}
	return nil
}

func newEntry(op, name string, c Connector) (*entry, error) {
	if err := checkName(op, "connector", name); err != nil {
		return nil, err
	}
	if isNil(c) {
		return nil, configError(op, fmt.Errorf("connector %s is nil", cut(name)))
	}
	is := settings.Validate(c)
	switch {
	case len(is) == 0:
		return &entry{connector: c}, nil
	case is.Incomplete():
		return &entry{connector: c, err: &settings.Incomplete{Missing: is}}, nil
	}
	return nil, configError(op, fmt.Errorf("connector %s: %w", cut(name), is))
}

// leave takes e out of the router. It returns what is to be closed now.
func (e *entry) leave() []Connector {
	e.gone = true
	if e.uses > 0 || e.connector == nil {
		return nil
	}
	return []Connector{e.connector}
}

// closeConnectors is called without the lock: closing may take a while.
func closeConnectors(op string, cs []Connector) error {
	var errs []error
	for _, c := range cs {
		if cl, ok := c.(io.Closer); ok {
			if err := cl.Close(); err != nil {
				errs = append(errs, fmt.Errorf("closing a %s connector: %w", c.Kind(), err))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &vaguemestre.Error{Op: "router: " + op, Class: vaguemestre.ClassSource, Err: err}
	}
	return nil
}

func compatible(op string, s Service, name string, c Connector) error {
	if s.Compatible(c) {
		return nil
	}
	what := "what the service asks for"
	if q, ok := s.(Requirer); ok {
		what = q.Requires()
	}
	return configError(op, fmt.Errorf("connector %s (kind %s, %T) cannot carry service %s: it must implement %s; choose another connector",
		cut(name), cut(c.Kind()), c, cut(s.Name()), what))
}

const maxNameRunes = 100

// checkName: names stand in files, forms and logs.
func checkName(op, what, name string) error {
	var err error
	switch {
	case name == "":
		err = fmt.Errorf("%s has no name", what)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, isControl):
		err = fmt.Errorf("the name %s of the %s holds a control character or is not UTF-8", cut(name), what)
	case strings.TrimSpace(name) != name:
		err = fmt.Errorf("the name %s of the %s begins or ends with a space", cut(name), what)
	case utf8.RuneCountInString(name) > maxNameRunes:
		err = fmt.Errorf("the name %s of the %s is longer than %d characters", cut(name), what, maxNameRunes)
	default:
		return nil
	}
	return configError(op, err)
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// baseType is the type of s, or what it points to.
func baseType(s Service) reflect.Type {
	t := reflect.TypeOf(s)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
