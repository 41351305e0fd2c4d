package auth

import (
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

// A provider that is a nil pointer is a mistake of configuration, not a panic.
func TestNilProvider(t *testing.T) {
	t.Parallel()
	for _, p := range []Provider{nil, (*Microsoft)(nil), (*OAuth2)(nil)} {
		var s Accounts
		if err := s.Add("a", p); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%T: %v", p, err)
		}
		if p == nil {
			continue
		}
		if p.Account("a").Bound() {
			t.Errorf("%T makes a bound account", p)
		}
		if _, err := p.Account("a").Token(t.Context(), IMAP); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%T: %v", p, err)
		}
	}
	if _, _, err := (*Microsoft)(nil).Graph(); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Error(err)
	}
}

// Accounts are added while others of the same application work.
func TestAddWhileUsed(t *testing.T) {
	t.Parallel()
	s := newIDP(t, pending)
	m := s.microsoft(t, new(Memory), nil)
	var list Accounts
	if err := list.Add("a", m); err != nil {
		t.Fatal(err)
	}
	done := make(chan any)
	go func() {
		a, _ := list.Get("a")
		done <- a.Shared("budget", func() any { return new(int) })
	}()
	if err := list.Add("b", m); err != nil {
		t.Fatal(err)
	}
	if err := list.Add("c", s.microsoft(t, new(Memory), nil)); err != nil {
		t.Fatal(err)
	}
	c, _ := list.Get("c")
	if got := c.Shared("budget", func() any { return new(int) }); got != <-done {
		t.Error("two values of one application share nothing")
	}
}
