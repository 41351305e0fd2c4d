// Package connector holds the ways to send. So far there is one, [SMTP], which hands mail
// to any server that takes submissions.
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
// # Memory and speed
//
// Mails below 1 MiB are composed in memory. Larger ones are read twice, counted and then
// streamed, in memory that does not grow with them; their attachments must give the same
// bytes both times. With a server that pipelines a mail costs two round trips.
package connector
