// Package cold collects documents: a [Job] drives a [Launcher], which knows where
// documents wait, filters what it brings, hands it to a [Sink] once, and only then
// does at the source what was asked.
//
// # A job
//
//	filter, err := cold.ParseFilter(`/.*\.(?!db).*/`) // all but .db files
//	job := cold.Job{
//		Name:     "factures",                        // its namespace in the ledger
//		Launcher: &launcher.IMAP{Host: "imap.example.org", Account: me, Password: secret},
//		Filters:  cold.Filters{Include: []cold.Filter{filter}},
//		Sink:     cold.Dir("/var/cold/in"),
//		Ledger:   st.Ledger(),                       // of store/sqlite
//		After:    cold.MoveTo("Traités"),
//	}
//	summary, err := job.Run(ctx)                         // one pass
//
// Run is made to be called again and again. What it took it does not take again; what
// it could not do for an outage the next run does.
//
// # What happens to a mail
//
// It is copied to a scratch spool, taken apart without changing a byte, and every part
// gets a decision with a reason: [Delivered], [Refused] by a filter, [Held] because
// nobody can decide (a filter that timed out, a sink that will not take it), or
// [Passed] over by the job's [Take]. The decisions are recorded before the sink is
// called, the hand-over is recorded after it, and only then comes the after-action: if
// a part is held, none; else if anything was delivered, After; else AfterRefused.
//
// A mail that cannot be taken apart is delivered whole, as .eml, with the reason. One
// that fails by itself in three runs is [Quarantined]. Neither is ever touched at its
// source by the failure, and the others go on. [Ledger].Explain answers for every part.
//
// # Guarantee
//
// Delivery is at least once: after a crash between the sink's answer and the ledger the
// same documents come again, under the same [Document].Key. In a sink that honours the
// key, such as [Dir], the effect is exactly once.
//
// # Errors
//
// Run returns an error when the run as a whole could not go on; see [Job.Run] for the
// classes. A full disk or a sink that refuses stops the run, touches no source and
// counts against no mail. What concerns one item comes as an [Event].
//
// # One's own
//
// Implement [Launcher], [Sink], [Decoder] or [Ledger] and prove it with package
// coldtest. A sink that is one function is made by [SinkFunc].
package cold
