package actes

func (d *decoder) classification() *Classification {
	if d.m.Classification == nil {
		d.m.Classification = new(Classification)
	}
	return d.m.Classification
}

// nature reads a NatureActe with its types of pieces (2018).
func (d *decoder) nature(local string) {
	if local != "NatureActe" {
		d.unknown()
		return
	}
	if !d.room() {
		return
	}
	n := NatureActe{Code: d.value("CodeNatureActe"), Libelle: d.value("Libelle"), Abrege: d.value("TypeAbrege")}
	d.children(func(local string) {
		if local != "TypePJNatureActe" {
			d.unknown()
			return
		}
		if d.room() {
			n.Pieces = append(n.Pieces, TypePJ{Code: d.value("CodeTypePJ"), Libelle: d.value("Libelle")})
		}
	})
	c := d.classification()
	c.Natures = append(c.Natures, n)
}

// matiere reads a matter and those below it. How deep they lie is bounded by the scanner.
func (d *decoder) matiere(list []Matiere) []Matiere {
	if !d.room() {
		return list
	}
	m := Matiere{Code: d.value("CodeMatiere"), Libelle: d.value("Libelle")}
	d.children(func(string) { m.Matieres = d.matiere(m.Matieres) })
	return append(list, m)
}
