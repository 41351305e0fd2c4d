// Command bench measures collecting and sending against real servers, beside floors
// and peers, and prints each figure with its goal. It judges nothing: it fails only
// if something does not work.
//
//	go run ./integration/bench                # 10,000 mails, about 1 GB
//	go run ./integration/bench -scale 0.05    # what CI does
//	go run ./integration/bench -only collect,smtp -rounds 5
//
// Contestants run in processes of their own, in turns (A B C A B C), so that a busy
// neighbour hits all alike. A ratio is the time divided by the floor's time of the same
// round; the table has the median. Memory is the peak resident set (VmHWM) of that
// process, CPU its own user and system time.
//
// With VAGUEMESTRE_PROFILE=FOLDER in the environment every contestant leaves a CPU profile there.
//
// The floor of collecting is one IMAP connection with one UID FETCH 1:* BODY.PEEK[] whose
// bytes are dropped, that of pop3 one with every RETR sent ahead. The peer is emersion/go-imap
// with emersion/go-message used as their documentation shows.
//
// The floor of pes and chorus is a loop of encoding/xml's RawToken, which decodes no base64;
// the peer is encoding/xml into structs, then base64, gzip or zip, and SHA-256. All three read
// the same file. The floor of folder is a copy whose files and names are synced in the batches
// of a job.
package main
