package cold_test

import (
	"context"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// spoilt is a MemLauncher of which a test changes single calls.
type spoilt struct {
	*coldtest.MemLauncher
	list   func(cold.Page) cold.Page
	open   func(ctx context.Context, s cold.Session, items []cold.Item, got func(cold.Item, *cold.Content) error) error
	settle func([]cold.Receipt) []cold.Receipt
}

func (l *spoilt) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	s, err := l.MemLauncher.Connect(ctx, o)
	return &spoiltSession{s, l}, err
}

type spoiltSession struct {
	cold.Session
	l *spoilt
}

func (s *spoiltSession) List(ctx context.Context, cursor string) (cold.Page, error) {
	p, err := s.Session.List(ctx, cursor)
	if s.l.list != nil {
		p = s.l.list(p)
	}
	return p, err
}

func (s *spoiltSession) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	if s.l.open != nil {
		return s.l.open(ctx, s.Session, items, got)
	}
	return s.Session.Open(ctx, items, got)
}

func (s *spoiltSession) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	r, err := s.Session.Settle(ctx, items, do)
	if s.l.settle != nil {
		r = s.l.settle(r)
	}
	return r, err
}
