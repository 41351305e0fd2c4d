package graphtest

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// maxBatch is the number of requests in one batch (json-batching).
const maxBatch = 20

// batchInput is one request of a batch.
type batchInput struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batch does several requests, one after the other.
func (s *Server) batch(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	var in struct {
		Requests []batchInput `json:"requests"`
	}
	if f := decode(c.body, &in); f != nil {
		return 0, nil, f
	}
	if n := len(in.Requests); n == 0 || n > maxBatch {
		return 0, nil, bad("BadRequest", "Number of batch request steps must be from 1 to %d.", maxBatch)
	}
	status := map[string]int{}
	for _, q := range in.Requests {
		if _, twice := status[q.ID]; twice || q.ID == "" {
			return 0, nil, bad("BadRequest", "Each batch request step needs an id of its own.")
		}
		if slices.ContainsFunc(q.DependsOn, func(id string) bool { _, ok := status[id]; return !ok }) {
			return 0, nil, bad("BadRequest", "A batch request step depends on one that does not stand before it.")
		}
		status[q.ID] = 0
	}
	answers := make([]object, 0, len(in.Requests))
	for _, q := range in.Requests {
		a := s.step(c, &q, status)
		status[q.ID] = a["status"].(int)
		answers = append(answers, a)
	}
	return http.StatusOK, object{"responses": answers}, nil
}

// step does one request of a batch; status is what became of those before it.
func (s *Server) step(c *request, q *batchInput, status map[string]int) object {
	if slices.ContainsFunc(q.DependsOn, func(id string) bool { return status[id] >= 400 }) {
		return object{"id": q.ID, "status": http.StatusFailedDependency, "body": object{"error": object{"code": "FailedDependency", "message": "A request on which this one depends has failed."}}}
	}
	header := http.Header{}
	for name, value := range q.Headers {
		header.Set(name, value)
	}
	// A body that is no JSON comes as a string of base64.
	body := []byte(q.Body)
	if media, _, _ := mime.ParseMediaType(header.Get("Content-Type")); len(body) > 0 && media != "application/json" {
		var text string
		if json.Unmarshal(body, &text) == nil {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil && media != "text/plain" {
				body = raw
			} else {
				body = []byte(text)
			}
		}
	}
	code, h, answer := s.within(c, strings.ToUpper(q.Method), q.URL, header, body)
	headers := object{}
	for _, name := range []string{"Content-Type", "Retry-After", "Location", "Preference-Applied", "Request-Id"} {
		if v := h.Get(name); v != "" {
			headers[name] = v
		}
	}
	out := object{"id": q.ID, "status": code, "headers": headers}
	switch {
	case len(answer) == 0:
	case json.Valid(answer):
		out["body"] = json.RawMessage(answer)
	default:
		out["body"] = base64.StdEncoding.EncodeToString(answer)
	}
	return out
}
