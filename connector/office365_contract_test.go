package connector

import (
	"sync/atomic"
	"testing"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router/routertest"
)

// TestOffice365Contract runs the suite of senders on Microsoft 365. It takes a mail for all
// recipients or for none, so that nobody can be refused apart.
func TestOffice365Contract(t *testing.T) {
	routertest.TestMailSender(t, func(t *testing.T) routertest.Harness {
		w := newTown(t, nil)
		w.AddUser(graphtest.User{Address: "expediteur@example.org"})
		var drop, stall, calls atomic.Int64
		w.Script(func(c *graphtest.Call) *graphtest.Reply {
			calls.Add(1)
			switch {
			case stall.Load() > 0:
				return &graphtest.Reply{Hang: true}
			case c.Op == "sendMail" && drop.CompareAndSwap(1, 0):
				return &graphtest.Reply{Drop: true} // read whole, and nothing is found afterwards
			}
			return nil
		})
		o := w.connector()
		o.Mailbox = "expediteur@example.org"
		return routertest.Harness{
			Sender: o,
			Received: func() []routertest.Received {
				var out []routertest.Received
				for _, m := range w.Outbox() {
					out = append(out, routertest.Received{From: m.From, To: m.To, Raw: m.Raw})
				}
				return out
			},
			DropAtEnd: func() { drop.Store(1) },
			Stall:     func() { stall.Store(1) },
			Down: func() {
				if _, err := w.app.Token(t.Context(), auth.Graph); err != nil { // reads the CA file, which goes with the server
					t.Fatal(err)
				}
				w.Close()
			},
			Connections: func() int { return int(calls.Load()) },
			FromHeaders: true,
			OwnDate:     true,
		}
	})
}
