package graphtest

import (
	"slices"
	"time"
)

// item is one message of a mailbox. The mailbox's lock guards it; the mail it points to is
// never changed, only replaced.
type item struct {
	immutable  string
	id         string  // ordinary: another one after each move
	folder     *folder // nil: not to be seen, see pending
	mail       *mail
	refs       []*attachment // reference attachments, which no MIME has
	draft      bool
	read       bool
	sent       bool
	importance string // "" is that of the mail
	categories []string
	flag       object // replaced, never changed; nil is not flagged
	inference  string // "" is focused

	created, modified, received, sentAt time.Time

	etag    string
	arrived uint64 // when it came into its folder, by the mailbox's counter
	changed uint64 // when it changed there
}

func (it *item) size() int64 { return it.mail.size() }

// attachments are those of the mail and the references.
func (it *item) attachments() []*attachment {
	list := it.mail.content().attachments
	if len(it.refs) > 0 {
		list = append(slices.Clone(list), it.refs...)
	}
	return list
}

// touch notes a change of it. The caller holds the lock.
func (b *Mailbox) touch(it *item) {
	b.seq++
	it.changed, it.etag, it.modified = b.seq, newKey(), b.now()
}

// add puts a new item into a folder. The caller holds the lock.
func (b *Mailbox) add(f *folder, it *item) {
	it.immutable = newID(immutableID)
	it.created = b.now()
	if it.received.IsZero() {
		it.received = it.created
	}
	b.arrive(f, it)
}

// arrive puts an item that is in no folder into one, under a new ordinary id.
func (b *Mailbox) arrive(f *folder, it *item) {
	delete(b.byItem, it.id)
	it.id = newID(ordinaryID)
	b.byItem[it.id], b.byItem[it.immutable] = it, it
	it.folder = f
	f.items = append(f.items, it)
	b.touch(it)
	it.arrived = it.changed
}

// leave takes an item out of its folder; it stays known under its ids.
func (b *Mailbox) leave(it *item) {
	f := it.folder
	f.remove(it)
	b.seq++
	f.gone = append(f.gone, tombstone{it: it, id: it.id, seq: b.seq})
	it.folder = nil
}

// move is what a person, move and delete do.
func (b *Mailbox) move(it *item, to *folder) {
	if it.folder == to {
		return
	}
	b.leave(it)
	b.arrive(to, it)
}

// erase removes an item for good.
func (b *Mailbox) erase(it *item) {
	b.leave(it)
	delete(b.byItem, it.id)
	delete(b.byItem, it.immutable)
}

// trash is what DELETE does: to Deleted Items, and from there out of sight.
func (b *Mailbox) trash(it *item) {
	bin := b.byFolder["deleteditems"]
	for f := it.folder; f != nil; f = f.parent {
		if f == bin {
			b.erase(it)
			return
		}
	}
	b.move(it, bin)
}

// item finds an item that can be seen, by either form of its id; nil if there is none.
func (b *Mailbox) item(id string) *item {
	if it := b.byItem[id]; it != nil && it.folder != nil {
		return it
	}
	return nil
}

// pending is a draft that was sent and is on its way to Sent Items.
type pending struct {
	it           *item
	vanish, come time.Time
	copy         *mail // what stands in Sent Items then
}

// settle does what is due. It is called with the lock held before anything is looked up, so
// that nothing needs a timer.
func (b *Mailbox) settle() {
	if len(b.pending) == 0 {
		return
	}
	now := b.now()
	b.pending = slices.DeleteFunc(b.pending, func(p *pending) bool {
		if p.it.folder != nil && p.it.draft && !now.Before(p.vanish) {
			b.leave(p.it)
		}
		if now.Before(p.come) {
			return false
		}
		if p.it.draft && p.it.folder == nil {
			b.comeBack(p)
		}
		return true
	})
}

// comeBack turns a sent draft into the copy in Sent Items, the same item under the same
// immutable id.
func (b *Mailbox) comeBack(p *pending) {
	it := p.it
	it.mail, it.draft, it.sent, it.read = p.copy, false, true, true
	it.sentAt = it.mail.content().date
	it.received = it.sentAt
	b.arrive(b.byFolder["sentitems"], it)
}
