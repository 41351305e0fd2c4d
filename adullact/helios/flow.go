package helios

import "github.com/vaguemestre/vaguemestre/adullact/payload"

// Flow is one PES message. Strings stand as they were written, at most 1024 bytes of each;
// "" is absent. Names of fields are those of the norm.
type Flow struct {
	Root      string `json:"root"` // "PES_Aller", "PES_Retour", "PES_ACQUIT", …
	Namespace string `json:"namespace,omitempty"`
	ID        string `json:"id,omitempty"` // that a global signature refers to

	Version   string `json:"version,omitempty"`
	TypFic    string `json:"typ_fic,omitempty"` // free text of the sender's program: tells nothing about the content
	NomFic    string `json:"nom_fic,omitempty"` // of the message; in a PES_ACQUIT that of the PES_Aller it answers
	Sender    Party  `json:"sender,omitzero"`
	Recipient Party  `json:"recipient,omitzero"`

	DteStr        string `json:"dte_str,omitempty"`
	IdPost        string `json:"id_post,omitempty"` // codique of the accountant's office
	LibellePoste  string `json:"libelle_poste,omitempty"`
	IdColl        string `json:"id_coll,omitempty"` // SIRET
	FinJur        string `json:"fin_jur,omitempty"`
	CodCol        string `json:"cod_col,omitempty"` // CodCol or CodColl
	CodBud        string `json:"cod_bud,omitempty"`
	LibelleColBud string `json:"libelle_col_bud,omitempty"`

	Parts      []string     `json:"parts,omitempty"` // "PES_DepenseAller", "PES_PJ": each once, in order
	Bordereaux []Bordereau  `json:"bordereaux,omitempty"`
	Facture    *Facture     `json:"facture,omitempty"`
	Acquit     *Acquit      `json:"acquit,omitempty"`
	Receipts   []Receipt    `json:"receipts,omitempty"` // of a PES_ACQUIT_RETOUR
	Signatures []Signature  `json:"signatures,omitempty"`
	Files      []File       `json:"files,omitempty"`
	Totals     Totals       `json:"totals"`
	Deviations []Deviation  `json:"deviations,omitempty"`
	Inner      []*InnerFlow `json:"inner,omitempty"` // only with Options.Inner
}

// File is an attached document: Role is "facture" for a PES facture, else "pj"; Type is
// TypePJ, ID is IdUnique, Label is MIMEType.
type File = payload.File

// Deviation is something against the norm; its Path begins below the root.
type Deviation = payload.Deviation

// Amount is a decimal number.
type Amount = payload.Amount

// Party is who sent a message or shall receive it.
type Party struct {
	Sigle   string `json:"sigle,omitempty"`
	Adresse string `json:"adresse,omitempty"`
}

// Bordereau is one list of payment orders (mandats), of revenue orders (titres), or of what
// became of them.
type Bordereau struct {
	Part       string  `json:"part"`         // "PES_DepenseAller", "PES_RecetteRetour", …
	ID         string  `json:"id,omitempty"` // that its signature refers to
	Exer       string  `json:"exer,omitempty"`
	IdBord     string  `json:"id_bord,omitempty"`
	TypBord    string  `json:"typ_bord,omitempty"`
	DteBordEm  string  `json:"dte_bord_em,omitempty"`
	Objet      string  `json:"objet,omitempty"`
	NbrPce     string  `json:"nbr_pce,omitempty"` // as written; PieceCount is what was read
	MtBordHT   Amount  `json:"mt_bord_ht,omitempty"`
	MtBordTVA  Amount  `json:"mt_bord_tva,omitempty"`
	MtCumul    Amount  `json:"mt_cumul_annuel,omitempty"`
	MtTTC      Amount  `json:"mt_ttc,omitempty"` // of a BordereauORMCGlobal, as the three dates
	DtePec     string  `json:"dte_pec,omitempty"`
	DteRej     string  `json:"dte_rej,omitempty"`
	DteInst    string  `json:"dte_inst,omitempty"`
	Signed     bool    `json:"signed"`
	Pieces     []Piece `json:"pieces,omitempty"` // fewer than PieceCount when the summary is full: a deviation tells
	PieceCount int     `json:"piece_count"`
	LineCount  int     `json:"line_count"`
}

// Piece is one payment or revenue order.
type Piece struct {
	IdPce    string   `json:"id_pce,omitempty"`
	TypPce   string   `json:"typ_pce,omitempty"`
	NatPce   string   `json:"nat_pce,omitempty"`
	Obj      string   `json:"obj,omitempty"`      // Obj or ObjPce; free text, which may name people
	Nature   string   `json:"nature,omitempty"`   // of the first line that has it, as Fonction
	Fonction string   `json:"fonction,omitempty"` //
	MtHT     Amount   `json:"mt_ht,omitempty"`    // sum of its lines, as MtTVA; "" when a line's amount cannot be added
	MtTVA    Amount   `json:"mt_tva,omitempty"`
	Lines    int      `json:"lines"`
	Tiers    []string `json:"tiers,omitempty"` // names of the third parties, each once; only with Options.Personal
	PJRefs   []PJRef  `json:"pj_refs,omitempty"`

	// Of a PES_Retour.
	EtatPce     string   `json:"etat_pce,omitempty"`
	ObsEtat     string   `json:"obs_etat,omitempty"`    // code or text of the reason
	Commentaire string   `json:"commentaire,omitempty"` // only with Options.Personal
	DtePcePec   string   `json:"dte_pce_pec,omitempty"`
	DtePceRej   string   `json:"dte_pce_rej,omitempty"`
	DtePceInst  string   `json:"dte_pce_inst,omitempty"`
	LineStates  []string `json:"line_states,omitempty"`  // EtatLigPce, each once
	LineReasons []string `json:"line_reasons,omitempty"` // ObsEtat of lines, each once
}

// PJRef is a piece's reference to a document.
type PJRef struct {
	Support  string `json:"support,omitempty"` // 01 electronic, 02 paper, 03 cd
	IdUnique string `json:"id_unique,omitempty"`
	NomPJ    string `json:"nom_pj,omitempty"`
	TypePJ   string `json:"type_pj,omitempty"`
	Held     bool   `json:"held"` // Flow.Files has a file of this ID; else it was sent before, perhaps
}

// Facture sums up a PES_Facture.
type Facture struct {
	Annee    string `json:"annee,omitempty"`
	TypeFact string `json:"type_fact,omitempty"`
	Date     string `json:"date,omitempty"`
	Count    int    `json:"count"` // of FactureIndiv
}

// Acquit is what the accountant's system answers to a PES_Aller.
type Acquit struct {
	Version  int          `json:"version"`  // 1 is flat, 2 is nested, 0 is the legacy PES_NonAcquit
	Accepted bool         `json:"accepted"` // there is an EtatAck, and every one is 1
	Elements []AckElement `json:"elements,omitempty"`
}

// AckElement is the answer to one bordereau, one document, or the file.
type AckElement struct {
	Domaine      string     `json:"domaine,omitempty"`
	Etat         string     `json:"etat,omitempty"`
	Accepted     bool       `json:"accepted"`
	NumBord      string     `json:"num_bord,omitempty"`
	ExerciceBord string     `json:"exercice_bord,omitempty"`
	IdMarche     string     `json:"id_marche,omitempty"`
	IdUnique     string     `json:"id_unique,omitempty"`
	Errors       []AckError `json:"errors,omitempty"`
}

// AckError is one reason; NumPiece and NumLigne are "" where it concerns the whole.
type AckError struct {
	NumPiece string `json:"num_piece,omitempty"`
	NumLigne string `json:"num_ligne,omitempty"`
	Code     string `json:"code,omitempty"`    // NumAnoAck
	Libelle  string `json:"libelle,omitempty"` // LibelleAnoAck; often begins with a number of Hélios
}

// Receipt acknowledges one PES_Retour.
type Receipt struct {
	Domaine   string `json:"domaine,omitempty"` // 13 expenses, 14 revenue
	NomFic    string `json:"nom_fichier_retour,omitempty"`
	TypRestit string `json:"typ_restit,omitempty"`
	Date      string `json:"date_acquit,omitempty"`
}

// Signature says that one stands there. It is not verified.
type Signature struct {
	Place       string `json:"place"`            // path of the element that holds it; "" is the root
	Target      string `json:"target,omitempty"` // Reference URI, without "#"; "" is the whole
	Method      string `json:"method,omitempty"` // what follows "#" in the algorithm: "rsa-sha256"
	SigningTime string `json:"signing_time,omitempty"`
	Subject     string `json:"subject,omitempty"` // of the first certificate; only with Options.Personal
}

// Totals count what was read, listed or not.
type Totals struct {
	Bordereaux int   `json:"bordereaux"`
	Pieces     int   `json:"pieces"`
	Lines      int   `json:"lines"`
	Files      int   `json:"files"`
	FileBytes  int64 `json:"file_bytes"` // decoded
}

// InnerFlow is a PES that was attached to another.
type InnerFlow struct {
	IdUnique string `json:"id_unique"` // of the document that holds it
	*Flow
}

// File returns the first attached document of that IdUnique, nil if the flow holds none.
func (f *Flow) File(id string) *File {
	for i := range f.Files {
		if f.Files[i].ID == id && id != "" {
			return &f.Files[i]
		}
	}
	return nil
}
