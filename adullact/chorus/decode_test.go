package chorus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// one decodes text, which holds one invoice.
func one(t *testing.T, text string, o *Options) *Invoice {
	t.Helper()
	flow, err := Decode(t.Context(), strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(flow.Invoices) != 1 {
		t.Fatalf("%d invoices", len(flow.Invoices))
	}
	return &flow.Invoices[0]
}

const ublFixture = `<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" xmlns:a="urn:cac" xmlns:b="urn:cbc">
<x:UBLExtensions xmlns:x="urn:ext"><x:UBLExtension><x:ExtensionContent><f:FactureExtension xmlns:f="urn:AIFE:Facture:Extension"><f:CategoryCode>A9</f:CategoryCode></f:FactureExtension></x:ExtensionContent></x:UBLExtension></x:UBLExtensions>
<b:CustomizationID>urn:cen.eu:en16931:2017</b:CustomizationID><b:ProfileID>B1</b:ProfileID><b:ID>F-2024-7</b:ID><b:IssueDate>2024-04-15+02:00</b:IssueDate><b:DueDate>2024-05-15</b:DueDate>
<b:InvoiceTypeCode>380</b:InvoiceTypeCode><b:DocumentCurrencyCode>EUR</b:DocumentCurrencyCode><b:BuyerReference>VOIRIE</b:BuyerReference>
<a:OrderReference><b:ID>BC-77</b:ID></a:OrderReference><a:ContractDocumentReference><b:ID>M-12</b:ID></a:ContractDocumentReference>
<a:AccountingSupplierParty><a:Party><a:PartyIdentification><b:ID schemeID="0002">999999999</b:ID></a:PartyIdentification><a:PartyIdentification><b:ID schemeID="0009">99999999900027</b:ID></a:PartyIdentification><a:PartyName><b:Name>Val</b:Name></a:PartyName>
<a:PartyLegalEntity><b:RegistrationName>Granulats du Val</b:RegistrationName><b:CompanyID schemeID="0002">999999999</b:CompanyID></a:PartyLegalEntity></a:Party></a:AccountingSupplierParty>
<a:AccountingCustomerParty><a:Party><a:PartyLegalEntity><b:RegistrationName>Commune de Mondaine</b:RegistrationName><b:CompanyID>99999999900001</b:CompanyID></a:PartyLegalEntity></a:Party></a:AccountingCustomerParty>
<a:PaymentMeans><b:PaymentMeansCode>30</b:PaymentMeansCode><a:PayeeFinancialAccount><b:ID>FR7630001007941234567890185</b:ID></a:PayeeFinancialAccount></a:PaymentMeans>
<a:TaxTotal><b:TaxAmount currencyID="EUR">20.00</b:TaxAmount><a:TaxSubtotal><b:TaxableAmount>100.00</b:TaxableAmount><b:TaxAmount>20.00</b:TaxAmount><a:TaxCategory><b:ID>S</b:ID><b:Percent>20</b:Percent></a:TaxCategory></a:TaxSubtotal></a:TaxTotal>
<a:LegalMonetaryTotal><b:TaxExclusiveAmount>100.00</b:TaxExclusiveAmount><b:TaxInclusiveAmount>120.00</b:TaxInclusiveAmount><b:PayableAmount>120.00</b:PayableAmount></a:LegalMonetaryTotal>
</Invoice>`

// The same invoice gives the same index fields in every syntax, in the words of Pastell.
func TestFields(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"no_facture": "F-2024-7", "date_facture": "2024-04-15", "type_facture": "FACTURE", "facture_cadre": "A1",
		"fournisseur": "99999999900027", "type_identifiant": "SIRET", "fournisseur_raison_sociale": "Granulats du Val",
		"siret": "99999999900001", "service_destinataire_code": "VOIRIE", "montant_ttc": "120.00",
		"facture_numero_engagement": "BC-77", "facture_numero_marche": "M-12",
	}
	pivot := pivotFixture(pivotInvoice("F-2024-7", "", piece("01", "f.pdf", []byte("%PDF-1.4"))))
	with := func(more ...string) map[string]string {
		m := maps.Clone(want)
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	for name, tt := range map[string]struct {
		text string
		want map[string]string
	}{
		"pivot": {pivot, with("id_facture_cpp", "519451")},
		"mixte": {strings.NewReplacer("CPPFacturePivot", "CPPFactureMixte", "<CPPFacturePivot>", `<CPPFactureMixte xmlns="http://chorus-factures.budget.gouv.fr/facture">`,
			"<IdCPRO>519451</IdCPRO>", "", "TVAs", "TVAS").Replace(pivot), want},
		"cii": {string(ciiFixture(`<ram:BuyerOrderReferencedDocument><ram:IssuerAssignedID>BC-77</ram:IssuerAssignedID></ram:BuyerOrderReferencedDocument>
<ram:ContractReferencedDocument><ram:IssuerAssignedID>M-12</ram:IssuerAssignedID></ram:ContractReferencedDocument>`)), want},
		"ubl": {ublFixture, with("facture_cadre", "A9")},
	} {
		inv := one(t, tt.text, nil)
		if got := inv.Fields(); !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v\nwant %v", name, got, tt.want)
		}
		if len(inv.Deviations) > 0 {
			t.Errorf("%s: %v", name, inv.Deviations)
		}
		if inv.Amounts.HT != "100.00" || inv.Amounts.NetAPayer != "120.00" || len(inv.VATLines) != 1 || inv.VATLines[0].Amount != "20.00" {
			t.Errorf("%s: %+v %+v", name, inv.Amounts, inv.VATLines)
		}
	}
}

// A flow of several invoices has the fields that all of them have in common.
func TestFieldsInCommon(t *testing.T) {
	t.Parallel()
	flow, err := Decode(t.Context(), strings.NewReader(pivotFixture(
		pivotInvoice("F-1", ""), pivotInvoice("F-2", "<Cadre>A9</Cadre>"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := flow.Fields()
	if got["siret"] != "99999999900001" || got["no_facture"] != "" || got["facture_cadre"] != "" {
		t.Errorf("%v", got)
	}
	if len((&Flow{}).Fields()) != 0 {
		t.Error("fields of nothing")
	}
}

// Account numbers and natural persons come out only when asked for, not in any form of the
// result, also when the file breaks off.
func TestPersonal(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("<TypeIdentifiant>1", "<TypeIdentifiant>7", "99999999900027", "DUPONT JEANNE 1970", "Granulats du Val", "Jeanne Dupont").
		Replace(pivotFixture(pivotInvoice("F-1", "", piece("01", "f.pdf", []byte("%PDF-1.4")))))
	for _, cut := range []int{len(text), strings.Index(text, "<PJ>")} {
		for _, personal := range []bool{false, true} {
			flow, _ := Decode(t.Context(), strings.NewReader(text[:cut]), &Options{Personal: personal})
			b, _ := json.Marshal(flow)
			for _, secret := range []string{"FR7630001007941234567890185", "DUPONT", "Jeanne"} {
				if strings.Contains(string(b), secret) != personal {
					t.Errorf("personal %t, cut %d: %s is there: %t", personal, cut, secret, !personal)
				}
			}
			if f := flow.Fields(); personal && (f["fournisseur"] != "" || f["fournisseur_raison_sociale"] != "") {
				t.Errorf("index fields hold a person: %v", f)
			}
		}
	}
}

// What is against the norm is read and told, with its path.
func TestDeviations(t *testing.T) {
	t.Parallel()
	pj := piece("01", "f.pdf", []byte("%PDF-1.4"))
	invoice := func(old, new string) string {
		text := pivotFixture(pivotInvoice("F-1", "", pj))
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not there to be replaced", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, tt := range map[string]struct{ text, path, reason string }{
		"no number":      {invoice("<Id>F-1</Id>", ""), "number", "missing"},
		"long number":    {invoice("F-1", "F-12345678901234567890"), "number", "20 characters"},
		"type":           {invoice(">380<", ">999<"), "type", `"999"`},
		"no type":        {invoice("<Type>380</Type>", ""), "type", "missing"},
		"date":           {invoice("2024-04-15", "2024-02-31"), "date", "no date"},
		"cadre":          {invoice(">A1<", ">A26<"), "cadre", "unknown"},
		"siret":          {invoice("99999999900001", "9999999990000"), "recipient.siret", "14 digits"},
		"supplier":       {invoice("99999999900027", "999 999 999 00027"), "supplier.id", "14 digits"},
		"amount":         {invoice("<MontantTTC>120.00", "<MontantTTC>120,00"), "amounts.ttc", `"120,00"`},
		"sum":            {invoice("<MontantTTC>120.00", "<MontantTTC>121.00"), "amounts", "total"},
		"vat":            {invoice("<MontantTVA>20.00", "<MontantTVA>NaN"), "vat_lines.0.amount", "no amount"},
		"no attachment":  {pivotFixture(pivotInvoice("F-1", "")), "files", "no attachment"},
		"no content":     {pivotFixture(pivotInvoice("F-1", "", "<PJ><NomPJ>a</NomPJ></PJ>")), "PJ", "no content"},
		"two contents":   {invoice("<Contenu>", "<Contenu>QQ==</Contenu><Contenu>"), "PJ", "second content"},
		"junk":           {invoice("<Contenu>", "<Contenu>*"), "PJ", "character 0 "},
		"junk behind =":  {invoice("<Contenu>", "<Contenu>QQ==QQ"), "PJ", "character 4 "},
		"no name":        {invoice("<NomPJ>f.pdf</NomPJ>", ""), "PJ", "no name"},
		"long name":      {invoice("f.pdf", strings.Repeat("n", 51)), "PJ", "50 characters"},
		"kind":           {invoice("<TypePJ>01", "<TypePJ>03"), "PJ", `"03"`},
		"label":          {invoice("application/pdf", "image/png"), "PJ", "application/pdf"},
		"label of other": {pivotFixture(pivotInvoice("F-1", "", piece("01", "f.pdf", []byte("Bonjour")))), "PJ", "which it is not"},
		"long value":     {invoice("Commune de Mondaine", strings.Repeat("é", 600)), "Debiteur/Nom", "cut"},
	} {
		inv := one(t, tt.text, nil)
		if !slices.ContainsFunc(inv.Deviations, func(d payload.Deviation) bool {
			return d.Path == tt.path && strings.Contains(d.Reason, tt.reason)
		}) {
			t.Errorf("%s: %v", name, inv.Deviations)
		}
	}
	for name, tt := range map[string]struct{ text, path, reason string }{
		"count":   {strings.Replace(pivotFixture(pivotInvoice("F-1", "", pj)), `"1"`, `"2"`, 1), "CPPFactures/@Compteur", "1 invoices"},
		"nothing": {pivotFixture(), "CPPFactures", "no invoice"},
		"charset": {pivotFixture(pivotInvoice("F-\xe9", "", pj)), "CPPFacturePivot", "UTF-8"},
	} {
		flow, err := Decode(t.Context(), strings.NewReader(tt.text), nil)
		if err != nil || !slices.ContainsFunc(flow.Deviations, func(d payload.Deviation) bool {
			return d.Path == tt.path && strings.Contains(d.Reason, tt.reason)
		}) {
			t.Errorf("%s: %v, %v", name, flow.Deviations, err)
		}
	}
}

// A type that identifies a party is told as Chorus Pro numbers it, and a SIRET is preferred
// to what else a party has.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ scheme, value, want string }{
		{"1", "99999999900027", "1"}, {"0009", "99999999900027", "1"}, {"0002", "99999999900027", "1"}, {"0002", "999999999", "SIREN"},
		{"2", "BE0000000196", "2"}, {"02", "BE0000000196", "2"}, {"7", "x", "7"}, {"0088", "1238764941386", "0088"}, {"", "99999999900027", "1"}, {"", "12", ""},
	} {
		if got := idType(tt.scheme, tt.value); got != tt.want {
			t.Errorf("%s %s is %s", tt.scheme, tt.value, got)
		}
	}
}

// Statuses are read by the names of their elements wherever these stand: in units, without
// units, several steps in one unit, the time within or without.
func TestStatuses(t *testing.T) {
	t.Parallel()
	unit := `<Fournisseur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>99999999900027</Identifiant></Fournisseur><Debiteur><Identifiant>99999999900001</Identifiant></Debiteur>`
	step := `<DonneesStatut><IdFacture>F-1</IdFacture><IdStatut>%s</IdStatut><Commentaire>vu</Commentaire></DonneesStatut>`
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"unit":       {"<CPPStatutPivot><x><CPPFactureStatutUnitaire>" + unit + fmt.Sprintf(step, "03") + "</CPPFactureStatutUnitaire></x></CPPStatutPivot>", []string{"F-1 03 MISE_A_DISPOSITION 99999999900027  "}},
		"two steps":  {"<CPPStatutPivot><CPPFactureStatutUnitaire>" + unit + fmt.Sprintf(step, "03") + fmt.Sprintf(step, "08") + "</CPPFactureStatutUnitaire></CPPStatutPivot>", []string{"F-1 03 MISE_A_DISPOSITION 99999999900027  ", "F-1 08 MANDATEE 99999999900027  "}},
		"no unit":    {"<CPPFluxStatuts><Horodatage>2024-04-16T10:00:00</Horodatage>" + fmt.Sprintf(step, "01") + fmt.Sprintf(step, "99") + "</CPPFluxStatuts>", []string{"F-1 01 DEPOSEE  2024-04-16T10:00:00 ", "F-1 99   2024-04-16T10:00:00 code"}},
		"empty step": {"<CPPFluxStatuts><DonneesStatut/></CPPFluxStatuts>", []string{"     invoice"}},
		"nothing":    {"<CPPFluxStatuts/>", nil},
	} {
		flow, err := Decode(t.Context(), strings.NewReader(tt.text), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, s := range flow.Statuses {
			line := strings.Join([]string{s.Invoice, s.Code, s.Label, s.Supplier.ID, s.Date}, " ") + " "
			if len(s.Deviations) > 0 {
				line += s.Deviations[0].Path
			}
			got = append(got, line)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A file of others is told by ErrUnknown before anything goes out; a damaged one of ours by
// class poison with what was read before; what the source or the caller does wrong by
// its own error.
func TestErrors(t *testing.T) {
	t.Parallel()
	whole := pivotFixture(pivotInvoice("F-1", "", piece("01", "f.pdf", []byte("%PDF-1.4"))), pivotInvoice("F-2", ""))
	for _, text := range []string{"", "Bonjour", "<PES_Aller/>", "<!DOCTYPE x><CPPFacturePivot/>", "<html>"} {
		if _, err := Decode(t.Context(), strings.NewReader(text), nil); !errors.Is(err, ErrUnknown) || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
			t.Errorf("%q: %v", text, err)
		}
	}
	flow, err := Decode(t.Context(), strings.NewReader(whole[:len(whole)-40]), nil)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || errors.Is(err, ErrUnknown) || len(flow.Invoices) != 2 || flow.Invoices[0].Number != "F-1" {
		t.Errorf("cut: %v", err)
	}
	if _, err := Decode(t.Context(), io.MultiReader(strings.NewReader(whole[:2000]), iotest.ErrReader(errors.New("lost"))), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Errorf("source: %v", err)
	}
	full := errors.New("full")
	for name, decode := range map[string]func(*Options) error{
		"decode": func(o *Options) error { _, err := Decode(t.Context(), strings.NewReader(whole), o); return err },
		"flow":   func(o *Options) error { _, err := DecodeFlow(t.Context(), "", strings.NewReader(whole), o); return err },
		"zip": func(o *Options) error {
			_, err := DecodeFlow(t.Context(), "", bytes.NewReader(zipped("a.xml", whole)), o)
			return err
		},
		"pdf": func(o *Options) error {
			pdf := facturX("factur-x.xml", ciiFixture(""), false, true)
			_, err := DecodePDF(t.Context(), bytes.NewReader(pdf), int64(len(pdf)), o)
			return err
		},
	} {
		if err := decode(&Options{Out: func(*payload.File, io.Reader) error { return full }}); err != full {
			t.Errorf("out of %s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Decode(ctx, strings.NewReader(whole), &Options{Out: func(_ *payload.File, r io.Reader) error {
		cancel()
		_, err := io.ReadAll(r)
		return err
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
