package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is the guarded connection. Deadlines that a library sets on it are ignored:
// every Read and Write has the timeout of its own, and the context given to Bind closes it.
//
// One goroutine may read while another writes; Drop and the Set methods may be called
// from any. Upgrade and Close have the connection for themselves.
type Conn struct {
	net.Conn // raw, or TLS over raw
	raw      *guard

	maxLine atomic.Int64
	line    int   // bytes of the line being read
	readErr error // a broken bound stays broken
}

// ErrLineTooLong is wrapped by the error of a Read that met a line over the bound.
var ErrLineTooLong = errors.New("the server sends a line without end")

func newConn(nc net.Conn, t Target) *Conn {
	g := &guard{Conn: nc}
	g.silence.Store(int64(t.timeout()))
	c := &Conn{Conn: g, raw: g}
	c.maxLine.Store(int64(t.MaxLine))
	return c
}

// Read reads, counting lines if there is a bound.
func (c *Conn) Read(p []byte) (int, error) {
	if c.readErr != nil {
		return 0, c.readErr
	}
	n, err := c.Conn.Read(p)
	if most := c.maxLine.Load(); most > 0 && n > 0 {
		if !c.count(p[:n], int(most)) {
			c.Close()
			c.readErr = ErrLineTooLong
			return 0, c.readErr
		}
	}
	return n, err
}

// count reports whether every line that goes on or begins in p stays within most.
func (c *Conn) count(p []byte, most int) bool {
	for _, b := range p {
		c.line++
		if c.line > most {
			return false
		}
		if b == '\n' {
			c.line = 0
		}
	}
	return true
}

// SetMaxLine changes the bound on a line of the peer from the next Read on; 0 lifts it.
func (c *Conn) SetMaxLine(n int) { c.maxLine.Store(int64(n)) }

// SetSilence changes the longest silence from now on, for a Read or Write that already
// waits too (SMTP waits 10 minutes after the final dot). 0 waits for ever.
func (c *Conn) SetSilence(d time.Duration) { c.raw.setSilence(d) }

// SetEnd makes every Read and Write fail after t, however busy the line is, until it is
// set again; the zero time lifts it. It stops a server that drips.
func (c *Conn) SetEnd(t time.Time) { c.raw.setEnd(t) }

// Bind makes ctx close the connection when it ends, until release is called. The
// connection is dropped: nothing more is written, not even a farewell of TLS.
func (c *Conn) Bind(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	return func() { stop() }
}

// Close closes the connection; under TLS it says farewell first, for a second at most.
func (c *Conn) Close() error {
	c.raw.setEnd(time.Now().Add(time.Second))
	return c.Conn.Close()
}

// Drop closes the connection at once, without a farewell of TLS.
func (c *Conn) Drop() error { return c.raw.Close() }

// Secure reports whether the connection is under TLS.
func (c *Conn) Secure() bool { _, ok := c.Conn.(*tls.Conn); return ok }

// State returns the TLS state; the zero state if the connection is not under TLS.
func (c *Conn) State() tls.ConnectionState {
	if tc, ok := c.Conn.(*tls.Conn); ok {
		return tc.ConnectionState()
	}
	return tls.ConnectionState{}
}

// SetDeadline does nothing: see [Conn].
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing: see [Conn].
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: see [Conn].
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// guard sits right on the socket, under TLS, and gives every Read and Write its
// deadline.
type guard struct {
	net.Conn
	silence atomic.Int64 // time.Duration
	end     atomic.Int64 // Unix nanoseconds; 0 is none

	mu     sync.Mutex // between arming a deadline and changing the rules
	closed sync.Once
	err    error
}

func (g *guard) deadline() time.Time {
	var t time.Time
	if s := time.Duration(g.silence.Load()); s > 0 {
		t = time.Now().Add(s)
	}
	if e := g.end.Load(); e != 0 {
		if end := time.Unix(0, e); t.IsZero() || end.Before(t) {
			t = end
		}
	}
	return t
}

func (g *guard) Read(p []byte) (int, error) {
	g.mu.Lock()
	err := g.Conn.SetReadDeadline(g.deadline())
	g.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return g.Conn.Read(p)
}

// Write writes in pieces, so that a slow line that moves is no silence.
func (g *guard) Write(p []byte) (int, error) {
	const piece = 256 << 10
	done := 0
	for {
		q := p[done:]
		if len(q) > piece {
			q = q[:piece]
		}
		g.mu.Lock()
		err := g.Conn.SetWriteDeadline(g.deadline())
		g.mu.Unlock()
		if err != nil {
			return done, err
		}
		n, err := g.Conn.Write(q)
		done += n
		if err != nil {
			return done, err
		}
		if done >= len(p) {
			return done, nil
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
	}
}

func (g *guard) setSilence(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silence.Store(int64(max(d, 0)))
	_ = g.Conn.SetDeadline(g.deadline())
}

func (g *guard) setEnd(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end.Store(0)
	if !t.IsZero() {
		g.end.Store(t.UnixNano())
	}
	_ = g.Conn.SetDeadline(g.deadline())
}

// Close may be called more than once; the later calls return what the first did.
func (g *guard) Close() error {
	g.closed.Do(func() { g.err = g.Conn.Close() })
	return g.err
}

// crypto/tls sets a write deadline of its own when it closes; the others are ours.
func (g *guard) SetDeadline(time.Time) error     { return nil }
func (g *guard) SetReadDeadline(time.Time) error { return nil }
func (g *guard) SetWriteDeadline(t time.Time) error {
	return g.Conn.SetWriteDeadline(t)
}
