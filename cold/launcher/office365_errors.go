package launcher

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// errOffice makes an error of this launcher.
func errOffice(op string, class vaguemestre.Class, format string, args ...any) *vaguemestre.Error {
	return &vaguemestre.Error{Op: "office365: " + op, Class: class, Err: fmt.Errorf(format, args...)}
}

// graphError turns what package graph says into an error of the source as a whole.
func graphError(op string, err error) *vaguemestre.Error {
	var f *graph.Fault
	var e *vaguemestre.Error
	isFault := errors.As(err, &f)
	if isFault && !errors.As(f.Err, &e) {
		e := errOffice(op, vaguemestre.ClassSource, "%w", f)
		e.Code, e.RetryAfter = f.Code, f.RetryAfter
		if e.Code == "" && f.Status != 0 {
			e.Code = strconv.Itoa(f.Status)
		}
		if f.Kind == graph.Denied {
			e.Class = vaguemestre.ClassAuth
		}
		return e
	}
	if e == nil && !errors.As(err, &e) {
		return errOffice(op, vaguemestre.ClassSource, "%w", err)
	}
	out := errOffice(op, e.Class, "%w", err)
	out.RetryAfter = e.RetryAfter
	if out.Class == vaguemestre.ClassDeferred { // who issues tokens cannot be reached
		out.Class = vaguemestre.ClassSource
	}
	return out
}

// kindOf is the kind of a fault; "" if err is none, or one of the account.
func kindOf(err error) graph.Kind {
	var f *graph.Fault
	if errors.As(err, &f) && vaguemestre.ClassOf(f.Err) == "" {
		return f.Kind
	}
	return ""
}

// noMailbox tells whether a fault says that the mailbox is missing and not what lies in it.
// QUIRK: the first two alternate for the same account, also in the minutes after its
// licence was assigned (microsoft-graph-docs issue 4341).
func noMailbox(err error) bool {
	var f *graph.Fault
	if !errors.As(err, &f) || f.Kind != graph.Missing {
		return false
	}
	switch f.Code {
	case "MailboxNotEnabledForRESTAPI", "ResourceNotFound", "ErrorInvalidUser", "Request_ResourceNotFound", "ErrorNonExistentMailbox":
		return true
	}
	return false
}

// denied is graphError that says of a refusal what is missing and who grants it.
func (s *graphSession) denied(op string, err error) error {
	e := graphError(op, err)
	if kindOf(err) != graph.Denied {
		return e
	}
	var f *graph.Fault
	errors.As(err, &f)
	switch {
	case f.Status == 401:
		e.Err = fmt.Errorf("microsoft takes the token of the account %s no more: associate it again: %w", quote(s.account.Name()), f)
	case isApplication(s.account):
		e.Err = fmt.Errorf("the application may not do this: it needs the permission Mail.ReadWrite with the consent of an "+
			"administrator, and no application access policy of Exchange may keep it from the mailbox %s: %w", quote(s.address), f)
	case s.address != "":
		e.Err = fmt.Errorf("the account %s may not do this in the mailbox %s: an administrator of Exchange grants it Full Access "+
			"to that mailbox, and the account is associated again with the role shared (Mail.ReadWrite.Shared): %w",
			quote(s.account.Name()), quote(s.address), f)
	default:
		e.Err = fmt.Errorf("the account %s may not do this: associate it again with the role collect (Mail.ReadWrite): %w",
			quote(s.account.Name()), f)
	}
	return e
}

// ended makes the session fail from now on if ctx ended, and returns the error of the call.
func (s *graphSession) ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	e := &vaguemestre.Error{Op: "office365", Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
	s.over = errOffice("session", vaguemestre.ClassSource, "an earlier call was canceled: connect again")
	return e
}

// ready fails a call on a session that is over.
func (s *graphSession) ready(ctx context.Context) error {
	if s.over != nil {
		return s.over
	}
	return s.ended(ctx, nil)
}
