package launcher

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
)

func TestOffice365CollectsThousandsOnce(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, listing := range []Listing{ListingDelta, ListingFull} {
		for _, after := range []cold.After{cold.Leave(), cold.MoveTo("Traités")} {
			t.Run(fmt.Sprint(listing, " ", after.Do), func(t *testing.T) {
				t.Parallel()
				n := 1200
				if os.Getenv("VAGUEMESTRE_LONG") != "" {
					n = 5000
				}
				if after.Do == cold.DoMove {
					n /= 4
				}
				box, l := c.mailbox(fmt.Sprint("many", listing, after.Do))
				l.Listing = listing
				box.DeliverAll("inbox", invoices(n))
				sink := &counted{}
				job := sink.job(l, cold.NewMemoryLedger(), after)
				start := time.Now()
				run(t, job)
				t.Logf("%d in %v", n, time.Since(start).Round(time.Millisecond))
				sink.want(t, n)
				if want := map[cold.Verb]int{cold.DoLeave: n, cold.DoMove: 0}[after.Do]; len(box.Messages("inbox")) != want {
					t.Errorf("%d are left in the folder, want %d", len(box.Messages("inbox")), want)
				}
				if s := run(t, job); s.Items != 0 {
					t.Errorf("the second pass reads %d again", s.Items)
				}
				box.Deliver("inbox", invoice(n))
				if s := run(t, job); s.Items != 1 {
					t.Errorf("one is new, and %d were read", s.Items)
				}
				sink.want(t, n+1)
			})
		}
	}
}

func TestOffice365TakesOverFromIMAPWithoutImportingAgain(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	for _, after := range []cold.After{cold.Leave(), cold.MoveTo("Traités")} {
		box, l := c.mailbox("bridge" + string(after.Do))
		before := memServer(t, imap.CapMove, imap.CapUIDPlus)
		sink, ledger := &counted{}, cold.NewMemoryLedger()
		for i := range 6 {
			raw := invoice(i)
			if i == 5 { // two copies of one mail are two mails, there as here
				raw = invoice(4)
			}
			before.Add(t, raw)
		}
		run(t, sink.job(before.launcher, ledger, cold.Leave()))
		n := len(sink.puts)
		if n != 6 {
			t.Fatalf("IMAP gave %d", n)
		}
		// The mailbox moves to Microsoft 365, with a mail that came meanwhile.
		for i := range 7 {
			raw := invoice(i)
			if i == 5 {
				raw = invoice(4)
			}
			box.Deliver("inbox", raw)
		}
		run(t, sink.job(l, ledger, after))
		if got := len(sink.puts); got != 7 {
			t.Errorf("%s: %d documents after the change, want 7", after.Do, got)
		}
		for key, n := range sink.puts {
			if n != 1 {
				t.Errorf("%s was handed over %d times", sink.name[key], n)
			}
		}
		if s := run(t, sink.job(l, ledger, after)); s.Items != 0 {
			t.Errorf("%s: the second pass reads %d again", after.Do, s.Items)
		}
	}
}

// statuses are what Graph may answer where it should not.
var statuses = []int{400, 401, 403, 404, 405, 409, 410, 412, 413, 423, 429, 500, 502, 503, 504, 507}

func TestOffice365LosesNothingWhateverGraphAnswers(t *testing.T) {
	t.Parallel()
	source, auth, config := vaguemestre.ClassSource, vaguemestre.ClassAuth, vaguemestre.ClassConfig
	fine := vaguemestre.Class("")
	calls := []struct {
		op      string
		listing Listing
		after   cold.After
		class   func(status int) vaguemestre.Class // of the run while Graph answers so
		gone    int                                // messages left in the source in the end
	}{
		{"folders.get", "", cold.Leave(), func(s int) vaguemestre.Class {
			switch s {
			case 401, 403:
				return auth
			case 400, 405:
				return config
			case 404:
				return config
			}
			return source
		}, 3},
		{"messages.delta", ListingDelta, cold.Leave(), func(s int) vaguemestre.Class {
			if s == 401 || s == 403 {
				return auth
			}
			return source
		}, 3},
		{"messages.list", ListingFull, cold.Leave(), func(s int) vaguemestre.Class {
			if s == 401 || s == 403 {
				return auth
			}
			return source
		}, 3},
		{"messages.value", "", cold.Leave(), func(s int) vaguemestre.Class {
			switch s {
			case 401, 403:
				return auth
			case 404: // not shown now
				return fine
			case 400, 405, 413, 500, 502, 503, 504: // put together from their parts
				return fine
			}
			return source
		}, 3},
		{"messages.get", "", cold.MarkSeen(), func(s int) vaguemestre.Class {
			switch s {
			case 401:
				return auth
			case 404: // gone
				return fine
			}
			return source
		}, 3},
		{"messages.patch", "", cold.MarkSeen(), func(s int) vaguemestre.Class {
			if s == 401 {
				return auth
			}
			return source
		}, 3},
		{"messages.patch", "", cold.Tag("GED"), func(s int) vaguemestre.Class {
			if s == 401 {
				return auth
			}
			return source
		}, 3},
		{"messages.move", "", cold.MoveTo("Traités"), func(s int) vaguemestre.Class {
			if s == 401 {
				return auth
			}
			return source
		}, 0},
		{"messages.delete", "", cold.Delete(), func(s int) vaguemestre.Class {
			if s == 401 {
				return auth
			}
			return source
		}, 0},
		{"folders.create", "", cold.MoveTo("Traités"), func(s int) vaguemestre.Class {
			if s == 401 {
				return auth
			}
			return source
		}, 0},
		{"folders.list", "", cold.MoveTo("Traités"), func(s int) vaguemestre.Class {
			if s == 401 {
				return auth
			}
			return source
		}, 0},
	}
	c := startCloud(t, nil)
	for i, call := range calls {
		for _, status := range statuses {
			t.Run(fmt.Sprint(call.op, " ", call.after.Do, " ", status), func(t *testing.T) {
				t.Parallel()
				box, l := c.mailbox(fmt.Sprintf("status%d-%d", i, status))
				l.Listing = call.listing
				box.DeliverAll("inbox", invoices(3))
				sink := &counted{}
				job := sink.job(l, cold.NewMemoryLedger(), call.after)
				c.script(l.address(), func(asked *graphtest.Call) *graphtest.Reply {
					if asked.Op == call.op {
						return &graphtest.Reply{Status: status}
					}
					return nil
				})
				_, err := job.Run(t.Context())
				c.script(l.address(), nil)
				if got := vaguemestre.ClassOf(err); got != call.class(status) {
					t.Errorf("the run gives %v (class %q), want class %q", err, got, call.class(status))
				}
				if err != nil && (strings.Contains(err.Error(), "app-secret") || strings.Contains(err.Error(), "Bearer")) {
					t.Errorf("a secret: %v", err)
				}
				// Two more runs, and everything is as if nothing had happened.
				for range 2 {
					run(t, job)
				}
				sink.want(t, 3)
				left := box.Messages("inbox")
				if call.op == "messages.get" && status == 404 {
					return // 404 said that they are gone: nobody marks them any more
				}
				if len(left) != call.gone {
					t.Errorf("%d are left, want %d", len(left), call.gone)
				}
				for _, m := range left {
					if m.Read != (call.after.Do == cold.DoSeen) || (len(m.Categories) == 1) != (call.after.Do == cold.DoTag) {
						t.Errorf("%+v", m)
					}
				}
				if call.after.Do == cold.DoMove && len(box.Messages("Traités")) != 3 {
					t.Errorf("%d were moved", len(box.Messages("Traités")))
				}
			})
		}
	}
}

func TestOffice365IsRightWhateverPeopleDoMeanwhile(t *testing.T) {
	t.Parallel()
	c := startCloud(t, &graphtest.Options{PageSize: 4})
	for seed := range 4 {
		box, l := c.mailbox(fmt.Sprint("people", seed))
		sink := &counted{}
		job := sink.job(l, cold.NewMemoryLedger(), cold.MarkSeen())
		var mu sync.Mutex
		var ids []string
		stay := map[int]bool{} // invoices that nobody took away before they could be read
		next, turn := 0, seed
		rnd := func(n int) int { turn = (turn*1103515245 + 12345) & 0x7fffffff; return turn >> 8 % max(n, 1) }
		for round := range 12 {
			for range 3 + round%4 {
				ids = append(ids, box.Deliver("inbox", invoice(next)))
				stay[next] = true
				next++
			}
			if round%5 == 4 {
				box.ForgetDelta()
			}
			mu.Lock()
			// What was collected is moved about, in and out of the folder.
			if round > 0 {
				for range 4 {
					id := ids[(rnd(1<<20))%max(len(ids)-7, 1)]
					box.Move(id, []string{"archive", "inbox", "deleteditems"}[(rnd(1<<20))%3])
				}
			}
			mu.Unlock()
			if _, err := job.Run(t.Context()); err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
		}
		got := map[string]bool{}
		for key, name := range sink.name {
			if got[name] || sink.puts[key] != 1 {
				t.Errorf("seed %d: %s came twice", seed, name)
			}
			got[name] = true
		}
		for i := range next {
			if name := fmt.Sprintf("facture-%d.pdf", i); !got[name] && stay[i] && slices.ContainsFunc(box.Messages("inbox"), func(m graphtest.Message) bool { return m.ID == ids[i] }) {
				t.Errorf("seed %d: %s lies in the folder and was not collected", seed, name)
			}
		}
	}
}
