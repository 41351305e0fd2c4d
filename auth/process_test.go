package auth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/step"
	"github.com/vaguemestre/vaguemestre/settings"
)

func testRing(t testing.TB) *settings.Keyring {
	t.Helper()
	key, err := settings.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := settings.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

const childEnv = "VAGUEMESTRE_AUTH_CHILD"

// TestChild is the other process of the tests below. For each line of its input, the name
// of an account, a hundred goroutines get a token, and one line tells how that went. If
// VAGUEMESTRE_AUTH_KILL is "name:before" or "name:after" it dies at that step.
func TestChild(t *testing.T) {
	arg := strings.Split(os.Getenv(childEnv), "|")
	if len(arg) != 3 {
		t.Skip("it is no test of its own")
	}
	url, ca, dir := arg[0], arg[1], arg[2]
	h, err := newHTTP("auth: test", ca, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if kill := os.Getenv("VAGUEMESTRE_AUTH_KILL"); kill != "" {
		step.Set(func(n step.Name, after bool) {
			if fmt.Sprintf("%s:%v", n, after) == kill {
				if self, err := os.FindProcess(os.Getpid()); err == nil {
					self.Kill()
				}
				select {}
			}
		})
	}
	c := &client{provider: "test", id: "app-1", place: url, grant: Delegated, store: &Files{Dir: dir, Key: testRing(t)}, http: h,
		timeout: 30 * time.Second, dialect: testDialect{url: url}, now: time.Now, sleep: sleep}
	fmt.Println("child: ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]int{}
		for range 100 {
			wg.Go(func() {
				got := ""
				tok, err := c.token(t.Context(), in.Text(), Graph, "")
				switch {
				case errors.Is(err, ErrReauth):
					got = "reauth"
				case err != nil:
					got = err.Error()
				default:
					got = tok.AccessToken
				}
				mu.Lock()
				seen[got]++
				mu.Unlock()
			})
		}
		wg.Wait()
		fmt.Printf("child: %v\n", seen)
	}
}

// child is such a process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startChild(t *testing.T, p *rotator, ca, dir, kill string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), childEnv+"="+p.URL+"|"+ca+"|"+dir, "VAGUEMESTRE_AUTH_KILL="+kill,
		"GORACE=atexit_sleep_ms=0") // by default a process of the race detector ends with a second of sleep
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		in.Close()
		for c.out.Scan() {
		}
		cmd.Wait()
	})
	return c
}

// ready waits until it asks for an account.
func (c *child) ready(t *testing.T) *child {
	t.Helper()
	if got := c.line(); got != "ready" {
		t.Fatalf("the child says %q", got)
	}
	return c
}

// line returns what it says next, "" once it is dead.
func (c *child) line() string {
	for c.out.Scan() {
		if s, ok := strings.CutPrefix(c.out.Text(), "child: "); ok {
			return s
		}
	}
	return ""
}

// expired associates an account over files with a grant whose token has ended.
func expired(t *testing.T, x *tester, name string) {
	t.Helper()
	var a *answer
	x.idp.set(func() {
		a = &answer{RefreshToken: x.idp.next(name), AccessToken: "ended", Scope: "graph/send graph/read", Expires: x.now().Add(-time.Minute)}
	})
	if _, err := x.adopt(t.Context(), name, a.RefreshToken, a, nil); err != nil {
		t.Fatal(err)
	}
}

// overFiles is a tester whose clock and store are those of its children.
func overFiles(t *testing.T) (x *tester, ca, dir string) {
	dir = t.TempDir() + "/tokens"
	x = newTester(t, newRotator(t), &Files{Dir: dir, Key: testRing(t)})
	x.now = time.Now
	return x, x.idp.caFile(t), dir
}

// Eight processes of a hundred goroutines find a token that has ended, ten times over: one
// request goes out each time, and nobody fails. At this provider a second request would
// cost the grant.
func TestEightProcesses(t *testing.T) {
	t.Parallel()
	x, ca, dir := overFiles(t)
	var children []*child
	for range 8 {
		children = append(children, startChild(t, x.idp, ca, dir, ""))
	}
	for _, c := range children {
		c.ready(t)
	}
	for round := range 10 {
		name := fmt.Sprint("account-", round)
		expired(t, x, name)
		before := x.idp.asked()
		for _, c := range children {
			fmt.Fprintln(c.in, name)
		}
		said := map[string]bool{}
		for _, c := range children {
			said[c.line()] = true
		}
		if n := x.idp.asked() - before; n != 1 || len(said) != 1 {
			t.Fatalf("round %d: %d requests, the processes say %v", round, n, said)
		}
		for s := range said {
			if !strings.HasPrefix(s, "map[access-c4n4ry-") || !strings.HasSuffix(s, ":100]") {
				t.Fatalf("round %d: %s", round, s)
			}
		}
	}
	if len(x.idp.revoked) != 0 {
		t.Error("an old refresh token was used")
	}
}

// A process is killed at each step of a refresh. What is then left is a usable account or
// one that says that it must be associated again, and never a program that asks on and on.
func TestKilledWhileRefreshing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kill    string
		lenient bool
		usable  bool
		more    int // requests after the kill
	}{
		{"token.refresh:false", false, true, 1},
		{"token.refresh:true", false, false, 1}, // rotated and not stored: this provider takes it for theft
		{"token.refresh:true", true, true, 1},   // Entra does not
		{"token.save:false", false, false, 1},
		{"token.save:false", true, true, 1},
		{"token.save:true", false, true, 0},
	} {
		t.Run(fmt.Sprint(c.kill, " lenient ", c.lenient), func(t *testing.T) {
			t.Parallel()
			x, ca, dir := overFiles(t)
			x.idp.lenient = c.lenient
			expired(t, x, acct)
			x.told()
			killed := startChild(t, x.idp, ca, dir, c.kill).ready(t)
			fmt.Fprintln(killed.in, acct)
			if s := killed.line(); s != "" {
				t.Fatalf("it was not killed but says %s", s)
			}
			before := x.idp.asked()
			other := startChild(t, x.idp, ca, dir, "").ready(t)
			for range 3 {
				fmt.Fprintln(other.in, acct)
				s := other.line()
				if ok := strings.HasPrefix(s, "map[access-c4n4ry-") && strings.HasSuffix(s, ":100]"); ok != c.usable || !ok && s != "map[reauth:100]" {
					t.Errorf("the next process says %s", s)
				}
			}
			if n := x.idp.asked() - before; n != c.more {
				t.Errorf("%d requests after the kill", n)
			}
			want := StandingReady
			if !c.usable {
				want = StandingReauth
			}
			if st, err := x.status(t.Context(), acct); err != nil || st.Standing != want {
				t.Errorf("status %+v, %v", st, err)
			}
		})
	}
}

// A lock over files ends with its process, also with kill -9.
func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	x, ca, dir := overFiles(t)
	expired(t, x, acct)
	hang := make(chan struct{})
	defer close(hang)
	arrived := make(chan struct{})
	x.idp.scripted = []http.HandlerFunc{hangOnce(arrived, hang)}
	c := startChild(t, x.idp, ca, dir, "").ready(t)
	fmt.Fprintln(c.in, acct)
	<-arrived
	if _, err := x.store.Lock(lasting(t, 100*time.Millisecond), grantName(acct)); err == nil {
		t.Fatal("the lock is free while the other process holds it")
	}
	c.cmd.Process.Kill()
	unlock, err := x.store.Lock(lasting(t, 20*time.Second), grantName(acct))
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
