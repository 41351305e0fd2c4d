package chorus

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// ciiFixture is an invoice in CII; extra stands in the agreement.
func ciiFixture(extra string) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
<rsm:ExchangedDocumentContext><ram:BusinessProcessSpecifiedDocumentContextParameter><ram:ID>A1</ram:ID></ram:BusinessProcessSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>
<rsm:ExchangedDocument><ram:ID>F-2024-7</ram:ID><ram:TypeCode>380</ram:TypeCode><ram:IssueDateTime><udt:DateTimeString format="102">20240415</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument>
<rsm:SupplyChainTradeTransaction>
<ram:ApplicableHeaderTradeAgreement><ram:BuyerReference>VOIRIE</ram:BuyerReference>
<ram:SellerTradeParty><ram:Name>Granulats du Val</ram:Name><ram:SpecifiedLegalOrganization><ram:ID schemeID="0002">99999999900027</ram:ID></ram:SpecifiedLegalOrganization></ram:SellerTradeParty>
<ram:BuyerTradeParty><ram:Name>Commune de Mondaine</ram:Name><ram:SpecifiedLegalOrganization><ram:ID schemeID="1">99999999900001</ram:ID></ram:SpecifiedLegalOrganization></ram:BuyerTradeParty>
%s</ram:ApplicableHeaderTradeAgreement>
<ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
<ram:SpecifiedTradeSettlementPaymentMeans><ram:TypeCode>30</ram:TypeCode><ram:PayeePartyCreditorFinancialAccount><ram:IBANID>FR7630001007941234567890185</ram:IBANID></ram:PayeePartyCreditorFinancialAccount></ram:SpecifiedTradeSettlementPaymentMeans>
<ram:ApplicableTradeTax><ram:CalculatedAmount>20.00</ram:CalculatedAmount><ram:BasisAmount>100.00</ram:BasisAmount><ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>20</ram:RateApplicablePercent></ram:ApplicableTradeTax>
<ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:TaxBasisTotalAmount>100.00</ram:TaxBasisTotalAmount><ram:TaxTotalAmount currencyID="USD">21.00</ram:TaxTotalAmount><ram:TaxTotalAmount currencyID="EUR">20.00</ram:TaxTotalAmount><ram:GrandTotalAmount>120.00</ram:GrandTotalAmount><ram:DuePayableAmount>120.00</ram:DuePayableAmount></ram:SpecifiedTradeSettlementHeaderMonetarySummation>
</ram:ApplicableHeaderTradeSettlement></rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>`, extra)
}

// pivotFixture is a pivot flow of these invoices.
func pivotFixture(invoices ...string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<CPPFacturePivot><Enveloppe><EnveloppeUnitaire><Parametres>
<ParametreIndiv><Code>DtPrd</Code><Valeurparametre>2024-04-16</Valeurparametre></ParametreIndiv>
<ParametreIndiv><Code>IdFlx</Code><Valeurparametre>CPP024000000000000000007</Valeurparametre></ParametreIndiv>
</Parametres><Partenaires><Recepteur><Id>XXX001</Id></Recepteur><Emetteur><Id>CPP001</Id></Emetteur></Partenaires></EnveloppeUnitaire></Enveloppe>
<CPPFactures Compteur="%d">%s</CPPFactures></CPPFacturePivot>`, len(invoices), strings.Join(invoices, ""))
}

// pivotInvoice is one invoice of a pivot flow, with what data adds to or puts before its
// own values, and these attachments.
func pivotInvoice(number, data string, pj ...string) string {
	return fmt.Sprintf(`<CPPFacturePivotUnitaire>
<Fournisseur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>99999999900027</Identifiant><RaisonSociale>Granulats du Val</RaisonSociale>
<ReferenceBancaire Type="IBAN"><Compte>FR7630001007941234567890185</Compte></ReferenceBancaire></Fournisseur>
<Debiteur><Identifiant>99999999900001</Identifiant><Nom>Commune de Mondaine</Nom><CodeService>VOIRIE</CodeService></Debiteur>
<DonneesFacture>%s<Id>%s</Id><IdCPRO>519451</IdCPRO><Type>380</Type><Cadre>A1</Cadre><DateEmissionFacture>2024-04-15</DateEmissionFacture>
<ModePaiement><Code>30</Code></ModePaiement><Montants><MontantHT>100.00</MontantHT><MontantTTC>120.00</MontantTTC><MontantNetAPayer>120.00</MontantNetAPayer></Montants>
<TVAs><TVA><Taux>20</Taux><BaseHt>100.00</BaseHt><MontantTVA>20.00</MontantTVA></TVA></TVAs>
<Engagement><NumeroMarche>M-12</NumeroMarche><NumeroEngagement>BC-77</NumeroEngagement></Engagement></DonneesFacture>
%s</CPPFacturePivotUnitaire>`, data, number, strings.Join(pj, ""))
}

// piece is an attachment; its name comes after its content.
func piece(kind, name string, content []byte) string {
	return fmt.Sprintf("<PJ><Contenu>%s</Contenu><NomPJ>%s</NomPJ><TypePJ>%s</TypePJ><MimeTypePJ>application/pdf</MimeTypePJ></PJ>",
		base64.StdEncoding.EncodeToString(content), name, kind)
}

// zipped is a zip of names and contents in turn.
func zipped(files ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, _ := z.Create(files[i])
		w.Write([]byte(files[i+1]))
	}
	z.Close()
	return b.Bytes()
}
