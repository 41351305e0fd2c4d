// Package step names the durable steps of the module in one place, so that a test
// can stop the program at each of them and prove that nothing is lost.
//
// In a normal build a step costs one atomic load. A test installs a hook with
// [Set]; a program built with the tag "crash" reads VAGUEMESTRE_CRASH and kills
// itself there.
//
// A crash test first lets a calm run write the steps it hits (VAGUEMESTRE_STEPS=file),
// then repeats it once per line with VAGUEMESTRE_CRASH=name:before:3 (or after; the
// third time), starts it again without, and compares the end with that of the calm
// run. At last it goes through [All]: a step that no run hit fails the test, unless
// another test is there for it. What has no step needs none: it is one transaction of
// its own, with nothing before or after it that could be half done.
package step

import "sync/atomic"

// Name is a durable step. Every step is hit twice: before and after.
type Name string

// The steps. A step that a crash test never hits fails that test, so a name that
// no code hits cannot stay here.
const (
	LedgerLock   Name = "ledger.lock"   // the fence of a source is raised
	LedgerRecord Name = "ledger.record" // one transaction of entries
	LedgerCursor Name = "ledger.cursor" // the cursor of a source is saved
	DirWrite     Name = "dir.write"     // documents of a batch lie in temporary files
	DirSync      Name = "dir.sync"      // their bytes are on the disk
	DirRename    Name = "dir.rename"    // one document gets its name
	DirSyncDir   Name = "dir.syncdir"   // the names are on the disk
	SinkPut      Name = "sink.put"      // one call of Put
	Settle       Name = "settle"        // one call of Session.Settle
	IMAPCopy     Name = "imap.copy"     // COPY of the fallback without MOVE
	IMAPStore    Name = "imap.store"    // STORE \Deleted
	IMAPExpunge  Name = "imap.expunge"  // UID EXPUNGE
	IMAPMove     Name = "imap.move"     // MOVE
	POP3Dele     Name = "pop3.dele"     // DELE of a batch; nothing is removed yet
	POP3Quit     Name = "pop3.quit"     // QUIT, which removes what DELE marked
	GraphPatch   Name = "graph.patch"   // a message is marked
	GraphMove    Name = "graph.move"    //
	GraphDelete  Name = "graph.delete"  //
	GraphFolder  Name = "graph.folder"  // a target folder is made
	FolderAside  Name = "folder.aside"  // an item of a directory is taken aside
	FolderCopy   Name = "folder.copy"   // it is copied to another file system
	FolderPlace  Name = "folder.place"  // it gets its name in the target
	FolderRemove Name = "folder.remove" // it is removed
	TokenRefresh Name = "token.refresh" // the provider rotates a refresh token
	TokenSave    Name = "token.save"    // what came of it is stored
)

// All lists every step.
var All = []Name{LedgerLock, LedgerRecord, LedgerCursor, DirWrite, DirSync, DirRename, DirSyncDir,
	SinkPut, Settle, IMAPCopy, IMAPStore, IMAPExpunge, IMAPMove, POP3Dele, POP3Quit, GraphPatch, GraphMove, GraphDelete, GraphFolder,
	FolderAside, FolderCopy, FolderPlace, FolderRemove, TokenRefresh, TokenSave}

var hook atomic.Pointer[func(name Name, after bool)]

// Set installs f, nil to remove it. f must be safe for concurrent use.
func Set(f func(name Name, after bool)) {
	if f == nil {
		hook.Store(nil)
		return
	}
	hook.Store(&f)
}

// Before is called right before the step is done.
func Before(n Name) {
	if f := hook.Load(); f != nil {
		(*f)(n, false)
	}
}

// After is called right after the step is done.
func After(n Name) {
	if f := hook.Load(); f != nil {
		(*f)(n, true)
	}
}
