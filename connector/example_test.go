package connector_test

import (
	"fmt"

	"github.com/vaguemestre/vaguemestre/connector"
)

func ExampleSMTP_Endpoints() {
	c := &connector.SMTP{Host: "smtp.mondaine.fr", TLS: connector.TLSStartTLS}
	for _, e := range c.Endpoints() {
		fmt.Println(e.Host, e.Port)
	}
	// Output:
	// smtp.mondaine.fr 587
}
