package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// Bounds of a connection that is kept.
const (
	keepIdle    = 30 * time.Second
	keepAge     = 5 * time.Minute
	keepSent    = 100
	probeIdle   = 5 * time.Second
	defaultConn = 2 // Microsoft refuses the fourth with 432 4.3.2
)

// pool keeps sessions between mails. The zero value is ready. It has no goroutine of its
// own: a timer, which close stops, closes what is idle.
type pool struct {
	mu     sync.Mutex
	slots  chan struct{} // one token for each session in use
	idle   []*session    // the last one was used last
	timer  *time.Timer
	closed bool
	reap   sync.WaitGroup // a timer function that runs
}

var errClosed = errors.New("the connector was closed: open it anew")

// acquire waits for a slot and returns an idle session, or nil if there is none: then
// the caller opens one. release gives the slot back in any case.
func (p *pool) acquire(ctx context.Context, s *SMTP) (*session, error) {
	p.mu.Lock()
	if p.slots == nil {
		n := s.MaxConnections
		if n <= 0 {
			n = defaultConn
		}
		p.slots = make(chan struct{}, n)
	}
	slots, closed := p.slots, p.closed
	p.mu.Unlock()
	if closed {
		return nil, &vaguemestre.Error{Op: "smtp: send", Class: config, Err: errClosed}
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, canceled("smtp: wait for a connection", ctx.Err())
	}
	p.mu.Lock()
	closed = p.closed
	p.mu.Unlock()
	if closed { // while waiting
		<-slots
		return nil, &vaguemestre.Error{Op: "smtp: send", Class: config, Err: errClosed}
	}
	return p.take(s), nil
}

// take returns the session that was used last, if it can still be used.
func (p *pool) take(s *SMTP) *session {
	for {
		p.mu.Lock()
		if len(p.idle) == 0 {
			p.mu.Unlock()
			return nil
		}
		x := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		if !x.stale(s, time.Now()) {
			return x
		}
		x.quit()
	}
}

// release takes a session back, or throws it away, and frees its slot. x may be nil.
func (p *pool) release(x *session, s *SMTP) {
	if x != nil {
		x.used = time.Now()
		p.mu.Lock()
		keep := !x.dead && !p.closed && !x.stale(s, x.used)
		if keep {
			p.idle = append(p.idle, x)
			if p.timer == nil {
				p.timer = time.AfterFunc(s.keepIdle(), func() { p.sweep(s) })
			}
		}
		p.mu.Unlock()
		if !keep {
			x.quit()
		}
	}
	<-p.slots
}

// sweep closes what is idle for too long and comes again while something is kept.
func (p *pool) sweep(s *SMTP) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.reap.Add(1)
	defer p.reap.Done()
	now := time.Now()
	var old, kept []*session
	next := s.keepIdle()
	for _, x := range p.idle {
		if x.stale(s, now) {
			old = append(old, x)
			continue
		}
		kept = append(kept, x)
		next = min(next, max(x.used.Add(s.keepIdle()).Sub(now), 10*time.Millisecond))
	}
	p.idle, p.timer = kept, nil
	if len(kept) > 0 {
		p.timer = time.AfterFunc(next, func() { p.sweep(s) })
	}
	p.mu.Unlock()
	for _, x := range old {
		x.quit()
	}
}

// close ends all that is idle; what is in use ends when it is released.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	for _, x := range idle {
		x.quit()
	}
	p.reap.Wait()
}

// stale reports whether a session is too old, too much used or idle for too long.
func (x *session) stale(s *SMTP, now time.Time) bool {
	age := s.waits.age
	if age <= 0 {
		age = keepAge
	}
	return x.dead || now.Sub(x.born) >= age || x.sent >= keepSent || now.Sub(x.used) >= s.keepIdle()
}

// alive asks a session that was idle for a while whether it still lives.
func (x *session) alive(s *SMTP) bool {
	probe := s.waits.probe
	if probe <= 0 {
		probe = probeIdle
	}
	if time.Since(x.used) < probe {
		return true // if it does not, the transaction says so before anything is at stake
	}
	if err := x.write([]byte("RSET\r\n")); err != nil {
		return false
	}
	p, err := x.replyWithin(min(x.timeout, 5*time.Second))
	return err == nil && p.code/100 == 2
}

func (s *SMTP) keepIdle() time.Duration {
	if s.waits.idle > 0 {
		return s.waits.idle
	}
	return keepIdle
}

// Close ends the idle connections; those in use end with their mail. SendMail fails
// afterwards. It may be called more than once and returns nil.
func (s *SMTP) Close() error {
	s.pool.close()
	return nil
}
