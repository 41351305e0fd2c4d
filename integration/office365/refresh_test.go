package office365

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
)

func init() { children["refresh"] = refreshChild }

// refreshChild wants a token 100 times at once, from the moment the file GO appears.
func refreshChild() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	st, err := openStore(ctx, os.Getenv("STORE"))
	if err != nil {
		return err
	}
	defer st.Close()
	a := provider(st.Tokens(), os.Getenv("URL"), os.Getenv("CA"), os.Getenv("ID"), os.Getenv("TENANT")).Account("compta")
	fmt.Println("ready")
	for {
		if _, err := os.Stat(os.Getenv("GO")); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	errs := make([]error, 100)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			tok, err := a.Token(ctx, auth.Graph)
			if err == nil {
				fmt.Println(hash([]byte(tok.AccessToken)))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestRefreshOnce: 100 goroutines in each of 8 processes find the token expired; the provider,
// which would revoke everything if an old refresh token came twice, is asked once.
func TestRefreshOnce(t *testing.T) {
	srv := start(t, &graphtest.Options{Rotation: graphtest.RotateStrict, TokenLife: 2 * time.Second})
	srv.AddUser(graphtest.User{Address: "compta@mondaine.fr"})
	dir := t.TempDir()
	store := filepath.Join(dir, "state.db")
	associate(t, srv, store, "compta", "compta@mondaine.fr")
	time.Sleep(2 * time.Second) // the token has ended
	srv.ResetCalls()
	release := filepath.Join(dir, "go")
	var wg sync.WaitGroup
	outs := make([]bytes.Buffer, 8)
	errs := make([]error, 8)
	for i := range outs {
		cmd := child(t, "refresh", "STORE="+store, "URL="+srv.URL, "CA="+srv.CAFile, "ID="+srv.ClientID, "TENANT="+srv.Tenant, "GO="+release)
		cmd.Stdout, cmd.Stderr = &outs[i], os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { errs[i] = cmd.Wait() })
	}
	time.Sleep(2 * time.Second) // they open the store; who comes late comes late, the result is the same
	os.WriteFile(release, nil, 0o600)
	wg.Wait()
	seen := map[string]int{}
	for i := range outs {
		if errs[i] != nil {
			t.Fatalf("process %d: %v", i, errs[i])
		}
		for _, l := range bytes.Fields(outs[i].Bytes()) {
			if string(l) != "ready" {
				seen[string(l)]++
			}
		}
	}
	total := 0
	for _, n := range seen {
		total += n
	}
	if n := srv.Count("token"); n != 1 || total != 800 || len(seen) != 1 {
		t.Errorf("%d refresh requests, %d tokens of %d kinds: want 1, 800 and 1", n, total, len(seen))
	}
}
