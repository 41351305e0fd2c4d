package router

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// MemoryStore is a [Store] that forgets everything with the process: for tests, and for
// hosts that keep their settings elsewhere. The zero value is empty and ready; it seals under
// a key of its own that is made at random.
type MemoryStore struct {
	mu    sync.Mutex
	ring  *settings.Keyring
	saved *Saved // a copy that no caller has
}

var _ Store = (*MemoryStore)(nil)

// LoadRouter returns a copy of what was saved last.
func (s *MemoryStore) LoadRouter(ctx context.Context) (*Saved, error) {
	if err := ctx.Err(); err != nil {
		return nil, &vaguemestre.Error{Op: "memory store: load router", Class: vaguemestre.ClassCanceled, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved == nil {
		return &Saved{}, nil
	}
	return s.saved.clone(), nil
}

// SaveRouter keeps a copy of v.
func (s *MemoryStore) SaveRouter(ctx context.Context, v *Saved) error {
	if err := ctx.Err(); err != nil {
		return &vaguemestre.Error{Op: "memory store: save router", Class: vaguemestre.ClassCanceled, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = v.clone()
	return nil
}

// Seal seals under the store's own key.
func (s *MemoryStore) Seal(plain []byte, id string) ([]byte, error) {
	ring, err := s.keyring()
	if err != nil {
		return nil, err
	}
	return ring.Seal(plain, id)
}

// Open is the reverse of Seal.
func (s *MemoryStore) Open(sealed []byte, id string) ([]byte, error) {
	ring, err := s.keyring()
	if err != nil {
		return nil, err
	}
	return ring.Open(sealed, id)
}

func (s *MemoryStore) keyring() (*settings.Keyring, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring != nil {
		return s.ring, nil
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	key, err := settings.NewKey(raw)
	if err == nil {
		s.ring, err = settings.NewKeyring(key)
	}
	return s.ring, err
}

// clone shares nothing with s.
func (s *Saved) clone() *Saved {
	out := &Saved{Connectors: slices.Clone(s.Connectors), Services: maps.Clone(s.Services)}
	for i := range out.Connectors {
		out.Connectors[i].Settings = slices.Clone(out.Connectors[i].Settings)
	}
	for name, ss := range out.Services {
		ss.Instances = maps.Clone(ss.Instances)
		out.Services[name] = ss
	}
	return out
}
