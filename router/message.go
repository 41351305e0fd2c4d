package router

import (
	"errors"
	"time"
)

// Message is a mail to send. Addresses are written "a@b.fr", "Name <a@b.fr>" or
// "\"Name, with specials\" <a@b.fr>", one an entry; [ParseAddress] has the grammar.
//
// It is not changed while it is being sent, except that [Mail.Send] sets MessageID and Date
// where they are empty; one message is therefore not sent by two goroutines at once before
// it has both.
type Message struct {
	From        string   // "" is the connector's sender
	ReplyTo     []string //
	To, Cc, Bcc []string // Bcc is in no header
	Envelope    []string // who gets it; nil is To, Cc and Bcc. Does not change the headers.

	Subject     string
	Text        string       // the body for readers without HTML; with HTML both are sent as alternatives
	HTML        string       //
	Inline      []Attachment // shown inside HTML by their ContentID
	Attachments []Attachment //

	Headers     map[string]string // further headers; none that the message sets itself
	Importance  Importance        //
	ReadReceipt bool              // asks for one, to From (RFC 8098)
	DSN         *DSN              // asks servers for reports of the delivery; nil leaves it to them

	// MessageID is set once, at acceptance by Mail.Send, if it is empty, and then stays
	// the same over all attempts. Without angle brackets.
	MessageID string
	Date      time.Time // set with MessageID if zero
}

// Importance is shown by mail readers.
type Importance string

const (
	ImportanceNormal Importance = ""
	ImportanceHigh   Importance = "high"
	ImportanceLow    Importance = "low"
)

// Close removes what the message's attachments hold on disk or in memory ([Reader]).
// Attachments of other makes are not touched. It may be called more than once.
func (m *Message) Close() error {
	var errs []error
	for _, list := range [2][]Attachment{m.Inline, m.Attachments} {
		for _, a := range list {
			errs = append(errs, a.Close())
		}
	}
	return errors.Join(errs...)
}
