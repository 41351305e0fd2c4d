package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func fine(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }

func TestRequestLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mailbox string
		r       Request
		want    string
	}{
		{"", Request{Path: "/messages/" + Seg("A/b+c==") + "/$value"}, "/v1.0/me/messages/A%2Fb+c==/$value"},
		{"accueil@mondaine.fr", Request{Path: "/messages"}, "/v1.0/users/accueil@mondaine.fr/messages"},
		{"lea_ville.fr#EXT#@mondaine.fr", Request{Path: "/messages"}, "/v1.0/users/lea_ville.fr%23EXT%23@mondaine.fr/messages"},
		{"$o'neil@mondaine.fr", Request{Path: "/messages"}, "/v1.0/users('$o%27%27neil@mondaine.fr')/messages"},
		{"../../me", Request{Path: "/messages"}, "/v1.0/users/..%2F..%2Fme/messages"},
		{"..", Request{Path: "/messages"}, "/v1.0/users/%2E%2E/messages"},
		{"accueil@mondaine.fr", Request{Path: "/me", Absolute: true}, "/v1.0/me"},
		{"", Request{Path: "/messages", Query: url.Values{"$filter": {"subject eq 'a + b'"}}}, "/v1.0/me/messages?$filter=subject%20eq%20%27a%20%2B%20b%27"},
	} {
		f := newFake(t, false, fine)
		r := c.r
		r.Op = "test"
		if err := f.client(c.mailbox).JSON(t.Context(), &r, nil); err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		got := f.call(0)
		if got.RequestURI != c.want {
			t.Errorf("asked for %s, want %s", got.RequestURI, c.want)
		}
		if got.Header.Get("Authorization") != "Bearer canary-token-0" || got.Header.Get("Prefer") != ImmutableID || len(got.Header.Get("client-request-id")) != 36 {
			t.Errorf("headers: %v", got.Header)
		}
	}
}

func TestApplicationNeedsMailbox(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, fine)
	f.app = true
	err := f.client("").JSON(t.Context(), &Request{Op: "list", Path: "/messages"}, nil)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), "name the mailbox") || f.calls() != 0 {
		t.Errorf("got %v after %d requests", err, f.calls())
	}
	if err := f.client("a@mondaine.fr").JSON(t.Context(), &Request{Op: "list", Path: "/messages"}, nil); err != nil {
		t.Error(err)
	}
}

// TestRenewOnce: a token that is refused is renewed once, also by many at a time.
func TestRenewOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer canary-token-0" {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_claims", claims="e30="`)
			graphError(w, 401, "InvalidAuthenticationToken")
		}
	})
	c := f.client("")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := c.JSON(t.Context(), &Request{Op: "list", Path: "/messages"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f.renewed != 1 {
		t.Errorf("renewed %d times", f.renewed)
	}
}

// TestBudget: clients on one mailbox share the budget until bodies are closed, whatever the
// way they name it.
func TestBudget(t *testing.T) {
	t.Parallel()
	var now, peak atomic.Int64
	f := newFake(t, true, func(_ int, w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > peak.Load() {
			peak.Store(n)
		}
		time.Sleep(5 * time.Millisecond)
		fmt.Fprint(w, "{}")
		now.Add(-1)
	})
	f.who = "Compta@mondaine.fr"
	clients := []*Client{f.client(""), f.client("compta@mondaine.fr"), f.client("COMPTA@mondaine.fr")}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if err := clients[i%3].JSON(t.Context(), &Request{Op: "list", Path: "/messages"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if peak.Load() > Budget {
		t.Errorf("%d requests at once, want at most %d", peak.Load(), Budget)
	}

	var open []*http.Response
	for range Budget {
		resp, err := clients[0].Do(t.Context(), &Request{Op: "value", Path: "/messages"})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, resp)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := clients[1].Do(ctx, &Request{Op: "value", Path: "/messages"}); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("a fifth request went out: %v", err)
	}
	other, err := f.client("autre@mondaine.fr").Do(t.Context(), &Request{Op: "value", Path: "/messages"})
	if err != nil {
		t.Fatalf("another mailbox has a budget of its own: %v", err)
	}
	other.Body.Close()
	for _, resp := range open {
		resp.Body.Close()
		resp.Body.Close() // a second time gives no second place back
	}
	if n := len(clients[0].gate.slots); n != 0 {
		t.Errorf("%d places are taken at the end", n)
	}
}

// TestThrottleHoldsAll: Retry-After of one request is kept by all of the mailbox.
func TestThrottleHoldsAll(t *testing.T) {
	t.Parallel()
	var f *fake
	f = newFake(t, false, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.Header().Set("Retry-After", f.clock.Add(2*time.Minute).Format(http.TimeFormat))
			graphError(w, 429, "ApplicationThrottled")
		}
	})
	err := f.client("a@mondaine.fr").JSON(t.Context(), &Request{Op: "list", Path: "/messages"}, nil)
	var fault *Fault
	if !errors.As(err, &fault) || fault.Kind != Throttled || fault.RetryAfter != 2*time.Minute || fault.RequestID != "id-42" {
		t.Fatalf("got %v", err)
	}
	// Another client gives up at once, without a request; a patient one waits.
	err = f.client("a@mondaine.fr").JSON(t.Context(), &Request{Op: "list", Path: "/messages"}, nil)
	if !errors.As(err, &fault) || fault.Kind != Throttled || fault.RetryAfter != 2*time.Minute || f.calls() != 1 {
		t.Fatalf("got %v after %d requests", err, f.calls())
	}
	patient := func(o *Options) { o.MaxWait = 5 * time.Minute }
	if err := f.client("a@mondaine.fr", patient).JSON(t.Context(), &Request{Op: "list", Path: "/messages"}, nil); err != nil {
		t.Fatal(err)
	}
	if f.waited() != 2*time.Minute {
		t.Errorf("waited %v, want 2 minutes", f.waited())
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "1.5": 1500 * time.Millisecond, "0": leastRetry, "-3": 0, "NaN": 0,
		"86400": time.Hour, "1e99": time.Hour, "Inf": time.Hour, "soon": 0, strings.Repeat("9", 100): 0,
		"Sat, 21 Nov 2026 10:00:30 GMT": 30 * time.Second, "Sat, 21 Nov 2026 09:00:00 GMT": leastRetry, "Sun, 22 Nov 2026 10:00:00 GMT": time.Hour,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", v, got, want)
		}
	}
	for n := range 200 {
		if d := backoff(n); d < firstPause/2 || d > longestPause {
			t.Errorf("pause %d is %v", n, d)
		}
	}
}

// TestSilence: each silence is bounded, wherever it falls.
func TestSilence(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	f := newFake(t, false, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1.0/me/body" {
			w.Write([]byte("abc"))
			w.(http.Flusher).Flush()
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	c := f.client("", func(o *Options) { o.Timeout = 100 * time.Millisecond })
	for _, r := range []*Request{
		{Op: "headers", Path: "/headers", Method: "POST", JSON: 1, Once: true},
		{Op: "body", Path: "/body"},
	} {
		start := time.Now()
		resp, err := c.Do(t.Context(), r)
		want := Unknown
		if r.Op == "body" {
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			want = Transient
		}
		var fault *Fault
		if !errors.As(err, &fault) || fault.Kind != want || !errors.Is(err, errSilence) {
			t.Errorf("%s: got %v, want kind %s", r.Op, err, want)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", r.Op, took)
		}
	}
}

// TestContextEnds: what ends with its context is canceled, unless it may have been done.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, once := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		err := f.client("").JSON(ctx, &Request{Op: "send", Method: "POST", Path: "/sendMail", JSON: 1, Once: once}, nil)
		cancel()
		if took := time.Since(start); took > time.Second {
			t.Errorf("returned after %v", took)
		}
		var fault *Fault
		if unknown := errors.As(err, &fault) && fault.Kind == Unknown && errors.Is(err, context.DeadlineExceeded); unknown != once {
			t.Errorf("once=%v: got %v", once, err)
		}
		if !once && vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
			t.Errorf("got %v, want class canceled", err)
		}
	}
}

// TestBody: it is opened anew for each try and closed as often; one that fails is told as
// what it is, and was surely not done.
func TestBody(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 3 {
			graphError(w, 503, "")
		}
	})
	var opened, closed atomic.Int64
	r := &Request{Op: "put", Method: "PUT", Path: "/x", Size: 5, ContentType: "text/plain", Body: func() (io.ReadCloser, error) {
		opened.Add(1)
		return &counted{Reader: strings.NewReader("bytes"), closed: &closed}, nil
	}}
	if err := f.client("").JSON(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	if opened.Load() != 3 || closed.Load() != 3 {
		t.Errorf("opened %d, closed %d times, want 3", opened.Load(), closed.Load())
	}
	for i := range 3 {
		if f.bodies[i] != "bytes" {
			t.Errorf("try %d sent %q", i+1, f.bodies[i])
		}
	}
	broken := errors.New("the disk is broken")
	before := f.calls()
	for name, open := range map[string]func() (io.ReadCloser, error){
		"cannot be opened": func() (io.ReadCloser, error) { return nil, broken },
		"breaks off": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("by"), failing{broken})), nil
		},
		"too short": func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("by")), nil },
		"too long":  func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("bytes and more")), nil },
	} {
		r := &Request{Op: "put", Method: "POST", Path: "/x", Size: 5, Once: true, Body: open}
		err := f.client("").JSON(t.Context(), r, nil)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Kind != Invalid {
			t.Errorf("a body that %s: got %v", name, err)
		}
		if name[0] == 'c' || name[0] == 'b' {
			if !errors.Is(err, broken) {
				t.Errorf("a body that %s: the cause is lost: %v", name, err)
			}
		}
	}
	if f.calls() != before {
		t.Errorf("%d requests were made", f.calls()-before)
	}
}

type counted struct {
	io.Reader
	closed *atomic.Int64
	once   sync.Once
}

func (c *counted) Close() error { c.once.Do(func() { c.closed.Add(1) }); return nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestFaultText: it tells all, quoted and cut, and no secret.
func TestFaultText(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("request-id", "abc")
		w.WriteHeader(403)
		fmt.Fprintf(w, `{"error":{"CODE":"generalException","message":"%s","innererror":{"code":"ErrorAccessDenied","innerError":{"code":"Unheard","innerError":{"code":"ErrorSendAsDenied"}}}}}`,
			`no \r\n\u0000right`+strings.Repeat("x", 5000))
	})
	err := f.client("").JSON(t.Context(), &Request{Op: "send mail", Path: "/x"}, nil)
	var fault *Fault
	if !errors.As(err, &fault) || fault.Code != "ErrorSendAsDenied" || fault.Status != 403 {
		t.Fatalf("got %#v", err)
	}
	text := err.Error()
	if !strings.HasPrefix(text, `graph: send mail: 403 ErrorSendAsDenied: the server says "no    right`) || !strings.HasSuffix(text, "(request-id abc)") {
		t.Errorf("the text is %s", text)
	}
	if len(text) > 500 || strings.ContainsAny(text, "\r\n\x00") || strings.Contains(text, "canary") {
		t.Errorf("the text is %s", text)
	}
}

// TestDeepFault: nesting without end is bounded, and odd members do no harm.
func TestDeepFault(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"deep":      `{"error":{"code":"a","message":"m","innerError":` + strings.Repeat(`{"code":"b","innerError":`, 9000) + `{}` + strings.Repeat(`}`, 9002),
		"too deep":  strings.Repeat(`{"error":`, 30000),
		"numbers":   `{"error":{"code":42,"message":{"lang":"fr"}}}`,
		"a string":  `{"error":"invalid_token"}`,
		"a list":    `[]`,
		"null":      `null`,
		"no UTF-8":  "\xff\xfe\x00",
		"very long": strings.Repeat(" ", 1<<20),
	} {
		f := newFake(t, false, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); io.WriteString(w, body) })
		err := f.client("").JSON(t.Context(), &Request{Op: "x", Path: "/x"}, nil)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Kind != Invalid || len(err.Error()) > 600 {
			t.Errorf("%s: got %.200v", name, err)
		}
	}
}

// TestJSONBound: an answer without end is not read without end.
func TestJSONBound(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	f := newFake(t, false, func(_ int, w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(`"` + strings.Repeat("x", 1<<20) + `",`)
		io.WriteString(w, `{"value":[`)
		for {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	var out any
	err := f.client("").JSON(t.Context(), &Request{Op: "x", Path: "/x", Method: "POST", Once: true}, &out)
	var fault *Fault
	if !errors.As(err, &fault) || fault.Kind != Garbage || sent.Load() > 2*maxJSON {
		t.Errorf("got %v after %d bytes", err, sent.Load())
	}
}
