package graphtest

import (
	"sync"
)

// keptBody is how much of a body a Call keeps.
const keptBody = 64 << 10

// calls is the log of what was asked.
type calls struct {
	mu     sync.Mutex
	all    []*Call
	counts map[string]int
	script func(*Call) *Reply
}

// enter logs a call and numbers it.
func (l *calls) enter(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	l.counts[c.Op]++
	c.N = l.counts[c.Op]
	l.all = append(l.all, c)
}

// status notes the answer; 0 that there was none.
func (l *calls) status(c *Call, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Status = status
}

// why notes a refusal.
func (l *calls) why(c *Call, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Why = why
}

func (l *calls) list() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Call, len(l.all))
	for i, c := range l.all {
		out[i] = *c
	}
	return out
}

func (l *calls) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.counts = nil, nil
}

func (l *calls) count(op string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[op]
}

// ask asks the script about a call; nil lets it be. The script gets a copy, which it may keep.
func (l *calls) ask(c *Call) *Reply {
	l.mu.Lock()
	script, copied := l.script, *c
	l.mu.Unlock()
	if script == nil {
		return nil
	}
	return script(&copied)
}

// Script asks f about each call before it is done; nil removes it. f is called from many
// goroutines, and not within a lock: it may call any method of the server.
func (s *Server) Script(f func(*Call) *Reply) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.script = f
}
