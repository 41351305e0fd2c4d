package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/vaguemestre/vaguemestre"
)

// Provider issues tokens for accounts: *[Microsoft] or *[OAuth2]. It is a settings struct,
// used through a pointer.
type Provider interface {
	// Account returns the account of that name; it does no I/O.
	Account(name string) Account
}

// Accounts are the accounts of a program by name: what connectors and launchers that were
// read from settings look theirs up in. The zero value is empty and ready; it is safe for
// concurrent use.
//
// Accounts of the same application (authority, tenant, client id) share what
// [Account.Shared] keeps, also if each was added with a provider value of its own.
type Accounts struct {
	mu     sync.Mutex
	order  []string
	byName map[string]Account
	shared map[string]*sharing // by application
}

// Add adds the account name of provider p. A second account of that name is an error of
// class config.
func (s *Accounts) Add(name string, p Provider) error {
	const op = "auth: add account"
	if err := checkName(name); err != nil {
		return err
	}
	if p == nil || !p.Account(name).Bound() {
		return errNoProvider
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.byName[name]; ok {
		return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: fmt.Errorf("account %q stands twice", cut(name))}
	}
	a := p.Account(name)
	c, err := a.client("add account")
	if err != nil {
		return err
	}
	if s.byName == nil {
		s.byName, s.shared = map[string]Account{}, map[string]*sharing{}
	}
	if first, ok := s.shared[c.application()]; ok {
		c.shared.Store(first)
	} else {
		s.shared[c.application()] = c.sharing()
	}
	s.byName[name] = a
	s.order = append(s.order, name)
	return nil
}

// Get returns the account of that name.
func (s *Accounts) Get(name string) (Account, bool) {
	if s == nil {
		return Account{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.byName[name]
	return a, ok
}

// Names returns the names in the order in which they were added.
func (s *Accounts) Names() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.order...)
}

// Resolve returns a itself if it has its provider, else the account of its name here. s may
// be nil. An unknown name is an error of class config.
func (s *Accounts) Resolve(a Account) (Account, error) {
	if a.Bound() {
		return a, nil
	}
	if got, ok := s.Get(a.name); ok {
		return got, nil
	}
	err := fmt.Errorf("the account %q is not known: add it to the accounts of this program", cut(a.name))
	if a.name == "" {
		err = errors.New("no account is named: choose one")
	}
	return Account{}, &vaguemestre.Error{Op: "auth: account", Class: vaguemestre.ClassConfig, Err: err}
}

// KeepAlive refreshes the grants that no program has refreshed for 30 days, since a provider
// forgets one that is not used (Microsoft: after 90 days). Call it now and then, once a day
// say; it does nothing to accounts that are not associated. It goes through all accounts and
// joins their errors.
func (s *Accounts) KeepAlive(ctx context.Context) error {
	var errs []error
	for _, name := range s.Names() {
		a, _ := s.Get(name)
		c, err := a.client("keep alive")
		if err == nil {
			err = c.keepAlive(ctx, name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
