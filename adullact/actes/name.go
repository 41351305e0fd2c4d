package actes

import "regexp"

// NameKind is what the name of a file says that it is.
type NameKind string

const (
	NameEnvelope NameKind = "envelope" // an envelope, or the anomaly of one
	NameMessage  NameKind = "message"  // a message or a document of one: the content decides, not the number
	NameArchive  NameKind = "archive"
)

// Name is what the name of a file says. All parts are as written and may be empty.
type Name struct {
	Kind NameKind

	// Of envelopes and archives.
	ITC     string // of an archive: the platform that made it, "SLO" is S²LOW
	Anomaly bool   // ANO_: the file is the anomaly of the envelope that is named
	Test    bool   // TACT instead of EACT
	Sender  string // "SGAR", "PREF" or "SPREF"; "" when a collectivité sends
	Seq     string // number of the envelope within the day

	// Of messages and their documents.
	TypePJ string // type of piece: "99_DE"
	Numero string // of the act
	Nature string // "DE"
	Code   string // of the message: "1-1"
	K      string // "0" is a message of a collectivité, "1" and so on its documents; a prefecture numbers as it likes
	Ext    string

	SIREN          string // of the collectivité, whichever way the file goes
	Departement    string // "034"
	Arrondissement string
	Date           string // YYYYMMDD: of the decision, of an envelope the day it was made
}

// QUIRK: SIREN, date, number and nature of messages may each be empty, and a SIREN of a test
// has four digits ("044-214400152----1-3_1.xml", "999-1234----7-2_1.xml").
var (
	envelopeName = regexp.MustCompile(`^(ANO_)?([ET]ACT)--(?:([0-9]{9})-|(SGAR|PREF|SPREF)([0-9][0-9AB]{2})([0-9])?-([0-9]{9}))-([0-9]{8})-([0-9]+)\.xml$`)
	messageName  = regexp.MustCompile(`^(?:([0-9A-Z]{2}_[0-9A-Z]{2})-)?([0-9][0-9AB][0-9AB])-([0-9]*)-([0-9]{8})?-([0-9A-Za-z_ -]*?)-([A-Z]{2})?-([1-7]-[1-6])(?:_([0-9]+))?\.([A-Za-z0-9]+)$`)
	archiveName  = regexp.MustCompile(`^(?:([A-Za-z0-9]{3})-)?((?:ANO_)?[ET]ACT--.+)\.tar\.gz$`)
)

// ParseName reads the name of a file; ok is false if it is none of ACTES. Archives are
// renamed on their way and documents may have any name, so a name proves nothing.
func ParseName(name string) (n Name, ok bool) {
	if len(name) > 255 {
		return Name{}, false
	}
	if m := archiveName.FindStringSubmatch(name); m != nil {
		if n, ok = ParseName(m[2] + ".xml"); !ok || n.Kind != NameEnvelope {
			return Name{}, false
		}
		n.Kind, n.ITC = NameArchive, m[1]
		return n, true
	}
	if m := envelopeName.FindStringSubmatch(name); m != nil {
		return Name{Kind: NameEnvelope, Anomaly: m[1] != "", Test: m[2] == "TACT", SIREN: m[3] + m[7], Sender: m[4],
			Departement: m[5], Arrondissement: m[6], Date: m[8], Seq: m[9]}, true
	}
	if m := messageName.FindStringSubmatch(name); m != nil {
		return Name{Kind: NameMessage, TypePJ: m[1], Departement: m[2], SIREN: m[3], Date: m[4], Numero: m[5], Nature: m[6],
			Code: m[7], K: m[8], Ext: m[9]}, true
	}
	return Name{}, false
}

// ID are the parts of an IDActe: "034-999999999-20240415-2024_DEL_012-DE".
type ID struct {
	Departement string
	SIREN       string
	Date        string // of the decision, YYYYMMDD
	Numero      string
	Nature      string // "DE"
}

var actID = regexp.MustCompile(`^([0-9][0-9AB][0-9AB])-([0-9]{9})-([0-9]{8})-([0-9A-Za-z_ -]{1,15})-(\p{Lu}{2})$`)

// ParseID takes an IDActe apart; ok is false if it is not well-formed.
func ParseID(id string) (parts ID, ok bool) {
	m := actID.FindStringSubmatch(id)
	if m == nil {
		return ID{}, false
	}
	return ID{m[1], m[2], m[3], m[4], m[5]}, true
}
