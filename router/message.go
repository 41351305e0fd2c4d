package router

import (
	"io"
	"time"
)

// Message is a mail to send.
type Message struct {
	From        string   // address, with or without a display name; "" is the connector's sender
	ReplyTo     []string //
	To, Cc, Bcc []string // addresses, with or without display names
	Envelope    []string // who gets it; nil is To, Cc and Bcc. Does not change the headers.

	Subject     string
	Text        string
	HTML        string
	Inline      []Attachment // shown inside HTML by their ContentID
	Attachments []Attachment

	Headers     map[string]string // further headers; none that the message sets itself
	Importance  Importance        //
	ReadReceipt bool              // asks for one, to From (RFC 8098)

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

// Attachment is a file of a message, opened as often as needed.
type Attachment struct {
	Name      string
	MediaType string // "" is guessed from Name
	ContentID string // of an inline one, without angle brackets
	Size      int64  // bytes; -1 when it must be found out by reading
	Open      func() (io.ReadCloser, error)
}

// State is what became of a message, or of one of its recipients.
type State string

const (
	Accepted State = "accepted" // the server took it; it has not arrived yet
	Rejected State = "rejected" // refused for good
	Deferred State = "deferred" // refused for now, or not sent; may be tried again
	InDoubt  State = "in_doubt" // nobody knows; never retried blindly
)

// Receipt is what a connector can claim.
type Receipt struct {
	MessageID  string      `json:"message_id"`
	Connector  string      `json:"connector"` // name of the instance, filled by the service
	Reason     Reason      `json:"reason"`    // why this connector, filled by the service
	State      State       `json:"state"`     // accepted if any recipient was; else in_doubt, deferred, rejected in that order
	Recipients []Recipient `json:"recipients"`
	Ref        string      `json:"ref,omitempty"`   // the server's own reference: a queue id
	Notes      []string    `json:"notes,omitempty"` // what could not be carried as asked
}

// Recipient is the fate of one envelope recipient.
type Recipient struct {
	Address string `json:"address"`
	State   State  `json:"state"`
	Code    string `json:"code"` // "250 2.1.5"
	Text    string `json:"text"` // the server's words
}

// Reason says why a connector was chosen.
type Reason string

const (
	ReasonExplicit Reason = "explicit" // named in the call
	ReasonInstance Reason = "instance" // named by the service instance
	ReasonDefault  Reason = "default"  // the service's default
)
