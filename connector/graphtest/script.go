package graphtest

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// answers reports whether r has an answer of its own.
func (r *Reply) answers() bool {
	return r.Status != 0 || r.Body != nil || r.Code != "" || r.AADSTS != 0 || r.Message != ""
}

// play does a call as the script wants it: do does it and answers to where it is told.
func (s *Server) play(out *answer, r *http.Request, t target, rep *Reply, do func(http.ResponseWriter)) {
	if rep == nil {
		rep = &Reply{}
	}
	if !s.pause(r, s.o.Latency+max(0, rep.Delay)) {
		out.abort()
	}
	if rep.After && (rep.Drop || rep.Hang || rep.answers()) {
		do(&void{header: out.Header().Clone()})
	}
	switch {
	case rep.Hang:
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		out.abort()
	case rep.Drop:
		out.abort()
	}
	out.extra = maps.Clone(rep.Header)
	if rep.RetryAfter != "" {
		if out.extra == nil {
			out.extra = http.Header{}
		}
		out.extra.Set("Retry-After", rep.RetryAfter)
	}
	out.cut = rep.Cut
	if rep.answers() {
		s.scripted(out, t, rep)
	} else {
		do(out)
	}
}

// pause waits unless the client leaves or the server closes meanwhile.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-s.done:
	}
	return false
}

// scripted answers what the script says.
func (s *Server) scripted(w http.ResponseWriter, t target, rep *Reply) {
	status := rep.Status
	if status == 0 {
		status = http.StatusBadRequest
		if rep.Body != nil {
			status = http.StatusOK
		}
	}
	if status < 200 || status > 999 {
		status = http.StatusInternalServerError
	}
	switch {
	case rep.Body != nil:
		kind := "application/json; charset=utf-8"
		if bytes.HasPrefix(bytes.TrimSpace(rep.Body), []byte("<")) {
			kind = "text/html; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
		if status != http.StatusNoContent && status != http.StatusNotModified {
			w.Header().Set("Content-Length", strconv.Itoa(len(rep.Body)))
		}
		w.WriteHeader(status)
		w.Write(rep.Body)
	case status < 300:
		reply(w, status, nil)
	case t.entra:
		s.refuse(w, &entraError{status: status, word: cmp.Or(rep.Code, "invalid_grant"), code: rep.AADSTS, text: cmp.Or(rep.Message, "Scripted.")})
	default:
		fail(w, status, cmp.Or(rep.Code, usualCode[status], "UnknownError"), cmp.Or(rep.Message, "Scripted."))
	}
}

// usualCode is what Graph says most often with a status.
var usualCode = map[int]string{
	400: "BadRequest", 401: "InvalidAuthenticationToken", 403: "ErrorAccessDenied", 404: "ErrorItemNotFound",
	409: "ErrorIrresolvableConflict", 410: "SyncStateNotFound", 412: "ErrorIrresolvableConflict", 413: "RequestEntityTooLarge",
	429: "ApplicationThrottled", 500: "ErrorInternalServerTransientError", 503: "serviceNotAvailable", 507: "quotaLimitReached",
}
