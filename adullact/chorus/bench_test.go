package chorus

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
)

// Decoding beside a bare loop of encoding/xml over the same file: one with attachments, of
// which most of the bytes are, and one of nothing but lines.
func BenchmarkDecode(b *testing.B) {
	long := strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn", 300_000)
	line := `<Ligne NumOrdre="1"><ReferenceProduit>REF-001</ReferenceProduit><PrixUnitaire>828.43</PrixUnitaire><Quantite>1</Quantite><MontantHT>828.43</MontantHT><TauxTVA>5.50</TauxTVA></Ligne>`
	for name, text := range map[string]string{
		"attachments": pivotFixture(pivotInvoice("F-1", "", fmt.Sprintf("<PJ><Contenu>%s</Contenu><NomPJ>f</NomPJ><TypePJ>01</TypePJ></PJ>", long))),
		"lines":       pivotFixture(pivotInvoice("F-1", "<Lignes>"+strings.Repeat(line, 60_000)+"</Lignes>")),
	} {
		b.Run(name+"/ours", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(b.Context(), strings.NewReader(text), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/RawToken", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				d := xml.NewDecoder(strings.NewReader(text))
				for {
					if _, err := d.RawToken(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
