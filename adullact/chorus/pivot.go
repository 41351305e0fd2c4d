package chorus

// CPPFacturePivot (V2_02) and CPPFactureMixte (V1_16) differ by a few names.
var (
	pivot = &format{name: FormatPivot, start: cppStart, text: cppText, unit: map[string]*format{"CPPFactures/CPPFacturePivotUnitaire": cppInvoice}, close: counted}
	mixte = &format{name: FormatMixte, start: cppStart, text: cppText, unit: map[string]*format{"CPPFactures/CPPFactureMixteUnitaire": cppInvoice}, close: counted}
)

const cppParameter = "Enveloppe/EnveloppeUnitaire/Parametres/ParametreIndiv"

var cppStart = map[string]func(*reader){
	"CPPFactures": func(r *reader) { r.counter = r.attr("Compteur") },
	cppParameter: func(r *reader) {
		if len(r.flow.Parameters) < maxList {
			r.flow.Parameters = append(r.flow.Parameters, Parameter{})
		}
	},
}

var cppText = map[string]func(*reader, string){
	cppParameter + "/Code":                                 first(func(r *reader) *string { return &last(r.flow.Parameters).Code }),
	cppParameter + "/Valeurparametre":                      first(func(r *reader) *string { return &last(r.flow.Parameters).Value }),
	"Enveloppe/EnveloppeUnitaire/Partenaires/Emetteur/Id":  first(func(r *reader) *string { return &r.flow.Sender }),
	"Enveloppe/EnveloppeUnitaire/Partenaires/Recepteur/Id": first(func(r *reader) *string { return &r.flow.Receiver }),
}

// last is the last of a list that has one.
func last[T any](list []T) *T { return &list[len(list)-1] }

var cppInvoice = &format{
	start: map[string]func(*reader){
		"":                        func(r *reader) { r.begin() },
		"DonneesFacture/TVAs/TVA": addVAT,
		"DonneesFacture/TVAS/TVA": addVAT,
		"PJ":                      addFile,
	},
	end:   map[string]func(*reader){"PJ": func(r *reader) { r.att.done = true }},
	file:  map[string]bool{"PJ/Contenu": true},
	close: func(r *reader) { r.finish() },
	text: map[string]func(*reader, string){
		"Fournisseur/TypeIdentifiant":          first(func(r *reader) *string { return &r.inv.Supplier.IDType }),
		"Fournisseur/Identifiant":              first(func(r *reader) *string { return &r.inv.Supplier.ID }),
		"Fournisseur/RaisonSociale":            first(func(r *reader) *string { return &r.inv.Supplier.Name }),
		"Fournisseur/CodePays":                 first(func(r *reader) *string { return &r.inv.Supplier.Country }),
		"Fournisseur/ReferenceBancaire/Compte": first(func(r *reader) *string { return &r.inv.IBAN }),

		"Debiteur/Identifiant": first(func(r *reader) *string { return &r.inv.Recipient.SIRET }),
		"Debiteur/Nom":         first(func(r *reader) *string { return &r.inv.Recipient.Name }),
		"Debiteur/CodeService": first(func(r *reader) *string { return &r.inv.Recipient.Service }),
		"Debiteur/NomService":  first(func(r *reader) *string { return &r.inv.Recipient.ServiceName }),

		"DonneesFacture/Id":                          first(func(r *reader) *string { return &r.inv.Number }),
		"DonneesFacture/IdFactureOrigine":            first(func(r *reader) *string { return &r.inv.Origin }),
		"DonneesFacture/IdCPRO":                      first(func(r *reader) *string { return &r.inv.IDCPRO }),
		"DonneesFacture/Type":                        first(func(r *reader) *string { return &r.inv.Type }),
		"DonneesFacture/Cadre":                       first(func(r *reader) *string { return &r.inv.Cadre }),
		"DonneesFacture/DateEmissionFacture":         first(func(r *reader) *string { return &r.inv.Date }),
		"DonneesFacture/DateReception":               first(func(r *reader) *string { return &r.inv.Received }),
		"DonneesFacture/ModePaiement/Code":           first(func(r *reader) *string { return &r.inv.Payment.Code }),
		"DonneesFacture/ModePaiement/Libelle":        first(func(r *reader) *string { return &r.inv.Payment.Label }),
		"DonneesFacture/Devise":                      first(func(r *reader) *string { return &r.inv.Currency }),
		"DonneesFacture/Montants/MontantHT":          first(func(r *reader) *amount { return &r.inv.Amounts.HT }),
		"DonneesFacture/Montants/MontantTTC":         first(func(r *reader) *amount { return &r.inv.Amounts.TTC }),
		"DonneesFacture/Montants/MontantNetAPayer":   first(func(r *reader) *amount { return &r.inv.Amounts.NetAPayer }),
		"DonneesFacture/Engagement/NumeroMarche":     first(func(r *reader) *string { return &r.inv.Marche }),
		"DonneesFacture/Engagement/NumeroEngagement": first(func(r *reader) *string { return &r.inv.Engagement }),

		// The pivot says TVAs, the mixed invoice TVAS.
		"DonneesFacture/TVAs/TVA/Taux":       first(func(r *reader) *amount { return &last(r.inv.VATLines).Rate }),
		"DonneesFacture/TVAs/TVA/BaseHt":     first(func(r *reader) *amount { return &last(r.inv.VATLines).Base }),
		"DonneesFacture/TVAs/TVA/MontantTVA": first(func(r *reader) *amount { return &last(r.inv.VATLines).Amount }),
		"DonneesFacture/TVAS/TVA/Taux":       first(func(r *reader) *amount { return &last(r.inv.VATLines).Rate }),
		"DonneesFacture/TVAS/TVA/BaseHt":     first(func(r *reader) *amount { return &last(r.inv.VATLines).Base }),
		"DonneesFacture/TVAS/TVA/MontantTVA": first(func(r *reader) *amount { return &last(r.inv.VATLines).Amount }),

		"PJ/NomPJ":        first(func(r *reader) *string { return &r.att.Name }),
		"PJ/TypePJ":       first(func(r *reader) *string { return &r.att.Type }),
		"PJ/MimeTypePJ":   first(func(r *reader) *string { return &r.att.Label }),
		"PJ/CategoriePJ":  first(func(r *reader) *string { return &r.att.Category }),
		"PJ/NomPJOrigine": first(func(r *reader) *string { return &r.att.Origin }),
	},
}
