package actes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every root of the norm, in one message each: fields, and what is beside them. The
// messages are in all charsets, with prefixes of their own or none.
func TestMessages(t *testing.T) {
	t.Parallel()
	const act = `"acte_nature":"1","acte_unique_id":"034-999999999-20240415-2024_DEL_012-DE",`
	const about = `"date_de_lacte":"2024-04-15","departement":"034",`
	const nature = `"nature_abregee":"DE","nature_libelle":"Délibérations","numero_de_lacte":"2024_DEL_012",`
	const object = `"objet":"Cession de l'ancienne école du hameau",`
	const types = `"type_acte":"99_DE","type_pj":"[\"99_AU\",\"99_SE\"]"`
	letter := func(root, code string) string {
		return `{` + act + `"code_message":"` + code + `","date_courrier":"2024-05-02",` + about + `"message":"` + root + `",` + nature + `"siren":"999999999"}`
	}
	want := map[string]string{
		"EnveloppeCLMISILL": `{"arrondissement":"1","departement":"034","message":"EnveloppeCLMISILL","siren":"999999999"}`,
		"EnveloppeMISILLCL": `{"departement":"034","message":"EnveloppeMISILLCL","siren":"999999999"}`,
		"AnomalieEnveloppe": `{"anomalie_date":"2024-04-16","anomalie_detail":"ODT-VERIF-17 : transaction non reconnue","anomalie_nature":"005","arrondissement":"1","departement":"034","message":"AnomalieEnveloppe","siren":"999999999"}`,
		"Acte":              `{"acte_nature":"1","classification":"3.2","classification_libelle":"Aliénations","code_message":"1-1","date_classification":"2019-08-29","date_de_lacte":"2024-04-15","message":"Acte",` + nature + object + types + `}`,
		"ARActe": `{` + act + `"classification":"3.2","classification_libelle":"Aliénations","code_message":"1-2","date_ar":"2024-04-16","date_classification":"2019-08-29",` + about + `"message":"ARActe",` +
			nature + object + `"siren":"999999999",` + types + `}`,
		"AnomalieActe": `{"acte_nature":"1","anomalie_date":"2024-04-16","anomalie_detail":"ODT-VERIF-01 : classification périmée","anomalie_nature":"002","classification":"3.2","classification_libelle":"Aliénations","code_message":"1-3",` +
			`"date_classification":"2019-08-29","date_de_lacte":"2024-04-15","document_papier":"1","message":"AnomalieActe",` + nature + object + types + `}`,
		"CourrierSimple":                      letter("CourrierSimple", "2-1"),
		"ReponseCourrierSimple":               letter("ReponseCourrierSimple", "2-2"),
		"DemandePieceComplementaire":          letter("DemandePieceComplementaire", "3-1"),
		"ARDemandePieceComplementaire":        letter("ARDemandePieceComplementaire", "3-2"),
		"RefusPieceComplementaire":            letter("RefusPieceComplementaire", "3-3"),
		"PieceComplementaire":                 letter("PieceComplementaire", "3-4"),
		"ARPieceComplementaire":               strings.Replace(letter("ARPieceComplementaire", "3-5"), `"departement"`, `"date_reception":"2024-05-20","departement"`, 1),
		"LettreObservations":                  letter("LettreObservations", "4-1"),
		"ARLettreObservations":                letter("ARLettreObservations", "4-2"),
		"RejetLettreObservations":             letter("RejetLettreObservations", "4-3"),
		"ReponseLettreObservations":           letter("ReponseLettreObservations", "4-4"),
		"ARReponseRejetLettreObservations":    strings.Replace(letter("ARReponseRejetLettreObservations", "4-5"), `"departement"`, `"date_reception":"2024-05-20","departement"`, 1),
		"DefereTA":                            `{` + act + `"code_message":"5-1","date_de_lacte":"2024-04-15","date_depot":"2024-06-03","departement":"034","message":"DefereTA",` + nature + `"siren":"999999999"}`,
		"Annulation":                          `{` + act + `"code_message":"6-1",` + about + `"message":"Annulation",` + nature + `"siren":"999999999"}`,
		"ARAnnulation":                        `{` + act + `"code_message":"6-2","date_de_lacte":"2024-04-15","date_reception":"2024-05-30","departement":"034","message":"ARAnnulation",` + nature + `"siren":"999999999"}`,
		"DemandeClassification":               `{"code_message":"7-1","date_classification":"2019-08-29","message":"DemandeClassification"}`,
		"RetourClassification":                `{"code_message":"7-2","date_classification":"2024-01-01","message":"RetourClassification"}`,
		"ReponseClassificationSansChangement": `{"code_message":"7-3","date_classification":"2019-08-29","message":"ReponseClassificationSansChangement"}`,
	}
	documents := map[string]int{"EnveloppeCLMISILL": 1, "EnveloppeMISILLCL": 1, "AnomalieEnveloppe": 1, "Acte": 3, "ARActe": 3, "AnomalieActe": 3,
		"CourrierSimple": 1, "ReponseCourrierSimple": 1, "DemandePieceComplementaire": 1, "RefusPieceComplementaire": 1, "PieceComplementaire": 2,
		"LettreObservations": 1, "RejetLettreObservations": 1, "ReponseLettreObservations": 1, "DefereTA": 2}
	text := map[string]string{"DemandePieceComplementaire": "Le plan de cession signé", "LettreObservations": "Défaut de convocation", "DefereTA": "Incompétence"}
	for root := range kinds {
		m := fixture(t, root, nil)
		got, err := json.Marshal(m.Fields())
		if err != nil || string(got) != want[root] {
			t.Errorf("%s, %v:\n%s, want\n%s", root, err, got, want[root])
		}
		if m.Root != root || len(m.Deviations) != 0 || len(m.Files()) != documents[root] || m.Texte != text[root] {
			t.Errorf("%s: %+v, %d files", root, m, len(m.Files()))
		}
		toState := strings.Contains("Acte Annulation EnveloppeCLMISILL", root) || strings.HasPrefix(root, "Re") && root != "RetourClassification" && m.Code != "7-3" ||
			m.Code == "3-2" || m.Code == "3-4" || m.Code == "4-2" || m.Code == "7-1"
		if (m.Way == ToState) != toState {
			t.Errorf("%s goes %s", root, m.Way)
		}
	}
}

func fixture(t *testing.T, root string, o *Options) *Message {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/messages", root+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Decode(t.Context(), f, o)
	if err != nil {
		t.Fatalf("%s: %v", root, err)
	}
	return m
}

// Whom to call and to write to is read only when it is asked for, and is never a field.
func TestPersonal(t *testing.T) {
	t.Parallel()
	for _, root := range []string{"EnveloppeCLMISILL", "AnomalieEnveloppe"} {
		all, _ := json.Marshal(fixture(t, root, nil))
		if s := string(all); strings.Contains(s, "mondaine.fr") || strings.Contains(s, "Référent") || strings.Contains(s, "0400000000") {
			t.Errorf("%s: %s", root, s)
		}
		m := fixture(t, root, &Options{Personal: true})
		if e := m.Envelope; e.Referent == nil || *e.Referent != (Referent{"Référent exemple", "0400000000", "referent@mondaine.fr"}) ||
			strings.Join(e.AdressesRetour, " ") != "actes@mondaine.fr actes2@mondaine.fr" {
			t.Errorf("%s: %+v", root, e)
		}
		fields, _ := json.Marshal(m.Fields())
		if strings.Contains(string(fields), "mondaine.fr") || strings.Contains(string(fields), "0400000000") {
			t.Errorf("%s: %s", root, fields)
		}
	}
}

// A list that a prefecture sends has its own natures and matters, also ones that the norm
// does not have.
func TestLabels(t *testing.T) {
	t.Parallel()
	c := fixture(t, "RetourClassification", nil).Classification
	for code, want := range map[string]string{"3": "Domaine et patrimoine", "3.2": "Aliénations", "3.2.4.1.9": "Hameaux", "3.3": "", "": "", "3.2.": "", "9": ""} {
		if got := c.Libelle(code); got != want {
			t.Errorf("%q is %q, want %q", code, got, want)
		}
	}
	if n := c.Natures[1]; n.Code != "7" || n.Libelle != "Nature à venir" || n.Abrege != "NV" || len(n.Pieces) != 1 || n.Pieces[0] != (TypePJ{"99_NV", "Pièce à venir"}) {
		t.Errorf("%+v", n)
	}
	for code, want := range map[string]string{"3": "Domaine et patrimoine", "3.2": "Aliénations", "3.2.4.1.9": "Aliénations", "7.10": "Divers", "7.1": "Décisions budgétaires (B.P., D.M., C.A.)",
		"": "", "3.": "", "10": "", "9.5": "", ".3": ""} {
		if got := MatiereOf(code); got != want {
			t.Errorf("%q is %q, want %q", code, got, want)
		}
	}
	if a, l := NatureOf("7"); a != "" || l != "" {
		t.Errorf("%q, %q", a, l)
	}
}
