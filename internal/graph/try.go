package graph

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// errSilence is why a try was given up.
var errSilence = errors.New("no answer within the timeout: it is tried again later, and timeout can be raised")

// try sends one request once.
type try struct {
	c      *Client
	op     string
	once   bool
	p      *place
	method string
	url    *url.URL
	header http.Header
	open   func() (io.ReadCloser, error) // nil: no body
	size   int64
}

// attempt is how it went.
type attempt struct {
	resp   *http.Response // its body ends the watch when it is closed
	err    error          // of the line, or of the body
	local  bool           // err is of the body
	handed bool           // the far side may have all of it
}

func (t *try) send(ctx context.Context) attempt {
	w := watchdog(ctx, t.c.o.Timeout)
	var headers atomic.Bool
	trace := &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { w.touch() },
		WroteHeaders: func() { headers.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { w.touch() },
	}
	req := (&http.Request{Method: t.method, URL: t.url, Host: t.url.Host, Header: t.header.Clone()}).
		WithContext(httptrace.WithClientTrace(w.ctx, trace))
	var sent bodies
	if t.open != nil && t.size > 0 { // a body of size 0 would be sent in chunks
		rc, err := t.open()
		if err != nil {
			w.end()
			return attempt{err: err, local: true}
		}
		req.Body, req.ContentLength = sent.add(rc, t.size, w), t.size
		// The transport asks for another one only when nothing of the first went out.
		req.GetBody = func() (io.ReadCloser, error) {
			rc, err := t.open()
			if err != nil {
				return nil, err
			}
			return sent.add(rc, t.size, w), nil
		}
	}
	resp, err := t.p.http.Do(req)
	whole, broken := sent.state()
	a := attempt{handed: headers.Load() && whole}
	if err != nil {
		a.err = w.cause(bare(err))
		w.end()
		sent.close()
		if broken != nil && ctx.Err() == nil {
			a.err, a.local = broken, true
		}
		return a
	}
	w.answered()
	resp.Body = &answer{body: resp.Body, sent: &sent, w: w, t: t}
	a.resp = resp
	return a
}

// bare takes the URL off an error: an uploadUrl is a secret.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// bodies are what went out in one try; the transport may open a second one.
type bodies struct {
	mu   sync.Mutex
	list []*outgoing
}

func (b *bodies) add(rc io.ReadCloser, size int64, w *watch) io.ReadCloser {
	o := &outgoing{rc: rc, left: size, w: w}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, o)
	return o
}

// state tells whether one of them went out to its end, and what is wrong with one of them.
func (b *bodies) state() (whole bool, broken error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	whole = len(b.list) == 0
	for _, o := range b.list {
		o.mu.Lock()
		whole = whole || o.left <= 0
		if broken == nil {
			broken = o.err
		}
		o.mu.Unlock()
	}
	return whole, broken
}

// close closes them: the transport does so too, but may take its time (net/http.RoundTripper).
func (b *bodies) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.list {
		o.Close()
	}
}

// outgoing is a body as the transport reads it, of a known size.
type outgoing struct {
	rc io.ReadCloser
	w  *watch

	mu   sync.Mutex
	left int64
	err  error

	once sync.Once
}

var errLonger = errors.New("the content has more bytes than were announced: it changed meanwhile")

// Read gives the last bytes only when it has seen that none follow: what changed meanwhile
// must not go out as if it were whole.
func (o *outgoing) Read(p []byte) (int, error) {
	n, err := o.rc.Read(p)
	o.w.touch()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	left := o.left - int64(n)
	if left == 0 && err == nil {
		var more [1]byte
		for err == nil && left == 0 {
			var k int
			k, err = o.rc.Read(more[:])
			left -= int64(k)
		}
	}
	switch {
	case left < 0:
		err = errLonger
	case err == io.EOF && left > 0:
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		o.err = err
		return 0, err
	}
	o.left = left
	return n, err
}

// Close may be called while Read runs.
func (o *outgoing) Close() error {
	o.once.Do(func() { o.rc.Close() })
	return nil
}

// watch ends a try that makes no progress.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	outer  context.Context
	d      time.Duration

	mu   sync.Mutex
	t    *time.Timer
	done bool // the answer came: what still happens to the request counts no more
}

func watchdog(ctx context.Context, d time.Duration) *watch {
	w := &watch{outer: ctx, d: d}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.t = time.AfterFunc(d, func() { w.cancel(errSilence) })
	return w
}

// touch notes progress of the request.
func (w *watch) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.t.Reset(w.d)
	}
}

// answered ends the watch over the request.
func (w *watch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	w.t.Stop()
}

// end ends the watch and the try.
func (w *watch) end() {
	w.answered()
	w.cancel(nil)
}

// cause says why a try failed.
func (w *watch) cause(err error) error {
	if w.outer.Err() == nil && context.Cause(w.ctx) == errSilence {
		return errSilence
	}
	return err
}

// answer is the body of an answer: it may not fall silent, and gives its place back when it
// is closed.
type answer struct {
	body  io.ReadCloser
	sent  *bodies
	w     *watch
	t     *try
	leave func() // may be nil
	resp  *http.Response
	once  sync.Once
}

func (a *answer) Read(p []byte) (int, error) {
	silence := time.AfterFunc(a.w.d, func() { a.w.cancel(errSilence) })
	n, err := a.body.Read(p)
	silence.Stop()
	if err == nil || err == io.EOF {
		return n, err
	}
	if a.w.outer.Err() != nil {
		return n, canceled(a.t.op, a.w.outer.Err())
	}
	f := &Fault{Op: a.t.op, Kind: Transient, Err: a.w.cause(err)}
	if a.resp != nil {
		f.Status, f.RequestID = a.resp.StatusCode, requestID(a.resp.Header)
	}
	return n, f
}

func (a *answer) Close() error {
	a.once.Do(func() {
		a.w.end() // a body that was not read to its end takes its connection with it
		a.body.Close()
		a.sent.close()
		if a.leave != nil {
			a.leave()
		}
	})
	return nil
}

func canceled(op string, err error) *vaguemestre.Error {
	return &vaguemestre.Error{Op: "graph: " + op, Class: vaguemestre.ClassCanceled, Err: err}
}
