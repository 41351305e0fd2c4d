package actes

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// check lists what m lacks and what is against the XSDs, both revisions taken as one, and
// compares m with its name.
func (m *Message) check() {
	switch m.Root {
	case "EnveloppeCLMISILL", "EnveloppeMISILLCL":
		m.checkEnvelope(m.Root)
	case "AnomalieEnveloppe":
		m.checkAnomalie()
		m.checkEnvelope("AnomalieEnveloppe/EnveloppeRecue")
	case "Acte":
		m.checkActe("Acte")
	case "ARActe":
		m.checkID()
		m.date("DateReception", m.DateReception)
		m.checkActe("ARActe/ActeRecu")
		m.date("ClassificationDateVersionEnCours", m.DateEnCours)
	case "AnomalieActe":
		m.checkAnomalie()
		m.checkActe("AnomalieActe/ActeRecu")
		m.date("ClassificationDateVersionEnCours", m.DateEnCours)
	case "Annulation":
		m.checkID()
	case "ARAnnulation":
		m.checkID()
		m.date("DateReception", m.DateReception)
	case "DefereTA":
		m.checkID()
		m.date("DateDepot", m.DateDepot)
		m.need("NatureIllegalite", m.Texte)
	case "ARPieceComplementaire", "ARReponseRejetLettreObservations":
		m.checkID()
		m.date("DateReception", m.DateReception)
		m.date("InfosCourrierPref/DateCourrierPref", m.DateCourrier)
	case "DemandeClassification":
	case "ReponseClassificationSansChangement":
		m.date("DateClassification", m.DateClassification)
	case "RetourClassification":
		m.date("DateClassification", m.DateClassification)
		if c := m.Classification; c == nil || len(c.Natures) == 0 || len(c.Matieres) == 0 {
			m.deviates(m.Root, "the list has no natures or no matters")
		}
	default: // the letters and their answers
		m.checkID()
		m.date("DateCourrierPref", m.DateCourrier)
		switch m.Root {
		case "DemandePieceComplementaire":
			m.need("DescriptionPieces", m.Texte)
		case "LettreObservations":
			m.need("Motif", m.Texte)
		}
		if len(m.Documents) == 0 && !strings.HasPrefix(m.Root, "AR") {
			m.deviates(m.Root, "it names no document")
		}
	}
	for _, f := range m.Files() {
		m.checkFile(f.Nom)
	}
	if m.Name != "" {
		m.checkName()
	}
}

func (m *Message) need(path, v string) {
	if v == "" {
		m.deviates(path, "it is missing or empty")
	}
}

func (m *Message) match(path, v string, re *regexp.Regexp, what string) {
	if v == "" {
		m.need(path, v)
	} else if !re.MatchString(v) {
		m.deviates(path, "it is not "+what)
	}
}

var (
	dateForm   = regexp.MustCompile(`^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$`)
	sirenForm  = regexp.MustCompile(`^[0-9]{9}$`)
	deptForm   = regexp.MustCompile(`^[0-9][0-9AB][0-9AB]$`)
	digitForm  = regexp.MustCompile(`^[0-9]$`)
	twoForm    = regexp.MustCompile(`^[0-9]{2}$`)
	threeForm  = regexp.MustCompile(`^[0-9]{3}$`)
	numberForm = regexp.MustCompile(`^[a-zA-Z0-9_](?:[a-zA-Z0-9\-_ ]{0,13}[a-zA-Z0-9_])?$`)
)

func (m *Message) date(path, v string) { m.match(path, v, dateForm, "a date YYYY-MM-DD") }

func (m *Message) checkID() {
	if m.IDActe == "" {
		m.need("IDActe", "")
	} else if _, ok := ParseID(m.IDActe); !ok {
		m.deviates("IDActe", "it is not department, SIREN, date, number and nature")
	}
}

func (m *Message) checkAnomalie() {
	if m.Anomalie == nil {
		m.Anomalie = new(Anomalie)
	}
	m.date("Date", m.Anomalie.Date)
	m.match("Nature", m.Anomalie.Nature, threeForm, "three digits")
}

func (m *Message) checkEnvelope(path string) {
	if m.Envelope == nil {
		m.Envelope = new(Envelope)
	}
	e, s := m.Envelope, &m.Envelope.Emetteur
	switch s.Kind {
	case "CL":
		m.match(path+"/Emetteur/IDCL/SIREN", s.SIREN, sirenForm, "nine digits")
		m.match(path+"/Emetteur/IDCL/Nature", s.Nature, twoForm, "two digits")
		fallthrough
	case "SPREF":
		m.match(path+"/Emetteur/Arrondissement", s.Arrondissement, digitForm, "one digit")
		fallthrough
	case "SGAR", "PREF":
		m.match(path+"/Emetteur/Departement", s.Departement, deptForm, "a department of three characters")
	default:
		m.need(path+"/Emetteur", "")
	}
	if m.Root == "EnveloppeMISILLCL" {
		m.match(path+"/Destinataire/SIREN", e.Destinataire, sirenForm, "nine digits")
	}
	if s.Kind != "" && (s.Kind == "CL") != (m.Root != "EnveloppeMISILLCL") {
		m.deviates(path+"/Emetteur", "the sender does not fit the way of the envelope")
	}
	if len(e.Formulaires) == 0 {
		m.deviates(path+"/FormulairesEnvoyes", "it names no message")
	}
}

func (m *Message) checkActe(path string) {
	if m.Acte == nil {
		m.need(path, "")
		return
	}
	a := m.Acte
	path += "/"
	m.date(path+"Date", a.Date)
	m.match(path+"NumeroInterne", a.NumeroInterne, numberForm, "1 to 15 letters, digits, -, _ and spaces")
	if abrege, _ := NatureOf(a.CodeNature); a.CodeNature != "" && abrege == "" {
		m.deviates(path+"CodeNatureActe", "the norm does not have this nature")
	}
	m.need(path+"CodeNatureActe", a.CodeNature)
	if len(a.Matieres) < 2 {
		m.deviates(path+"CodeMatiere2", "it is missing")
	}
	for _, c := range a.Matieres {
		if strings.Trim(c, "0123456789") != "" {
			m.deviates(path+"CodeMatiere", "it is not a number")
		}
	}
	m.need(path+"Objet", a.Objet)
	if utf8.RuneCountInString(a.Objet) > 500 {
		m.deviates(path+"Objet", "it is longer than 500 characters")
	}
	m.date(path+"ClassificationDateVersion", a.DateClassification)
	if a.Document == (Fichier{}) {
		m.need(path+"Document", "")
	}
	id, ok := ParseID(m.IDActe)
	if !ok {
		return
	}
	abrege, _ := NatureOf(a.CodeNature)
	if id.Numero != a.NumeroInterne || id.Date != strings.ReplaceAll(a.Date, "-", "") || abrege != "" && id.Nature != abrege {
		m.deviates("IDActe", "number, date or nature are not those of the act")
	}
}

// checkFile looks at the name of a file that m names.
func (m *Message) checkFile(name string) {
	switch _, ok := ParseName(name); {
	case name == "":
		m.need("NomFichier", "")
	case !ok:
		m.deviates("NomFichier", "it is not a name of the norm")
	}
}

// checkName compares m with the name of its file.
func (m *Message) checkName() {
	n, ok := ParseName(m.Name)
	if !ok {
		return // renamed on the way, as a Pastell deposit does
	}
	differs := func(what, name, content string) {
		if name != "" && content != "" && name != content {
			m.deviates(m.Name, "the name has another "+what+" than the content")
		}
	}
	switch {
	case n.Kind == NameArchive:
		return
	case m.isEnvelope() != (n.Kind == NameEnvelope):
		m.deviates(m.Name, "by its name it is an envelope or a message, by its content the other")
		return
	case n.Kind == NameEnvelope:
		if n.Anomaly != (m.Root == "AnomalieEnveloppe") {
			m.deviates(m.Name, "by its name or by its content alone it is an anomaly")
		}
		if m.Envelope == nil {
			return
		}
		e := m.Envelope
		differs("SIREN", n.SIREN, e.Emetteur.SIREN+e.Destinataire)
		if kind := e.Emetteur.Kind; kind != "" && n.Sender != strings.TrimPrefix(kind, "CL") { // the name of a collectivité's has none
			m.deviates(m.Name, "the name has another sender than the content")
		}
		differs("department", n.Departement, e.Emetteur.Departement)
		differs("arrondissement", n.Arrondissement, e.Emetteur.Arrondissement)
		return
	}
	differs("message code", n.Code, m.Code)
	var date, numero, nature string
	if a := m.Acte; a != nil {
		date, numero = strings.ReplaceAll(a.Date, "-", ""), a.NumeroInterne
		nature, _ = NatureOf(a.CodeNature)
	}
	if id, ok := ParseID(m.IDActe); ok {
		differs("department", n.Departement, id.Departement)
		differs("SIREN", n.SIREN, id.SIREN)
		date, numero, nature = id.Date, id.Numero, id.Nature
	}
	differs("date", n.Date, date)
	differs("number", n.Numero, numero)
	differs("nature", n.Nature, nature)
}
