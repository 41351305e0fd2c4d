package graphtest

import (
	"sync"
	"time"
)

// Mailbox is one mailbox of a [Server]. Folders are named by path, in English well-known
// names ("inbox", "sentitems") or as the mailbox shows them ("Boîte de réception/Factures");
// names made of both go too ("inbox/Factures"). Its methods are safe for concurrent use.
type Mailbox struct {
	Address string

	guid  string
	now   func() time.Time
	files *tempFiles

	mu       sync.Mutex
	root     *folder
	byFolder map[string]*folder // by id and well-known name
	byItem   map[string]*item   // by both ids
	seq      uint64             // counts changes
	pending  []*pending
	rounds   map[string]*round // by delta and skip token
}

// newMailbox returns a mailbox with its standard folders.
func newMailbox(u User, now func() time.Time, files *tempFiles) *Mailbox {
	b := &Mailbox{Address: u.Address, guid: newGUID(), now: now, files: files,
		byItem: map[string]*item{}, rounds: map[string]*round{}}
	b.addFolders(u.Language == "fr")
	return b
}

// lock takes the mailbox as it stands now; unlock it with b.mu.Unlock.
func (b *Mailbox) lock() {
	b.mu.Lock()
	b.settle()
}

// Message is one message as it stands.
type Message struct {
	ID          string // immutable
	Folder      string // path as shown
	Raw         []byte // RFC 5322; must not be changed
	MessageID   string
	Draft, Read bool
	Categories  []string
	Received    time.Time
	From        string
	To          []string // all recipients, Bcc included
	Sent        bool     // came here by sending
}

// Deliver puts a mail (RFC 5322) into a folder, which is made if it is missing, and returns
// its immutable id. The bytes are what $value gives; they must not be changed any more.
func (b *Mailbox) Deliver(folder string, raw []byte) string {
	return b.DeliverAll(folder, [][]byte{raw})[0]
}

// DeliverAll is Deliver for many.
func (b *Mailbox) DeliverAll(folder string, raws [][]byte) []string {
	b.lock()
	defer b.mu.Unlock()
	f := b.folderAt(folder, true)
	ids := make([]string, len(raws))
	for i, raw := range raws {
		ids[i] = b.deliver(f, mailOf(blobOf(raw)))
	}
	return ids
}

func (b *Mailbox) deliver(f *folder, m *mail) string {
	it := &item{mail: m}
	b.add(f, it)
	return it.immutable
}

// AddReference adds a reference attachment (a link to a cloud file) to a message.
func (b *Mailbox) AddReference(id, name string) {
	b.lock()
	defer b.mu.Unlock()
	if it := b.item(id); it != nil {
		it.refs = append(it.refs, &attachment{id: newID(attachmentID), kind: referenceKind, name: name, modified: b.now(), size: overhead})
		b.touch(it)
	}
}

// Messages returns what is in a folder, oldest first; "" is the whole mailbox.
func (b *Mailbox) Messages(folder string) []Message {
	b.lock()
	defer b.mu.Unlock()
	var list []Message
	for _, it := range b.itemsAt(folder) {
		list = append(list, it.message(b))
	}
	return list
}

// itemsAt are the items of the folder at path, or all for "".
func (b *Mailbox) itemsAt(path string) []*item {
	if path != "" {
		if f := b.folderAt(path, false); f != nil {
			return f.items
		}
		return nil
	}
	var list []*item
	b.root.walk(func(f *folder) { list = append(list, f.items...) })
	return list
}

func (it *item) message(b *Mailbox) Message {
	c := it.mail.content()
	raw := it.mail.raw
	if raw == nil {
		raw, _ = b.files.build(c)
	}
	m := Message{ID: it.immutable, Folder: it.folder.path(), MessageID: c.messageID, Draft: it.draft, Read: it.read,
		Categories: it.categories, Received: it.received, Sent: it.sent}
	if raw != nil {
		m.Raw = raw.whole()
	}
	if c.from != nil {
		m.From = c.from.addr
	}
	for _, a := range c.recipients() {
		m.To = append(m.To, a.addr)
	}
	return m
}

// Folders returns the paths of all folders as shown, hidden ones left out.
func (b *Mailbox) Folders() []string {
	b.lock()
	defer b.mu.Unlock()
	var list []string
	b.root.walk(func(f *folder) {
		if f != b.root && !f.hidden {
			list = append(list, f.path())
		}
	})
	return list
}

// AddFolder makes a folder by path, with those above it.
func (b *Mailbox) AddFolder(path string) {
	b.lock()
	defer b.mu.Unlock()
	b.folderAt(path, true)
}

// Move moves a message as a person would, making the folder if it is missing. An id of
// either form is taken, an unknown one ignored.
func (b *Mailbox) Move(id, folder string) {
	b.lock()
	defer b.mu.Unlock()
	if it := b.item(id); it != nil {
		b.move(it, b.folderAt(folder, true))
	}
}

// Remove removes a message for good, as Move finds it.
func (b *Mailbox) Remove(id string) {
	b.lock()
	defer b.mu.Unlock()
	if it := b.item(id); it != nil {
		b.erase(it)
	}
}

// ForgetDelta makes every delta and skip token given so far unknown: 410.
func (b *Mailbox) ForgetDelta() {
	b.lock()
	defer b.mu.Unlock()
	clear(b.rounds)
}
