package peers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
)

func TestMain(m *testing.M) {
	if at := os.Getenv("VAGUEMESTRE_PEERS_CHILD"); at != "" {
		if err := refresher(strings.Split(at, "\n")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// refresher is the other process: for each line it reads, a hundred goroutines ask for the
// account's token. It answers with the hash of the one that all of them got.
func refresher(at []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a, st, err := accountAt(ctx, at[0], at[1], at[2])
	if err != nil {
		return err
	}
	defer st.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var wg sync.WaitGroup
		var got [100]string
		var errs [100]error
		for i := range got {
			wg.Go(func() {
				tok, err := a.Token(ctx, auth.IMAP)
				if errs[i] = err; err == nil {
					got[i] = tok.AccessToken
				}
			})
		}
		wg.Wait()
		for i := range got {
			if errs[i] != nil || got[i] != got[0] {
				return fmt.Errorf("goroutine %d: %v, or a token of its own", i, errs[i])
			}
		}
		fmt.Println(sum([]byte(got[0])))
	}
	return nil
}

// child is that process seen from the test.
type child struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

func newChild(t *testing.T, store string, p *provider) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "VAGUEMESTRE_PEERS_CHILD="+strings.Join([]string{store, p.issuer, p.caFile}, "\n"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return &child{t, in, bufio.NewScanner(out)}
}

func (c *child) say(what string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, what); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) hear() string {
	c.t.Helper()
	if !c.out.Scan() || strings.HasPrefix(c.out.Text(), "error:") {
		c.t.Fatalf("a process says %q", c.out.Text())
	}
	return c.out.Text()
}
