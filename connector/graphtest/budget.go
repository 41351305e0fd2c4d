package graphtest

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// budget counts the requests that are under way for each application and mailbox
// (MailboxConcurrency, learn.microsoft.com/graph/throttling-limits).
type budget struct {
	mu    sync.Mutex
	lines map[string]*line
	sum   figures
}

// line is one application on one mailbox.
type line struct {
	active int
	until  time.Time // until when it is throttled
}

type figures struct{ peak, over int }

// enter counts a request in. ok is false if it comes above most or while the line is
// throttled; leave must be called either way.
func (b *budget) enter(key string, most int, now time.Time, pause time.Duration) (leave func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lines[key]
	if l == nil {
		if b.lines == nil {
			b.lines = map[string]*line{}
		}
		l = &line{}
		b.lines[key] = l
	}
	l.active++
	b.sum.peak = max(b.sum.peak, l.active)
	ok = l.active <= most && !now.Before(l.until)
	if !ok {
		b.sum.over++
		if !now.Before(l.until) {
			l.until = now.Add(pause)
		}
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		l.active--
	}), ok
}

func (b *budget) figures() figures {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sum
}

// lineOf names the line of a request; "" has none.
func lineOf(c *request) string {
	if c.app == nil || c.named == nil {
		return ""
	}
	return strings.ToLower(c.app.ID + "\n" + c.named.Address)
}

// throttled answers a request that is above the budget.
func (s *Server) throttled(w http.ResponseWriter) {
	w.Header().Set("Retry-After", seconds(s.o.RetryAfter))
	fail(w, http.StatusTooManyRequests, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
}

// seconds rounds up.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }
