package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/vaguemestre/vaguemestre"
)

// errIMAP makes an error of this package.
func errIMAP(op string, class vaguemestre.Class, format string, args ...any) *vaguemestre.Error {
	return &vaguemestre.Error{Op: "imap: " + op, Class: class, Err: fmt.Errorf(format, args...)}
}

// lineError is the error of a connection that broke.
func lineError(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return &vaguemestre.Error{Op: "imap: " + op, Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
	}
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return err
	}
	var bye *byeError
	switch {
	case errors.As(err, &bye):
		return serverError(op, answer{status: "BYE", text: bye.text})
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errIMAP(op, vaguemestre.ClassSource, "the server did not answer in time; it is tried again later, and timeout can be raised: %w", err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return errIMAP(op, vaguemestre.ClassSource, "the connection was cut; it is tried again later: %w", err)
	}
	return errIMAP(op, vaguemestre.ClassSource, "%w", err)
}

// backoff finds how long Microsoft wants to be left alone.
var backoff = regexp.MustCompile(`(?i)backoff time:? *(\d{1,9})`)

// temporary tells whether a refusal may pass by itself, by its code (RFC 5530 section 3)
// or, where servers send none, by the words that the large ones are known for.
func temporary(a answer) (bool, time.Duration) {
	switch a.codeWord() {
	case "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA":
		return true, 0
	}
	low := strings.ToLower(a.text)
	// QUIRK: Exchange Online: "BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds".
	if strings.Contains(low, "throttl") || strings.Contains(low, "too many simultaneous connections") ||
		strings.Contains(low, "server busy") || strings.Contains(low, "try again later") {
		if m := backoff.FindStringSubmatch(a.text); m != nil {
			ms, _ := strconv.Atoi(m[1])
			return true, time.Duration(ms) * time.Millisecond
		}
		return true, 0
	}
	// QUIRK: Exchange Online answers so after a successful login, when it throttles, when
	// the mailbox moves, and when the account may not open it.
	return strings.Contains(low, "authenticated but not connected"), 0
}

func isTemporary(a answer) bool { yes, _ := temporary(a); return yes }

// serverError is the error of a command that the server refused: class source if it may
// pass by itself or nothing better is known.
func serverError(op string, a answer) *vaguemestre.Error {
	e := errIMAP(op, vaguemestre.ClassSource, "the server says %s", quote(a.text))
	e.Code = a.status
	if w := a.codeWord(); w != "" {
		e.Code = w
	}
	if yes, wait := temporary(a); yes {
		e.RetryAfter = wait
		if strings.Contains(strings.ToLower(a.text), "authenticated but not connected") {
			e.Err = fmt.Errorf("the server says %s: it is tried again later; if it stays so, the account may not open this mailbox", quote(a.text))
		}
		return e
	}
	switch a.codeWord() {
	case "NOPERM", "PRIVACYREQUIRED":
		e.Class = vaguemestre.ClassAuth
		e.Err = fmt.Errorf("the account may not do this: %s", quote(a.text))
	case "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED":
		e.Class = vaguemestre.ClassAuth
	}
	return e
}

// loginError explains a login that was refused.
func (l *IMAP) loginError(a answer, problem string) error {
	if yes, wait := temporary(a); yes {
		e := serverError("login", a)
		e.RetryAfter = wait
		return e
	}
	e := errIMAP("login", vaguemestre.ClassAuth, "")
	e.Code = a.codeWord()
	if e.Code == "" {
		e.Code = a.status
	}
	said := quote(a.text)
	if problem != "" {
		said += ", " + quote(problem)
	}
	host, low := strings.ToLower(l.Host), strings.ToLower(a.text)
	gmail := strings.HasSuffix(host, "gmail.com") || strings.HasSuffix(host, "googlemail.com")
	switch {
	case gmail && (strings.Contains(low, "application-specific password") || strings.Contains(low, "app password")):
		e.Err = fmt.Errorf("google wants an app password here: turn on 2-step verification for this account, "+
			"make one at https://myaccount.google.com/apppasswords and enter it as password (server: %s)", said)
	case gmail:
		e.Err = fmt.Errorf("google refused the account or password: it takes an app password "+
			"(https://myaccount.google.com/apppasswords), not that of the account (server: %s)", said)
	case strings.HasSuffix(host, "outlook.office365.com") || strings.HasSuffix(host, "outlook.com"):
		// Microsoft retired passwords for IMAP in 2022.
		e.Err = fmt.Errorf("microsoft takes no passwords for IMAP any more: name an associated account as oauth_account, "+
			"or use the office365 launcher (server: %s)", said)
	case a.codeWord() == "EXPIRED":
		e.Err = fmt.Errorf("the password has expired: renew it and enter the new one (server: %s)", said)
	case a.codeWord() == "AUTHORIZATIONFAILED":
		e.Err = fmt.Errorf("the password is right but the account may not open this mailbox: ask the mail administrator (server: %s)", said)
	case strings.Contains(low, "web login required") || strings.Contains(low, "via your web browser"):
		e.Err = fmt.Errorf("the provider wants the account's owner to sign in with a browser first (server: %s)", said)
	default:
		e.Err = fmt.Errorf("the server refused the account or password: check both; with two-factor sign-in "+
			"an app password is needed (server: %s)", said)
	}
	return e
}

// libraryError turns an error of the library into an answer; ok is false when the
// connection broke.
func libraryError(err error) (answer, bool) {
	var e *imap.Error
	if errors.As(err, &e) {
		return answer{status: string(e.Type), code: string(e.Code), text: e.Text}, true
	}
	return answer{}, false
}
