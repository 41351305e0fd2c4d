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
// The floor is one IMAP connection with one UID FETCH 1:* BODY.PEEK[] whose bytes are
// dropped. The peer is emersion/go-imap with emersion/go-message used as their
// documentation shows.
package main
