package graphtest

import (
	"slices"
	"strings"
)

// wellKnown are the folders that every mailbox has, by the names that Graph takes in place
// of an id in any language, and as the mailbox shows them.
var wellKnown = []struct {
	name, en, fr string
	hidden       bool
}{
	{name: "inbox", en: "Inbox", fr: "Boîte de réception"},
	{name: "drafts", en: "Drafts", fr: "Brouillons"},
	{name: "sentitems", en: "Sent Items", fr: "Éléments envoyés"},
	{name: "deleteditems", en: "Deleted Items", fr: "Éléments supprimés"},
	{name: "junkemail", en: "Junk Email", fr: "Courrier indésirable"},
	{name: "archive", en: "Archive", fr: "Archive"},
	{name: "outbox", en: "Outbox", fr: "Boîte d'envoi"},
	{name: "conversationhistory", en: "Conversation History", fr: "Historique des conversations"},
	{name: "syncissues", en: "Sync Issues", fr: "Problèmes de synchronisation", hidden: true},
}

const rootName = "msgfolderroot"

// folder is one mail folder. The mailbox's lock guards it.
type folder struct {
	id, name, known string
	parent          *folder // nil: the root
	hidden          bool
	children        []*folder
	items           []*item // in the order of arrival
	gone            []tombstone
}

// tombstone remembers for delta what has left a folder.
type tombstone struct {
	it  *item
	id  string // ordinary, as it was here
	seq uint64
}

// addFolders makes the folders that are there from the start.
func (b *Mailbox) addFolders(french bool) {
	b.byFolder = map[string]*folder{}
	root := "Top of Information Store"
	if french {
		root = "Racine de la banque d'informations"
	}
	b.root = &folder{id: newID(folderID), name: root, known: rootName}
	b.byFolder[b.root.id], b.byFolder[rootName] = b.root, b.root
	for _, k := range wellKnown {
		name := k.en
		if french {
			name = k.fr
		}
		f := b.addFolder(b.root, name)
		f.known, f.hidden = k.name, k.hidden
		b.byFolder[k.name] = f
	}
}

// addFolder makes a folder; the name must be free.
func (b *Mailbox) addFolder(parent *folder, name string) *folder {
	f := &folder{id: newID(folderID), name: name, parent: parent}
	parent.children = append(parent.children, f)
	b.byFolder[f.id] = f
	return f
}

// child finds a folder by the name that people see; case does not count.
func (f *folder) child(name string) *folder {
	for _, c := range f.children {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

// folder finds one by id or well-known name; nil if there is none. Well-known names are
// matched in any case, ids as they are.
func (b *Mailbox) folder(id string) *folder {
	if f := b.byFolder[id]; f != nil {
		return f
	}
	if len(id) < 64 {
		return b.byFolder[strings.ToLower(id)]
	}
	return nil
}

// folderAt finds a folder by path: see [Mailbox]. Missing ones are made, or nil is returned.
func (b *Mailbox) folderAt(path string, create bool) *folder {
	f := b.root
	for i, name := range strings.Split(path, "/") {
		next := f.child(name)
		if i == 0 && next == nil {
			next = b.folder(name)
		}
		if next == nil && create {
			next = b.addFolder(f, name)
		}
		if next == nil {
			return nil
		}
		f = next
	}
	return f
}

// path returns the names from the root's child down.
func (f *folder) path() string {
	if f == nil || f.parent == nil {
		return ""
	}
	if f.parent.parent == nil {
		return f.name
	}
	return f.parent.path() + "/" + f.name
}

// walk goes through f and all below it.
func (f *folder) walk(do func(*folder)) {
	do(f)
	for _, c := range f.children {
		c.walk(do)
	}
}

func (f *folder) remove(it *item) {
	if i := slices.Index(f.items, it); i >= 0 {
		f.items = slices.Delete(f.items, i, i+1)
	}
}

// object is the folder as Graph shows it (mailFolder resource type).
func (f *folder) object() map[string]any {
	unread, bytes := 0, int64(0)
	for _, it := range f.items {
		if !it.read {
			unread++
		}
		bytes += it.size()
	}
	parent := f.id
	if f.parent != nil {
		parent = f.parent.id
	}
	children := 0
	for _, c := range f.children {
		if !c.hidden {
			children++
		}
	}
	return map[string]any{
		"id": f.id, "displayName": f.name, "parentFolderId": parent, "childFolderCount": children,
		"unreadItemCount": unread, "totalItemCount": len(f.items), "sizeInBytes": bytes, "isHidden": f.hidden,
	}
}
