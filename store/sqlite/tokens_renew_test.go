package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
)

// strict is a provider that takes each refresh token once: an old one costs the grant.
type strict struct {
	mu        sync.Mutex
	current   map[string]string // grant → refresh token
	signedIn  int
	refreshes int
	reused    int
}

func (p *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	life, grant := 3600, ""
	switch old := r.PostFormValue("refresh_token"); {
	case r.URL.Path == "/device":
		fmt.Fprint(w, `{"device_code":"d","user_code":"ABCD","verification_uri":"https://login.example.org/device","interval":1,"expires_in":60}`)
		return
	case old == "":
		p.signedIn++
		life, grant = 1, fmt.Sprint("grant", p.signedIn)
	default:
		p.refreshes++
		grant, _, _ = strings.Cut(old, "-")
		if old != p.current[grant] {
			p.reused++
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
	}
	p.current[grant] = fmt.Sprintf("%s-r%d", grant, p.refreshes)
	fmt.Fprintf(w, `{"access_token":"%s-a%d","refresh_token":%q,"token_type":"Bearer","expires_in":%d}`, grant, p.refreshes, p.current[grant], life)
}

func strictAccount(url, name string, s auth.Store) auth.Account {
	p := &auth.OAuth2{ClientID: "id", TokenURL: url + "/token", DeviceURL: url + "/device", Tokens: s}
	return p.Account(name)
}

// playRenew gets a token with a hundred goroutines for each account that its input names,
// and says how that went.
func playRenew(s auth.Store) {
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		a := strictAccount(os.Args[2], in.Text(), s)
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]int{}
		for range 100 {
			wg.Go(func() {
				t, err := a.Token(context.Background(), auth.IMAP)
				got := ""
				if err != nil {
					got = err.Error()
				} else {
					got = t.AccessToken
				}
				mu.Lock()
				seen[got]++
				mu.Unlock()
			})
		}
		wg.Wait()
		fmt.Println(seen)
	}
	os.Exit(0)
}

// Eight processes of a hundred goroutines find a token that has ended in one database: one
// request goes out, all have its token, and no old refresh token is used.
func TestEightProcessesRenewOnce(t *testing.T) {
	t.Parallel()
	p := &strict{current: map[string]string{}}
	srv := httptest.NewServer(p)
	defer srv.Close()
	st := sealedStore(t)
	const rounds = 3
	var names []string
	var wg sync.WaitGroup
	for i := range rounds {
		name := fmt.Sprint("account-", i)
		names = append(names, name)
		wg.Go(func() {
			f, err := strictAccount(srv.URL, name, st.Tokens()).Begin(t.Context(), nil)
			if err == nil {
				_, err = f.Wait(t.Context(), nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	type child struct {
		in  *bufio.Writer
		out *bufio.Scanner
	}
	var children []child
	for range 8 {
		cmd := play("tokens", st.path, "renew", srv.URL)
		cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0") // by default a process of the race detector ends with a second of sleep
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
		c := child{bufio.NewWriter(in), bufio.NewScanner(out)}
		children = append(children, c)
		defer cmd.Wait()
		defer in.Close()
		if !c.out.Scan() || c.out.Text() != "ready" {
			t.Fatalf("a process says %q", c.out.Text())
		}
	}
	wg.Wait()
	time.Sleep(1100 * time.Millisecond) // the tokens of the sign-in last a second
	for round, name := range names {
		for _, c := range children {
			_, err := fmt.Fprintln(c.in, name)
			if err = errors.Join(err, c.in.Flush()); err != nil {
				t.Fatal(err)
			}
		}
		said := map[string]bool{}
		for _, c := range children {
			c.out.Scan()
			said[c.out.Text()] = true
		}
		p.mu.Lock()
		if p.refreshes != round+1 || p.reused != 0 || len(said) != 1 {
			t.Errorf("round %d: %d requests, %d old tokens, the processes say %v", round, p.refreshes, p.reused, said)
		}
		p.mu.Unlock()
		for s := range said {
			if !strings.HasPrefix(s, "map[grant") || !strings.HasSuffix(s, ":100]") {
				t.Errorf("round %d: %s", round, s)
			}
		}
	}
}
