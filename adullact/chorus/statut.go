package chorus

import "slices"

// AIFE's schema of status flows (CPPStatutPivot V1_19) is not public: elements are known by
// their own name and their parent's, wherever they stand.
var statut = &format{
	name:  FormatStatut,
	loose: true,
	start: map[string]func(*reader){
		"CPPFactureStatutUnitaire": func(r *reader) { r.beginStatus(false) },
		"DonneesStatut": func(r *reader) {
			switch {
			case r.status == nil:
				r.beginStatus(true)
			case r.status.Code != "" || r.status.Invoice != "": // a further step of the same invoice
				same := Status{Supplier: r.status.Supplier, Recipient: r.status.Recipient}
				byData := r.byData
				r.beginStatus(byData)
				*r.status = same
			}
		},
	},
	end: map[string]func(*reader){
		"CPPFactureStatutUnitaire": func(r *reader) { r.finishStatus() },
		"DonneesStatut": func(r *reader) {
			if r.byData {
				r.finishStatus()
			}
		},
	},
	close: func(r *reader) {
		r.finishStatus()
		for i := range r.flow.Statuses {
			if s := &r.flow.Statuses[i]; s.Date == "" {
				s.Date = instant(r.stamp)
			}
		}
	},
	text: map[string]func(*reader, string){
		"Fournisseur/TypeIdentifiant": ofStatus(func(s *Status) *string { return &s.Supplier.IDType }),
		"Fournisseur/Identifiant":     ofStatus(func(s *Status) *string { return &s.Supplier.ID }),
		"Fournisseur/RaisonSociale":   ofStatus(func(s *Status) *string { return &s.Supplier.Name }),
		"Debiteur/Identifiant":        ofStatus(func(s *Status) *string { return &s.Recipient.SIRET }),
		"Debiteur/Nom":                ofStatus(func(s *Status) *string { return &s.Recipient.Name }),
		"Debiteur/CodeService":        ofStatus(func(s *Status) *string { return &s.Recipient.Service }),
		"IdFacture":                   ofStatus(func(s *Status) *string { return &s.Invoice }),
		"IdStatut":                    ofStatus(func(s *Status) *string { return &s.Code }),
		"Commentaire":                 ofStatus(func(s *Status) *string { return &s.Comment }),
		"Horodatage": func(r *reader, v string) {
			if r.status != nil && r.status.Date == "" {
				r.status.Date = v
			} else if r.stamp == "" {
				r.stamp = v
			}
		},
	},
}

func ofStatus(p func(*Status) *string) func(*reader, string) {
	return first(func(r *reader) *string {
		if r.status == nil {
			return nil
		}
		return p(r.status)
	})
}

// beginStatus opens the next status; the one before it is complete.
func (r *reader) beginStatus(byData bool) {
	r.finishStatus()
	r.o.used.invoices++
	r.flow.Statuses = append(r.flow.Statuses, Status{})
	r.status, r.byData = last(r.flow.Statuses), byData
}

func (r *reader) finishStatus() {
	s := r.status
	if s == nil {
		return
	}
	r.checkStatus(s)
	s.Reasons = slices.DeleteFunc(s.Reasons, func(v Reason) bool { return v == Reason{} })
	r.status, r.byData = nil, false
}

// StatusLabel is the name of a status of CPPStatutPivot, "" for an unknown one.
func StatusLabel(code string) string { return statusLabels[code] }

var statusLabels = map[string]string{
	"01": "DEPOSEE", "02": "EN_COURS_ACHEMINEMENT", "03": "MISE_A_DISPOSITION", "04": "A_RECYCLER",
	"05": "REJETEE", "06": "SUSPENDUE", "07": "SERVICE_FAIT", "08": "MANDATEE",
	"09": "MISE_A_DISPOSITION_COMPTABLE", "10": "COMPTABILISEE", "11": "MISE_EN_PAIEMENT", "12": "COMPLETEE",
	"37": "NON_CONFORME",
}
