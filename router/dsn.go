package router

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre/settings"
)

// DSN asks the servers on the way for reports of what becomes of a message (delivery status
// notifications, RFC 3461). They come as mails to the sender. Not every server can be asked:
// what could not be is told in [Receipt.Notes].
type DSN struct {
	Notify     []Notify // when, for every recipient; at least one, NotifyNever only alone
	Return     Return   // what of the message a report of failure gives back; "" leaves it to the server
	EnvelopeID string   // stands in every report; printable ASCII, at most 100 bytes once encoded; "" is none
}

// Notify is an occasion for a report.
type Notify string

const (
	NotifyNever   Notify = "never"   // no report at all, not even of failure
	NotifySuccess Notify = "success" // delivered, or handed to a server that sends no reports
	NotifyFailure Notify = "failure" // cannot be delivered
	NotifyDelay   Notify = "delay"   // still under way after the time that a server finds normal
)

// Return is what a report holds of the message.
type Return string

const (
	ReturnFull    Return = "full"
	ReturnHeaders Return = "headers"
)

// maxEnvelopeID bounds the encoded form: RFC 3461 section 4.4.
const maxEnvelopeID = 100

func (v *validation) dsn(d *DSN) {
	if d == nil {
		return
	}
	if len(d.Notify) == 0 {
		v.add("dsn.notify", settings.CodeRequired, say("no occasion is named; name success, failure or delay, or never alone", "aucun cas n'est indiqué ; indiquez success, failure ou delay, ou never seul"))
	}
	for i, n := range d.Notify {
		path := fmt.Sprintf("dsn.notify[%d]", i)
		switch n {
		case NotifySuccess, NotifyFailure, NotifyDelay:
		case NotifyNever:
			if len(d.Notify) > 1 { // RFC 3461 section 4.1
				v.add(path, settings.CodeNotOneOf, say("never stands beside another; write it alone, or leave it out", "never figure avec un autre ; indiquez-le seul ou retirez-le"))
			}
		default:
			v.add(path, settings.CodeNotOneOf, say("it is none of never, success, failure and delay", "n'est ni never, ni success, ni failure, ni delay"))
		}
		if slices.Contains(d.Notify[:i], n) {
			v.add(path, CodeDuplicate, say("it stands here twice", "figure deux fois"))
		}
	}
	switch d.Return {
	case "", ReturnFull, ReturnHeaders:
	default:
		v.add("dsn.return", settings.CodeNotOneOf, say("it is none of full and headers; leave it out for what the server does by itself", "n'est ni full ni headers ; ne l'indiquez pas pour laisser le choix au serveur"))
	}
	// RFC 3461 section 4.4: printable ASCII before it is encoded, since reports hold it as it is.
	for i := 0; i < len(d.EnvelopeID); i++ {
		if b := d.EnvelopeID[i]; b < ' ' || b > '~' {
			code := settings.CodeBadFormat
			if b < ' ' || b == 0x7f {
				code = CodeControl
			}
			v.add("dsn.envelope_id", code, say("it holds what is not printable ASCII; use letters, digits and signs without accents", "contient autre chose que de l'ASCII imprimable ; utilisez lettres sans accent, chiffres et signes"))
			return
		}
	}
	// As xtext a space, + and = take three bytes: RFC 3461 section 4.
	encoded := len(d.EnvelopeID)
	for _, sign := range [...]string{" ", "+", "="} {
		encoded += 2 * strings.Count(d.EnvelopeID, sign)
	}
	if encoded > maxEnvelopeID {
		v.add("dsn.envelope_id", CodeTooLong, say("it is longer than %d bytes once encoded; shorten it", "dépasse %d octets une fois encodé ; raccourcissez-le", maxEnvelopeID))
	}
}
