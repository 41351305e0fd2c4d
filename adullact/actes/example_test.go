package actes_test

import (
	"context"
	"fmt"
	"os"

	"github.com/vaguemestre/vaguemestre/adullact/actes"
)

// An acknowledgement of receipt, by its content alone.
func ExampleDecode() {
	file, err := os.Open("testdata/messages/ARActe.xml")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	m, err := actes.Decode(context.Background(), file, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	f := m.Fields()
	fmt.Println(m.Root, m.Code, f["acte_unique_id"])
	fmt.Println(f["nature_libelle"], f["classification"], f["objet"])
	fmt.Println("reçu le", f["date_ar"])
	// Output:
	// ARActe 1-2 034-999999999-20240415-2024_DEL_012-DE
	// Délibérations 3.2 Cession de l'ancienne école du hameau
	// reçu le 2024-04-16
}
