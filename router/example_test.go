package router_test

import (
	"context"
	"fmt"

	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/router/routertest"
)

func Example() {
	var rt router.Router
	defer rt.Close()
	if err := rt.AddConnector("main", &routertest.Recorder{}); err != nil { // a connector.SMTP, elsewhere
		fmt.Println(err)
	}
	mail := router.Mail{Router: &rt}
	if err := rt.SetDefault(mail, "main"); err != nil {
		fmt.Println(err)
	}
	receipt, err := mail.Send(context.Background(), &router.Message{
		From: "Mairie <mairie@example.org>", To: []string{"florian@example.org"},
		Subject: "Facture", Text: "Bonjour",
		Attachments: []router.Attachment{router.Bytes("facture.pdf", "", []byte("%PDF-1.7"))},
	}, nil)
	fmt.Println(receipt.State, receipt.Connector, receipt.Reason, err)

	_, err = mail.Send(context.Background(), &router.Message{To: []string{"florian@example.org"}}, &router.SendOptions{Instance: "relances"})
	fmt.Println(err)
	// Output:
	// accepted main default <nil>
	// router: resolve: service "mail" has no instance "relances"; there are no instances yet
}

// Only those who did not get it are sent the mail again, under the same Message-ID.
func ExampleMessage_envelope() {
	var rec routertest.Recorder
	rec.Refuse("b@example.org", router.Deferred, "451 4.7.1", "come back later")
	var rt router.Router
	defer rt.Close()
	mail := router.Mail{Router: &rt}
	if err := rt.AddConnector("main", &rec); err != nil {
		fmt.Println(err)
	}
	m := &router.Message{From: "m@example.org", To: []string{"a@example.org", "b@example.org"}, Subject: "Avis"}
	receipt, err := mail.Send(context.Background(), m, &router.SendOptions{Connector: "main"})
	fmt.Println(receipt.State, err)
	m.Envelope = nil
	for _, r := range receipt.Recipients {
		fmt.Println(r.Address, r.State, r.Code)
		if r.State == router.Deferred {
			m.Envelope = append(m.Envelope, r.Address)
		}
	}

	rec.Refuse("b@example.org", router.Accepted, "", "") // later
	receipt, err = mail.Send(context.Background(), m, &router.SendOptions{Connector: "main"})
	fmt.Println(receipt.State, err)
	for _, s := range rec.Sent() {
		fmt.Println(s.To, s.Message.MessageID == m.MessageID)
	}
	// Output:
	// accepted <nil>
	// a@example.org accepted 250 2.1.5
	// b@example.org deferred 451 4.7.1
	// accepted <nil>
	// [a@example.org] true
	// [b@example.org] true
}

func ExampleMessage_Validate() {
	m := &router.Message{To: []string{"florian@"}, Subject: "Facture\r\nBcc: intrus@example.org"}
	for _, issue := range m.Validate() {
		fmt.Println(issue.Path, issue.Code)
		fmt.Println("  " + issue.Message.EN)
		fmt.Println("  " + issue.Message.FR)
	}
	// Output:
	// to[0] bad_format
	//   nothing follows the @
	//   il n'y a rien après l'arobase
	// subject control_character
	//   it holds the control character U+000D; remove it
	//   contient le caractère de contrôle U+000D ; retirez-le
}

// Fax is a service of a host's own, for connectors that can fax.
type Fax struct{}

type faxer interface {
	router.Connector
	Fax(number string) error
}

func (Fax) Name() string                       { return "fax" }
func (Fax) Compatible(c router.Connector) bool { _, ok := c.(faxer); return ok }
func (Fax) Requires() string                   { return "Fax" }

func ExampleService() {
	var rt router.Router
	defer rt.Close()
	if err := rt.AddConnector("mail", &routertest.Recorder{}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(rt.SetDefault(Fax{}, "mail"))
	// Output:
	// router: set default: connector "mail" (kind "recorder", *routertest.Recorder) cannot carry service "fax": it must implement Fax; choose another connector
}
