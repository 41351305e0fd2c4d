package router

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
	Connector  string      `json:"connector"`       // name of the instance, filled by the service
	Reason     Reason      `json:"reason"`          // why this connector, filled by the service
	State      State       `json:"state"`           // accepted if any recipient was; else in_doubt, deferred, rejected in that order
	Recipients []Recipient `json:"recipients"`      // each of Message.Recipients once
	Ref        string      `json:"ref,omitempty"`   // the server's own reference: a queue id
	Notes      []string    `json:"notes,omitempty"` // what could not be carried as asked
}

// Recipient is the fate of one envelope recipient.
type Recipient struct {
	Address string `json:"address"` // as Message.Recipients gives it
	State   State  `json:"state"`
	Code    string `json:"code"` // "250 2.1.5"
	Text    string `json:"text"` // the server's words; ours if it said none
}

// StateOf returns what became of a message from what became of its recipients: accepted if
// any was; else in_doubt, deferred or rejected, the first of these that any has. Of no
// recipients it is deferred: nothing was sent.
func StateOf(rs []Recipient) State {
	var doubt, deferred, rejected bool
	for _, r := range rs {
		switch r.State {
		case Accepted:
			return Accepted
		case InDoubt:
			doubt = true
		case Rejected:
			rejected = true
		default:
			deferred = true
		}
	}
	switch {
	case doubt:
		return InDoubt
	case rejected && !deferred:
		return Rejected
	}
	return Deferred
}

// Reason says why a connector was chosen.
type Reason string

const (
	ReasonExplicit Reason = "explicit" // named in the call
	ReasonInstance Reason = "instance" // named by the service instance
	ReasonDefault  Reason = "default"  // the service's default
)
