package graphtest

import (
	"encoding/json"
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
