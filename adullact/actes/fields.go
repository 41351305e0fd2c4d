package actes

import (
	"encoding/json"
	"strings"
)

// Fields are what m can be indexed by, under the names that Pastell gives its fields where it
// has them; a field without a value is left out. Text of letters and whom to call are not
// among them.
//
//	message, code_message      "ARActe", "1-2"
//	acte_unique_id             the IDActe; of an act on its way, put together from the name of its file
//	numero_de_lacte, date_de_lacte, objet
//	acte_nature, nature_libelle, nature_abregee
//	classification             code of the matter: "3.2"
//	classification_libelle     its label: [MatiereOf]
//	date_classification        of the list that it is from, or of the list that m is
//	document_papier            "1" when a copy on paper follows
//	type_acte, type_pj         type of the document ("99_DE"), those of the annexes as a JSON array
//	siren, departement, arrondissement
//	date_ar                    day of receipt of an act; date_reception that of anything else
//	date_courrier, date_depot
//	anomalie_date, anomalie_nature, anomalie_detail
func (m *Message) Fields() map[string]string {
	f := fields{}
	f.put("message", m.Root)
	f.put("code_message", m.Code)
	if a := m.Acte; a != nil {
		f.put("numero_de_lacte", a.NumeroInterne)
		f.put("date_de_lacte", a.Date)
		f.put("objet", a.Objet)
		f.put("classification", a.Matiere())
		f.put("classification_libelle", MatiereOf(a.Matiere()))
		f.put("date_classification", a.DateClassification)
		f.put("acte_nature", a.CodeNature)
		if a.Papier() {
			f.put("document_papier", "1")
		}
		f.types(a)
	}
	id, ok := ParseID(m.IDActe)
	f.put("acte_unique_id", m.IDActe)
	if n, named := ParseName(m.Name); named && n.Kind == NameMessage {
		whole := strings.Join([]string{n.Departement, n.SIREN, n.Date, n.Numero, n.Nature}, "-")
		if id2, ok2 := ParseID(whole); !ok && ok2 {
			id, ok = id2, true
			f.put("acte_unique_id", whole)
		}
		if sirenForm.MatchString(n.SIREN) {
			f.put("siren", n.SIREN)
		}
		f.put("departement", n.Departement)
	}
	if ok {
		f.put("numero_de_lacte", id.Numero)
		f.put("date_de_lacte", id.Date[:4]+"-"+id.Date[4:6]+"-"+id.Date[6:])
		f.put("acte_nature", codeOfNature(id.Nature))
		f.put("siren", id.SIREN)
		f.put("departement", id.Departement)
	}
	abrege, libelle := NatureOf(f["acte_nature"])
	f.put("nature_abregee", abrege)
	f.put("nature_libelle", libelle)
	if e := m.Envelope; e != nil {
		f.put("siren", e.Emetteur.SIREN)
		f.put("siren", e.Destinataire)
		f.put("departement", e.Emetteur.Departement)
		f.put("arrondissement", e.Emetteur.Arrondissement)
	}
	if m.Root == "ARActe" {
		f.put("date_ar", m.DateReception)
	} else {
		f.put("date_reception", m.DateReception)
	}
	f.put("date_courrier", m.DateCourrier)
	f.put("date_depot", m.DateDepot)
	f.put("date_classification", m.DateClassification)
	if a := m.Anomalie; a != nil {
		f.put("anomalie_date", a.Date)
		f.put("anomalie_nature", a.Nature)
		f.put("anomalie_detail", a.Detail)
	}
	return f
}

// Fields are those of the first message, and what the others and the envelope add to them.
func (a *Archive) Fields() map[string]string {
	f := fields{}
	for _, m := range a.Messages {
		f.add(m)
	}
	if a.Envelope != nil {
		f.add(a.Envelope)
	}
	return f
}

type fields map[string]string

// put sets a field that is not there yet.
func (f fields) put(name, value string) {
	if f[name] == "" && value != "" {
		f[name] = value
	}
}

func (f fields) add(m *Message) {
	for name, value := range m.Fields() {
		f.put(name, value)
	}
}

// types gives the types of pieces, as the names of the files have them.
func (f fields) types(a *Acte) {
	n, _ := ParseName(a.Document.Nom)
	f.put("type_acte", n.TypePJ)
	var list []string
	for _, x := range a.Annexes {
		n, _ := ParseName(x.Nom)
		if n.TypePJ == "" {
			return
		}
		list = append(list, n.TypePJ)
	}
	if list != nil {
		b, _ := json.Marshal(list)
		f.put("type_pj", string(b))
	}
}
