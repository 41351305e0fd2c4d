package graph

import (
	"context"
	"sync"
	"time"
)

// gate is the budget of one mailbox: so many requests at once, and none before the time that
// Graph named.
type gate struct {
	slots chan struct{}

	mu    sync.Mutex
	until time.Time
}

func newGate() *gate { return &gate{slots: make(chan struct{}, Budget)} }

// hold lets nobody through before t.
func (g *gate) hold(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.After(g.until) {
		g.until = t
	}
}

// closed returns for how long nobody may pass.
func (g *gate) closed(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.until.Sub(now))
}

// enter waits until the gate is open and a place is free. It waits no longer for the former
// than w has left; then it returns how long it would be.
func (g *gate) enter(ctx context.Context, w *patience) (leave func(), wait time.Duration, err error) {
	for {
		if d := g.closed(w.now()); d > 0 {
			if !w.allows(d) {
				return nil, d, nil
			}
			if err := w.sleep(ctx, d); err != nil {
				return nil, 0, err
			}
			continue
		}
		select {
		case g.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		if g.closed(w.now()) == 0 { // it may have been shut while we waited for a place
			return sync.OnceFunc(func() { <-g.slots }), 0, nil
		}
		<-g.slots
	}
}

// patience is what one request may still wait.
type patience struct {
	left time.Duration
	now  func() time.Time
	rest func(ctx context.Context, d time.Duration) error
}

func (p *patience) allows(d time.Duration) bool { return d <= p.left }

func (p *patience) sleep(ctx context.Context, d time.Duration) error {
	p.left -= d
	return p.rest(ctx, d)
}
