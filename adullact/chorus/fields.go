package chorus

// Fields are the index fields of an invoice in the words of Pastell's form facture-cpp.
// What is not known is not there. Personal data is in none of them, IDCPRO and amounts are
// as written.
func (inv *Invoice) Fields() map[string]string {
	kind := inv.TypeLabel
	if kind == "" {
		kind = inv.Type
	}
	return filled(map[string]string{
		"no_facture":                 inv.Number,
		"id_facture_cpp":             inv.IDCPRO,
		"date_facture":               inv.Date,
		"type_facture":               kind,
		"facture_cadre":              inv.Cadre,
		"fournisseur":                public(inv.Supplier).ID,
		"type_identifiant":           typeIdentifiant(inv.Supplier.IDType),
		"fournisseur_raison_sociale": public(inv.Supplier).Name,
		"siret":                      inv.Recipient.SIRET,
		"service_destinataire_code":  inv.Recipient.Service,
		"facture_numero_engagement":  inv.Engagement,
		"facture_numero_marche":      inv.Marche,
		"montant_ttc":                string(inv.Amounts.TTC),
	})
}

// Fields are the index fields of a status, likewise. The comment, which a person wrote, is
// not among them.
func (s *Status) Fields() map[string]string {
	label := s.Label
	if label == "" {
		label = s.Code
	}
	return filled(map[string]string{
		"no_facture":                 s.Invoice,
		"statut_cpp":                 label,
		"date_passage_statut":        s.Date,
		"date_facture":               s.IssueDate,
		"fournisseur":                public(s.Supplier).ID,
		"type_identifiant":           typeIdentifiant(s.Supplier.IDType),
		"fournisseur_raison_sociale": public(s.Supplier).Name,
		"siret":                      s.Recipient.SIRET,
	})
}

// Fields are the index fields that all invoices and statuses of the flow have in common:
// those of the invoice where there is one.
func (f *Flow) Fields() map[string]string {
	var common map[string]string
	keep := func(fields map[string]string) {
		if common == nil {
			common = fields
			return
		}
		for k, v := range common {
			if fields[k] != v {
				delete(common, k)
			}
		}
	}
	for i := range f.Invoices {
		keep(f.Invoices[i].Fields())
	}
	for i := range f.Statuses {
		keep(f.Statuses[i].Fields())
	}
	return common
}

func filled(m map[string]string) map[string]string {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

// typeIdentifiant is Party.IDType as Pastell writes it.
func typeIdentifiant(idType string) string {
	if idType == "1" {
		return "SIRET"
	}
	return idType
}
