package connector_test

import (
	"fmt"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/router"
)

func ExampleSMTP_Endpoints() {
	c := &connector.SMTP{Host: "smtp.mondaine.fr", TLS: connector.TLSStartTLS}
	for _, e := range c.Endpoints() {
		fmt.Println(e.Host, e.Port)
	}
	// Output:
	// smtp.mondaine.fr 587
}

func ExampleOffice365() {
	ms := &auth.Microsoft{ClientID: "11111111-2222-4333-8444-555555555555", Tokens: &auth.Memory{}}
	var rt router.Router
	defer rt.Close()
	// The account was associated as "florian"; it sends from the shared mailbox of the town hall.
	err := rt.AddConnector("mairie", &connector.Office365{Account: ms.Account("florian"), Mailbox: "mairie@mondaine.fr"})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleOffice365_Endpoints() {
	c := &connector.Office365{}
	for _, e := range c.Endpoints() {
		fmt.Println(e.Host, e.Port)
	}
	// Output:
	// login.microsoftonline.com 443
	// graph.microsoft.com 443
	// outlook.office.com 443
}
