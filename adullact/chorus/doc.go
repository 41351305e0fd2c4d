// Package chorus reads what Chorus Pro, the French state's portal of invoices, and those
// around it exchange: invoices and the steps of their life.
//
//	CPPFacturePivot      what a town hall receives: 1..n invoices and their attachments
//	CPPFactureMixte      the same as suppliers send it (XSD V1_16)
//	Invoice, CreditNote  UBL 2.1
//	CrossIndustryInvoice UN/CEFACT CII D16B; inside a PDF it is Factur-X (DecodePDF)
//	CPPStatutPivot, CPPFluxStatuts, CrossDomainAcknowledgementAndResponse: statuses
//
// [Decode] reads one XML file as a stream: neither a flow of many invoices nor an
// attachment of 90 MB inside one element costs memory. Attachments come out while it
// reads, through [Options.Out], unpacked and named. [DecodeFlow] takes a file as it goes
// over the wire: bare, zip or tar.gz, without extension.
//
// Real files break the norm: what can be read is read, and Deviations tell what was
// wrong. Amounts and dates are text, an amount never a float. Account numbers and names
// of natural persons are left out unless [Options.Personal] asks for them; names of
// contacts are never read.
package chorus
