package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/pop3"
)

// errPOP3 makes an error of this launcher.
func errPOP3(op string, class vaguemestre.Class, format string, args ...any) *vaguemestre.Error {
	return &vaguemestre.Error{Op: "pop3: " + op, Class: class, Err: fmt.Errorf(format, args...)}
}

// popLineError is the error of a connection that broke.
func popLineError(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return &vaguemestre.Error{Op: "pop3: " + op, Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
	}
	var e *vaguemestre.Error
	switch {
	case errors.As(err, &e):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errPOP3(op, vaguemestre.ClassSource, "the server did not answer in time; it is tried again later, and timeout can be raised: %w", err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return errPOP3(op, vaguemestre.ClassSource, "the connection was cut; it is tried again later: %w", err)
	}
	return errPOP3(op, vaguemestre.ClassSource, "%w", err)
}

// refused is the error of a command that the server refused, by its response code (RFC 2449
// section 8.1, RFC 3206 section 4): class source if nothing better is known.
func (l *POP3) refused(op string, r pop3.Reply) *vaguemestre.Error {
	e := errPOP3(op, vaguemestre.ClassSource, "the server says %s", quote(r.Text))
	if e.Code = r.Code; e.Code == "" {
		e.Code = "-ERR"
	}
	switch r.Code {
	case "IN-USE":
		e.Class, e.RetryAfter = vaguemestre.ClassBusy, time.Minute
		e.Err = fmt.Errorf("another program has the mailbox open; it is tried again later (server: %s)", quote(r.Text))
	case "LOGIN-DELAY":
		l.mu.Lock()
		e.Class, e.RetryAfter = vaguemestre.ClassBusy, l.interval()
		l.mu.Unlock()
		e.Err = fmt.Errorf("the server wants more time between two logins; it is tried again later, and min_interval can be raised (server: %s)", quote(r.Text))
	case "SYS/PERM":
		e.Class = vaguemestre.ClassConfig
		e.Err = fmt.Errorf("the server has a failure that somebody must mend: ask the mail administrator (server: %s)", quote(r.Text))
	case "AUTH":
		e.Class = vaguemestre.ClassAuth
	}
	return e
}

// loginError explains a login that was refused.
func (l *POP3) loginError(r pop3.Reply, problem string) error {
	if r.Temporary() || r.Code == "SYS/PERM" {
		return l.refused("login", r)
	}
	e := l.refused("login", r)
	e.Class = vaguemestre.ClassAuth
	said := quote(r.Text)
	if problem != "" {
		said += ", " + quote(problem)
	}
	host := strings.ToLower(l.Host)
	switch {
	case strings.HasSuffix(host, "gmail.com"), strings.HasSuffix(host, "googlemail.com"):
		e.Err = fmt.Errorf("google refused the account or password: it takes an app password "+
			"(https://myaccount.google.com/apppasswords), and POP must be on in the mailbox's settings (server: %s)", said)
	case strings.HasSuffix(host, "outlook.office365.com"), strings.HasSuffix(host, "outlook.com"):
		// Microsoft retired passwords for POP3 in 2022.
		e.Err = fmt.Errorf("microsoft takes no passwords for POP3 any more: name an associated account as oauth_account, "+
			"or use the office365 launcher (server: %s)", said)
	default:
		e.Err = fmt.Errorf("the server refused the account or password: check both; with two-factor sign-in "+
			"an app password is needed (server: %s)", said)
	}
	return e
}
