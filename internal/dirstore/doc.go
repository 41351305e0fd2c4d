// Package dirstore is the machinery of the directory sink: it makes files durable in
// one directory, each once by its key, and never shows one before it is whole.
//
// A target holds a hidden directory, .vaguemestre:
//
//	lock      whoever holds it may write (flock)
//	tmp/      what is being prepared
//	journal   under which name each file was or will be shown; it only grows
//	index     finds lines of the journal by key; a cache
//
// A batch goes through five steps, and each is durable before the next begins:
//
//	stage     files are written into tmp, hashed, and their write-back begins
//	sync      their bytes and their names in tmp are on the disk
//	announce  their final names are in the journal, which is synced
//	show      each is renamed; nothing is ever replaced
//	names     the target and tmp are synced
//
// A crash before "announce" leaves rubbish in tmp, which the next batch removes; one
// after it leaves announced files, which the next batch shows.
//
// To use it, open a target, put, and unlock it for others. It may be locked again:
//
//	s, err := dirstore.Open(ctx, path)
//	if err != nil { ... }
//	defer s.Close()
//	refs, err := s.Put(ctx, files)
//	err = s.Unlock()
package dirstore
