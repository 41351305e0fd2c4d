// Package router sends: a [Service] is what is sent, a [Connector] is how, and a [Router]
// knows which carries which.
//
// # One service, one connector
//
// The zero Router is ready. It is given connectors by name, and told which one carries a
// service by default:
//
//	var rt router.Router
//	defer rt.Close()
//	err := rt.AddConnector("main", &connector.SMTP{Host: "smtp.mondaine.fr", …})
//	mail := router.Mail{Router: &rt}
//	err = rt.SetDefault(mail, "main") // refuses a connector that cannot carry mail
//	receipt, err := mail.Send(ctx, &router.Message{To: to, Subject: "Facture", Text: "Bonjour",
//		Attachments: []router.Attachment{router.File("facture.pdf")}}, nil)
//
// [Mail] is the service that comes with this package. It refuses a message that is not valid
// before any connection, gives it a Message-ID that stays, and returns a [Receipt] that
// claims no more than what is known, recipient by recipient.
//
// # Instances
//
// An instance is a named use of a service. It may have a connector of its own; else it uses
// the default:
//
//	err = rt.AddInstance(mail, "relances", router.Instance{Connector: "compta"})
//	receipt, err = mail.Send(ctx, m, &router.SendOptions{Instance: "relances"})
//
// The connector is the one named in the call, else the instance's, else the default; an
// unknown name is an error, never a silent default. [Router.Resolve] tells which and why.
//
// # What is accepted is not yet delivered
//
// A state is [Accepted], [Rejected], [Deferred] or [InDoubt]. In doubt means that the
// connection was lost when the server had everything and before it answered: sending again
// may make two mails of one. To reach only those who did not get it, send the same message
// with [Message.Envelope] set to them: the headers and the Message-ID stay.
//
// [Message.DSN] asks the servers on the way for reports of the delivery. Where that is not
// possible [Receipt.Notes] says so, as it does of anything else that was not carried as asked.
//
// # Keeping the wiring
//
// [Router.Save] and [Router.Load] go through a [Store], which seals secrets. What cannot be
// used after Load (written by a newer program, say) is kept as it is, listed by
// [Router.Problems], and does not hinder the rest.
//
// # Writing one's own
//
// A connector is a settings struct with a Kind; to carry mail it implements [MailSender] and
// proves it with package routertest. A service is a Name and a Compatible, and calls Resolve:
// [Mail] uses nothing that another service could not.
package router
