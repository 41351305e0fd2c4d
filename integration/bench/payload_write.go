//go:build linux

package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
)

// writer keeps the first error of a file that is written in many small pieces.
type writer struct {
	*bufio.Writer
	n int // bytes
}

func (w *writer) add(format string, args ...any) {
	n, _ := fmt.Fprintf(w, format, args...) // Flush tells of errors
	w.n += n
}

func write(path string, body func(w *writer)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := &writer{Writer: bufio.NewWriterSize(f, 256<<10)}
	body(w)
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// document is to a compressor what a PDF is: streams that were squeezed, text between them.
// In base64 and squeezed once more it has about size bytes again.
func document(size int) []byte {
	rnd := rand.NewChaCha8([32]byte{1})
	text := []byte(strings.Repeat("<< /Type /Page /Parent 2 0 R /Resources 4 0 R >>\n", 21))
	out := []byte("%PDF-1.7\n")
	for len(out) < size {
		stream := make([]byte, 3072)
		_, _ = rnd.Read(stream)
		out = append(append(out, stream...), text...)
	}
	return out
}

// encoded is a document as a PES carries it.
func encoded(content []byte) string {
	var b bytes.Buffer
	e := base64.NewEncoder(base64.StdEncoding, &b)
	z, _ := gzip.NewWriterLevel(e, gzip.BestSpeed)
	_, _ = z.Write(content) // a buffer takes it all
	_ = z.Close()
	_ = e.Close()
	return b.String()
}

const (
	pesHead = `<?xml version="1.0" encoding="UTF-8"?>
<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">
<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR2"/><NomFic V="PESALR2_MESURE"/></Parametres><Emetteur><Sigle V="MONDAINE"/></Emetteur></Enveloppe>
<EnTetePES><DteStr V="2026-03-02"/><IdPost V="034000"/><IdColl V="21340000000017"/><CodCol V="123"/><CodBud V="00"/></EnTetePES>
`
	pesDepense = "<PES_DepenseAller><EnTeteDepense><IdVer V=\"2\"/></EnTeteDepense><Bordereau><BlocBordereau><Exer V=\"2026\"/><IdBord V=\"1\"/></BlocBordereau>\n"
	pesTail    = "</n:PES_Aller>\n"
)

// piece writes one piece of expenditure; ref is the document that it refers to, if any.
func (w *writer) piece(i int, ref string) {
	if ref != "" {
		ref = `<PJRef><Support V="01"/><IdUnique V="` + ref + `"/></PJRef>`
	}
	w.add("<Piece><BlocPiece><InfoPce><IdPce V=\"%d\"/><TypPce V=\"01\"/><NatPce V=\"01\"/><Obj V=\"Fournitures\"/>%s</InfoPce></BlocPiece>\n"+
		"<LigneDePiece><BlocLignePiece><InfoLignePce><IdLigne V=\"1\"/><Nature V=\"6067\"/><MtHT V=\"%d.10\"/></InfoLignePce></BlocLignePiece></LigneDePiece></Piece>\n", i, ref, i)
}

// attach writes n documents that share size bytes; lines of the base64 have 76 characters if
// wrap says so.
func (w *writer) attach(size, n int, wrap bool) {
	text := encoded(document(size / n))
	if wrap {
		var b strings.Builder
		for i := 0; i < len(text); i += 76 {
			b.WriteString(text[i:min(i+76, len(text))] + "\n")
		}
		text = b.String()
	}
	w.add("<PES_PJ><EnTetePES_PJ><IdVer V=\"1\"/></EnTetePES_PJ>\n")
	for i := range n {
		w.add("<PJ><Contenu><Fichier MIMEType=\"application/pdf\">")
		_, _ = io.WriteString(w, text)
		w.add("</Fichier></Contenu><IdUnique V=\"PJ-%d\"/><NomPJ V=\"facture-%d.pdf\"/><TypePJ V=\"003\"/><Description V=\"facture\"/></PJ>\n", i, i)
	}
	w.add("</PES_PJ>\n")
}

// writeDocuments writes 500 pieces and the document of each.
func writeDocuments(path string, size int) error {
	return write(path, func(w *writer) {
		w.add(pesHead + pesDepense)
		for i := range 500 {
			w.piece(i+1, fmt.Sprintf("PJ-%d", i))
		}
		w.add("</Bordereau></PES_DepenseAller>\n")
		w.attach(size, 500, true)
		w.add(pesTail)
	})
}

// writeSingle writes one document in one line.
func writeSingle(path string, size int) error {
	return write(path, func(w *writer) {
		w.add(pesHead)
		w.attach(size, 1, false)
		w.add(pesTail)
	})
}

// writePieces writes no document.
func writePieces(path string, size int) error {
	return write(path, func(w *writer) {
		w.add(pesHead + pesDepense)
		for i := 0; w.n < size; i++ {
			w.piece(i+1, "")
		}
		w.add("</Bordereau></PES_DepenseAller>\n" + pesTail)
	})
}

// writePivot writes 12 invoices of two attachments, each in a zip of its own.
func writePivot(path string, size int) error {
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	in, err := z.Create("facture.pdf")
	if err == nil {
		_, err = in.Write(document(size / 24))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	return write(path, func(w *writer) {
		w.add(`<?xml version="1.0" encoding="UTF-8"?>
<CPPFacturePivot><Enveloppe><EnveloppeUnitaire><Partenaires><Recepteur><Id>XXX001</Id></Recepteur><Emetteur><Id>CPP001</Id></Emetteur></Partenaires></EnveloppeUnitaire></Enveloppe>
<CPPFactures Compteur="12">`)
		for i := range 12 {
			w.add(`<CPPFacturePivotUnitaire><Fournisseur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>99999999900027</Identifiant><RaisonSociale>Granulats du Val</RaisonSociale></Fournisseur>
<Debiteur><Identifiant>99999999900001</Identifiant><Nom>Commune de Mondaine</Nom><CodeService>VOIRIE</CodeService></Debiteur>
<DonneesFacture><Id>F-%d</Id><IdCPRO>519451</IdCPRO><Type>380</Type><Cadre>A1</Cadre><DateEmissionFacture>2026-04-15</DateEmissionFacture>
<Montants><MontantHT>100.00</MontantHT><MontantTTC>120.00</MontantTTC><MontantNetAPayer>120.00</MontantNetAPayer></Montants></DonneesFacture>
`, i)
			for kind := range 2 {
				w.add("<PJ><Contenu>")
				_, _ = io.WriteString(w, text)
				w.add("</Contenu><NomPJ>facture-%d.zip</NomPJ><TypePJ>0%d</TypePJ><MimeTypePJ>application/zip</MimeTypePJ></PJ>\n", kind, kind+1)
			}
			w.add("</CPPFacturePivotUnitaire>\n")
		}
		w.add("</CPPFactures></CPPFacturePivot>\n")
	})
}
