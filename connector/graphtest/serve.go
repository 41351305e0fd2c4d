package graphtest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxDrain is how much of a body that is too long is read, so that the answer arrives.
const maxDrain = 256 << 20

// serve does a request at the main origin.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.handle(w, r, targetOf(r.Method, r.URL.EscapedPath()))
}

// serveUpload does one at the origin of upload sessions.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	t := target{upload: true, wrong: true}
	switch r.Method {
	case "PUT", "DELETE", "GET":
		t.op, t.wrong = "upload."+strings.ToLower(r.Method), false
	}
	s.handle(w, r, t)
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request, t target) {
	if !s.begin() {
		panic(http.ErrAbortHandler)
	}
	defer s.active.Done()

	body, size, err := readBody(r)
	call := &Call{Time: s.now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(),
		Body: bytes.Clone(body[:min(len(body), keptBody)]), Size: size, Upload: t.upload, Op: t.op}
	s.log.enter(call)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has left
	}
	s.dress(w.Header(), r, t)
	out := &answer{w: w, log: &s.log, call: call, leave: func() {}}
	within := true
	if !t.entra && !t.upload {
		c, no := s.identify(r, t)
		if key := lineOf(c); key != "" && no == nil {
			out.leave, within = s.budget.enter(key, s.o.Concurrency, s.now(), s.o.RetryAfter)
			defer out.leave()
		}
	}
	rep := s.log.ask(call) // may take its time, and change what is known
	do := func(w http.ResponseWriter) {
		if t.entra {
			s.serveEntra(w, r, t, body)
			return
		}
		c, no := &request{op: t.op, upload: true}, (*refusal)(nil)
		if !t.upload {
			c, no = s.identify(r, t)
		}
		c.call, c.body, c.long = call, body, size > maxRequest
		s.graph(w, r, t, c, no)
	}
	if !within {
		rep, do = nil, s.throttled
	}
	s.play(out, r, t, rep, do)
	out.finish()
}

// graph does a call to Graph or to the upload origin, if it may be done.
func (s *Server) graph(w http.ResponseWriter, r *http.Request, t target, c *request, no *refusal) {
	if no == nil && !t.upload && t.op != "" {
		no = s.may(c, t)
	}
	if t.op == "" {
		no = unknown(t)
	}
	if no != nil {
		s.log.why(c.call, no.why)
		if no.challenge != "" {
			w.Header().Set("Www-Authenticate", no.challenge)
		}
		fail(w, no.status, no.code, no.message)
		return
	}
	if c.long && !t.upload {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			fail(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too large.")
		} else {
			fail(w, http.StatusBadRequest, "BadRequest", "The maximum request length supported is 4MB.")
		}
		return
	}
	s.mail(w, r, c)
}

// unknown is a path that is not served.
func unknown(t target) *refusal {
	switch {
	case t.bad:
		return &refusal{http.StatusBadRequest, "BadRequest", "The request URI is not valid.", "the path cannot be read", ""}
	case t.wrong:
		return &refusal{http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.", "not with this method", ""}
	case t.lost == "beta":
		return &refusal{http.StatusBadRequest, "BadRequest", "Invalid version: beta", "only v1.0 is served", ""}
	}
	return &refusal{http.StatusBadRequest, "BadRequest", "Resource not found for the segment '" + cut(t.lost) + "'.", "no such path", ""}
}

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "") }

// dress sets the header fields that every answer has.
func (s *Server) dress(h http.Header, r *http.Request, t target) {
	h.Set("Date", s.now().UTC().Format(http.TimeFormat))
	asked := r.Header.Get("client-request-id")
	if len(asked) > 64 {
		asked = ""
	}
	if t.entra {
		h.Set("X-Ms-Request-Id", newGUID())
		h.Set("Cache-Control", "no-store, no-cache")
		if asked != "" {
			h.Set("Client-Request-Id", asked)
		}
		return
	}
	id := newGUID()
	if asked == "" {
		asked = id
	}
	h.Set("Request-Id", id)
	h.Set("Client-Request-Id", asked)
	h.Set("X-Ms-Ags-Diagnostic", `{"ServerInfo":{"DataCenter":"France Central","Slice":"E","Ring":"5","ScaleUnit":"003","RoleInstance":"PA1PEPF00000001"}}`)
}

// begin counts a request in; false: the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return false
	default:
		s.active.Add(1)
		return true
	}
}

// readBody reads a body up to maxRequest; what is longer is counted and dropped.
func readBody(r *http.Request) (body []byte, size int64, err error) {
	if n := r.ContentLength; n > 0 && n <= maxRequest {
		body = make([]byte, n)
		got, err := io.ReadFull(r.Body, body)
		return body[:got], int64(got), err
	}
	if body, err = io.ReadAll(io.LimitReader(r.Body, maxRequest)); err != nil {
		return body, int64(len(body)), err
	}
	more, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain))
	return body, int64(len(body)) + more, err
}

// within does one request of a batch in the name of c: method and target ("/me/messages")
// as they stand in the batch. It is logged and scripted as a call of its own, and takes no
// place in the budget.
func (s *Server) within(c *request, method, ref string, header http.Header, body []byte) (status int, h http.Header, answer []byte) {
	w := &void{header: http.Header{}, keep: true}
	u, err := url.Parse("/v1.0/" + strings.TrimLeft(ref, "/"))
	if err != nil || len(ref) > 16<<10 {
		fail(w, http.StatusBadRequest, "BadRequest", "Invalid URL.")
		return w.status, w.header, w.body.Bytes()
	}
	r := &http.Request{Method: method, URL: u, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Host: "graph"}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	t := targetOf(method, u.EscapedPath())
	if t.op == "batch" || t.entra {
		t = target{lost: "$batch"}
	}
	inner := *c
	inner.op, inner.vars, inner.body, inner.long = t.op, t.vars, body, false
	inner.named, inner.mailbox, inner.own = c.user, nil, c.user != nil
	if t.user != "me" && t.user != "" {
		inner.named = s.person(t.user)
		inner.own = inner.named == c.user && c.user != nil
	}
	if inner.named != nil {
		inner.mailbox = inner.named.box
	}
	call := &Call{Time: s.now(), Method: method, Path: u.Path, Query: u.RawQuery, Header: r.Header.Clone(),
		Body: bytes.Clone(body[:min(len(body), keptBody)]), Size: int64(len(body)), Op: t.op}
	inner.call = call
	s.log.enter(call)
	s.dress(w.header, r, t)
	rep := s.log.ask(call)
	if rep == nil || rep.After || !rep.answers() {
		s.graph(w, r, t, &inner, nil)
	}
	if rep != nil && rep.answers() {
		w = &void{header: http.Header{}, keep: true}
		s.dress(w.header, r, t)
		if rep.RetryAfter != "" {
			w.header.Set("Retry-After", rep.RetryAfter)
		}
		s.scripted(w, t, rep)
	}
	s.log.status(call, w.status)
	return w.status, w.header, w.body.Bytes()
}
