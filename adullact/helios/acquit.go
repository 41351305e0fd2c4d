package helios

import "strings"

// acquit begins one.
func (d *decoder) acquit() {
	a := &Acquit{Version: 1}
	switch {
	case d.f.Root == "PES_NonAcquit":
		a.Version = 0
	case strings.HasSuffix(d.f.Namespace, "/v2"):
		a.Version = 2
	}
	d.f.Acquit = a
}

func (d *decoder) ackElement() {
	if d.f.Acquit == nil {
		d.acquit() // in a PES
	}
	e := &AckElement{}
	if d.take(priceItem) {
		d.f.Acquit.Elements = append(d.f.Acquit.Elements, AckElement{})
		e = &d.f.Acquit.Elements[len(d.f.Acquit.Elements)-1]
	}
	path := d.path()
	var flat AckError // of version 1
	d.children(func(name string) {
		switch name {
		case "DomaineAck":
			e.Domaine = d.value()
		case "EtatAck":
			e.Etat = d.value()
		case "NumBord":
			e.NumBord = d.value()
		case "ExerciceBord":
			e.ExerciceBord = d.value()
		case "IdMarche":
			e.IdMarche = d.value()
		case "IdUnique":
			e.IdUnique = d.value()
		case "NumPiece":
			flat.NumPiece = d.value()
		case "NumLigne":
			flat.NumLigne = d.value()
		case "NumAnoAck":
			flat.Code = d.value()
		case "LibelleAnoAck":
			flat.Libelle = d.value()
		case "Erreur":
			d.ackError(e, AckError{})
		case "DetailPiece":
			d.ackDetail(e, AckError{})
		}
	})
	if flat != (AckError{}) {
		d.addError(e, flat)
	}
	switch e.Etat {
	case "1", "true":
		e.Accepted = true
	case "0", "false":
		d.refused++
	default:
		d.refused++
		d.deviate(path, "its EtatAck is neither 0 nor 1: it counts as refused")
	}
	d.acks++
}

// ackDetail reads DetailPiece and, within it, DetailLigne. What they are about comes first.
func (d *decoder) ackDetail(e *AckElement, at AckError) {
	before := len(e.Errors)
	d.children(func(name string) {
		switch name {
		case "NumPiece":
			at.NumPiece = d.value()
		case "NumLigne":
			at.NumLigne = d.value()
		case "Erreur":
			d.ackError(e, at)
		case "DetailLigne":
			d.ackDetail(e, at)
		}
	})
	if len(e.Errors) == before && at.NumPiece != "" {
		d.addError(e, at)
	}
}

func (d *decoder) ackError(e *AckElement, at AckError) {
	d.children(func(name string) {
		switch name {
		case "NumAnoAck":
			at.Code = d.value()
		case "LibelleAnoAck":
			at.Libelle = d.value()
		}
	})
	d.addError(e, at)
}

func (d *decoder) addError(e *AckElement, at AckError) {
	if d.take(priceItem) {
		e.Errors = append(e.Errors, at)
	}
}

func (d *decoder) receipt() {
	var r Receipt
	d.children(func(name string) {
		switch name {
		case "DomaineAckRetour":
			r.Domaine = d.value()
		case "NomFichierRetour":
			r.NomFic = d.value()
		case "TypRestit":
			r.TypRestit = d.value()
		case "DateAcquit":
			r.Date = d.value()
		}
	})
	if d.take(priceItem) {
		d.f.Receipts = append(d.f.Receipts, r)
	}
}
