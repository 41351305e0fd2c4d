package launcher

import (
	"bytes"
	"net"
	"strings"
	"sync"

	"github.com/vaguemestre/vaguemestre/internal/transport"
)

// guard is the connection that both the IMAP library and this package talk over, one
// after the other.
//
// The library sees only what belongs to its own commands, a line at a time and within
// bounds (it sets none itself: an endless line or string would fill the memory), and
// nobody reads while no command waits: an idle session cannot time out, and nothing is
// half read when this package takes the connection over. This package fetches mails by
// itself, so the library never sees a body and never holds one up.
type guard struct {
	*transport.Conn
	in *stream

	mu      sync.Mutex
	wake    *sync.Cond
	tags    map[string]struct{} // commands of the library without an answer yet
	own     bool                // this package talks; the library must wait
	closed  bool
	pending []byte // what the library may read now
	ends    string // the tag that is answered once pending was read
	literal int64  // bytes of a string that follow for the library
	newLine bool   // the library's next byte begins a line
	last    answer // how the library's last command ended; it drops codes that matter here
	err     error  // why the connection ended
}

func newGuard(c *transport.Conn) *guard {
	g := &guard{Conn: c, in: newStream(c), tags: map[string]struct{}{}, newLine: true, own: true}
	g.wake = sync.NewCond(&g.mu)
	return g
}

// Read is called by the library's goroutine alone.
func (g *guard) Read(p []byte) (int, error) {
	g.mu.Lock()
	for !g.closed && len(g.pending) == 0 && (g.own || len(g.tags) == 0) {
		g.wake.Wait()
	}
	closed, empty := g.closed, len(g.pending) == 0
	g.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	if empty {
		if err := g.next(); err != nil {
			g.fail(err)
			return 0, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n := copy(p, g.pending)
	g.pending = g.pending[n:]
	if len(g.pending) == 0 && g.ends != "" {
		delete(g.tags, g.ends)
		g.ends = ""
		g.wake.Broadcast()
	}
	return n, nil
}

// next makes the next line, or a piece of a string, readable for the library.
func (g *guard) next() error {
	if g.literal > 0 {
		p := make([]byte, min(g.literal, 32<<10))
		n, err := g.in.read(p)
		if err != nil {
			return err
		}
		g.literal -= int64(n)
		if g.in.text += int64(n); g.in.text > maxText {
			return g.in.fail(errMuchText)
		}
		g.give(p[:n], "")
		return nil
	}
	line, err := g.in.line(maxLine)
	if err != nil {
		return err
	}
	word, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "+":
		g.give(line, "")
	case "*":
		if !isStatus(rest) {
			if n, _, ok := literalAt(line); ok {
				if n > maxLiteral {
					return g.in.fail(errLongLiteral)
				}
				g.literal = n
			}
		} else if hasPrefixFold(rest, "BYE") {
			g.noteBye(rest)
		}
		g.give(line, "")
	default:
		g.mu.Lock()
		_, ours := g.tags[string(word)]
		g.mu.Unlock()
		if !ours { // the rest of a line behind a string, or a lie that the library refuses
			if n, _, ok := literalAt(line); ok {
				if n > maxLiteral {
					return g.in.fail(errLongLiteral)
				}
				g.literal = n
			}
			g.give(line, "")
			return nil
		}
		g.mu.Lock()
		g.last = parseStatus(rest)
		g.mu.Unlock()
		g.give(line, string(word))
	}
	return nil
}

func (g *guard) give(b []byte, ends string) {
	g.mu.Lock()
	g.pending, g.ends = b, ends
	g.mu.Unlock()
}

// Write is called by the library; it notes the tags of the commands that begin in p.
func (g *guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return 0, net.ErrClosed
	}
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if g.newLine {
			if tag, _, ok := bytes.Cut(line, []byte(" ")); ok && isLibraryTag(tag) {
				if len(g.tags) == 0 {
					g.in.begin()
				}
				g.tags[string(tag)] = struct{}{}
				g.wake.Broadcast()
			}
		}
		g.newLine, rest = whole, after
	}
	g.mu.Unlock()
	n, err := g.Conn.Write(p)
	if err != nil {
		g.fail(err)
	}
	return n, err
}

// isLibraryTag knows the library's tags, "T12", from a line of something else.
func isLibraryTag(b []byte) bool {
	if len(b) < 2 || b[0] != 'T' {
		return false
	}
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// take waits until the library has got all its answers and keeps it off the connection
// until give back. It fails if the connection is over.
func (g *guard) take() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed && (len(g.tags) > 0 || len(g.pending) > 0) {
		g.wake.Wait()
	}
	if g.closed {
		return g.cause()
	}
	g.own = true
	g.in.begin()
	return nil
}

// giveBack lets the library talk again.
func (g *guard) giveBack() {
	g.mu.Lock()
	g.own = false
	g.wake.Broadcast()
	g.mu.Unlock()
}

// preload makes the library read text as if the server had sent it.
func (g *guard) preload(text string) {
	g.mu.Lock()
	g.pending = []byte(text)
	g.wake.Broadcast()
	g.mu.Unlock()
}

// fail ends the connection; the first reason stays.
func (g *guard) fail(err error) {
	g.mu.Lock()
	if g.err == nil {
		g.err = err
	}
	g.closed = true
	g.wake.Broadcast()
	g.mu.Unlock()
	_ = g.Drop()
}

// Close is called by the library and by the session.
func (g *guard) Close() error {
	g.fail(net.ErrClosed)
	return nil
}

// cause returns why the connection ended. g.mu is held.
func (g *guard) cause() error {
	if g.err != nil {
		return g.err
	}
	return net.ErrClosed
}

// ended returns why the connection ended, nil while it lives.
func (g *guard) ended() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		return nil
	}
	return g.cause()
}

// lastAnswer is how the library's last command ended.
func (g *guard) lastAnswer() answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// noteBye keeps the server's farewell as the reason of the end that follows.
func (g *guard) noteBye(rest []byte) {
	g.mu.Lock()
	if g.err == nil {
		g.err = &byeError{text: strings.TrimSpace(string(rest[min(3, len(rest)):]))}
	}
	g.mu.Unlock()
}

// byeError is a server's BYE.
type byeError struct{ text string }

func (e *byeError) Error() string { return "the server ended the session: " + quote(e.text) }

func isStatus(rest []byte) bool {
	for _, w := range []string{"OK", "NO", "BAD", "BYE", "PREAUTH"} {
		if hasPrefixFold(rest, w) && (len(rest) == len(w) || rest[len(w)] == ' ' || rest[len(w)] == '\r' || rest[len(w)] == '\n') {
			return true
		}
	}
	return false
}

func hasPrefixFold(b []byte, word string) bool {
	return len(b) >= len(word) && strings.EqualFold(string(b[:len(word)]), word)
}
