package graphtest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// jsonType is the type of Graph's successes.
const jsonType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// reply answers v as Graph does. nil is an empty answer without a type, as 202 and 204 are:
// clients fail on a typed empty one.
func reply(w http.ResponseWriter, status int, v any) {
	if v == nil {
		w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, "generalException", err.Error())
		return
	}
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// fail answers an error in Graph's form (learn.microsoft.com/graph/errors).
func fail(w http.ResponseWriter, status int, code, message string) {
	h := w.Header()
	body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": message,
		"innerError": map[string]any{"date": dateOf(h), "request-id": h.Get("request-id"),
			"client-request-id": h.Get("client-request-id")}}})
	if status == http.StatusUnauthorized && h.Get("Www-Authenticate") == "" {
		h.Set("Www-Authenticate", `Bearer realm=""`)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// dateOf is the answer's date as error bodies write it.
func dateOf(h http.Header) string {
	t, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		t = time.Time{}
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}

// answer is the way of an answer to the client. It holds the last byte back until the
// request has left the budget: a client that has an answer whole may ask again at once, and
// must not meet itself.
type answer struct {
	w     http.ResponseWriter
	log   *calls
	call  *Call
	leave func()

	extra  http.Header // set over those of the answer
	cut    int         // the answer ends after so many bytes; 0 is whole
	status int
	sent   int
	last   []byte // one byte, or none
	short  bool   // cut
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	a.log.status(a.call, status)
	maps.Copy(a.w.Header(), a.extra)
	a.w.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	n := len(p)
	if a.cut > 0 && a.sent+n > a.cut {
		p, a.short = p[:a.cut-a.sent], true
	}
	a.sent += len(p)
	if len(p) == 0 {
		return n, nil
	}
	if len(a.last) > 0 {
		if _, err := a.w.Write(a.last); err != nil {
			return 0, err
		}
	}
	a.last = append(a.last[:0], p[len(p)-1])
	if _, err := a.w.Write(p[:len(p)-1]); err != nil {
		return 0, err
	}
	return n, nil
}

// finish sends what was held back, or breaks off where it is cut.
func (a *answer) finish() {
	a.WriteHeader(http.StatusOK)
	a.leave()
	a.w.Write(a.last)
	if a.short {
		http.NewResponseController(a.w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// abort drops the line without an answer.
func (a *answer) abort() { panic(http.ErrAbortHandler) }

// void takes an answer that nobody gets, or keeps it.
type void struct {
	header http.Header
	keep   bool
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (v *void) Header() http.Header { return v.header }

// WriteHeader implements http.ResponseWriter.
func (v *void) WriteHeader(status int) {
	if v.status == 0 {
		v.status = status
	}
}

// Write implements http.ResponseWriter.
func (v *void) Write(p []byte) (int, error) {
	v.WriteHeader(http.StatusOK)
	if v.keep {
		v.body.Write(p)
	}
	return len(p), nil
}
