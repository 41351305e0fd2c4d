package graph

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// fake is a Graph that answers as a test says, with an account that may ask it.
type fake struct {
	srv *httptest.Server

	mu      sync.Mutex
	seen    []*http.Request
	bodies  []string
	renewed int
	app     bool
	who     string
	kept    map[any]any
	clock   time.Time
	slept   []time.Duration
}

func newFake(t *testing.T, h2 bool, answer func(n int, w http.ResponseWriter, r *http.Request)) *fake {
	t.Helper()
	f := &fake{kept: map[any]any{}, clock: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	f.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		f.mu.Lock()
		if err == nil { // what came only in part was not done
			f.seen, f.bodies = append(f.seen, r), append(f.bodies, string(b))
		}
		n := len(f.seen)
		f.mu.Unlock()
		answer(n, w, r)
	}))
	f.srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.srv.EnableHTTP2 = h2
	f.srv.StartTLS()
	t.Cleanup(f.srv.Close)
	return f
}

func (f *fake) calls() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.seen) }

func (f *fake) call(i int) *http.Request { f.mu.Lock(); defer f.mu.Unlock(); return f.seen[i] }

func (f *fake) waited() (d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.slept {
		d += s
	}
	return d
}

// client is one whose waiting takes no time.
func (f *fake) client(mailbox string, change ...func(*Options)) *Client {
	o := &Options{Timeout: 10 * time.Second,
		Now: func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.clock },
		Sleep: func(ctx context.Context, d time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.slept = append(f.slept, d)
			f.clock = f.clock.Add(d)
			return ctx.Err()
		}}
	for _, c := range change {
		c(o)
	}
	return newClient(f, mailbox, o)
}

func (f *fake) token(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint("canary-token-", f.renewed), nil
}

func (f *fake) refresh(ctx context.Context, stale string) (string, error) {
	f.mu.Lock()
	if stale == fmt.Sprint("canary-token-", f.renewed) {
		f.renewed++
	}
	f.mu.Unlock()
	return f.token(ctx)
}

func (f *fake) user(context.Context) (string, error) { return f.who, nil }
func (f *fake) application() bool                    { return f.app }
func (f *fake) name() string                         { return "compta" }

func (f *fake) where() (*url.URL, *http.Client, error) {
	u, err := url.Parse(f.srv.URL)
	return u, f.srv.Client(), err
}

func (f *fake) shared(key any, make func() any) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.kept[key]; !ok {
		f.kept[key] = make()
	}
	return f.kept[key]
}

// graphError answers as Graph does.
func graphError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("request-id", "id-42")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":"Words of the server.","innerError":{"request-id":"id-42"}}}`, code)
}

// hangUp drops the line.
func hangUp(w http.ResponseWriter) { panic(http.ErrAbortHandler) }
