package actes

import "strings"

// Namespace is that of all elements and attributes of ACTES, in both revisions.
const Namespace = "http://www.interieur.gouv.fr/ACTES#v1.1-20040216"

// kind is a root element.
type kind struct {
	code string
	way  Way
}

// kinds are the roots of the norm. Codes 3-5, 4-5 and 7-3 follow from the order of the XSD;
// no sample of them was seen.
var kinds = map[string]kind{
	"EnveloppeCLMISILL": {"", ToState},
	"EnveloppeMISILLCL": {"", FromState},
	"AnomalieEnveloppe": {"", FromState},

	"Acte":         {"1-1", ToState},
	"ARActe":       {"1-2", FromState},
	"AnomalieActe": {"1-3", FromState},

	"CourrierSimple":        {"2-1", FromState},
	"ReponseCourrierSimple": {"2-2", ToState},

	"DemandePieceComplementaire":   {"3-1", FromState},
	"ARDemandePieceComplementaire": {"3-2", ToState},
	"RefusPieceComplementaire":     {"3-3", ToState},
	"PieceComplementaire":          {"3-4", ToState},
	"ARPieceComplementaire":        {"3-5", FromState},

	"LettreObservations":               {"4-1", FromState},
	"ARLettreObservations":             {"4-2", ToState},
	"RejetLettreObservations":          {"4-3", ToState},
	"ReponseLettreObservations":        {"4-4", ToState},
	"ARReponseRejetLettreObservations": {"4-5", FromState},

	"DefereTA": {"5-1", FromState},

	"Annulation":   {"6-1", ToState},
	"ARAnnulation": {"6-2", FromState},

	"DemandeClassification":               {"7-1", ToState},
	"RetourClassification":                {"7-2", FromState},
	"ReponseClassificationSansChangement": {"7-3", FromState},
}

// isEnvelope tells the roots that stand for a whole archive.
func (m *Message) isEnvelope() bool { return m.Code == "" }

// Root reports whether an element is a root of ACTES: by its local name, and a namespace that
// does not say that it is something else.
func Root(local, space string) bool {
	_, ok := kinds[local]
	return ok && (space == "" || strings.HasPrefix(space, "http://www.interieur.gouv.fr/ACTES"))
}

// NatureOf gives the abbreviation and the French label of a nature of acts by its code: "1"
// is "DE", "Délibérations". Both are "" for a code that the norm does not have; a
// prefecture's own labels are in its [Classification].
func NatureOf(code string) (abrege, libelle string) {
	for _, n := range natures {
		if n[0] == code {
			return n[1], n[2]
		}
	}
	return "", ""
}

var natures = [][3]string{
	{"1", "DE", "Délibérations"},
	{"2", "AR", "Actes réglementaires"},
	{"3", "AI", "Actes individuels"},
	{"4", "CC", "Contrats, conventions et avenants"},
	{"5", "BF", "Documents budgétaires et financiers"},
	{"6", "AU", "Autres"},
}

// codeOfNature is NatureOf the other way.
func codeOfNature(abrege string) string {
	for _, n := range natures {
		if n[1] == abrege {
			return n[0]
		}
	}
	return ""
}

func splitCode(code string) []string { return strings.Split(code, ".") }
