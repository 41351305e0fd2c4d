package chorus

// CII D16B as AIFE and Factur-X use it; EN 16931-3-3. The names of D16B's predecessor,
// which ZUGFeRD 1 has, are taken for those of today.
const (
	ciiContext   = "ExchangedDocumentContext/"
	ciiDocument  = "ExchangedDocument/"
	ciiAgreement = "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement/"
	ciiSeller    = ciiAgreement + "SellerTradeParty/"
	ciiBuyer     = ciiAgreement + "BuyerTradeParty/"
	ciiFile      = ciiAgreement + "AdditionalReferencedDocument"
	ciiSettle    = "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/"
	ciiMeans     = ciiSettle + "SpecifiedTradeSettlementPaymentMeans/"
	ciiTax       = ciiSettle + "ApplicableTradeTax"
	ciiSum       = ciiSettle + "SpecifiedTradeSettlementHeaderMonetarySummation/"
)

var cii = &format{
	name: FormatCII,
	alias: map[string]string{
		"SpecifiedExchangedDocumentContext":         "ExchangedDocumentContext",
		"HeaderExchangedDocument":                   "ExchangedDocument",
		"SpecifiedSupplyChainTradeTransaction":      "SupplyChainTradeTransaction",
		"ApplicableSupplyChainTradeAgreement":       "ApplicableHeaderTradeAgreement",
		"ApplicableSupplyChainTradeSettlement":      "ApplicableHeaderTradeSettlement",
		"SpecifiedTradeSettlementMonetarySummation": "SpecifiedTradeSettlementHeaderMonetarySummation",
		"ApplicablePercent":                         "RateApplicablePercent",
	},
	start: map[string]func(*reader){
		"":      func(r *reader) { r.begin() },
		ciiTax:  addVAT,
		ciiFile: addFile,
	},
	end:   map[string]func(*reader){ciiFile: func(r *reader) { r.att.done = true }},
	file:  map[string]bool{ciiFile + "/AttachmentBinaryObject": true},
	close: func(r *reader) { r.finish() },
	text: map[string]func(*reader, string){
		ciiContext + "BusinessProcessSpecifiedDocumentContextParameter/ID": first(func(r *reader) *string { return &r.process }),
		ciiContext + "GuidelineSpecifiedDocumentContextParameter/ID":       first(func(r *reader) *string { return &r.flow.Profile }),

		ciiDocument + "ID":                           first(func(r *reader) *string { return &r.inv.Number }),
		ciiDocument + "TypeCode":                     first(func(r *reader) *string { return &r.inv.Type }),
		ciiDocument + "IssueDateTime/DateTimeString": first(func(r *reader) *string { return &r.inv.Date }),

		ciiAgreement + "BuyerReference":                                first(func(r *reader) *string { return &r.inv.Recipient.Service }),
		ciiAgreement + "BuyerOrderReferencedDocument/IssuerAssignedID": first(func(r *reader) *string { return &r.inv.Engagement }),
		ciiAgreement + "BuyerOrderReferencedDocument/ID":               first(func(r *reader) *string { return &r.inv.Engagement }),
		ciiAgreement + "ContractReferencedDocument/IssuerAssignedID":   first(func(r *reader) *string { return &r.inv.Marche }),
		ciiAgreement + "ContractReferencedDocument/ID":                 first(func(r *reader) *string { return &r.inv.Marche }),

		ciiSeller + "ID":                            party(supplier),
		ciiSeller + "GlobalID":                      party(supplier),
		ciiSeller + "SpecifiedLegalOrganization/ID": legal(supplier),
		ciiSeller + "SpecifiedTaxRegistration/ID":   ciiVAT(func(r *reader) *string { return &r.inv.Supplier.VAT }),
		ciiSeller + "Name":                          first(func(r *reader) *string { return &r.inv.Supplier.Name }),
		ciiSeller + "PostalTradeAddress/CountryID":  first(func(r *reader) *string { return &r.inv.Supplier.Country }),
		ciiBuyer + "ID":                             party(recipient),
		ciiBuyer + "GlobalID":                       party(recipient),
		ciiBuyer + "SpecifiedLegalOrganization/ID":  legal(recipient),
		ciiBuyer + "Name":                           first(func(r *reader) *string { return &r.inv.Recipient.Name }),

		ciiFile + "/IssuerAssignedID": first(func(r *reader) *string { return &r.att.Name }),
		ciiFile + "/Name":             first(func(r *reader) *string { return &r.att.Category }),

		ciiSettle + "InvoiceCurrencyCode":                                       first(func(r *reader) *string { return &r.inv.Currency }),
		ciiSettle + "InvoiceReferencedDocument/IssuerAssignedID":                first(func(r *reader) *string { return &r.inv.Origin }),
		ciiSettle + "SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString": first(func(r *reader) *string { return &r.inv.Due }),
		ciiMeans + "TypeCode":                                                   first(func(r *reader) *string { return &r.inv.Payment.Code }),
		ciiMeans + "Information":                                                first(func(r *reader) *string { return &r.inv.Payment.Label }),
		ciiMeans + "PayeePartyCreditorFinancialAccount/IBANID":                  first(func(r *reader) *string { return &r.inv.IBAN }),

		ciiTax + "/CalculatedAmount":      first(func(r *reader) *amount { return &last(r.inv.VATLines).Amount }),
		ciiTax + "/BasisAmount":           first(func(r *reader) *amount { return &last(r.inv.VATLines).Base }),
		ciiTax + "/RateApplicablePercent": first(func(r *reader) *amount { return &last(r.inv.VATLines).Rate }),
		ciiTax + "/CategoryCode":          first(func(r *reader) *string { return &last(r.inv.VATLines).Category }),

		ciiSum + "TaxBasisTotalAmount": inCurrency(func(r *reader) *amount { return &r.inv.Amounts.HT }),
		ciiSum + "TaxTotalAmount":      inCurrency(func(r *reader) *amount { return &r.inv.Amounts.TVA }),
		ciiSum + "GrandTotalAmount":    inCurrency(func(r *reader) *amount { return &r.inv.Amounts.TTC }),
		ciiSum + "DuePayableAmount":    inCurrency(func(r *reader) *amount { return &r.inv.Amounts.NetAPayer }),
	},
}

// ciiVAT takes the VAT number, not the number of the local tax office (FC).
func ciiVAT(p func(*reader) *string) func(*reader, string) {
	set := first(p)
	return func(r *reader, v string) {
		if s := r.attr("schemeID"); s == "VA" || s == "" {
			set(r, v)
		}
	}
}

// inCurrency takes an amount in the currency of the invoice: the VAT may stand there a
// second time in the currency of the books (EN 16931, BT-111).
func inCurrency(p func(*reader) *amount) func(*reader, string) {
	set := first(p)
	return func(r *reader, v string) {
		if c := r.attr("currencyID"); c == "" || r.inv.Currency == "" || c == r.inv.Currency {
			set(r, v)
		}
	}
}
