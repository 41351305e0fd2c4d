package chorus

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// check is what holds for any input: errors are typed, what goes out has the size that was
// told, and has the name of a file.
func check(t *testing.T, err error) {
	t.Helper()
	var own *vaguemestre.Error
	if err != nil && (!errors.As(err, &own) || own.Class != vaguemestre.ClassPoison || len(err.Error()) > 1000) {
		t.Errorf("%v", err)
	}
}

func fuzzed(t *testing.T) *Options {
	return &Options{Limits: Limits{File: 4 << 20, Total: 8 << 20, Files: 100, Invoices: 100}, Out: func(f *payload.File, r io.Reader) error {
		n, err := io.Copy(io.Discard, r)
		if err != nil || n != f.Size || len(f.SHA256) != 64 || fileName(f.Name) != f.Name || f.Name == "" {
			t.Errorf("%+v: %d bytes, %v", f, n, err)
		}
		return nil
	}}
}

func FuzzDecode(f *testing.F) {
	f.Add(ciiFixture(""))
	f.Add([]byte(ublFixture))
	f.Add([]byte(pivotFixture(pivotInvoice("F-1", "", piece("01", "f.pdf", zipped("a.pdf", "%PDF-"))))))
	f.Add([]byte("<CPPFluxStatuts><CPPFactureStatutUnitaire><DonneesStatut><IdStatut>01</IdStatut></DonneesStatut></CPPFactureStatutUnitaire></CPPFluxStatuts>"))
	f.Add([]byte("<CrossDomainAcknowledgementAndResponse><AcknowledgementDocument><ReferenceReferencedDocument><SpecifiedDocumentStatus/></ReferenceReferencedDocument></AcknowledgementDocument></CrossDomainAcknowledgementAndResponse>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, err := Decode(t.Context(), bytes.NewReader(data), fuzzed(t))
		check(t, err)
		parts, err2 := Decode(t.Context(), iotest.OneByteReader(bytes.NewReader(data)), fuzzed(t))
		if (err == nil) != (err2 == nil) || len(whole.Invoices) != len(parts.Invoices) || len(whole.Statuses) != len(parts.Statuses) {
			t.Errorf("whole %v, by bytes %v", err, err2)
		}
		whole.Fields()
	})
}

func FuzzDecodePDF(f *testing.F) {
	for _, packed := range []bool{false, true} {
		f.Add(facturX("factur-x.xml", ciiFixture(""), packed, packed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := DecodePDF(t.Context(), bytes.NewReader(data), int64(len(data)), fuzzed(t))
		check(t, err)
	})
}

func FuzzDecodeFlow(f *testing.F) {
	xml := pivotFixture(pivotInvoice("F-1", "", piece("01", "f.pdf", []byte("%PDF-"))))
	f.Add(zipped("a.xml", xml, "b.pdf", "%PDF-"))
	f.Add(tgz("a.xml", xml))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := DecodeFlow(t.Context(), "FSO1113A", bytes.NewReader(data), fuzzed(t))
		check(t, err)
	})
}
