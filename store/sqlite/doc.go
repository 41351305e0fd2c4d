// Package sqlite keeps all state of a host in one file: the ledger of the jobs that
// collect, the router that sends, with its secrets sealed, and the grants of accounts. It
// needs no server and no C compiler.
//
//	st, err := sqlite.Open(ctx, "state.db", &sqlite.Options{Key: keyring})
//	defer st.Close()
//	job := cold.Job{Name: "factures", Ledger: st.Ledger(), …}
//	err = rt.Load(ctx, st, kinds)
//
// # What is safe when
//
// A call that returned nil is on the disk: every commit is synced (write-ahead log,
// synchronous=FULL), so it survives the death of the process and, as far as disk and
// file system keep their word on fsync, a power cut. Runs that record at the same time
// share one sync. The file must lie on a local disk: neither the log nor the locks are
// reliable on a network share.
//
// # Several processes
//
// Any number of processes of one machine may open the same file. A job is locked by
// the operating system through a small file beside the store (state.db.<hash>.lock),
// which is free again the moment its holder dies, and stays there on purpose. Each lock
// also raises a number in the store, the fence; a run whose number is no longer the
// newest cannot write, should a lock ever fail.
//
// # Secrets
//
// What must not be read is sealed under [Options].Key and bound to its place: the secrets
// within the settings of connectors, and the tokens of accounts as a whole ([Store.Tokens]).
// A token row moved to another account, or put back from an older revision of the same
// row under the new number, does not open. Accounts are locked as jobs are, by a file of
// their own (state.db.<hash>.token.lock).
//
// # When the file is damaged or not ours
//
// [Open] never replaces a file. One that is foreign, damaged, empty or of a newer
// version is refused with [ErrForeign], [ErrCorrupt] or [ErrNewer] and left as it was,
// since starting afresh would collect everything again. A new file appears under its
// name only once it is complete. SQLite notices damage to its structure, not to a text
// within; [Store.Check] reads the whole file.
//
// # Backup
//
// Copy the file while no process has it open, or with "VACUUM INTO" from an SQLite
// shell at any time. A copy of the file alone, made while it is open, lacks what still
// stands in state.db-wal.
package sqlite
