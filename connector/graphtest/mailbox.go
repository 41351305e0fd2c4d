package graphtest

import "time"

// Mailbox is one mailbox of a [Server]. Folders are named by path, in English well-known
// names ("inbox", "sentitems") or as the mailbox shows them ("Boîte de réception/Factures").
type Mailbox struct {
	Address string
	// …
}

// Message is one message as it stands.
type Message struct {
	ID          string // immutable
	Folder      string // path as shown
	Raw         []byte // RFC 5322
	MessageID   string
	Draft, Read bool
	Categories  []string
	Received    time.Time
	From        string
	To          []string // all recipients, Bcc included
	Sent        bool     // came here by sending
}

// Deliver puts a mail (RFC 5322) into a folder, which is made if it is missing, and returns
// its immutable id.
func (b *Mailbox) Deliver(folder string, raw []byte) string { return "" }

// DeliverAll is Deliver for many.
func (b *Mailbox) DeliverAll(folder string, raws [][]byte) []string { return nil }

// AddReference adds a reference attachment (a link to a cloud file) to a message.
func (b *Mailbox) AddReference(id, name string) {}

// Messages returns what is in a folder, oldest first; "" is the whole mailbox.
func (b *Mailbox) Messages(folder string) []Message { return nil }

// Folders returns the paths of all folders as shown.
func (b *Mailbox) Folders() []string { return nil }

// AddFolder makes a folder by path.
func (b *Mailbox) AddFolder(path string) {}

// Move moves a message as a person would, Remove removes it.
func (b *Mailbox) Move(id, folder string) {}
func (b *Mailbox) Remove(id string)       {}

// ForgetDelta makes every delta and skip token given so far unknown: 410.
func (b *Mailbox) ForgetDelta() {}

// Outbox returns every message that was sent from anywhere, in order, as the recipients get
// it: Raw is without Bcc.
func (s *Server) Outbox() []Message { return nil }
