package graphtest

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// Five at once on one mailbox: the fifth is refused, and so is what comes before Retry-After
// has passed, whoever asks; another mailbox is not concerned.
func TestBudget(t *testing.T) {
	t.Parallel()
	x := begin(t, Options{RetryAfter: 1500 * time.Millisecond})
	x.AddUser(User{Address: someone})
	x.AddUser(User{Address: "maire@mondaine.fr"})
	token, other := x.Token(someone), x.Token("maire@mondaine.fr")
	release := make(chan bool)
	var in sync.WaitGroup
	in.Add(4)
	x.Script(func(c *Call) *Reply {
		if c.Query == "wait" {
			in.Done()
			<-release
		}
		return nil
	})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if g := x.get(token, "/v1.0/me/mailFolders?wait"); g.status != 200 {
				t.Errorf("%d", g.status)
			}
		})
	}
	in.Wait()
	x.settled(4)
	g := x.get(token, "/v1.0/users/"+someone+"/mailFolders")
	if g.status != 429 || g.word() != "ApplicationThrottled" || g.header.Get("Retry-After") != "2" {
		t.Errorf("the fifth: %d %v %s", g.status, g.header, g.body)
	}
	if g := x.get(other, "/v1.0/me/mailFolders"); g.status != 200 {
		t.Errorf("another mailbox: %d", g.status)
	}
	close(release)
	all.Wait()
	if g := x.get(token, "/v1.0/me/mailFolders"); g.status != 429 || x.Over() != 2 {
		t.Errorf("before Retry-After: %d, over %d", g.status, x.Over())
	}
	x.pass(2 * time.Second)
	if g := x.get(token, "/v1.0/me/mailFolders"); g.status != 200 || x.Over() != 2 || x.Peak() != 5 {
		t.Errorf("after Retry-After: %d, over %d, peak %d", g.status, x.Over(), x.Peak())
	}
}

// settled waits until n requests are counted.
func (x *site) settled(n int) {
	for x.Peak() < n {
		time.Sleep(time.Millisecond)
	}
}

// A client that keeps to the budget is never refused: its next request does not meet the one
// whose answer it has just read, however long that was.
func TestBudgetIsFreeOnceTheAnswerIsWhole(t *testing.T) {
	t.Parallel()
	x := begin(t, Options{})
	box := x.AddUser(User{Address: someone})
	ids := []string{box.Deliver("inbox", bytes.Repeat([]byte("x: y\r\n"), 10)), box.Deliver("inbox", append([]byte("X: y\r\n\r\n"), bytes.Repeat([]byte("z"), 300<<10)...))}
	token := x.Token(someone)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 100 {
				if g := x.get(token, "/v1.0/me/messages/"+ids[i%2]+"/$value"); g.status != 200 {
					t.Errorf("%d %s", g.status, g.body)
					return
				}
			}
		})
	}
	all.Wait()
	if x.Over() != 0 || x.Peak() > 4 {
		t.Errorf("over %d, peak %d", x.Over(), x.Peak())
	}
}
