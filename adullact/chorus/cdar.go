package chorus

// CDAR is the life cycle of invoices between approved platforms, from September 2026.
const (
	cdarDocument = "AcknowledgementDocument"
	cdarInvoice  = cdarDocument + "/ReferenceReferencedDocument"
	cdarReason   = cdarInvoice + "/SpecifiedDocumentStatus"
)

var cdar = &format{
	name: FormatCDAR,
	start: map[string]func(*reader){
		cdarDocument: func(r *reader) { r.stamp = "" },
		cdarInvoice:  func(r *reader) { r.beginStatus(false) },
		cdarReason: func(r *reader) {
			if len(r.status.Reasons) < maxList {
				r.status.Reasons = append(r.status.Reasons, Reason{})
			}
		},
	},
	end: map[string]func(*reader){
		cdarInvoice: func(r *reader) {
			r.status.Date = r.stamp
			r.finishStatus()
		},
	},
	text: map[string]func(*reader, string){
		"ExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID": first(func(r *reader) *string { return &r.flow.Profile }),
		cdarDocument + "/IssueDateTime/DateTimeString":                           first(func(r *reader) *string { return &r.stamp }),

		cdarInvoice + "/IssuerAssignedID":                      ofStatus(func(s *Status) *string { return &s.Invoice }),
		cdarInvoice + "/TypeCode":                              ofStatus(func(s *Status) *string { return &s.Type }),
		cdarInvoice + "/FormattedIssueDateTime/DateTimeString": ofStatus(func(s *Status) *string { return &s.IssueDate }),
		cdarInvoice + "/ProcessConditionCode":                  ofStatus(func(s *Status) *string { return &s.Code }),
		cdarInvoice + "/ProcessCondition":                      ofStatus(func(s *Status) *string { return &s.Label }),
		cdarInvoice + "/IssuerTradeParty/GlobalID": func(r *reader, v string) {
			if p := &r.status.Supplier; p.ID == "" {
				p.ID, p.IDType = v, idType(r.attr("schemeID"), v)
			}
		},
		cdarReason + "/ReasonCode":      first(func(r *reader) *string { return &last(r.status.Reasons).Code }),
		cdarReason + "/Reason":          first(func(r *reader) *string { return &last(r.status.Reasons).Label }),
		cdarReason + "/RequestedAction": first(func(r *reader) *string { return &last(r.status.Reasons).Action }),
	},
}
