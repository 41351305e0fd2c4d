package graph

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind is what a [Fault] is.
type Kind string

const (
	Invalid   Kind = "invalid"   // 400, 405, 406, 411, 415, 422, a redirect: this request is wrong; or its body could not be read
	Denied    Kind = "denied"    // 401 after renewing the token, 403
	Missing   Kind = "missing"   // 404
	Conflict  Kind = "conflict"  // 409, 412, 423
	Gone      Kind = "gone"      // 410
	TooLarge  Kind = "too_large" // 413, ErrorMessageSizeExceeded and its kin
	Throttled Kind = "throttled" // 429, or 503 with Retry-After, and it would take longer than MaxWait
	Full      Kind = "full"      // 507 and its kin: the mailbox
	Transient Kind = "transient" // 5xx, a broken line, a timeout: surely not done, or harmless to repeat
	Unknown   Kind = "unknown"   // of Once: nobody knows whether it was done
	Garbage   Kind = "garbage"   // a success whose body makes no sense, a link that leads away
)

// Fault is an answer that is no success, or none at all. Its text names what Graph said,
// quoted and cut, with the request-id, and holds no secret.
type Fault struct {
	Op         string
	Kind       Kind
	Status     int    // 0: no answer
	Code       string // Graph's: "ErrorItemNotFound"; the most specific of the nested ones that is known
	Message    string // Graph's words
	RequestID  string
	RetryAfter time.Duration
	Err        error // of the line, of the body to be sent, or what makes no sense
}

// Error gives all of it in one line.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("graph: ")
	b.WriteString(f.Op)
	switch {
	case f.Status != 0:
		fmt.Fprintf(&b, ": %d", f.Status)
		if f.Code != "" {
			b.WriteString(" " + f.Code)
		}
	case f.Err == nil:
		b.WriteString(": " + string(f.Kind))
	}
	if f.Message != "" {
		fmt.Fprintf(&b, ": the server says %q", f.Message)
	}
	if f.Err != nil {
		b.WriteString(": " + f.Err.Error())
	}
	if f.RequestID != "" {
		b.WriteString(" (request-id " + f.RequestID + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Bounds of what is read of an answer.
const (
	maxFault   = 64 << 10 // bytes of an error
	maxMessage = 300      // of Graph's words
	maxCode    = 100
	maxNested  = 10               // inner errors
	maxRetry   = time.Hour        // of Retry-After
	maxJSON    = int64(32) << 20  // bytes of a success that is read whole
	leastRetry = time.Second / 10 // of Retry-After: 0 would be no wait at all
)

// codes that name a kind whatever the status: learn.microsoft.com/graph/errors and
// learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode. Those
// that map to "" are known and change nothing; a nested one that is known is more specific.
var codes = map[string]Kind{
	"ErrorMessageSizeExceeded":                          TooLarge,
	"RequestEntityTooLarge":                             TooLarge,
	"ErrorAttachmentSizeLimitExceeded":                  TooLarge,
	"ErrorQuotaExceeded":                                Full,
	"quotaLimitReached":                                 Full,
	"ErrorExceededMessageLimit":                         Throttled,
	"ErrorItemNotFound":                                 "",
	"ErrorFolderNotFound":                               "",
	"ErrorFolderExists":                                 "",
	"ErrorAccessDenied":                                 "",
	"ErrorSendAsDenied":                                 "",
	"ErrorInvalidRecipients":                            "",
	"ErrorInvalidUser":                                  "",
	"ErrorNonExistentMailbox":                           "",
	"MailboxNotEnabledForRESTAPI":                       "",
	"ResourceNotFound":                                  "",
	"SyncStateNotFound":                                 "",
	"SyncStateInvalid":                                  "",
	"resyncRequired":                                    "",
	"InvalidAuthenticationToken":                        "",
	"InvalidInternetMessageHeader":                      "",
	"ErrorMimeContentInvalidBase64String":               "",
	"ErrorIrresolvableConflict":                         "",
	"ErrorInternalServerTransientError":                 "",
	"ApplicationThrottled":                              "",
	"TooManyRequests":                                   "",
	"activityLimitReached":                              "",
	"ErrorMailboxMoveInProgress":                        "",
	"ErrorAttachmentSizeShouldNotBeLessThanMinimumSize": "",
}

// kindOf is what a status is by itself.
func kindOf(status int) Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Denied
	case http.StatusNotFound:
		return Missing
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked:
		return Conflict
	case http.StatusGone:
		return Gone
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusTooManyRequests:
		return Throttled
	case http.StatusInsufficientStorage:
		return Full
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return Invalid
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly:
		return Transient // RFC 9110 sections 15.5.9 and 15.5.20, RFC 8470 section 5.2: not done
	}
	if status >= 500 {
		return Transient
	}
	return Invalid // 3xx too: a redirect is never followed
}

// ambiguous tells statuses after which a call may have been done all the same.
func ambiguous(status int, throttled bool) bool {
	return status >= 500 && kindOf(status) == Transient && !(status == http.StatusServiceUnavailable && throttled)
}

// readFault reads an answer that is no success, and closes it.
func readFault(op string, resp *http.Response, now time.Time) *Fault {
	defer resp.Body.Close()
	f := &Fault{Op: op, Status: resp.StatusCode, Kind: kindOf(resp.StatusCode), RequestID: requestID(resp.Header)}
	f.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), now)
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxFault)) // a part is better than nothing
	var body struct {
		Error inner `json:"error"`
	}
	// Bodies may be empty or HTML (proxies): the status says enough then. What could be read
	// of a cut one stands in body.
	_ = json.Unmarshal(data, &body)
	f.Code, f.Message = plain(string(body.Error.Code), maxCode), plain(string(body.Error.Message), maxMessage)
	in := body.Error.Inner
	for range maxNested {
		if in == nil {
			break
		}
		if _, known := codes[string(in.Code)]; known {
			f.Code = string(in.Code)
		}
		if f.RequestID == "" {
			f.RequestID = plain(string(in.RequestID), maxCode)
		}
		in = in.Inner
	}
	if k := codes[f.Code]; k != "" && resp.StatusCode < 500 {
		f.Kind = k
	}
	return f
}

// inner is an error as Graph nests them. Names of members come in any case.
type inner struct {
	Code      lenient `json:"code"`
	Message   lenient `json:"message"`
	RequestID lenient `json:"request-id"`
	Inner     *inner  `json:"innerError"`
}

// lenient is a text, or "" if it is none.
type lenient string

// UnmarshalJSON never fails.
func (l *lenient) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*l = lenient(s)
	}
	return nil
}

func requestID(h http.Header) string { return plain(h.Get("request-id"), maxCode) }

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3); 0 is none.
func retryAfter(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	if v == "" || len(v) > 64 {
		return 0
	}
	var d time.Duration
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		if !(n >= 0) {
			return 0
		}
		d = time.Duration(min(n, maxRetry.Seconds()) * float64(time.Second))
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	} else {
		return 0
	}
	return min(max(d, leastRetry), maxRetry)
}

// plain makes a stranger's text fit for an error: one line, printable, cut.
func plain(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most] + "…"
	}
	return strings.TrimSpace(s)
}
