package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// told is an error whose text says what to do; its cause stays within reach.
type told struct {
	text  string
	cause error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.cause }

// explain makes the error of a mail that was not accepted.
func (d *delivery) explain(err error) *vaguemestre.Error {
	e := explainGraph(opSend, err, d.who)
	var big int64
	for _, f := range d.l.files {
		big += f.size
	}
	if f := faultOf(err); f != nil && f.Kind == graph.TooLarge {
		e.Err = &told{fmt.Sprintf("%s (its attachments have %d bytes)", e.Err, big), err}
	}
	var r *readError
	if errors.As(err, &r) {
		e.Class = vaguemestre.ClassPoison
		if !errors.As(err, new(*vaguemestre.Error)) {
			e.Err = &told{r.Error() + "; nothing was sent", err}
		}
	}
	return e
}

// explainGraph gives an error of Graph, or of the account, its class and a sentence that says
// what to do and who.
func explainGraph(op string, err error, who identity) *vaguemestre.Error {
	f := faultOf(err)
	if f == nil {
		var e *vaguemestre.Error
		switch {
		case errors.As(err, &e):
			return &vaguemestre.Error{Op: op, Class: e.Class, Code: e.Code, RetryAfter: e.RetryAfter, Err: err}
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return canceled(op, err)
		}
		return &vaguemestre.Error{Op: op, Class: deferred, Err: err}
	}
	class, help := meaning(f, who)
	out := &vaguemestre.Error{Op: op, Class: class, RetryAfter: f.RetryAfter}
	if f.Status != 0 {
		out.Code = strconv.Itoa(f.Status)
		if f.Code != "" {
			out.Code += " " + f.Code
		}
	}
	text := f.Op + ": " + help
	switch {
	case f.Message != "":
		text = fmt.Sprintf("%s: the server says %q: %s", f.Op, f.Message, help)
	case f.Err != nil:
		text = fmt.Sprintf("%s: %v: %s", f.Op, f.Err, help)
	}
	if f.RequestID != "" {
		text += " (request-id " + f.RequestID + ")"
	}
	out.Err = &told{text, err}
	return out
}

// meaning is the class of a fault, and what to do. Words of Graph are not looked at, codes
// are (learn.microsoft.com/graph/errors).
func meaning(f *graph.Fault, who identity) (vaguemestre.Class, string) {
	box := "the mailbox of the account"
	if who.mailbox != "" {
		box = "the mailbox " + who.mailbox
	}
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(f, &cert):
		return config, "the server's certificate is not trusted: whoever runs the network may have to give the file of its authority (ca_file of the account's provider)"
	case f.Code == "ErrorSendAsDenied":
		return denied, "the account may not send in the name of this sender: in Exchange an administrator has to give it the right \"Send As\" (or \"Send on Behalf\") for that address"
	case f.Code == "MailboxNotEnabledForRESTAPI", f.Code == "ResourceNotFound", f.Code == "ErrorInvalidUser",
		f.Code == "Request_ResourceNotFound", f.Code == "ErrorNonExistentMailbox":
		return config, box + " cannot be used: it does not exist, has no Exchange Online licence, or lies on a server of the organisation's own; an administrator can see which (a new licence takes some minutes)"
	case f.Code == "ErrorInvalidRecipients":
		return rejected, "an address among the recipients is not taken: check them"
	}
	switch f.Kind {
	case graph.Unknown:
		return vaguemestre.ClassInDoubt, "nobody knows whether the mail went out, and it was not found: look for it in Sent Items before sending it again"
	case graph.Throttled:
		return deferred, "Microsoft 365 wants to be left alone for a while: try later"
	case graph.Denied:
		if f.Status == 401 {
			return denied, "the account's token is not taken: associate the account again"
		}
		return denied, permission(who)
	case graph.TooLarge:
		return rejected, "the mail is larger than the organisation allows (35 MB by default): send fewer or smaller attachments, or have an administrator raise the limit of the mailbox"
	case graph.Full:
		// Deferred: it is the sender's own mailbox that is full, and as soon as somebody made
		// room in it the same mail is taken.
		return deferred, box + " is full, so that nothing can be sent from it: its owner has to make room, then the mail can go out"
	case graph.Invalid:
		switch {
		case f.Status == 0:
			return vaguemestre.ClassPoison, "nothing was sent"
		case f.Status/100 == 3 || f.Status == 405 || f.Status == 501:
			return config, "this is no answer of Microsoft Graph: whoever runs the network has to see whether a proxy is in the way, or graph_url of the account's provider is wrong"
		}
		return rejected, "Microsoft 365 does not take the mail: see its words"
	case graph.Missing, graph.Conflict, graph.Gone:
		return deferred, "somebody changed the mailbox meanwhile, or it does not exist: try later; if that repeats, check the mailbox"
	case graph.Garbage:
		return deferred, "the answer makes no sense: try later; if that repeats, whoever runs the network has to see whether a proxy is in the way"
	}
	return deferred, "Microsoft 365 cannot be reached or does not work for now: try later"
}

// permission names what is missing after 403, and who gives it.
func permission(who identity) string {
	switch {
	case who.app:
		return "the application may not do this: an administrator has to grant it the application permissions Mail.Send and, for mails over 3.5 MB, Mail.ReadWrite in Entra ID, and see that no access policy of Exchange keeps it out of the mailbox"
	case who.shared():
		return "the account may not do this in " + who.mailbox + ": in Exchange an administrator has to give it the rights \"Send As\" and \"Full Access\" there, and the account has to be associated again with the permission Mail.Send.Shared and, for mails over 3.5 MB, Mail.ReadWrite.Shared (role shared)"
	}
	return "the account may not do this: associate it again with the permission Mail.Send (role send) and, for mails over 3.5 MB, Mail.ReadWrite (role send_large)"
}
