package router

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vaguemestre/vaguemestre/settings"
)

// ResolveOptions are for [Router.Resolve].
type ResolveOptions struct {
	Connector string // use this one, whatever is wired; "" is none
	Instance  string // the service's instance that asks; "" is the service itself
}

// Resolution is a connector chosen for a service, and why.
type Resolution struct {
	Connector Connector
	Name      string // the connector's
	Reason    Reason
	Trace     []Considered // what was looked at, in order; the last one decided

	use *use
}

// Release tells the router that the connector is not used any more. Call it once done: a
// connector that was replaced or removed meanwhile is closed then, by this call. A second
// call, and one on a zero Resolution, does nothing.
func (r Resolution) Release() {
	if r.use != nil {
		r.use.once.Do(r.use.end)
	}
}

type use struct {
	once sync.Once
	end  func()
}

// Considered is one place where a connector's name was looked for.
type Considered struct {
	Where     Reason // the call (explicit), the instance or the default
	Instance  string // the instance's name, if that is where
	Connector string // the connector named there; "" is none, so that the search went on
}

// Text says it for people.
func (c Considered) Text() settings.Text {
	var where, ou string
	switch c.Where {
	case ReasonExplicit:
		where, ou = "the call", "l'appel"
	case ReasonInstance:
		where, ou = "instance "+cut(c.Instance), "l'instance "+cut(c.Instance)
	default:
		where, ou = "the service's default", "le connecteur par défaut du service"
	}
	switch {
	case c.Connector == "" && c.Where == ReasonDefault:
		return settings.Text{EN: where + " is not set", FR: ou + " n'est pas défini"}
	case c.Connector == "":
		return settings.Text{EN: where + " names no connector", FR: ou + " n'indique aucun connecteur"}
	case c.Where == ReasonDefault:
		return settings.Text{EN: where + " is " + cut(c.Connector), FR: ou + " est " + cut(c.Connector)}
	}
	return settings.Text{EN: where + " names " + cut(c.Connector), FR: ou + " indique " + cut(c.Connector)}
}

// Resolve returns the connector that carries s: the one named in the call, else the one that
// the instance names, else the default of s. o may be nil.
//
// An unknown instance or connector is an error that lists the known ones, never a silent
// default. So is a connector that is incomplete, that cannot be read, or that cannot carry
// s, and a service without a default. All have class config; with an error the Resolution
// holds the trace only.
//
// The caller calls [Resolution.Release] when it is done with the connector.
func (r *Router) Resolve(s Service, o *ResolveOptions) (Resolution, error) {
	const op = "resolve"
	if isNil(s) {
		return Resolution{}, configError(op, errors.New("service is nil"))
	}
	var opt ResolveOptions
	if o != nil {
		opt = *o
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return Resolution{}, configError(op, ErrClosed)
	}
	w := r.services[s.Name()]
	if w == nil {
		w = &wiring{}
	} else if err := w.know(op, s); err != nil {
		return Resolution{}, err
	}

	res := Resolution{Trace: []Considered{{Where: ReasonExplicit, Connector: opt.Connector}}}
	if opt.Instance != "" {
		// Also when the call names a connector: a wrong name is a mistake to be told.
		in, ok := w.instances[opt.Instance]
		if !ok {
			return res, unknownInstance(op, s, opt.Instance, w)
		}
		if opt.Connector == "" {
			res.Trace = append(res.Trace, Considered{Where: ReasonInstance, Instance: opt.Instance, Connector: in.Connector})
		}
	}
	if res.decided().Connector == "" {
		res.Trace = append(res.Trace, Considered{Where: ReasonDefault, Connector: w.preset})
	}
	c := res.decided()
	if c.Connector == "" {
		return res, configError(op, fmt.Errorf("service %s has no default connector; set one, or name a connector; %s", cut(s.Name()), known("connectors", sortedKeys(r.connectors))))
	}
	e, err := r.lookup(op, c.Connector)
	if err != nil {
		return res, err
	}
	if e.err != nil {
		return res, configError(op, fmt.Errorf("connector %s (%s) cannot be used: %w", cut(c.Connector), c.Text().EN, e.err))
	}
	if err := compatible(op, s, c.Connector, e.connector); err != nil {
		return res, err
	}
	e.uses++
	res.Connector, res.Name, res.Reason = e.connector, c.Connector, c.Where
	res.use = &use{end: func() { r.release(e) }}
	return res, nil
}

func (r Resolution) decided() Considered { return r.Trace[len(r.Trace)-1] }

func (r *Router) release(e *entry) {
	r.mu.Lock()
	e.uses--
	last := e.gone && e.uses == 0
	r.mu.Unlock()
	if last {
		// Nobody is left who could act upon an error: what it carried is done.
		_ = closeConnectors("release", []Connector{e.connector})
	}
}
