package mime_test

import (
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/vaguemestre/vaguemestre/internal/mime"
)

func Example() {
	mail := strings.ReplaceAll(`From: Mairie de Mondaine <mairie@mondaine.example>
Subject: =?UTF-8?Q?D=C3=A9lib=C3=A9ration?=
Content-Type: multipart/mixed; boundary=b

--b

Bonjour
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename*=iso-8859-1''d%E9lib%E9ration.pdf
Content-Transfer-Encoding: base64

JVBERi0xLjQ
--b--
`, "\n", "\r\n")
	m, err := mime.Parse(strings.NewReader(mail), int64(len(mail)), nil)
	if err != nil {
		log.Fatal(err)
	}
	for p := range m.Parts() {
		if p.Role == mime.RoleContainer {
			continue
		}
		r := p.Open()
		b, err := io.ReadAll(r)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s %q %q\n", p.Role, p.FileName(m.Root.Header.Text("Subject")), b, r.Repairs())
		r.Close()
	}
	// Output:
	// body Délibération.txt "Bonjour" []
	// attachment délibération.pdf "%PDF-1.4" ["base64: padding missing"]
}
