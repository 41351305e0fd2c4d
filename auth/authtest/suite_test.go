package authtest_test

import (
	"path/filepath"
	"testing"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/auth/authtest"
	"github.com/vaguemestre/vaguemestre/settings"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	authtest.TestStore(t, func(*testing.T) func() auth.Store {
		m := new(auth.Memory)
		return func() auth.Store { return m }
	})
}

func TestFiles(t *testing.T) {
	t.Parallel()
	key, err := settings.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := settings.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	authtest.TestStore(t, func(t *testing.T) func() auth.Store {
		dir := filepath.Join(t.TempDir(), "tokens")
		return func() auth.Store { return &auth.Files{Dir: dir, Key: ring} }
	})
}
