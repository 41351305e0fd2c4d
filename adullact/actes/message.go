package actes

import "github.com/vaguemestre/vaguemestre/adullact/payload"

// Way is the direction that a message goes.
type Way string

const (
	ToState   Way = "to_state"   // from the collectivité to the ministry and its prefectures
	FromState Way = "from_state" // from the ministry and its prefectures to the collectivité
)

// Message is one XML: an envelope, or a message ("formulaire") that an envelope lists.
// Which parts are there depends on Root; what a message does not have is empty. Dates are as
// written, YYYY-MM-DD when they are right.
type Message struct {
	Name string `json:"name,omitempty"` // of the file; "" when nobody told
	Root string `json:"root"`           // local name of the root: "ARActe"
	Code string `json:"code,omitempty"` // "1-2"; "" for envelopes, which have none
	Way  Way    `json:"way"`

	// IDActe names the act that the message is about, as the message says it. "" in the
	// transmission of an act, whose name is only in that of its file.
	IDActe string `json:"id_acte,omitempty"`

	Envelope *Envelope `json:"envelope,omitempty"` // of the two envelopes; in an AnomalieEnveloppe the one at fault
	Acte     *Acte     `json:"acte,omitempty"`     // the act, in an ARActe or AnomalieActe as it was received
	Anomalie *Anomalie `json:"anomalie,omitempty"`

	DateReception      string `json:"date_reception,omitempty"`      // of acknowledgements
	DateCourrier       string `json:"date_courrier,omitempty"`       // of the prefecture's letter, also in the answers to it
	DateDepot          string `json:"date_depot,omitempty"`          // of a DefereTA
	DateClassification string `json:"date_classification,omitempty"` // of the list, in messages 7-x
	DateEnCours        string `json:"date_en_cours,omitempty"`       // of the list that is in force now, in an ARActe or AnomalieActe

	// Texte is the free text of a letter: DescriptionPieces, Motif or NatureIllegalite. It
	// may speak of people.
	Texte string `json:"texte,omitempty"`

	Documents []Fichier `json:"documents,omitempty"` // of letters and answers; those of an act are in Acte

	Classification *Classification `json:"classification,omitempty"` // of a RetourClassification

	Deviations []payload.Deviation `json:"deviations,omitempty"`
	room       int                 // for more of them
}

// Files lists all files that m names, in the order of the XML.
func (m *Message) Files() []Fichier {
	var list []Fichier
	if m.Envelope != nil {
		list = append(list, m.Envelope.Formulaires...)
	}
	if a := m.Acte; a != nil {
		if a.Document != (Fichier{}) {
			list = append(list, a.Document)
		}
		list = append(list, a.Annexes...)
	}
	return append(list, m.Documents...)
}

// Envelope says who sends which messages to whom.
type Envelope struct {
	Emetteur     Emetteur  `json:"emetteur"`
	Destinataire string    `json:"destinataire,omitempty"` // SIREN, when the state is the sender
	Formulaires  []Fichier `json:"formulaires,omitempty"`  // the messages

	Referent       *Referent `json:"referent,omitempty"`        // only with Options.Personal
	AdressesRetour []string  `json:"adresses_retour,omitempty"` // only with Options.Personal
}

// Emetteur is the sender of an envelope.
type Emetteur struct {
	Kind           string `json:"kind"`            // "CL" (collectivité locale), "SGAR", "PREF" or "SPREF"; "" when it is missing
	SIREN          string `json:"siren,omitempty"` // of a collectivité
	Departement    string `json:"departement"`     // three characters: "034", "02A"
	Arrondissement string `json:"arrondissement,omitempty"`
	Nature         string `json:"nature,omitempty"` // kind of collectivité, two digits
}

// Referent is the person whom the sender names: personal data.
type Referent struct {
	Nom       string `json:"nom,omitempty"`
	Telephone string `json:"telephone,omitempty"`
	Email     string `json:"email,omitempty"`
}

// Acte is what is known of an act.
type Acte struct {
	Date          string   `json:"date"`               // of the decision
	NumeroInterne string   `json:"numero_interne"`     // the collectivité's own number
	CodeNature    string   `json:"code_nature"`        // "1" to "6": [NatureOf]; others are kept as they are
	Matieres      []string `json:"matieres,omitempty"` // codes of levels 1 to 5, "" for one that is left out between others
	Objet         string   `json:"objet"`

	Precedent          string `json:"precedent,omitempty"` // IDActe of an act before this one
	DateClassification string `json:"date_classification"` // of the list that Matieres are from

	Document       Fichier   `json:"document"`
	Annexes        []Fichier `json:"annexes,omitempty"`
	DocumentPapier string    `json:"document_papier,omitempty"` // as written: "O", "N", "0", "1", ""; see Papier
}

// Papier reports whether a copy on paper follows.
func (a *Acte) Papier() bool {
	switch a.DocumentPapier {
	case "O", "o", "1", "true":
		return true
	}
	return false
}

// Matiere is the code of the matter, levels joined: "3.2".
func (a *Acte) Matiere() string {
	var code string
	for _, m := range a.Matieres {
		if m == "" {
			continue
		}
		if code != "" {
			code += "."
		}
		code += m
	}
	return code
}

// Fichier is a file that a message names.
type Fichier struct {
	Nom       string     `json:"nom"`
	Signature *Signature `json:"signature,omitempty"`
}

// Signature says that the XML holds a signature of a file; nobody verified it.
type Signature struct {
	// Format is "pkcs7" (DER, in base64 or PEM in the XML), "xml" (an element, XML-DSig as a
	// rule; the bytes of the message hold it) or "unknown".
	Format string `json:"format"`
	DER    []byte `json:"-"` // of a pkcs7
}

// Anomalie says why something was refused.
type Anomalie struct {
	Date   string `json:"date"`
	Nature string `json:"nature"` // three digits; there is no public list of them
	Detail string `json:"detail,omitempty"`
}

// Classification is the list that a prefecture wants acts to be classified by.
type Classification struct {
	Natures  []NatureActe `json:"natures"`
	Matieres []Matiere    `json:"matieres"`
}

// NatureActe is a nature of acts and the pieces that may come with it.
type NatureActe struct {
	Code    string   `json:"code"`
	Libelle string   `json:"libelle"`
	Abrege  string   `json:"abrege"` // two letters: "DE"
	Pieces  []TypePJ `json:"pieces,omitempty"`
}

// TypePJ is a type of piece (2018): "99_DE".
type TypePJ struct {
	Code    string `json:"code"`
	Libelle string `json:"libelle"`
}

// Matiere is a matter and those below it, five levels in all.
type Matiere struct {
	Code     string    `json:"code"` // within the level: the "2" of 3.2
	Libelle  string    `json:"libelle"`
	Matieres []Matiere `json:"matieres,omitempty"`
}

// Libelle gives the label of a matter by its code ("3.2"), "" if the list does not have it.
func (c *Classification) Libelle(code string) string {
	list, label := c.Matieres, ""
levels:
	for _, part := range splitCode(code) {
		for i := range list {
			if list[i].Code == part {
				list, label = list[i].Matieres, list[i].Libelle
				continue levels
			}
		}
		return ""
	}
	return label
}
