package chorus_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/vaguemestre/vaguemestre/adullact/chorus"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

func ExampleDecode() {
	f, err := os.Open("testdata/PivotS.xml")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	flow, err := chorus.Decode(context.Background(), f, &chorus.Options{Out: func(f *payload.File, content io.Reader) error {
		fmt.Println(f.Role, f.Name, f.MediaType, f.Size)
		return nil // or copy content to where it belongs
	}})
	if err != nil {
		log.Fatal(err)
	}
	fields := flow.Fields()
	for _, k := range []string{"no_facture", "date_facture", "fournisseur", "siret", "service_destinataire_code", "montant_ttc"} {
		fmt.Println(k, fields[k])
	}
	// Output:
	// facture_pj_01 FAC99999999900027F-2024-7.pdf application/pdf 37
	// facture_pj_02 PJ01FAC99999999900027F-2024-7.pdf application/pdf 37
	// no_facture F-2024-7
	// date_facture 2024-04-15
	// fournisseur 99999999900027
	// siret 99999999900001
	// service_destinataire_code VOIRIE
	// montant_ttc 120.00
}
