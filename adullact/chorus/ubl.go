package chorus

// UBL 2.1, EN 16931-3-2, with the extension of AIFE for the cadre.
const (
	ublSeller = "AccountingSupplierParty/Party/"
	ublBuyer  = "AccountingCustomerParty/Party/"
	ublFile   = "AdditionalDocumentReference"
	ublTax    = "TaxTotal/TaxSubtotal"
)

var ubl = &format{
	name: FormatUBL,
	start: map[string]func(*reader){
		"": func(r *reader) {
			r.begin()
			if r.flow.Root == "CreditNote" {
				r.inv.Type = "381" // unless CreditNoteTypeCode says better
			}
		},
		ublTax:  addVAT,
		ublFile: addFile,
	},
	end:   map[string]func(*reader){ublFile: func(r *reader) { r.att.done = true }},
	file:  map[string]bool{ublFile + "/Attachment/EmbeddedDocumentBinaryObject": true},
	close: func(r *reader) { r.finish() },
	text: map[string]func(*reader, string){
		"UBLVersionID":    first(func(r *reader) *string { return &r.flow.Version }),
		"CustomizationID": first(func(r *reader) *string { return &r.flow.Profile }),
		"ProfileID":       first(func(r *reader) *string { return &r.process }),
		"UBLExtensions/UBLExtension/ExtensionContent/FactureExtension/CategoryCode": first(func(r *reader) *string { return &r.inv.Cadre }),
		"UBLExtensions/UBLExtension/ExtensionContent/CategoryCode":                  first(func(r *reader) *string { return &r.inv.Cadre }),

		"ID":                   first(func(r *reader) *string { return &r.inv.Number }),
		"IssueDate":            first(func(r *reader) *string { return &r.inv.Date }),
		"DueDate":              first(func(r *reader) *string { return &r.inv.Due }),
		"InvoiceTypeCode":      first(func(r *reader) *string { return &r.inv.Type }),
		"CreditNoteTypeCode":   func(r *reader, v string) { r.inv.Type = v },
		"DocumentCurrencyCode": first(func(r *reader) *string { return &r.inv.Currency }),
		"BuyerReference":       first(func(r *reader) *string { return &r.inv.Recipient.Service }),

		"OrderReference/ID":                            first(func(r *reader) *string { return &r.inv.Engagement }),
		"ContractDocumentReference/ID":                 first(func(r *reader) *string { return &r.inv.Marche }),
		"BillingReference/InvoiceDocumentReference/ID": first(func(r *reader) *string { return &r.inv.Origin }),

		ublSeller + "PartyIdentification/ID":                   party(supplier),
		ublSeller + "PartyLegalEntity/CompanyID":               legal(supplier),
		ublSeller + "PartyTaxScheme/CompanyID":                 first(func(r *reader) *string { return &r.inv.Supplier.VAT }),
		ublSeller + "PartyName/Name":                           first(func(r *reader) *string { return &r.inv.Supplier.Name }),
		ublSeller + "PartyLegalEntity/RegistrationName":        func(r *reader, v string) { r.inv.Supplier.Name = v },
		ublSeller + "PostalAddress/Country/IdentificationCode": first(func(r *reader) *string { return &r.inv.Supplier.Country }),
		ublBuyer + "PartyIdentification/ID":                    party(recipient),
		ublBuyer + "PartyLegalEntity/CompanyID":                legal(recipient),
		ublBuyer + "PartyName/Name":                            first(func(r *reader) *string { return &r.inv.Recipient.Name }),
		ublBuyer + "PartyLegalEntity/RegistrationName":         func(r *reader, v string) { r.inv.Recipient.Name = v },

		ublFile + "/ID":                  first(func(r *reader) *string { return &r.att.Name }),
		ublFile + "/DocumentType":        first(func(r *reader) *string { return &r.att.Category }),
		ublFile + "/DocumentDescription": first(func(r *reader) *string { return &r.att.Category }),

		"PaymentMeans/PaymentMeansCode":         first(func(r *reader) *string { return &r.inv.Payment.Code }),
		"PaymentMeans/PaymentDueDate":           first(func(r *reader) *string { return &r.inv.Due }),
		"PaymentMeans/PayeeFinancialAccount/ID": first(func(r *reader) *string { return &r.inv.IBAN }),

		"TaxTotal/TaxAmount":                    inCurrency(func(r *reader) *amount { return &r.inv.Amounts.TVA }),
		ublTax + "/TaxableAmount":               first(func(r *reader) *amount { return &last(r.inv.VATLines).Base }),
		ublTax + "/TaxAmount":                   first(func(r *reader) *amount { return &last(r.inv.VATLines).Amount }),
		ublTax + "/TaxCategory/Percent":         first(func(r *reader) *amount { return &last(r.inv.VATLines).Rate }),
		ublTax + "/TaxCategory/ID":              first(func(r *reader) *string { return &last(r.inv.VATLines).Category }),
		"LegalMonetaryTotal/TaxExclusiveAmount": first(func(r *reader) *amount { return &r.inv.Amounts.HT }),
		"LegalMonetaryTotal/TaxInclusiveAmount": first(func(r *reader) *amount { return &r.inv.Amounts.TTC }),
		"LegalMonetaryTotal/PayableAmount":      first(func(r *reader) *amount { return &r.inv.Amounts.NetAPayer }),
	},
}
