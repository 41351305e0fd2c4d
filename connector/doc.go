// Package connector holds the ways to send: [SMTP], which hands mail to any server that takes
// submissions, and [Office365], which sends through Microsoft Graph on behalf of an account of
// package auth.
//
// A connector is a struct of settings, used through a pointer:
//
//	c := &connector.SMTP{
//		Host:     "smtp.mondaine.fr",
//		Account:  "admin",
//		Password: settings.Secret(os.Getenv("SMTP_PASSWORD")),
//		Sender:   "admin@mondaine.fr",
//	}
//	defer c.Close()
//
// A host usually gives it to a [router.Router] and sends through [router.Mail]; then the
// router closes it. To see whether the settings work, without sending anything:
//
//	err := c.Check(ctx, func(s vaguemestre.Step) { fmt.Println(s.Name, s.Status, s.Detail, s.Help) })
//
// [Kinds] opens connectors from stored settings.
//
// # What a receipt of SMTP claims
//
// Each recipient has its own state. Accepted means that the server answered the final dot
// with 250: it took the responsibility (RFC 5321 section 4.2.5), the mail has not arrived
// yet; [router.Message.DSN] asks for a report of that. If the connection is lost after the
// final dot the state is in doubt, and nothing is sent again. Everything before it may safely
// be sent again, and within one call that is done once, when a kept connection turns out to
// be dead.
//
// # What a receipt of Office365 claims
//
// Microsoft 365 takes a mail for all of its recipients or for none, and tells later, by a mail
// to the sender, what it could not deliver. Accepted means that it has put the mail on its way.
// After an answer that leaves open whether it did, the mail is looked for, and in doubt only if
// it is not found: a draft keeps its id when it is sent, so that a mail over 3.5 MB is found for
// sure; a smaller one by its Message-ID, as long as a copy is kept in Sent Items.
//
// What Microsoft 365 cannot carry as asked stands in the receipt's notes or is refused before
// anything is sent. Headers that begin with X- (five at most), In-Reply-To, References and
// List-Unsubscribe go out with any mail; others, and a text beside the HTML, make the mail go
// out as MIME, which fits up to about 2 MB of attachments. Auto-Submitted is taken away.
// Bodies, subjects and attachments arrive as they are; the Date is Microsoft's.
//
// # Memory and speed
//
// With [SMTP] mails below 1 MiB are composed in memory. Larger ones are read twice, counted and then
// streamed, in memory that does not grow with them; their attachments must give the same
// bytes both times. With a server that pipelines a mail costs two round trips.
//
// [Office365] sends mails up to 3.5 MB in one request. Attachments of larger ones are read in
// ranges of 4 MB, in memory that does not grow with them, and up to 150 MB in all; at most four
// requests are under way for one mailbox, over all connectors and launchers of the process.
package connector
