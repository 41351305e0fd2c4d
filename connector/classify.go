package connector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/transport"
	"github.com/vaguemestre/vaguemestre/router"
)

// stage is where in the dialogue something happened.
type stage string

const (
	atGreeting stage = "greeting"
	atHello    stage = "ehlo"
	atStartTLS stage = "starttls"
	atAuth     stage = "auth"
	atMail     stage = "mail from"
	atRcpt     stage = "rcpt to"
	atData     stage = "data"
	atContent  stage = "content" // the mail itself and the final dot
)

func (s stage) op() string { return "smtp: " + string(s) }

// before is true up to the moment when a mail of ours is concerned.
func (s stage) before() bool {
	return s == atGreeting || s == atHello || s == atStartTLS || s == atAuth
}

// rule says what a refusal means. The first that fits counts. Texts of servers are never
// looked at: they are in all languages, and are not promised to anyone.
type rule struct {
	stages string // the stages it holds for, "" is all
	code   int    // basic code, 0 is any
	enh    string // enhanced code, "" is any; "x.7.30" fits 4.7.30 and 5.7.30
	class  vaguemestre.Class
	after  time.Duration // RetryAfter
	help   string        // what to do next
}

const (
	denied   = vaguemestre.ClassAuth
	config   = vaguemestre.ClassConfig
	rejected = vaguemestre.ClassRejected
	deferred = vaguemestre.ClassDeferred
	source   = vaguemestre.ClassSource
)

var rules = []rule{
	// Microsoft: learn.microsoft.com/exchange, "Deprecation of Basic authentication" and
	// "Enable or disable authenticated client SMTP submission".
	{"", 0, "x.7.30", denied, 0, "Microsoft no longer takes a password here (basic authentication is retired): set oauth_account to an associated account, or send through an Office 365 connector"},
	{"auth", 535, "5.7.139", denied, 0, "Microsoft does not let this mailbox log in by SMTP: an administrator has to switch on \"Authenticated SMTP\" for it and lift security defaults or the policy that blocks it; or send through an Office 365 connector"},
	{"auth", 0, "4.7.12", denied, 0, "the account must change over to this way of logging in first: log in on the provider's site once"}, // RFC 4954 section 6
	{"auth", 432, "", deferred, 5 * time.Minute, "the server limits this account's connections: lower max_connections"},
	{"", 432, "", deferred, 5 * time.Minute, "the server takes fewer connections at once from this account: lower max_connections to 3 or less"},
	// Google: support.google.com/a/answer/3726730.
	{"auth", 534, "5.7.9", denied, 0, "the provider wants an app password instead of the account's own: create one in the account's security settings and enter it as password"},
	{"auth", 535, "5.7.9", denied, 0, "the provider wants an app password instead of the account's own: create one in the account's security settings and enter it as password"},
	{"auth", 534, "5.7.14", denied, 0, "the provider wants the account's owner to log in with a browser first, or an app password: do so, then try again"},
	{"auth", 534, "", denied, 0, "the server finds this way of logging in too weak: set auth to another mechanism, or use an app password"},
	{"auth", 535, "", denied, 0, "account or password is wrong, or the account may not send: check both; with two-step verification an app password is needed"},
	{"auth", 538, "", config, 0, "the server wants encryption first: set tls to implicit or starttls"},
	{"auth", 530, "", config, 0, "the server wants encryption first: set tls to implicit or starttls"},
	{"auth", 500, "", config, 0, "the server does not know this login: set auth to auto, or leave account empty if it needs none"},
	{"auth", 501, "", denied, 0, "the server does not understand the login: check account and password for odd characters, or set auth"},
	{"auth", 502, "", config, 0, "the server does not offer a login here: check port and tls, or leave account empty if it needs none"},
	{"auth", 503, "", config, 0, "the server does not offer a login here: check port and tls, or leave account empty if it needs none"},
	{"auth", 504, "", config, 0, "the server does not know this login method: set auth to auto"},
	{"auth", 454, "", source, 0, "the server cannot check logins for now: try later"},
	{"greeting,ehlo", 421, "", source, 0, "the server takes no connection for now: try later"},
	{"greeting,ehlo", 554, "", config, 0, "the server refuses this machine: its administrator has to allow this address, or another server or port is to be used"},
	{"greeting,ehlo", 550, "", config, 0, "the server refuses this machine: its administrator has to allow this address, or another server or port is to be used"},
	{"starttls", 454, "", source, 0, "the server cannot encrypt for now: try later"},
	{"mail from,rcpt to,data,content", 530, "", config, 0, "the server wants encryption or a login first: set tls, account and password"}, // RFC 3207 section 4, RFC 4954 section 6
	{"rcpt to", 550, "5.7.1", rejected, 0, "the server does not take mail for this recipient from us: check the address, and that account and password are set"},
	{"rcpt to", 553, "5.7.1", rejected, 0, "the server does not take this sender, or this recipient from us: check sender, the address, and that account and password are set"},
	{"rcpt to", 554, "5.7.1", rejected, 0, "the server does not take mail for this recipient from us: check the address, and that account and password are set"},
	{"mail from,content", 553, "", denied, 0, "the account may not use this sender: use the account's own address, or have the right to send as it granted"},
	{"", 0, "5.7.60", denied, 0, "the account may not use this sender: use the account's own address, or have the right \"Send As\" granted"},
	{"", 0, "5.2.252", denied, 0, "the account may not use this sender: use the account's own address, or have the right \"Send As\" granted"},
	{"mail from", 0, "5.7.1", denied, 0, "the account may not send, or not with this sender: check account and sender"},
	{"mail from", 0, "5.1.8", denied, 0, "the server does not take this sender: check sender, and that its domain exists"},
	{"mail from", 0, "5.1.7", denied, 0, "the server does not take this sender: check sender"},
	// support.google.com/a/answer/166852: the limit is the account's, not the recipient's.
	{"", 550, "5.4.5", deferred, 24 * time.Hour, "the account has sent as much as the provider allows in a day: try tomorrow"},
	{"mail from,content,data", 552, "", rejected, 0, "the mail is larger than the server takes, or a mailbox is full: send fewer or smaller attachments"},
	{"", 0, "5.3.4", rejected, 0, "the mail is larger than the server takes: send fewer or smaller attachments"},
	{"", 0, "5.2.3", rejected, 0, "the mail is larger than the recipient may get: send fewer or smaller attachments"},
	// QUIRK: Exchange keeps a copy among the sender's sent items, and that mailbox is full.
	{"content", 554, "5.2.2", rejected, 0, "the mailbox is full, perhaps the sender's own: make room in it"},
	{"", 0, "5.2.2", rejected, 0, "the mailbox is full: its owner has to make room"},
	{"", 0, "5.1.1", rejected, 0, "the address does not exist there: check it"},
	{"", 0, "5.1.10", rejected, 0, "the address does not exist there: check it"},
	{"rcpt to", 0, "4.5.3", deferred, 0, "too many recipients at once: the others follow"},
	{"rcpt to", 552, "", deferred, 0, "too many recipients at once, or no room for now: try later"}, // RFC 5321 section 4.5.3.1.10
	// Greylisting: a second attempt is welcome after some minutes.
	{"rcpt to", 450, "", deferred, 5 * time.Minute, "the server does not take it yet: try later"},
	{"rcpt to", 451, "", deferred, 5 * time.Minute, "the server does not take it yet: try later"},
	{"", 421, "", deferred, 0, "the server ends the session: try later"},
	{"", 452, "", deferred, 0, "the server lacks space, or takes no more for now: try later"},
}

func (r rule) fits(at stage, p reply) bool {
	if r.stages != "" {
		found := false
		for s := range strings.SplitSeq(r.stages, ",") {
			found = found || s == string(at)
		}
		if !found {
			return false
		}
	}
	if r.code != 0 && r.code != p.code {
		return false
	}
	if rest, ok := strings.CutPrefix(r.enh, "x"); ok {
		return len(p.enh) > 1 && p.enh[1:] == rest
	}
	return r.enh == "" || r.enh == p.enh
}

// explain makes the error of a refusal: class, code, what the server said, what to do.
func explain(at stage, p reply) *vaguemestre.Error {
	e := &vaguemestre.Error{Op: at.op(), Code: p.codes()}
	help := ""
	for _, r := range rules {
		if r.fits(at, p) {
			e.Class, e.RetryAfter, help = r.class, r.after, r.help
			break
		}
	}
	if e.Class == "" {
		switch temp := p.code/100 == 4; {
		case temp && at.before():
			e.Class, help = source, "the server does not take it for now: try later"
		case temp:
			e.Class, help = deferred, "the server does not take it for now: try later"
		case at == atAuth:
			e.Class, help = denied, "the server refuses the login: check account, password and auth"
		case at.before():
			e.Class, help = config, "the server refuses the session: check host, port and tls"
		default:
			e.Class, help = rejected, "the server refuses it for good: see its words"
		}
	}
	if w := p.words(); w != "" {
		e.Err = fmt.Errorf("the server says %q: %s", w, help)
	} else {
		e.Err = errors.New(help)
	}
	return e
}

// broken makes the error of a connection that fails, falls silent or talks nonsense, when
// nothing was accepted yet.
func broken(ctx context.Context, at stage, err error) *vaguemestre.Error {
	if ctx.Err() != nil {
		return canceled(at.op(), ctx.Err())
	}
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return &vaguemestre.Error{Op: at.op(), Class: e.Class, Code: e.Code, RetryAfter: e.RetryAfter, Err: e.Err}
	}
	class := source
	if !at.before() {
		class = deferred
	}
	switch {
	case transport.TimedOut(err):
		err = errors.New("the server does not answer in time: try later, or raise timeout")
	case lost(err):
		err = errors.New("the server closes the connection: try later; if that repeats, ask who runs it")
	}
	return &vaguemestre.Error{Op: at.op(), Class: class, Err: err}
}

// doubt makes the error of a mail whose fate is unknown.
func doubt(why string) *vaguemestre.Error {
	return &vaguemestre.Error{Op: atContent.op(), Class: vaguemestre.ClassInDoubt,
		Err: errors.New(why + " after the whole mail was handed over, so it may or may not be sent: look for it before sending it again")}
}

func canceled(op string, err error) *vaguemestre.Error {
	return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassCanceled, Err: err}
}

func lost(err error) bool {
	var no syscall.Errno
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.As(err, &no)
}

// stateOf is what an error of a class leaves a recipient in: what only a setting stands in
// the way of is not refused for good.
func stateOf(c vaguemestre.Class) router.State {
	switch c {
	case vaguemestre.ClassRejected:
		return router.Rejected
	case vaguemestre.ClassInDoubt:
		return router.InDoubt
	}
	return router.Deferred
}
