package graphtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// entra is what the authority keeps. Its lock guards all of it, the records too.
type entra struct {
	mu      sync.Mutex
	devices map[string]*device // by device code
	codes   map[string]*authorization
	tokens  map[string]*accessToken
	refresh map[string]*refreshToken
	used    map[string]time.Time // ids of assertions, until they end
}

// grant is what a person has granted to an application.
type grant struct {
	app     *App
	person  *person
	tenant  string  // as it stood in the path, in lower case
	asked   []scope // in the flow
	granted []scope
	dead    int // AADSTS code; 0 is alive
}

type refreshToken struct {
	grant   *grant
	expires time.Time
	used    bool
}

// accessToken is what an access token stands for. It is not changed, but for the flags,
// which [entra.access] reads within the lock.
type accessToken struct {
	app      *App
	person   *person // nil: of the application itself
	grant    *grant  // nil: none
	resource string
	names    []string // scopes, or permissions of an application, short
	expires  time.Time
	expired  bool // by ExpireTokens
	dead     bool
}

// refreshLife is how long an unused refresh token lives
// (learn.microsoft.com/entra/identity-platform/refresh-tokens).
const refreshLife = 90 * 24 * time.Hour

// access finds an access token; the copy is the caller's.
func (e *entra) access(value string) *accessToken {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := e.tokens[value]
	if k == nil {
		return nil
	}
	copied := *k
	return &copied
}

// opaque returns a random token, long as those of Entra are, of letters that survive every
// encoding.
func opaque(prefix string, n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

func put[V any](m *map[string]V, k string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[k] = v
}

// serveEntra does a request to the authority.
func (s *Server) serveEntra(w http.ResponseWriter, r *http.Request, t target, body []byte) {
	if t.tenant != "" && !s.knowsTenant(t.tenant) {
		s.refuse(w, entraFault(http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+cut(t.tenant)+"' not found."))
		return
	}
	if t.op == "devicecode" || t.op == "token" {
		if r.Method != http.MethodPost {
			s.refuse(w, entraFault(http.StatusBadRequest, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a "+cut(r.Method)+" request."))
			return
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/x-www-form-urlencoded") {
			s.refuse(w, missing("grant_type"))
			return
		}
		var answer any
		var no *entraError
		if t.op == "devicecode" {
			answer, no = s.deviceCode(r, t.tenant, form)
		} else {
			answer, no = s.token(r, t.tenant, form)
		}
		if no != nil {
			s.refuse(w, no)
			return
		}
		answerJSON(w, http.StatusOK, answer)
		return
	}
	switch t.op {
	case "authorize":
		s.authorizePage(w, r, t.tenant, body)
	case "devicelogin":
		s.devicePage(w, r, body)
	case "discovery":
		answerJSON(w, http.StatusOK, s.discovery(t.tenant))
	case "instance":
		answerJSON(w, http.StatusOK, s.instance(t.tenant))
	case "keys":
		answerJSON(w, http.StatusOK, keySet())
	}
}

// knowsTenant reports whether that may stand in the path: the tenant's id, a domain of its
// users, or one of the names for any tenant.
func (s *Server) knowsTenant(name string) bool {
	name = strings.ToLower(name)
	if anyTenant(name) || strings.EqualFold(name, s.Tenant) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for address := range s.people {
		if strings.HasSuffix(address, "@"+name) {
			return true
		}
	}
	return false
}

func anyTenant(name string) bool {
	name = strings.ToLower(name)
	return name == "common" || name == "organizations" || name == "consumers"
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	b, _ := json.Marshal(v)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b)
}

// entraError is a refusal in Entra's form.
type entraError struct {
	status    int
	word, sub string
	code      int
	text      string
}

func entraFault(status int, word string, code int, text string) *entraError {
	return &entraError{status: status, word: word, code: code, text: text}
}

func missing(parameter string) *entraError {
	return entraFault(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: '"+parameter+"'.")
}

func badGrant(code int, text string) *entraError {
	return entraFault(http.StatusBadRequest, "invalid_grant", code, text)
}

// refuse answers an error with all its members
// (learn.microsoft.com/entra/identity-platform/reference-error-codes).
func (s *Server) refuse(w http.ResponseWriter, e *entraError) {
	stamp := s.now().UTC().Format("2006-01-02 15:04:05Z")
	trace, correlation := newGUID(), newGUID()
	text := e.text
	if e.code != 0 {
		text = fmt.Sprintf("AADSTS%d: %s", e.code, text)
	}
	body := map[string]any{"error": e.word,
		"error_description": fmt.Sprintf("%s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s", text, trace, correlation, stamp),
		"timestamp":         stamp, "trace_id": trace, "correlation_id": correlation}
	if e.code != 0 {
		body["error_codes"] = []int{e.code}
		body["error_uri"] = fmt.Sprintf("%s/error?code=%d", s.URL, e.code)
	}
	if e.sub != "" {
		body["suberror"] = e.sub
	}
	answerJSON(w, e.status, body)
}
