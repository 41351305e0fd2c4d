package cold_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// attic is a source with a place for what was given up.
type attic struct {
	*coldtest.MemLauncher
	put  []string
	fail error
}

func (a *attic) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	s, err := a.MemLauncher.Connect(ctx, o)
	return &atticSession{s, a}, err
}

type atticSession struct {
	cold.Session
	a *attic
}

func (s *atticSession) Quarantine(_ context.Context, items []cold.Item) ([]cold.Receipt, error) {
	out := make([]cold.Receipt, len(items))
	for i, it := range items {
		if s.a.fail != nil {
			out[i] = cold.Receipt{Outcome: cold.SettleFailed, Err: s.a.fail}
			continue
		}
		s.a.put = append(s.a.put, it.Key)
		s.a.Remove(it.Key)
		out[i].Outcome = cold.SettleDone
	}
	return out, nil
}

// What is given up goes where the source has a place for it: after the ledger has it, in the
// same run, and if that fails in the next one; never in a dry run.
func TestJobQuarantine(t *testing.T) {
	t.Parallel()
	j, m, _, l := newJob(t)
	a := &attic{MemLauncher: m}
	j.Launcher = a
	bad := m.Add("bad.pdf", "", []byte("bad"))
	m.Add("good.pdf", "", []byte("good"))
	m.OnOpen = func(it cold.Item) error {
		if it.Key == bad {
			return &vaguemestre.Error{Op: "test", Class: vaguemestre.ClassPoison, Err: errors.New("unreadable")}
		}
		return nil
	}
	run(t, j)
	run(t, j)
	if len(a.put) > 0 {
		t.Fatalf("put away before it was given up: %q", a.put)
	}
	a.fail = errors.New("no room")
	for range 2 {
		if _, err := j.Run(t.Context()); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("the error is %v", err)
		}
		if e := explain(t, l, bad); e.State != cold.StateQuarantined || e.Attempts != 3 {
			t.Errorf("the ledger has %s after %d attempts", e.State, e.Attempts)
		}
	}
	a.fail = nil
	if _, err := j.DryRun(t.Context()); err != nil || len(a.put) > 0 {
		t.Errorf("a dry run put away %q, %v", a.put, err)
	}
	run(t, j)
	run(t, j)
	if !slices.Equal(a.put, []string{bad}) {
		t.Errorf("put away %q, want %q once", a.put, bad)
	}
}
