package actes_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/vaguemestre/vaguemestre/adullact/actes"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
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

// An act on its way to the prefecture: here the envelope comes last, and all is found.
func ExampleDecodeArchive() {
	const name = "SLO-EACT--999999999--20240415-3.tar.gz"
	file, err := os.Open("testdata/" + name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	save := func(f *payload.File, content io.Reader) error {
		n, err := io.Copy(io.Discard, content)
		fmt.Println(f.Role, f.Type, f.MediaType, n)
		return err
	}
	a, err := actes.DecodeArchive(context.Background(), file, &actes.Options{Name: name, Out: save})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Fields()["siren"], a.Fields()["objet"])
	fmt.Println(len(a.Deviations), "deviations")
	// Output:
	// message  application/xml 1032
	// document 99_DE application/pdf 28
	// annexe 99_AU application/pdf 21
	// signature 99_SE  5
	// envelope  application/xml 895
	// 999999999 Cession de l'ancienne école du hameau
	// 0 deviations
}
