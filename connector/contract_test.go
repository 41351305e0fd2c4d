package connector

import (
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/router/routertest"
)

func TestContract(t *testing.T) {
	routertest.TestMailSender(t, func(t *testing.T) routertest.Harness {
		var mu sync.Mutex
		refused := map[string]string{}
		var drop, stall atomic.Bool
		f := newFake(t, func(f *fake) {
			f.ext[1] = "SIZE 100000000"
			f.ext = append(f.ext, "DSN")
			f.on = func(_ *fake, verb, arg string) *action {
				if stall.Load() {
					return &action{stall: true}
				}
				mu.Lock()
				defer mu.Unlock()
				switch verb {
				case "RCPT", "TAKES":
					if say, ok := refused[arg]; ok {
						return &action{say: say}
					}
				case "KEEPS":
					if drop.Load() {
						return &action{}
					}
				case "DOT":
					if drop.CompareAndSwap(true, false) {
						return &action{cut: true}
					}
				}
				return nil
			}
		})
		refuse := func(say string) func(string) {
			return func(a string) { mu.Lock(); defer mu.Unlock(); refused[a] = say }
		}
		s := f.smtp(func(s *SMTP) { s.Timeout, s.waits.dot = 5*time.Second, 5*time.Second })
		return routertest.Harness{
			Sender: s,
			Received: func() []routertest.Received {
				var out []routertest.Received
				for _, m := range f.sent() {
					out = append(out, routertest.Received{From: m.from, To: m.rcpts, Raw: m.data, Notify: m.notify})
				}
				return out
			},
			RefuseForGood: refuse("550 5.1.1 no such user"),
			RefuseForNow:  refuse("451 4.2.1 not now"),
			DropAtEnd:     func() { drop.Store(true) },
			Stall:         func() { stall.Store(true) },
			Down: func() {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				_, port, _ := net.SplitHostPort(l.Addr().String())
				l.Close()
				s.Port, _ = strconv.Atoi(port)
			},
			Connections: f.connections,
		}
	})
}
