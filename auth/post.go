package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// QUIRK: some gateways put it before JSON, which RFC 8259 section 8.1 lets a reader ignore.
var byteOrderMark = []byte("\xef\xbb\xbf")

// maxAnswer bounds the body of an answer. Tokens reach some kB.
const maxAnswer = 1 << 20

// post sends a form to a token or device endpoint, bounded in time and size, and reads the
// JSON into out. What proves the client stands in the form, never in a header. Errors:
// *answerError for whatever was answered, else a fault of the line; neither holds a value
// of the form.
func (c *client) post(ctx context.Context, endpoint string, form url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err // a *url.Error: the endpoint's URL and the reason
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("the answer ends too early: %w", err)
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	refused := &answerError{Status: res.StatusCode, RetryAfter: c.retryAfter(res.Header.Get("Retry-After"))}
	// QUIRK: proxies and portals answer with a page and any status, 200 too, so that only
	// JSON counts.
	var members map[string]json.RawMessage
	if len(body) > maxAnswer || json.Unmarshal(body, &members) != nil || members == nil {
		return refused
	}
	// QUIRK: some providers refuse with status 200 (GitHub).
	if refused.read(members, form); res.StatusCode != http.StatusOK || refused.Word != "" {
		return refused
	}
	if err := json.Unmarshal(body, out); err != nil {
		return errors.New("the answer is not what RFC 6749 section 5.1 says") // the cause could quote a token
	}
	return nil
}

// read takes the members of an error answer as far as they are what they should be.
func (e *answerError) read(m map[string]json.RawMessage, form url.Values) {
	text := func(key string) string {
		var s string
		_ = json.Unmarshal(m[key], &s) // something else is nothing
		return scrub(s, form)
	}
	e.Word, e.Trace = word(text("error")), word(text("trace_id"))
	e.Description = cut(text("error_description"))
	var codes []json.RawMessage
	_ = json.Unmarshal(m["error_codes"], &codes)
	for _, c := range codes[:min(len(codes), 10)] {
		if n, err := strconv.Atoi(strings.Trim(string(c), `"`)); err == nil {
			e.Codes = append(e.Codes, n)
		}
	}
}

// scrub masks the secrets of the form that a server may repeat in its text.
func scrub(s string, form url.Values) string {
	for key, values := range form {
		switch key {
		case "grant_type", "client_id", "scope", "redirect_uri", "client_assertion_type":
			continue
		}
		for _, v := range values {
			if len(v) >= 4 {
				s = strings.ReplaceAll(s, v, "•••")
			}
		}
	}
	return s
}

// word lets through what is a word for programs, as all error words of the RFCs and all
// trace ids are; anything else is quoted.
func word(s string) string {
	odd := strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r))
	})
	if odd || len(s) > 100 {
		return strconv.Quote(cut(s))
	}
	return s
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110 section 10.2.3).
func (c *client) retryAfter(s string) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		d = at.Sub(c.now())
	}
	return min(max(d, 0), 24*time.Hour)
}

// redeem posts a form to the token endpoint and reads the tokens that come back. Errors
// are those of post.
func (c *client) redeem(ctx context.Context, tokenURL string, form url.Values) (*answer, error) {
	var in struct {
		Access  string          `json:"access_token"`
		Refresh string          `json:"refresh_token"`
		ID      string          `json:"id_token"`
		Type    string          `json:"token_type"`
		Scope   words           `json:"scope"`
		Expires json.RawMessage `json:"expires_in"`
	}
	asked := c.now() // the life of a token begins before its answer is here
	if err := c.post(ctx, tokenURL, form, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Access == "":
		return nil, errors.New("the answer has no access token")
	case !printable(in.Access):
		return nil, errors.New("the answer has a token with characters that no header can carry")
	case in.Type != "" && !strings.EqualFold(in.Type, "Bearer"): // RFC 6749 section 7.1
		return nil, fmt.Errorf("the provider gives tokens of type %q, only Bearer is known", cut(in.Type))
	}
	a := &answer{AccessToken: in.Access, RefreshToken: in.Refresh, IDToken: in.ID, Scope: string(in.Scope)}
	// QUIRK: a string at old endpoints of Entra; absent is allowed (RFC 6749 section 5.1).
	if n, err := strconv.ParseFloat(strings.Trim(string(in.Expires), `"`), 64); err == nil && n > 0 {
		a.Expires = asked.Add(time.Duration(min(n, 10*365*24*3600)) * time.Second).Round(0) // a machine that sleeps stops the monotonic clock
	}
	return a, nil
}

// words is a text of words. QUIRK: some providers give scopes as a list; what is neither
// counts as absent, since the tokens beside it cannot be had twice.
type words string

func (w *words) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, (*string)(w)) != nil && json.Unmarshal(b, &list) == nil {
		*w = words(strings.Join(list, " "))
	}
	return nil
}

// printable reports whether an access token can stand in a header and a SASL message (RFC
// 6750 section 2.1, RFC 7628 section 3.1). A refresh token stands in forms alone.
func printable(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
