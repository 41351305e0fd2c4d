package helios_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/vaguemestre/vaguemestre/adullact/helios"
)

// A PES_Aller: what it is, its payment orders, and the invoice that belongs to one of them.
func ExampleDecode() {
	file, err := os.Open("testdata/aller.xml")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	flow, err := helios.Decode(context.Background(), file, &helios.Options{
		Out: func(f *helios.File, content io.Reader) error {
			n, err := io.Copy(io.Discard, content) // keep it, rather
			fmt.Printf("document %s: %q, %s, %d bytes\n", f.ID, f.Name, f.MediaType, n)
			return err
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(flow.Root, flow.NomFic, flow.LibelleColBud)
	for _, b := range flow.Bordereaux {
		fmt.Printf("%s %s/%s: %s HT, signed %v\n", b.Part, b.Exer, b.IdBord, b.MtBordHT, b.Signed)
		for _, p := range b.Pieces {
			fmt.Printf("  %s %q %s HT\n", p.IdPce, p.Obj, p.MtHT)
			for _, ref := range p.PJRefs {
				if doc := flow.File(ref.IdUnique); doc != nil {
					fmt.Println("    " + doc.Name)
				}
			}
		}
	}
	fmt.Println(len(flow.Deviations), "deviations")
	// Output:
	// document FAC101: "facture 101.pdf", application/pdf, 43 bytes
	// document ASAP7: "asap7.xml", application/xml, 578 bytes
	// document BUDGET: "budget.xml", application/xml, 42 bytes
	// document RAW: "raw.pdf", application/pdf, 43 bytes
	// PES_Aller PESALR2_21340000000017_260302_001 Commune de Mondaine-lès-Prés
	// PES_DepenseAller 2026/17: 1200.30 HT, signed true
	//   101 "Fournitures d'école" 1150.30 HT
	//     facture 101.pdf
	//   102 "" 50.00 HT
	// PES_RecetteAller 2026/5: 42.50 HT, signed false
	//   7 "Cantine" 42.50 HT
	//     asap7.xml
	// 11 deviations
}

// A PES_ACQUIT: the accountant's answer.
func ExampleDecode_acquit() {
	file, err := os.Open("testdata/acquit_ko.xml")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	flow, err := helios.Decode(context.Background(), file, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("accepted:", flow.Acquit.Accepted)
	for _, e := range flow.Acquit.Elements {
		for _, x := range e.Errors {
			fmt.Printf("bordereau %q, piece %q, line %q: %s %q\n", e.NumBord, x.NumPiece, x.NumLigne, x.Code, x.Libelle)
		}
	}
	// Output:
	// accepted: false
	// bordereau "17", piece "101", line "": ERREUR_AUTRE "2559 - Service inconnu"
	// bordereau "17", piece "101", line "2": ERREUR_TAILLE_LIGNE ""
	// bordereau "17", piece "102", line "":  ""
	// bordereau "", piece "", line "": ERREUR_DOUBLON_PJ "1984 - déjà intégré"
}
