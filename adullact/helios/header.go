package helios

func (d *decoder) envelope() {
	d.children(func(name string) {
		switch name {
		case "Parametres":
			d.children(func(name string) {
				switch name {
				case "Version":
					d.f.Version = d.value()
				case "TypFic":
					d.f.TypFic = d.value()
				case "NomFic":
					d.f.NomFic = d.value()
				}
			})
		case "Emetteur":
			d.party(&d.f.Sender)
		case "Recepteur":
			d.party(&d.f.Recipient)
		}
	})
}

func (d *decoder) party(p *Party) {
	d.children(func(name string) {
		switch name {
		case "Sigle":
			p.Sigle = d.value()
		case "Adresse":
			p.Adresse = d.value()
		}
	})
}

func (d *decoder) header() {
	f := d.f
	d.children(func(name string) {
		switch name {
		case "DteStr":
			f.DteStr = d.value()
		case "IdPost":
			f.IdPost = d.value()
		case "LibellePoste":
			f.LibellePoste = d.value()
		case "IdColl":
			f.IdColl = d.value()
		case "FinJur":
			f.FinJur = d.value()
		case "CodCol", "CodColl":
			// QUIRK: a PES_ACQUIT_RETOUR with CodColl, which only PES_Retour has.
			if retour := f.Root == "PES_Retour"; retour != (name == "CodColl") {
				d.deviateHere("a " + f.Root + " does not have it by this name")
			}
			f.CodCol = d.value()
		case "CodBud":
			f.CodBud = d.value()
		case "LibelleColBud":
			f.LibelleColBud = d.value()
		}
	})
}

func (d *decoder) facture() {
	if d.f.Facture == nil {
		d.f.Facture = &Facture{}
	}
	f := d.f.Facture
	d.children(func(name string) {
		switch name {
		case "Annee":
			f.Annee = d.value()
		case "TypeFact":
			f.TypeFact = d.value()
		case "Date":
			f.Date = d.value()
		case "FactureIndiv":
			f.Count++
		}
	})
}
