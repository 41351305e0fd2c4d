package graph

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// How often a request is tried.
const (
	maxTries     = 5  // after broken lines and 5xx
	maxThrottles = 20 // after 429, as long as MaxWait lasts
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// run sends r until it is done, refused, or may be tried no more. take, if there is one,
// reads a success whole; what it finds wrong with it counts as a broken line.
func (c *Client) run(ctx context.Context, r *Request, upload bool, take func(*http.Response) error) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, canceled(r.Op, err)
	}
	t, err := c.prepare(r, upload)
	if err != nil {
		return nil, err
	}
	w := &patience{left: c.o.MaxWait, now: c.o.Now, rest: c.o.Sleep}
	renewed := "" // the token that Graph did not take
	for tries, throttles := 0, 0; ; {
		leave := func() {}
		var g *gate
		if !upload {
			token, err := c.bearer(ctx, renewed)
			if err != nil {
				return nil, err
			}
			t.header.Set("Authorization", "Bearer "+token)
			t.header.Set("client-request-id", guid())
			var wait time.Duration
			g = c.door(ctx)
			if leave, wait, err = g.enter(ctx, w); err != nil {
				return nil, canceled(r.Op, err)
			}
			if wait > 0 {
				return nil, &Fault{Op: r.Op, Kind: Throttled, RetryAfter: wait,
					Err: fmt.Errorf("the mailbox is throttled: it is asked again in %v", wait.Round(time.Second))}
			}
		}
		a := t.send(ctx)
		if a.resp != nil {
			body := a.resp.Body.(*answer)
			body.leave, body.resp = leave, a.resp
			if a.resp.StatusCode/100 == 2 || slices.Contains(r.Accept, a.resp.StatusCode) {
				if take == nil {
					return a.resp, nil
				}
				err := take(a.resp)
				a.resp.Body.Close()
				if err == nil {
					return nil, nil
				}
				if f := c.unreadable(ctx, r, a.resp, err); f != nil {
					return nil, f
				}
				a.err = err
			}
		} else {
			leave()
		}

		var f *Fault
		pause := time.Duration(0)
		switch {
		case a.err != nil:
			f = c.broken(ctx, r, a)
			if ctx.Err() != nil && f.Kind != Unknown {
				return nil, canceled(r.Op, ctx.Err())
			}
			if tries++; f.Kind != Transient && f.Kind != Garbage || tries >= maxTries || hopeless(a.err) {
				return nil, f
			}
			pause = backoff(tries)
		default:
			f = readFault(r.Op, a.resp, c.o.Now())
			throttled := f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable && f.RetryAfter > 0
			switch {
			case f.Status == http.StatusUnauthorized && renewed == "" && !upload:
				// An ended token, a revoked one, or a claims challenge
				// (learn.microsoft.com/entra/identity-platform/claims-challenge): a new one is
				// worth one try.
				renewed = strings.TrimPrefix(t.header.Get("Authorization"), "Bearer ")
				continue
			case throttled:
				f.Kind = Throttled
				throttles++
				if pause = f.RetryAfter; pause == 0 {
					pause = backoff(throttles)
				}
				if g != nil {
					g.hold(c.o.Now().Add(pause))
				}
				if throttles >= maxThrottles || !w.allows(pause) {
					f.RetryAfter = pause
					return nil, f
				}
				if g != nil {
					c.o.Logger.InfoContext(ctx, "graph: throttled", "op", r.Op, "status", f.Status, "wait", pause, "request_id", f.RequestID)
					continue // the gate makes us wait, with everybody else
				}
			case r.Once && ambiguous(f.Status, throttled):
				f.Kind = Unknown
				return nil, f
			case f.Kind == Transient:
				if tries++; tries >= maxTries {
					return nil, f
				}
				pause = max(backoff(tries), f.RetryAfter)
			default:
				return nil, f
			}
		}
		if !w.allows(pause) {
			f.RetryAfter = max(f.RetryAfter, pause)
			return nil, f
		}
		c.o.Logger.InfoContext(ctx, "graph: tried again", "op", r.Op, "status", f.Status, "wait", pause, "request_id", f.RequestID)
		if err := w.sleep(ctx, pause); err != nil {
			return nil, canceled(r.Op, err)
		}
	}
}

// prepare makes what is the same for every try.
func (c *Client) prepare(r *Request, upload bool) (*try, error) {
	p, err := c.find()
	if err != nil {
		return nil, err
	}
	t := &try{c: c, op: r.Op, once: r.Once, p: p, method: r.Method, header: http.Header{}, open: r.Body, size: r.Size}
	if t.method == "" {
		t.method = http.MethodGet
	}
	if upload {
		t.url, err = uploadTarget(p.root, r.Link)
	} else {
		t.url, err = c.target(p, r)
	}
	if err == ErrLink || err == errUpload {
		return nil, &Fault{Op: r.Op, Kind: Garbage, Err: err}
	}
	if err != nil {
		return nil, err
	}
	for k, v := range r.Header {
		t.header[http.CanonicalHeaderKey(k)] = slices.Clone(v)
	}
	t.header.Set("User-Agent", "vaguemestre")
	if !upload {
		t.header.Set("Prefer", strings.Join(append([]string{ImmutableID}, r.Prefer...), ", "))
		t.header.Set("return-client-request-id", "true")
	}
	if r.ContentType != "" {
		t.header.Set("Content-Type", r.ContentType)
	}
	if r.JSON != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(r.JSON); err != nil {
			return nil, &Fault{Op: r.Op, Kind: Invalid, Err: err}
		}
		data := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
		t.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		t.size = int64(len(data))
		t.header.Set("Content-Type", "application/json")
	}
	return t, nil
}

// bearer returns a token, another one than stale.
func (c *Client) bearer(ctx context.Context, stale string) (string, error) {
	if stale != "" {
		return c.account.refresh(ctx, stale)
	}
	return c.account.token(ctx)
}

// broken makes the fault of a try that brought no answer, or one that could not be read.
func (c *Client) broken(ctx context.Context, r *Request, a attempt) *Fault {
	var f *Fault
	if errors.As(a.err, &f) {
		return f // of the answer's body
	}
	f = &Fault{Op: r.Op, Kind: Transient, Err: a.err}
	if a.resp != nil {
		f.Kind, f.Status, f.RequestID = Garbage, a.resp.StatusCode, requestID(a.resp.Header)
		return f
	}
	switch {
	case a.local:
		f.Kind = Invalid
	case r.Once && a.handed:
		f.Kind = Unknown
	}
	if ctx.Err() != nil {
		f.Err = ctx.Err()
	}
	return f
}

// unreadable is the fault of a success of a call that must not be done twice, and nil for
// others, which may be repeated.
func (c *Client) unreadable(ctx context.Context, r *Request, resp *http.Response, err error) error {
	if r.Once {
		return &Fault{Op: r.Op, Kind: Garbage, Status: resp.StatusCode, RequestID: requestID(resp.Header), Err: err}
	}
	var e *vaguemestre.Error
	if errors.As(err, &e) && ctx.Err() != nil {
		return e
	}
	return nil
}

// hopeless tells faults of the line that another try at once cannot mend.
func hopeless(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

// backoff is the pause after the nth failure: doubled each time, half of it by chance.
func backoff(n int) time.Duration {
	d := longestPause
	if n >= 1 && n <= bits.Len64(uint64(longestPause/firstPause)) {
		d = min(d, firstPause<<(n-1))
	}
	return d/2 + mathrand.N(d/2+1)
}

// guid is a random one: RFC 9562 section 5.4.
func guid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
