package actes

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre/adullact/payload"
	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// Decode reads one XML, an envelope or a message, to its end. The root decides what it is.
//
// An error that is [ErrNotActes] means another kind of file, of which only the beginning was
// read; any other of class poison a damaged one. An error of r is of class source. o may be
// nil.
func Decode(ctx context.Context, r io.Reader, o *Options) (*Message, error) {
	opt := o.orDefault()
	return decode(ctx, r, opt, &budget{items: opt.Limits.Items, deviations: maxDeviations, xml: opt.Limits.XML})
}

// budget is what is left for the messages of one archive together.
type budget struct {
	items      int
	deviations int
	xml        int64
}

func decode(ctx context.Context, r io.Reader, opt Options, left *budget) (*Message, error) {
	in := &input{ctx: ctx, r: r, left: min(opt.Limits.XML, left.xml), tell: "the messages are too long: raise Limits.XML if they are to be read"}
	d := decoder{Scanner: xmlscan.New(in, nil), opt: opt, m: &Message{Name: opt.Name, room: min(maxDeviations, left.deviations)}, left: left}
	err := d.decode()
	if !errors.Is(err, ErrNotActes) {
		left.xml -= min(left.xml, in.read)
		left.deviations -= min(left.deviations, len(d.m.Deviations))
	}
	if err != nil {
		return nil, err
	}
	return d.m, nil
}

// decoder reads one message.
type decoder struct {
	*xmlscan.Scanner
	opt     Options
	m       *Message
	left    *budget
	actes   int // how many acts were met
	tooMany bool
}

func (d *decoder) decode() error {
	if !d.Next() {
		var e *xmlscan.Error
		if err := d.Err(); !errors.As(err, &e) {
			return classed(err)
		}
		return poison("%w: %s", ErrNotActes, e.What)
	}
	if !Root(d.Local(), d.Space()) {
		return poison("%w: its root is %q, it is for another decoder", ErrNotActes, cut(d.Local()))
	}
	m, k := d.m, kinds[d.Local()]
	m.Root, m.Code, m.Way = d.Local(), k.code, k.way
	if d.Space() != Namespace {
		d.deviates("the namespace is not that of ACTES v1.1")
	}
	if m.Root == "Acte" {
		d.acte()
	} else {
		m.IDActe = d.value("IDActe")
		m.DateReception = d.value("DateReception")
		m.DateCourrier = d.value("DateCourrierPref")
		d.children(d.child)
	}
	for d.Next() { // to the end, where a second root would be refused
	}
	if d.tooMany {
		return poison("the messages name more than %d files, matters and types: raise Limits.Items if they are to be read", d.opt.Limits.Items)
	}
	if err := d.Err(); err != nil {
		return classed(err)
	}
	for _, n := range d.Notes() {
		d.m.deviates("", n)
	}
	m.check()
	return nil
}

// child reads one element below the root. What is met again replaces what was there only if
// it says something.
func (d *decoder) child(local string) {
	m := d.m
	switch local {
	case "ActeRecu":
		d.acte()
	case "Acte":
		// QUIRK: an ARActe may hold an Acte before its ActeRecu (Pastell's fake TdT).
		d.deviates("an Acte stands where an ActeRecu is due")
		d.acte()
	case "Emetteur", "AdressesRetour", "FormulairesEnvoyes", "Destinataire":
		d.envelope(local)
	case "EnveloppeRecue":
		d.children(d.envelope)
	case "Date":
		d.text(&d.anomalie().Date)
	case "Nature":
		d.text(&d.anomalie().Nature)
	case "Detail":
		d.text(&d.anomalie().Detail)
	case "ClassificationDateVersionEnCours":
		d.text(&m.DateEnCours)
	case "DateClassification":
		d.text(&m.DateClassification)
	case "DateDepot":
		d.text(&m.DateDepot)
	case "DescriptionPieces", "Motif", "NatureIllegalite":
		d.text(&m.Texte)
	case "Document", "PieceJointe":
		m.Documents = d.fichier(m.Documents)
	case "Documents", "PiecesJointes":
		d.children(d.child)
	case "InfosCourrierPref":
		keep(&m.IDActe, d.value("IDActe"))
		keep(&m.DateCourrier, d.value("DateCourrierPref"))
	case "NaturesActes":
		d.children(d.nature)
	case "Matieres":
		c := d.classification()
		d.children(func(string) { c.Matieres = d.matiere(c.Matieres) })
	default:
		d.unknown()
	}
}

func (d *decoder) anomalie() *Anomalie {
	if d.m.Anomalie == nil {
		d.m.Anomalie = new(Anomalie)
	}
	return d.m.Anomalie
}

// acte reads the act at whose start tag d stands. Of several the last counts that has a
// number and a date.
func (d *decoder) acte() {
	a := &Acte{Date: d.value("Date"), NumeroInterne: d.value("NumeroInterne"), CodeNature: d.value("CodeNatureActe")}
	d.actes++
	if d.actes > 1 {
		// QUIRK: Pastell's fake TdT repeats the ActeRecu of an ARActe.
		d.deviates("the act is there more than once")
	}
	levels := 0
	d.children(func(local string) {
		switch local {
		case "CodeMatiere1", "CodeMatiere2", "CodeMatiere3", "CodeMatiere4", "CodeMatiere5":
			level := int(local[len(local)-1] - '0')
			if levels++; level != levels {
				// QUIRK: a gap between levels was seen (3, then 5).
				d.deviates("a level of the matter is out of order, missing or twice")
				levels = level
			}
			for len(a.Matieres) < level {
				a.Matieres = append(a.Matieres, "")
			}
			keep(&a.Matieres[level-1], d.value("CodeMatiere"))
		case "Objet":
			d.text(&a.Objet)
		case "PrecedentIdentifiantActe":
			keep(&a.Precedent, d.value("IDActe"))
		case "ClassificationDateVersion":
			d.text(&a.DateClassification)
		case "Document":
			path := d.Path()
			if list := d.fichier(nil); len(list) == 1 {
				if a.Document != (Fichier{}) {
					d.m.deviates(path, "an act has more than one document: the others are taken for annexes")
					a.Annexes = append(a.Annexes, list...)
					break
				}
				a.Document = list[0]
			}
		case "Annexes":
			path, nombre, before := d.Path(), d.value("Nombre"), len(a.Annexes)
			d.children(func(local string) {
				if local != "Annexe" {
					d.unknown()
					return
				}
				a.Annexes = d.fichier(a.Annexes)
			})
			if nombre != fmt.Sprint(len(a.Annexes)-before) {
				d.m.deviates(path, "Nombre is not the number of annexes")
			}
		case "DocumentPapier": // 2018; xsi:nil leaves it empty
			d.text(&a.DocumentPapier)
		default:
			d.unknown()
		}
	})
	if d.m.Acte == nil || a.NumeroInterne != "" && a.Date != "" {
		d.m.Acte = a
	}
}

// envelope reads one element of an envelope.
func (d *decoder) envelope(local string) {
	if d.m.Envelope == nil {
		d.m.Envelope = new(Envelope)
	}
	e := d.m.Envelope
	switch local {
	case "Emetteur":
		d.children(func(local string) {
			s := &e.Emetteur
			switch local {
			case "IDCL", "IDSGAR", "IDPref", "IDSousPref":
				s.Kind = map[string]string{"IDCL": "CL", "IDSGAR": "SGAR", "IDPref": "PREF", "IDSousPref": "SPREF"}[local]
				s.SIREN, s.Departement = d.value("SIREN"), d.value("Departement")
				s.Arrondissement, s.Nature = d.value("Arrondissement"), d.value("Nature")
			case "Referent":
				if d.opt.Personal {
					d.referent(e)
				}
			default:
				d.unknown()
			}
		})
	case "AdressesRetour":
		if d.opt.Personal {
			d.children(func(string) {
				if d.room() {
					e.AdressesRetour = append(e.AdressesRetour, strings.TrimSpace(d.Gather()))
				}
			})
		}
	case "FormulairesEnvoyes":
		d.children(func(local string) {
			if local != "Formulaire" {
				d.unknown()
				return
			}
			e.Formulaires = d.fichier(e.Formulaires)
		})
	case "Destinataire":
		keep(&e.Destinataire, d.value("SIREN"))
	default:
		d.unknown()
	}
}

func (d *decoder) referent(e *Envelope) {
	e.Referent = new(Referent)
	d.children(func(local string) {
		switch local {
		case "Nom":
			d.text(&e.Referent.Nom)
		case "Telephone":
			d.text(&e.Referent.Telephone)
		case "Email":
			d.text(&e.Referent.Email)
		}
	})
}

// fichier reads a FichierSigne and appends it to list.
func (d *decoder) fichier(list []Fichier) []Fichier {
	if !d.room() {
		return list
	}
	var f Fichier
	d.children(func(local string) {
		switch local {
		case "NomFichier":
			d.text(&f.Nom)
		case "Signature":
			f.Signature = d.signature()
		default:
			d.unknown()
		}
	})
	return append(list, f)
}

// signature reads anyType: PKCS #7 in base64 or PEM, or an element.
func (d *decoder) signature() *Signature {
	var text strings.Builder
	for depth := d.Depth(); d.Next() && (d.Kind() != xmlscan.End || d.Depth() != depth-1); {
		switch d.Kind() {
		case xmlscan.Start:
			for d.Next() && (d.Kind() != xmlscan.End || d.Depth() != depth-1) {
			}
			return &Signature{Format: "xml"}
		case xmlscan.Text:
			text.WriteString(d.Gather())
		}
	}
	if strings.TrimSpace(text.String()) == "" {
		return nil
	}
	if b, _ := pem.Decode([]byte(strings.TrimSpace(text.String()))); b != nil {
		return &Signature{Format: "pkcs7", DER: b.Bytes}
	}
	plain := strings.TrimRight(strings.Join(strings.Fields(text.String()), ""), "=")
	der, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil || len(der) == 0 || der[0] != 0x30 { // a SEQUENCE: ContentInfo of RFC 2315, section 7
		d.deviates("the signature is neither PKCS #7 in base64 nor an element")
		return &Signature{Format: "unknown"}
	}
	return &Signature{Format: "pkcs7", DER: der}
}

// children calls f for each element directly below the one whose Start d stands at, and ends
// at its End. f may read the element or leave it.
func (d *decoder) children(f func(local string)) {
	if d.Kind() != xmlscan.Start {
		return
	}
	for depth := d.Depth(); d.Next(); {
		switch {
		case d.Kind() == xmlscan.End && d.Depth() == depth-1:
			return
		case d.Kind() == xmlscan.Start:
			f(d.Local())
			if d.Kind() == xmlscan.Start && d.Depth() == depth+1 {
				d.Skip()
			}
		}
	}
}

// room counts what a message names.
func (d *decoder) room() bool {
	d.left.items--
	d.tooMany = d.tooMany || d.left.items < 0
	return !d.tooMany
}

func (d *decoder) value(attr string) string { return strings.TrimSpace(d.Attr(attr)) }

// text reads the text of the element into v, unless there is none.
func (d *decoder) text(v *string) { keep(v, strings.TrimSpace(d.Gather())) }

func keep(v *string, s string) {
	if s != "" {
		*v = s
	}
}

// maxDeviations is how many are told of one message.
const maxDeviations = 100

// deviates tells of the element at which d stands.
func (d *decoder) deviates(reason string) {
	if d.m.room >= 0 {
		d.m.deviates(d.Path(), reason)
	}
}

func (m *Message) deviates(path, reason string) {
	m.room--
	switch {
	case m.room >= 0:
		m.Deviations = append(m.Deviations, payload.Deviation{Path: cut(path), Reason: reason})
	case m.room == -1:
		m.Deviations = append(m.Deviations, payload.Deviation{Reason: "there are more deviations than these"})
	}
}

func (d *decoder) unknown() {
	d.deviates("the norm does not have this element here")
}
