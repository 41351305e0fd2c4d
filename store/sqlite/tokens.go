package sqlite

import "github.com/vaguemestre/vaguemestre/auth"

// Tokens returns the store's place for the grants of accounts, sealed under the store's key.
func (s *Store) Tokens() auth.Store { return nil }
