package vaguemestre

import (
	"errors"
	"strings"
	"time"
)

// Class says what kind of failure an [Error] is, and with it who can mend it.
// Programs act upon the class, never upon the message.
type Class string

const (
	ClassConfig   Class = "config"   // a setting is wrong or missing; retrying the same way cannot help
	ClassAuth     Class = "auth"     // the server refused the credentials, or the account lacks a right
	ClassSource   Class = "source"   // the source cannot be reached or misbehaves; spends no message's attempts
	ClassSink     Class = "sink"     // the destination cannot be reached, is full or refuses for now; spends no message's attempts
	ClassPoison   Class = "poison"   // this one message or document is the cause; the others go on
	ClassRejected Class = "rejected" // refused for good; sending the same again is refused again
	ClassDeferred Class = "deferred" // refused for now; the same may be accepted later
	ClassInDoubt  Class = "in_doubt" // nobody knows whether it was accepted; never retried blindly
	ClassBusy     Class = "busy"     // somebody else holds what is needed
	ClassCanceled Class = "canceled" // the caller's context ended
)

// Error is the one error type of this module. Reach it with [errors.As].
//
// Its text is lower case, begins with Op and says what to do next where that is
// known. It never holds a secret; what a stranger wrote stands in it quoted and cut.
type Error struct {
	Op         string        // what was being done: "smtp: rcpt to", "imap: login"
	Class      Class         // never empty
	Code       string        // the peer's own code where there is one: "550 5.7.1", "AUTHENTICATIONFAILED"
	RetryAfter time.Duration // the peer's wish; 0 means it named none
	Err        error         // the cause; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Code != "" {
		b.WriteString(": ")
		b.WriteString(e.Code)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	} else {
		b.WriteString(": ")
		b.WriteString(string(e.Class))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrBusy) true for every error of class busy.
func (e *Error) Is(target error) bool { return target == ErrBusy && e.Class == ClassBusy }

// Temporary reports whether the same call may succeed later with nothing changed.
// An error of class in_doubt is not temporary: it must be resolved first.
func (e *Error) Temporary() bool {
	switch e.Class {
	case ClassSource, ClassSink, ClassDeferred, ClassBusy:
		return true
	}
	return false
}

// ErrBusy is what every error of [ClassBusy] matches with [errors.Is]: another
// goroutine or process holds the source. Nothing was done.
var ErrBusy = errors.New("busy: another run holds it")

// ClassOf returns the class of err, or "" when err holds no [Error].
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return ""
}
